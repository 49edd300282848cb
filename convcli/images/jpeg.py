"""JPEG: what its markers say is read and written here and in `jpeg_metadata`, its pixels by libjpeg-turbo (imagecodecs,
Pillow).

Reading the markers ourselves gives the size before any decoding, the quantisation tables per component, and an honest
answer to "is the file complete?": libjpeg fills the missing part of a truncated file with grey. Damage inside the
compressed data that leaves the file's structure intact cannot be told from a picture: JPEG has no checksums.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from convcli.errors import ImageError
from convcli.images import jpeg_metadata, jpeg_scans
from convcli.images.jpeg_ends import completed
from convcli.images.jpeg_markers import (
    END_OF_IMAGE,
    FRAMES,
    START_OF_SCAN,
    TABLES,
    check_scans,
    segments,
    tables_in,
)
from convcli.images.jpeg_scans import Settings
from convcli.images.model import Decoded, Image, JpegSettings, Metadata, Pixels, check_size

DEFAULT_QUALITY = 95

_JPEG_LS = 0xF7  # its frame
_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}


@dataclass
class _Contents:
    """What the markers of one file say."""

    width: int = 0
    height: int = 0
    precision: int = 8
    frame: int = 0
    components: list[tuple[int, int, int]] = field(default_factory=list)  # horizontal, vertical, table
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    scans: list[int] = field(default_factory=list)  # how many components each has
    found: jpeg_metadata.Found = field(default_factory=jpeg_metadata.Found)
    complete: bool = False


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a JPEG file to grey or RGB; raises `ImageError` for one that is truncated or not 8-bit."""
    import imagecodecs

    contents = _read_markers(data)
    if not contents.frame:
        if any(marker == _JPEG_LS for marker, _, _ in segments(data)):
            raise ImageError("got a JPEG-LS, expected an 8-bit lossy JPEG; convert it to PNG or TIFF first")
        raise ImageError("damaged JPEG: it has no picture header; get a fresh copy")
    # Several scans are collected as coefficients of two bytes before they become pixels.
    collected = 2 * len(contents.components) if len(contents.scans) > 1 else 0
    check_size(contents.width, contents.height, max_pixels, 6 + collected)
    check_scans(contents.width, contents.height, len(contents.scans), sum(contents.scans), max_pixels)
    if contents.precision != 8 or contents.frame in _LOSSLESS_FRAMES or len(contents.components) not in (1, 3, 4):
        kind = "lossless" if contents.frame in _LOSSLESS_FRAMES else "lossy"
        raise ImageError(
            f"got a {contents.precision}-bit {kind} JPEG of {len(contents.components)} channels, expected an 8-bit "
            "lossy one of 1, 3 or 4; convert it to PNG or TIFF first"
        )
    warnings: tuple[str, ...] = ()
    if not contents.complete:
        whole = completed(data)
        if whole is None:
            raise ImageError(f"truncated JPEG: it ends after {len(data)} bytes without its end mark; get a fresh copy")
        data, warnings = whole, ("has no end mark; all its pixels are there",)
    metadata, orientation = contents.found.metadata()
    metadata = replace(metadata, jpeg=_settings(contents))
    pixels = imagecodecs.jpeg8_decode(data)
    if len(contents.components) == 4:
        from convcli.images.cmyk import to_rgb

        # Four-channel JPEGs follow Adobe, who store ink inverted: 255 is no ink.
        pixels, more = to_rgb(255 - pixels, metadata.icc)
        warnings += more
        metadata = replace(metadata, icc=None, jpeg=None)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    return Decoded(Image(np.ascontiguousarray(pixels), False, metadata, warnings), orientation)


def encode(image: Image, *, quality: int | None = None) -> bytes:
    """The bytes of a file, see `pieces_of`."""
    return b"".join(pieces_of(image, quality=quality))


def pieces_of(image: Image, *, quality: int | None = None) -> Iterator[bytes]:
    """Encode 8-bit grey or RGB: at ``quality`` (1 to 100), else as the input JPEG was, else at `DEFAULT_QUALITY`.

    Colour is not subsampled at a quality of 90 and more (an edge filter's output is all sharp colour), and is halved
    both ways (4:2:0) below; an input JPEG's own subsampling wins over both.
    """
    before = image.metadata.jpeg
    # One table for brightness and, for colour, one for both colour differences.
    tables = None if before is None or quality is not None else before.tables[: 1 if image.pixels.shape[2] == 1 else 2]
    chosen = DEFAULT_QUALITY if quality is None else quality
    fallback = "4:2:0" if before is None and chosen < 90 else "4:4:4"
    settings = Settings(tables, chosen, (before.subsampling if before else None) or fallback)
    pixels = np.ascontiguousarray(image.pixels)
    file = _encode_progressively(pixels, settings) if before is not None and before.progressive else None
    yield from _with_metadata(file or jpeg_scans.compress(pixels, settings), image.metadata)


def _encode_progressively(pixels: Pixels, settings: Settings) -> bytes | None:
    """A progressive file, or None if it does not fit the buffer in which Pillow makes one: two bytes per pixel, or one.

    Noise at a high quality does not, and is to be written in one pass instead: the same pixels, only in another order.
    """
    from PIL import Image as Pillow

    options = settings.for_pillow(pixels.shape[2])
    whole = jpeg_scans.compress(pixels, settings)
    room = pixels.shape[0] * pixels.shape[1] * (2 if options.get("quality", 100) >= 95 else 1)
    if len(whole) * 1.1 + 4096 > room:
        return None
    stream = io.BytesIO()
    picture = Pillow.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(stream, "JPEG", progressive=True, **options)
    return stream.getvalue()


def _with_metadata(file: bytes, metadata: Metadata) -> Iterator[bytes]:
    """The pieces of the file with its resolution and further segments, which stand behind the JFIF header."""
    end = 4 + struct.unpack_from(">H", file, 4)[0]
    start = bytearray(file[:end])
    if start[6:11] == b"JFIF\0":
        struct.pack_into(">BHH", start, 13, *jpeg_metadata.density(metadata))
    yield bytes(start)
    yield from jpeg_metadata.segments_of(metadata)
    yield file[end:]


def _read_markers(data: bytes) -> _Contents:
    contents = _Contents()
    for marker, start, end in segments(data):
        body = data[start:end]
        if marker == END_OF_IMAGE:
            contents.complete = contents.frame != 0
            contents.found.add_rest(data, end)
        elif marker == START_OF_SCAN and body:
            contents.scans.append(body[0])
        elif marker == TABLES:
            contents.tables |= tables_in(body)
        elif marker in FRAMES and len(body) >= 6:
            contents.frame = marker
            contents.precision, contents.height, contents.width, count = struct.unpack_from(">BHHB", body)
            contents.components = [(each[1] >> 4, each[1] & 15, each[2]) for each in _triples(body[6 : 6 + 3 * count])]
        elif marker in jpeg_metadata.SEGMENTS:
            contents.found.add(marker, body)
    return contents


def _triples(body: bytes) -> list[bytes]:
    return [body[start : start + 3] for start in range(0, len(body) - 2, 3)]


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
