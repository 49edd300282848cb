"""Many files through one operation: pictures in a pipeline that keeps every core busy, volumes and signals in turn.

Worker threads decode and encode (the codecs release the GIL); exactly one thread, the caller's, runs loops. One bad
file does not stop the rest.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from convcli.addresses import Present, check_writable, exists, is_address
from convcli.addresses import check_target as check_address
from convcli.atomic import check_target, make_folder
from convcli.errors import ConvcliError, FileError, ImageError, missing, printable
from convcli.images import MAX_PIXELS, Image, format_of, read, strange_profile, write
from convcli.images.formats import format_named, suffix_of
from convcli.images.model import pictures_of, shown
from convcli.images.turns import Turn, Turns
from convcli.jobs.tasks import STREAM, Task
from convcli.stores import file_of, is_store, is_store_there

_PART = 512  # pixels: the side of what is walked through to learn which loops are missing
_WORKERS = 4  # decoding and encoding threads each; pictures in memory are limited to about twice as many


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
    keep_profile: bool = False
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


def run_tasks(
    tasks: Sequence[Task], operation: Operation, files: Files, *, prepare: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Read, operate, write, and yield the outcome of each task in order.

    ``prepare`` runs while the first pictures are being decoded: importing the loops takes as long as that. A task that
    fails with `ConvcliError` or `OSError` yields an outcome that says so; nothing half-written is left.
    """
    workers, present = min(_WORKERS, len(tasks)), Present()
    readers = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    writers = ThreadPoolExecutor(workers, thread_name_prefix="encode")
    waiting, turns = iter(tasks), Turns()
    reading: deque[tuple[Task, Future[Image | None], Turn]] = deque()
    writing: deque[Future[Outcome] | Outcome] = deque()

    def read_ahead() -> None:
        for task in islice(waiting, workers - len(reading)):
            turn = turns.next()
            reading.append((task, readers.submit(turn.run, _read, task, files, present), turn))

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


def is_due(task: Task, files: Files, *, pictures: bool = True, present: Present | None = None) -> bool:
    """Whether a task is to be done, not skipped; a target that cannot be is refused before anything is decoded.

    ``pictures`` tells whether the target's suffix has to be one that pictures have; ``present`` which files are there
    at addresses, to which pictures alone are written.
    """
    if is_address(task.source):
        if not suffix_of(task.source) and not exists(task.source):  # others are asked for when they are read
            raise ImageError(f"{shown(task.source)}: no such file or folder")
    elif task.source != STREAM and not Path(file_of(task.source)).exists():
        raise ImageError(missing(file_of(task.source)))
    if task.target == STREAM:
        return True
    if is_address(task.target) and not is_store(task.target):
        return _is_due_at_address(task, files, present)
    if is_address(task.target):
        return not (files.skip_existing and is_store_there(task.target))
    target = Path(task.target)
    if files.skip_existing and target.exists():
        return False
    if pictures and files.format is None and not is_store(task.target):
        format_of(target)
    if task.makes_folder:
        make_folder(target)
    if not is_store(task.target):  # others, which may be gone on with, are looked at where they are written
        check_target(target, overwrite=files.overwrite)
    return True


def _is_due_at_address(task: Task, files: Files, present: Present | None) -> bool:
    check_writable(task.target)
    if present is None:
        raise FileError(
            f"{shown(task.target)}: is an address, to which pictures and .zarr are written; name a file here"
        )
    if files.skip_existing and task.target in present:
        return False
    if files.format is None:
        format_of(task.target)
    check_address(task.target, overwrite=files.overwrite, present=present)
    return True


def _read(task: Task, files: Files, present: Present) -> Image | None:
    """The picture, or None if its target is to be skipped."""
    if not is_due(task, files, present=present):
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
        produced = produce(operation, image, _format(task, image, files))
        if files.watch is not None:
            files.watch(task, image, produced.image)
    except Exception as error:
        return failed(task, error)
    return writers.submit(_write, task, produced, files, time.perf_counter() - started)


def produce(operation: Operation, image: Image, format: str | None) -> Produced:
    """What an operation makes of a picture; loops that are missing are compiled together."""
    from convcli.loops.compiling.waiting import foreseen

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
        return failed(task, FileError("is not open"))
    try:
        lost = write(
            produced.image,
            target,
            format=files.format,
            overwrite=files.overwrite,
            strip=files.strip,
            keep_profile=files.keep_profile,
            quality=files.quality,
            compression=files.compression,
        )
    except Exception as error:
        return failed(task, error, of_target=True)
    pixels = produced.image.pixels
    details = {**produced.details, "seconds": round(seconds, 6)}
    warnings = (*produced.warnings, *unkept(lost))
    if (strange := strange_profile(produced.image)) and not files.strip:
        result = "grey" if pixels.shape[2] <= 2 else "colour"
        warnings = (*warnings, f"the result is {result}: the input's colour profile, for {strange}, was left out")
    return Outcome(task, "done", "", warnings, pixels.shape, pixels.dtype.name, details)


def unkept(names: Sequence[str]) -> tuple[str, ...]:
    """One sentence that names what a result lacks of its input besides pixels, if there is anything."""
    return (f"not kept: {', '.join(names)}",) if names else ()


def failed(task: Task, error: Exception, *, of_target: bool = False) -> Outcome:
    """The outcome of a task that raised an error: one line that names the file it is about, the input or the output.

    A `FileError` is about the output, and so is what is raised while it is written: ``of_target``. An error nobody
    foresaw says so; with CONVCLI_DEBUG=1 it is raised.
    """
    message = printable(str(error).strip()) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = error.strerror
    elif not isinstance(error, ConvcliError | OSError | MemoryError):
        if os.environ.get("CONVCLI_DEBUG") == "1":
            raise error
        message = f"internal error ({type(error).__name__}: {message}); CONVCLI_DEBUG=1 shows where"
    file, stream = (task.source, "standard input")
    if of_target or isinstance(error, FileError):
        file, stream = (task.target, "standard output")
    name = stream if file == STREAM else shown(file)
    # Messages show what a terminal would obey escaped, in names too.
    if not any(printable(known) in message for known in (task.source, task.target) if known != STREAM):
        message = f"{name}: {message}"
    return Outcome(task, "failed", message)


def _is_finished(result: "Future[Outcome] | Outcome") -> bool:
    return isinstance(result, Outcome) or result.done()


def _outcome(result: "Future[Outcome] | Outcome") -> Outcome:
    return result if isinstance(result, Outcome) else result.result()
