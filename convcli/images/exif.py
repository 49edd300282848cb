"""The few things convcli does to an EXIF block: read orientation and resolution, reset what would no longer be true.

A block is patched in place, byte by byte, instead of being taken apart and built anew: makers' notes hold offsets that
only they understand, and rebuilding breaks them. Blocks start at their TIFF header (``II*\\0`` or ``MM\\0*``).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_EXIF_IFD = 0x8769
_ORIENTATIONS = range(1, 9)
_TURNED = range(5, 9)  # orientations that exchange x and y
_WIDTH_TAGS, _HEIGHT_TAGS = (0x0100, 0xA002), (0x0101, 0xA003)
_THUMBNAIL_START, _THUMBNAIL_LENGTH = 0x0201, 0x0202

_SHORT, _LONG, _RATIONAL = 3, 4, 5
_CENTIMETRE = 3


def upright(block: bytes | None, otherwise: int | None = None) -> tuple[bytes | None, int]:
    """Take the orientation out of an EXIF block: returns the block saying 1, without its thumbnail, and what it said.

    Where there is no block, or it says nothing, the orientation is ``otherwise``: what the file's XMP says. EXIF wins
    over XMP because it is what cameras write and every viewer follows; programs that turn a picture reset it first and
    may leave the XMP behind as it was. The thumbnail goes because it shows the picture before filtering. A block that
    cannot be understood is dropped.
    """
    if not block:
        return None, otherwise or 1
    try:
        patch = _Patch(bytearray(block.removeprefix(b"Exif\0\0")))
        said = patch.number(patch.first, _ORIENTATION)
        orientation = said if said is not None and said in _ORIENTATIONS else otherwise or 1
        patch.set_number(patch.first, _ORIENTATION, 1)
        if orientation in _TURNED:
            patch.exchange(patch.first, _X_RESOLUTION, _Y_RESOLUTION)
        patch.drop_thumbnail()
    except (struct.error, ValueError, IndexError):
        return None, otherwise or 1
    return bytes(patch.data), orientation


def resolution(block: bytes) -> tuple[float, float] | None:
    """Pixels per inch along x and y as stored (before any turn), if the block says so."""
    try:
        patch = _Patch(bytearray(block.removeprefix(b"Exif\0\0")))
        x, y = patch.fraction(patch.first, _X_RESOLUTION), patch.fraction(patch.first, _Y_RESOLUTION)
        unit = patch.number(patch.first, _RESOLUTION_UNIT)
    except (struct.error, ValueError, IndexError):
        return None
    if not x or not y:
        return None
    scale = 2.54 if unit == _CENTIMETRE else 1.0
    return x * scale, y * scale


def with_size(block: bytes, width: int, height: int) -> bytes:
    """The same block with its width and height tags, where it has them, telling the size that is written."""
    try:
        patch = _Patch(bytearray(block))
        offsets = [patch.first]
        nested = patch.number(patch.first, _EXIF_IFD)
        offsets += [nested] if nested else []
        for offset in offsets:
            for tags, value in ((_WIDTH_TAGS, width), (_HEIGHT_TAGS, height)):
                for tag in tags:
                    patch.set_number(offset, tag, value)
    except (struct.error, ValueError, IndexError):
        return block
    return bytes(patch.data)


@dataclass(frozen=True)
class _Entry:
    position: int
    tag: int
    kind: int
    count: int


class _Patch:
    """An EXIF block under the knife. Directories are named by their offset; `first` is the main one."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
        if not self.order or len(data) < 14:
            raise ValueError("not an EXIF block")
        self.first: int = struct.unpack_from(self.order + "I", data, 4)[0]
        self.entries(self.first)

    def entries(self, offset: int) -> Iterator[_Entry]:
        count = struct.unpack_from(self.order + "H", self.data, offset)[0]
        if offset + 2 + 12 * count > len(self.data):
            raise ValueError("a directory that ends outside the block")
        for position in range(offset + 2, offset + 2 + 12 * count, 12):
            yield _Entry(position, *struct.unpack_from(self.order + "HHI", self.data, position))

    def find(self, offset: int, tag: int) -> _Entry | None:
        return next((each for each in self.entries(offset) if each.tag == tag), None)

    def number(self, offset: int, tag: int) -> int | None:
        entry = self.find(offset, tag)
        if entry is None or entry.count != 1 or entry.kind not in (_SHORT, _LONG):
            return None
        code = "H" if entry.kind == _SHORT else "I"
        return int(struct.unpack_from(self.order + code, self.data, entry.position + 8)[0])

    def set_number(self, offset: int, tag: int, value: int) -> None:
        entry = self.find(offset, tag)
        if entry is None or entry.count != 1 or entry.kind not in (_SHORT, _LONG):
            return
        if entry.kind == _SHORT and value > 0xFFFF:  # the same twelve bytes have room for the longer type
            struct.pack_into(self.order + "H", self.data, entry.position + 2, _LONG)
        code = "I" if entry.kind == _LONG or value > 0xFFFF else "H"
        struct.pack_into(self.order + code, self.data, entry.position + 8, value)

    def fraction(self, offset: int, tag: int) -> float | None:
        entry = self.find(offset, tag)
        if entry is None or entry.kind != _RATIONAL or entry.count != 1:
            return None
        place = struct.unpack_from(self.order + "I", self.data, entry.position + 8)[0]
        numerator, denominator = struct.unpack_from(self.order + "II", self.data, place)
        return numerator / denominator if denominator else None

    def exchange(self, offset: int, one_tag: int, other_tag: int) -> None:
        one, other = self.find(offset, one_tag), self.find(offset, other_tag)
        if one is None or other is None:
            return
        first, second = (slice(each.position + 2, each.position + 12) for each in (one, other))
        self.data[first], self.data[second] = self.data[second], self.data[first]

    def drop_thumbnail(self) -> None:
        count = struct.unpack_from(self.order + "H", self.data, self.first)[0]
        link = self.first + 2 + 12 * count
        if link + 4 > len(self.data):
            return
        second = struct.unpack_from(self.order + "I", self.data, link)[0]
        if not second:
            return
        struct.pack_into(self.order + "I", self.data, link, 0)
        start, length = self.number(second, _THUMBNAIL_START), self.number(second, _THUMBNAIL_LENGTH)
        if not start or not length or start + length > len(self.data):
            return
        if start + length >= len(self.data) - 1:
            del self.data[start:]
        else:
            self.data[start : start + length] = bytes(length)
