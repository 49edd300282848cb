"""Arrays for loops that only compare values: every dtype as one of six whose order the loops know."""

from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.errors import ShapeError
from convcli.ops.arguments import Array


def as_ordered(array: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Bring an array to uint8, uint16, uint32, uint64, float32 or float64 with the same order; and the way back.

    Booleans are read as uint8; signed integers have their sign bit turned, which keeps their order as unsigned ones;
    float16 becomes float32. No value is lost on the way. Raises `ShapeError` for floats above 64 bits.
    """
    dtype = array.dtype
    if dtype.kind == "b":
        return array.view(np.uint8), lambda result: result.view(dtype)
    if dtype.kind == "i":
        unsigned = np.dtype(f"u{dtype.itemsize}")
        sign = unsigned.type(1 << (8 * dtype.itemsize - 1))
        return array.view(unsigned) ^ sign, lambda result: (result ^ sign).view(dtype)
    if dtype == np.float16:
        return array.astype(np.float32), lambda result: result.astype(dtype)
    if dtype.itemsize > 8:
        raise ShapeError(f"image: got dtype {dtype}, expected numbers of at most 64 bits")
    return array, lambda result: result


def as_keys(array: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Bring an array to unsigned integers of its own width with the same order, NaN last; and the way back.

    A float's bits are those of a number's size with its sign in front: larger sizes are larger numbers above zero,
    smaller ones below. So all bits of negative numbers are turned, and the sign of the others.
    """
    ordered, restore = as_ordered(array)
    if ordered.dtype.kind != "f":
        return ordered, restore
    dtype, bits = ordered.dtype, 8 * ordered.dtype.itemsize
    signed, unsigned = np.dtype(f"i{dtype.itemsize}"), np.dtype(f"u{dtype.itemsize}")
    sign = np.iinfo(signed).min
    keys = ordered.view(signed) >> (bits - 1)  # all bits of negative numbers, none of the others
    keys |= sign
    keys ^= ordered.view(signed)
    if ordered.size and np.isnan(ordered.min()):
        keys[np.isnan(ordered)] = -1

    def back(result: Array) -> Array:
        turned = ~(result.view(signed) >> (bits - 1))
        turned |= sign
        turned ^= result.view(signed)
        return restore(turned.view(dtype))

    return keys.view(unsigned), back


def lowest(dtype: Any) -> Any:
    """The value of an ordered dtype that never wins as the largest."""
    return dtype.type(-np.inf) if dtype.kind == "f" else dtype.type(0)


def highest(dtype: Any) -> Any:
    """The value of an ordered dtype that never wins as the smallest."""
    return dtype.type(np.inf if dtype.kind == "f" else np.iinfo(dtype).max)
