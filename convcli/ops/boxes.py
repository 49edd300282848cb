"""Boxes of equal weights on integer pixels: whether their sums can run, and running them.

`convcli.ops.stacks` asks and calls; the loops are `convcli.loops.means` (8 bits to 8 bits) and `convcli.loops.box`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import Window
from convcli.ops.arguments import Array

if TYPE_CHECKING:
    from convcli.loops.correlation import Numbers

_BANDS = 64  # enough for an even load on many cores
# Numbers in a row of a part: below this a row of 6000 RGB pixels is best left whole (3x3: 19.9 ms, in quarters 22.1).
_MOST_NUMBERS = 32 * 1024


def means_of(windows: tuple[Window, ...], weight: float, border: str, value: float) -> bool:
    """Whether ``weight`` makes sums of 8-bit pixels means that `run_means` can compute, each result in the range."""
    from convcli.loops.means import MOST_ROWS, division_by

    height, width = windows[1].kernel_size, windows[2].kernel_size
    n = height * width
    # The weight as the reciprocal of an integer is off by 2**-53; so far off nobody means anything else.
    is_mean = abs(weight * n - 1) < 1e-14 and height <= MOST_ROWS and division_by(n) is not None
    whole = border != "constant" or (float(value).is_integer() and 0 <= value <= 255)
    return _is_dense(windows) and is_mean and whole


def sums_of(windows: tuple[Window, ...], border: str, value: float) -> bool:
    """Whether `run_sums` can compute the sums of integer pixels under these windows."""
    whole = border != "constant" or (float(value).is_integer() and abs(value) < 2**31)
    return _is_dense(windows) and whole


def _is_dense(windows: tuple[Window, ...]) -> bool:
    return windows[0] == Window(1) and all(window.stride == window.dilation == 1 for window in windows)


def run_means(
    source: Array, tables: tuple[Array, ...], windows: tuple[Window, ...], channels: int, value: float, out: Array
) -> None:
    """Means of (N, 1, H, W*C) uint8 into ``out`` (N, 1, OH, OW*C) uint8; arguments are already checked."""
    from convcli.loops.means import box_means, division_by

    height, width = windows[1].kernel_size, windows[2].kernel_size
    out_width = out.shape[3] // channels
    tiles = -(-out.shape[3] // _MOST_NUMBERS)
    constant = np.uint8(value if tables[1].min() < 0 or tables[2].min() < 0 else 0)
    flat = source[:, 0]
    flat.flags.writeable = False  # one signature to compile, not one for read-only arrays and one for others
    box_means(
        flat, tables, (height, width), channels, windows[2].before, -(-out_width // tiles),
        _band(out.shape[2], height), constant, division_by(height * width), out[:, 0],
    )  # fmt: skip


def run_sums(
    source: Array,
    tables: tuple[Array, ...],
    windows: tuple[Window, ...],
    weight: float,
    numbers: "Numbers",
    channels: int,
    value: float,
    out: Array,
) -> int:
    """Weighted sums of integers (N, 1, H, W*C) into ``out`` (N, 1, OH, OW*C); returns how many are out of range."""
    from convcli.loops.box import box

    height, width = windows[1].kernel_size, windows[2].kernel_size
    largest = max(np.iinfo(source.dtype).max, abs(value)) * height * width
    integers: np.ndarray[Any, Any] = np.zeros(0, np.int32 if largest < 2**31 else np.int64)
    constant = integers.dtype.type(int(value) * height) if tables[1].min() < 0 or tables[2].min() < 0 else 0
    band = _band(out.shape[2], height)
    outside = np.zeros(out.shape[0] * -(-out.shape[2] // band), np.int64)
    weights = np.array([weight], numbers.bias.dtype)
    source.flags.writeable = False
    box(
        source, tables, (height, width), channels, windows[2].before, band, weights, integers.dtype.type(constant),
        numbers, integers, outside, out,
    )  # fmt: skip
    return int(outside.sum())


def _band(out_height: int, height: int) -> int:
    """Output rows in a band: its first row sums a whole window, so a low band would spend its time on that."""
    return max(-(-out_height // _BANDS), min(2 * height, -(-out_height // 8)))
