"""Box sums of integer pixels by running sums: a cost per pixel that does not depend on the box.

Integers only: there the sums are exact, so that it does not matter where a running sum began.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.correlation import store_row


@loop
def box(source, tables, size, channels, left, band, weight, border_total, numbers, integers, outside, out):
    """Weighted box sums of ``source`` (N, 1, H, W*C) into ``out`` (N, 1, OH, OW*C); arguments are already checked.

    ``size`` is (KH, KW), ``weight`` an array of one number, ``border_total`` the constant border times KH, ``integers``
    an empty array of the sums' type. Each index of the parallel loop owns one band of output rows of one image, and one
    cell of ``outside``.
    """
    _, rows, columns = tables
    images, out_height = out.shape[0], out.shape[2]
    bands = (out_height + band - 1) // band
    for task in prange(images * bands):
        image = task // bands
        y = task % bands * band
        outside[task] = _box_band(
            source[image, 0], rows, columns, size, channels, left, y, min(y + band, out_height), weight, border_total,
            numbers, integers, out[image, 0],
        )  # fmt: skip


@loop(parallel=False)
def _box_band(source, rows, columns, size, channels, left, y, y_end, weight, border_total, numbers, integers, out):
    """Output rows ``y`` to ``y_end`` from ``source`` (H, W*C); checked arguments."""
    height, width = size
    row_numbers, inside = source.shape[1], left * channels
    down = np.zeros(row_numbers, integers.dtype)  # sums of KH rows
    padded = np.empty(columns.shape[0] * channels, integers.dtype)
    spare = np.empty_like(padded)
    across = np.empty(out.shape[1], integers.dtype)  # sums of KH x KW pixels
    sums = np.empty(out.shape[1], weight.dtype)
    for row in range(y, y + height):
        _add_row(down, source, rows[row], border_total // height)
    outside = 0
    for row in range(y, y_end):
        if row > y:
            _subtract_row(down, source, rows[row - 1], border_total // height)
            _add_row(down, source, rows[row + height - 1], border_total // height)
        padded[inside : inside + row_numbers] = down
        for x in range(columns.shape[0]):
            if x < left or x * channels >= inside + row_numbers:
                for channel in range(channels):
                    at = columns[x] * channels + channel
                    padded[x * channels + channel] = border_total if columns[x] < 0 else down[at]
        _sum_across(padded, spare, width, channels, across)
        for i in range(sums.shape[0]):
            sums[i] = numbers.bias + weight[0] * across[i]
        outside += store_row(sums, out[row], numbers)
    return outside


@loop(parallel=False)
def _sum_across(padded, spare, width, channels, across):
    """Sums of ``width`` neighbouring pixels, by doubling: sums of 1, 2, 4, ... pixels, those in ``width`` added up.

    A running sum would go from number to number; this goes from row to row of numbers, log2(width) times, in vectors.
    ``padded`` and ``spare`` are spoiled: two arrays, since a vector must not be written where it is still read.
    """
    across[:] = 0
    begin, length, left_over = 0, 1, width
    while True:
        if left_over & 1:
            run = padded[begin * channels :]
            for i in range(across.shape[0]):
                across[i] += run[i]
            begin += length
        left_over >>= 1
        if left_over == 0:
            return
        ahead = padded[length * channels :]
        for i in range(ahead.shape[0]):
            spare[i] = padded[i] + ahead[i]
        padded, spare = spare, padded
        length *= 2


@loop(parallel=False)
def _add_row(down, source, row, value):
    """Add one row, -1 for a row of ``value``; checked arguments."""
    if row < 0:
        down += value
    else:
        pixels = source[row]
        for i in range(down.shape[0]):
            down[i] += pixels[i]


@loop(parallel=False)
def _subtract_row(down, source, row, value):
    """Take one row away again; checked arguments."""
    if row < 0:
        down -= value
    else:
        pixels = source[row]
        for i in range(down.shape[0]):
            down[i] -= pixels[i]
