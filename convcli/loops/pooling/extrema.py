"""Largest and smallest values of pooling windows.

A window is a product of axes, so its extremum is taken in two steps. Down: the rows under an output row are reduced to
one row, number by number, in vectors. Across: extrema of 2, 4, 8, ... neighbouring pixels by doubling, in vectors too,
the last doubling overlapping; of the result every ``stride``-th pixel is the output.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.pooling.picking import pick
from convcli.loops.pooling.winners import combine, take, winner


@loop(parallel=False)
def _down(planes, table_z, table_y, walk, begin, end, target, smallest):
    """Reduce the rows under one output row, numbers ``begin`` to ``end``, to ``target``; arguments are checked."""
    count_y = table_y[1]
    for index in range(table_z[1] * count_y):
        z = table_z[0] + index // count_y * walk.dilation_z
        y = table_y[0] + index % count_y * walk.dilation_y
        row = planes[z, y, begin:end]
        if index:
            take(target, row, smallest)
        else:
            for i in range(target.shape[0]):
                target[i] = row[i]


@loop(parallel=False)
def _across(row, spare, walk, target, smallest):
    """Extrema of ``kernel_x`` pixels of ``row`` into ``target``, ``stride_x`` apart; spoils both rows; checked."""
    channels, width, length = walk.channels, 1, row.shape[0]
    while width < walk.kernel_x:
        further = min(width, walk.kernel_x - width)
        shift = further * walk.dilation_x * channels
        length -= shift
        combine(spare[:length], row[:length], row[shift : shift + length], smallest)
        row, spare = spare, row
        width += further
    pick(row, walk.stride_x, channels, target)


@loop(parallel=False)
def _across_uneven(row, begin, columns, walk, target, smallest):
    """Extrema of the windows in ``columns`` of a row that starts at source column ``begin``; checked arguments."""
    channels = walk.channels
    for x in range(columns.shape[0]):
        for channel in range(channels):
            at = (columns[x, 0] - begin) * channels + channel
            value = row[at]
            for tap in range(1, columns[x, 1]):
                value = winner(value, row[at + tap * walk.dilation_x * channels], smallest)
            target[x * channels + channel] = value


@loop
def pool_extrema(source, tables, walk, identity, smallest, out):
    """Extrema of the windows of ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C).

    ``identity`` is the value that never wins; ``smallest`` None or True. Arguments are already checked. Each index of
    the parallel loop owns one tile of one row of ``out``.
    """
    planes, rows, columns = tables
    channels = walk.channels
    width = source.shape[3] // channels
    depth, height, out_width = planes.shape[0], rows.shape[0], columns.shape[0]
    tiles = (out_width + walk.tile - 1) // walk.tile
    for task in prange(out.shape[0] * depth * height * tiles):
        x = task % tiles * walk.tile
        y = task // tiles % height
        z = task // (tiles * height) % depth
        image = task // (tiles * height * depth)
        x_end = min(x + walk.tile, out_width)
        target = out[image, z, y, x * channels : x_end * channels]
        start = columns[x, 0]
        end = columns[x_end - 1, 0] + (columns[x_end - 1, 1] - 1) * walk.dilation_x + 1
        if walk.kernel_x:
            start = x * walk.stride_x - walk.before_x
            end = (x_end - 1) * walk.stride_x - walk.before_x + (walk.kernel_x - 1) * walk.dilation_x + 1
        begin, finish = min(max(start, 0), width), max(min(end, width), 0)
        row = np.empty((end - start) * channels, source.dtype)
        for i in range((begin - start) * channels):
            row[i] = identity
        for i in range((finish - start) * channels, row.shape[0]):
            row[i] = identity
        inside = row[(begin - start) * channels : (finish - start) * channels]
        _down(source[image], planes[z], rows[y], walk, begin * channels, finish * channels, inside, smallest)
        if walk.kernel_x:
            _across(row, np.empty_like(row), walk, target, smallest)
        else:
            _across_uneven(row, start, columns[x:x_end], walk, target, smallest)
