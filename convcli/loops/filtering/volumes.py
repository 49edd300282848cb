"""Separable filtering of volumes in one go: along depth, down the columns and along the rows, a part at a time.

The output is cut into parts: a run of planes, a band of rows, a tile of columns. A thread goes through its part in
groups of planes. It holds the source planes under a group's windows, converted and padded as `correlation` does it; the
register tile sums them along depth, and what comes out is the source of the two passes of each plane. All of that stays
in the cache, and no volume is in memory but the source and the output: 256 x 256 x 256 float32, 7x7x7, one thread: 28
ms, where a volume between the passes took 84, not counting what the system took to find the memory for it.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.correlation import load_row, store_row
from convcli.loops.filtering.tile import BLOCK, ROWS, SLACK, accumulate, accumulate_pixels


class Depth(NamedTuple):
    """The pass along depth, and how planes and rows are cut."""

    sources: Any  # (OD, T) int64: source planes under each output plane, -1 for the border value
    weights: Any  # (T,) float32 or float64, none of them zero
    wanted: Any  # bool: whether a window looks at this padded row
    slots: int  # planes held
    run: int  # output planes in a part
    height: int  # padded rows under one output row


@loop
def correlate_volume(source, tables, depth, layout, program, program_end, across, numbers, outside, out, plain):
    """Correlate ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C); arguments are already checked.

    ``layout`` and the ``tables`` of rows and columns are those of a plane; ``program`` goes down its columns,
    ``program_end`` does for a last group of fewer rows, and ``across`` goes along a group's rows. Each index of the
    parallel loop owns one part of the output, and one cell of ``outside``, where it counts the numbers beyond the
    store's range. ``plain`` is ``out`` where the sums are stored as they are, else empty and of their type.
    """
    tile, band, run = layout.tile, layout.band, depth.run
    images, out_depth, out_height, out_numbers = out.shape
    out_width = out_numbers // layout.channels
    bands = (out_height + band - 1) // band
    tiles = (out_width + tile - 1) // tile
    runs = (out_depth + run - 1) // run
    for task in prange(images * runs * bands * tiles):
        x = task % tiles * tile
        y = task // tiles % bands * band
        z = task // (tiles * bands) % runs * run
        image = task // (tiles * bands * runs)
        part = (z, min(z + run, out_depth), y, min(y + band, out_height), x, min(x + tile, out_width))
        outside[task] = _correlate_part(
            source[image], tables, depth, layout, program, program_end, across, numbers, part, out[image], plain[image]
        )


@loop(parallel=False)
def _correlate_part(source, tables, depth, layout, program, program_end, across, numbers, part, out, plain):
    """Planes ``z`` to ``z_end``, rows ``y`` to ``y_end``, columns ``x`` to ``x_end`` of ``out`` (OD, OH, OW*C)."""
    z, z_end, y, y_end, x, x_end = part
    length = x_end - x + layout.span
    row_stride = (layout.phases * length * layout.channels + 15) // 16 * 16
    top = y * layout.stride_y
    padded = (y_end - 1 - y) * layout.stride_y + depth.height
    plane_numbers = padded * row_stride
    most = ROWS * depth.weights.shape[0]
    ring = np.full(depth.slots * plane_numbers + SLACK, numbers.border_value)
    held = np.full(depth.slots, -2, np.int64)
    along = np.empty((ROWS, plane_numbers + SLACK), depth.weights.dtype)
    planes, starts, lengths = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    masks, weights = np.empty(most, np.int64), np.empty((most, ROWS), depth.weights.dtype)
    outside = 0
    for group in range(z, z_end, ROWS):
        group_end = min(group + ROWS, z_end)
        entries, runs = _program_along(depth.sources[group:group_end], depth.weights, planes, weights, masks, lengths)
        _find_slots(planes[:entries], held, starts)
        for t in range(entries):
            slot = starts[t]
            if held[slot] != planes[t]:
                held[slot] = planes[t]
                target = ring[slot * plane_numbers : (slot + 1) * plane_numbers]
                _load_plane(
                    source, planes[t], tables, depth.wanted, layout, top, x, length, numbers, row_stride, target
                )
            starts[t] = slot * plane_numbers
        used = starts[:entries], weights, masks[:runs], lengths[:runs]
        _sum_along(ring, used, depth.wanted[top : top + padded], row_stride, along)
        for plane in range(group, group_end):
            outside += _correlate_plane(
                along[plane - group], layout, program, program_end, across, numbers, length, row_stride,
                x * layout.channels, out[plane, y:y_end], plain[plane, y:y_end],
            )  # fmt: skip
    return outside


@loop(parallel=False)
def _sum_along(ring, program, wanted, row_stride, along):
    """The wanted rows of planes ``along`` (ROWS, flat) from the planes in the ring; arguments are already checked."""
    starts, weights, masks, lengths = program
    zero = weights.dtype.type(0)
    row = 0
    while row < wanted.shape[0]:
        begin = row
        while row < wanted.shape[0] and wanted[row]:
            row += 1
        if row > begin:
            at, count = begin * row_stride, (row - begin) * row_stride
            accumulate(ring[at:], starts, weights, masks, lengths, zero, along[:, at:], count)
        row += 1


@loop(parallel=False)
def _program_along(sources, factor, planes, weights, masks, lengths):
    """Entries and runs of the register tile for output planes that look at ``sources`` (<= ROWS, T); their numbers.

    Of the planes that come next in some window the first one is taken, for all windows in which it is next: so every
    output plane adds its taps in their order, and where windows overlap, a plane is loaded once for all of them.
    """
    count, taps = sources.shape
    done = np.zeros(ROWS, np.int64)
    entries, runs = 0, 0
    while True:
        nearest = np.int64(2**62)
        for i in range(count):
            if done[i] < taps:
                nearest = min(nearest, sources[i, done[i]])
        if nearest == 2**62:
            return entries, runs
        mask = 0
        for i in range(ROWS):
            weights[entries, i] = 0
            if i < count and done[i] < taps and sources[i, done[i]] == nearest:
                mask |= 1 << i
                weights[entries, i] = factor[done[i]]
                done[i] += 1
        planes[entries] = nearest
        if runs > 0 and masks[runs - 1] == mask:
            lengths[runs - 1] += 1
        else:
            masks[runs], lengths[runs] = mask, 1
            runs += 1
        entries += 1


@loop(parallel=False)
def _find_slots(planes, held, slots):
    """The slot of each plane: where it is held, or else one that holds none of the planes; checked arguments."""
    free = np.full(held.shape[0], True, np.bool_)
    for t in range(planes.shape[0]):
        slots[t] = -1
        for slot in range(held.shape[0]):
            if held[slot] == planes[t]:
                slots[t] = slot
                free[slot] = False
    unused = 0
    for t in range(planes.shape[0]):
        for earlier in range(t):
            if slots[t] < 0 and planes[earlier] == planes[t]:
                slots[t] = slots[earlier]
        if slots[t] < 0:
            while not free[unused]:
                unused += 1
            free[unused] = False
            slots[t] = unused


@loop(parallel=False)
def _load_plane(source, plane, tables, wanted, layout, top, x, length, numbers, row_stride, target):
    """The wanted rows of one source plane, -1 for the border value, from padded row ``top`` on; checked arguments."""
    rows, columns = tables
    row_numbers = layout.phases * length * layout.channels
    for row in range(target.shape[0] // row_stride):
        if wanted[top + row]:
            cells = target[row * row_stride : row * row_stride + row_numbers]
            if plane < 0 or rows[top + row] < 0:
                cells[:] = numbers.border_value
            else:
                load_row(source[plane, rows[top + row]], columns, layout, x, length, numbers, cells)


@loop(parallel=False)
def _correlate_plane(source, layout, program, program_end, across, numbers, length, row_stride, at, out, plain):
    """A plane's two passes over padded rows (flat) into ``out[:, at:]`` (rows, n); returns how many were clipped."""
    dtype, count = program.weights.dtype, (length - layout.span) * layout.channels
    row_numbers = layout.phases * length * layout.channels
    down = np.empty((ROWS, row_stride + 2 * SLACK), dtype)
    sums = np.empty((ROWS, count + SLACK), dtype)
    starts = _starts_of(program, row_stride, length, layout.channels)
    starts_end = _starts_of(program_end, row_stride, length, layout.channels)
    starts_across = _starts_of(across, down.shape[1], length, layout.channels)
    weights, masks, lengths, bias = across.weights, across.masks, across.lengths, numbers.bias
    outside = 0
    for top in range(0, out.shape[0], ROWS):
        group = out[top : top + ROWS]
        height = group.shape[0]
        used, begins = (program, starts) if height == ROWS else (program_end, starts_end)
        rows = source[top * layout.stride_y * row_stride :]
        accumulate(rows, begins, used.weights, used.masks, used.lengths, dtype.type(0), down, row_numbers)
        flat = down.reshape(-1)
        whole = count // BLOCK * BLOCK if height == ROWS else 0
        if whole > 0 and plain.size > 0:
            accumulate(flat, starts_across, weights, masks, lengths, bias, plain[top : top + ROWS, at:], whole)
        elif whole > 0 and numbers.whole:
            outside += accumulate_pixels(
                flat, starts_across, weights, masks, lengths, bias, numbers, group, at, whole, (), whole, ()
            )
        else:
            whole = 0
        if count > whole:
            accumulate(flat[whole:], starts_across, weights, masks, lengths, bias, sums, count - whole)
            for row in range(height):
                outside += store_row(sums[row, : count - whole], group[row, at + whole : at + count], numbers)
    return outside


@loop(parallel=False)
def _starts_of(program, row_stride, length, channels):
    """Where the entries of a program begin in rows of ``row_stride`` numbers; checked arguments."""
    starts = np.empty(program.rows.shape[0], np.int64)
    for t in range(starts.shape[0]):
        inside = (program.phases[t] * length + program.shifts[t]) * channels
        starts[t] = program.rows[t] * row_stride + inside
    return starts
