"""Separable kernels on volumes: how the work is cut, and whether it fits.

`convcli.ops.stacks` asks and calls; the loop is `convcli.loops.filtering.volumes`.
"""

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops.arguments import Array
from convcli.ops.sums import Correlation

if TYPE_CHECKING:
    from convcli.loops.filtering.correlation import Layout
    from convcli.loops.filtering.volumes import Depth

_MOST_BYTES = 256 * 1024 * 1024  # that a thread holds


def run_volume(asked: Correlation) -> tuple[Array, int]:
    """Correlate by the three factors of a plan, one axis after the other: the result, and how much is out of range."""
    from convcli.loops.costs import TILE_ROWS as ROWS
    from convcli.loops.filtering.volumes import correlate_volume
    from convcli.ops.programs import layout_of, window_program

    (result, out), windows, dtype, held = asked.new_out(), asked.moves, asked.dtype, asked.ring_dtype
    factors, tables, numbers = asked.plan.factors, asked.tables, asked.numbers(held)
    across = (Window(1), *windows[1:])
    layout = layout_of(asked.source.shape, result.shape, across, dtype, dtype, terms=1)
    depth = _depth(tables, windows, factors[0], result.shape, dtype)
    layout, run = _cut(result.shape, windows, layout, depth.slots * held.itemsize + ROWS * dtype.itemsize)
    sizes = (1, run, layout.band, layout.tile)
    outside = np.zeros(prod(-(-n // size) for n, size in zip(result.shape, sizes, strict=False)), np.int64)
    down = (*across[:2], Window(1, windows[2].stride))
    column, row = factors[1] * asked.scale, factors[2]
    heights = (ROWS, result.shape[2] % ROWS or ROWS)
    programs = (window_program(column[None, :, None], down, rows, dtype) for rows in heights)
    along = window_program(row[None, None], (Window(1), Window(1), windows[2]), ROWS, dtype)
    # Sums that are results as they are go from the registers to where they belong.
    is_plain = out.dtype == dtype and numbers.low == -np.inf and numbers.high == np.inf and not numbers.fold
    plain = out if is_plain else np.empty((*out.shape[:2], 0, 0), dtype)
    depth = depth._replace(run=run)
    correlate_volume(asked.rows, tables[1:], depth, layout, *programs, along, numbers, outside, out, plain)
    return result, int(outside.sum())


def fits(asked: Correlation) -> bool:
    """Whether parts in the cache pay, and what a thread would hold is no more than it may.

    Dilation spreads a kernel as far as one likes. The volume's depth does not count, nor its windows' stride and
    dilation (the rows' stand for them), so that a slab is filtered as the whole volume is.
    """
    from convcli.loops.costs import TILE_ROWS as ROWS

    (depth, height, width), channels = asked.windows, asked.source.shape[4]
    phases, span = min(width.stride, width.effective), (width.effective - 1) // width.stride
    row = phases * (max(span, costs.VOLUME_LEAST_COLUMNS) + span) * channels * 8
    rows = (ROWS - 1) * height.stride + height.effective
    if ROWS * (depth.kernel_size + 1) * rows * row > _MOST_BYTES:
        return False
    taps = range(depth.kernel_size)
    slots = len({i * height.stride + tap * height.dilation for i in range(ROWS) for tap in taps})
    column = (slots * asked.ring_dtype.itemsize + ROWS * asked.dtype.itemsize) * phases * channels
    out_height, out_width = asked.out_shape[2:4]
    tile, band = _part(out_height, out_width, height, span, channels, column)
    return _repeated(height, span, tile, band) <= costs.VOLUME_MOST_REPEATED


def _depth(
    tables: tuple[Array, ...], windows: tuple[Window, ...], factor: Array, out_shape: tuple[int, ...], dtype: Any
) -> "Depth":
    """The pass along depth, not yet cut, for the tables of the three axes."""
    from convcli.loops.costs import TILE_ROWS as ROWS
    from convcli.loops.filtering.volumes import Depth

    depth, height, _ = windows
    taps = np.flatnonzero(factor)
    sources = tables[0][np.arange(out_shape[1])[:, None] * depth.stride + taps * depth.dilation]
    wanted = np.zeros(len(tables[1]), np.bool_)
    for tap in range(height.kernel_size):
        wanted[np.arange(out_shape[2]) * height.stride + tap * height.dilation] = True
    groups = (sources[first : first + ROWS] for first in range(len(sources)))
    slots = max(len(np.unique(group)) for group in groups)
    return Depth(sources, factor[taps].astype(dtype), wanted, max(slots, 1), 0, height.effective)


def _cut(
    out_shape: tuple[int, ...], windows: tuple[Window, ...], layout: "Layout", per_number: int
) -> tuple["Layout", int]:
    """The layout with the tile and the band that cost least, and the planes of a part.

    ``per_number`` is how many bytes a part holds for each number of a padded plane.
    """
    from convcli.loops.costs import TILE_ROWS as ROWS

    images, out_depth, out_height, out_width = out_shape[:4]
    depth, height, _ = windows
    column = per_number * layout.phases * layout.channels
    tile, band = _part(out_height, out_width, height, layout.span, layout.channels, column)
    band = -(-band // ROWS) * ROWS
    parts = images * -(-out_height // band) * -(-out_width // tile)
    # Planes before a run's first are loaded for it alone.
    run = max(-(-out_depth * parts // costs.PARTS), min(4 * depth.kernel_size, -(-out_depth // 8)))
    run = min(-(-run // ROWS) * ROWS, out_depth)
    return layout._replace(tile=tile, band=band), run


def _part(out_height: int, out_width: int, height: Window, span: int, channels: int, column: int) -> tuple[int, int]:
    """The columns and rows of the parts that cost least; ``column``: how many bytes one holds of a column of a row."""
    from convcli.loops.costs import TILE_ROWS as ROWS

    best = (np.inf, out_width, ROWS)
    tile = out_width
    while True:
        band = max((costs.VOLUME_BYTES // (column * (tile + span)) - height.effective) // height.stride + 1, ROWS)
        band = -(-out_height // -(-out_height // band))
        cost = _repeated(height, span, tile, band)
        if tile < out_width:
            cost *= 1 + costs.VOLUME_ROW_NUMBERS / (tile * channels)
        best = min(best, (cost, tile, band))
        if tile <= max(span, costs.VOLUME_LEAST_COLUMNS):
            return best[1:]
        tile = -(-tile // 2)


def _repeated(height: Window, span: int, tile: int, band: int) -> float:
    """How often sums along depth are done: rows above a band's first are for it alone, as columns beside a tile."""
    return (1 + (height.effective - 1) / height.stride / band) * (1 + span / tile)
