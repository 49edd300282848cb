"""Pictures in the ISO base media format: what the boxes of AVIF and HEIC files say, and how some more are added.

Of all items the primary one is the picture. What it is like stand as properties in one list, and which of them are
whose in another.

Source: ISO/IEC 23008-12, "Image file format"; ISO/IEC 14496-12, "ISO base media file format", section 8.11.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from convcli.budget import Allowance, check_count
from convcli.errors import ImageError
from convcli.images.boxes import boxes_in

_MOST_ITEMS = 65_535
_MOST_TAKEN = 1 << 28  # bytes of all extents of an item: they may overlap
_BEGINNING = 1 << 10
_PROFILES = (b"prof", b"rICC")
_XMP = b"application/rdf+xml"
# Quarter turns against the clock and then the axis of a mirror (0 exchanges top and bottom, 1 left and right).
_ORIENTATIONS = {
    (0, None): 1, (0, 1): 2, (2, None): 3, (0, 0): 4, (1, 0): 5, (3, None): 6, (3, 0): 7, (1, None): 8,
    (1, 1): 7, (3, 1): 5, (2, 0): 2, (2, 1): 4,
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One item: its number, its kind, what a MIME item holds, and where its bytes are."""

    number: int
    kind: bytes
    content_type: bytes
    extents: tuple[tuple[int, int], ...] = ()  # (start, length) in the file or, of ``in_data``, in the box ``idat``
    in_data: bool = False


@dataclass(frozen=True)
class Picture:
    """What the boxes say.

    Attributes
    ----------
    brands : tuple of bytes
        Of the file; the first is the main one.
    width, height : int
        Before anything is cut off or turned.
    properties : list of (bytes, bytes)
        Of the primary item, in order.
    orientation : int
        As EXIF says it, of what rotation and mirror do.
    """

    brands: tuple[bytes, ...]
    kind: bytes
    width: int
    height: int
    properties: list[tuple[bytes, bytes]]
    orientation: int
    exif: bytes | None
    xmp: bytes | None
    items: tuple[Item, ...]
    data: bytes

    def beginnings(self, kind: bytes) -> Iterator[bytes]:
        """The first bytes of each item of a kind."""
        for each in self.items:
            if each.kind == kind and each.extents and not each.in_data:
                start = each.extents[0][0]
                yield self.data[start : start + _BEGINNING]

    def first(self, name: bytes) -> bytes:
        """The first property of a name; empty if there is none."""
        return next((content for kind, content in self.properties if kind == name), b"")

    @property
    def icc(self) -> bytes | None:
        """The colour profile."""
        return next((each[4:] for name, each in self.properties if name == b"colr" and each[:4] in _PROFILES), None)

    @property
    def colours(self) -> bytes:
        """Primaries, transfer function, matrix and range, a byte each as in PNG's cICP; empty if not said."""
        said = next((each[4:] for name, each in self.properties if name == b"colr" and each[:4] == b"nclx"), b"")
        return bytes((said[1], said[3], 0, 1)) if len(said) >= 7 and not said[0] and not said[2] else b""

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of what is shown, in whole pixels."""
        said = self.first(b"clap")
        if len(said) < 32:
            return 0, 0, self.height, self.width
        numbers = struct.unpack_from(">IIIIiIiI", said)
        if not all(numbers[1::2]):
            raise ImageError("damaged: the window of what is shown makes no sense; get a fresh copy")
        width, height, right, down = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
        left, top = (self.width - width) / 2 + right, (self.height - height) / 2 + down
        if min(left, top) < 0 or left + width > self.width or top + height > self.height or min(width, height) < 1:
            raise ImageError("damaged: the window of what is shown lies beyond the picture; get a fresh copy")
        return round(top), round(left), round(top + height), round(left + width)


def brands_of(head: bytes) -> tuple[bytes, ...]:
    """The brands in a file's first bytes, the main one first; none if it is no such file."""
    if head[4:8] != b"ftyp":
        return ()
    content = head[8 : max(int.from_bytes(head[:4], "big"), 16)]
    return (content[:4], *(content[at : at + 4] for at in range(8, len(content) - 3, 4)))


def read_picture(data: bytes, format: str) -> Picture:
    """Parse a file's boxes; raises `ImageError` if they are cut off or hold no picture."""
    meta = next((content[4:] for name, content in boxes_in(data, format) if name == b"meta"), None)
    if meta is None:
        raise ImageError(f"damaged {format}: it holds no picture; get a fresh copy")
    boxes = dict(reversed(list(boxes_in(meta, format))))
    primary = _number(boxes.get(b"pitm", memoryview(b"")))
    items = items_of(boxes, format)
    lists = dict(boxes_in(boxes.get(b"iprp", memoryview(b"")), format))
    known = [(name, bytes(each)) for name, each in boxes_in(lists.get(b"ipco", memoryview(b"")), format)]
    owned = associations(lists.get(b"ipma", memoryview(b""))).get(primary, [])
    properties = [known[index - 1] for index, _ in owned if 0 < index <= len(known)]
    size = next((each for name, each in properties if name == b"ispe" and len(each) >= 12), b"")
    if primary not in items or not size:
        raise ImageError(f"damaged {format}: it says no size of its picture; get a fresh copy")
    turns = next((each[0] & 3 for name, each in properties if name == b"irot" and each), 0)
    axis = next((each[0] & 1 for name, each in properties if name == b"imir" and each), None)
    width, height = struct.unpack_from(">II", size, 4)
    store = boxes.get(b"idat", memoryview(b""))
    found = {each.kind if each.kind == b"Exif" else each.content_type: each for each in reversed(items.values())}
    block = content_of(found[b"Exif"], data, store) if b"Exif" in found else b""
    packet = content_of(found[_XMP], data, store) if _XMP in found else b""
    start = 4 + int.from_bytes(block[:4], "big")
    return Picture(
        brands=brands_of(data[:4096]),
        kind=items[primary].kind,
        width=width,
        height=height,
        properties=properties,
        orientation=_ORIENTATIONS[turns, axis],
        exif=block[start:] or None,
        xmp=packet or None,
        items=tuple(items.values()),
        data=data,
    )


def content_of(item: Item, data: bytes, store: memoryview) -> bytes:
    """The bytes of an item, joined; those that lie beyond the file are missing."""
    source = store if item.in_data else memoryview(data)
    room = Allowance(_MOST_TAKEN, "damaged: a part of it is said to be very long; get a fresh copy", ImageError)
    pieces = []
    for start, length in item.extents:
        piece = source[start : start + length] if length else source[start:]
        room.spend(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def items_of(boxes: dict[bytes, memoryview], format: str) -> dict[int, Item]:
    """All items by their numbers."""
    places = _places(bytes(boxes.get(b"iloc", b"")))
    info = boxes.get(b"iinf", memoryview(bytes(6)))
    found = {}
    for name, content in boxes_in(info[6 if not info[0] else 8 :], format):
        if name != b"infe" or len(content) < 12 or content[0] not in (2, 3):
            continue
        wide = content[0] == 3
        number = int.from_bytes(content[4 : 8 if wide else 6], "big")
        kind, rest = bytes(content[8 + 2 * wide : 12 + 2 * wide]), bytes(content[12 + 2 * wide :])
        content_type = rest.split(b"\0")[1] if kind == b"mime" and rest.count(b"\0") > 1 else b""
        extents, in_data = places.get(number, ((), False))
        found[number] = Item(number, kind, content_type, extents, in_data)
    return found


def _number(content: memoryview) -> int:
    """The number of an item that stands behind version and flags."""
    return int.from_bytes(content[4 : 6 if bytes(content[:1]) == b"\0" else 8], "big")


class _Reader:
    """Reads numbers of some bytes each, one after the other; 0 behind the end."""

    def __init__(self, content: bytes) -> None:
        self.content, self.position = content, 0

    def take(self, size: int) -> int:
        self.position += size
        return int.from_bytes(self.content[self.position - size : self.position], "big")


def _places(content: bytes) -> dict[int, tuple[tuple[tuple[int, int], ...], bool]]:
    """Where the bytes of items are, and whether in ``idat``, by their numbers."""
    reader = _Reader(content)
    version = reader.take(4) >> 24
    sizes = reader.take(2)
    offset_size, length_size, base_size, index_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    wide = 4 if version == 2 else 2
    count = reader.take(wide)
    check_count(count, _MOST_ITEMS, "damaged: got {} items", "get a fresh copy", ImageError)
    places = {}
    for _ in range(count):
        number = reader.take(wide)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)
        base = reader.take(base_size)
        extents = []
        for _ in range(reader.take(2)):
            reader.take(index_size if version else 0)
            start = base + reader.take(offset_size)
            extents.append((start, reader.take(length_size)))
            if reader.position > len(content):
                raise ImageError("damaged: the list of its items is cut off; get a fresh copy")
        places[number] = tuple(extents), method == 1
    return places


def associations(content: memoryview) -> dict[int, list[tuple[int, bool]]]:
    """The properties of items by their numbers: (index from 1, whether it has to be understood)."""
    reader = _Reader(bytes(content))
    start = reader.take(4)
    is_wide = start & 1
    found: dict[int, list[tuple[int, bool]]] = {}
    for _ in range(min(reader.take(4), _MOST_ITEMS)):
        number = reader.take(4 if start >> 24 else 2)
        said = [reader.take(1 + is_wide) for _ in range(reader.take(1))]
        mark = 0x8000 if is_wide else 0x80
        found.setdefault(number, []).extend((each & (mark - 1), bool(each & mark)) for each in said)
    return found
