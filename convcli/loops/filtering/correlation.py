"""Cross-correlation of images and volumes as programs for the register tile.

One loop serves 2-D and 3-D: an image is a volume of one plane. The output is cut into bands of rows and tiles of
columns; a thread owns one such part. It keeps the input rows under its windows in a *ring*, converted to the type of
the sums and padded, so that nothing further in knows about borders, strides or pixel types. Within a ring row the
columns are ordered by phase (column modulo stride): with any stride a tap then reads one contiguous run of numbers.

A kernel that is a column times a row takes two passes over each part: the column's program over ring rows, then the
row's program over those sums, which have not left the cache. So does one that is the sum of several such terms: each
column has sums of its own, and one program goes along all of them.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.tile import (
    BLOCK,
    ROW_SLACK,
    ROWS,
    SLACK,
    STRETCH_SLACK,
    STRETCHES,
    accumulate,
    accumulate_pixels,
    accumulate_row,
    accumulate_row_pixels,
    accumulate_stretches,
)


class Program(NamedTuple):
    """Entries for the register tile (see `tile`): where each tap reads, and what it adds to which row."""

    planes: Any  # (T,) int64: plane within the window; in a program along rows the term
    rows: Any  # (T,) int64: padded row, counted from the group's first
    phases: Any  # (T,) int64: padded column modulo stride
    shifts: Any  # (T,) int64: padded column divided by stride
    weights: Any  # (T, ROWS), or (T, 1) for one row: float32 or float64
    masks: Any  # (runs,) int64: which of the rows a run adds to, one bit each
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
    stretch: int  # numbers between a row's stretches, 0 where its pass is made without them
    spacing: int  # numbers between the vectors of a stretch


class Part(NamedTuple):
    """What one index of the parallel loop owns: rows ``y`` to ``y_end``, columns ``x`` to ``x_end`` of a plane."""

    image: int
    z: int
    y: int
    y_end: int
    x: int
    x_end: int


class Numbers(NamedTuple):
    """The scalars of one correlation: the border's in the type of the ring, the others in that of the sums."""

    border_value: Any
    bias: Any
    low: Any  # results are clipped to [low, high]
    high: Any
    fold: bool  # store absolute values
    whole: bool  # round half to even: integer pixels
    inside: bool  # no sum can lie outside [low, high] when rounded: nothing to clip


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


@loop(parallel=False)
def _part_of(task, out_shape, layout):
    """The part with this number; arguments are already checked."""
    tile, band = layout.tile, layout.band
    out_depth, out_height, out_width = out_shape[1], out_shape[2], out_shape[3] // layout.channels
    bands = (out_height + band - 1) // band
    tiles = (out_width + tile - 1) // tile
    x = task % tiles * tile
    y = task // tiles % bands * band
    z = task // (tiles * bands) % out_depth
    image = task // (tiles * bands * out_depth)
    return Part(image, z, y, min(y + band, out_height), x, min(x + tile, out_width))


@loop
def correlate(source, tables, layout, program, program_end, numbers, outside, out):
    """Correlate ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C) in one pass; arguments are already checked.

    ``program_end`` is the program for a last group of fewer rows. Each index of the parallel loop owns one band of
    output rows in one tile of columns of one output plane, and one cell of ``outside``, where it counts the numbers
    beyond the store's range.
    """
    for task in prange(outside.shape[0]):
        part = _part_of(task, out.shape, layout)
        plane = out[part.image, part.z]
        outside[task] = _correlate_part(source[part.image], tables, layout, program, program_end, numbers, part, plane)


@loop
def correlate_twice(
    source, tables, layout, program, ends, program_end, ends_end, row, stretches, numbers, outside, out
):
    """`correlate` in two passes: a group's rows by ``program`` into the sums of each term, and those along the width.

    ``ends`` (terms, 2) says where each term's entries and runs end in the program. ``row`` is the program of one row,
    ``stretches`` the one of four stretches of a row, empty if they do not pay.
    """
    for task in prange(outside.shape[0]):
        part = _part_of(task, out.shape, layout)
        plane = out[part.image, part.z]
        outside[task] = _correlate_part_twice(
            source[part.image], tables, layout, program, ends, program_end, ends_end, row, stretches, numbers, part,
            plane,
        )  # fmt: skip


@loop(parallel=False)
def _correlate_part(source, tables, layout, program, program_end, numbers, part, out):
    """One part of output plane ``out`` (OH, OW*C) in one pass; returns how many were clipped; checked arguments."""
    length, row_stride = _ring_row(layout, part)
    at, count = part.x * layout.channels, (part.x_end - part.x) * layout.channels
    ring = np.full(layout.planes * layout.ring_rows * row_stride, numbers.border_value)
    held = np.full(layout.planes * layout.ring_rows, -1, np.int64)
    starts = np.empty(max(len(program.rows), len(program_end.rows)), np.int64)
    sums = np.empty((ROWS, count + SLACK), program.weights.dtype)
    outside = 0
    for top in range(part.y, part.y_end, ROWS):
        used = program if part.y_end - top >= ROWS else program_end
        _load_rows(source, tables, layout, used, part, top * layout.stride_y, length, numbers, held, ring)
        _find_starts(used, layout, top * layout.stride_y, length, row_stride, starts)
        group = out[top : min(top + ROWS, part.y_end)]
        weights, masks, lengths, bias = used.weights, used.masks, used.lengths, numbers.bias
        # Whole blocks of integer pixels are rounded and clipped in registers: 24 MP RGB, 3x3: 37 ms, not 41.
        block = SLACK if weights.itemsize == 2 else BLOCK
        whole = count // block * block if numbers.whole and group.shape[0] == ROWS else 0
        ahead = _ahead(source, tables, layout, part, top)
        outside += accumulate_pixels(
            ring, starts, weights, masks, lengths, bias, numbers, group, at, whole, sums, count, ahead
        )
        if count > whole:
            for row in range(group.shape[0]):
                target = group[row, at + whole : at + count]
                outside += store_row(sums[row, : count - whole], target, numbers)
    return outside


@loop(parallel=False)
def _correlate_part_twice(
    source, tables, layout, program, ends, program_end, ends_end, row, stretches, numbers, part, out
):
    """One part of output plane ``out`` (OH, OW*C) in two passes; returns how many were clipped; checked arguments."""
    length, row_stride = _ring_row(layout, part)
    at, count = part.x * layout.channels, (part.x_end - part.x) * layout.channels
    ring = np.full(layout.planes * layout.ring_rows * row_stride, numbers.border_value)
    held = np.full(layout.planes * layout.ring_rows, -1, np.int64)
    starts = np.empty(max(len(program.rows), len(program_end.rows)), np.int64)
    dtype = program.weights.dtype
    sums = np.empty((ROWS, ends.shape[0] * row_stride + ROW_SLACK), dtype)
    folded = np.empty((1, count + ROW_SLACK), dtype)
    along, across = np.empty(len(row.rows), np.int64), np.empty(len(stretches.rows), np.int64)
    _find_places(row, row_stride, length, layout.channels, along)
    _find_places(stretches, row_stride, 0, 1, across)
    outside = 0
    for top in range(part.y, part.y_end, ROWS):
        used, used_ends = (program, ends) if part.y_end - top >= ROWS else (program_end, ends_end)
        _load_rows(source, tables, layout, used, part, top * layout.stride_y, length, numbers, held, ring)
        _find_starts(used, layout, top * layout.stride_y, length, row_stride, starts)
        entry, run = 0, 0
        for term in range(ends.shape[0]):
            entry_end, run_end = used_ends[term]
            weights, masks, lengths = used.weights[entry:entry_end], used.masks[run:run_end], used.lengths[run:run_end]
            term_sums = sums[:, term * row_stride :]
            accumulate(ring, starts[entry:], weights, masks, lengths, dtype.type(0), term_sums, row_stride - SLACK)
            entry, run = entry_end, run_end
        for y in range(top, min(top + ROWS, part.y_end)):
            target = out[y : y + 1, at : at + count]
            outside += _correlate_row(sums[y - top], along, across, row, stretches, layout, numbers, folded, target)
    return outside


@loop(parallel=False)
def _correlate_row(sums, starts, across, row, stretches, layout, numbers, folded, out):
    """The pass along one row of sums into ``out`` (1, n); returns how many were clipped; checked arguments."""
    count = out.shape[1]
    bias, outside, done = numbers.bias, 0, 0
    if STRETCHES and numbers.whole and layout.stretch > 0:
        done = count // STRETCH_SLACK * STRETCH_SLACK
        outside += accumulate_stretches(
            sums, across, stretches.weights, stretches.masks, stretches.lengths, bias, numbers, out[0], done,
            layout.stretch, layout.spacing,
        )  # fmt: skip
    rest = sums[done:]
    whole = (count - done) // ROW_SLACK * ROW_SLACK if numbers.whole else 0
    outside += accumulate_row_pixels(rest, starts, row.weights, row.masks, row.lengths, bias, numbers, out, done, whole)
    done += whole
    if count > done:
        accumulate_row(sums[done:], starts, row.weights, row.masks, row.lengths, bias, folded, count - done)
        outside += store_row(folded[0, : count - done], out[0, done:], numbers)
    return outside


@loop(parallel=False)
def _ahead(source, tables, layout, part, top):
    """What `accumulate_pixels` is told of the rows that the group after output row ``top`` reads first; checked.

    Asked for in time they need not be waited for: 24 MP RGB, one thread, 3x3 46 ms and 41, sharpening 34 and 31.
    """
    planes, rows, _ = tables
    plane = max(planes[part.z * layout.stride_z], 0)
    row = max(rows[min(top * layout.stride_y + layout.ring_rows, len(rows) - 1)], 0)
    row_bytes = source.shape[2] * source.itemsize
    begin = (plane * source.shape[1] + row) * row_bytes
    begin += max(part.x * layout.stride_x - layout.left, 0) * layout.channels * source.itemsize
    return source.ctypes.data + begin, row_bytes, source.itemsize


@loop(parallel=False)
def _ring_row(layout, part):
    """The length of a phase of a ring row, in columns, and the numbers from one ring row to the next; checked."""
    length = part.x_end - part.x + layout.span
    return length, layout.phases * length * layout.channels + SLACK


@loop(parallel=False)
def _find_starts(program, layout, padded_top, length, row_stride, starts):
    """Where the entries of a program begin in the ring for a group of output rows; arguments are already checked."""
    for t in range(len(program.rows)):
        slot = program.planes[t] * layout.ring_rows + (padded_top + program.rows[t]) % layout.ring_rows
        starts[t] = slot * row_stride + (program.phases[t] * length + program.shifts[t]) * layout.channels


@loop(parallel=False)
def _find_places(program, row_stride, length, channels, places):
    """Where the entries of a program along rows begin in the sums of the terms; arguments are already checked."""
    for t in range(len(program.rows)):
        place = program.phases[t] * length + program.shifts[t]
        places[t] = program.planes[t] * row_stride + place * channels


@loop(parallel=False)
def _load_rows(source, tables, layout, program, part, padded_top, length, numbers, held, ring):
    """Bring the ring's rows up to those that a group of output rows needs; arguments are already checked."""
    planes, rows, columns = tables
    row_numbers = layout.phases * length * layout.channels
    for plane in range(layout.planes):
        source_plane = planes[part.z * layout.stride_z + plane * layout.dilation_z]
        for row in program.needed_rows:
            padded_row = padded_top + row
            slot = plane * layout.ring_rows + padded_row % layout.ring_rows
            if held[slot] != padded_row:
                held[slot] = padded_row
                begin = slot * (row_numbers + SLACK)
                target = ring[begin : begin + row_numbers]
                if source_plane < 0 or rows[padded_row] < 0:
                    target[:] = numbers.border_value
                else:
                    load_row(source[source_plane, rows[padded_row]], columns, layout, part.x, length, numbers, target)
