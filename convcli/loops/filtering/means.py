"""Means of boxes of 8-bit pixels, rounded to 8 bits: the blur that is asked for most, in integers from end to end.

A column's sum runs down the image and a window's sum runs along the row, so the cost does not depend on the box. Both
are exact, and so is the rounding (see `Division`): half to even, once.

The output is cut into bands of rows and tiles of columns. 24 MP RGB, one thread: 3x3 in 20 ms where the register tile
took 41, 15x15 in 30 and 31x31 in 44 where sums in 32 bits and a general store took 113 and 126.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange

MOST_ROWS = 128  # of a box: the difference of two of its columns' sums fits 16 bits with a sign
_MOST_SHORT = (
    257  # pixels whose sum fits 16 bits: the sums of such windows are made in vectors, others number by number
)
_MOST_COLUMNS = 16  # of such windows


class Division(NamedTuple):
    """How a sum becomes a mean: ``rint((sum * factor + grid) - grid)``, in float32.

    ``factor`` is 1/n, so that the product is within 255 * 2**-23 = 3.04e-5 of the mean. Odd n: no mean is nearer than
    1/(2n) to a half, and the grid is 0. Even n: the mean may be a half, and is else at least 1/n from it; adding and
    taking away 1536 rounds to multiples of 2**-13, by at most 6.1e-5, which makes a half of what should be one and of
    nothing else.
    """

    factor: Any  # float32
    grid: Any  # float32


def division_by(n: int) -> Division | None:
    """The exact division of sums of ``n`` pixels, or None where ``n`` is too large for it.

    >>> float(division_by(9).grid), float(division_by(16).grid), division_by(10**6)
    (0.0, 1536.0, None)
    """
    margin = 1 / (2 * n) if n % 2 else 1 / n - 2.0**-14
    if margin <= 255 * 2.0**-23:
        return None
    return Division(np.float32(1 / n), np.float32(0 if n % 2 else 1536))


@loop
def box_means(source, tables, size, channels, left, tile, band, value, division, out):
    """Means of boxes of ``source`` (N, H, W*C) uint8 into ``out`` (N, OH, OW*C) uint8; arguments are already checked.

    ``size`` is (KH, KW), ``value`` the constant border as uint8. Each index of the parallel loop owns one band of
    output rows in one tile of columns of one image.
    """
    _, rows, columns = tables
    images, out_height, out_numbers = out.shape
    out_width = out_numbers // channels
    bands = (out_height + band - 1) // band
    tiles = (out_width + tile - 1) // tile
    for task in prange(images * bands * tiles):
        x = task % tiles * tile
        y = task // tiles % bands * band
        image = task // (tiles * bands)
        part = (y, min(y + band, out_height), x, min(x + tile, out_width))
        _part_means(source[image], rows, columns, size, channels, left, part, value, division, out[image])


@loop(parallel=False)
def _part_means(source, rows, columns, size, channels, left, part, value, division, out):
    """Rows ``y`` to ``y_end``, columns ``x`` to ``x_end`` of ``out`` (OH, OW*C) from ``source`` (H, W*C); checked."""
    height, width = size
    y, y_end, x, x_end = part
    count = (x_end - x) * channels
    # Of the padded columns of this part, those from ``body`` to ``body_end`` are columns of the source side by side.
    padded = x_end - x + width - 1
    body = min(max(left - x, 0), padded)
    body_end = max(min(left + source.shape[1] // channels - x, padded), body)
    inside = (x + body - left) * channels
    short = height * width <= _MOST_SHORT and width <= _MOST_COLUMNS
    levels = np.zeros((4 if short else 1, padded * channels), np.uint16)
    starts = np.zeros(5, np.int64)
    runs = _runs_of(width, channels, padded * channels, starts) if short else 0
    steps, sums = np.empty(0 if short else count, np.int16), np.empty(0 if short else count, np.int32)
    down = levels[0]
    middle = down[body * channels : body_end * channels]
    for row in range(y, y + height):
        _add_row(down, source, rows[row], columns[x : x + padded], body, body_end, channels, value, np.int16(1))
    for row in range(y, y_end):
        if row > y:
            left_row, new_row = rows[row - 1], rows[row + height - 1]
            if left_row >= 0 and new_row >= 0:
                end = inside + middle.shape[0]
                _move_down(middle, source[left_row, inside:end], source[new_row, inside:end])
                for first, last in ((0, body), (body_end, padded)):
                    _add_pixels(down, source[new_row], columns[x:], first, last, channels, value, np.int16(1))
                    _add_pixels(down, source[left_row], columns[x:], first, last, channels, value, np.int16(-1))
            else:
                for each, sign in ((left_row, np.int16(-1)), (new_row, np.int16(1))):
                    _add_row(down, source, each, columns[x : x + padded], body, body_end, channels, value, sign)
        target = out[row, x * channels : x * channels + count]
        if short:
            _double(levels, width, channels)
            _means_of_runs(levels.reshape(-1), starts, runs, division, target)
        else:
            _sum_across(down, width, channels, steps, sums)
            _divide(sums, division, target)


@loop(parallel=False)
def _move_down(down, old, new):
    """Column sums (n) one row farther down; checked arguments."""
    for i in range(down.shape[0]):
        down[i] = np.uint16(down[i] + new[i] - old[i])


@loop(parallel=False)
def _add_row(down, source, row, columns, body, body_end, channels, value, sign):
    """Add ``sign`` times one row of the part, -1 for a row of ``value``, to its column sums; checked arguments."""
    if row < 0:
        down += np.uint16(sign * np.int16(value))
        return
    pixels = source[row]
    _add_pixels(down, pixels, columns, 0, body, channels, value, sign)
    if body_end > body:
        first = columns[body] * channels
        target = down[body * channels : body_end * channels]
        run = pixels[first : first + target.shape[0]]
        for i in range(target.shape[0]):
            target[i] = np.uint16(target[i] + sign * np.int16(run[i]))
    _add_pixels(down, pixels, columns, body_end, columns.shape[0], channels, value, sign)


@loop(parallel=False)
def _add_pixels(down, pixels, columns, first, last, channels, value, sign):
    """Add ``sign`` times the padded columns ``first`` to ``last``, through the column table; checked arguments."""
    for x in range(first, last):
        for channel in range(channels):
            pixel = value if columns[x] < 0 else pixels[columns[x] * channels + channel]
            at = x * channels + channel
            down[at] = np.uint16(down[at] + sign * np.int16(pixel))


@loop(parallel=False)
def _runs_of(width, channels, stride, starts):
    """Where the runs begin that add up to ``width`` columns, in rows of ``stride`` numbers; returns how many they are.

    Up to five columns are added up as they are. Of more, row r of the levels has the sums of 2**r neighbours.
    """
    if width <= 5:
        for column in range(width):
            starts[column] = column * channels
        return width
    begin, runs = 0, 0
    while begin < width:
        level = 3
        while 1 << level > width - begin:
            level -= 1
        starts[runs] = level * stride + begin * channels
        begin += 1 << level
        runs += 1
    return runs


@loop(parallel=False)
def _double(levels, width, channels):
    """Sums of 2, 4 and 8 neighbours of ``levels[0]`` in the next rows, as far as `_runs_of` needs; checked."""
    level = 0
    while width > 5 and level < 3 and 2 << level <= width:
        sums, length = levels[level], channels << level
        ahead, twice = sums[length:], levels[level + 1]
        for i in range(ahead.shape[0]):
            twice[i] = sums[i] + ahead[i]
        level += 1


@loop(parallel=False)
def _means_of_runs(flat, starts, runs, division, target):
    """Means (n) of one to five runs of numbers added up; arguments are already checked.

    One loop for each number of runs: what they add up to never leaves the registers.
    """
    factor, grid = division.factor, division.grid
    a, b, c, d, e = flat[starts[0] :], flat[starts[1] :], flat[starts[2] :], flat[starts[3] :], flat[starts[4] :]
    if runs == 1:
        for i in range(target.shape[0]):
            mean = np.float32(np.int32(a[i])) * factor
            target[i] = np.int32(np.rint((mean + grid) - grid))
    elif runs == 2:
        for i in range(target.shape[0]):
            mean = np.float32(np.int32(np.uint16(a[i] + b[i]))) * factor
            target[i] = np.int32(np.rint((mean + grid) - grid))
    elif runs == 3:
        for i in range(target.shape[0]):
            mean = np.float32(np.int32(np.uint16(a[i] + b[i] + c[i]))) * factor
            target[i] = np.int32(np.rint((mean + grid) - grid))
    elif runs == 4:
        for i in range(target.shape[0]):
            mean = np.float32(np.int32(np.uint16(a[i] + b[i] + c[i] + d[i]))) * factor
            target[i] = np.int32(np.rint((mean + grid) - grid))
    else:
        for i in range(target.shape[0]):
            mean = np.float32(np.int32(np.uint16(a[i] + b[i] + c[i] + d[i] + e[i]))) * factor
            target[i] = np.int32(np.rint((mean + grid) - grid))


@loop(parallel=False)
def _sum_across(down, width, channels, steps, sums):
    """Sums (n) of ``width`` neighbouring pixels of ``down`` by running sums; arguments are already checked.

    The differences are taken first, in vectors: what is left for one number after the other is an addition.
    """
    ahead = down[width * channels :]
    for i in range(ahead.shape[0]):
        steps[i] = np.int16(ahead[i] - down[i])
    for channel in range(channels):
        total = np.int32(0)
        for x in range(width):
            total += np.int32(down[x * channels + channel])
        sums[channel] = total
    pixels = sums.shape[0] // channels
    if channels == 3:  # three sums side by side: 2.6 times as fast as one channel after the other
        red, green, blue = np.int32(sums[0]), np.int32(sums[1]), np.int32(sums[2])
        for x in range(1, pixels):
            red = np.int32(red + steps[3 * x - 3])
            green = np.int32(green + steps[3 * x - 2])
            blue = np.int32(blue + steps[3 * x - 1])
            sums[3 * x] = red
            sums[3 * x + 1] = green
            sums[3 * x + 2] = blue
        return
    for channel in range(channels):
        total = np.int32(sums[channel])
        for x in range(1, pixels):
            total = np.int32(total + steps[(x - 1) * channels + channel])
            sums[x * channels + channel] = total


@loop(parallel=False)
def _divide(sums, division, target):
    """Sums (n) to rounded means (n); arguments are already checked."""
    factor, grid = division.factor, division.grid
    for i in range(target.shape[0]):
        mean = np.float32(np.int32(sums[i])) * factor
        target[i] = np.int32(np.rint((mean + grid) - grid))
