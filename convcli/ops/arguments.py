"""Checks shared by the array functions: images and kernels as the loops want them, or one clear line."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, ShapeError

Array = NDArray[Any]

# The layouts a public image function takes, by the number of spatial axes.
_LAYOUTS = {
    2: {2: "(H, W)", 3: "(H, W, C)", 4: "(N, H, W, C)"},
    3: {3: "(D, H, W)", 4: "(D, H, W, C)", 5: "(N, D, H, W, C)"},
}


class Stack(NamedTuple):
    """An array as every loop takes it, and what is needed to give the result the caller's layout back."""

    array: Array  # (N, D, H, W, C), C-contiguous, native byte order, a dtype the loops know
    axes: int  # spatial axes of the caller's array: 2 or 3
    ndim: int  # of the caller's array

    def restore(self, result: Array) -> Array:
        """The caller's layout for a result (N, OD, OH, OW, C)."""
        if self.axes == 2:
            result = result[:, 0]
        if self.ndim <= self.axes + 1:
            result = result[0]
        return result[..., 0] if self.ndim == self.axes else result


def as_stack(image: Any, axes: int, *, keep_dtype: bool = False) -> Stack:
    """Check an image or volume and bring it to (N, D, H, W, C).

    uint8, uint16, float32 and float64 stay as they are; other integers become float64 (float16 becomes float32) unless
    ``keep_dtype``. Raises `ShapeError` for other dtypes, ranks and empty axes.
    """
    try:
        array = np.asarray(image)
    except ValueError:
        raise ShapeError("image: got rows of different lengths, expected a full array") from None
    layouts = _LAYOUTS[axes]
    if array.ndim not in layouts:
        raise ShapeError(f"image: got shape {array.shape}, expected {_words(layouts.values())}")
    if 0 in array.shape:
        raise ShapeError(f"image: got shape {array.shape}, expected at least one element along every axis")
    if array.dtype.kind not in "buif":
        raise ShapeError(f"image: got dtype {array.dtype}, expected integers, floats or booleans")
    if not keep_dtype:
        array = array.astype(loop_dtype(array.dtype), copy=False)
    full = array[None] if array.ndim < axes + 2 else array
    full = full[..., None] if array.ndim == axes else full
    full = full[:, None] if axes == 2 else full
    return Stack(np.ascontiguousarray(full, full.dtype.newbyteorder("=")), axes, array.ndim)


def loop_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which loops read values of ``dtype`` without losing any."""
    dtype = dtype.newbyteorder("=")
    if dtype in (np.uint8, np.uint16, np.float32, np.float64):
        return dtype
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def result_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of computed results: float64 stays float64, all else becomes float32."""
    return np.dtype(np.float64 if dtype.newbyteorder("=") == np.float64 else np.float32)


def as_weights(kernel: Any, axes: int) -> NDArray[np.float64]:
    """Check a kernel of ``axes`` dimensions and return it as C-contiguous float64.

    Raises `KernelError` for a wrong rank, an empty axis, NaN or infinity; a string is read as a kernel SPEC.
    """
    if isinstance(kernel, str):
        from convcli.kernels import kernel as parse

        kernel = parse(kernel)
    try:
        weights = np.asarray(kernel)
    except ValueError:
        raise KernelError("kernel: got rows of different lengths, expected a full matrix") from None
    if weights.dtype.kind not in "buif":
        raise KernelError(f"kernel: got dtype {weights.dtype}, expected real numbers")
    weights = np.ascontiguousarray(weights, np.float64)
    if weights.ndim != axes:
        fix = " (a filter over all channels is conv2d's)" if weights.ndim == axes + 1 else ""
        raise KernelError(f"kernel: got shape {weights.shape}, expected {axes} dimensions{fix}")
    if weights.size == 0:
        raise KernelError(f"kernel: got shape {weights.shape}, expected at least one weight along every axis")
    if not np.isfinite(weights).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(weights))[0])
        raise KernelError(f"kernel: got {weights[where]} at index {where}, expected finite weights")
    return weights


def _words(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
