"""NPY: numpy's own file format, one array of plain numbers; pickled objects are never loaded.

The numbers carry no meaning beyond themselves: no alpha, no colour, any number of channels, any scale.
"""

import io
import math
from typing import Any, BinaryIO

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import supported
from convcli.images.model import Decoded, Image, Metadata, check_size

_LONGEST_HEADER = 65_535  # bytes; numpy reads as many as version 2 says, up to 4 GB, before it looks at them
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode an (H, W) or (H, W, C) array of numbers: a read-only view where nothing needs converting."""
    stream = io.BytesIO(data)
    shape, fortran, dtype = _checked_header(stream, max_pixels)
    count = math.prod(shape)
    missing = count * dtype.itemsize - (len(data) - stream.tell())
    if missing > 0:
        raise ImageError(f"truncated NPY: {missing} bytes are missing at its end; get a fresh copy")
    array: np.ndarray[Any, Any] = np.frombuffer(data, dtype, count, stream.tell())
    array = array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)
    pixels, warnings = supported(array)
    pixels = pixels.reshape(*shape, 1) if len(shape) == 2 else pixels
    return Decoded(Image(np.ascontiguousarray(pixels), False, Metadata(format="NPY"), warnings))


def check_head(head: bytes, max_pixels: int) -> None:
    """Refuse by its first bytes what `decode` would refuse for its shape, its size or its type."""
    _checked_header(io.BytesIO(head), max_pixels)


def _checked_header(stream: BinaryIO, max_pixels: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    shape, fortran, dtype = read_header(stream)
    if len(shape) not in (2, 3):
        fix = {1: "; --axes x takes signals", 4: "; --axes zyx takes volumes"}.get(len(shape), "")
        raise ImageError(f"got an array of shape {shape}, expected (H, W) or (H, W, C){fix}")
    count = math.prod(shape)
    if count == 0:
        raise ImageError(f"got an array of shape {shape}, expected at least one number along every axis")
    check_size(shape[1], shape[0], max_pixels, 2 * max(dtype.itemsize, 1) * math.prod(shape[2:]))
    if dtype.hasobject or dtype.names is not None or dtype.kind not in "buif":
        raise ImageError(f"got an array of {dtype}, expected plain numbers")
    return shape, fortran, dtype


def encode(image: Image) -> bytes:
    """Encode pixels of any channel count; a single channel is written as (H, W)."""
    pixels = image.pixels[:, :, 0] if image.pixels.shape[2] == 1 else image.pixels
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(pixels), allow_pickle=False)
    return stream.getvalue()


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype, from a stream that is left where the data begin."""
    try:
        version = np.lib.format.read_magic(stream)
        reader = _HEADER_READERS.get(version)
        if reader is None:
            raise ImageError(
                f"got NPY version {version}, expected (1, 0) or (2, 0); save the array again with numpy.save"
            )
        start = stream.tell()
        length = int.from_bytes(stream.read(2 * version[0]), "little")
        if length > _LONGEST_HEADER:
            raise ImageError(
                f"damaged NPY: got a header of {length:,} bytes, expected at most {_LONGEST_HEADER:,}; get a fresh copy"
            )
        stream.seek(start)
        shape, fortran, dtype = reader(stream)
    except ImageError:
        raise
    except (ValueError, EOFError) as error:
        raise ImageError("damaged NPY: its header cannot be read; get a fresh copy") from error
    return shape, fortran, dtype
