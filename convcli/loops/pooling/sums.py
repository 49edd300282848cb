"""Sums of pooling windows: averages, weighted averages and norms.

Sums are float64: exact for integer pixels, and for floats as good as rounding once. They are taken in two steps: down,
one row under the window after the other, then across. Each number is added up in an order that depends on its window
alone, so the bits are the same for any cut of the work.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange


@loop(parallel=False)
def _down(planes, table_z, table_y, weights_z, weights_y, walk, power, begin, end, target):
    """Add the rows under one output row, numbers ``begin`` to ``end``, up in ``target``; arguments are checked."""
    first_y, count_y, tap_y = table_y
    for index in range(table_z[1] * count_y):
        j, i = index // count_y, index % count_y
        row = planes[table_z[0] + j * walk.dilation_z, first_y + i * walk.dilation_y, begin:end]
        if power == 0.0:
            weight = weights_z[table_z[2] + j] * weights_y[tap_y + i]
            for n in range(target.shape[0]):
                target[n] += weight * row[n]
        elif power == 2.0:
            for n in range(target.shape[0]):
                value = np.float64(row[n])
                target[n] += value * value
        else:
            for n in range(target.shape[0]):
                target[n] += abs(np.float64(row[n])) ** power


@loop(parallel=False)
def _across(row, total, weights, unit):
    """Add ``row`` up, ``unit`` numbers further for each weight, in ``total`` (zeros); arguments are already checked."""
    count = row.shape[0] - (weights.shape[0] - 1) * unit
    sums = total[:count]
    for tap in range(weights.shape[0]):
        part, weight = row[tap * unit : tap * unit + count], weights[tap]
        for i in range(count):
            sums[i] += weight * part[i]


@loop(parallel=False)
def _across_table(row, begin, columns, weights, walk, total):
    """Sums of the windows in ``columns`` of a row that starts at source column ``begin``; checked arguments."""
    channels = walk.channels
    for x in range(columns.shape[0]):
        for channel in range(channels):
            at = (columns[x, 0] - begin) * channels + channel
            value = 0.0
            for tap in range(columns[x, 1]):
                weight = weights[x % weights.shape[0], columns[x, 2] + tap]
                value += weight * row[at + tap * walk.dilation_x * channels]
            total[x * channels + channel] = value


@loop(parallel=False)
def _finish(sums, stride, channels, divisor, divisors_x, power, target):
    """Divide or take the root of the sums of pixels ``stride`` apart and store them in ``target``; checked."""
    for x in range(divisors_x.shape[0]):
        below = divisor * divisors_x[x]
        for channel in range(channels):
            value = sums[x * stride * channels + channel]
            if power == 0.0:
                value /= below
            elif power == 2.0:
                value = np.sqrt(value)
            else:
                value = value ** (1.0 / power)
            target[x * channels + channel] = value


@loop
def pool_sums(source, tables, weights, divisors, walk, power, out):
    """Averages or norms of the windows of ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C).

    ``weights`` per axis: (1, taps), or (output positions, taps) where windows differ; ``divisors`` per axis and output
    position, their product divides. ``power`` 0: sums of values; else sums of abs(value) ** power, and their root.
    Arguments are already checked. Each index of the parallel loop owns one tile of one row of ``out``.
    """
    planes, rows, columns = tables
    weights_z, weights_y, weights_x = weights
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
        start = columns[x, 0]
        end = columns[x_end - 1, 0] + (columns[x_end - 1, 1] - 1) * walk.dilation_x + 1
        if walk.kernel_x:
            start = x * walk.stride_x - walk.before_x
            end = (x_end - 1) * walk.stride_x - walk.before_x + (walk.kernel_x - 1) * walk.dilation_x + 1
        begin, finish = min(max(start, 0), width), max(min(end, width), 0)
        row = np.zeros((end - start) * channels)
        inside = row[(begin - start) * channels : (finish - start) * channels]
        _down(
            source[image], planes[z], rows[y], weights_z[z % len(weights_z)], weights_y[y % len(weights_y)],
            walk, power, begin * channels, finish * channels, inside,
        )  # fmt: skip
        total = np.zeros(max(row.shape[0], (x_end - x) * channels))
        if walk.kernel_x:
            _across(row, total, weights_x[0], walk.dilation_x * channels)
        else:
            window_weights = weights_x[x:x_end] if len(weights_x) > 1 else weights_x
            _across_table(row, start, columns[x:x_end], window_weights, walk, total)
        stride = walk.stride_x if walk.kernel_x else 1
        target = out[image, z, y, x * channels : x_end * channels]
        _finish(total, stride, channels, divisors[0][z] * divisors[1][y], divisors[2][x:x_end], power, target)
