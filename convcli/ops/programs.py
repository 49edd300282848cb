"""From weights and geometry to what `convcli.loops.correlation` takes: programs, layouts, tables."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.geometry import Window
from convcli.loops.correlation import Layout, Program
from convcli.loops.tile import ROWS, STRETCH_VECTORS, STRETCHES, VECTOR_BYTES
from convcli.ops.plan import Weights

# A part's ring should stay in the second-level cache beside what else is there (1 MB on the machine it was measured on,
# 24 MP RGB, sigma 10: 20% slower with rings of 4 MB).
_RING_BYTES = 512 * 1024
_MOST_NUMBERS = 32 * 1024  # in a row of a part: 24 MP RGB, 3x3, 36 ms; 38 with 16 * 1024, 44 with 2 * 1024
_STRETCHES_PAY = 0.75  # of the reads without them: 24 MP RGB, sigma 5: 160 ms of one thread, 186 without
_PARTS = 64  # enough for an even load on many cores


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
    return _program(planes, tap_rows, columns, values, windows[2].stride, dtype)


def row_program(factor: NDArray[np.float64], window: Window, dtype: Any) -> Program:
    """The program that correlates one row with one 1-D factor (KW)."""
    taps = np.flatnonzero(factor)
    nothing = np.zeros_like(taps)
    return _program(nothing, nothing, taps * window.dilation, factor[taps, None], window.stride, dtype)


def stretch_program(factor: NDArray[np.float64], layout: Layout, window: Window, dtype: Any) -> Program:
    """The program that correlates `ROWS` stretches of one row with a factor (KW); its shifts count numbers."""
    taps = np.flatnonzero(factor)
    offsets = taps * window.dilation * layout.channels
    reached = np.add.outer(np.arange(ROWS) * layout.stretch, offsets)
    shifts = _distinct(reached)
    values = np.zeros((len(shifts), ROWS))
    for row in range(ROWS):
        values[np.searchsorted(shifts, reached[row]), row] = factor[taps]
    zeros = np.zeros_like(shifts)
    return _program(zeros, zeros, shifts, values, 1, dtype)


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
    masks = (values != 0) @ (1 << np.arange(values.shape[1]))
    begins = np.flatnonzero(np.diff(masks, prepend=-1))
    lengths = np.diff(begins, append=len(masks))
    shifts, phases = np.divmod(columns, stride)
    return Program(
        planes=np.ascontiguousarray(planes, np.int64),
        rows=np.ascontiguousarray(rows, np.int64),
        phases=np.ascontiguousarray(phases, np.int64),
        shifts=np.ascontiguousarray(shifts, np.int64),
        weights=np.ascontiguousarray(values, dtype),
        masks=np.ascontiguousarray(masks[begins], np.int64),
        lengths=np.ascontiguousarray(lengths, np.int64),
        needed_rows=_distinct(rows),
    )


def layout_of(
    shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    windows: tuple[Window, ...],
    ring_dtype: Any,
    dtype: Any,
    *,
    two_passes: bool,
) -> Layout:
    """Cut the work of (N, D, H, W, C) -> (N, OD, OH, OW, C) into parts whose rings fit the cache."""
    depth, height, width = windows
    channels = shape[-1]
    images, out_depth, out_height, out_width = out_shape[:4]
    ring_rows = (ROWS - 1) * height.stride + height.effective
    phases = min(width.stride, width.effective)
    span = (width.effective - 1) // width.stride
    per_column = depth.kernel_size * ring_rows * phases * channels * np.dtype(ring_dtype).itemsize
    most = min(_RING_BYTES // per_column - span, _MOST_NUMBERS // channels)
    # A tile narrower than its halo would load more than it computes.
    most = max(most, span, 64)
    tiles = -(-out_width // most)
    tile = -(-out_width // tiles)
    band = -(-out_height * images * out_depth * tiles // _PARTS)
    # Rows above a band's first are loaded for it alone: a band should be at least as high as its window.
    band = max(band, min(height.effective, -(-out_height // 8)))
    band = -(-band // ROWS) * ROWS
    stretch, spacing = _stretches(width, channels, dtype) if two_passes else (0, 0)
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
    if not STRETCHES or window.stride > 1 or reads > _STRETCHES_PAY * ROWS * window.kernel_size:
        return 0, 0
    if apart == STRETCH_VECTORS * lanes:
        return apart, lanes
    return (lanes, ROWS * lanes) if apart == lanes else (0, 0)
