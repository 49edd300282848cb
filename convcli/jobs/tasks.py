"""Which file becomes which: outputs beside their inputs, in folders, by templates. What is an input says `inputs`."""

import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from convcli.addresses import absolute as absolute_address
from convcli.addresses import below, check_writable, folder_of, is_address, is_folder, lies_at, name_of
from convcli.errors import ConvcliError, ImageError, shortened
from convcli.images.formats import recognise, suffix_of, suffixes_of
from convcli.images.model import shown
from convcli.images.reading import HEAD
from convcli.jobs.inputs import STREAM as STREAM
from convcli.jobs.names import Names
from convcli.stores import is_store

_FIELDS = ("stem", "kernel", "ext", "index")


@dataclass(frozen=True, slots=True)
class Task:
    """One picture: where it comes from and where it goes; `STREAM` is standard input or output."""

    source: str
    target: str
    makes_folder: bool = False  # whether the target's folder is created if it is missing


def absolute(task: Task) -> Task:
    """The same for processes that run in other folders."""
    source, target = (
        name if name == STREAM else absolute_address(name) if is_address(name) else str(Path(name).absolute())
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
) -> Sequence[Task]:
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
    if len(sources) > 1 and not isinstance(sources, Names) and STREAM in sources:
        raise ConvcliError(f"standard input: got {len(sources) - 1} further inputs, expected it alone")
    if output == STREAM and len(sources) > 1:
        raise ConvcliError(f"standard output: got {len(sources)} inputs, expected one; name a folder with -o")
    base = sources.base if output is None and isinstance(sources, Names) else output
    if base is not None and is_address(base):
        check_writable(base)
    naming = Naming.of(output, name, format, suffixes, below or {}, len(sources))
    # A folder or a template names folders to fill; one file name with a folder that is missing is rather a slip.
    makes_folder = output is not None and (len(sources) > 1 or naming.is_folder or naming.is_template)
    if isinstance(sources, Names) and len(sources) > 1 and naming.lies_apart(sources.base):
        tasks = Tasks(sources, naming, makes_folder)
        _check_different(tasks, format)
        if overwrite:
            _check_links(tasks)
        return tasks
    places = _Places()
    if explicit is not None:
        made = {places.own(naming.target(source, 1)): source for source in sources}
        earlier = _results_among(sources) if output is None else set()
        sources = [
            source
            for source in sources
            if source in explicit or (made.get(places.real(source), source) == source and source not in earlier)
        ]
        if not sources:
            raise ConvcliError("inputs: all of them would be results of others; choose other names with -o")
        naming = replace(naming, count=len(sources))
    tasks_ = [Task(source, naming.target(source, index), makes_folder) for index, source in enumerate(sources, 1)]
    _check_each(tasks_, format, places, in_place=overwrite and len(sources) == 1 and output is not None)
    return tasks_


def _check_each(tasks: Sequence[Task], format: str | None, places: "_Places", *, in_place: bool) -> None:
    """Raise `ConvcliError` for a target that is a source, or another's target, or called like another format."""
    taken: dict[str, str] = {}
    real_sources = {places.real(task.source) for task in tasks if task.source != STREAM}
    for task in tasks:
        _check_suffix(task.target, format)
    for task in tasks:
        if task.target == STREAM:
            continue
        real = places.real(task.target)
        if real in taken:
            raise _both(taken[real], task)
        taken[real] = task.source
        is_link = task.makes_folder and real != places.own(task.target)  # that nobody has named
        if real in real_sources and (is_link or not in_place):
            raise _is_input(task.target)


def _check_different(tasks: "Tasks", format: str | None) -> None:
    """The same for very many that lie apart from their targets: of each target only a number is remembered."""
    numbers = np.fromiter((hash(task.target) for task in tasks), np.int64, len(tasks))
    if format is not None:
        for task in tasks:
            _check_suffix(task.target, format)
    found, counts = np.unique(numbers, return_counts=True)
    several, taken = set(found[counts > 1].tolist()), dict[str, str]()
    if several:
        for task in tasks:
            if hash(task.target) in several and taken.setdefault(task.target, task.source) != task.source:
                raise _both(taken[task.target], task)


def _check_links(tasks: "Tasks") -> None:
    """Raise `ConvcliError` for a target that is a link which leads to a source: it would be written over."""
    links = {os.path.realpath(task.target): task.target for task in tasks if os.path.islink(task.target)}  # noqa: PTH114
    if links:
        for task in tasks:
            if (target := links.get(os.path.realpath(task.source))) is not None:
                raise _is_input(target)


def _is_input(target: str) -> ConvcliError:
    return ConvcliError(f"output: {target} is also an input; choose another name with -o")


def _both(other: str, task: Task) -> ConvcliError:
    return ConvcliError(
        f"output: {other} and {task.source} would both become {task.target}; add {{index}} to the template of -o"
    )


def _check_suffix(target: str, format: str | None) -> None:
    if format is not None and target != STREAM and suffix_of(target).lower() not in suffixes_of(format):
        raise ConvcliError(
            f"output: got {target} and format {format}, expected a name in {suffixes_of(format)[0]} or no --format"
        )


class Tasks(Sequence[Task]):
    """The tasks of very many sources, each made when it is asked for."""

    def __init__(self, sources: Names, naming: "Naming", makes_folder: bool) -> None:
        self._sources, self._naming, self._makes_folder = sources, naming, makes_folder

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: Any) -> Any:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[place] for place in places]
        return self._task(self._sources[places], places + 1, self._sources.deeper(places))

    def __iter__(self) -> Iterator[Task]:
        index = 0
        for deeper, names in self._sources.by_folder():
            for index, source in enumerate(names, index + 1):  # noqa: B020 (goes on with the next folder)
                yield self._task(source, index, deeper)

    def _task(self, source: str, index: int, deeper: str) -> Task:
        return Task(source, self._naming.target(source, index, deeper), self._makes_folder)


class _Places:
    """Where files really lie: the folders that links name are looked up once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def real(self, name: str) -> str:
        """A file's own name; of a link that of the file it leads to."""
        own = self.own(name)
        is_plain = is_address(name) or not os.path.islink(own)  # noqa: PTH114
        return own if is_plain else os.path.realpath(name)  # at peace with links that go round

    def own(self, name: str) -> str:
        """A file's own name, or a link's."""
        if is_address(name):
            return lies_at(name)
        folder, last = os.path.split(name)
        if last in ("", ".", ".."):
            return os.path.realpath(name)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], last)  # noqa: PTH118 (there may be many)


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


@dataclass(frozen=True)
class Naming:
    """How the results of sources are called; the words are those of `plan_tasks`.

    ``is_folder`` and ``is_template`` say what the output is.
    """

    output: str | None
    name: str
    format: str | None
    suffixes: Mapping[str, str]
    below: Mapping[str, str]
    count: int
    is_folder: bool
    is_template: bool

    @classmethod
    def of(
        cls,
        output: str | None,
        name: str,
        format: str | None,
        suffixes: Mapping[str, str] | None,
        below: Mapping[str, str],
        count: int,
    ) -> "Naming":
        """What an output means; raises `ConvcliError` for a template that is none."""
        if output in (None, STREAM):
            return cls(output, name, format, suffixes or {}, below, count, is_folder=False, is_template=False)
        is_template = any(field is not None for _, field, _, _ in _template_parts(output))
        output = output.replace(".{ext}", "{ext}") if is_template else output.format()  # {{ is a bracket
        is_folder = not is_template and _names_folder(output)
        return cls(output, name, format, suffixes or {}, below, count, is_folder, is_template)

    def target(self, source: str, index: int, deeper: str | None = None) -> str:
        """What the result of a source is called: of the ``index``-th, which lies ``deeper`` than others."""
        if self.output == STREAM or (source == STREAM and self.output is None):
            return STREAM
        stem, ext = self._stem(source)
        if deeper is None:
            deeper = self.below.get(source, "") if self.output is not None else ""
        flat = self._flat(source, stem, ext, index)
        if not suffix_of(flat) and (self.is_folder or self.is_template) and _is_pipe(source):
            what = "standard input" if source == STREAM else shown(source)
            raise ConvcliError(
                f"output: got {self.output} for {what}, whose format is not known before it is read, expected a name "
                "that ends in one, such as .png, or --format"
            )
        return _placed(flat, deeper) if deeper else flat

    def lies_apart(self, folder: str) -> bool:
        """Whether no target can lie in a folder, nor below it."""
        if self.output in (None, STREAM):
            return False
        root = self.output
        if self.is_template:
            root = root.partition("{")[0] + "x"
            root = folder_of(root) if is_address(root) else str(Path(root).parent)
        if is_address(root) != is_address(folder):
            return True
        real = lies_at if is_address(root) else os.path.realpath
        ends = [f"{real(each).rstrip('/' + os.sep)}/" for each in (root, folder)]
        return not (ends[0].startswith(ends[1]) or ends[1].startswith(ends[0]))

    def _stem(self, source: str) -> tuple[str, str]:
        """A source's name without its suffix, and the suffix of its result."""
        if source == STREAM:
            return "stdin", self.suffixes.get("", "") if self.format is None else suffixes_of(self.format)[0]
        last = name_of(source) if is_address(source) else os.path.basename(source)  # noqa: PTH119 (there may be many)
        ext = suffix_of(last)
        stem = last.removesuffix(ext)
        if "." in stem and ((inner := suffix_of(stem)) + ext).lower() in self.suffixes:  # .ome.tif
            stem, ext = stem.removesuffix(inner), inner + ext
        if self.format is not None:
            return stem, suffixes_of(self.format)[0]
        ext = ext or _suffix_by_content(source)
        return stem, self.suffixes.get(ext.lower(), ext)

    def _flat(self, source: str, stem: str, ext: str, index: int) -> str:
        """A target that does not lie deeper than others."""
        file = f"{stem}_{self.name}{ext}"
        if self.output is None:
            return below(folder_of(source), file) if is_address(source) else str(Path(source).with_name(file))
        if self.is_template:
            return self.output.format(stem=stem, kernel=self.name, ext=ext, index=index)
        if not self.is_folder and self.count == 1:
            return self.output
        suffix = "" if self.is_folder else suffix_of(self.output)
        if suffix:
            stem = (name_of(self.output) if is_address(self.output) else Path(self.output).name).removesuffix(suffix)
            raise ConvcliError(
                f"output: got the one file {self.output} for {self.count} inputs, expected a folder ({stem}/) or a "
                f"template ({{stem}}{suffix})"
            )
        return _joined(self.output, file)


def _placed(target: str, deeper: str) -> str:
    """A target in an output's folder, as deep below it as its source lies."""
    if is_address(target):
        return below(folder_of(target), f"{deeper.replace(os.sep, '/')}/{target.rpartition('/')[2]}")
    folder, last = os.path.split(target)
    return os.path.join(folder, deeper, last)  # noqa: PTH118 (there may be many)


@lru_cache(maxsize=8)
def _plain(folder: str) -> str:
    return str(Path(folder))


def _joined(folder: str, name: str) -> str:
    if is_address(folder):
        return below(folder, name)
    folder = _plain(folder)
    return name if folder == "." else os.path.join(folder, name)  # noqa: PTH118 (there may be many)


def _is_pipe(source: str) -> bool:
    return source == STREAM or (not is_address(source) and Path(source).is_fifo())


def _suffix_by_content(source: str) -> str:
    """The usual suffix of what a file without one holds; nothing where that is not known."""
    if is_address(source):
        return ""
    try:
        if Path(source).is_fifo():  # what is read of it is gone
            return ""
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
    if is_address(output):
        return output.endswith("/") or (not suffix_of(output) and is_folder(output))
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
