"""EXIF inside TIFF: the same directories, but part of the picture file's own structure instead of a separate block.

Reading collects them from a TIFF file into a block as the other formats have it, and the file's other tags beside it;
writing adds both to a finished TIFF file. Makers' notes are copied as they are; offsets within them may point nowhere
afterwards.

Source: TIFF 6.0, Adobe, 1992, section 2; EXIF 2.32 (CIPA DC-008), section 4.6.
"""

import struct
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from convcli.budget import Allowance
from convcli.images import photoshop
from convcli.images.model import Own

# Description, make, model, software, date, artist, host, copyright: text about the picture, not about its storage.
_TEXTS = (270, 271, 272, 305, 306, 315, 316, 33432)
_NESTED = (34665, 34853, 40965)  # Exif, GPS, Interoperability
_DIRECTORIES = _NESTED[:2]  # those that hang directly on the main directory
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_OFFSETS = (13, 16, 17, 18)  # types that point into the file, or that only large files have
_UNITS = {5: 4, 10: 4}  # a fraction is two numbers
_CODES = {2: "H", 4: "I", 8: "Q"}  # of `array`, by bytes
_LONG = 4
_MOST_ENTRIES = 4096
_MOST_CONTENT = 1 << 20  # bytes of a tag that is kept
_PHOTOSHOP, _IPTC, _PROFILE = 34377, 33723, 34675
_BYTES = (1, 2, 6, 7)  # types of one byte each
_HEADER = 8  # no value lies before it ends
_MOST_NAMED = 4
# How pixels are stored, and what has a place of its own: orientation, resolution, XMP, colour profile.
_STORAGE = frozenset((
    254, 255, *range(256, 260), *range(262, 267), 273, 274, 277, 278, 279, 282, 283, 284, 292, 293, 296, 297, 317, 320,
    321, *range(322, 326), 332, 333, 334, 336, 338, 339, 347, *range(512, 522), 529, 530, 531, 532, 700, 34675,
))  # fmt: skip
IMAGEJ = "ImageJ's own tags"
# What describes other pixels, or points to other pictures, and what messages call it.
_NAMES = {
    280: "smallest and largest sample", 281: "smallest and largest sample", 340: "smallest and largest sample",
    341: "smallest and largest sample", 290: "grey response", 291: "grey response", 301: "transfer function",
    330: "sub-pages (thumbnails or smaller copies)", 34412: "Zeiss LSM information", 37724: "Photoshop's layers",
    50784: "Alias layers", 50838: IMAGEJ, 50839: IMAGEJ, 42112: "GDAL's statistics",
}  # fmt: skip
# Metamorph, raw sensor data, DNG, slide scanners.
_STRUCTURE = frozenset((
    33421, 33422, *range(33628, 33632), 34361, 34362, 37398, 37399, *range(50706, 50784), *range(50829, 50835),
    *range(50879, 50884), *range(50931, 51200), *range(65420, 65470),
))  # fmt: skip


@dataclass(frozen=True)
class _Value:
    kind: int
    count: int
    content: bytes  # little-endian
    raw: bytes = b""  # as it was stored


_Directory: TypeAlias = "dict[int, _Value | _Directory]"


def from_tiff(data: bytes, offset: int) -> bytes | None:
    """Collect the EXIF of the TIFF directory at an offset into a block, or None if there is none to collect."""
    try:
        found = _parse(data, _layout(data), offset, (*_TEXTS, *_DIRECTORIES))
    except (struct.error, ValueError, KeyError):
        return None
    return b"II*\0" + struct.pack("<I", 8) + _serialise(found, 8) if found else None


def other_tags(data: bytes, offset: int) -> tuple[tuple[Own, ...], tuple[str, ...], bytes | None]:
    """What else the directory at an offset says: tags that may be written again, names of those that may not, and
    Photoshop's resources with the IPTC record."""
    try:
        found = _parse(data, _layout(data), offset, nested=False)
    except (struct.error, ValueError, KeyError):
        return (), ("unreadable TIFF tags",), None
    own, lost = [], _damaged(data, offset)
    resources, record = b"", b""
    for tag, value in found.items():
        if tag in _TEXTS or tag in _DIRECTORIES or isinstance(value, dict):
            continue
        if tag == _PHOTOSHOP:
            resources = value.content
        elif tag == _IPTC:
            record = value.raw
        elif tag in _NAMES or value.kind in _OFFSETS or tag in _STRUCTURE or len(value.content) > _MOST_CONTENT:
            lost.append(_NAMES.get(tag) or name_of(tag))
        else:
            own.append(Own("TIFF", name_of(tag), tag, value.content, value.kind))
    if record and b"8BIM\x04\x04" not in resources:
        resources += photoshop.block(photoshop.IPTC, record)
    return tuple(own), tuple(lost), resources or None


def profile_of(data: bytes, offset: int) -> bytes | None:
    """The colour profile that the directory at an offset names: empty if it lies outside the file or is no bytes."""
    layout = _layout(data)
    listed = [each for each in _listed(data, layout, offset) if each[0] == _PROFILE]
    if not listed:
        return None
    _, kind, size, place = listed[0]
    return bytes(data[place : place + size]) if kind in _BYTES and _lies_within(data, size, place) else b""


def _damaged(data: bytes, offset: int) -> list[str]:
    """Names of the tags whose values cannot be read; a colour profile is named elsewhere."""
    tags = [
        tag
        for tag, kind, size, place in _listed(data, _layout(data), offset)
        if tag != _PROFILE and (kind not in _TYPE_SIZES or (size and not _lies_within(data, size, place)))
    ]
    return [f"damaged {name_of(tag)}" for tag in tags] if len(tags) <= _MOST_NAMED else [f"{len(tags)} damaged tags"]


def _lies_within(data: bytes, size: int, place: int) -> bool:
    return _HEADER <= place <= place + size <= len(data)


def tags_of(own: Iterable[Own], resources: bytes | None) -> list[tuple[int, int, int, bytes]]:
    """(tag, type, count, content) of the tags to be written, those of Photoshop and IPTC among them."""
    written = [(each.code, each.type, len(each.content) // _TYPE_SIZES[each.type], each.content) for each in own]
    if resources:
        written.append((_PHOTOSHOP, 1, len(resources), resources))
        record = photoshop.iptc_of(resources)
        written += [(_IPTC, 7, len(record), record)] if record else []
    return written


def texts_of(block: bytes) -> list[tuple[int, int, int, bytes]]:
    """(tag, type, count, content) of the texts in a block's main directory."""
    order = "<" if block[:2] == b"II" else ">"
    try:
        found = _parse(block, _CLASSIC[order], struct.unpack_from(order + "I", block, 4)[0], _TEXTS)
    except (struct.error, ValueError):
        return []
    return [(tag, each.kind, each.count, each.content) for tag, each in found.items() if isinstance(each, _Value)]


def has_directories(block: bytes) -> bool:
    """Whether a block holds EXIF or GPS directories besides the texts of its main one."""
    order = "<" if block[:2] == b"II" else ">"
    try:
        start = struct.unpack_from(order + "I", block, 4)[0]
        return bool(_parse(block, _CLASSIC[order], start, _DIRECTORIES))
    except (struct.error, ValueError):
        return False


def name_of(tag: int) -> str:
    """How messages call a tag."""
    from tifffile import TIFF

    name = TIFF.TAGS.get(tag)
    return str(name) if name else f"tag {tag}"


def attach(encoded: bytes, block: bytes | None, tags: Iterable[tuple[int, int, int, bytes]] = ()) -> bytes:
    """Add what a block says, its EXIF and GPS directories too, and further tags that the file does not have, to a
    little-endian classic TIFF file of one page.

    The file's directory is written once more at its end, longer; anything but such a file is returned as it is.
    """
    if encoded[:4] != b"II*\0":
        return encoded
    old = struct.unpack_from("<I", encoded, 4)[0]
    count = struct.unpack_from("<H", encoded, old)[0]
    entries = {}
    for position in range(old + 2, old + 2 + 12 * count, 12):
        entries[struct.unpack_from("<H", encoded, position)[0]] = encoded[position : position + 12]
    main: _Directory = {tag: _Value(kind, count, content) for tag, kind, count, content in tags if tag not in entries}
    if block:
        order = "<" if block[:2] == b"II" else ">"
        try:
            start = struct.unpack_from(order + "I", block, 4)[0]
            found = _parse(block, _CLASSIC[order], start)
            main |= {
                tag: each for tag, each in found.items() if not (tag in _STORAGE or tag in _STRUCTURE or tag in _NAMES)
            }
        except (struct.error, ValueError):
            pass  # then it is none, as `exif.cleaned` has said
    start = len(encoded) + len(encoded) % 2
    heap_start = start + 2 + 12 * len(main.keys() | entries.keys()) + 4
    added, heap = _entries(main, heap_start)
    entries = added | entries
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return encoded[:4] + struct.pack("<I", start) + encoded[8:].ljust(start - 8, b"\0") + directory + heap


@dataclass(frozen=True)
class _Layout:
    """Byte order, and struct's letters for a directory's count, a value's count, and an offset."""

    order: str
    entries: str
    number: str

    @property
    def pointer_size(self) -> int:
        return struct.calcsize(self.number)


_CLASSIC = {order: _Layout(order, "H", "I") for order in "<>"}
_LAYOUTS = {
    b"II*\0": _CLASSIC["<"],
    b"MM\0*": _CLASSIC[">"],
    b"II+\0": _Layout("<", "Q", "Q"),
    b"MM\0+": _Layout(">", "Q", "Q"),
}


def _layout(data: bytes) -> _Layout:
    return _LAYOUTS[bytes(data[:4])]


def _parse(
    data: bytes,
    layout: _Layout,
    offset: int,
    wanted: Iterable[int] | None = None,
    *,
    depth: int = 0,
    nested: bool = True,
    allowed: tuple[Allowance, Allowance] | None = None,
) -> _Directory:
    """A directory and those it names. ``allowed``: entries and bytes that all of them may hold.

    Values share no bytes in a real block: those that do would be copied as often as there are entries.
    """
    directory: _Directory = {}
    order = layout.order
    allowed = allowed or (Allowance(_MOST_ENTRIES, "too many entries"), Allowance(len(data), "values that overlap"))
    entries, values = allowed
    count = struct.unpack_from(order + layout.entries, data, offset)[0]
    if depth > len(_NESTED):
        raise ValueError("not a directory")
    entries.spend(count)
    for tag, kind, size, place in _listed(data, layout, offset):
        if (wanted is not None and tag not in wanted) or not size or (not nested and tag in _STORAGE):
            continue
        # Of two descriptions, as tifffile writes them, people's own stands first.
        if place + size > len(data) or tag in directory:
            continue
        length = size // _TYPE_SIZES[kind]
        if tag in _NESTED and nested and size in (4, 8) and length == 1:
            inner = struct.unpack_from(order + ("I" if size == 4 else "Q"), data, place)[0]
            directory[tag] = _parse(data, layout, inner, depth=depth + 1, allowed=allowed)
        elif kind not in _OFFSETS or not nested:
            values.spend(size)
            raw = bytes(data[place : place + size])
            directory[tag] = _Value(kind, length, _little_endian(raw, kind, order), raw)
    return directory


def _listed(data: bytes, layout: _Layout, offset: int) -> Iterator[tuple[int, int, int, int]]:
    """Of each entry of a directory: tag, type, how many bytes its value has (0 of an unknown type), and where."""
    order, pointer = layout.order, layout.pointer_size
    count = struct.unpack_from(order + layout.entries, data, offset)[0]
    start = offset + struct.calcsize(layout.entries)
    for position in range(start, start + count * (4 + 2 * pointer), 4 + 2 * pointer):
        tag, kind, length = struct.unpack_from(order + "HH" + layout.number, data, position)
        size, place = _TYPE_SIZES.get(kind, 0) * length, position + 4 + pointer
        yield tag, kind, size, place if size <= pointer else struct.unpack_from(order + layout.number, data, place)[0]


def _little_endian(content: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS.get(kind, _TYPE_SIZES[kind])
    if order == "<" or unit == 1:
        return content
    swapped = array(_CODES[unit], content)
    swapped.byteswap()
    return swapped.tobytes()


def _serialise(directory: _Directory, base: int) -> bytes:
    """A directory that will start at offset ``base``, followed by all it refers to."""
    entries, heap = _entries(directory, base + 2 + 12 * len(directory) + 4)
    return struct.pack("<H", len(directory)) + b"".join(entries.values()) + bytes(4) + heap


def _entries(directory: _Directory, heap_base: int) -> tuple[dict[int, bytes], bytes]:
    """The twelve bytes of each entry by tag, and what does not fit them, which will start at ``heap_base``."""
    entries: dict[int, bytes] = {}
    heap = bytearray()
    for tag, value in sorted(directory.items()):
        place = heap_base + len(heap)
        if isinstance(value, dict):
            entries[tag] = struct.pack("<HHII", tag, _LONG, 1, place)
            heap += _serialise(value, place)
        elif len(value.content) <= 4:
            entries[tag] = struct.pack("<HHI4s", tag, value.kind, value.count, value.content)
        else:
            entries[tag] = struct.pack("<HHII", tag, value.kind, value.count, place)
            heap += value.content
        heap += bytes(len(heap) % 2)  # everything lies at even offsets
    return entries, bytes(heap)
