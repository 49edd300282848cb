"""EXIF inside TIFF: the same directories, but part of the picture file's own structure instead of a separate block.

Reading collects them from a TIFF file into a block as the other formats have it; writing adds a block's directories to
a finished TIFF file. Makers' notes are copied as they are; offsets within them may point nowhere afterwards.

Source: TIFF 6.0, Adobe, 1992, section 2; EXIF 2.32 (CIPA DC-008), section 4.6.
"""

import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from convcli.budget import Allowance

# Description, make, model, software, date, artist, host, copyright: text about the picture, not about its storage.
_TEXTS = (270, 271, 272, 305, 306, 315, 316, 33432)
_NESTED = (34665, 34853, 40965)  # Exif, GPS, Interoperability
_DIRECTORIES = _NESTED[:2]  # those that hang directly on the main directory
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_UNITS = {5: 4, 10: 4}  # a fraction is two numbers
_CODES = {2: "H", 4: "I", 8: "Q"}  # of `array`, by bytes
_LONG = 4
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class _Value:
    kind: int
    count: int
    content: bytes  # little-endian


_Directory: TypeAlias = "dict[int, _Value | _Directory]"


def from_tiff(data: bytes, offset: int) -> bytes | None:
    """Collect the EXIF of the classic TIFF directory at an offset into a block, or None if there is none to collect."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    try:
        found = _parse(data, order, offset, (*_TEXTS, *_DIRECTORIES))
    except (struct.error, ValueError):
        return None
    return b"II*\0" + struct.pack("<I", 8) + _serialise(found, 8) if found else None


def attach(encoded: bytes, block: bytes) -> bytes:
    """Add a block's texts and its EXIF and GPS directories to a little-endian classic TIFF file of one page.

    The file's directory is written once more at its end, longer; anything but such a file is returned as it is.
    """
    if encoded[:4] != b"II*\0":
        return encoded
    order = "<" if block[:2] == b"II" else ">"
    try:
        main = _parse(block, order, struct.unpack_from(order + "I", block, 4)[0], (*_TEXTS, *_DIRECTORIES))
    except (struct.error, ValueError):
        return encoded
    old = struct.unpack_from("<I", encoded, 4)[0]
    count = struct.unpack_from("<H", encoded, old)[0]
    entries = {}
    for position in range(old + 2, old + 2 + 12 * count, 12):
        entries[struct.unpack_from("<H", encoded, position)[0]] = encoded[position : position + 12]
    start = len(encoded) + len(encoded) % 2
    heap_start = start + 2 + 12 * len(main.keys() | entries.keys()) + 4
    added, heap = _entries(main, heap_start)
    entries |= added
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    return encoded[:4] + struct.pack("<I", start) + encoded[8:].ljust(start - 8, b"\0") + directory + heap


def _parse(
    data: bytes,
    order: str,
    offset: int,
    wanted: Iterable[int] | None = None,
    depth: int = 0,
    room: tuple[Allowance, Allowance] | None = None,
) -> _Directory:
    """A directory and those it names. ``room``: entries and bytes that all of them may hold.

    Values share no bytes in a real block: those that do would be copied as often as there are entries.
    """
    directory: _Directory = {}
    room = room or (Allowance(_MOST_ENTRIES, "too many entries"), Allowance(len(data), "values that overlap"))
    entries, values = room
    count = struct.unpack_from(order + "H", data, offset)[0]
    if depth > len(_NESTED):
        raise ValueError("not a directory")
    entries.spend(count)
    for position in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, position)
        size = _TYPE_SIZES.get(kind, 0) * length
        if (wanted is not None and tag not in wanted) or not size:
            continue
        place = position + 8 if size <= 4 else struct.unpack_from(order + "I", data, position + 8)[0]
        if place + size > len(data):
            continue
        if tag in _NESTED and size == 4:
            directory[tag] = _parse(data, order, struct.unpack_from(order + "I", data, place)[0], None, depth + 1, room)
        else:
            values.spend(size)
            directory[tag] = _Value(kind, length, _little_endian(data[place : place + size], kind, order))
    return directory


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
