"""Volumes through one operation, file by file: opened, worked on plane by plane, written as the planes come."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.images import format_of
from convcli.images.formats import format_named
from convcli.images.volume_frames import open_sequence
from convcli.images.volume_writing import check_volume_format, write_volume
from convcli.images.volumes import Volume, open_volume
from convcli.jobs.batch import STREAM, Files, Outcome, Task, failed, is_due, unkept
from convcli.ops.arguments import Array

# Called with the planes done and all planes.
Progress = Callable[[int, int], None]


class VolumeWork(Protocol):
    """An operation on one open volume: what will come out is known, and nothing is read yet."""

    shape: tuple[int, int, int, int]  # (OD, OH, OW, C)
    dtype: np.dtype[Any]
    stride: tuple[float, ...]  # input voxels between neighbours along z, y, x

    def planes(self, progress: Progress) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""


def run_volume_tasks(
    tasks: Sequence[Task],
    begin: Callable[[Volume, str], VolumeWork],
    files: Files,
    *,
    stack: Sequence[str] = (),
    prepare: Callable[[], None] = lambda: None,
    progress: Progress = lambda done, total: None,
) -> Iterator[Outcome]:
    """Work on one volume after the other, and yield the outcome of each.

    ``begin`` brings a volume and the format to be written together with an operation. ``stack`` names the pictures
    that are the planes of the one task's volume. ``prepare`` is called once before loops run. A task that fails yields
    an outcome that says so; nothing half-written is left.
    """
    prepare()
    for task in tasks:
        started = time.perf_counter()
        try:
            if not is_due(task, files):
                yield Outcome(task, "skipped")
                continue
            outcome = _work(task, begin, files, stack, progress)
            outcome.details["seconds"] = round(time.perf_counter() - started, 6)
            yield outcome
        except (ConvcliError, OSError, MemoryError) as error:
            yield failed(task, error)


def _work(
    task: Task, begin: Callable[[Volume, str], VolumeWork], files: Files, stack: Sequence[str], progress: Progress
) -> Outcome:
    if STREAM in (task.source, task.target):
        raise ImageError("a volume is read and written piece by piece: expected files, not standard input or output")
    format = format_named(files.format) if files.format else format_of(task.target)
    check_volume_format(format, 1)
    with _open(task, files, stack) as volume:
        work = begin(volume, format)
        channels = work.shape[3]
        check_volume_format(format, channels)
        lost = write_volume(
            work.planes(progress),
            Path(task.target),
            work.shape,
            work.dtype,
            volume.metadata.strided(work.stride),
            format=format,
            has_channels=volume.has_channels and (channels > 1 or volume.metadata.format == "NPY"),
            overwrite=files.overwrite,
            strip=files.strip,
            compression=files.compression,
        )
    warnings, details = work.report()
    shape = work.shape if channels > 1 else work.shape[:3]
    return Outcome(task, "done", "", (*volume.warnings, *warnings, *unkept(lost)), shape, work.dtype.name, details)


def _open(task: Task, files: Files, stack: Sequence[str]) -> Volume:
    if not stack:
        return open_volume(task.source, max_pixels=files.max_pixels)
    target = Path(task.target).resolve()
    if any(Path(each).resolve() == target for each in stack):
        raise ImageError(f"{task.target}: is also an input; choose another name with -o")
    return open_sequence(stack, max_pixels=files.max_pixels)
