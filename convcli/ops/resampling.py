"""Pictures at another size: Lanczos's window, wide enough that small results leave no pixel out."""

from typing import Any

import numpy as np

from convcli.geometry import LOBES, Resized
from convcli.ops.arguments import Array
from convcli.ops.words import new_array, read_only


def resample(stack: Array, axes: tuple[Resized, Resized], dtype: Any) -> Array:
    """A stack (N, D, H, W, C) at other heights and widths, (N, D, OH, OW, C) in a float ``dtype``; arguments checked.

    Integers are pixels: between the two passes, and after, what lies beyond their range is clipped, as Pillow does it.
    The pass that makes less of the picture comes first; on the same picture it finds less to do.
    Source: C. E. Duchon, "Lanczos Filtering in One and Two Dimensions", J. Applied Meteorology 18, 1979, 1016-1022.
    """
    from convcli.loops.filtering.resampling import resample_columns, resample_rows

    down, across = axes
    of = np.dtype(dtype).type
    is_whole = stack.dtype.kind in "iu"
    low, high = (np.iinfo(stack.dtype).min, np.iinfo(stack.dtype).max) if is_whole else (-np.inf, np.inf)
    images, depth, _, _, channels = stack.shape
    result = np.ascontiguousarray(stack)
    shrinks_down = down.size < down.n and across.size >= across.n
    for axis in (down, across) if shrinks_down else (across, down):
        if axis.size == axis.n:
            continue
        first, weights = _lanczos(axis, dtype)
        shape = list(result.shape)
        shape[2 if axis is down else 3] = axis.size
        out = new_array(tuple(shape), np.dtype(dtype))
        rows = read_only(result.reshape(images * depth, result.shape[2], -1))
        target = out.reshape(images * depth, out.shape[2], -1)
        if axis is down:
            resample_columns(rows, first, weights, of(low), of(high), target)
        else:
            resample_rows(rows, first, weights, channels, of(low), of(high), target)
        result = out
    return result.astype(dtype, copy=False)


def _lanczos(axis: Resized, dtype: Any) -> tuple[Array, Array]:
    """For each new cell the first old one, and the weights of those from there on (OW, T), which sum to 1."""
    taps = [axis.taps(cell) for cell in range(axis.size)]
    first = np.array([each.start for each in taps], np.int64)
    width = max(map(len, taps))
    places = first[:, None] + np.arange(width)
    middles = (np.arange(axis.size)[:, None] + 0.5) * axis.step
    apart = (places + 0.5 - middles) / max(axis.step, 1.0)
    inside = (places < np.array([each.stop for each in taps])[:, None]) & (abs(apart) < LOBES)
    weights = np.where(inside, np.sinc(apart) * np.sinc(apart / LOBES), 0.0)
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)
