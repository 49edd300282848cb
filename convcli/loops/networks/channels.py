"""Sums of each channel, and straight lines for each channel, with ReLU: batch normalisation.

All arrays are flat, (pixels * channels). What there is for each channel is given as often as fits into a *run* of some
hundred numbers, pixel after pixel: vectors of a whole run are several times as fast as those of one pixel's channels.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.costs import RUNS


@loop
def channel_sums(values, partial):
    """Sums of ``values`` (n) and of their squares into ``partial`` (chunks, 2, run), in float64; checked arguments.

    The chunks are equal numbers of runs, whatever the number of threads. Each index owns one chunk.
    """
    chunks, _, run = partial.shape
    runs = -(-values.shape[0] // run)
    for index in prange(chunks):
        chunk = np.int64(index)
        sums, squares = partial[chunk, 0], partial[chunk, 1]
        sums[:] = 0
        squares[:] = 0
        for place in range(runs * chunk // chunks, runs * (chunk + 1) // chunks):
            numbers = values[place * run : (place + 1) * run]
            for i in range(len(numbers)):
                value = np.float64(numbers[i])
                sums[i] += value
                squares[i] += value * value


@loop
def gradient_sums(gradient, values, slope, start, floor, partial):
    """Sums of ``gradient`` and of ``gradient * values`` (n), where ReLU let the values' line pass, into ``partial``.

    As `channel_sums`; the line is `channel_lines`'s. Checked arguments; each index owns one chunk.
    """
    chunks, _, run = partial.shape
    runs = -(-values.shape[0] // run)
    nothing = gradient.dtype.type(0)
    for index in prange(chunks):
        chunk = np.int64(index)
        sums, products = partial[chunk, 0], partial[chunk, 1]
        sums[:] = 0
        products[:] = 0
        for place in range(runs * chunk // chunks, runs * (chunk + 1) // chunks):
            numbers, shares = values[place * run : (place + 1) * run], gradient[place * run : (place + 1) * run]
            for i in range(len(numbers)):
                share = shares[i]
                share = nothing if slope[i] * numbers[i] + start[i] <= floor else share
                sums[i] += np.float64(share)
                products[i] += np.float64(share) * np.float64(numbers[i])


@loop
def channel_lines(values, slope, start, floor, out):
    """``out = max(slope * values + start, floor)`` (n), the slopes and starts those of a run; a NaN stays.

    Arguments are already checked. Each index owns some runs.
    """
    run = slope.shape[0]
    numbers = run * RUNS
    for index in prange(-(-values.shape[0] // numbers)):
        first = np.int64(index) * numbers
        for begin in range(first, min(first + numbers, values.shape[0]), run):
            given, target = values[begin : begin + run], out[begin : begin + run]
            for i in range(len(target)):
                line = slope[i] * given[i] + start[i]
                target[i] = floor if line <= floor else line


@loop
def gradient_lines(gradient, values, slope, start, floor, tilt, shift, out):
    """``out = slope * gradient + tilt * values + shift`` (n), without gradient where ReLU let nothing pass.

    As in `gradient_sums`. Arguments are already checked. Each index owns some runs.
    """
    run = slope.shape[0]
    numbers = run * RUNS
    nothing = gradient.dtype.type(0)
    for index in prange(-(-values.shape[0] // numbers)):
        first = np.int64(index) * numbers
        for begin in range(first, min(first + numbers, values.shape[0]), run):
            given, shares, target = values[begin : begin + run], gradient[begin : begin + run], out[begin : begin + run]
            for i in range(len(target)):
                value, share = given[i], shares[i]
                share = nothing if slope[i] * value + start[i] <= floor else share
                target[i] = slope[i] * share + (tilt[i] * value + shift[i])
