"""An EXIF block under the knife: entries found, read, changed and taken out where they lie.

What is done with them, and why, is `convcli.images.exif`'s.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

SHORT, LONG, RATIONAL = 3, 4, 5
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_NUMBERS = {SHORT: "H", LONG: "I", RATIONAL: "II", 11: "f", 12: "d"}
_THUMBNAIL_PARTS = ((0x0201, 0x0202), (0x0111, 0x0117))  # starts, lengths
_MOST_DIRECTORIES, _MOST_ENTRIES = 16, 4096


def as_fraction(value: float, order: str) -> bytes:
    """Eight bytes, as exact as they can be; ``order`` is ``<`` or ``>``."""
    exact = Fraction(value).limit_denominator(1_000_000)
    if exact.numerator > 0xFFFFFFFF:
        exact = Fraction(0xFFFFFFFF)
    return struct.pack(order + "II", exact.numerator, exact.denominator)


@dataclass(frozen=True)
class Entry:
    """Twelve bytes of a directory, and where they lie."""

    position: int
    tag: int
    kind: int
    count: int


class Patch:
    """An EXIF block under the knife. Directories are named by their offset; `first` is the main one."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
        if not self.order or len(data) < 14:
            raise ValueError("not an EXIF block")
        self.first: int = struct.unpack_from(self.order + "I", data, 4)[0]
        self.entries(self.first)

    def entries(self, offset: int) -> Iterator[Entry]:
        """The entries of the directory at an offset; raises `ValueError` if it ends outside or has thousands."""
        count = struct.unpack_from(self.order + "H", self.data, offset)[0]
        if count > _MOST_ENTRIES or offset + 2 + 12 * count > len(self.data):
            raise ValueError("a directory that ends outside the block, or that nobody would write")
        for position in range(offset + 2, offset + 2 + 12 * count, 12):
            yield Entry(position, *struct.unpack_from(self.order + "HHI", self.data, position))

    def find(self, offset: int, tag: int) -> Entry | None:
        """The first entry of that tag."""
        return next((each for each in self.entries(offset) if each.tag == tag), None)

    def number(self, offset: int, tag: int) -> int | None:
        """The value of an entry that holds one whole number."""
        entry = self.find(offset, tag)
        if entry is None or entry.count != 1 or entry.kind not in (SHORT, LONG):
            return None
        code = "H" if entry.kind == SHORT else "I"
        return int(struct.unpack_from(self.order + code, self.data, entry.position + 8)[0])

    def set_number(self, offset: int, tag: int, value: int) -> None:
        """Change an entry that holds one whole number; its type grows with it."""
        entry = self.find(offset, tag)
        if entry is None or entry.count != 1 or entry.kind not in (SHORT, LONG):
            return
        if entry.kind == SHORT and value > 0xFFFF:  # the same twelve bytes have room for the longer type
            struct.pack_into(self.order + "H", self.data, entry.position + 2, LONG)
        code = "I" if entry.kind == LONG or value > 0xFFFF else "H"
        struct.pack_into(self.order + code, self.data, entry.position + 8, value)

    def content(self, entry: Entry) -> bytes:
        """The bytes of an entry's values."""
        start, end = self.extent(entry)
        return bytes(self.data[start:end])

    def sealed(self, before: bytes) -> bytes:
        """The block as it is now: the one ``before``, without a second copy, if nothing was changed."""
        return before if self.data == before else bytes(self.data)

    def extent(self, entry: Entry) -> tuple[int, int]:
        """Where the values of an entry begin and end, inside the block."""
        size = _SIZES.get(entry.kind, 0) * entry.count
        start = entry.position + 8
        if size > 4:
            start = struct.unpack_from(self.order + "I", self.data, start)[0]
        return min(start, len(self.data)), min(start + size, len(self.data))

    def append(self, content: bytes) -> int:
        """Where content lies that is added at the end."""
        self.data += bytes(len(self.data) % 2)
        place = len(self.data)
        self.data += content
        return place

    def fraction(self, offset: int, tag: int) -> float | None:
        """The value of an entry that holds one number, whole or not, if that is a number."""
        entry = self.find(offset, tag)
        if entry is None or entry.count != 1 or entry.kind not in _NUMBERS:
            return None
        values = struct.unpack(self.order + _NUMBERS[entry.kind], self.content(entry))
        if len(values) == 1:
            return float(values[0])
        return values[0] / values[1] if values[1] else None

    def divide(self, offset: int, tag: int, step: float) -> None:
        """Divide a positive number; as a fraction at the end, since two entries may share the old one's place."""
        value, entry = self.fraction(offset, tag), self.find(offset, tag)
        if step != 1 and entry is not None and value is not None and 0 < value < math.inf:
            place = self.append(as_fraction(value / step, self.order))
            struct.pack_into(self.order + "HII", self.data, entry.position + 2, RATIONAL, 1, place)

    def exchange(self, offset: int, one_tag: int, other_tag: int) -> None:
        """Let two entries have each other's values."""
        one, other = self.find(offset, one_tag), self.find(offset, other_tag)
        if one is None or other is None:
            return
        first, second = (slice(each.position + 2, each.position + 12) for each in (one, other))
        self.data[first], self.data[second] = self.data[second], self.data[first]

    def remove(self, offset: int, tag: int) -> bool:
        """Take an entry out of its directory, and its values out of the block; whether there was one."""
        entry = self.find(offset, tag)
        if entry is None:
            return False
        start, end = self.extent(entry)
        if start != entry.position + 8:
            self.data[start:end] = bytes(end - start)
        count = struct.unpack_from(self.order + "H", self.data, offset)[0]
        tail = offset + 2 + 12 * count + 4  # the link to the next directory moves along
        moved = self.data[entry.position + 12 : tail]
        self.data[entry.position : entry.position + len(moved)] = moved
        struct.pack_into(self.order + "H", self.data, offset, count - 1)
        return True

    def drop_thumbnails(self) -> bool:
        """Unlink what follows the main directory, and wipe the pictures there; whether there was anything."""
        link = self.link(self.first)
        offset = struct.unpack_from(self.order + "I", self.data, link)[0] if link + 4 <= len(self.data) else 0
        if not offset:
            return False
        struct.pack_into(self.order + "I", self.data, link, 0)
        for _ in range(_MOST_DIRECTORIES):
            for start_tag, length_tag in _THUMBNAIL_PARTS:
                start, length = self.number(offset, start_tag), self.number(offset, length_tag)
                if start and length and start + length <= len(self.data):
                    self.wipe(start, start + length)
            link = self.link(offset)
            offset = struct.unpack_from(self.order + "I", self.data, link)[0] if link + 4 <= len(self.data) else 0
            if not offset:
                break
        return True

    def link(self, offset: int) -> int:
        """Where the offset of the directory after this one stands."""
        return int(offset + 2 + 12 * struct.unpack_from(self.order + "H", self.data, offset)[0])

    def wipe(self, start: int, end: int) -> None:
        """Take bytes out: cut off at the end, zeros elsewhere, so that nothing else moves."""
        if end >= len(self.data) - 1:
            del self.data[start:]
        else:
            self.data[start:end] = bytes(end - start)
