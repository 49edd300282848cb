"""WebP: its chunks are read here, its pixels by libwebp through Pillow. 8-bit RGB, with or without alpha.

Source: Google, "WebP Container Specification" and "WebP Lossless Bitstream Specification".
"""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from convcli.budget import Allowance
from convcli.errors import ImageError
from convcli.images import exif, xmp_orientation
from convcli.images.model import Decoded, Image, Metadata, bytes_with_result, check_canvas, check_size
from convcli.images.volume_axes import TAKES_ALL

if TYPE_CHECKING:
    from PIL.WebPImagePlugin import WebPImageFile as Picture

Chunks: TypeAlias = Sequence[tuple[bytes, bytes | memoryview]]  # kind, content

# A lossy WebP does not say how it was compressed. 90 is where libwebp's loss stops being visible on photographs; the
# customary 75 is for pictures that nobody processes again.
DEFAULT_QUALITY = 90

_FLAGS = 20  # where the flags of an extended file stand
_ANIMATED, _HAS_ALPHA, _SAYS_MORE = 0x02, 0x10, 0x2C
_OPAQUE = 255
_MOST_CHUNKS = 100_000
_PIXELS = frozenset((b"VP8L", b"VP8 ", b"ALPH", b"ANIM", b"ANMF"))
_ASIDE = frozenset((b"ICCP", b"EXIF", b"XMP "))
_KNOWN = _PIXELS | _ASIDE | {b"VP8X"}
# The canvas before and after a frame in libwebp, the frame in Pillow twice, our pixels and their result: RGBA each.
_PIXEL_BYTES = 24


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a WebP file to RGB or RGBA; of an animation the first frame, with a warning."""
    from convcli.images.pillow import to_pixels

    chunks = list(chunks_in(data))
    check_work(chunks, max_pixels)
    frames = sum(kind == b"ANMF" for kind, _ in chunks)
    with opened(data, chunks) as picture:
        pixels, has_alpha = to_pixels(picture)
    if frames and has_alpha and not data[_FLAGS] & _HAS_ALPHA and (pixels[..., 3] == _OPAQUE).all():
        pixels, has_alpha = np.ascontiguousarray(pixels[..., :3]), False
    metadata, orientation = describe(chunks)
    warnings = (f"animated WebP: only the first of {frames} frames was read; {TAKES_ALL}",) if frames > 1 else ()
    return Decoded(Image(pixels, has_alpha, metadata, warnings), orientation)


def check_work(chunks: Chunks, max_pixels: int) -> None:
    """Refuse what is too large, and a canvas that is nearly all empty, before it is composed.

    Raises `ImageError` naming the size and the limit.
    """
    width, height = size_of(chunks)
    first, content = chunks[0]
    shows_through = first == b"VP8X" and bool(content[:1]) and bool(content[0] & _HAS_ALPHA)
    check_size(width, height, max_pixels, bytes_with_result(4, 1, has_alpha=True) if shows_through else _PIXEL_BYTES)
    frames = [content for kind, content in chunks if kind == b"ANMF" and len(content) >= 12]
    sides = ((int.from_bytes(each[6:9], "little"), int.from_bytes(each[9:12], "little")) for each in frames)
    largest = max(((across + 1) * (down + 1) for across, down in sides), default=width * height)
    check_canvas("WebP", width, height, largest)


def encode(image: Image, *, quality: int | None = None, lossless: bool | None = None) -> bytes:
    """Encode 8-bit pixels: lossless if asked or if the input WebP was, else at ``quality`` or `DEFAULT_QUALITY`."""
    from convcli.images.pillow import from_pixels, to_colour

    metadata = image.metadata
    if lossless is None:
        lossless = bool(metadata.lossless) and quality is None
    options: dict[str, Any] = {"lossless": lossless, "method": 4}
    if lossless:
        # Effort, not loss: 50 takes half the time of Pillow's 80 for 1% more bytes. Invisible colours stay as they are.
        options |= {"quality": 50, "exact": True}
    else:
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    block = exif.with_resolution(metadata.exif, metadata.dpi)
    for name, content in (("icc_profile", metadata.icc), ("exif", block), ("xmp", metadata.xmp)):
        options[name] = content or b""
    stream = io.BytesIO()
    from_pixels(to_colour(image.pixels)).save(stream, "WEBP", **options)
    return stream.getvalue()


def opened(data: bytes, chunks: Chunks) -> "Picture":
    """The file of these chunks as Pillow's picture, without what does not speak of pixels; an animation with alpha.

    An animation's flag speaks of its frames' own alpha. What no frame covers is transparent all the same, but the
    decoder would call the whole opaque.
    """
    from PIL.WebPImagePlugin import WebPImageFile

    kind, content = chunks[0]
    if kind == b"VP8X" and len(content):
        position = 12 + sum(8 + len(each) + len(each) % 2 for _, each in chunks)
        if position != 8 + struct.unpack_from("<I", data, 4)[0]:
            raise ImageError(f"damaged WebP: the chunk at byte {position} is cut off; get a fresh copy")
        flags = content[0] & ~_SAYS_MORE
        flags |= _HAS_ALPHA if flags & _ANIMATED else 0
        data = _file_of([(kind, bytes((flags,)) + content[1:]), *(each for each in chunks[1:] if each[0] in _PIXELS)])
    return WebPImageFile(io.BytesIO(data))


def _file_of(chunks: Chunks) -> bytes:
    pieces = []
    for kind, content in chunks:
        pieces += [struct.pack("<4sI", kind, len(content)), content, bytes(len(content) % 2)]
    return b"".join((b"RIFF", struct.pack("<I", 4 + sum(map(len, pieces))), b"WEBP", *pieces))


def chunks_in(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """(kind, content) of every chunk, not copied; raises `ImageError` if they stop before the end."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ImageError(f"truncated WebP: it has {len(data)} bytes, expected {end}; get a fresh copy")
    position, view = 12, memoryview(data)
    room = Allowance(_MOST_CHUNKS, f"damaged WebP: got more than {_MOST_CHUNKS:,} chunks; get a fresh copy", ImageError)
    while position + 8 <= end:
        room.spend(1)
        kind, length = struct.unpack_from("<4sI", data, position)
        if position + 8 + length > end:
            raise ImageError(f"damaged WebP: the chunk at byte {position} is cut off; get a fresh copy")
        yield kind, view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def size_of(chunks: Chunks) -> tuple[int, int]:
    """Width and height as the first chunk that tells says; raises `ImageError` if none does."""
    for kind, content in chunks:
        if kind == b"VP8X" and len(content) >= 10:
            width, height = (int.from_bytes(content[start : start + 3], "little") + 1 for start in (4, 7))
            return width, height
        if kind == b"VP8L" and len(content) >= 5:
            bits = int.from_bytes(content[1:5], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 " and len(content) >= 10:
            width, height = struct.unpack_from("<HH", content, 6)
            return width & 0x3FFF, height & 0x3FFF
    raise ImageError("damaged WebP: it holds no picture; get a fresh copy")


def describe(chunks: Chunks) -> tuple[Metadata, int]:
    """The metadata of a file of these chunks, and its orientation."""
    kinds = {kind for kind, _ in chunks}
    # The first of each kind.
    found = {kind: bytes(content) for kind, content in reversed(chunks) if kind in _ASIDE}
    packet, said = xmp_orientation.upright(found[b"XMP "]) if found.get(b"XMP ") else (None, None)
    block, orientation = exif.upright(found.get(b"EXIF"), said)
    dpi, aspect = exif.resolution(found[b"EXIF"]) if block else (None, None)
    metadata = Metadata(
        format="WEBP",
        icc=found.get(b"ICCP"),
        exif=block,
        xmp=packet,
        dpi=dpi,
        aspect=aspect,
        lossless=b"VP8L" in kinds or any(kind == b"ANMF" and b"VP8L" in bytes(body[16:64]) for kind, body in chunks),
        lost=tuple(
            f"chunk {kind.decode('latin-1').strip()}"
            for kind in dict.fromkeys(kind for kind, _ in reversed(chunks))
            if kind not in _KNOWN
        ),
    )
    return metadata, orientation
