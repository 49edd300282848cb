"""BMP: what its headers say, and how it is written; what its pixels are is `convcli.images.bmp_pixels`'s.

Source: Microsoft's documentation of BITMAPFILEHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER.
"""

import struct

import numpy as np

from convcli.images import resolution
from convcli.images.model import Decoded, Image, Metadata, Pixels

_FILE_HEADER, _INFO_HEADER, _V4_HEADER, _V5_HEADER = 14, 40, 108, 124
_RGB, _BITFIELDS = 0, 3
_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
_EMBEDDED, _SRGB, _LINKED = b"DEBM", b"BGRs", b"KNIL"  # what colours are, from a V4 header on
_PICTURES_INTENT = 4


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a BMP file of any bit depth to grey, RGB or RGBA."""
    from convcli.images.bmp_pixels import unpacked

    pixels, has_alpha, notes = unpacked(data, max_pixels)
    size = struct.unpack_from("<I", data, _FILE_HEADER)[0]
    known = size >= _INFO_HEADER and len(data) >= _FILE_HEADER + _INFO_HEADER
    x, y = struct.unpack_from("<ii", data, _FILE_HEADER + 24) if known else (0, 0)
    icc, lost = _profile(data, size)
    metadata = Metadata(format="BMP", icc=icc, dpi=resolution.told(x, y, resolution.METRE)[0], lost=lost)
    return Decoded(Image(pixels, has_alpha, metadata, notes))


def encode(image: Image) -> bytes:
    """Encode 8-bit pixels: grey with a palette, RGB as 24 bits, anything with alpha as 32 bits with a mask for it."""
    from convcli.images.pillow import to_colour

    pixels: Pixels = image.pixels if image.pixels.shape[2] == 1 else to_colour(image.pixels)
    height, width, channels = pixels.shape
    stride = -(-width * channels // 4) * 4
    rows = np.zeros((height, stride), np.uint8)
    stored = rows[:, : width * channels].reshape(height, width, channels)  # a view without the filling
    for place, channel in enumerate([2, 1, 0, 3][:channels] if channels > 1 else [0]):
        stored[:, :, place] = pixels[::-1, :, channel]  # bottom row first, blue first
    greys = b"".join(bytes((each, each, each, 0)) for each in range(256)) if channels == 1 else b""
    icc = image.metadata.icc or b""
    size = _V5_HEADER if icc else _V4_HEADER if channels == 4 else _INFO_HEADER
    masks = b""
    if size >= _V4_HEADER:
        bits = _MASKS if channels == 4 else (0, 0, 0, 0)
        masks = struct.pack("<4I4s36x3I", *bits, _EMBEDDED if icc else _SRGB, 0, 0, 0)
    if icc:
        masks += struct.pack("<4I", _PICTURES_INTENT, size + len(greys) + rows.nbytes, len(icc), 0)
    x, y = (min(round(each / resolution.METRE), 0x7FFFFFFF) for each in image.metadata.dpi or (0, 0))
    offset = _FILE_HEADER + size + len(greys)
    compression = _BITFIELDS if channels == 4 else _RGB
    header = struct.pack("<2sIHHI", b"BM", offset + rows.nbytes + len(icc), 0, 0, offset)
    header += struct.pack("<IiiHHIIiiII", size, width, height, 1, 8 * channels, compression, rows.nbytes, x, y, 0, 0)
    return header + masks + greys + rows.tobytes() + icc


def _profile(data: bytes, size: int) -> tuple[bytes | None, tuple[str, ...]]:
    """The colour profile that a V5 header announces, and names of what else is said about colours."""
    if size < _V4_HEADER:
        return None, ()
    space = data[_FILE_HEADER + 56 : _FILE_HEADER + 60]
    if size >= _V5_HEADER and space == _EMBEDDED:
        start, length = struct.unpack_from("<II", data, _FILE_HEADER + 112)
        return data[_FILE_HEADER + start : _FILE_HEADER + start + length], ()
    calibrated = space == bytes(4) and any(data[_FILE_HEADER + 60 : _FILE_HEADER + _V4_HEADER])
    return None, ("colour calibration",) if calibrated or space == _LINKED else ()
