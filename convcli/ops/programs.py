"""From weights and geometry to what `convcli.loops.filtering.correlation` takes: programs, layouts, tables."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Window
from convcli.loops import costs
from convcli.loops.costs import STRETCH_VECTORS
from convcli.loops.costs import TILE_ROWS as ROWS
from convcli.loops.filtering.correlation import Layout, Program
from convcli.loops.vectors import VECTOR_BYTES
from convcli.ops.arguments import as_contiguous
from convcli.ops.plan import Weights
from convcli.ops.remembering import remembered


@remembered
def window_program(weights: Weights, windows: tuple[Window, ...], rows: int, dtype: Any) -> Program:
    """The program of one group of ``rows`` output rows for weights (KD, KH, KW).

    Entries are in the order plane, row, column, so that every output number adds its taps in the order of the
    weights, whichever row of the group it is in.
    """
    entries = list(_entries(weights, windows, rows))
    if not entries:
        empty = np.zeros(0, np.int64)
        return Program(empty, empty, empty, empty, np.zeros((0, ROWS), dtype), empty, empty, empty)
    planes, tap_rows, columns, values = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    if np.dtype(dtype).kind == "i":  # sums are exact in any order: that with the fewest runs
        order = np.argsort(_masks(values), kind="stable")
        planes, tap_rows, columns, values = (each[order] for each in (planes, tap_rows, columns, values))
    return _program(planes, tap_rows, columns, values, windows[2].stride, dtype)


@remembered
def column_programs(
    columns: Sequence[Weights], windows: tuple[Window, ...], rows: int, dtype: Any
) -> tuple[Program, NDArray[np.int64]]:
    """The programs of a group of rows for several columns (KH), one after the other, and where each of them ends.

    Returns the program and (columns, 2): how many entries and runs it has up to the end of each column.
    """
    down = (*windows[:2], Window(1, windows[2].stride))
    programs = [window_program(column[None, :, None], down, rows, dtype) for column in columns]
    joined = (np.concatenate(parts) for parts in zip(*programs, strict=True))
    program = Program(*joined)
    ends = np.cumsum([(len(each.rows), len(each.masks)) for each in programs], axis=0, dtype=np.int64)
    return program._replace(needed_rows=_distinct(program.needed_rows)), ends


@remembered
def row_program(factors: Sequence[Weights], window: Window, dtype: Any) -> Program:
    """The program that correlates rows, each with its factor (KW), and adds them up; its planes are those rows."""
    taps = [np.flatnonzero(factor) for factor in factors]
    terms = np.repeat(np.arange(len(taps)), [len(each) for each in taps])
    values = np.concatenate([factor[used] for factor, used in zip(factors, taps, strict=True)])
    at = np.concatenate(taps) * window.dilation
    return _program(terms, np.zeros_like(terms), at, values[:, None], window.stride, dtype)


@remembered
def stretch_program(factors: Sequence[Weights], layout: Layout, window: Window, dtype: Any) -> Program:
    """`row_program` for `ROWS` stretches of each row; its shifts count numbers. Empty if there are no factors."""
    terms, shifts, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros((0, ROWS))]
    for term, factor in enumerate(factors):
        taps = np.flatnonzero(factor)
        reached = np.add.outer(np.arange(ROWS) * layout.stretch, taps * window.dilation * layout.channels)
        shifts.append(_distinct(reached))
        terms.append(np.full(len(shifts[-1]), term))
        values.append(np.zeros((len(shifts[-1]), ROWS)))
        for row in range(ROWS):
            values[-1][np.searchsorted(shifts[-1], reached[row]), row] = factor[taps]
    at = np.concatenate(shifts)
    return _program(np.concatenate(terms), np.zeros_like(at), at, np.concatenate(values), 1, dtype)


def _distinct(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """The different numbers in order; np.unique would import numpy.ma for it, which takes 9 ms."""
    return np.array(sorted(set(numbers.ravel().tolist())), np.int64)


def _entries(weights: Weights, windows: tuple[Window, ...], rows: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Planes, rows, columns and weights (T, ROWS) of the entries, one padded row after the other."""
    stride, dilation = windows[1].stride, windows[1].dilation
    depth, height, width = weights.shape
    used = sorted({i * stride + dilation * tap for i in range(rows) for tap in range(height)})
    for plane in range(depth):
        for row in used:
            values = np.zeros((width, ROWS))
            for i in range(rows):
                tap, off_grid = divmod(row - i * stride, dilation)
                if not off_grid and 0 <= tap < height:
                    values[:, i] = weights[plane, tap]
            taps = np.flatnonzero(values.any(axis=1))
            if len(taps):
                yield np.full(len(taps), plane), np.full(len(taps), row), taps * windows[2].dilation, values[taps]


def _program(
    planes: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], stride: int, dtype: Any
) -> Program:
    masks = _masks(values)
    begins = np.flatnonzero(np.diff(masks, prepend=-1))
    lengths = np.diff(begins, append=len(masks))
    shifts, phases = np.divmod(columns, stride)
    return Program(
        planes=np.ascontiguousarray(planes, np.int64),
        rows=np.ascontiguousarray(rows, np.int64),
        phases=np.ascontiguousarray(phases, np.int64),
        shifts=np.ascontiguousarray(shifts, np.int64),
        weights=as_contiguous("kernel", values, dtype),
        masks=np.ascontiguousarray(masks[begins], np.int64),
        lengths=np.ascontiguousarray(lengths, np.int64),
        needed_rows=_distinct(rows),
    )


def _masks(values: NDArray[Any]) -> NDArray[np.int64]:
    """Which rows entries add to, one bit each."""
    return np.asarray((values != 0) @ (1 << np.arange(values.shape[1])), np.int64)


def layout_of(
    shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    windows: tuple[Window, ...],
    ring_dtype: Any,
    dtype: Any,
    *,
    terms: int,
) -> Layout:
    """Cut the work of (N, D, H, W, C) -> (N, OD, OH, OW, C) into parts whose rings fit the cache.

    ``terms`` are the kernels that take two passes: 0 if all is done in one.
    """
    depth, height, width = windows
    channels = shape[-1]
    images, out_depth, out_height, out_width = out_shape[:4]
    ring_rows = (ROWS - 1) * height.stride + height.effective
    phases = min(width.stride, width.effective)
    span = (width.effective - 1) // width.stride
    per_column = depth.kernel_size * ring_rows * phases * channels * np.dtype(ring_dtype).itemsize
    per_column += max(terms - 1, 0) * ROWS * phases * channels * np.dtype(dtype).itemsize
    most = min(costs.RING_BYTES // per_column - span, costs.ROW_NUMBERS // channels)
    # A tile narrower than its halo would load more than it computes.
    most = max(most, span, 64)
    tiles = -(-out_width // most)
    tile = -(-out_width // tiles)
    band = -(-out_height * images * out_depth * tiles // costs.PARTS)
    # Rows above a band's first are loaded for it alone: a band should be at least as high as its window.
    band = max(band, min(height.effective, -(-out_height // 8)))
    taps = height.kernel_size + width.kernel_size if terms else height.kernel_size * width.kernel_size
    if math.prod(out_shape) * depth.kernel_size * taps <= costs.ALONE_TAPS:
        band = out_height
    band = -(-band // ROWS) * ROWS
    stretch, spacing = _stretches(width, channels, dtype) if terms else (0, 0)
    return Layout(
        channels=channels,
        left=width.before,
        stride_z=depth.stride,
        stride_y=height.stride,
        stride_x=width.stride,
        dilation_z=depth.dilation,
        planes=depth.kernel_size,
        ring_rows=ring_rows,
        phases=phases,
        span=span,
        tile=tile,
        band=band,
        stretch=stretch,
        spacing=spacing,
    )


def _stretches(window: Window, channels: int, dtype: Any) -> tuple[int, int]:
    """Numbers between the stretches of a row and between a stretch's vectors; zeros where stretches do not pay.

    A tap reads the same vector for two stretches if these are whole vectors and whole pixels apart.
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    apart = math.lcm(lanes, channels * window.dilation)
    reads = window.kernel_size + (ROWS - 1) * apart // (channels * window.dilation)
    if not costs.costs().stretches or window.stride > 1 or reads > costs.STRETCHES_PAY * ROWS * window.kernel_size:
        return 0, 0
    if apart == STRETCH_VECTORS * lanes:
        return apart, lanes
    return (lanes, ROWS * lanes) if apart == lanes else (0, 0)
