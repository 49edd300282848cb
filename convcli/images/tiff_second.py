"""TIFF pages that tifffile does not decode: a second reader, libtiff (through Pillow), before they are refused.

It is asked only where it tells the same numbers: pixels of at most 8 bits, or grey of 16, in the colours that the page
declares; Pillow would bring 16-bit colour down to 8 without a word. And only about pages that are whole: libjpeg fills
what is missing with grey.
"""

import io
import struct
import zlib
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.jpeg_markers import END_OF_IMAGE, segments
from convcli.images.model import Pixels
from convcli.images.native import native_messages

_PALETTE, _INK = 3, 5
_JPEG = 7
_STRAIGHT = 2
_COMPRESSION, _OFFSETS, _SIZES, _TILE_OFFSETS, _TILE_SIZES = 259, 273, 279, 324, 325
_DEFLATE = 8
_CODES = {3: "H", 4: "I", 16: "Q"}
_WIDTHS = {3: 2, 4: 4, 16: 8}
# What Pillow's picture has to be, by photometric interpretation and bits. White as zero is inverted by Pillow.
_MODES = {
    **{(kind, bits): "1" if bits == 1 else "L" for kind in (0, 1) for bits in (1, 2, 4, 8)},
    (1, 16): "I;16",  # with white as zero Pillow forgets to invert
    **{(_PALETTE, bits): "P" for bits in (1, 2, 4, 8)},
    (2, 8): "RGB",
    (6, 8): "RGB",
    (_INK, 8): "CMYK",
}


def second_reading(page: Any, error: Exception) -> Pixels:
    """The numbers of a page over which tifffile stumbled with ``error``: (H, W, C), black as zero, RGB for YCbCr.

    Raises the error again where libtiff cannot help, or `ImageError` for a compression that neither of them knows.
    """
    import tifffile

    known = page.compression == 1 or page.compression in tifffile.TIFF.DECOMPRESSORS
    damaged = type(error).__module__.startswith("imagecodecs")  # the decoder knows this compression, and not these data
    if damaged and not (int(page.compression) == _JPEG and _is_whole(page)):
        raise error
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    mode = _MODES.get((int(page.photometric), bits))
    extra = tuple(int(each) for each in page.extrasamples)
    if extra:
        mode = "RGBA" if mode == "RGB" and extra == (_STRAIGHT,) else None
    pixels = None if mode is None else _through_libtiff(page, mode)
    if pixels is not None:
        return pixels
    if known:
        raise error
    name = getattr(page.compression, "name", str(page.compression))
    raise ImageError(f"got a TIFF compressed by {name}, which no reader here knows; save it with LZW") from error


def _is_whole(page: Any) -> bool:
    """Whether every piece of a JPEG-compressed page has its end mark."""
    handle = page.parent.filehandle
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        handle.seek(offset)
        if not any(marker == END_OF_IMAGE for marker, _, _ in segments(handle.read(size))):
            return False
    return True


def _through_libtiff(page: Any, mode: str) -> Pixels | None:
    """The page as Pillow reads it, or None if it cannot, or only as something else than ``mode``."""
    from PIL.TiffImagePlugin import TiffImageFile

    with native_messages() as messages:
        try:
            with TiffImageFile(io.BytesIO(_alone(page))) as picture:
                if picture.mode not in (mode, f"{mode}B") or picture.size != (page.imagewidth, page.imagelength):
                    return None
                picture.load()
                pixels = np.array(picture)
        except (OSError, ValueError, SyntaxError, RuntimeError, LookupError, TypeError, struct.error):
            return None
    if messages:  # libtiff went on after an error
        return None
    pixels = pixels.reshape(page.imagelength, page.imagewidth, -1)
    return pixels * np.uint8(255) if mode == "1" else pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _alone(page: Any) -> bytes:
    """The file, beginning with this page, so that it is found on whatever level it lies."""
    handle = page.parent.filehandle
    handle.seek(0)
    data = bytearray(handle.read())
    code, place = ("Q", 8) if page.parent.is_bigtiff else ("I", 4)
    order = page.parent.byteorder
    struct.pack_into(order + code, data, place, page.offset)
    if page.compression == 1:  # bytes that are not compressed Pillow would unpack itself, wrongly
        _deflate(page, data, order)
    return bytes(data)


def _deflate(page: Any, data: bytearray, order: str) -> None:
    """Compress the pieces of a page in the bytes of its file."""
    tags = [page.tags[tag] for tag in ((_TILE_OFFSETS, _TILE_SIZES) if page.is_tiled else (_OFFSETS, _SIZES))]
    places = [range(tag.valueoffset, len(data), _WIDTHS[int(tag.dtype)]) for tag in tags]
    for index, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        packed = zlib.compress(data[offset : offset + size], 1)
        for tag, place, value in zip(tags, places, (len(data), len(packed)), strict=True):
            struct.pack_into(order + _CODES[int(tag.dtype)], data, place[index], value)
        data += packed
    struct.pack_into(order + "H", data, page.tags[_COMPRESSION].valueoffset, _DEFLATE)
