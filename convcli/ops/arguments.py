"""Checks shared by the array functions: images and kernels as the loops want them, or one clear line."""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.geometry import Window, is_integer, windows_of
from convcli.kernels.parameters import shortened

Array = NDArray[Any]

# The layouts a public image function takes, by the number of spatial axes.
_LAYOUTS = {
    2: {2: "(H, W)", 3: "(H, W, C)", 4: "(N, H, W, C)"},
    3: {3: "(D, H, W)", 4: "(D, H, W, C)", 5: "(N, D, H, W, C)"},
}


# Of Pillow's pictures: numbers that are neither grey nor red, green and blue.
_FOREIGN_MODES = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
# Along an axis, of padding or windows; more is a slip, and would fill the memory.
MOST_CELLS = 10_000_000


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


def as_array(name: str, value: Any, expected: str = "a full array", error: type[ConvcliError] = ShapeError) -> Array:
    """An argument as an array of whatever type; raises ``error``, naming the argument, for what is none.

    Arrays with masked values are refused: what lies under a mask is no number.
    """
    if type(value) is np.ndarray and value.dtype.kind != "O":
        return value
    if isinstance(value, str | os.PathLike):
        got = shortened(repr(os.fspath(value)))
        fix = "convcli.read reads a picture's file" if name in ("image", "x") else "convcli.kernel gives weights"
        raise error(f"{name}: got the text {got}, expected {expected}; {fix}")
    mode = getattr(value, "mode", None)
    if mode in _FOREIGN_MODES and hasattr(value, "getpalette"):
        fix = f"image.convert('{'RGBA' if mode == 'PA' else 'RGB'}') makes one"
        raise error(f"{name}: got a Pillow picture of mode {mode}, expected grey or RGB; {fix}")
    try:
        array = np.asarray(value)
    except ValueError:
        raise error(f"{name}: got rows of different lengths, expected {expected}") from None
    except (TypeError, OverflowError, MemoryError, RuntimeError) as problem:  # torch's that need a gradient, too
        reason = str(problem) or type(problem).__name__
        raise error(f"{name}: got {type(value).__name__} ({reason}), expected {expected}") from None
    if array.dtype.kind == "O" and not array.ndim:
        raise error(f"{name}: got {shortened(repr(value))}, expected {expected}")
    mask = getattr(value, "mask", None)
    if isinstance(mask, np.ndarray) and mask.any():
        raise error(f"{name}: got masked values, expected {expected}; fill them first: {name}.filled(0)")
    return array


def as_contiguous(name: str, array: Array, dtype: Any) -> Array:
    """An array in C order, aligned, of a dtype; what that cannot hold becomes infinite. `ShapeError` if it is huge."""
    if type(array) is np.ndarray and array.ndim and array.dtype == dtype:
        flags = array.flags
        if flags.c_contiguous and flags.aligned:
            return array
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.require(np.ascontiguousarray(array, dtype), requirements="A")
    except (MemoryError, ValueError):
        raise ShapeError(f"{name}: got shape {array.shape}, more numbers than fit into memory") from None


def in_type(dtype: Any, value: float) -> Any:
    """A number as a scalar of a float dtype; what that cannot hold is infinite in it."""
    with np.errstate(over="ignore"):
        return np.dtype(dtype).type(value)


def as_number(name: str, value: Any) -> float:
    """An argument that is one number; raises `ShapeError` for anything else."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.timedelta64)
    try:
        number = float(value) if real else None
    except OverflowError:
        number = None
    if number is None:
        raise ShapeError(f"{name}: got {shortened(repr(value))}, expected a number")
    return number


def as_flag(name: str, value: Any) -> bool:
    """An argument that is true or false; raises `ShapeError` for anything else."""
    if not isinstance(value, bool | np.bool_) and not (is_integer(value) and value in (0, 1)):
        raise ShapeError(f"{name}: got {shortened(repr(value))}, expected True or False")
    return bool(value)


def as_stack(image: Any, axes: int, *, keep_dtype: bool = False, name: str = "image") -> Stack:
    """Check an image or volume and bring it to (N, D, H, W, C).

    uint8, uint16, float32 and float64 stay as they are; other integers become float64 (float16 becomes float32) unless
    ``keep_dtype``. Raises `ShapeError`, beginning with ``name``, for other dtypes, ranks and empty axes.
    """
    array = as_array(name, image)
    layouts = _LAYOUTS[axes]
    if array.ndim not in layouts:
        raise ShapeError(f"{name}: got shape {array.shape}, expected {_words(layouts.values())}")
    if 0 in array.shape:
        raise ShapeError(f"{name}: got shape {array.shape}, expected at least one element along every axis")
    if array.dtype.kind not in "buif":
        raise ShapeError(f"{name}: got dtype {array.dtype}, expected integers, floats or booleans")
    dtype = array.dtype.newbyteorder("=") if keep_dtype else loop_dtype(array.dtype)
    full = array[None] if array.ndim < axes + 2 else array
    full = full[..., None] if array.ndim == axes else full
    full = full[:, None] if axes == 2 else full
    return Stack(as_contiguous(name, full, dtype), axes, array.ndim)


def check_fit(name: str, window: Window, axis: int, n: int) -> None:
    """Raise `ShapeError` for more padding than anybody means, or windows of which none fits the ``n`` cells of an axis.

    ``name`` is the argument that says how large they are: kernel, size, or weight, of a layer.
    """
    before, after = window.before, window.after
    if before + after > MOST_CELLS:
        raise ShapeError(f"padding: got {before} + {after} cells along axis {axis}, expected at most {MOST_CELLS}")
    if window.output(n) < 1:
        place, of = (f"spatial axis {axis}", "x's") if name == "weight" else (f"axis {axis}", "the image's")
        raise ShapeError(
            f"{name}: spans {window.effective} along {place}, expected at most {of} {n} + {before + after} padded; "
            f"padding 'same' fits any {'window' if name == 'size' else 'kernel'}"
        )


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
    weights = as_array("kernel", kernel, "a full matrix", KernelError)
    if weights.dtype.kind not in "buif":
        raise KernelError(f"kernel: got dtype {weights.dtype}, expected real numbers")
    if weights.ndim != axes:
        fix = " (a filter over all channels is conv2d's)" if weights.ndim == axes + 1 else ""
        raise KernelError(f"kernel: got shape {weights.shape}, expected {axes} dimensions{fix}")
    if weights.size == 0:
        raise KernelError(f"kernel: got shape {weights.shape}, expected at least one weight along every axis")
    weights = as_contiguous("kernel", weights, np.float64)
    if not np.isfinite(weights).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(weights))[0])
        raise KernelError(f"kernel: got {weights[where]} at index {where}, expected finite weights")
    return weights


def _words(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"


def known_windows(sizes: Sequence[int], kernel_size: Sequence[int], **moves: Any) -> tuple[Window, ...]:
    """`windows_of`, remembered for plain numbers and words: it takes as long as a small layer."""
    plain = all(map(_is_plain, (sizes, kernel_size, *moves.values())))
    return (_found_windows if plain else windows_of)(sizes, kernel_size, **moves)


def _is_plain(argument: Any) -> bool:
    if type(argument) is tuple:
        return all(type(each) is int for each in argument)
    return type(argument) in (int, bool, str)


_found_windows = lru_cache(maxsize=256, typed=True)(windows_of)
