"""What the markers of a JPEG 2000 code stream say: sizes, depths, loss, and whether all of it is there.

Source: ISO/IEC 15444-1, "JPEG 2000 image coding system: Core coding system", annex A.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from convcli.budget import Allowance, check_count
from convcli.errors import ImageError

START = b"\xff\x4f\xff\x51"
_SIZES, _STYLE, _STYLE_OF_ONE, _COMMENT, _PART, _DATA, _END = 0xFF51, 0xFF52, 0xFF53, 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_MOST_COMPONENTS, _MOST_TILES, _MOST_PARTS, _MOST_LEVELS = 64, 65_535, 1_000_000, 32
_BLOCK_BYTES, _PRECINCT_BYTES = 1000, 1500  # of memory in OpenJPEG, for each
_BY_PROGRAMS = (b"Created by", b"Kakadu", b"Kdu-")  # comments that say nothing of the picture


@dataclass(frozen=True)
class Stream:
    """What a code stream's header says.

    Attributes
    ----------
    bits, signed : tuple
        Of each component.
    is_subsampled : bool
        Whether components differ in size.
    is_reversible : bool
        Whether the transform loses nothing.
    overhead : int
        Bytes that a decoder keeps besides samples.
    has_comment : bool
        Whether somebody's words are in it.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    signed: tuple[bool, ...]
    is_subsampled: bool
    is_reversible: bool
    overhead: int
    has_comment: bool


class _Style(NamedTuple):
    levels: int
    block_width: int  # as powers of two
    block_height: int
    is_reversible: bool
    precincts: bytes  # of each level two powers of two


def read_stream(data: memoryview) -> Stream:
    """Parse the markers of a code stream; raises `ImageError` for what is damaged, cut off or out of proportion."""
    sizes, styles, has_comment, tiles = b"", [], False, set()
    for marker, content in _markers(data):
        if marker == _SIZES:
            sizes = content
        elif marker in (_STYLE, _STYLE_OF_ONE):
            styles.append(_style(content, 0 if marker == _STYLE else 1 if sizes[34:36] < b"\1\1" else 2))
        elif marker == _COMMENT:
            has_comment |= content[:2] == b"\0\1" and not content[2:].startswith(_BY_PROGRAMS)
        elif marker == _PART:
            tiles.add(content[:2])
    if len(sizes) < 36 or not styles:
        raise ImageError("damaged JP2: its code stream says no size or style; get a fresh copy")
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, count = struct.unpack_from(">8IH", sizes, 2)
    check_count(count, _MOST_COMPONENTS, "got {} components", "split the file", ImageError)
    parts = [sizes[36 + 3 * index : 39 + 3 * index] for index in range(count)]
    if not count or len(parts[-1]) < 3 or not tile_width or not tile_height or right <= left or bottom <= top:
        raise ImageError("damaged JP2: the sizes of its code stream make no sense; get a fresh copy")
    across, down = -(-(right - tile_left) // tile_width), -(-(bottom - tile_top) // tile_height)
    check_count(across * down, _MOST_TILES, "damaged JP2: got {} tiles", "get a fresh copy", ImageError)
    if len(tiles) < across * down:
        raise ImageError(f"truncated JP2: it has {len(tiles)} of {across * down} tiles; get a fresh copy")
    width, height = right - left, bottom - top
    return Stream(
        width,
        height,
        tuple((each[0] & 0x7F) + 1 for each in parts),
        tuple(bool(each[0] & 0x80) for each in parts),
        any(each[1:] != b"\1\1" for each in parts),
        all(each.is_reversible for each in styles),
        count * max(_overhead(each, min(tile_width, width), min(tile_height, height)) for each in styles),
        has_comment,
    )


def _markers(data: memoryview) -> Iterator[tuple[int, bytes]]:
    """The markers of the main header and of every part of a tile; coded data are jumped over."""
    position, part_end = 2, 0
    room = Allowance(_MOST_PARTS, "damaged JP2: it has too many markers; get a fresh copy", ImageError)
    while position + 2 <= len(data):
        room.spend(1)
        marker = struct.unpack_from(">H", data, position)[0]
        if marker == _END:
            return
        if marker == _DATA:
            position = part_end or len(data) - 2  # a part without a length goes to the end of the stream
            continue
        length = struct.unpack_from(">H", data, position + 2)[0] if position + 4 <= len(data) else 0
        end = position + 2 + length
        if length < 2 or end > len(data) or marker < 0xFF00:
            break
        content = bytes(data[position + 4 : end])
        if marker == _PART and len(content) >= 8:
            size = struct.unpack_from(">I", content, 2)[0]
            part_end = position + size if size else 0
            if part_end > len(data) or 0 < size < 14:
                raise ImageError("truncated JP2: a part of its picture is cut off; get a fresh copy")
        yield marker, content
        position = end
    raise ImageError("truncated or damaged JP2: its code stream does not end; get a fresh copy")


def _style(content: bytes, of_component: int) -> _Style:
    """A style; one of a single component has its number, of so many bytes, where that of all has four others."""
    flags, rest = (content[of_component], content[of_component + 1 :]) if of_component else (content[0], content[5:])
    levels, block_width, block_height, _, transform = rest[:5]
    if levels > _MOST_LEVELS or block_width > 8 or block_height > 8:
        raise ImageError("damaged JP2: the blocks of its code stream make no sense; get a fresh copy")
    precincts = rest[5 : 6 + levels] if flags & 1 else b""
    return _Style(levels, block_width + 2, block_height + 2, transform == 1, precincts.ljust(levels + 1, b"\xff"))


def _overhead(style: _Style, width: int, height: int) -> int:
    """Bytes for the precincts and blocks of one component of a tile, of which small ones make many."""
    total = 0
    for level, precinct in enumerate(style.precincts):
        shrunk = 1 << (style.levels - level)
        across, down = -(-width // shrunk), -(-height // shrunk)
        bands = 3 if level else 1
        wide, high = precinct & 15, precinct >> 4  # as powers of two
        total += _PRECINCT_BYTES * _parts(across, wide) * _parts(down, high)
        in_band = (wide - 1, high - 1) if level else (wide, high)
        wide, high = (max(min(each), 0) for each in zip(in_band, (style.block_width, style.block_height), strict=True))
        halved = 2 if level else 1
        total += _BLOCK_BYTES * bands * _parts(-(-across // halved), wide) * _parts(-(-down // halved), high)
    return total


def _parts(length: int, power: int) -> int:
    """How many parts of a power of two a length has, the last one perhaps shorter."""
    return -(-length // (1 << power))
