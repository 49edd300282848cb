"""Which file becomes which: outputs beside their inputs, in folders, by templates. What is an input says `inputs`."""

import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from convcli.errors import ConvcliError, ImageError, shortened
from convcli.images.formats import recognise, suffix_of, suffixes_of
from convcli.images.model import shown
from convcli.images.reading import HEAD
from convcli.jobs.inputs import STREAM as STREAM
from convcli.stores import is_address, is_store

_FIELDS = ("stem", "kernel", "ext", "index")


@dataclass(frozen=True)
class Task:
    """One picture: where it comes from and where it goes; `STREAM` is standard input or output."""

    source: str
    target: str
    makes_folder: bool = False  # whether the target's folder is created if it is missing


def absolute(task: Task) -> Task:
    """The same for processes that run in other folders."""
    source, target = (
        name if name == STREAM or is_address(name) else str(Path(name).absolute())
        for name in (task.source, task.target)
    )
    return replace(task, source=source, target=target)


def plan_tasks(
    sources: Sequence[str],
    output: str | None,
    name: str,
    *,
    overwrite: bool = False,
    format: str | None = None,
    explicit: Sequence[str] | None = None,
    suffixes: Mapping[str, str] | None = None,
    below: Mapping[str, str] | None = None,
) -> list[Task]:
    """Pair each source with its target.

    Without ``output`` a picture goes to ``{stem}_{kernel}{ext}`` beside it; ``output`` is a file for one source, a
    folder, or a template with the fields ``{stem} {kernel} {ext} {index}`` (``ext`` with its dot, ``index`` from 1).
    ``name`` is what ``{kernel}`` stands for; ``format`` decides ``ext`` if it is given. Sources that are not among the
    ``explicit`` ones, found in a folder for instance, are left out if they are another source's target, or are called
    like what some operation wrote beside one: results of an earlier run. ``suffixes`` says which suffix the results of
    sources with another one get. ``below`` names the folders of sources that lie deeper than others, which are kept
    below the output's folder.

    Raises `ConvcliError` when two sources would get one target, a target is a source, or a target's suffix belongs to
    another format than ``format``.
    """
    if output == "":
        raise ConvcliError("output: got an empty name, expected a file, a folder, a template or -")
    if STREAM in sources and len(sources) > 1:
        raise ConvcliError(f"standard input: got {len(sources) - 1} further inputs, expected it alone")
    if output == STREAM and len(sources) > 1:
        raise ConvcliError(f"standard output: got {len(sources)} inputs, expected one; name a folder with -o")
    place = partial(_placed, output=output, below=below or {})
    if explicit is not None:
        made = {
            _real(place(_target(source, output, name, 1, len(sources), format, suffixes), source)): source
            for source in sources
        }
        earlier = _results_among(sources) if output is None else set()
        sources = [
            source
            for source in sources
            if source in explicit or (made.get(_real(source), source) == source and source not in earlier)
        ]
        if not sources:
            raise ConvcliError("inputs: all of them would be results of others; choose other names with -o")
    count = len(sources)
    targets = [
        place(_target(source, output, name, index, count, format, suffixes), source)
        for index, source in enumerate(sources, 1)
    ]
    for target in targets:
        if format is not None and target != STREAM and suffix_of(target).lower() not in suffixes_of(format):
            raise ConvcliError(
                f"output: got {target} and format {format}, expected a name in {suffixes_of(format)[0]} or no --format"
            )
    taken: dict[Path, str] = {}
    real_sources = {_real(source): source for source in sources if source != STREAM}
    for source, target in zip(sources, targets, strict=True):
        if target == STREAM:
            continue
        real = _real(target)
        if real in taken:
            raise ConvcliError(
                f"output: {taken[real]} and {source} would both become {target}; add {{index}} to the template of -o"
            )
        taken[real] = source
        in_place = overwrite and len(sources) == 1 and output is not None
        if real in real_sources and not in_place:
            raise ConvcliError(f"output: {target} is also an input; choose another name with -o")
    # A folder or a template names folders to fill; one file name with a folder that is missing is rather a slip.
    makes_folder = output is not None and (len(sources) > 1 or _names_folder(output) or "{" in output)
    return [Task(source, target, makes_folder) for source, target in zip(sources, targets, strict=True)]


def _results_among(sources: Sequence[str]) -> set[str]:
    """The sources that are called as the results of others are that lie beside pictures: ``cat_unsharp_sobel.jpg``."""
    stems = {str(Path(each).with_suffix("")) for each in sources}
    words = None
    found = set()
    for source in sources:
        stem, more = str(Path(source).with_suffix("")), []
        while "_" in Path(stem).name.lstrip("_"):
            stem, _, word = stem.rpartition("_")
            more.append(word)
            if stem in stems:
                words = _result_words() if words is None else words
                found |= {source} if words.issuperset(more) else set()
    return found


def _result_words() -> set[str]:
    """What `{kernel}` may have been in names of results."""
    from convcli.jobs.recipes import names
    from convcli.kernels import LIBRARY
    from convcli.ops.morphology import OPERATIONS
    from convcli.ops.pooling_runs import MODES

    return {*LIBRARY, *names(), *OPERATIONS, *(f"{mode}-pool" for mode in MODES), "pad", "matrix"}


def _placed(target: str, source: str, output: str | None, below: Mapping[str, str]) -> str:
    """A target in an output's folder, as deep below it as its source lies."""
    if source not in below or output in (None, STREAM):
        return target
    return str(Path(target).parent / below[source] / Path(target).name)


def _real(name: str) -> Path:
    return Path(os.path.realpath(name))  # unlike Path.resolve, at peace with links that go round


def _target(
    source: str,
    output: str | None,
    name: str,
    index: int,
    count: int,
    format: str | None,
    suffixes: Mapping[str, str] | None,
) -> str:
    if output == STREAM or (source == STREAM and output is None):
        return STREAM
    ext = "" if source == STREAM else suffix_of(source)
    if suffixes and any(
        suffix_of(Path(source).name.removesuffix(ext)).lower() + ext.lower() == each for each in suffixes
    ):
        ext = suffix_of(Path(source).name.removesuffix(ext)) + ext  # .ome.tif
    ext_of_content = "" if ext or format is not None else _suffix_by_content(source)
    stem = "stdin" if source == STREAM else Path(source).name.removesuffix(ext)
    ext = ext or ext_of_content
    ext = (suffixes or {}).get(ext.lower(), ext) if format is None else suffixes_of(format)[0]
    if output is None:
        return str(Path(source).with_name(f"{stem}_{name}{ext}"))
    has_fields = any(field is not None for _, field, _, _ in _template_parts(output))
    output = output.replace(".{ext}", "{ext}").format(stem=stem, kernel=name, ext=ext, index=index)
    if has_fields:
        return output
    if _names_folder(output):
        return str(Path(output) / f"{stem}_{name}{ext}")
    if count == 1:
        return output
    if Path(output).suffix:
        raise ConvcliError(
            f"output: got the one file {output} for {count} inputs, expected a folder ({Path(output).stem}/) "
            f"or a template ({{stem}}{Path(output).suffix})"
        )
    return str(Path(output) / f"{stem}_{name}{ext}")


def _suffix_by_content(source: str) -> str:
    """The usual suffix of what a file without one holds; nothing where that is not known."""
    try:
        with Path(source).open("rb") as stream:
            kind = recognise(stream.read(HEAD))
    except (OSError, ValueError):
        return ""
    return (*kind.suffixes, *kind.read_only_suffixes, "")[0] if kind else ""


def beside(file: str, word: str) -> str:
    """Where a result goes that was not given a name: ``photo_features.png`` beside ``photo.jpg``."""
    path = Path("stdin" if file == STREAM else file)
    if not path.name:
        raise ImageError(f"got {shortened(file)} as a picture, expected the name of a file")
    return str(path.with_name(f"{path.stem}_{word}.png"))


_FORM = re.compile(r"(.?[<>=^])?[+ -]?0?[0-9]{0,3}(\.[0-9]{1,3})?,?[sdxX]?")


def _names_folder(output: str) -> bool:
    return output.endswith(("/", "\\")) or (Path(output).is_dir() and not is_store(output))


def _template_parts(output: str) -> list[tuple[str, str | None, str | None, str | None]]:
    known = " ".join(f"{{{each}}}" for each in _FIELDS)
    try:
        parts = list(string.Formatter().parse(output))
        for _, _, form, _ in parts:
            if form and not _FORM.fullmatch(form):  # {stem:>99999999} would take its width in memory
                raise ValueError(f"got '{form[:40]}' behind a colon, expected a width below 1000 as in {{index:03}}")
        output.format(stem="", kernel="", ext="", index=1)
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise ConvcliError(f"output: got the template {output!r} ({error}), expected the fields {known}") from None
    for _, name, _, _ in parts:
        if name is not None and name not in _FIELDS:
            raise ConvcliError(f"output: got the field {{{name}}}, expected {known}")
    return parts


@contextmanager
def about(name: str) -> Iterator[None]:
    """Let what is said of a picture that was read begin with its file's name."""
    try:
        yield
    except ConvcliError as error:
        raise ImageError(f"{'standard input' if name == STREAM else shown(name)}: {error}") from error
