"""HEIC, the pictures of phones: the boxes are read here, its pixels by libheif through pillow-heif, an extra.

8 bits, and 10 or 12; libheif turns the picture by itself.

Source: ISO/IEC 23008-12, "Image file format", annex B.
"""

import io
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.extras import needed
from convcli.images import exif
from convcli.images.avif import described
from convcli.images.bmff import read_picture
from convcli.images.depth import stretch
from convcli.images.model import Decoded, Image, bytes_with_result, check_size

DEFAULT_QUALITY = 90  # as of AVIF
_PIXEL_BYTES = 4 * 2 + bytes_with_result(4, 2)  # of the decoder, and ours
_CHANNELS = {"L": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_DEEP = 16
_PRESET = "fast"  # half of the time of what is usual, for a tenth more bytes


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the primary picture of a file to grey or RGB, with or without alpha."""
    picture = read_picture(data, "HEIC")
    check_size(picture.width, picture.height, max_pixels, _PIXEL_BYTES)
    file = _library().open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    kind, _, said = file.mode.partition(";")
    if kind not in _CHANNELS:
        raise ImageError(f"got a HEIC of kind {file.mode}, expected grey or RGB; convert it to PNG first")
    bits = int(said or 8)
    stored = np.array(file)
    pixels = stretch(stored.reshape(*stored.shape[:2], _CHANNELS[kind]), (1 << bits) - 1)
    metadata = described(picture, "HEIC", bits)
    if len(file) > 1:
        metadata = replace(metadata, lost=("further pictures",))
    return Decoded(Image(np.ascontiguousarray(pixels), kind in ("LA", "RGBA"), metadata))


def encode(image: Image, *, quality: int | None = None) -> bytes:
    """Encode 8 bits as such and 16 as 10, with the loss of a quality; grey with alpha as RGB."""
    library = _library()
    from convcli.images.pillow import to_colour

    pixels = to_colour(image.pixels) if image.has_alpha else image.pixels
    height, width, channels = pixels.shape
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels] + (f";{_DEEP}" if pixels.itemsize > 1 else "")
    metadata = image.metadata
    block = exif.with_resolution(metadata.exif, metadata.dpi)
    options: dict[str, Any] = {"exif": block, "xmp": metadata.xmp, "icc_profile": metadata.icc}
    stream = io.BytesIO()
    library.from_bytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes()).save(
        stream,
        quality=DEFAULT_QUALITY if quality is None else quality,
        chroma=444,
        enc_params={"preset": _PRESET},
        **{name: content for name, content in options.items() if content},
    )
    return stream.getvalue()


def _library() -> Any:
    return needed("pillow_heif", "heic", "is a HEIC, which needs pillow-heif; install it with ", ImageError)
