"""BMP: read by Pillow (all its old variants), written here, because alpha needs a header that Pillow does not write.

Source: Microsoft's documentation of BITMAPFILEHEADER, BITMAPINFOHEADER and BITMAPV4HEADER.
"""

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Decoded, Image, Metadata, Pixels, check_size

if TYPE_CHECKING:
    from PIL.BmpImagePlugin import BmpImageFile

_FILE_HEADER, _INFO_HEADER, _V4_HEADER = 14, 40, 108
_RGB, _BITFIELDS = 0, 3
_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
_METRES_PER_INCH = 0.0254


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a BMP file of any bit depth to grey, RGB or RGBA."""
    from PIL.BmpImagePlugin import BmpImageFile

    from convcli.images.bmp_runs import without_runs
    from convcli.images.pillow import to_pixels

    plain = without_runs(data, max_pixels)
    with BmpImageFile(io.BytesIO(plain)) as picture:
        # Pillow's pixels, ours, and the result; the file is a fourth where it was run-length coded.
        check_size(picture.width, picture.height, max_pixels, 12)
        _check_length(picture, plain)
        pixels, has_alpha = to_pixels(picture)
        x, y = picture.info.get("dpi", (0, 0))
    return Decoded(Image(pixels, has_alpha, Metadata(format="BMP", dpi=(x, y) if x and y else None)))


def _check_length(picture: "BmpImageFile", data: bytes) -> None:
    """Refuse a plain file that is too short for its rows, before memory is taken for them."""
    tile: Any = picture.tile[0]
    if tile.codec_name != "raw":
        return
    missing = tile.offset + (picture.height - 1) * tile.args[1] + 1 - len(data)
    if missing > 0:
        raise ImageError(f"truncated BMP: {missing} bytes are missing at its end; get a fresh copy")


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
    masks = struct.pack("<4I4s36x3I", *_MASKS, b"BGRs", 0, 0, 0) if channels == 4 else b""
    size = _V4_HEADER if channels == 4 else _INFO_HEADER
    x, y = (round(each / _METRES_PER_INCH) for each in image.metadata.dpi or (0, 0))
    offset = _FILE_HEADER + size + len(greys)
    compression = _BITFIELDS if channels == 4 else _RGB
    header = struct.pack("<2sIHHI", b"BM", offset + rows.nbytes, 0, 0, offset)
    header += struct.pack("<IiiHHIIiiII", size, width, height, 1, 8 * channels, compression, rows.nbytes, x, y, 0, 0)
    return header + masks + greys + rows.tobytes()
