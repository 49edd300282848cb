"""Norms of windows whose sum of powers leaves the range of float64, as 64000 ** 100 does; the norm itself does not.

Loops take the plain sum (`convcli.ops.pooling_runs`). Where what it gave may have overflowed or vanished, the norm is
taken again from values divided by their window's largest, one axis after the other: a norm of norms is the norm.
Each window decides by itself, so that the bits do not depend on what else is pooled.
"""

from math import log2, prod
from typing import Any

import numpy as np

from convcli.ops.arguments import Array
from convcli.ops.pooling_axes import PoolingAxis

# Powers of two between which a sum of powers is as good as if there were no limits.
_LOWEST, _HIGHEST = -900, 1000


def repair_norms(numbers: Array, axes: tuple[PoolingAxis, ...], p: float, out: Array) -> None:
    """Put right what of ``out`` (N, OD, OH, OW, C), norms of the windows of ``numbers`` (N, D, H, W, C), needs it."""
    taps = prod(int(axis.table[:, 1].max()) for axis in axes)
    bits = {"u1": (0, 8), "u2": (0, 16), "f4": (-149, 128)}.get(numbers.dtype.str[1:])
    if bits and bits[0] * p > _LOWEST and bits[1] * p + log2(taps) < _HIGHEST:
        return
    with np.errstate(over="ignore", under="ignore"):
        low, high = (np.exp2(np.float64(power) / p) for power in (_LOWEST, _HIGHEST))
    doubtful = ~((out > low) & (out < high))
    if doubtful.any():
        np.copyto(out, _norms(numbers, axes, p), where=doubtful, casting="same_kind")


def _norms(numbers: Array, axes: tuple[PoolingAxis, ...], p: float) -> Array:
    norms = np.abs(numbers.astype(np.float64, copy=False))
    for number, axis in enumerate(axes, 1):
        taps = int(axis.table[:, 1].max())
        largest = _tap(norms, axis, number, 0)
        for tap in range(1, taps):
            np.maximum(largest, _tap(norms, axis, number, tap), out=largest)
        divisor = np.where((largest > 0) & np.isfinite(largest), largest, 1)
        total: Any = 0.0
        with np.errstate(all="ignore"):
            for tap in range(taps):
                total = total + (_tap(norms, axis, number, tap) / divisor) ** p
            norms = np.where(np.isfinite(largest), largest * total ** (1 / p), largest)
    return norms


def _tap(array: Array, axis: PoolingAxis, number: int, tap: int) -> Array:
    """What each window of an axis sees at its ``tap``; 0 where it has none."""
    first, count = axis.table[:, 0], axis.table[:, 1]
    inside = tap < count
    values = array.take(np.where(inside, first + tap * axis.dilation, first), number)
    values[(slice(None),) * number + (~inside,)] = 0
    return values
