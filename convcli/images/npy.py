"""NPY: numpy's own file format, one array of plain numbers; pickled objects are never loaded.

The numbers carry no meaning beyond themselves: no alpha, no colour, any scale. An array of three axes is a picture only
where the last may be its channels; what others are the user says (`convcli.images.volume_axes`). The header is read by
`convcli.kernels.npy`.
"""

import io
import math
from typing import Any, BinaryIO

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import own_numbers, supported
from convcli.images.model import Decoded, Image, Metadata, check_size
from convcli.images.volume_axes import MOST_CHANNELS, TAKE_SIGNALS
from convcli.kernels import npy
from convcli.kernels.npy import Header

_WHO = "filter, pool, pad and morph"
# Of arrays that are no pictures, by the number of their axes.
_FIXES = {
    0: "save more than one number",
    1: TAKE_SIGNALS,
    4: "--axes zyx takes volumes, tzyx several",
}


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode an (H, W) or (H, W, C) array of numbers: a read-only view where nothing needs converting."""
    header = _checked_header(io.BytesIO(data), max_pixels)
    left_out = check_numbers(header, len(data))
    shape = header.shape
    pixels, warnings = supported(header.array(data))
    pixels = pixels.reshape(*shape, 1) if len(shape) == 2 else pixels
    words: dict[str, Any] = {"warnings": warnings + left_out, "numbers": own_numbers(header.dtype)}
    return Decoded(Image(np.ascontiguousarray(pixels), False, Metadata(format="NPY"), **words))


def check_head(head: bytes, max_pixels: int) -> None:
    """Refuse by its first bytes what `decode` would refuse for its shape, its size or its type."""
    _checked_header(io.BytesIO(head), max_pixels)


def _checked_header(stream: BinaryIO, max_pixels: int) -> Header:
    header = read_header(stream)
    shape = header.shape
    if len(shape) == 3 and shape[2] > MOST_CHANNELS:
        raise ImageError(
            f"got an array of shape {shape}, which may be a volume or {shape[2]} channels, expected (H, W) or "
            f"(H, W, C) of at most {MOST_CHANNELS}; say to {_WHO} which it is: --axes zyx, --axes yxc, or yx for each "
            "plane"
        )
    if len(shape) not in (2, 3):
        fix = _FIXES.get(len(shape), "name its axes, as in --axes tzcyx")
        raise ImageError(f"got an array of shape {shape}, expected (H, W) or (H, W, C); {fix}")
    if 0 not in shape:
        check_size(shape[1], shape[0], max_pixels, 2 * header.dtype.itemsize * math.prod(shape[2:]))
    return header


def encode(image: Image) -> bytes:
    """Encode pixels of any channel count; a single channel is written as (H, W)."""
    pixels = image.pixels[:, :, 0] if image.pixels.shape[2] == 1 else image.pixels
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(pixels), allow_pickle=False)
    return stream.getvalue()


def read_header(stream: BinaryIO) -> Header:
    """What a file says about its array; the stream is left where the numbers begin. Raises `ImageError`."""
    try:
        return npy.read_header(stream)
    except ValueError as error:
        raise ImageError(str(error)) from None


def check_numbers(header: Header, size: int) -> tuple[str, ...]:
    """Raise `ImageError` for an array without numbers, and for one that a file of ``size`` bytes does not hold.

    Returns a warning if the file holds more, as one into which several arrays were saved.
    """
    if 0 in header.shape:
        raise ImageError(f"got an array of shape {header.shape}, expected at least one number along every axis")
    if header.end > size:
        raise ImageError(f"truncated NPY: {header.end - size} bytes are missing at its end; get a fresh copy")
    return (f"left out: {size - header.end} bytes behind its array",) if size > header.end else ()
