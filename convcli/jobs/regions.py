"""A volume in blocks: each a part of the result that is whole chunks, made from what it needs of the source alone.

A block reads its part of the input with the halo around it straight from the store, so no block waits for another, and
any of them may be done anywhere, in any order, and again.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeVar

import numpy as np

from convcli.geometry.blocks import Grid, amplification
from convcli.images.volume_axes import Axes
from convcli.images.volume_model import Volume
from convcli.jobs.stacks import Begin
from convcli.jobs.tasks import Task
from convcli.jobs.volumes import Work
from convcli.stores.growing import open_region_target, write_region
from convcli.stores.reading import open_level

T = TypeVar("T")
FORMAT = "NPY"  # what a chunk can hold, in the words of `output_policy`
_KEPT_OPEN = 2  # plans whose source and target a process has open
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
    """

    name: str
    task: Task
    source: Opens
    begin: Begin
    max_pixels: int
    folder: str
    path: str
    grid: Grid


@dataclass(frozen=True)
class _Opened:
    volume: Volume
    work: Work
    array: Any

    @classmethod
    def of(cls, plan: RegionPlan) -> "_Opened":
        volume = plan.source.open(plan.task, plan.max_pixels)
        try:
            return cls(volume, plan.begin(volume, FORMAT), open_region_target(plan.folder, plan.path))
        except BaseException:
            volume.close()
            raise


_OPENED: dict[str, _Opened] = {}


def run_block(plan: RegionPlan, index: int) -> Any:
    """Make a block and write it; returns what the operation's report needs to know of it."""
    with _LOOPS:
        opened = _OPENED.get(plan.name)
        if opened is None:
            while len(_OPENED) >= _KEPT_OPEN:
                _OPENED.pop(next(iter(_OPENED))).volume.close()
            opened = _OPENED[plan.name] = _Opened.of(plan)
        ranges = plan.grid.ranges(index)
        voxels = opened.work.region(tuple(along_work(ranges, opened.work.leading, range(1))))
    write_region(opened.array, ranges, voxels)
    return opened.work.said()


def forget(plan: RegionPlan) -> None:
    """Close what this process has open of a plan."""
    opened = _OPENED.pop(plan.name, None)
    if opened is not None:
        opened.volume.close()


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


def costs_of(work: Work, volume: Volume, grid: Grid, chunks: tuple[int, ...]) -> Costs:
    """What the blocks of a grid cost, from the positions that each needs; nothing is read."""
    size, item = volume.dtype.itemsize, np.dtype(work.dtype).itemsize
    runs = along_work([grid.along(axis) for axis in range(len(grid.shape))], work.leading, [range(1)])
    needs = [[work.sources(axis, run) for run in along] for axis, along in enumerate(runs)]
    read, decoded = amplification(grid, needs, (1,) * (len(needs) - len(chunks)) + tuple(chunks))
    held = prod(max(map(len, along)) for along in needs)
    voxels, written = prod(grid.block), prod(grid.shape) * item
    memory = held * size + voxels * item + work.working_bytes(voxels)
    return Costs(len(grid), grid.block, prod(volume.shape) * size, written, read * size, decoded * size, memory)
