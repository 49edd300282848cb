"""Blocks of an array: how it is cut into boxes that are worked on one by one, and what reading them costs."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

# Of a block, as it is read and as it is written; sums take 128 MiB more. Measured on 512^3 of float32 in chunks of
# 64^3, blocks of 64 / 128 / 256 a side took 19.5 / 5.6 / 3.3 s: the chunks of halos are read again by each block.
_BYTES = 256 << 20
PIECE_BYTES = 32 << 20  # of a block, that are made and written at a time
_ROWS_BYTES = 48 << 20  # of one of whole rows: two layers of 1280 x 64 x 64 of float32
_SPACE = 3  # axes
BLOCKS_EACH = 4  # for each of several workers, so that the last of them end together


def voxels_of_block(shape: Sequence[int], itemsize: int, workers: int = 1, *, rows_first: bool = False) -> int:
    """How many voxels of so many bytes a block should have, where so many workers wait for some.

    With ``rows_first`` they are those of a piece, which is as deep as a chunk: see `deepened`.
    """
    most = _BYTES // (2 * itemsize)
    if workers < 2:
        return most
    most = min(most, prod(shape) // (BLOCKS_EACH * workers))
    return max(min(most, _ROWS_BYTES // itemsize) if rows_first else most, 1)


@dataclass(frozen=True)
class Grid:
    """An array cut into blocks of one size, the last along each axis perhaps smaller.

    >>> grid = Grid((5, 4), (2, 4))
    >>> len(grid), grid.ranges(2)
    (3, (range(4, 5), range(0, 4)))
    """

    shape: tuple[int, ...]
    block: tuple[int, ...]
    step: tuple[int, ...] = (1,)

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.block, strict=True))

    def __len__(self) -> int:
        return prod(self.counts)

    def ranges(self, index: int) -> tuple[range, ...]:
        """The box of a block, counted from 0, the last axis the fastest."""
        found = []
        for n, size, count in zip(self.shape[::-1], self.block[::-1], self.counts[::-1], strict=True):
            index, at = divmod(index, count)
            found.append(range(at * size, min((at + 1) * size, n)))
        return tuple(found[::-1])

    def along(self, axis: int) -> list[range]:
        """The runs into which an axis is cut."""
        n, size = self.shape[axis], self.block[axis]
        return [range(first, min(first + size, n)) for first in range(0, n, size)]

    def by_columns(self, blocks: Iterable[int]) -> list[int]:
        """Blocks in another order: those one behind the other along depth, the last axis but two, follow each other."""
        if len(self.shape) < _SPACE:
            return list(blocks)
        counts = self.counts
        across = counts[-1] * counts[-2]
        return sorted(blocks, key=lambda index: (index // (across * counts[-3]), index % across, index))


def pieces_of(ranges: tuple[range, ...], planes: int) -> list[tuple[range, ...]]:
    """A box cut along depth, the last axis but two, into boxes of so many planes; uncut by 0, or without depth.

    >>> pieces_of((range(4, 9), range(2), range(3)), 3)
    [(range(4, 7), range(0, 2), range(0, 3)), (range(7, 9), range(0, 2), range(0, 3))]
    """
    if len(ranges) < _SPACE or not planes:
        return [ranges]
    *before, depth, rows, columns = ranges
    runs = (range(first, min(first + planes, depth.stop)) for first in range(depth.start, depth.stop, planes))
    return [(*before, run, rows, columns) for run in runs]


def share_of(count: int, part: int, parts: int) -> range:
    """Which of ``count`` blocks are the ``part``-th of ``parts`` shares, counted from 1: a run of neighbours."""
    return range(count * (part - 1) // parts, count * part // parts)


def planes_at_once(block: Sequence[int], step: Sequence[int], voxels: int) -> int:
    """How many planes of a block have about so many voxels: whole chunks along depth; 0 for what has no depth."""
    if len(block) < _SPACE:
        return 0
    least = step[-3]
    return max(voxels // (prod(block) // block[-3]) // least, 1) * least


def deepened(shape: Sequence[int], block: Sequence[int], count: int) -> tuple[int, ...]:
    """Blocks that reach so far along depth that at least ``count`` of them are left: they are worked on in pieces.

    >>> deepened((512, 512, 512), (64, 256, 256), 8)
    (256, 256, 256)
    """
    sides = tuple(block)
    if len(sides) < _SPACE:
        return sides
    while sides[-3] < shape[-3]:
        longer = (*sides[:-3], min(2 * sides[-3], -(-shape[-3] // block[-3]) * block[-3]), *sides[-2:])
        if len(Grid(tuple(shape), longer)) < count:
            break
        sides = longer
    return (*sides[:-3], _even(shape[-3], sides[-3], block[-3]), *sides[-2:])


def choose_block(
    shape: Sequence[int],
    step: Sequence[int],
    *,
    whole: int = 0,
    voxels: int = 256**3,
    wanted: Sequence[int] = (),
    planes_first: bool = False,
    rows_first: bool = False,
) -> tuple[int, ...]:
    """The sides of blocks: whole multiples of ``step``, what a target writes whole.

    The last three axes (of ``whole`` of them, counted from the last, the whole) grow together until a block has about
    ``voxels``; at least two steps a side, unless these have more than four times as many. With ``planes_first`` they
    grow along depth only when they are whole planes, with ``rows_first`` along one axis when the next is whole.
    ``wanted`` are sides to be rounded up instead.

    >>> choose_block((512, 512, 512), (64, 64, 64)), choose_block((9, 512, 512, 512), (1, 64, 64, 64), whole=2)
    ((256, 256, 256), (1, 64, 512, 512))
    >>> choose_block((1280, 1280, 1280), (64, 64, 64), voxels=1 << 25, rows_first=True)
    (64, 384, 1280)
    """
    axes = len(shape)
    cut = range(max(axes - 3, 0), axes - whole)
    sides = [min(size, _up(n, size)) for n, size in zip(shape, step, strict=True)]
    sides[axes - whole :] = shape[axes - whole :]
    if wanted:
        given = (*(1,) * (axes - len(wanted)), *wanted)
        return tuple(
            n if axis >= axes - whole else min(_up(side, size), _up(n, size))
            for axis, (n, size, side) in enumerate(zip(shape, step, given, strict=True))
        )
    for axis in cut[-2:] if planes_first or rows_first else cut:
        doubled = min(2 * step[axis], _up(shape[axis], step[axis]))
        if whole == 0 and prod(sides) // sides[axis] * doubled <= 4 * voxels:
            sides[axis] = doubled
    while True:
        open_ = [axis for axis in cut if sides[axis] < shape[axis]]
        grown = [axis for axis in open_ if prod(sides) // sides[axis] * (sides[axis] + step[axis]) <= voxels]
        if not grown:
            return tuple(_even(n, side, size) for n, side, size in zip(shape, sides, step, strict=True))
        # Otherwise the shortest side first: cubes have the least halo.
        axis = min(grown, key=lambda at: (planes_first and at == axes - 3, -at if rows_first else sides[at], at))
        sides[axis] += step[axis]


class Positions(Protocol):
    """Whole numbers that rise: a list, or an array."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, at: Any, /) -> Any:
        """One of them."""


def touched(positions: Positions, chunk: int) -> int:
    """How many chunks hold some of the positions, which rise; found by looking for the next chunk, not at each."""
    count, at = 0, 0
    while at < len(positions):
        count += 1
        at = bisect_left(positions, (int(positions[at]) // chunk + 1) * chunk, at)
    return count


def amplification(grid: Grid, needs: Iterable[Iterable[Positions]], chunks: Sequence[int]) -> tuple[int, int]:
    """Numbers read and numbers decoded by all blocks: of each axis ``needs`` are the source positions of each run.

    What a block reads is the product of what it needs along each axis, so the sum over all blocks is a product too.
    """
    read = decoded = 1
    for runs, chunk in zip(needs, chunks, strict=True):
        lengths, chunk_counts = 0, 0
        for positions in runs:
            lengths += len(positions)
            chunk_counts += touched(positions, chunk)
        read, decoded = read * lengths, decoded * chunk_counts * chunk
    return read, decoded


def _even(n: int, side: int, step: int) -> int:
    """The shortest side that cuts an axis into no more blocks: so they are about as long."""
    return _up(-(-n // -(-n // side)), step) if side < n else side


def _up(n: int, step: int) -> int:
    return -(-n // step) * step
