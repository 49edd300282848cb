"""The guided filter, each channel its own guide: lines through the values of windows, and means of these lines.

Sums over windows run: their cost does not depend on the window. They are taken in float64 and begin anew in each block,
whose size is the image's and the window's matter alone.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.blocks import block_of, blocks_of, load_planar


@loop
def guided(source, tables, frame, size, epsilon, covered, fill, out):
    """Guided means of ``source`` (N, 1, H, W*S) into floats ``out`` (N, 1, OH, OW*C); arguments are already checked.

    ``tables`` (planes, rows, columns) map padded places to source places, -1 to ``fill``; the frame's rows and columns
    are those under two windows of ``size`` (KH, KW), one after the other. With ``covered`` the last of S = C + 1
    channels says how far a pixel can be seen, 0 to 1. Each index of the parallel loop owns one block of ``out``.
    """
    _, rows, columns = tables
    channels = frame.channels
    given = channels + 1 if covered else channels
    for task in prange(blocks_of(out.shape, frame)):
        block = block_of(task, out.shape, frame)
        height, width = block.y_end - block.y + frame.rows - 1, block.x_end - block.x + frame.columns - 1
        pixels = np.empty((height, given, width), np.float64)
        line = np.empty(width * given, np.float64)
        for j in range(height):
            load_planar(
                source[block.image, 0], rows[block.y + j], columns, frame.left, block.x, given, fill, line, pixels[j]
            )
        seen = np.ones((height, width), np.float64)
        if covered:
            for j in range(height):
                for i in range(width):
                    seen[j, i] = pixels[j, channels, i]
        weight = _box(seen, size)
        for channel in range(channels):
            _guide(pixels, channel, seen, weight, frame, size, epsilon, block, out[block.image, 0])


@loop(parallel=False)
def _guide(pixels, channel, seen, weight, frame, size, epsilon, block, out):
    """One channel of a block, whose windows have so much ``weight``, into ``out`` (OH, OW*C); checked arguments."""
    height, width = seen.shape
    values, squares = np.empty((height, width), np.float64), np.empty((height, width), np.float64)
    # What all have in common is no part of a variance, and would take its digits.
    common = pixels[0, channel, 0] if pixels[0, channel, 0] == pixels[0, channel, 0] else 0.0
    for j in range(height):
        for i in range(width):
            value = pixels[j, channel, i] - common
            values[j, i] = seen[j, i] * value
            squares[j, i] = seen[j, i] * value * value
    slopes, offsets = _box(values, size), _box(squares, size)
    for j in range(slopes.shape[0]):
        for i in range(slopes.shape[1]):
            share = weight[j, i]
            mean = slopes[j, i] / share if share > 0 else 0.0
            variance = max(offsets[j, i] / share - mean * mean, 0.0) if share > 0 else 0.0
            slope = variance / (variance + epsilon)
            slopes[j, i] = share * slope
            offsets[j, i] = share * (1 - slope) * mean
    slopes, offsets, shares = _box(slopes, size), _box(offsets, size), _box(weight, size)
    channels = frame.channels
    for j in range(slopes.shape[0]):
        for i in range(slopes.shape[1]):
            value = pixels[j + size[0] - 1, channel, i + size[1] - 1] - common
            share = shares[j, i]
            result = (slopes[j, i] * value + offsets[j, i]) / share + common if share > 0 else 0.0
            out[block.y + j, (block.x + i) * channels + channel] = result


@loop(parallel=False)
def _box(values, size):
    """Sums of ``values`` (H, W) under windows (KH, KW), a new array (H - KH + 1, W - KW + 1); checked arguments."""
    height, width = values.shape[0] - size[0] + 1, values.shape[1] - size[1] + 1
    down, sums = np.zeros(values.shape[1], np.float64), np.empty((height, width), np.float64)
    for j in range(size[0] - 1):
        _add(down, values[j])
    for j in range(height):
        _add(down, values[j + size[0] - 1])
        total = 0.0
        for i in range(size[1] - 1):
            total += down[i]
        for i in range(width):
            total += down[i + size[1] - 1]
            sums[j, i] = total
            total -= down[i]
        _subtract(down, values[j])
    return sums


@loop(parallel=False)
def _add(total, values):
    """Add numbers (n) to others; arguments are already checked."""
    for i in range(total.shape[0]):
        total[i] += values[i]


@loop(parallel=False)
def _subtract(total, values):
    """Subtract numbers (n) from others; arguments are already checked."""
    for i in range(total.shape[0]):
        total[i] -= values[i]
