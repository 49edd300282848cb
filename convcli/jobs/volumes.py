"""A volume through one operation: opened, worked on slab by slab, written as the planes come.

A slab is a run of output planes; each operation knows which planes of the volume it needs for them. So memory stays
flat, and the bits are those of the whole volume. Of a file of several volumes each goes through by itself.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory, memory_limit
from convcli.errors import ImageError
from convcli.geometry import Placement
from convcli.images import Image, format_of
from convcli.images.formats import format_named
from convcli.images.volume_axes import UNNAMED, Axes, named
from convcli.images.volume_model import Volume, taken, with_alpha
from convcli.images.volumes import open_volume
from convcli.jobs.axes import OperationPlan
from convcli.jobs.background import volume_on_background
from convcli.jobs.batch import Files, Outcome, unkept
from convcli.jobs.output_policy import output_policy, stored
from convcli.jobs.tasks import STREAM, Task
from convcli.ops.arguments import Array
from convcli.ops.borders import runs_in
from convcli.ops.scratch import lent
from convcli.ops.words import new_array
from convcli.stores import is_hdf5_name, is_store

# Called with the planes done and all planes.
Progress = Callable[[int, int], None]

# The least and the largest number of each volume of a file, by the number of its first plane.
Between = dict[int, tuple[float, float]]

# Of a result: a run along each axis.
Ranges = tuple[range, ...]

# For the planes of a slab, with those it is made from; what lies between may take a few times as much.
SLAB_BYTES = 64 << 20
# For the planes of a region that are made at once: what lies in the processor's caches is not read again from memory.
STEP_BYTES = 16 << 20


@dataclass(frozen=True)
class Reading:
    """What is read of a file of planes: its ``axes`` as the user says them, and perhaps one channel or moment."""

    axes: str = "zyx"
    channel: int | None = None
    time: int | None = None

    def open(self, path: str, **words: Any) -> Volume:
        """What is read of a file; ``words`` are further ones of `open_volume`."""
        chosen = {"channel": self.channel, "time": self.time}
        wanted = "".join(name[0].upper() for name, index in chosen.items() if index is not None)
        if is_store(path) or is_hdf5_name(path):
            from convcli.stores.hdf5 import open_hdf5
            from convcli.stores.reading import open_stored_volume

            words.pop("alpha_fix", None)
            opens = open_stored_volume if is_store(path) else open_hdf5
            volume = opens(path, axes=self.axes, wanted=wanted, **words)
        else:
            volume = open_volume(path, axes=self.axes, wanted=wanted, **words)
        try:
            return volume.chosen(**chosen)
        except ImageError:
            volume.close()
            raise


class Work(ABC):
    """An operation on an open file of planes: what will come out is known.

    Attributes
    ----------
    shape : tuple of int
        (OD, OH, OW, C) of the result.
    leading : tuple of (str, int)
        The axes along which its planes lie.
    dtype : numpy.dtype
        Of the result.
    places : tuple of Placement
        Where the result's voxels lie among the input's, along z, y, x.
    has_alpha : bool
        Whether the last channel of its planes is alpha.
    """

    shape: tuple[int, int, int, int]
    leading: Axes
    dtype: Any
    places: tuple[Placement, ...]
    has_alpha = False

    @abstractmethod
    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""

    @property
    @abstractmethod
    def cuttable(self) -> str | None:
        """Why `region` cannot be asked for any region but whole planes; None if it can."""

    @abstractmethod
    def region(self, ranges: Ranges, then: Callable[[], None] = lambda: None) -> Array:
        """A part of the result of one channel, along its leading axes, rows and columns; the bits are the whole's.

        ``then`` is called once the input is read, while most is still to be done.
        """

    @abstractmethod
    def ahead(self, ranges: Ranges) -> None:
        """Begin to read what a region needs that will be asked for next, if there is room; what it is made of only."""

    @abstractmethod
    def sources(self, axis: int, wanted: range) -> Array:
        """The positions, rising, of the input's axis that a run of the result's needs; axes as those of `region`."""

    clipped: float = 0.0
    between: Between | None = None  # what `stretch` was told
    wants_extremes = False  # whether `stretch` has to be told, before any region is asked for, what `extremes` finds

    def extremes(self, ranges: Ranges) -> Between:
        """The least and the largest number of a part of the result before it is stretched to what is written."""
        return {}

    def stretch(self, between: Between) -> None:
        """Take note of what is black and what white."""
        self.between = between

    def working_bytes(self, ranges: Ranges) -> int:
        """About how much memory it takes to make a region, besides the result's."""
        return 0

    def said(self) -> Any:
        """What `report` has to know of the regions since this was asked before; may be sent to other processes."""
        said, self.clipped = self.clipped, 0.0
        return said

    def hear(self, said: Any) -> None:
        """Take note of what the same work in another process, or another of the same, has `said`."""
        self.clipped += said

    @abstractmethod
    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""


def without_alpha(volume: Volume, plan: OperationPlan) -> Volume:
    """The volume on the plan's background; raises `ImageError` when it has alpha that is not dropped."""
    volume = volume_on_background(volume, plan.background)
    if volume.has_alpha and plan.alpha_fix is not None:
        raise ImageError(f"{volume.name}: {with_alpha(plan.alpha_fix)}")
    return volume


class VolumeWork(Work):
    """An operation on one open volume, of which nothing is read yet.

    Attributes
    ----------
    clipped : float
        Numbers that lay outside the range, once the planes have been taken.
    arrays : float
        A slab takes so many of its size.
    """

    arrays: float = 1

    def __init__(self, volume: Volume, plan: OperationPlan, format: str | None, **policy: Any) -> None:
        """``format`` is written, which limits the depth; ``policy`` holds further words of `output_policy`.

        Raises `ConvcliError` when the volume has alpha that is not dropped, or the format cannot hold the result.
        """
        volume = without_alpha(volume, plan)
        self.volume, self.name = volume, plan.name
        self.channels = volume.shape[3] - volume.has_alpha
        sample = Image(np.zeros((1, 1, 1), volume.dtype), numbers=volume.numbers)
        self.policy = output_policy(sample, format, plan.depth, **policy)
        self.policy.check(1, False)
        self.dtype = self.policy.dtype
        self.shape = (*volume.shape[:3], self.channels)
        self.places = (Placement(),) * 3
        self._held: tuple[tuple[Array, ...], Array] | None = None

    @property
    def whole(self) -> tuple[range, range]:
        """All rows and columns of the result."""
        return range(self.shape[1]), range(self.shape[2])

    @property
    def leading(self) -> Axes:  # type: ignore[override]
        """A volume's planes lie along one axis."""
        return ((self.volume.leading[0][0], self.shape[0]),)

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        share = self.clipped_share
        clipping = self.policy.clipping_warning(share, has_range=False)
        return (*self.policy.warnings, *clipping), {"operation": self.name, "clipped": round(share, 6)}

    @property
    def clipped_share(self) -> float:
        """Of the result's numbers, 0..1."""
        return self.clipped / int(np.prod(self.shape, dtype=object))

    def read(self, planes: Array, rows: Array | None = None, columns: Array | None = None) -> Array:
        """Planes (n, H, W, C) of the volume, or some rows and columns of them; alpha left out."""
        if rows is None or columns is None:
            return np.ascontiguousarray(self.volume.planes(planes)[..., : self.channels])
        if self._held is None:
            found = self.volume.box(planes, tuple(runs_in(rows)), tuple(runs_in(columns)))
            return np.ascontiguousarray(found[..., : self.channels])
        wanted, found = self._held
        for axis, (all_, each) in enumerate(zip(wanted, (planes, rows, columns), strict=True)):
            found = taken(found, tuple(runs_in(np.searchsorted(all_, each))), axis)
        return np.ascontiguousarray(found)

    @abstractmethod
    def box(self, planes: range, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written; counts what is clipped."""

    def planes_at_once(self, rows: range, columns: range) -> int:
        """Of so many planes of a region the sums are in memory at a time."""
        plane = len(rows) * len(columns) * max(int(self.volume.dtype.itemsize), int(np.dtype(self.dtype).itemsize))
        return max(min(STEP_BYTES, memory_limit() // 8) // plane, 1)

    @property
    def cuttable(self) -> str | None:
        """See `Work.cuttable`."""
        return None

    def region(self, ranges: Ranges, then: Callable[[], None] = lambda: None) -> Array:
        """See `Work.region`: a few planes at a time are made, of what they need of the input, which is read once."""
        planes, rows, columns = ranges
        self.ahead(ranges)
        out: Array | None = None
        for run in self.runs(ranges):
            if run.start == planes.start:
                then()
                out = None if len(run) == len(planes) else new_array(tuple(map(len, ranges)), np.dtype(self.dtype))
            part = None if out is None else out[run.start - planes.start : run.stop - planes.start]
            with lent(part):
                made = self.box(run, rows, columns)[..., 0]
            if part is None:
                # What is only a view of the input would be overwritten while it is written.
                return made.copy() if self._held and np.may_share_memory(made, self._held[1]) else made
            if _place(made) != _place(part):
                part[...] = made
        assert out is not None
        return out

    def ahead(self, ranges: Ranges) -> None:
        """See `Work.ahead`."""
        if self._reads_ahead(ranges):
            planes, rows, columns = (self.sources(axis, run) for axis, run in enumerate(ranges))
            self.volume.ahead(planes, tuple(runs_in(rows)), tuple(runs_in(columns)))

    def _reads_ahead(self, ranges: Ranges) -> bool:
        """Whether there is room for what is read next."""
        return self.volume.has_room_ahead(*self._extent(ranges))

    def _extent(self, ranges: Ranges) -> tuple[int, ...]:
        """How many planes, rows and columns of the input a region needs."""
        return tuple(len(self.sources(axis, each)) for axis, each in enumerate(ranges))

    def runs(self, ranges: Ranges) -> Iterator[range]:
        """The planes of a region a few at a time, while all that these need of the input is held."""
        planes, rows, columns = ranges
        across = self.sources(1, rows), self.sources(2, columns)
        step = self.planes_at_once(rows, columns)
        for first in range(planes.start, planes.stop, step):
            run = range(first, min(first + step, planes.stop))
            wanted = self.sources(0, run), *across
            try:
                self._held = wanted, self.read(*wanted)
                yield run
            finally:
                self._held = None

    def working_bytes(self, ranges: Ranges) -> int:
        """See `Work.working_bytes`: what a reader holds, also ahead, and the planes made at once with their source."""
        planes, rows, columns = ranges
        step = min(self.planes_at_once(rows, columns), len(planes))
        if self._reads_ahead(ranges):
            return 2 * self.volume.window_bytes(*self._extent(ranges)) + self.sums_bytes(step, rows, columns)
        middle = (planes.start + planes.stop - step) // 2
        return self._bytes_at_once((range(middle, middle + step), rows, columns))

    def _bytes_at_once(self, ranges: Ranges) -> int:
        count, height, width = self._extent(ranges)
        layer, depth, item = self.volume.chunk[0], self.volume.shape[0], self.volume.dtype.itemsize
        held = min((-(-count // layer) + 1) * layer, depth) if layer > 1 else count * self.volume.copies
        source = int((held + count) * height * width * self.volume.shape[3] * item)
        planes, rows, columns = ranges
        return source + self.sums_bytes(len(planes), rows, columns)

    def fitting(self, planes: int) -> int:
        """As many planes of a slab, or fewer, as may be in memory with all that they take.

        Raises `ImageError` where one is too many.
        """

        def needed(count: int) -> int:
            first = (self.shape[0] - count) // 2
            return self._bytes_at_once((range(first, first + count), *self.whole)) * self.volume.beside

        if needed(planes) > memory_limit():
            planes = max(bisect_right(range(1, planes), memory_limit(), key=needed), 1)
            height, width = self.volume.shape[1:3]
            check_memory(needed(planes), f"{self.volume.name}: got planes of {width}x{height} voxels", ImageError)
        return planes

    def sums_bytes(self, planes: int, rows: range, columns: range) -> int:
        """About how much the planes take that are made at once, with what lies between them and their source."""
        sizes = sum(int(np.dtype(each).itemsize) for each in (self.volume.dtype, self.policy.working, self.dtype))
        return planes * len(rows) * len(columns) * self.channels * sizes

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        plane_bytes = int(np.prod(self.volume.shape[1:], dtype=object)) * self.volume.dtype.itemsize
        planes_each, depth = max(SLAB_BYTES // int(plane_bytes * self.arrays) // self.volume.beside, 1), self.shape[0]
        planes_each = self.fitting(min(planes_each, depth))
        self.clipped = 0
        for first in range(0, depth, planes_each):
            end = min(first + planes_each, depth)
            yield from self.box(range(first, end), *self.whole)
            progress(end, depth)

    def emit(self, slab: Array) -> Array:
        """The planes of a result in input units as they are written."""
        pixels, clipped = stored(slab, self.policy)
        self.clipped += clipped
        return pixels


def _place(array: Array) -> tuple[Any, ...]:
    """Where an array lies, and how: two of the same are one."""
    return array.ctypes.data, array.strides, array.dtype


@dataclass(frozen=True)
class Input:
    """How a task's planes are come by: what is read of its file, or of the pictures of a ``stack``.

    ``alpha_fix`` is the operation's: what is said of a volume with alpha. ``order`` holds the letters of axes in the
    order that the target has them.
    """

    reading: Reading
    stack: tuple[str, ...] = ()
    alpha_fix: str | None = None
    order: str = ""

    def open(self, task: Task, max_pixels: int) -> Volume:
        """What a task is about, none of it read yet."""
        volume = self._open(task, max_pixels)
        return volume.in_order(self.order) if self.order else volume

    def _open(self, task: Task, max_pixels: int) -> Volume:
        if not self.stack:
            return self.reading.open(task.source, max_pixels=max_pixels, alpha_fix=self.alpha_fix)
        from convcli.images.volume_frames import open_sequence

        target = Path(task.target).resolve()
        if any(Path(each).resolve() == target for each in self.stack):
            raise ImageError(f"{task.target}: is also an input; choose another name with -o")
        volume = open_sequence(self.stack, max_pixels=max_pixels)
        axes, _ = named(((UNNAMED, volume.shape[0]),), self.reading.axes)
        return replace(volume, axes=axes).chosen(channel=self.reading.channel, time=self.reading.time)


def work_on_volume(
    task: Task,
    files: Files,
    begin: Callable[[Volume, str], Work],
    source: Input,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Carry out an operation on one task's volume.

    ``begin`` brings an open file and the format to be written together with the operation.
    """
    from convcli.images.animation_writing import ANIMATED
    from convcli.images.nifti import ORDER as NIFTI_ORDER
    from convcli.images.volume_writing import check_volume_format, write_volume

    check_files(task)
    format = format_named(files.format) if files.format else format_of(task.target)
    # Frames may keep alpha where they become frames again; who works on them as a volume refuses it.
    source = replace(source, alpha_fix=None) if format in ANIMATED else source
    source = replace(source, order=NIFTI_ORDER) if format == "NIFTI" else source
    with source.open(task, files.max_pixels) as volume:
        work = begin(volume, format)
        channels = work.shape[3]
        has_frames = bool(source.stack) or volume.metadata.format in ANIMATED
        check_volume_format(format, channels - work.has_alpha, has_frames=has_frames)
        lost = write_volume(
            work.planes(progress),
            Path(task.target),
            work.shape,
            work.dtype,
            replace(volume.metadata.strided([place.step for place in work.places]), places=work.places),
            format=format,
            axes=work.leading,
            has_alpha=work.has_alpha,
            has_channels=volume.has_channels and (channels > 1 or volume.metadata.format == "NPY"),
            overwrite=files.overwrite,
            strip=files.strip,
            keep_profile=files.keep_profile,
            compression=files.compression,
            quality=files.quality,
        )
    warnings, details = work.report()
    shape = (*(size for _, size in work.leading), *work.shape[1:][: 2 + (channels > 1)])
    return Outcome(task, "done", "", (*volume.warnings, *warnings, *unkept(lost)), shape, work.dtype.name, details)


def check_files(task: Task) -> None:
    """Refuse streams; raises `ImageError`."""
    if STREAM in (task.source, task.target):
        raise ImageError("a volume is read and written piece by piece: expected files, not standard input or output")
