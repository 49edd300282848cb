"""A volume in blocks: each a part of the result that is whole chunks, made from what it needs of the source alone.

A block reads its part of the input with the halo around it straight from the store, so no block waits for another, and
any of them may be done anywhere, in any order, and again.
"""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np

from convcli.engines import Later
from convcli.geometry.blocks import Grid, amplification, pieces_of
from convcli.images.volume_axes import Axes
from convcli.images.volume_model import Volume
from convcli.jobs.stacks import Begin
from convcli.jobs.tasks import Task
from convcli.jobs.volumes import Between, Ranges, Work
from convcli.ops.arguments import Array
from convcli.ops.scratch import give_back
from convcli.stores.growing import open_region_target, write_region
from convcli.stores.heap import keep_heap
from convcli.stores.reading import open_level

T = TypeVar("T")
FORMAT = "NPY"  # what a chunk can hold, in the words of `output_policy`
# So many chunks are unpacked, or packed, at once, each of which lies there twice: zarr's own number of tasks.
_PACKING = 20
_KEPT_OPEN = 1  # plan, whose source and target a process has open, with what it holds of them
_LOOPS = threading.Lock()  # one thread of a process at a time runs loops; they have threads of their own


class Opens(Protocol):
    """What gives the planes that blocks are made from: `convcli.jobs.volumes.Input`, or a level of what is written."""

    def open(self, task: Task, max_pixels: int) -> Volume:
        """What a task is about, none of it read yet."""


@dataclass(frozen=True)
class FinerLevel:
    """The level of an image before the one that is made."""

    folder: str
    path: str
    axes: str

    def open(self, task: Task, max_pixels: int) -> Volume:
        """Its planes, the last of its leading axes as their depth."""
        return open_level(self.folder, self.path, self.axes)


@dataclass(frozen=True)
class RegionPlan:
    """All that a process has to know to make any block of a result; may be sent to other processes.

    Attributes
    ----------
    name : str
        Of this plan among all.
    task, source, begin, max_pixels
        What is worked on, and how: see `convcli.jobs.volumes.work_on_volume`.
    folder, path : str
        The store that grows, and the array in it.
    grid : Grid
        Of that array.
    piece : int
        So many planes of a block are made and written at a time; whole chunks.
    between : tuple
        What `extremes_of` found of all blocks, where it was asked for: see `convcli.jobs.volumes.Between`.
    """

    name: str
    task: Task
    source: Opens
    begin: Begin
    max_pixels: int
    folder: str
    path: str
    grid: Grid
    piece: int = 0
    between: tuple[tuple[int, tuple[float, float]], ...] = ()


@dataclass(frozen=True)
class _Opened:
    volume: Volume
    work: Work
    array: Any
    behind: ThreadPoolExecutor  # of one thread, that packs and writes
    last: list[tuple[Future[None], Array]] = field(default_factory=list)  # the piece that was written last

    @classmethod
    def of(cls, plan: RegionPlan) -> "_Opened":
        keep_heap()
        volume = plan.source.open(plan.task, plan.max_pixels)
        try:
            work = plan.begin(volume, FORMAT)
            work.stretch(dict(plan.between))
            return cls(volume, work, open_region_target(plan.folder, plan.path), ThreadPoolExecutor(1))
        except BaseException:
            volume.close()
            raise

    def along(self, ranges: Ranges) -> Ranges:
        """A box of the array by the axes of the work."""
        return tuple(along_work(ranges, self.work.leading, range(1)))

    def write(self, ranges: Ranges, voxels: Array) -> Future[None]:
        """Begin to write a piece, once the one before is written, in whose memory the next may be made."""
        for before, made in self.last:
            wait([before])
            give_back(made)
        writing = self.behind.submit(_write, self.array, ranges, voxels)
        self.last[:] = [(writing, voxels)]
        return writing

    def close(self) -> None:
        """Wait for what is being written, and read."""
        self.behind.shutdown()
        self.volume.close()
        give_back(None)


class RefusedError(OSError):
    """What the system says of the store that is written, not of what is read."""


def _write(array: Any, ranges: Ranges, voxels: Array) -> None:
    try:
        write_region(array, ranges, voxels)
    except OSError as error:
        raise RefusedError(error.errno, error.strerror or str(error)) from error


_OPENED: dict[str, _Opened] = {}


def _opened(plan: RegionPlan) -> _Opened:
    """What this process has open of a plan, one thread at a time."""
    if plan.name not in _OPENED:
        while len(_OPENED) >= _KEPT_OPEN:
            _OPENED.pop(next(iter(_OPENED))).close()
        _OPENED[plan.name] = _Opened.of(plan)
    return _OPENED[plan.name]


def extremes_of(plan: RegionPlan, index: int) -> Between:
    """The least and the largest number of a block, which others have to know before it is made."""
    with _LOOPS:
        work = _opened(plan).work
        return work.extremes(tuple(along_work(plan.grid.ranges(index), work.leading, range(1))))


def run_block(plan: RegionPlan, index: int, after: Mapping[int, int] | None = None) -> Any:
    """Make a block and write it; returns what the operation's report needs to know of it.

    While a piece of it is made, the one before is written and what the next needs is read. Where it is said which block
    comes ``after`` which, this goes on from one to the next, and the last piece is still being written: see `Later`.
    """
    with _LOOPS:
        opened = _opened(plan)
        opened.work.said()  # of an attempt that failed: its block is made anew
        pieces = pieces_of(plan.grid.ranges(index), plan.piece)
        follows = pieces_of(plan.grid.ranges(after[index]), plan.piece)[:1] if after and index in after else []
        writing: Future[None] | None = None
        for ranges, then in zip_longest(pieces, [*pieces[1:], *follows]):
            read_next = partial(opened.work.ahead, opened.along(then)) if then else lambda: None
            voxels = opened.work.region(opened.along(ranges), read_next)
            if writing is not None:
                writing.result()
            writing = opened.write(ranges, voxels)
        said = opened.work.said()

    def end() -> Any:
        if writing is not None:
            writing.result()
        return said

    return end() if after is None else Later(end)


def forget(plan: RegionPlan) -> None:
    """Close what this process has open of a plan."""
    opened = _OPENED.pop(plan.name, None)
    if opened is not None:
        opened.close()


def along_work(ranges: Sequence[T], leading: Axes, one: T) -> list[T]:
    """What belongs to the axes of an array, by those of a work, whose leading axes of one cell the array may lack.

    Those get ``one``. It does not matter which of several axes of one cell is lacking.
    """
    missing, given, found = len(leading) + 2 - len(ranges), iter(ranges), []
    for _, size in leading:
        is_lacking = size == 1 and missing > 0
        missing -= is_lacking
        found.append(one if is_lacking else next(given))
    return [*found, *given]


@dataclass(frozen=True)
class Costs:
    """What the blocks of one array cost.

    Attributes
    ----------
    blocks : int
        How many there are.
    block : tuple of int
        Their sides.
    source, written : int
        Bytes of the input and of the result, as numbers.
    read, decoded : int
        Bytes of the input that blocks read, halos included, and that are in the chunks which hold them.
    memory : int
        About what one block takes at its most, in bytes.
    """

    blocks: int
    block: tuple[int, ...]
    source: int
    written: int
    read: int
    decoded: int
    memory: int

    @property
    def amplification(self) -> float:
        """How often each number of the input is decoded."""
        return self.decoded / self.source


def costs_of(work: Work, volume: Volume, grid: Grid, chunks: tuple[int, ...], *, piece: int = 0) -> Costs:
    """What the blocks of a grid cost, from the positions that each needs; nothing is read."""
    size, item = volume.dtype.itemsize, np.dtype(work.dtype).itemsize
    runs = along_work([grid.along(axis) for axis in range(len(grid.shape))], work.leading, [range(1)])
    needs = [[work.sources(axis, run) for run in along] for axis, along in enumerate(runs)]
    read, decoded = amplification(grid, needs, (1,) * (len(needs) - len(chunks)) + tuple(chunks))
    pieces = pieces_of(grid.ranges(0), piece)
    ranges = pieces[0]
    working = work.working_bytes(tuple(along_work(ranges, work.leading, range(1))))
    packing = _PACKING * (prod(chunks) * size + prod(grid.step) * item)
    memory = min(len(grid) * len(pieces), 2) * prod(map(len, ranges)) * item + working + packing
    written = prod(grid.shape) * item
    return Costs(len(grid), grid.block, prod(volume.shape) * size, written, read * size, decoded * size, memory)
