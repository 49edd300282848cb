"""The negatives of cameras (DNG, CR2, CR3, NEF, ARW, RAF, ORF, RW2 ...): developed by LibRaw through rawpy, an extra.

Developed as the camera saw it: its white balance, 16 bits, sRGB, not brightened. Most are TIFFs whose first picture is
a small preview; that they are negatives is said by what one of their pictures calls its colours.

Source: Adobe, "Digital Negative (DNG) Specification", version 1.6, chapter 4; TIFF 6.0, section 2.
"""

import io
import struct
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.extras import needed
from convcli.images.model import Decoded, Image, Metadata, check_size
from convcli.images.native import native_messages

STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_CANON, _OLDER_CANON = b"crx ", b"CR\2"  # as a brand, and behind a TIFF's first bytes
_COLOURS, _FURTHER = 262, 330  # TIFF's tags: what colours are, and where further pictures stand
_NEGATIVES = (32803, 34892)  # a mosaic of filters, and what was made of one without being developed
_MOST_PICTURES = 16
_LONGEST = 512  # entries
_PIXEL_BYTES = 8 + 3 * 4 + 3 * 2 * 2  # what LibRaw takes, and a picture with its result
_SRGB_CURVE = (2.4, 12.92)


def recognises(head: bytes) -> bool:
    """Whether a file that begins so is a negative; those that are TIFFs have to be looked into: `is_negative`."""
    return head.startswith(STARTS) or head[4:12] == b"ftyp" + _CANON


def is_negative(data: bytes) -> bool:
    """Whether one of the first pictures of a TIFF is a negative; False for what is no plain TIFF, or damaged."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return False
    if data[8:11] == _OLDER_CANON:
        return True
    waiting, seen = [struct.unpack_from(order + "I", data, 4)[0]] if len(data) >= 8 else [], 0
    while waiting and seen < _MOST_PICTURES:
        seen += 1
        colours, further = _entries(data, order, waiting.pop(0))
        if colours in _NEGATIVES:
            return True
        waiting += further
    return False


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Develop a negative to 16-bit RGB, upright."""
    rawpy = _library()
    with native_messages():
        try:
            with rawpy.imread(io.BytesIO(data)) as file:
                sizes = file.sizes
                check_size(sizes.raw_width, sizes.raw_height, max_pixels, _PIXEL_BYTES)
                pixels = file.postprocess(
                    use_camera_wb=True, output_bps=16, no_auto_bright=True, gamma=_SRGB_CURVE, bright=1.0
                )
        except rawpy.LibRawError as error:
            reason = " ".join(str(error).removeprefix("b'").removesuffix("'").split()).lower()
            raise ImageError(
                f"truncated, damaged or unknown negative of a camera ({reason}); get a fresh copy"
            ) from error
    return Decoded(Image(np.ascontiguousarray(pixels), False, Metadata(format="TIFF", lost=("EXIF of the negative",))))


def _entries(data: bytes, order: str, start: int) -> tuple[int | None, list[int]]:
    """Of one directory the colours of its picture, and where further ones stand."""
    colours: int | None = None
    further: list[int] = []
    if start + 2 > len(data):
        return None, []
    count = min(struct.unpack_from(order + "H", data, start)[0], _LONGEST)
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, at)
        if tag == _COLOURS:
            colours = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
        elif tag == _FURTHER and kind in (4, 13):
            length = min(length, _MOST_PICTURES)
            place = at + 8 if length == 1 else struct.unpack_from(order + "I", data, at + 8)[0]
            if place + 4 * length <= len(data):
                further += struct.unpack_from(f"{order}{length}I", data, place)
    return colours, further


def _library() -> Any:
    return needed("rawpy", "raw", "is the negative of a camera, which needs rawpy; install it with ", ImageError)
