"""Between 8 bits, 16 bits and float: full scale stays full scale (255, 65535, 1.0)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ImageError
from convcli.images.model import Pixels

DEPTHS = ("uint8", "uint16", "float32", "float64")

# Values converted at a time from float, so that the float64 in between stays in the cache.
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
    if pixels.dtype.kind == "u":
        # One gather through a table that holds every possible answer, each correctly rounded.
        return np.take(_table(pixels.dtype, wanted), pixels)
    if wanted.kind == "f":
        return pixels.astype(wanted)
    return _quantise(pixels, wanted)


def _table(source: np.dtype[Any], wanted: np.dtype[Any]) -> Pixels:
    white = np.iinfo(source).max
    values = np.arange(white + 1)
    if wanted.kind == "f":
        return (values / white).astype(wanted)
    if wanted.itemsize > source.itemsize:
        return (values * 257).astype(wanted)
    return ((values + 128) // 257).astype(wanted)  # 257 is odd: no value lies halfway


def _quantise(pixels: Pixels, wanted: np.dtype[Any]) -> Pixels:
    white = np.iinfo(wanted).max
    result = np.empty(pixels.shape, wanted)
    source, target = np.ascontiguousarray(pixels).reshape(-1), result.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        block = source[start : start + _BLOCK].astype(np.float64)
        np.nan_to_num(block, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
        np.clip(block, 0.0, 1.0, out=block)
        block *= white
        target[start : start + _BLOCK] = np.rint(block, out=block)
    return result
