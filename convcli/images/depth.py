"""Between 8 bits, 16 bits and float: full scale stays full scale (255, 65535, 1.0)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ImageError
from convcli.images.model import Pixels

DEPTHS = ("uint8", "uint16", "float32", "float64")

# Values converted at a time, so that what lies in between (float64, wide integers) stays in the cache.
_BLOCK = 1 << 16


def convert_depth(pixels: Pixels, dtype: npt.DTypeLike) -> Pixels:
    """Convert pixels so that black stays 0 and white becomes the new full scale.

    Parameters
    ----------
    pixels:
        Any shape; uint8 (white = 255), uint16 (white = 65535), float32 or float64 (white = 1).
    dtype:
        One of the same four. 8 to 16 bits multiplies by 257; back divides by 257; floats are clipped to 0..1 (NaN
        becomes 0) and rounded half to even.

    Returns
    -------
    ndarray
        The same shape, C-contiguous; ``pixels`` itself when its dtype is ``dtype`` already.

    Raises
    ------
    ImageError
        For any other dtype.

    Examples
    --------
    >>> convert_depth(np.array([0, 128, 255], np.uint8), np.uint16).tolist()
    [0, 32896, 65535]
    """
    wanted = np.dtype(dtype)
    for each in (pixels.dtype, wanted):
        if each.name not in DEPTHS:
            raise ImageError(f"pixel type: got {each.name}, expected one of {', '.join(DEPTHS)}")
    if pixels.dtype == wanted:
        return pixels
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype.kind == wanted.kind == "f":
        return pixels.astype(wanted)
    if wanted.kind == "f":
        return np.divide(pixels, _white(pixels.dtype), dtype=wanted)
    if pixels.dtype == np.uint8:
        return np.multiply(pixels, 257, dtype=np.uint16)
    result = np.empty(pixels.shape, wanted)
    source, target = pixels.reshape(-1), result.reshape(-1)
    narrow = _halve if pixels.dtype == np.uint16 else _quantise
    for start in range(0, source.size, _BLOCK):
        target[start : start + _BLOCK] = narrow(source[start : start + _BLOCK], _white(wanted))
    return result


def _white(dtype: np.dtype[Any]) -> int:
    return {1: 255, 2: 65535}[dtype.itemsize] if dtype.kind == "u" else 1


def _halve(block: Pixels, white: int) -> Pixels:
    """16 to 8 bits; 257 is odd, so no value lies halfway between two results."""
    return (block.astype(np.uint32) + 128) // 257


def _quantise(block: Pixels, white: int) -> Pixels:
    values = block.astype(np.float64)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(values, 0.0, 1.0, out=values)
    values *= white
    return np.rint(values, out=values)


def look_up(table: Pixels, indices: Pixels) -> Pixels:
    """``table[indices]`` in blocks: numpy widens the indices to 8 bytes each, which for a large picture is a lot."""
    result = np.empty(indices.shape + table.shape[1:], table.dtype)
    source, target = indices.reshape(-1), result.reshape(-1, *table.shape[1:])
    for start in range(0, source.size, _BLOCK):
        np.take(table, source[start : start + _BLOCK], axis=0, out=target[start : start + _BLOCK])
    return result


def own_numbers(dtype: npt.DTypeLike) -> np.dtype[Any] | None:
    """A file's type of numbers where pixels hold them in another and results get it back: integers, truth values.

    >>> own_numbers(">i2"), own_numbers("uint8")
    (dtype('int16'), None)
    """
    native = np.dtype(dtype).newbyteorder("=")
    return native if native.kind in "biu" and native.name not in DEPTHS else None


def in_numbers(values: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Values within the range of a type that is one of `own_numbers`, rounded to it; truth is 128 of 255 and more."""
    if dtype.kind == "b":
        return values >= 128
    result = np.empty(values.shape, dtype)
    source, target = np.ascontiguousarray(values).reshape(-1), result.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        block = np.rint(source[start : start + _BLOCK])
        if np.isnan(block).any():
            np.nan_to_num(block, copy=False, nan=0.0)
        target[start : start + _BLOCK] = block
    return result


def limits_of(dtype: npt.DTypeLike) -> tuple[float, float]:
    """The least and the largest number of an integer type, as far as floats hold them; 0 and 255 of truth values."""
    numbers = np.dtype(dtype)
    if numbers.kind == "b":
        return 0.0, 255.0
    low, high = (int(getattr(np.iinfo(numbers), name)) for name in ("min", "max"))
    return float(low), float(high) if float(high) <= high else float(np.nextafter(float(high), 0.0))


def supported(array: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    """Bring an array of any numbers to one of the four pixel types, exactly or not at all; aligned as machines expect.

    Truth values become 0 and 255 (uint8); int8, int16 and float16 become float32; int32, uint32 and 64-bit integers up
    to 2**53 become float64. The numbers stay as they are, whatever their scale. Of floats, which do not get their type
    back (see `own_numbers`), a warning says so.

    Raises `ImageError` for numbers that no pixel type holds exactly: larger integers, longer floats, complex numbers.
    """
    native = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")  # which numpy refuses of texts
    if native.name in DEPTHS:
        return np.require(array, native, "A"), ()  # files may put numbers at odd places
    if native.kind == "b":
        return np.multiply(array, 255, dtype=np.uint8), ()
    wanted = _WIDER.get(native.name)
    if wanted is None and native.name in ("int64", "uint64"):
        fits = array.size == 0 or (int(array.max()) <= 2**53 and int(array.min()) >= -(2**53))
        wanted = "float64" if fits else None
    if wanted is None:
        raise ImageError(f"got {native.name} values, expected {', '.join(DEPTHS)} or integers of at most 53 bits")
    notes = (f"{native.name} values were read as {wanted}, their numbers unchanged",) if native.kind == "f" else ()
    return array.astype(wanted), notes


_WIDER = {
    "int8": "float32",
    "int16": "float32",
    "float16": "float32",
    "int32": "float64",
    "uint32": "float64",
}


def stretch(values: Pixels, white: int) -> Pixels:
    """Bring integers 0..``white`` (a 1- to 16-bit full scale) to the full scale of uint8 or, above 255, uint16.

    Raises `ImageError` when a value lies above ``white``.
    """
    full = 255 if white <= 255 else 65535
    wanted = np.uint8 if white <= 255 else np.uint16
    if white == full and values.dtype == wanted:
        return values
    if values.size and int(values.max()) > white:
        raise ImageError(f"damaged: it holds the value {int(values.max())}, expected at most {white}")
    if white == full:
        return values.astype(wanted)
    table = ((np.arange(white + 1, dtype=np.int64) * full * 2 + white) // (2 * white)).astype(wanted)
    return look_up(table, values)
