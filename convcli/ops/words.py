"""Arrays as rows of machine words, for operations that move values without looking at them."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.budget import check_memory, shown_size
from convcli.errors import ShapeError
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array, as_array
from convcli.ops.scratch import aligned, given_back

_SMALL = 1 << 26  # bytes that need not be counted


def as_words(array: Array) -> tuple[NDArray[Any], int]:
    """View (N, D, H, W, C) as unsigned words (N, D, H, W * pixel); returns the view and words per pixel."""
    word = np.dtype(f"u{min(array.dtype.itemsize, 8)}")
    words = array.reshape(*array.shape[:3], -1).view(word)
    return words, array.shape[4] * array.dtype.itemsize // word.itemsize


def read_only(array: Array) -> Array:
    """A view that cannot be written: loops then compile one signature, not a second one for read-only arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


def value_words(value: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A fill value as the words of one number of ``dtype``; raises `ShapeError` if the dtype cannot hold it exactly.

    Floats are rounded to a float dtype as numpy rounds them; integers and booleans have to be met exactly.
    """
    number = as_array("value", value, "one number")
    if number.ndim or number.dtype.kind not in "buif":
        raise ShapeError(f"value: got {shortened(repr(value))}, expected one number")
    if dtype.kind in "bui":
        low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        exact = number.item()
        if exact != exact or not low <= exact <= high or exact != int(exact):
            raise ShapeError(f"value: got {value!r}, expected a whole number from {low} to {high} for {dtype} images")
        number = np.asarray(int(exact), dtype)
    with np.errstate(over="ignore"):
        number = number.astype(dtype)
    return number.reshape(1).view(np.dtype(f"u{min(dtype.itemsize, 8)}"))


def new_array(shape: tuple[int, ...], dtype: np.dtype[Any], *, zeros: bool = False, lined: bool = False) -> Array:
    """A new array, if wanted one that begins with a cache line, or one clear line where there is no memory for it.

    Allocated by numpy and not in a loop: numpy asks for huge pages, which is worth 20 ms on 72 MB.
    """
    size = np.dtype(dtype).itemsize * prod(map(int, shape))
    if size > _SMALL:
        check_memory(size, f"result: got shape {shape}", ShapeError)
    if not (lined or zeros) and (found := given_back(size)) is not None:
        return found.view(dtype).reshape(shape)
    try:
        if lined:
            return aligned(shape, dtype)
        return np.zeros(shape, dtype) if zeros else np.empty(shape, dtype)
    except (MemoryError, ValueError):
        raise ShapeError(f"result: got shape {shape}, {shown_size(size)}: more memory than there is") from None
