"""JPEG: what its markers say is read and written here, its pixels by libjpeg-turbo (imagecodecs, Pillow).

Reading the markers ourselves gives the size before any decoding, the quantisation tables per component, and an honest
answer to "is the file complete?": libjpeg fills the missing part of a truncated file with grey. Damage inside the
compressed data that leaves the file's structure intact cannot be told from a picture: JPEG has no checksums.
"""

import io
import struct
from dataclasses import dataclass, field, replace

import numpy as np

from convcli.errors import ImageError
from convcli.images import exif, jpeg_scans
from convcli.images.jpeg_ends import completed
from convcli.images.jpeg_markers import END_OF_IMAGE, FRAMES, MOST_IN_A_MARKER, TABLES, segment, segments, tables_in
from convcli.images.jpeg_scans import Settings
from convcli.images.model import Decoded, Image, JpegSettings, Metadata, Pixels, check_size

DEFAULT_QUALITY = 95

_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_LOSSLESS_FRAMES = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PROGRESSIVE_FRAMES = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0"}
_MOST_DENSITY = 65535
_MOST_PIECES = 255  # of a profile


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
    warnings: tuple[str, ...] = ()
    if not contents.complete:
        whole = completed(data)
        if whole is None:
            raise ImageError(f"truncated JPEG: it ends after {len(data)} bytes without its end mark; get a fresh copy")
        data, warnings = whole, ("has no end mark; all its pixels are there",)
    metadata, orientation = _describe(contents)
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
    extra = _metadata_segments(image.metadata)
    pixels = np.ascontiguousarray(image.pixels)
    file = _encode_progressively(pixels, settings) if before is not None and before.progressive else None
    return _with_metadata(file or jpeg_scans.compress(pixels, settings), image.metadata.dpi, extra)


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


def _with_metadata(file: bytes, dpi: tuple[float, float] | None, extra: bytes) -> bytes:
    """The file with its resolution and further segments, which stand behind the JFIF header."""
    end = 4 + struct.unpack_from(">H", file, 4)[0]
    start = bytearray(file[:end])
    x, y = (round(each) for each in dpi or (0, 0))
    if start[6:11] == b"JFIF\0" and 1 <= x <= _MOST_DENSITY and 1 <= y <= _MOST_DENSITY:
        struct.pack_into(">BHH", start, 13, 1, x, y)
    return b"".join((start, extra, memoryview(file)[end:]))


def _metadata_segments(metadata: Metadata) -> bytes:
    extra = b""
    for name, prefix, content in (("EXIF", _EXIF, metadata.exif), ("XMP", _XMP, metadata.xmp)):
        if not content:
            continue
        if len(prefix) + len(content) > MOST_IN_A_MARKER:
            raise ImageError(
                f"its {name} block: got {len(content)} bytes, expected at most "
                f"{MOST_IN_A_MARKER - len(prefix)} in a JPEG; write PNG or TIFF, or drop it with --strip"
            )
        extra += segment(0xE1, prefix + content)
    if metadata.icc:
        room = MOST_IN_A_MARKER - len(_ICC) - 2
        pieces = [metadata.icc[start : start + room] for start in range(0, len(metadata.icc), room)]
        if len(pieces) > _MOST_PIECES:
            raise ImageError(
                f"its colour profile: got {len(metadata.icc)} bytes, expected at most {_MOST_PIECES * room} in a JPEG; "
                "write PNG or TIFF, or drop it with --strip"
            )
        for number, piece in enumerate(pieces, 1):
            extra += segment(0xE2, _ICC + bytes((number, len(pieces))) + piece)
    return extra


def _read_markers(data: bytes) -> _Contents:
    contents = _Contents()
    for marker, start, end in segments(data):
        body = data[start:end]
        if marker == END_OF_IMAGE:
            contents.complete = contents.frame != 0
        elif marker == TABLES:
            contents.tables |= tables_in(body)
        elif marker in FRAMES and len(body) >= 6:
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
