"""Many pictures through one operation: which file becomes which, and a pipeline that keeps every core busy.

Worker threads decode and encode (the codecs release the GIL); exactly one thread, the caller's, runs loops. One bad
file does not stop the rest.
"""

import glob
import os
import re
import string
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from convcli.architectures.values import shortened
from convcli.atomic import check_target
from convcli.errors import ConvcliError, ImageError, printable
from convcli.images import MAX_PIXELS, READABLE_SUFFIXES, Image, format_of, has_strange_profile, read, write
from convcli.images.formats import format_named, suffixes_of
from convcli.images.model import pictures_of, shown
from convcli.images.turns import Turn, Turns

STREAM = "-"
_FIELDS = ("stem", "kernel", "ext", "index")
_PART = 512  # pixels: the side of what is walked through to learn which loops are missing
_WORKERS = 4  # decoding and encoding threads each; pictures in memory are limited to about twice as many


@dataclass(frozen=True)
class Task:
    """One picture: where it comes from and where it goes; `STREAM` is standard input or output."""

    source: str
    target: str
    makes_folder: bool = False  # whether the target's folder is created if it is missing


@dataclass(frozen=True)
class Outcome:
    """What became of one picture. ``status`` is done, skipped or failed."""

    task: Task
    status: str
    error: str = ""
    warnings: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Files:
    """How files are read and written, for a whole batch.

    ``stdin`` and ``stdout`` are the binary streams behind `STREAM`; ``format`` names the output's format where no file
    name does. ``watch`` is called with each picture before and after the operation.
    """

    overwrite: bool = False
    skip_existing: bool = False
    strip: bool = False
    quality: int | None = None
    compression: str | None = None
    max_pixels: int = MAX_PIXELS
    format: str | None = None
    stdin: BinaryIO | None = None
    stdout: BinaryIO | None = None
    watch: Callable[[Task, Image, Image], None] | None = None


@dataclass(frozen=True)
class Produced:
    """What an operation returns for one picture."""

    image: Image
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


# An operation: a picture and the format it will be written in (None: the input's) to a picture.
Operation = Callable[[Image, str | None], Produced]


def find_inputs(inputs: Sequence[str], suffixes: Sequence[str] = READABLE_SUFFIXES) -> list[str]:
    """Files, glob patterns and folders to file names: folders give what is directly in them, in order of name.

    In folders those files are found that end in one of ``suffixes``: of pictures, if nothing else is said.

    Names that do not exist stay as they are, so that each is reported like any other bad file.

    Raises `ConvcliError` when a pattern or folder gives nothing.
    """
    found: list[str] = []
    for name in inputs:
        if not name:
            raise ConvcliError("input: got an empty name, expected a file, a pattern or a folder")
        path = Path(name)
        if name == STREAM or path.is_file():
            found.append(name)
        elif path.is_dir():
            inside = [each for each in sorted(path.iterdir()) if _ends_in(each, suffixes)]
            if not inside:
                what = "picture" if suffixes is READABLE_SUFFIXES else "signal"
                raise ConvcliError(f"{name}: holds no {what}, expected files ending in {' '.join(suffixes)}")
            found += [str(each) for each in inside]
        elif not path.exists() and glob.has_magic(name):
            matches = sorted(glob.iglob(name, recursive=True))  # noqa: PTH207 (patterns may be absolute)
            if not matches:
                raise ConvcliError(f"{name}: the pattern matches no file")
            found += [each for each in matches if Path(each).is_file()]
        else:
            found.append(name)
    first: dict[str, str] = {}
    for name in found:
        first.setdefault(name if name == STREAM else str(_real(name)), name)
    return list(first.values())


def plan_tasks(
    sources: Sequence[str],
    output: str | None,
    name: str,
    *,
    overwrite: bool = False,
    format: str | None = None,
    explicit: Sequence[str] | None = None,
    suffixes: Mapping[str, str] | None = None,
) -> list[Task]:
    """Pair each source with its target.

    Without ``output`` a picture goes to ``{stem}_{kernel}{ext}`` beside it; ``output`` is a file for one source, a
    folder, or a template with the fields ``{stem} {kernel} {ext} {index}`` (``ext`` with its dot, ``index`` from 1).
    ``name`` is what ``{kernel}`` stands for; ``format`` decides ``ext`` if it is given. Sources that are not among the
    ``explicit`` ones, found in a folder for instance, are left out if they are another source's target: results of an
    earlier run. ``suffixes`` says which suffix the results of sources with another one get.

    Raises `ConvcliError` when two sources would get one target, a target is a source, or a target's suffix belongs to
    another format than ``format``.
    """
    if output == "":
        raise ConvcliError("output: got an empty name, expected a file, a folder, a template or -")
    if STREAM in sources and len(sources) > 1:
        raise ConvcliError(f"standard input: got {len(sources) - 1} further inputs, expected it alone")
    if output == STREAM and len(sources) > 1:
        raise ConvcliError(f"standard output: got {len(sources)} inputs, expected one; name a folder with -o")
    if explicit is not None:
        made = {_real(_target(source, output, name, 1, len(sources), format, suffixes)): source for source in sources}
        sources = [source for source in sources if source in explicit or made.get(_real(source), source) == source]
        if not sources:
            raise ConvcliError("inputs: all of them would be results of others; choose other names with -o")
    count = len(sources)
    targets = [_target(source, output, name, index, count, format, suffixes) for index, source in enumerate(sources, 1)]
    for target in targets:
        if format is not None and target != STREAM and Path(target).suffix.lower() not in suffixes_of(format):
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


def _ends_in(path: Path, suffixes: Sequence[str]) -> bool:
    return path.is_file() and path.suffix.lower() in suffixes and not path.name.startswith(".")


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
    stem, ext = ("stdin", "") if source == STREAM else (Path(source).stem, Path(source).suffix)
    ext = (suffixes or {}).get(ext.lower(), ext) if format is None else suffixes_of(format)[0]
    if output is None:
        return str(Path(source).with_name(f"{stem}_{name}{ext}"))
    has_fields = any(field is not None for _, field, _, _ in _template_parts(output))
    output = output.format(stem=stem, kernel=name, ext=ext, index=index)
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


def beside(file: str, word: str, suffix: str = ".png") -> str:
    """Where a result goes that was not given a name: ``photo_features.png`` beside ``photo.jpg``."""
    path = Path("stdin" if file == STREAM else file)
    if not path.name:
        raise ImageError(f"got {shortened(file)} as a picture, expected the name of a file")
    return str(path.with_name(f"{path.stem}_{word}{suffix}"))


_FORM = re.compile(r"(.?[<>=^])?[+ -]?0?[0-9]{0,3}(\.[0-9]{1,3})?,?[sdxX]?")


def _names_folder(output: str) -> bool:
    return output.endswith(("/", "\\")) or Path(output).is_dir()


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


def run_tasks(
    tasks: Sequence[Task], operation: Operation, files: Files, *, prepare: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Read, operate, write, and yield the outcome of each task in order.

    ``prepare`` runs while the first pictures are being decoded: importing the loops takes as long as that. A task that
    fails with `ConvcliError` or `OSError` yields an outcome that says so; nothing half-written is left.
    """
    workers = min(_WORKERS, len(tasks))
    readers = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    writers = ThreadPoolExecutor(workers, thread_name_prefix="encode")
    waiting, turns = deque(tasks), Turns()
    reading: deque[tuple[Task, Future[Image | None], Turn]] = deque()
    writing: deque[Future[Outcome] | Outcome] = deque()

    def read_ahead() -> None:
        while waiting and len(reading) < workers:
            task, turn = waiting.popleft(), turns.next()
            reading.append((task, readers.submit(turn.run, _read, task, files), turn))

    try:
        read_ahead()
        prepare()
        while reading:
            task, future, turn = reading.popleft()
            result = _operate(task, future, operation, files, writers)
            del future  # and with it the picture
            if isinstance(result, Outcome):
                turn.close()
            else:
                result.add_done_callback(turn.close)
            writing.append(result)
            read_ahead()
            while writing and (len(writing) > workers or _is_finished(writing[0])):
                yield _outcome(writing.popleft())
        while writing:
            yield _outcome(writing.popleft())
    finally:
        turns.end()
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)


def run_one_by_one(
    tasks: Sequence[Task],
    work: Callable[[Task, Files], Outcome],
    files: Files,
    *,
    pictures: bool = True,
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Work on one file after the other, and yield the outcome of each: for volumes and signals.

    ``pictures`` is for `is_due`; ``prepare`` is called once before loops run. A task that fails yields an outcome that
    says so; nothing half-written is left.
    """
    prepare()
    for task in tasks:
        started = time.perf_counter()
        try:
            if not is_due(task, files, pictures=pictures):
                yield Outcome(task, "skipped")
                continue
            outcome = work(task, files)
            outcome.details["seconds"] = round(time.perf_counter() - started, 6)
            yield outcome
        except (ConvcliError, OSError, MemoryError) as error:
            yield failed(task, error)


def is_due(task: Task, files: Files, *, pictures: bool = True) -> bool:
    """Whether a task is to be done, not skipped; a target that cannot be is refused before anything is decoded.

    ``pictures`` tells whether the target's suffix has to be one that pictures have.
    """
    if task.target == STREAM:
        return True
    target = Path(task.target)
    if files.skip_existing and target.exists():
        return False
    if pictures and files.format is None:
        format_of(target)
    if task.makes_folder:
        target.parent.mkdir(parents=True, exist_ok=True)
    check_target(target, overwrite=files.overwrite)
    return True


def _read(task: Task, files: Files) -> Image | None:
    """The picture, or None if its target is to be skipped."""
    if not is_due(task, files):
        return None
    if task.source == STREAM:
        if files.stdin is None:
            raise ImageError("standard input: is not open")
        return read(files.stdin, max_pixels=files.max_pixels)
    return read(task.source, max_pixels=files.max_pixels)


def _operate(
    task: Task, future: "Future[Image | None]", operation: Operation, files: Files, writers: ThreadPoolExecutor
) -> "Future[Outcome] | Outcome":
    started = time.perf_counter()
    try:
        image = future.result()
        if image is None:
            return Outcome(task, "skipped")
        produced = _produced(operation, image, _format(task, image, files))
        if files.watch is not None:
            files.watch(task, image, produced.image)
    except Exception as error:
        return failed(task, error)
    return writers.submit(_write, task, produced, files, time.perf_counter() - started)


def _produced(operation: Operation, image: Image, format: str | None) -> Produced:
    """What an operation makes of a picture; loops that are missing are compiled together."""
    from convcli.loops.waiting import foreseen

    part = replace(image, pixels=image.pixels[:_PART, :_PART].copy())
    with foreseen(pictures_of(image.pixels), lambda: operation(part, format)):
        return operation(image, format)


def _format(task: Task, image: Image, files: Files) -> str | None:
    if files.format is not None:
        return format_named(files.format)
    return image.metadata.format if task.target == STREAM else format_of(task.target)


def _write(task: Task, produced: Produced, files: Files, seconds: float) -> Outcome:
    target = files.stdout if task.target == STREAM else task.target
    if target is None:
        return failed(task, ImageError("standard output: is not open"))
    try:
        lost = write(
            produced.image,
            target,
            format=files.format,
            overwrite=files.overwrite,
            strip=files.strip,
            quality=files.quality,
            compression=files.compression,
        )
    except Exception as error:
        return failed(task, error)
    pixels = produced.image.pixels
    details = {**produced.details, "seconds": round(seconds, 6)}
    warnings = (*produced.warnings, *unkept(lost))
    if has_strange_profile(produced.image) and not files.strip:
        kinds = ("grey", "RGB") if pixels.shape[2] <= 2 else ("colour", "grey")
        warnings = (*warnings, f"the result is {kinds[0]}: the input's colour profile, for {kinds[1]}, was left out")
    return Outcome(task, "done", "", warnings, pixels.shape, pixels.dtype.name, details)


def unkept(names: Sequence[str]) -> tuple[str, ...]:
    """One sentence that names what a result lacks of its input besides pixels, if there is anything."""
    return (f"not kept: {', '.join(names)}",) if names else ()


def failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a task that raised an error: one line that names the file.

    An error nobody foresaw says so; with CONVCLI_DEBUG=1 it is raised.
    """
    message = printable(str(error).strip()) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = error.strerror
    elif not isinstance(error, ConvcliError | OSError | MemoryError):
        if os.environ.get("CONVCLI_DEBUG") == "1":
            raise error
        message = f"internal error ({type(error).__name__}: {message}); CONVCLI_DEBUG=1 shows where"
    name = "standard input" if task.source == STREAM else shown(task.source)
    # Messages show what a terminal would obey escaped, in names too.
    if not any(printable(known) in message for known in (task.source, task.target) if known != STREAM):
        message = f"{name}: {message}"
    return Outcome(task, "failed", message)


def _is_finished(result: "Future[Outcome] | Outcome") -> bool:
    return isinstance(result, Outcome) or result.done()


def _outcome(result: "Future[Outcome] | Outcome") -> Outcome:
    return result if isinstance(result, Outcome) else result.result()
