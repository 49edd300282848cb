"""Boxes of equal weights on integer pixels: whether their sums can run, and running them.

`convcli.ops.stacks` asks and calls; the loops are in `convcli.loops.filtering`: `means` (8 bits to 8 bits) and `box`.
"""

from typing import Any

import numpy as np

from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops.arguments import Array
from convcli.ops.sums import Correlation


def gives_means(asked: Correlation) -> bool:
    """Whether sums of 8-bit pixels are means that `run_means` can compute, each result in the range."""
    from convcli.loops.filtering.means import MOST_ROWS, division_by

    store, border = asked.store, asked.border
    eight_bits = asked.source.dtype == store.dtype == np.uint8 and store.low <= 0 and store.high >= 255
    if not (eight_bits and asked.bias == 0 and _is_dense(asked) and border.is_whole(0, 255)):
        return False
    _, height, width = asked.plan.weights.shape
    # The weight as the reciprocal of an integer is off by 2**-53; so far off nobody means anything else.
    is_mean = abs(asked.weight * height * width - 1) < 1e-14
    return is_mean and height <= MOST_ROWS and division_by(height * width) is not None


def may_run(asked: Correlation) -> bool:
    """Whether `run_sums` can compute the sums of integer pixels."""
    return _is_dense(asked) and asked.border.is_whole(1 - 2**31, 2**31 - 1)


def _is_dense(asked: Correlation) -> bool:
    windows = asked.moves
    is_flat = asked.is_one_plane and windows[0] == Window(1)
    return is_flat and all(window.stride == window.dilation == 1 for window in windows)


def run_means(asked: Correlation) -> tuple[Array, int]:
    """The means of 8-bit pixels, and 0: none of them is outside their range."""
    from convcli.loops.filtering.means import box_means, division_by

    (result, out), tables, (_, down, across) = asked.new_out(), asked.tables, asked.moves
    height, width, channels = down.kernel_size, across.kernel_size, asked.source.shape[4]
    tiles = -(-out.shape[3] // costs.BOX_ROW_NUMBERS)
    constant = np.uint8(asked.border.value if _meets_constant(tables) else 0)
    box_means(
        asked.rows[:, 0], tables, (height, width), channels, across.before, -(-result.shape[3] // tiles),
        _band(out.shape[2], height), constant, division_by(height * width), out[:, 0],
    )  # fmt: skip
    return result, 0


def run_sums(asked: Correlation) -> tuple[Array, int]:
    """The weighted sums of integers, and how many are out of range."""
    from convcli.loops.filtering.box import box

    (result, out), tables, (_, down, across) = asked.new_out(), asked.tables, asked.moves
    height, width, value = down.kernel_size, across.kernel_size, asked.border.value
    largest = max(np.iinfo(asked.source.dtype).max, abs(value)) * height * width
    integers: np.ndarray[Any, Any] = np.zeros(0, np.int32 if largest < 2**31 else np.int64)
    constant = integers.dtype.type(int(value) * height if _meets_constant(tables) else 0)
    band = _band(out.shape[2], height)
    outside = np.zeros(out.shape[0] * -(-out.shape[2] // band), np.int64)
    of = asked.dtype.type
    numbers = asked.store.numbers(of, of(value), asked.bias)
    box(
        asked.rows, tables, (height, width), asked.source.shape[4], across.before, band, np.array([asked.weight], of),
        constant, numbers, integers, outside, out,
    )  # fmt: skip
    return result, int(outside.sum())


def _meets_constant(tables: tuple[Array, ...]) -> bool:
    return bool(tables[1].min() < 0 or tables[2].min() < 0)


def _band(out_height: int, height: int) -> int:
    """Output rows in a band: its first row sums a whole window, so a low band would spend its time on that."""
    return max(-(-out_height // costs.PARTS), min(2 * height, -(-out_height // 8)))
