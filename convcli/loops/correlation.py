"""Cross-correlation of images and volumes as programs for the register tile.

One loop serves 2-D and 3-D: an image is a volume of one plane. The output is cut into bands of rows and tiles of
columns; a thread owns one such part. It keeps the input rows under its windows in a *ring*, converted to the type of
the sums and padded, so that nothing further in knows about borders, strides or pixel types. Within a ring row the
columns are ordered by phase (column modulo stride): with any stride a tap then reads one contiguous run of numbers.

A kernel that is a column times a row takes two passes over each part: the column's program over ring rows, then the
row's program over those sums, which have not left the first-level cache.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from convcli.loops.compiler import loop
from convcli.loops.tile import ROWS, SLACK, accumulate, accumulate_pixels


class Program(NamedTuple):
    """Entries for the register tile (see `convcli.loops.tile`): where each tap reads, and what it adds to which row."""

    planes: Any  # (T,) int64: plane within the window
    rows: Any  # (T,) int64: padded row, counted from the group's first
    phases: Any  # (T,) int64: padded column modulo stride
    shifts: Any  # (T,) int64: padded column divided by stride
    weights: Any  # (T, ROWS) float32 or float64
    masks: Any  # (runs,) int64: which of the group's rows a run adds to, one bit each
    lengths: Any  # (runs,) int64: entries in a run
    needed_rows: Any  # int64: the different values of ``rows``


class Layout(NamedTuple):
    """How the work is cut and how a ring is laid out; all integers."""

    channels: int
    left: int  # columns padded before the first
    stride_z: int
    stride_y: int
    stride_x: int
    dilation_z: int
    planes: int  # planes under one window
    ring_rows: int  # padded rows under one group of output rows
    phases: int  # phases of a ring row that taps read
    span: int  # columns a phase is longer than the output
    tile: int  # output columns in a part
    band: int  # output rows in a part, a multiple of ROWS
    two_passes: bool


class Numbers(NamedTuple):
    """The scalars of one correlation, in the type of its sums."""

    border_value: Any
    bias: Any
    low: Any  # results are clipped to [low, high]
    high: Any
    fold: bool  # store absolute values
    whole: bool  # round half to even: integer pixels


@loop(parallel=False)
def load_row(row, columns, layout, x, length, numbers, target):
    """Fill one ring row (phases * length * C) from source row (W*C) for a part that begins at output column ``x``.

    ``columns`` maps a padded column to its source column, -1 for the border value; arguments are already checked.
    """
    channels, left = layout.channels, layout.left
    value = numbers.border_value
    if layout.stride_x == 1:
        width = row.shape[0] // channels
        body = min(max(x, left), x + length)
        body_end = max(min(x + length, left + width), body)
        _load_pixels(row, columns, x, body, 1, channels, value, target)
        pixels = row[(body - left) * channels : (body_end - left) * channels]
        inside = target[(body - x) * channels : (body_end - x) * channels]
        for i in range(inside.shape[0]):
            inside[i] = pixels[i]
        _load_pixels(row, columns, body_end, x + length, 1, channels, value, target[(body_end - x) * channels :])
    else:
        stride = layout.stride_x
        for phase in range(layout.phases):
            first = x * stride + phase
            part = target[phase * length * channels :]
            _load_pixels(row, columns, first, first + length * stride, stride, channels, value, part)


@loop(parallel=False)
def _load_pixels(row, columns, first, end, stride, channels, value, target):
    """Every ``stride``-th padded column from ``first`` to ``end`` through the column table; checked arguments."""
    at = 0
    for padded in range(first, end, stride):
        column = columns[padded] if padded < columns.shape[0] else -1
        for channel in range(channels):
            target[at] = value if column < 0 else row[column * channels + channel]
            at += 1


@loop(parallel=False)
def store_row(sums, target, numbers):
    """Write sums (n) as pixels (n); returns how many lay outside [low, high] before clipping; arguments are checked.

    NaN stays NaN in floats; in integer pixels it counts as outside and becomes ``low``.
    """
    low, high, fold = numbers.low, numbers.high, numbers.fold
    outside = np.int32(0)  # as wide as a float32: counting in 64 bits took a quarter longer
    if numbers.whole:
        for i in range(target.shape[0]):
            rounded = np.rint(abs(sums[i])) if fold else np.rint(sums[i])
            clipped = rounded if rounded >= low else low
            clipped = clipped if clipped <= high else high
            outside = np.int32(outside + np.int32(rounded != clipped))
            target[i] = np.int32(clipped)
    else:
        for i in range(target.shape[0]):
            number = abs(sums[i]) if fold else sums[i]
            clipped = low if number < low else number
            clipped = high if clipped > high else clipped
            outside = np.int32(outside + np.int32((number < low) | (number > high)))
            target[i] = clipped
    return outside


def parts_of(out_shape: tuple[int, ...], layout: Layout) -> int:
    """How many parts an output (N, OD, OH, OW, C) is cut into."""
    images, out_depth, out_height, out_width = out_shape[:4]
    return images * out_depth * -(-out_height // layout.band) * -(-out_width // layout.tile)


@loop
def correlate(source, tables, layout, first_pass, first_pass_end, second_pass, numbers, outside, out):
    """Correlate ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C); arguments are already checked.

    ``first_pass_end`` is the first pass for a last group of fewer rows. Each index of the parallel loop owns one band
    of output rows in one tile of columns of one output plane, and one cell of ``outside``, where it counts the numbers
    beyond the store's range.
    """
    tile, band = layout.tile, layout.band
    images, out_depth, out_height, out_numbers = out.shape
    out_width = out_numbers // layout.channels
    bands = (out_height + band - 1) // band
    tiles = (out_width + tile - 1) // tile
    for task in prange(images * out_depth * bands * tiles):
        x = task % tiles * tile
        y = task // tiles % bands * band
        z = task // (tiles * bands) % out_depth
        image = task // (tiles * bands * out_depth)
        part = (z, y, min(y + band, out_height), x, min(x + tile, out_width))
        outside[task] = _correlate_part(
            source[image], tables, layout, first_pass, first_pass_end, second_pass, numbers, part, out[image, z]
        )


@loop(parallel=False)
def _correlate_part(source, tables, layout, first_pass, first_pass_end, second_pass, numbers, part, out):
    """Rows ``y`` to ``y_end``, columns ``x`` to ``x_end`` of output plane ``z`` into ``out`` (OH, OW*C); checked."""
    planes, rows, columns = tables
    z, y, y_end, x, x_end = part
    channels, ring_rows = layout.channels, layout.ring_rows
    length = x_end - x + layout.span
    row_numbers = layout.phases * length * channels
    row_stride = row_numbers + SLACK
    out_count = (x_end - x) * channels
    depth = layout.planes
    weights = first_pass.weights
    ring = np.empty(depth * ring_rows * row_stride, weights.dtype)
    held = np.full(depth * ring_rows, -1, np.int64)
    starts = np.empty(max(len(first_pass.rows), len(first_pass_end.rows)), np.int64)
    sums = np.empty((ROWS, row_stride + SLACK), weights.dtype)
    folded = np.empty((ROWS, (out_count if layout.two_passes else 0) + SLACK), weights.dtype)
    second_starts = np.empty(len(second_pass.rows), np.int64)
    for t in range(len(second_pass.rows)):
        inside = (second_pass.phases[t] * length + second_pass.shifts[t]) * channels
        second_starts[t] = second_pass.rows[t] * sums.shape[1] + inside
    outside = 0
    first = x * channels
    for top in range(y, y_end, ROWS):
        height = min(ROWS, y_end - top)
        # Whole blocks of integer pixels are rounded and clipped in registers: 24 MP RGB, 3x3: 37 ms, not 41.
        whole = out_count // SLACK * SLACK if numbers.whole and height == ROWS else 0
        rest = out_count - whole
        program = first_pass if height == ROWS else first_pass_end
        padded_top = top * layout.stride_y
        for plane in range(depth):
            source_plane = planes[z * layout.stride_z + plane * layout.dilation_z]
            for row in program.needed_rows:
                padded_row = padded_top + row
                slot = plane * ring_rows + padded_row % ring_rows
                if held[slot] != padded_row:
                    held[slot] = padded_row
                    target = ring[slot * row_stride : slot * row_stride + row_numbers]
                    if source_plane < 0 or rows[padded_row] < 0:
                        target[:] = numbers.border_value
                    else:
                        load_row(source[source_plane, rows[padded_row]], columns, layout, x, length, numbers, target)
        for t in range(len(program.rows)):
            slot = program.planes[t] * ring_rows + (padded_top + program.rows[t]) % ring_rows
            inside = (program.phases[t] * length + program.shifts[t]) * channels
            starts[t] = slot * row_stride + inside
        if layout.two_passes:
            zero = weights.dtype.type(0)
            accumulate(ring, starts, program.weights, program.masks, program.lengths, zero, sums, row_numbers)
            source_numbers, second, at = sums.reshape(-1), second_pass, second_starts
            result = folded
        else:
            source_numbers, second, at = ring, program, starts
            result = sums
        factors, masks, lengths = second.weights, second.masks, second.lengths
        bias = numbers.bias
        if whole > 0:
            group = out[top : top + ROWS]
            outside += accumulate_pixels(
                source_numbers, at, factors, masks, lengths, bias, numbers, group, first, whole
            )
        if rest > 0:
            accumulate(source_numbers[whole:], at, factors, masks, lengths, bias, result, rest)
            for row in range(height):
                target = out[top + row, first + whole : first + out_count]
                outside += store_row(result[row, :rest], target, numbers)
    return outside
