"""Pooling layers in training: extrema that remember where they were, and the gradients of extrema and sums.

A gradient is gathered: each index of a parallel loop owns one row of the input's gradient and asks which windows cover
it (the ``cover`` tables), so no two threads ever write to the same number and every sum has one order.
"""

from numba import prange

from convcli.loops.compiler import loop


@loop
def find_extrema(source, tables, dilations, kernels, smallest, out, taps):
    """Extrema of windows of ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C), and their taps (int32).

    Tables as in `convcli.loops.walk`; a tap's number is ``(tap_z * KH + tap_y) * KW + tap_x``, of equal values the
    first counts, NaN wins. ``smallest`` None or True. Checked arguments; each index owns one row of ``out``.
    """
    planes, rows, columns = tables
    step_z, step_y, step_x = dilations
    depth, height, width = planes.shape[0], rows.shape[0], columns.shape[0]
    channels = out.shape[3] // width
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        target, chosen = out[image, z, y], taps[image, z, y]
        for index in range(planes[z, 1] * rows[y, 1]):
            j, i = index // rows[y, 1], index % rows[y, 1]
            row = source[image, planes[z, 0] + j * step_z, rows[y, 0] + i * step_y]
            base = ((planes[z, 2] + j) * kernels[1] + rows[y, 2] + i) * kernels[2]
            for x in range(width):
                at = x * channels
                for k in range(columns[x, 1]):
                    number = base + columns[x, 2] + k
                    cell = (columns[x, 0] + k * step_x) * channels
                    if index == 0 and k == 0:
                        for channel in range(channels):
                            target[at + channel] = row[cell + channel]
                            chosen[at + channel] = number
                    else:
                        for channel in range(channels):
                            value, best = row[cell + channel], target[at + channel]
                            wins = value > best if smallest is None else value < best
                            wins = wins or value != value
                            target[at + channel] = value if wins else best
                            chosen[at + channel] = number if wins else chosen[at + channel]


@loop
def extrema_gradient(gradient, taps, cover_z, cover_y, columns, step_x, kernels, out):
    """The gradient (N, D, H, W*C) of `find_extrema`'s source, given that of its output (N, OD, OH, OW*C).

    A cover is (starts, pairs): cell i is in the windows and taps ``pairs[starts[i]:starts[i + 1]]``. Checked arguments;
    each index owns one row of ``out``.
    """
    depth, height, width = out.shape[1], out.shape[2], columns.shape[0]
    channels = gradient.shape[3] // width
    nothing = out.dtype.type(0)
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        target = out[image, z, y]
        target[:] = 0
        for from_z in range(cover_z[0][z], cover_z[0][z + 1]):
            for from_y in range(cover_y[0][y], cover_y[0][y + 1]):
                window_z, tap_z = cover_z[1][from_z, 0], cover_z[1][from_z, 1]
                window_y, tap_y = cover_y[1][from_y, 0], cover_y[1][from_y, 1]
                row, chosen = gradient[image, window_z, window_y], taps[image, window_z, window_y]
                base = (tap_z * kernels[1] + tap_y) * kernels[2]
                for x in range(width):
                    at = x * channels
                    for k in range(columns[x, 1]):
                        number = base + columns[x, 2] + k
                        cell = (columns[x, 0] + k * step_x) * channels
                        for channel in range(channels):
                            share = row[at + channel]
                            target[cell + channel] += share if chosen[at + channel] == number else nothing


@loop
def sums_gradient(gradient, cover_z, cover_y, columns, step_x, factors, out):
    """The gradient (N, D, H, W*C) of pooling by sums, given that of its output (N, OD, OH, OW*C).

    ``factors`` per axis (windows, taps): what a tap counts in a window. Covers as in `extrema_gradient`. Checked
    arguments; each index owns one row of ``out``.
    """
    depth, height, width = out.shape[1], out.shape[2], columns.shape[0]
    factors_z, factors_y, factors_x = factors
    channels = gradient.shape[3] // width
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        target = out[image, z, y]
        target[:] = 0
        for from_z in range(cover_z[0][z], cover_z[0][z + 1]):
            for from_y in range(cover_y[0][y], cover_y[0][y + 1]):
                window_z, tap_z = cover_z[1][from_z, 0], cover_z[1][from_z, 1]
                window_y, tap_y = cover_y[1][from_y, 0], cover_y[1][from_y, 1]
                row = gradient[image, window_z, window_y]
                down = factors_z[window_z, tap_z] * factors_y[window_y, tap_y]
                for x in range(width):
                    at = x * channels
                    for k in range(columns[x, 1]):
                        factor = down * factors_x[x, columns[x, 2] + k]
                        cell = (columns[x, 0] + k * step_x) * channels
                        for channel in range(channels):
                            target[cell + channel] += factor * row[at + channel]
