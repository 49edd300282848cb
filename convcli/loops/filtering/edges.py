"""Canny's last two steps: thinning slopes to ridges, and following ridges from where they are strong."""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange


@loop(parallel=False)
def _magnitudes(across, down, y, target):
    """Gradient magnitudes of row ``y`` (W), mirrored by a pixel at either end; arguments are already checked."""
    first, second, inside = across[y], down[y], target[1:-1]
    for x in range(inside.shape[0]):
        inside[x] = np.sqrt(first[x] * first[x] + second[x] * second[x])
    target[0], target[-1] = inside[min(1, inside.shape[0] - 1)], inside[max(inside.shape[0] - 2, 0)]


@loop
def thin(across, down, low, high, marks):
    """Mark in ``marks`` (H, W) uint8 where the gradient (``across``, ``down``: H, W) is largest along its direction.

    1 from ``low`` on, 2 from ``high`` on, else 0. The neighbours up and down the slope lie between pixels and are
    interpolated, those outside mirrored; of two equal ones the upper is kept. Arguments are already checked. Each index
    of the parallel loop owns one row of ``marks``.
    """
    height, width = marks.shape
    for y in prange(height):
        # Three rows in one buffer: neighbours are then offsets, whatever the direction.
        stride = width + 2
        slopes = np.empty(3 * stride, across.dtype)
        above, below = y - 1 if y else min(1, height - 1), y + 1 if y < height - 1 else max(height - 2, 0)
        _magnitudes(across, down, above, slopes[:stride])
        _magnitudes(across, down, y, slopes[stride : 2 * stride])
        _magnitudes(across, down, below, slopes[2 * stride :])
        for x in range(width):
            here = stride + x + 1
            slope = slopes[here]
            mark = 0
            if slope >= low and slope > 0:
                step_x = 1 if across[y, x] > 0 else -1
                step_y = stride if down[y, x] > 0 else -stride
                run, rise = abs(across[y, x]), abs(down[y, x])
                straight = step_x if run >= rise else step_y
                share = rise / run if run >= rise else run / rise
                upper = slopes[here + straight] * (1 - share) + slopes[here + step_x + step_y] * share
                lower = slopes[here - straight] * (1 - share) + slopes[here - step_x - step_y] * share
                if slope > upper and slope >= lower:
                    mark = 2 if slope >= high else 1
            marks[y, x] = mark


@loop(parallel=False)
def follow(marks, stack):
    """Turn each 2 in ``marks`` (H, W), and each 1 that touches it through others, into 3; checked arguments.

    ``stack`` (pixels marked) int64 is working memory. Neighbours are eight. The result does not depend on the order.
    """
    height, width = marks.shape
    for seed in range(height * width):
        if marks[seed // width, seed % width] != 2:
            continue
        marks[seed // width, seed % width] = 3
        stack[0], waiting = seed, 1
        while waiting:
            waiting -= 1
            y, x = stack[waiting] // width, stack[waiting] % width
            for row in range(max(y - 1, 0), min(y + 2, height)):
                for column in range(max(x - 1, 0), min(x + 2, width)):
                    if marks[row, column] == 1 or marks[row, column] == 2:
                        marks[row, column] = 3
                        stack[waiting] = row * width + column
                        waiting += 1
