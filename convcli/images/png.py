"""PNG: its chunks are walked here, what they say besides pixels is `png_chunks`'; its pixels are libpng's to read
(imagecodecs), `png_rows`' to write.

Pillow opens 16-bit colour as 8-bit without a word, so it has no part in this. libpng expands palettes, 1, 2 and 4 bits
and transparent colours; 16 bits stay 16.
"""

import functools
import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images import png_chunks, png_rows
from convcli.images.bands import spread
from convcli.images.model import Decoded, Image, Pixels, bytes_with_result, check_size
from convcli.images.png_rows import Settings
from convcli.images.volume_axes import TAKES_ALL

Chunks: TypeAlias = Sequence[tuple[bytes, bytes | memoryview]]  # kind, content

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
_CHANNELS = {0: 2, 2: 4, 3: 4, 4: 2, 6: 4}  # by colour type, with the alpha that a transparent colour becomes
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type, as they are stored
_DENSEST = 1032  # bytes that one of deflate becomes at most: 258 for each two bits
_PALETTE = 3  # a colour type
_ANCILLARY = 0x20  # of the first letter: not needed for the picture
_VIEWED = 1 << 12  # bytes of a chunk that is not copied
_MOST_CHUNKS = 100_000  # and one for each 1024 bytes: libpng's own have 8192


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a PNG file; raises `ImageError` for one that is truncated or damaged anywhere."""
    import imagecodecs

    check_head(data, max_pixels)
    chunks = list(chunks_in(data))
    header = next(content for kind, content in chunks if kind == b"IHDR")
    packed = sum(len(content) for kind, content in chunks if kind == b"IDAT")
    width, height, bits, colour = struct.unpack_from(">IIBB", header)
    check_packed(width, height, bits, colour, packed)
    metadata, orientation = png_chunks.describe(chunks)
    pixels = imagecodecs.png_decode(_without_asides(data, chunks))
    check_indices(bytes(header), chunks)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    has_alpha = pixels.shape[2] in (2, 4)
    return Decoded(Image(np.ascontiguousarray(pixels), has_alpha, metadata, _frames(chunks)), orientation)


def _without_asides(data: bytes, chunks: list[tuple[bytes, bytes | memoryview]]) -> bytes:
    """The file without what does not speak of pixels: libpng would unfold each text, and warn of what is told here."""
    view, position = memoryview(data), len(SIGNATURE)
    kept = [view[:position]]
    for kind, content in chunks:
        end = position + 12 + len(content)
        if kind == b"tRNS" or not kind[0] & _ANCILLARY:
            kept.append(view[position:end])
        position = end
    return b"".join(kept) if len(kept) <= len(chunks) else data


def check_head(head: bytes, max_pixels: int) -> None:
    """Refuse by its first bytes a PNG without a header, or one that announces too much."""
    length, kind = struct.unpack_from(">I4s", head.ljust(len(SIGNATURE) + 8, b"\0"), len(SIGNATURE))
    if len(head) >= len(SIGNATURE) + 8 and (kind != b"IHDR" or length != 13):
        raise ImageError("damaged PNG: it does not start with a header; get a fresh copy")
    if len(head) < len(SIGNATURE) + 25:
        raise ImageError(f"truncated PNG: it ends after {len(head)} bytes without its end mark; get a fresh copy")
    width, height, bits, colour = struct.unpack_from(">IIBB", head, len(SIGNATURE) + 8)
    has_alpha = colour in (4, 6)
    check_size(
        width, height, max_pixels, bytes_with_result(_CHANNELS.get(colour, 4), 2 if bits == 16 else 1, has_alpha)
    )


def check_packed(width: int, height: int, bits: int, colour: int, packed: int) -> None:
    """Refuse compressed pixels of so few bytes that they cannot be all, before there is memory for them."""
    needed = height * (width * bits * _SAMPLES.get(colour, 1) // 8)
    if needed > packed * _DENSEST:
        raise ImageError(
            f"truncated PNG: its {width}x{height} pixels are {packed:,} bytes, expected at least "
            f"{-(-needed // _DENSEST):,}; get a fresh copy"
        )


def check_indices(header: bytes, chunks: Chunks) -> None:
    """Refuse a picture that uses colours which its palette lacks: libpng shows them black."""
    import imagecodecs

    bits, colour = header[8:10]
    count = len(next((content for kind, content in chunks if kind == b"PLTE"), b"")) // 3
    if colour != _PALETTE or count >= 1 << bits:
        return
    grey = header[:9] + b"\0" + header[10:]
    packed = [bytes(content) for kind, content in chunks if kind == b"IDAT"]
    parts = (*chunk(b"IHDR", grey), *chunk(b"IDAT", *packed), *chunk(b"IEND", b""))
    used = int(imagecodecs.png_decode(b"".join((SIGNATURE, *parts))).max()) // (255 // ((1 << bits) - 1))
    if used >= count:
        raise ImageError(f"damaged PNG: it uses colour {used} of a palette of {count}; get a fresh copy")


def encode(image: Image, *, level: int | None = None, band: int = png_rows.BAND) -> Iterator[bytes]:
    """Encode 8- or 16-bit pixels with their metadata, piece by piece: the first are there before the last are made.

    ``level`` is zlib's, 0 to 9, None for the fast default; ``band`` is for `png_rows.compress`.
    """
    pixels = np.ascontiguousarray(image.pixels)
    height, width, channels = pixels.shape
    settings = _choose(pixels) if level is None else Settings(level)
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
    yield SIGNATURE
    yield from chunk(b"IHDR", header)
    for kind, *contents in png_chunks.chunks_of(image.metadata):
        yield from chunk(kind, *contents)
    for content in png_rows.compress(pixels, settings, band):
        yield from chunk(b"IDAT", content)
    yield from chunk(b"IEND", b"")


# A 24 MP photograph on one core: _FAST 0.6 s and 35 MB, _THOROUGH 2.1 s and 36 MB, level 1 alone 0.9 s and 39 MB,
# Pillow's default 10 s and 33 MB: there is little to find in noise. A screenshot: _FAST 31 ms and 1.9 MB, _THOROUGH
# 48 ms and 0.3 MB.
_FAST = Settings(1, only_runs=True)
_THOROUGH = Settings(4)  # repetitions too, after the best filter of five for each row
_SMALL = 1 << 20  # bytes that are encoded thoroughly in 20 ms
_SAMPLE = 1 << 18


def _choose(pixels: Pixels) -> Settings:
    """Settings for these pixels, found by compressing three bands of rows both ways."""
    height = len(pixels)
    rows = max(8, _SAMPLE * height // pixels.nbytes)
    if pixels.nbytes <= _SMALL or height < 8 * rows:
        return _THOROUGH
    bands = [pixels[start : start + rows] for start in (height // 4, height // 2, 3 * height // 4)]
    tries = [(band, settings) for settings in (_FAST, _THOROUGH) for band in bands]
    sizes = list(spread(lambda each: png_rows.size_alone(*each), tries))
    return _THOROUGH if sum(sizes[3:]) < 0.8 * sum(sizes[:3]) else _FAST


def chunks_in(data: bytes) -> Iterator[tuple[bytes, bytes | memoryview]]:
    """Walk all chunks, checking every length and checksum, up to and including IEND."""
    view = memoryview(data)
    position = len(SIGNATURE)
    most = _MOST_CHUNKS + len(data) // 1024
    for count in itertools.count(1):
        check_count(count, most, "damaged PNG: got {} chunks and more", "get a fresh copy", ImageError)
        if position + 12 > len(data):
            raise ImageError(f"truncated PNG: it ends after {len(data)} bytes without its end mark; get a fresh copy")
        length, kind = struct.unpack_from(">I4s", data, position)
        name = kind.decode("latin-1") if kind.isalpha() else "unnamed"
        end = position + 12 + length
        if end > len(data):
            raise ImageError(
                f"truncated PNG: it ends after {len(data)} bytes, inside its {name} chunk; get a fresh copy"
            )
        if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageError(f"damaged PNG: its {name} chunk at byte {position} has a wrong checksum; get a fresh copy")
        content = view[position + 8 : end - 4]
        yield kind, content if length > _VIEWED else bytes(content)
        if kind == b"IEND":
            return
        position = end


def _frames(chunks: list[tuple[bytes, bytes | memoryview]]) -> tuple[str, ...]:
    for kind, content in chunks:
        if kind == b"acTL" and len(content) == 8 and (frames := struct.unpack_from(">I", content)[0]) > 1:
            return (f"animated PNG: only its default picture was read, not its {frames} frames; {TAKES_ALL}",)
    return ()


def chunk(kind: bytes, *contents: bytes) -> tuple[bytes, ...]:
    """Length, type, the pieces of the content, and checksum."""
    checksum = functools.reduce(lambda before, content: zlib.crc32(content, before), contents, zlib.crc32(kind))
    return struct.pack(">I", sum(map(len, contents))), kind, *contents, struct.pack(">I", checksum)
