"""QOI: 8-bit RGB, with or without alpha. Its pixels are unpacked by the format's own small library, in imagecodecs.

That library makes up what a file lacks, by repeating its last pixel. So it gets one row more to fill and, where the
pixels should end, one pixel of ours: the row shows whether the file's own pixels ended there.

Source: Dominic Szablewski, "The Quite OK Image Format", specification version 1.0, 2022.
"""

import struct

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Decoded, Image, Metadata, Own, Pixels, bytes_with_result, check_size

_HEADER = 14
_END = bytes(7) + b"\1"
_RGB = 0xFE
_LONGEST_RUN = 62  # pixels in a byte
_DECODING = 12  # bytes of memory for each pixel, with the file once more
_COLOUR_SPACE = 13  # where the header says whether colours are linear


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a QOI file to RGB or RGBA."""
    if len(data) < _HEADER:
        raise ImageError(f"truncated QOI: it has {len(data)} bytes, expected {_HEADER} of its header alone")
    width, height, channels, space = struct.unpack_from(">IIBB", data, 4)
    needed = bytes_with_result(channels, 1, has_alpha=channels == 4)
    check_size(width, height, max_pixels, max(needed, _DECODING + 2 * channels))
    if channels not in (3, 4) or space > 1:
        raise ImageError(f"damaged QOI: got {channels} channels and colour space {space}, expected 3 or 4, and 0 or 1")
    end = data.rfind(_END)
    if end < _HEADER or width * height > _LONGEST_RUN * (end - _HEADER):
        raise ImageError("truncated QOI: its pixels do not end; get a fresh copy")
    pixels = _unpacked(data, end, width, height, channels)
    left_out = len(data) - end - len(_END)
    own = (Own("QOI", "linear colours", _COLOUR_SPACE, b"\1"),) if space else ()
    warnings = (f"left out: {left_out} bytes behind its pixels",) if left_out else ()
    return Decoded(Image(pixels, channels == 4, Metadata(format="QOI", own=own), warnings))


def encode(image: Image) -> bytes:
    """Encode 8-bit pixels; grey is repeated into red, green and blue."""
    import imagecodecs

    from convcli.images.pillow import to_colour

    content = bytearray(imagecodecs.qoi_encode(to_colour(image.pixels)))
    content[_COLOUR_SPACE] = any(each.code == _COLOUR_SPACE for each in image.metadata.own)
    return bytes(content)


def _unpacked(data: bytes, end: int, width: int, height: int, channels: int) -> Pixels:
    """The pixels, if there are exactly as many as the header says; ``end`` is where they end in the file."""
    import imagecodecs

    header = struct.pack(">4sIIBB", data[:4], width, height + 1, channels, 0)
    for ours in ((1, 2, 3), (254, 253, 252)):  # the second where the file's last pixel is like the first
        pixels: Pixels = imagecodecs.qoi_decode(header + data[_HEADER:end] + bytes((_RGB, *ours)) + _END)
        if (pixels[-1, :, :3] != ours).any():
            raise ImageError(f"damaged QOI: it holds more than {width}x{height} pixels; get a fresh copy")
        if (pixels[-2, -1, :3] != ours).any():
            return np.ascontiguousarray(pixels[:-1])
    raise ImageError(f"truncated QOI: it holds fewer than {width}x{height} pixels; get a fresh copy")
