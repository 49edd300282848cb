"""Large kernels on 8-bit pixels by Fourier transforms: whether they pay, the size of blocks, the kernel's transform.

Only whole pixels of a known range: what a transform rounds away is small beside the largest number of its block, which
says nothing about a float picture's darkest, and NaN would fill the block. A block's place in the picture decides how
its sums are rounded off, so part of a picture can differ from the whole where a sum lies nearly between two values.
Sums that lie right between two, as in areas of one value, all go to the even one: see `_step_of`.

`convcli.ops.stacks` asks and calls; the loop is `convcli.loops.filtering.fourier`.
"""

from itertools import product
from math import prod

import numpy as np

from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops.arguments import Array
from convcli.ops.plan import CorrelationPlan, has_exact_sums
from convcli.ops.sums import Correlation

_MOST_ERROR = 0.05  # of a pixel's step
_ERROR = 32 * 2.0**-24 * 255  # of a sum whose weights' magnitudes add up to 1, at most
_OFFSET = 128.0  # the middle of 8-bit pixels: what is transformed is half as large, and so are its rounding errors


def run_fourier(asked: Correlation) -> tuple[Array, int]:
    """Correlate uint8 into uint8; returns the result, and how many of its numbers are out of range."""
    from convcli.loops.filtering.fourier import Blocks, Spectrum, correlate_blocks
    from convcli.loops.filtering.fourier_vectors import LANES, frequencies, twiddles

    result, out = asked.new_out()
    images, planes, *sizes, channels = result.shape
    depth, height, width = asked.moves
    (rows, columns), _ = _block_of((height, width), tuple(sizes))
    valid = rows - height.effective + 1, columns - width.effective + 1
    blocks = Blocks(rows, columns, *valid, channels, width.before, depth.stride)
    weights = asked.plan.weights[0] * asked.scale
    spread = np.zeros((rows, columns))
    spread[: height.effective : height.dilation, : width.effective : width.dilation] = weights
    transform: Array = np.fft.fft2(spread).conj() / (rows * columns)
    grouped = transform[np.ix_(frequencies(rows), frequencies(columns))].reshape(rows // LANES, LANES, columns)
    re, im = (np.ascontiguousarray(part.swapaxes(1, 2), np.float32) for part in (grouped.real, grouped.imag))
    spectrum = Spectrum(re.reshape(-1), im.reshape(-1), twiddles(rows), twiddles(columns))
    numbers = asked.numbers(asked.dtype)
    step = _step_of(asked.plan, float(numbers.border_value), asked.scale)
    bias = numbers.bias.dtype.type(numbers.bias + _OFFSET * asked.plan.weights.sum() * asked.scale)
    pairs = -(-prod(-(-n // size) for n, size in zip(sizes, valid, strict=True)) * channels // 2)
    outside = np.zeros(min(images * planes * pairs, costs.PARTS), np.int64)
    given = numbers._replace(bias=bias), np.float32(_OFFSET), np.float32(step)
    correlate_blocks(asked.rows, asked.tables, blocks, spectrum, *given, outside, out)
    return result, int(outside.sum())


def cost(asked: Correlation) -> float:
    """What transforms cost for each number of the result, in taps of a general kernel.

    Infinite where they cannot do it, or not as exactly as what the plan says.
    """
    plan, border, windows = asked.plan, asked.border.constant, asked.moves
    eight_bits = asked.source.dtype == asked.store.dtype == np.uint8
    if plan.method not in ("taps", "sum") or not eight_bits or windows[0].kernel_size > 1:
        return np.inf
    if any(window.stride > 1 for window in windows[1:]) or has_exact_sums(plan.weights):
        return np.inf
    if not _error_of(plan, border, asked.scale) <= _MOST_ERROR:  # of a border of NaN neither is true
        return np.inf
    return _block_of(windows[1:], asked.out_shape[2:4])[1]


def _error_of(plan: CorrelationPlan, border: float, scale: float) -> float:
    """How far from the exact sum a sum can be at most."""
    return _ERROR * max(abs(border - _OFFSET) / _OFFSET, 1) * plan.magnitude * abs(scale)


def _step_of(plan: CorrelationPlan, border: float, scale: float) -> float:
    """What sums are made multiples of before they become pixels: a power of two, half the largest error or a bit more.

    Without it rounding errors would decide where a sum lies right between two pixels, and an area of one value, scaled
    by a half, would come out in two. Measured, such sums are off by less than half a step: at most 5e-5 of 1.2e-4.
    """
    return float(2.0 ** np.ceil(np.log2(max(_error_of(plan, border, scale), _ERROR) / 2)))


def _block_of(windows: tuple[Window, ...], out_sizes: tuple[int, ...]) -> tuple[tuple[int, int], float]:
    """Rows and columns of the blocks that cost least, and their cost for each number of an output (H, W), in taps."""
    (height, width), taps = windows, costs.costs().fourier_taps
    best, least = (0, 0), np.inf
    for rows, columns in product(taps, repeat=2):
        valid = rows - height.effective + 1, columns - width.effective + 1
        if min(valid) > 0:
            blocks = prod(-(-n // step) for n, step in zip(out_sizes, valid, strict=True))
            cost = blocks * rows * columns * taps[max(rows, columns)] / prod(out_sizes)
            if cost < least:
                best, least = (rows, columns), cost
    return best, least
