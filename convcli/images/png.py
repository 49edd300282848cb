"""PNG: its chunks are read and written here; its pixels are libpng's to read (imagecodecs), `png_rows`' to write.

Pillow opens 16-bit colour as 8-bit without a word, so it has no part in this. libpng expands palettes, 1, 2 and 4 bits
and transparent colours; 16 bits stay 16.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from convcli.errors import ImageError
from convcli.images import exif, png_rows, xmp
from convcli.images.bands import spread
from convcli.images.model import Decoded, Image, Metadata, Pixels, check_size
from convcli.images.png_rows import Settings

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
_COLOUR_CHUNKS = (b"cICP", b"gAMA", b"cHRM", b"sRGB")
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_METRES_PER_INCH = 0.0254
_MOST_METADATA = 1 << 26  # bytes that a compressed profile or text may unfold into


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a PNG file; raises `ImageError` for one that is truncated or damaged anywhere."""
    import imagecodecs

    chunks = list(chunks_in(data))
    if chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise ImageError("damaged PNG: it does not start with a header; get a fresh copy")
    width, height = struct.unpack_from(">II", chunks[0][1])
    check_size(width, height, max_pixels)
    metadata, orientation, warnings = _describe(chunks)
    pixels = imagecodecs.png_decode(data)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    has_alpha = pixels.shape[2] in (2, 4)
    return Decoded(Image(np.ascontiguousarray(pixels), has_alpha, metadata, warnings), orientation)


def encode(image: Image, *, level: int | None = None, band: int = png_rows.BAND) -> Iterator[bytes]:
    """Encode 8- or 16-bit pixels with their metadata, piece by piece: the first are there before the last are made.

    ``level`` is zlib's, 0 to 9, None for the fast default; ``band`` is for `png_rows.compress`.
    """
    pixels = np.ascontiguousarray(image.pixels)
    height, width, channels = pixels.shape
    settings = _choose(pixels) if level is None else Settings(level)
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
    yield SIGNATURE
    for kind, content in ((b"IHDR", header), *_metadata_chunks(image.metadata)):
        yield from chunk(kind, content)
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
    while True:
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
        yield kind, content if kind == b"IDAT" else bytes(content)
        if kind == b"IEND":
            return
        position = end


def _describe(chunks: list[tuple[bytes, bytes | memoryview]]) -> tuple[Metadata, int, tuple[str, ...]]:
    icc = block = packet = None
    dpi: tuple[float, float] | None = None
    colour: list[tuple[bytes, bytes]] = []
    warnings: tuple[str, ...] = ()
    for kind, raw in chunks:
        content = bytes(raw) if kind != b"IDAT" else b""
        if kind == b"iCCP":
            icc = _unpack(content.partition(b"\0")[2][1:])
        elif kind == b"eXIf":
            block = content
        elif kind == b"pHYs" and len(content) == 9 and content[8] == 1:
            x, y = struct.unpack_from(">II", content)
            dpi = (x * _METRES_PER_INCH, y * _METRES_PER_INCH) if x and y else None
        elif kind == b"iTXt" and content.startswith(_XMP_KEYWORD):
            packet = _international_text(content[len(_XMP_KEYWORD) :])
        elif kind == b"acTL" and len(content) == 8 and struct.unpack_from(">I", content)[0] > 1:
            frames = struct.unpack_from(">I", content)[0]
            warnings = (
                f"animated PNG: only its default picture was read, not its {frames} frames; --axes zyx takes all",
            )
        elif kind in _COLOUR_CHUNKS:
            colour.append((kind, content))
    if icc:
        colour = [each for each in colour if each[0] != b"sRGB"]  # a file may have one or the other
    packet, said = xmp.upright(packet) if packet else (None, None)
    block, orientation = exif.upright(block, said)
    metadata = Metadata(format="PNG", icc=icc, exif=block, xmp=packet, dpi=dpi, png_colour=tuple(colour))
    return metadata, orientation, warnings


def _unpack(packed: bytes) -> bytes | None:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, _MOST_METADATA)
    except zlib.error:
        return None
    return content if unpacker.eof else None


def _international_text(rest: bytes) -> bytes | None:
    compressed = rest[:1] == b"\1"
    text = rest[2:].split(b"\0", 2)[-1]
    return _unpack(text) if compressed else text


def _metadata_chunks(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    yield from metadata.png_colour
    if metadata.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    if metadata.dpi:
        x, y = (min(round(each / _METRES_PER_INCH), 0x7FFFFFFF) for each in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", x, y, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", _XMP_KEYWORD + b"\0\0\0\0" + metadata.xmp


def chunk(kind: bytes, content: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Length, type, content and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)
