"""Loops over (pixels, channels): sums of each channel, and a straight line for each channel. Batch normalisation."""

import numpy as np
from numba import prange

from convcli.loops.compiler import loop

ROWS = 256  # pixels a thread owns at a time in `channel_lines`


@loop
def channel_sums(first, second, partial):
    """Sums of ``first`` and of ``first * second`` (P, C) into ``partial`` (chunks, 2, C), in float64.

    The chunks are equal runs of pixels, whatever the number of threads. Checked arguments; each index owns one chunk.
    """
    chunks, pixels = partial.shape[0], first.shape[0]
    for chunk in prange(chunks):
        sums, products = partial[chunk, 0], partial[chunk, 1]
        sums[:] = 0
        products[:] = 0
        for pixel in range(chunk * pixels // chunks, (chunk + 1) * pixels // chunks):
            for channel in range(first.shape[1]):
                value = np.float64(first[pixel, channel])
                sums[channel] += value
                products[channel] += value * np.float64(second[pixel, channel])


@loop
def channel_lines(first, second, slope, other_slope, start, out):
    """``out = slope * first + other_slope * second + start`` (P, C), the slopes and starts one for each channel (C).

    Arguments are already checked. Each index owns a run of pixels.
    """
    pixels = first.shape[0]
    for chunk in prange((pixels + ROWS - 1) // ROWS):
        for pixel in range(chunk * ROWS, min((chunk + 1) * ROWS, pixels)):
            for channel in range(first.shape[1]):
                line = slope[channel] * first[pixel, channel] + other_slope[channel] * second[pixel, channel]
                out[pixel, channel] = line + start[channel]
