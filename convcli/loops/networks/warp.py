"""Augmentation: every picture of a batch moved by a map of its own and sampled once.

Each image has six numbers that map a place of the result to a place of the source, and one seed from which its elastic
displacement grows: random numbers on a coarse grid of knots, spread over the pixels by Gaussian weights.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange

# Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014: the generator SplitMix64.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_SPREAD = np.float64(2 * 3**0.5 / 2**32)  # 32 random bits become a number of variance 1
_HALF = np.float64(2**31)


@loop(parallel=False)
def _bits(seed, count):
    """SplitMix64's output number ``count`` (from 0) after ``seed``, both uint64."""
    z = seed + _STEP * (count + np.uint64(1))
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@loop(parallel=False)
def _knots(seed, noise):
    """Fill (2, KH, KW) with numbers of mean 0 and variance 1: one hash for a knot's two directions."""
    _, rows, columns = noise.shape
    for row in range(rows):
        for column in range(columns):
            bits = _bits(seed, np.uint64(row * columns + column))
            noise[0, row, column] = (np.float64(bits >> _32) - _HALF) * _SPREAD
            noise[1, row, column] = (np.float64(bits & _LOW) - _HALF) * _SPREAD


@loop(parallel=False)
def _spread_columns(noise, weights, reach, out):
    """Sum knots along rows: (2, KH, KW) noise with (KW, W) weights -> (2, KH, W).

    ``reach`` (KW, 2): the first column that a knot reaches, and the one behind its last.
    """
    out[:] = 0
    directions, rows, columns = noise.shape
    for direction in range(directions):
        for row in range(rows):
            line = out[direction, row]
            for column in range(columns):
                value = noise[direction, row, column]
                for x in range(reach[column, 0], reach[column, 1]):
                    line[x] += value * weights[column, x]


@loop(parallel=False)
def _spread_row(lines, weights, first, out):
    """One row of the displacement (2, W): lines of knots (2, KH, W) from ``first`` on, with (T) weights."""
    out[:] = 0
    for direction in range(2):
        line = out[direction]
        for tap in range(weights.shape[0]):
            weight = weights[tap]
            source = lines[direction, first + tap]
            for x in range(line.shape[0]):
                line[x] += weight * source[x]


@loop(parallel=False)
def _sample_row(source, y, map_, displacement, out):
    """One row (W, C) of the result; the source (H + 3, W + 3, C) has one zero before each axis and two behind.

    A place outside is moved onto the frame of zeros, so that no pixel needs a question of its own.
    """
    height, width = np.float32(source.shape[0] - 3), np.float32(source.shape[1] - 3)
    row_y, row_x = map_[0] * np.float32(y) + map_[2], map_[3] * np.float32(y) + map_[5]
    one, zero = np.float32(1), np.float32(0)
    for x in range(out.shape[0]):
        # Shifted by one: the frame's first cell is 0.
        at_y = row_y + map_[1] * np.float32(x) + displacement[0, x] + one
        at_x = row_x + map_[4] * np.float32(x) + displacement[1, x] + one
        at_y = min(max(at_y, zero), height + one)
        at_x = min(max(at_x, zero), width + one)
        top, left = np.int32(at_y), np.int32(at_x)
        down, right = at_y - np.float32(top), at_x - np.float32(left)
        for c in range(out.shape[1]):
            a, b = source[top, left, c], source[top, left + 1, c]
            above = a + right * (b - a)
            a, b = source[top + 1, left, c], source[top + 1, left + 1, c]
            below = a + right * (b - a)
            out[x, c] = above + down * (below - above)


@loop
def warp(images, maps, out):
    """Move (N, H, W, C) float32 by (N, 6) float32 maps into ``out``; arguments are already checked.

    A map's numbers: source row = m0 y + m1 x + m2, source column = m3 y + m4 x + m5. Bilinear, zero outside. Each index
    of the parallel loop owns one image; an image is copied before its result is written, so ``out`` may be ``images``.
    """
    count, height, width, channels = images.shape
    for n in prange(count):
        source = np.zeros((height + 3, width + 3, channels), np.float32)
        source[1 : height + 1, 1 : width + 1] = images[n]
        still = np.zeros((2, width), np.float32)
        for y in range(height):
            _sample_row(source, y, maps[n], still, out[n, y])


@loop
def warp_elastic(images, maps, seeds, rows, columns, out):
    """`warp`, each place of the source displaced besides; arguments are already checked.

    ``seeds`` (N) uint64. ``rows``: weights (H, T) of the knots from ``first`` (H) on, and the number of knots.
    ``columns``: weights (KW, W) of each knot and the columns (KW, 2) it reaches. Each index of the parallel loop owns
    one image.
    """
    count, height, width, channels = images.shape
    row_weights, first, knot_rows = rows
    column_weights, reach = columns
    for n in prange(count):
        source = np.zeros((height + 3, width + 3, channels), np.float32)
        source[1 : height + 1, 1 : width + 1] = images[n]
        noise = np.empty((2, knot_rows, reach.shape[0]), np.float32)
        lines = np.empty((2, knot_rows, width), np.float32)
        displacement = np.empty((2, width), np.float32)
        _knots(seeds[n], noise)
        _spread_columns(noise, column_weights, reach, lines)
        for y in range(height):
            _spread_row(lines, row_weights[y], first[y], displacement)
            _sample_row(source, y, maps[n], displacement, out[n, y])
