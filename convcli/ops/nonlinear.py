"""Filters that are no sums of products: ranks of windows, means of what looks alike. On stacks, arguments checked.

A window is what a kernel's plane spans; all of these move by single steps, and a stride leaves results out afterwards.
What has alpha brings it as a last channel from 0 to 1: see ``covered``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import Window
from convcli.kernels import Kernel
from convcli.loops.costs import (
    EXTREME_CELLS,
    LOOK_BAND,
    LOOK_KEPT_BYTES,
    LOOK_LEAST,
    LOOK_PAIRS_BAND,
    LOOK_PAIRS_TILE,
    LOOK_TILE,
    NETWORK_BYTES,
    NETWORK_CELL_BYTES,
    NETWORK_CELLS,
    SORTED_SIDE,
)
from convcli.loops.filtering.networks import rank_network
from convcli.ops.arguments import Array, in_type
from convcli.ops.ordering import as_keys
from convcli.ops.sums import Border, Store
from convcli.ops.words import new_array, read_only

if TYPE_CHECKING:
    from convcli.loops.filtering.blocks import Decay, Frame


@dataclass(frozen=True)
class _Look:
    """Where the windows of a kernel lie on a stack (N, D, H, W, C), and where what comes out goes."""

    source: Array
    windows: tuple[Window, ...]
    border: Border
    covered: bool = False

    @property
    def channels(self) -> int:
        """Of the result."""
        return int(self.source.shape[4]) - self.covered

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells of a window along each axis."""
        return tuple(window.kernel_size for window in self.windows)

    @property
    def tables(self) -> tuple[Array, ...]:
        """The border's tables of the three axes."""
        return tuple(
            self.border.table(axis, self.source.shape[axis + 1], each) for axis, each in enumerate(self.windows)
        )

    def new_out(self, dtype: Any) -> Array:
        """A new result (N, OD, OH, OW*C), every row and column of it."""
        depth, height, width = (len(table) for table in self.tables)
        kernel_z, kernel_y, kernel_x = self.sizes
        planes = (depth - kernel_z) // self.windows[0].stride + 1
        width = (width - kernel_x + 1) * self.channels
        return new_array((self.source.shape[0], planes, height - kernel_y + 1, width), np.dtype(dtype))

    def frame(self, tile: int, band: int) -> "Frame":
        """How the work is cut."""
        from convcli.loops.filtering.blocks import Frame

        (depth, _, across), (planes, rows, columns) = self.windows, self.sizes
        return Frame(self.channels, depth.stride, planes, rows, columns, across.before, tile, band)

    def strided(self, out: Array) -> Array:
        """What the strides leave of a result, as (N, OD, OH, OW, C)."""
        whole = out.reshape(*out.shape[:3], -1, self.channels)
        return np.ascontiguousarray(whole[:, :, :: self.windows[1].stride, :: self.windows[2].stride])


def respond_otherwise(
    stack: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border, dtype: Any, white: float,
    *, covered: bool = False,
) -> Array:  # fmt: skip
    """The response (N, OD, OH, OW, C) of a kernel that is not linear; arguments are already checked.

    It is in the float ``dtype``; that of a rank, which only chooses, in the stack's own. ``white`` is what 255 stands
    for in the kernel's parameters. With ``covered`` the last channel weighs the others and is none of the result's.
    """
    look = _Look(stack, (Window(1),) * (3 - len(windows)) + tuple(windows), border, covered)
    if kernel.combine == "rank":
        return ranks(look, rank_of(kernel))
    return _WAYS[kernel.combine](look, kernel, dtype, white / 255)


def ranks_of_seen(stack: Array, hidden: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border) -> Array:
    """Ranks among the pixels of a stack (N, 1, H, W, C) that are not ``hidden`` (N, 1, H, W); of none 0."""
    return _ranks(_Look(stack, (Window(1), *windows), border), rank_of(kernel), hidden)


def rank_of(kernel: Kernel) -> int:
    """Which of a window's values a kernel chooses, from 0 for the smallest."""
    cells = kernel.planes[0].size
    words: dict[str, Any] = {"min": 0, "max": cells - 1, "median": (cells - 1) // 2}
    name = kernel.name.removesuffix("3d")
    return int(words[name] if name in words else kernel.parameters["rank"])  # type: ignore[arg-type]


def ranks(look: _Look, rank: int) -> Array:
    """The values of a rank (N, OD, OH, OW, C) in the source's dtype; NaN where a window has one."""
    return _ranks(look, rank, np.zeros((0, 0, 0, 0), np.bool_))


def _ranks(look: _Look, rank: int, hidden: Array) -> Array:
    cells, (*lines, columns) = prod(look.sizes), look.windows
    if rank in (0, cells - 1) and not hidden.size and columns.kernel_size not in (1, cells):
        # The largest of a window is that of its rows' largest: two passes, whose cost grows with the sides.
        down = _ranks(replace(look, windows=(*lines, Window(1))), min(rank, prod(look.sizes[:2]) - 1), hidden)
        across = _Look(down, (Window(1), Window(1), columns), replace(look.border, planes=None))
        return _ranks(across, min(rank, columns.kernel_size - 1), hidden)
    keys, restore = as_keys(look.source)
    border = look.border
    fill = as_keys(np.full(1, _in_range(look.source.dtype, border.constant), look.source.dtype))[0][0]
    out = look.new_out(keys.dtype)
    _run_ranks(look, keys, rank, fill, hidden, out)
    result = restore(look.strided(out))
    if look.source.dtype.kind != "f" or not np.isnan(look.source.min() + border.constant):
        return result
    nothing = np.isnan(look.source)
    missing = _Look(
        nothing.astype(np.uint8), look.windows, Border(border.name, np.isnan(border.constant), border.planes)
    )
    there = missing.new_out(np.uint8)
    _run_ranks(
        missing,
        missing.source,
        prod(look.sizes) - 1,
        np.uint8(missing.border.constant),
        np.zeros((0, 0, 0, 0), np.bool_),
        there,
    )
    result[missing.strided(there) > 0] = np.nan
    return result


def _run_ranks(look: _Look, keys: Array, rank: int, fill: Any, hidden: Array, out: Array) -> None:
    """Fill ``out`` with the ranks of ``keys`` by the way that is fastest for them."""
    from convcli.loops.filtering import ranks as loops

    rows, tables = read_only(keys.reshape(*keys.shape[:3], -1)), look.tables
    lines, columns = look.sizes[0] * look.sizes[1], look.sizes[2]
    cells, size = lines * columns, keys.dtype.itemsize
    height, width = out.shape[2], out.shape[3] // look.channels
    most = NETWORK_CELLS if size == 1 and look.sizes[0] == 1 else NETWORK_CELL_BYTES // size
    if not hidden.size and (cells <= most or (rank in (0, cells - 1) and cells <= EXTREME_CELLS)):
        numbers = max(NETWORK_BYTES // (cells * size) // loops.ROW, 1) * loops.ROW
        frame = look.frame(min(max(numbers // look.channels, 1), width), 64)
        first, across, wanted = rank_network(lines, columns, rank)
        is_median = look.sizes[0] == 1 and lines == columns and rank == cells // 2
        usual = columns if is_median and columns in (3, 5) else 0
        loops.by_network(rows, tables, frame, fill, first, across, wanted, usual, out)
    elif not hidden.size and size == 1 and look.sizes[0] == 1:
        # A block begins with the rows of a whole window.
        frame = look.frame(min(max(512, 2 * columns), width), max(128, 3 * lines))
        loops.by_histogram(rows, tables, frame, rank, fill, out)
    else:
        frame = look.frame(min(max(SORTED_SIDE, columns), width), min(max(SORTED_SIDE, look.sizes[1]), height))
        loops.by_sorting(rows, read_only(hidden), tables, frame, rank, fill, out)


def _in_range(dtype: np.dtype[Any], value: float) -> Any:
    """A border's constant as a number of the dtype."""
    if dtype.kind == "f":
        return in_type(dtype, value)
    info = np.iinfo(dtype) if dtype.kind in "iu" else None
    return value if info is None else int(min(max(round(value), info.min), info.max))


def bilateral_pixels(
    stack: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border, white: float, store: Store
) -> tuple[Array, int]:
    """The response of a bilateral kernel as pixels (N, OD, OH, OW, C), and how many numbers were clipped."""
    look = _Look(stack, (Window(1),) * (3 - len(windows)) + tuple(windows), border)
    dtype = np.float64 if stack.dtype == np.float64 else np.float32
    return _bilateral_stored(look, kernel, dtype, white / 255, store)


def _bilateral(look: _Look, kernel: Kernel, dtype: Any, unit: float) -> Array:
    return _bilateral_stored(look, kernel, dtype, unit, Store(dtype))[0]


def _bilateral_stored(look: _Look, kernel: Kernel, dtype: Any, unit: float, store: Store) -> tuple[Array, int]:
    from convcli.loops.filtering.bilateral import Neighbours, bilateral
    from convcli.loops.filtering.likeness import SHARE

    weights = kernel.planes[0].reshape(look.sizes).copy()
    weights[tuple(n // 2 for n in look.sizes)] = 0  # a pixel's own weight is one
    places = np.ascontiguousarray(np.argwhere(weights > 0), np.int64)
    # Weights are exp(-SHARE * (space + difference^2)) of pixels that are multiplied by a scale.
    space = (-np.log(weights[weights > 0]) / SHARE).astype(dtype)
    unit *= _number(kernel, "sigma_color") * np.sqrt(2 * SHARE)
    out = look.new_out(store.dtype)
    kept, tile = _kept_weights(look, places, space.dtype.itemsize)
    scales = (in_type(dtype, 1 / unit), in_type(dtype, unit))
    neighbours = Neighbours(places, space, *scales, _decay(SHARE, dtype), kept)
    frame = look.frame(tile, LOOK_PAIRS_BAND if kept else LOOK_BAND)
    outside = np.zeros(frame.blocks(out.shape), np.int64)
    numbers = store.numbers(space.dtype.type, _fill(look, dtype), inside=_means_fit(look, store))
    bilateral(_rows(look), look.tables, frame, neighbours, look.covered, numbers, outside, out)
    return look.strided(out), int(outside.sum())


def _means_fit(look: _Look, store: Store) -> bool:
    """Whether means of pixels need not be clipped where they are stored."""
    pixels = look.source.dtype
    if pixels.kind != "u" or np.dtype(store.dtype) != pixels or look.covered:
        return False
    largest = int(np.iinfo(pixels).max)
    return 0 <= look.border.constant <= largest and store.low <= 0 and largest <= store.high


def _kept_weights(look: _Look, places: Array, itemsize: int) -> tuple[int, int]:
    """Of how many neighbours weights are kept, and the columns of a block, in which they should stay in the cache."""
    depth, rows, columns = look.sizes
    kept = len(places) // 2
    if depth > 1 or look.covered or look.channels not in (1, 3) or not kept:
        return 0, LOOK_TILE
    lines = int((places[-kept:, 1] - rows // 2 + 1).sum())  # a weight waits for the row of the other pixel
    # Whole groups of vectors with what hangs over.
    count = min(LOOK_KEPT_BYTES // (lines * itemsize), LOOK_PAIRS_TILE) // LOOK_LEAST * LOOK_LEAST
    tile = count - columns + 1
    return (kept, tile) if tile >= LOOK_LEAST else (0, LOOK_TILE)


def _nlmeans(look: _Look, kernel: Kernel, dtype: Any, unit: float) -> Array:
    from convcli.loops.filtering.nlmeans import nlmeans

    size, strength = int(_number(kernel, "patch")), _number(kernel, "strength") * unit
    patch = (min(size, look.sizes[1]), min(size, look.sizes[2]))  # a signal has one row
    decay = _decay(1 / (strength**2 * look.channels * prod(patch)), dtype)
    out = look.new_out(dtype)
    nlmeans(
        _rows(look), look.tables, look.frame(LOOK_TILE, LOOK_BAND), patch, decay, look.covered, _fill(look, dtype), out
    )
    return look.strided(out)


def _guided(look: _Look, kernel: Kernel, dtype: Any, unit: float) -> Array:
    from convcli.loops.filtering.guided import guided

    epsilon, size = (
        np.float64((_number(kernel, "contrast") * unit) ** 2),
        (look.sizes[1] // 2 + 1, look.sizes[2] // 2 + 1),
    )
    # Twice what hangs over a block is not more than the block.
    frame = look.frame(max(64, 4 * size[1]), max(64, 4 * size[0]))
    out = look.new_out(dtype)
    guided(_rows(look), look.tables, frame, size, epsilon, look.covered, _fill(look, np.float64), out)
    return look.strided(out)


_WAYS: dict[str, Callable[[_Look, Kernel, Any, float], Array]] = {
    "bilateral": _bilateral,
    "nlmeans": _nlmeans,
    "guided": _guided,
}


def _rows(look: _Look) -> Array:
    return read_only(np.ascontiguousarray(look.source).reshape(*look.source.shape[:3], -1))


def _fill(look: _Look, dtype: Any) -> Any:
    return in_type(dtype, look.border.constant)


def _number(kernel: Kernel, name: str) -> float:
    return float(kernel.parameters[name])  # type: ignore[arg-type]


def _decay(slope: float, dtype: Any) -> "Decay":
    """``exp(-slope * distance)`` for loops that reckon in a float ``dtype``."""
    from convcli.loops.filtering.blocks import Decay
    from convcli.loops.filtering.likeness import FARTHEST, SHARE, TERMS

    of = np.dtype(dtype).type
    return Decay(of(slope / SHARE), of(FARTHEST), tuple(of(term) for term in TERMS))
