"""Pictures at another size: each new pixel is a weighted sum of old ones, along the width, then along the height."""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange


@loop
def resample_rows(source, first, weights, channels, low, high, out):
    """Rows (P, H, W*C) at another width, floats ``out`` (P, H, OW*C), clipped; arguments are already checked.

    New column x is the sum of ``weights[x]`` (OW, T) times the columns from ``first[x]`` on; weights beyond the last
    column are 0. Each index of the parallel loop owns one row.
    """
    height, width = out.shape[1], source.shape[2] // channels
    for task in prange(out.shape[0] * height):
        row, target = source[task // height, task % height], out[task // height, task % height]
        sums = np.empty(channels, out.dtype)
        for x in range(weights.shape[0]):
            sums[:] = 0
            for tap in range(min(weights.shape[1], width - first[x])):
                weight, at = weights[x, tap], (first[x] + tap) * channels
                for channel in range(channels):
                    sums[channel] += weight * row[at + channel]
            for channel in range(channels):
                target[x * channels + channel] = min(max(sums[channel], low), high)


@loop
def resample_columns(source, first, weights, low, high, out):
    """Floats (P, H, n) at another height, ``out`` (P, OH, n), clipped; arguments are already checked.

    As `resample_rows`, with rows for columns. Each index of the parallel loop owns one row of ``out``.
    """
    height = out.shape[1]
    for task in prange(out.shape[0] * height):
        plane, y = source[task // height], task % height
        target = out[task // height, y]
        target[:] = 0
        for tap in range(min(weights.shape[1], source.shape[1] - first[y])):
            _add_row(target, plane[first[y] + tap], weights[y, tap])
        for i in range(target.shape[0]):
            target[i] = min(max(target[i], low), high)


@loop(parallel=False)
def _add_row(target, row, weight):
    """Add a row (n) times its weight; arguments are already checked."""
    for i in range(target.shape[0]):
        target[i] += weight * row[i]
