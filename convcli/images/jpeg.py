"""JPEG: its markers are read here, its pixels by libjpeg-turbo (imagecodecs to decode, Pillow to encode).

Reading the markers ourselves gives the size before any decoding, the quantisation tables per component, and an honest
answer to "is the file complete?": libjpeg fills the missing part of a truncated file with grey. Damage inside the
compressed data that leaves the file's structure intact cannot be told from a picture: JPEG has no checksums.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ImageError
from convcli.images import exif
from convcli.images.model import Decoded, Image, JpegSettings, Metadata, check_size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

DEFAULT_QUALITY = 95

_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_START_OF_SCAN, _END_OF_IMAGE, _TABLES = 0xDA, 0xD9, 0xDB
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
# The next marker inside compressed data: not a stuffed zero, not a restart, not a fill byte.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
_MOST_IN_A_MARKER = 65533
_MOST_DENSITY = 65535


@dataclass
class _Contents:
    """What the markers of one file say."""

    width: int = 0
    height: int = 0
    precision: int = 8
    frame: int = 0
    components: list[tuple[int, int, int]] = field(default_factory=list)  # horizontal, vertical, table
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    icc: dict[int, bytes] = field(default_factory=dict)
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    complete: bool = False


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a JPEG file to grey or RGB; raises `ImageError` for one that is truncated or not 8-bit."""
    import imagecodecs

    contents = _read_markers(data)
    if not contents.frame:
        raise ImageError("damaged JPEG: it has no picture header; get a fresh copy")
    check_size(contents.width, contents.height, max_pixels)
    if contents.precision != 8 or contents.frame in _LOSSLESS_FRAMES or len(contents.components) not in (1, 3, 4):
        kind = "lossless" if contents.frame in _LOSSLESS_FRAMES else "lossy"
        raise ImageError(
            f"got a {contents.precision}-bit {kind} JPEG of {len(contents.components)} channels, expected an 8-bit "
            "lossy one of 1, 3 or 4; convert it to PNG or TIFF first"
        )
    if not contents.complete:
        raise ImageError(f"truncated JPEG: it ends after {len(data)} bytes without its end mark; get a fresh copy")
    metadata, orientation = _describe(contents)
    pixels = imagecodecs.jpeg8_decode(data)
    warnings: tuple[str, ...] = ()
    if len(contents.components) == 4:
        from convcli.images.cmyk import to_rgb

        # Four-channel JPEGs follow Adobe, who store ink inverted: 255 is no ink.
        pixels, warnings = to_rgb(255 - pixels, metadata.icc)
        metadata = replace(metadata, icc=None, jpeg=None)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    return Decoded(Image(np.ascontiguousarray(pixels), False, metadata, warnings), orientation)


def encode(image: Image, *, quality: int | None = None) -> bytes:
    """Encode 8-bit grey or RGB: at ``quality`` (1 to 100), else as the input JPEG was, else at `DEFAULT_QUALITY`.

    Colour is not subsampled at a quality of 90 and more (an edge filter's output is all sharp colour), and is halved
    both ways (4:2:0) below; an input JPEG's own subsampling wins over both.
    """
    from PIL import Image as Pillow

    metadata, settings = image.metadata, image.metadata.jpeg
    options: dict[str, Any] = {}
    if settings is not None and quality is None:
        # One table for brightness and, for colour, one for both colour differences.
        options["qtables"] = [list(table) for table in settings.tables[: 1 if image.pixels.shape[2] == 1 else 2]]
    else:
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    fallback = "4:2:0" if settings is None and options.get("quality", 100) < 90 else "4:4:4"
    options["subsampling"] = (settings.subsampling if settings else None) or fallback
    pixels = image.pixels[:, :, 0] if image.pixels.shape[2] == 1 else image.pixels
    picture = Pillow.fromarray(pixels)
    if settings is not None and settings.progressive:
        options["progressive"] = _fits_progressively(picture, options)
    if metadata.dpi and all(0.5 <= each <= _MOST_DENSITY for each in metadata.dpi):
        options["dpi"] = metadata.dpi
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    for name, prefix, content in (("exif", _EXIF, metadata.exif), ("xmp", _XMP, metadata.xmp)):
        if not content:
            continue
        if len(prefix) + len(content) > _MOST_IN_A_MARKER:
            raise ImageError(
                f"its {name.upper()} block: got {len(content)} bytes, expected at most "
                f"{_MOST_IN_A_MARKER - len(prefix)} in a JPEG; write PNG or TIFF, or drop it with --strip"
            )
        options[name] = prefix + content if name == "exif" else content
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **options)
    return stream.getvalue()


def _fits_progressively(picture: "Picture", options: dict[str, Any]) -> bool:
    """Whether the picture fits the buffer in which Pillow makes a progressive JPEG: two bytes per pixel, or one.

    Noise at a high quality does not, and is written in one pass instead: the same pixels, only in another order.
    """
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **options)
    room = picture.width * picture.height * (2 if options.get("quality", 100) >= 95 else 1)
    return stream.tell() * 1.1 + 4096 <= room


def _read_markers(data: bytes) -> _Contents:
    contents = _Contents()
    for marker, body in _segments(data):
        if marker == _END_OF_IMAGE:
            contents.complete = contents.frame != 0
        elif marker == _TABLES:
            _read_tables(body, contents.tables)
        elif marker in _FRAMES and len(body) >= 6:
            contents.frame = marker
            contents.precision, contents.height, contents.width, count = struct.unpack_from(">BHHB", body)
            contents.components = [(each[1] >> 4, each[1] & 15, each[2]) for each in _triples(body[6 : 6 + 3 * count])]
        elif marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
            unit, x, y = struct.unpack_from(">BHH", body, 7)
            if unit in (1, 2) and x and y:
                contents.dpi = (float(x), float(y)) if unit == 1 else (x * 2.54, y * 2.54)
        elif marker == 0xE1 and body.startswith(_EXIF):
            contents.exif = contents.exif or body
        elif marker == 0xE1 and body.startswith(_XMP):
            contents.xmp = contents.xmp or body[len(_XMP) :]
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            contents.icc[body[len(_ICC)]] = body[len(_ICC) + 2 :]
    return contents


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk (marker, body) up to the end of image; stops without one when the data run out."""
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                return
            position = found.start()
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == _END_OF_IMAGE:
            yield marker, b""
            return
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        if position + 4 > len(data):
            return
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if end > len(data):
            return
        yield marker, data[position + 4 : end]
        position = end
        if marker == _START_OF_SCAN:
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                return
            position = found.start()


def _read_tables(body: bytes, tables: dict[int, tuple[int, ...]]) -> None:
    position = 0
    while position < len(body):
        wide, number = body[position] >> 4, body[position] & 15
        size = 128 if wide else 64
        values = struct.unpack_from(">64H" if wide else ">64B", body.ljust(position + 1 + size, b"\1"), position + 1)
        ordered = [1] * 64
        for value, place in zip(values, _ZIGZAG, strict=True):
            ordered[place] = value
        tables[number] = tuple(ordered)
        position += 1 + size


def _zigzag() -> tuple[int, ...]:
    """Reading-order place of each coefficient of an 8x8 block, in the order in which a JPEG stores them."""

    def order(place: int) -> tuple[int, int]:
        row, column = divmod(place, 8)
        return row + column, row if (row + column) % 2 else column

    return tuple(sorted(range(64), key=order))


_ZIGZAG = _zigzag()


def _triples(body: bytes) -> list[bytes]:
    return [body[start : start + 3] for start in range(0, len(body) - 2, 3)]


def _describe(contents: _Contents) -> tuple[Metadata, int]:
    block, orientation = exif.upright(contents.exif) if contents.exif else (None, 1)
    metadata = Metadata(
        format="JPEG",
        icc=b"".join(contents.icc[number] for number in sorted(contents.icc)) or None,
        exif=block,
        xmp=exif.upright_xmp(contents.xmp) if contents.xmp else None,
        dpi=contents.dpi or (exif.resolution(contents.exif) if contents.exif else None),
        jpeg=_settings(contents),
    )
    return metadata, orientation


def _settings(contents: _Contents) -> JpegSettings | None:
    wanted = [table for _, _, table in contents.components]
    if not all(table in contents.tables for table in wanted):
        return None
    subsampling = None
    if len(contents.components) == 3:
        first, *others = [(h, v) for h, v, _ in contents.components]
        subsampling = _SUBSAMPLINGS.get(first) if all(each == (1, 1) for each in others) else None
    tables = tuple(contents.tables[table] for table in wanted)
    return JpegSettings(tables, subsampling, contents.frame in _PROGRESSIVE_FRAMES)
