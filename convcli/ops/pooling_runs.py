"""Pooling carried out: from a stack, its windows and a mode to a loop."""

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import effective_kernel_size, is_integer
from convcli.kernels.parameters import shortened
from convcli.loops import costs
from convcli.ops.arguments import Array, as_contiguous, as_flag, as_number, loop_dtype, result_dtype
from convcli.ops.ordering import as_ordered, highest, lowest
from convcli.ops.pooling_axes import PoolingAxis, adaptive_axes
from convcli.ops.pooling_norms import repair_norms
from convcli.ops.words import new_array, read_only

if TYPE_CHECKING:
    from convcli.loops.pooling.walk import Walk

MODES = {
    "max": "the largest value",
    "average": "the mean",
    "min": "the smallest value",
    "weighted": "the mean with weights that fall with the distance from the window's centre",
    "lp": "(sum of |value|**p) ** (1/p); p is 2",
    "median": "the middle value, the lower one of two",
    "stochastic": "a value drawn with a chance in proportion to it",
}
CHOOSING = ("max", "min", "median", "stochastic")  # these give values of the window; the others compute
ALIASES = {"avg": "average", "mean": "average", "maximum": "max", "minimum": "min"}
_LARGE = 4  # times the image
# Sums of integers below this are exact in float32, and their means are the same there as if rounded from float64.
_EXACT = 2**24

Axes = tuple[PoolingAxis, ...]


def check_mode(mode: str, count_include_pad: bool = False, p: float = 2.0, seed: int = 0) -> str:
    """One of `MODES`, in any case or by another name; raises `ShapeError` for what it is not or does not take."""
    word = str(mode).lower()
    word = ALIASES.get(word, word)
    if word not in MODES:
        raise ShapeError(f"mode: got {shortened(repr(mode))}, expected {', '.join(MODES)}")
    if as_flag("count_include_pad", count_include_pad) and word not in ("average", "weighted"):
        raise ShapeError(f"count_include_pad: got True with mode {word!r}, expected mode average or weighted")
    if not 0 < as_number("p", p) < np.inf:
        raise ShapeError(f"p: got {shortened(repr(p))}, expected a finite number above 0")
    if not is_integer(seed) or not 0 <= seed < 2**64:
        raise ShapeError(f"seed: got {shortened(repr(seed))}, expected an integer from 0 to 2**64 - 1")
    return word


def pool_stack(
    source: Array,
    axes: tuple[PoolingAxis, ...],
    mode: str,
    count_include_pad: bool,
    p: float = 2.0,
    seed: int = 0,
    drawn: int = 0,
    means: bool | None = None,
    whole: bool = False,
) -> Array:
    """Pool a stack (N, D, H, W, C): ``axes`` are the windows along the last of D, H and W.

    ``drawn`` counts the numbers that ``stochastic`` has drawn before, for other parts of one image; ``means`` is what
    `takes_means` says of all of it, which decides by its borders. With ``whole`` means of 8-bit pixels may come rounded
    half to even, as 8-bit pixels.
    """
    mode = check_mode(mode, count_include_pad, p, seed)
    axes = adaptive_axes(source.shape[1 : 4 - len(axes)], 1) + axes if len(axes) < 3 else axes
    if mode in ("max", "min"):
        return _extrema(source, axes, mode == "max")
    if mode == "median":
        return _medians(source, axes)
    if mode == "stochastic":
        return _drawn(source, axes, seed, drawn)
    if mode == "average" and (takes_means(source.dtype, axes) if means is None else means):
        return _means(source, axes, whole and source.dtype == np.uint8)
    return _sums(source, axes, mode, count_include_pad, float(p))


def _extrema(source: Array, axes: Axes, largest: bool) -> Array:
    from convcli.loops.pooling.extrema import pool_extrema

    ordered, restore = as_ordered(source)
    out = _result(source, axes, ordered.dtype)
    walk = _walk(source, axes, ordered.dtype.itemsize)
    identity = (lowest if largest else highest)(ordered.dtype)
    pool_extrema(_rows(ordered), _tables(axes), walk, identity, None if largest else True, _flat(out))
    return restore(out)


def _medians(source: Array, axes: Axes) -> Array:
    from convcli.loops.pooling.selection import pool_medians

    ordered, restore = as_ordered(source)
    out = _result(source, axes, ordered.dtype)
    dilations = tuple(axis.dilation for axis in axes)
    pool_medians(_rows(ordered), _tables(axes), dilations, source.shape[4], _flat(out))
    return restore(out)


def _drawn(source: Array, axes: Axes, seed: int, drawn: int) -> Array:
    from convcli.loops.pooling.selection import draw_positions

    positions = _result(source, axes, np.dtype(np.int64))
    dilations = tuple(axis.dilation for axis in axes)
    chances = as_contiguous("image", source, loop_dtype(source.dtype))
    draw_positions(_rows(chances), _tables(axes), dilations, source.shape[4], np.uint64(seed), drawn, _flat(positions))
    return np.asarray(source.reshape(-1)[positions])


def _sums(source: Array, axes: Axes, mode: str, count_padding: bool, p: float) -> Array:
    from convcli.loops.pooling.sums import pool_sums

    numbers = as_contiguous("image", source, loop_dtype(source.dtype))
    out = _result(source, axes, result_dtype(numbers.dtype))
    weighted = mode == "weighted"
    walk = _walk(source, axes, 8, by_table=axes[2].stride >= costs.POOL_FAR)
    weights = tuple(axis.weights(weighted) for axis in axes)
    divisors = tuple(axis.divisors(weighted, count_padding) for axis in axes)
    pool_sums(_rows(numbers), _tables(axes), weights, divisors, walk, p if mode == "lp" else 0.0, _flat(out))
    if mode == "lp":
        repair_norms(numbers, axes, p, out)
    return out.astype(result_dtype(source.dtype), copy=False)


def takes_means(pixels: np.dtype[Any], axes: Axes) -> bool:
    """Whether `_means` can do it: all windows have all their taps in the image, and sums of integers are exact."""
    if not axes[2].kernel_size or not all(axis.is_full for axis in axes):
        return False
    dtype = loop_dtype(pixels)
    return dtype.kind == "f" or np.iinfo(dtype).max * prod(axis.taps for axis in axes) < _EXACT


def _means(source: Array, axes: Axes, rounded: bool) -> Array:
    from convcli.loops.pooling.means import Windows, pool_means

    numbers = as_contiguous("image", source, loop_dtype(source.dtype))
    out = _result(source, axes, source.dtype if rounded else result_dtype(numbers.dtype))
    depth, height, width = axes
    channels, (planes, rows, columns) = source.shape[4], (axis.taps for axis in axes)
    taps, whole = planes * rows * columns, numbers.dtype.kind == "u"
    short = whole and np.iinfo(numbers.dtype).max * taps < 2**16
    sums = np.empty(0, np.uint16 if short else np.int32 if whole else np.float64)
    multiplies = taps.bit_count() == 1
    divisor = np.array([1 / taps if multiplies else taps], np.float32 if whole else np.float64)
    alike = (planes, rows, columns, width.stride, width.dilation) == (1, 2, 2, 2, 1)
    two_by_two = alike and (channels == 1 or (channels == 3 and rounded))
    windows = Windows(
        channels, planes, rows, columns, depth.dilation, height.dilation, width.dilation, width.stride,
        _tile(width, columns, channels * sums.itemsize), divisor, multiplies, two_by_two, rounded,
    )  # fmt: skip
    pool_means(_rows(numbers), _tables(axes), windows, sums, _flat(out))
    return out if rounded else out.astype(result_dtype(source.dtype), copy=False)


def _walk(source: Array, axes: Axes, itemsize: int, *, by_table: bool = False) -> "Walk":
    """Steps and tiles for row buffers of numbers of ``itemsize``."""
    from convcli.loops.pooling.walk import Walk

    width, channels = axes[2], source.shape[4]
    kernel = width.kernel_size
    beyond = effective_kernel_size(kernel, width.dilation) - 1 if kernel else 0
    # A buffer holds a window whole, and most of one that is far larger than the image would be padding.
    if by_table or beyond > _LARGE * source.shape[3]:
        kernel = 0
    z, y, x = (axis.dilation for axis in axes)
    return Walk(channels, z, y, x, width.stride, width.before, kernel, _tile(width, kernel, channels * itemsize))


def _tile(width: PoolingAxis, kernel: int, pixel_bytes: int) -> int:
    """Output columns under which the pixels of a row buffer fit the cache, for windows of ``kernel`` taps or 0."""
    beyond = effective_kernel_size(kernel, width.dilation) - 1 if kernel else 0
    # A tile should not be less than what hangs over it.
    return max((costs.POOL_TILE_BYTES // pixel_bytes - beyond) // width.stride, beyond // width.stride, 1)


def _result(source: Array, axes: Axes, dtype: np.dtype[Any]) -> Array:
    return new_array((source.shape[0], *(len(axis.table) for axis in axes), source.shape[4]), dtype)


def _tables(axes: Axes) -> tuple[Array, ...]:
    return tuple(axis.table for axis in axes)


def _flat(array: Array) -> Array:
    return array.reshape(*array.shape[:3], -1)


def _rows(array: Array) -> Array:
    return read_only(_flat(array))
