"""Pixels to a bare JPEG in one pass, by libjpeg-turbo; large pictures in bands of rows that are joined to one scan.

A JPEG may say that its compressed data start afresh every so many blocks. A band is such a piece: it is encoded as a
file of its own, and of all files only the compressed data are kept, with a restart marker between them. Bands end where
blocks do, so that not a pixel differs. Progressive files and metadata are `convcli.images.jpeg`'s.
"""

import io
import os
import struct
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

import numpy as np

from convcli.images.bands import cut, spread
from convcli.images.jpeg_markers import FRAMES, RESTART_INTERVAL, START_OF_SCAN, TABLES, segment, segments, tables_in
from convcli.images.model import Pixels

BAND = 1 << 20  # pixels: some 2 ms
_LARGE = 1 << 22
_MOST_BLOCKS = 65535  # that a restart interval can count
_BLOCKS = {"4:4:4": (8, 8), "4:2:2": (8, 16), "4:2:0": (16, 16)}  # rows and columns that are encoded together
_END = b"\xff\xd9"


@dataclass(frozen=True)
class Settings:
    """How a picture is compressed.

    Parameters
    ----------
    tables:
        Quantisation tables as in `convcli.images.model.JpegSettings`: one for grey; for colour one for brightness and
        one for both colour differences, or one for all. None: those that libjpeg has for ``quality``.
    quality:
        1 to 100; not looked at where there are tables.
    subsampling:
        A key of ``"4:4:4" "4:2:2" "4:2:0"``; of no meaning for grey.
    """

    tables: tuple[tuple[int, ...], ...] | None
    quality: int
    subsampling: str

    def for_pillow(self, channels: int) -> dict[str, Any]:
        """The same in Pillow's words."""
        options: dict[str, Any] = {} if channels == 1 else {"subsampling": self.subsampling}
        if self.tables is None:
            return {"quality": self.quality, **options}
        return {"qtables": [list(table) for table in self.tables], **options}


def compress(pixels: Pixels, settings: Settings, *, band: int = BAND, large: int = _LARGE) -> bytes:
    """A baseline JPEG without metadata.

    Parameters
    ----------
    pixels:
        (H, W, 1) or (H, W, 3) uint8, C-contiguous.
    settings:
        The same for all bands.
    band, large:
        Pixels in a band, roughly, and from how many on a picture is cut.
    """
    height, width, channels = pixels.shape
    quality = settings.quality if settings.tables is None else quality_of(settings.tables, channels)

    def encode(rows: tuple[int, int]) -> bytes:
        piece = pixels[slice(*rows), :, 0] if channels == 1 else pixels[slice(*rows)]
        if quality is None:
            return _with_tables(piece, settings.for_pillow(channels))
        return _with_quality(piece, quality, settings.subsampling)

    tall, wide = _BLOCKS[settings.subsampling if channels == 3 else "4:4:4"]
    across = -(-width // wide)
    down = max(1, min(band // (width * tall), _MOST_BLOCKS // across))
    bands = cut(height, down * tall if height * width >= large else height)
    joined = join(list(spread(encode, bands)), height, across * down)
    return encode((0, height)) if joined is None else joined


def join(files: list[bytes], height: int, interval: int) -> bytes | None:
    """One file of all bands, or None for bands with tables of their own, as a libjpeg that optimises would make them.

    ``height`` is that of the whole, ``interval`` the number of blocks in each band but the last.
    """
    if len(files) == 1:
        return files[0]
    parts = [_split(file, height) for file in files]
    frame, head, _ = parts[0]
    if frame != 0xC0 or any(each[:2] != (frame, head) for each in parts):
        return None
    start, tables = head[:2], head[2:]
    pieces = [start, segment(RESTART_INTERVAL, struct.pack(">H", interval)), tables, parts[0][2]]
    for index, (_, _, scan) in enumerate(parts[1:]):
        pieces += [bytes((0xFF, 0xD0 + index % 8)), scan]
    return b"".join((*pieces, _END))


def _split(file: bytes, height: int) -> tuple[int, bytes, bytes]:
    """Kind of frame, everything before the compressed data with another height put in, and the compressed data."""
    head = bytearray()
    kind = 0
    for marker, start, end in segments(file):
        if marker in FRAMES:
            kind = marker
            head = bytearray(file)
            struct.pack_into(">H", head, start + 1, height)
        if marker == START_OF_SCAN:
            return kind, bytes(head[:end]), file[end:].removesuffix(_END)
    return 0, b"", b""


def quality_of(tables: tuple[tuple[int, ...], ...], channels: int) -> int | None:
    """The quality for which libjpeg has these tables, or None: cameras have tables of their own."""
    wanted = tables[:1] if channels == 1 else (tables[0], tables[min(1, len(tables) - 1)])
    index = bisect_left(range(1, 101), -sum(wanted[0]), key=lambda quality: -sum(_tables_at(quality)[0]))
    quality = min(index + 1, 100)
    return quality if _tables_at(quality)[: len(wanted)] == wanted else None


@lru_cache(maxsize=100)
def _tables_at(quality: int) -> tuple[tuple[int, ...], ...]:
    """What libjpeg has for brightness and colour differences: it is asked, by encoding one block."""
    file = _with_quality(np.zeros((8, 8, 3), np.uint8), quality, "4:4:4")
    found: dict[int, tuple[int, ...]] = {}
    for marker, start, end in segments(file):
        if marker == TABLES:
            found |= tables_in(file[start:end])
    return found[0], found[1]


def _with_quality(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    import imagecodecs

    ratio = None if pixels.ndim == 2 else subsampling.replace(":", "")
    return bytes(imagecodecs.jpeg8_encode(pixels, level=quality, subsampling=ratio))


def _with_tables(pixels: Pixels, options: dict[str, Any]) -> bytes:
    """Through Pillow, since imagecodecs takes no tables."""
    from PIL import Image as Pillow

    with _scratch() as stream:
        Pillow.fromarray(pixels).save(stream, "JPEG", **options)
        stream.seek(0)
        return stream.read()


def _scratch() -> IO[bytes]:
    """A stream in memory; a real file where the system has such, because only for those Pillow releases the GIL."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("convcli"), "w+b")
    return io.BytesIO()
