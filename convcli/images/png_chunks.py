"""What the chunks of a PNG file say besides pixels, and the chunks that say it again.

Source: W3C, "Portable Network Graphics Specification, third edition", sections 5 and 11.3; ImageMagick's and ExifTool's
"Raw profile type" texts, the usual place of IPTC, and of EXIF before there was a chunk for it.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from convcli.images import exif, icc, png_colour, resolution, xmp_orientation
from convcli.images.model import Metadata, Own
from convcli.images.resolution import METRE, Pair

_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW = "Raw profile type "
_MOST_METADATA = 1 << 24  # bytes that a compressed profile, or all compressed texts together, may unfold into
_ZERO = re.compile(rb"\0")
_MOST_UNFOLDING = 1032  # bytes that deflate makes of one
_MOST_IN_A_CHUNK = 0x7FFFFFFF
# What stands for the pixels themselves, what Apple's decoder wants to know, and frames, which have a warning.
_PICTURE = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iDOT", b"CgBI", b"acTL", b"fcTL", b"fdAT"))
# Kept although they depend on pixels (see `png_colour.fits`), and not kept although programs may copy them: where the
# picture lies on a page or a canvas, and a resolution that is damaged.
_KEPT, _NOT_KEPT = (b"sBIT", b"bKGD", b"tIME"), (b"oFFs", b"vpAg", b"caNv", b"pHYs")
_MAY_BE_COPIED = 0x20  # of the last letter: whoever does not know the chunk may copy it beside other pixels


@dataclass
class _Found:
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    dpi: Pair | None = None
    aspect: Pair | None = None
    colour: list[tuple[bytes, bytes]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    own: list[Own] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    room: int = _MOST_METADATA


def describe(chunks: Iterable[tuple[bytes, bytes | memoryview]]) -> tuple[Metadata, int]:
    """The metadata of a file of these chunks (type, content), and its orientation."""
    found = _Found()
    for kind, raw in chunks:
        if kind in _PICTURE:
            continue
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            _add_text(found, kind, raw)
            continue
        if kind == b"iCCP":
            _add_profile(found, raw)
            continue
        content = bytes(raw)
        if kind == b"eXIf":
            found.exif = content
        elif kind == b"pHYs" and len(content) == 9:
            _add_resolution(found, content)
        elif kind in png_colour.CHUNKS:
            found.colour.append((kind, content))
        elif kind in _KEPT or (kind[3] & _MAY_BE_COPIED and kind not in _NOT_KEPT):
            found.own.append(Own("PNG", _name(kind), kind, content))
        else:
            found.lost.append(_name(kind))
    if found.icc and icc.whole(found.icc):
        found.colour = [each for each in found.colour if each[0] != b"sRGB"]  # a file may have one or the other
    packet, said = xmp_orientation.upright(found.xmp) if found.xmp else (None, None)
    block, orientation = exif.upright(found.exif, said)
    metadata = Metadata(
        format="PNG",
        icc=found.icc,
        exif=block,
        xmp=packet,
        dpi=found.dpi,
        aspect=found.aspect,
        texts=tuple(found.texts),
        photoshop=found.photoshop,
        png_colour=tuple(found.colour),
        own=tuple(found.own),
        lost=tuple(found.lost),
    )
    return metadata, orientation


def chunks_of(metadata: Metadata) -> Iterator[tuple[bytes, ...]]:
    """(type, content, perhaps more of it) of the chunks that stand before the pixels."""
    yield from metadata.png_colour
    if metadata.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    yield from ((each.code, each.content) for each in metadata.own)
    if metadata.dpi:
        x, y = (min(round(each / METRE), _MOST_IN_A_CHUNK) for each in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", x, y, 1)
    elif metadata.aspect and not resolution.is_square(metadata.aspect):
        yield b"pHYs", struct.pack(">IIB", *resolution.whole_ratio(metadata.aspect, _MOST_IN_A_CHUNK), 0)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0", metadata.xmp
    if metadata.photoshop:
        lines = [metadata.photoshop[at : at + 36].hex() for at in range(0, len(metadata.photoshop), 36)]
        text = f"\niptc\n{len(metadata.photoshop):8}\n" + "\n".join(lines) + "\n"
        yield b"zTXt", f"{_RAW}iptc".encode() + b"\0\0" + zlib.compress(text.encode())
    for keyword, text in metadata.texts:
        name = (keyword.encode("latin-1", "replace")[:79] or b"Comment") + b"\0"
        text = text.replace("\0", " ")
        try:
            yield b"tEXt", name, text.encode("latin-1")
        except UnicodeEncodeError:
            yield b"iTXt", name + b"\0\0\0\0", text.encode("utf-8", "replace")


def _add_profile(found: _Found, content: bytes | memoryview) -> None:
    if found.icc is not None:
        found.lost.append("a second colour profile")
        return
    found.icc = _unpack(_parted(content)[1][1:], _MOST_METADATA) or b""
    found.lost += [] if found.icc else ["damaged colour profile"]


def _add_resolution(found: _Found, content: bytes) -> None:
    x, y, unit = struct.unpack(">IIB", content)
    if unit > 1:
        found.lost.append("a resolution of unknown unit")
    else:
        found.dpi, found.aspect = resolution.told(x, y, METRE if unit else None)


def _add_text(found: _Found, kind: bytes, content: bytes | memoryview) -> None:
    before, rest = _parted(content)
    keyword = bytes(before)
    name = keyword.decode("latin-1")
    language = b""
    packed = kind == b"zTXt"
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = bytes(rest[:1]) == b"\1"
        first, rest = _parted(rest[2:])
        second, rest = _parted(rest)
        language = bytes(first) + bytes(second)
    text = _unpack(rest, found.room) if packed else rest
    if text is None:
        found.room = max(0, found.room - _MOST_UNFOLDING * len(rest))  # what finding that out may have cost
        found.lost.append(f"damaged text {name}")
        return
    found.room -= len(text) if packed else 0
    if keyword == _XMP_KEYWORD:
        found.xmp = bytes(text)
    elif name.startswith(_RAW) and len(text) <= 2 * _MOST_METADATA:
        _add_raw(found, name.removeprefix(_RAW).lower(), bytes(text))
    elif name.startswith(_RAW):
        found.lost.append(name)
    elif language:
        found.own.append(Own("PNG", f"text {name}", kind, bytes(content)))
    else:
        found.texts.append((name, str(text, "utf-8" if kind == b"iTXt" else "latin-1", "replace")))


def _parted(content: bytes | memoryview) -> tuple[bytes | memoryview, bytes | memoryview]:
    """What stands before the first zero byte and after it, without copying what is long."""
    zero = _ZERO.search(content)
    return (content[: zero.start()], content[zero.end() :]) if zero else (content, b"")


def _add_raw(found: _Found, kind: str, text: bytes) -> None:
    """A profile in hexadecimal digits, after its name and length; the chunks made for such a thing win over it."""
    try:
        _, length, digits = text.lstrip(b"\n").split(b"\n", 2)
        content = bytes.fromhex(digits.decode("ascii"))[: int(length)]
    except ValueError:
        found.lost.append(f"damaged {_RAW}{kind}")
        return
    if content.startswith(b"Exif\0\0") and found.exif is None:
        found.exif = content
    elif kind == "xmp" and found.xmp is None:
        found.xmp = content
    elif kind in ("iptc", "8bim") and content.startswith(b"8BIM"):
        found.photoshop = content
    elif kind in ("icc", "icm") and found.icc is None:
        found.icc = content
    else:
        found.lost.append(f"{_RAW}{kind}")


def _unpack(packed: bytes | memoryview, most: int) -> bytes | None:
    """What zlib makes of it, or None if that is nothing, or more than ``most`` bytes."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(packed, max(most, 1))
    except zlib.error:
        return None
    return content if unpacker.eof else None


def _name(kind: bytes) -> str:
    return kind.decode("latin-1") if kind.isalpha() else "an unnamed chunk"
