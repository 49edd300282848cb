"""The few things convcli does to an EXIF block: read orientation and resolution, drop and reset what is no longer true.

A block is patched in place, byte by byte, instead of being taken apart and built anew: makers' notes hold offsets that
only they understand, and rebuilding breaks them. Blocks start at their TIFF header (``II*\\0`` or ``MM\\0*``).
"""

import struct

from convcli.geometry import Placement
from convcli.images import resolution as resolutions
from convcli.images.exif_patch import RATIONAL, SHORT, Patch, as_fraction
from convcli.images.resolution import Pair

_ORIENTATION = 0x0112
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_EXIF_IFD, _INTEROP_IFD = 0x8769, 0xA005
_DESCRIPTION = 0x010E
_ORIENTATIONS = range(1, 9)
_TURNED = range(5, 9)  # orientations that exchange x and y
_WIDTH_TAGS, _HEIGHT_TAGS = (0x0100, 0xA002, 0x1001), (0x0101, 0xA003, 0x1002)
_X_FOCAL, _Y_FOCAL = 0xA20E, 0xA20F  # pixels in a length on the sensor
_SUBJECT = (0x9214, 0xA214)  # where it lies, in pixels
_MAKER_NOTE, _JPEG_START = 0x927C, b"\xff\xd8\xff"
# How other pixels were stored: bits, compression, colours, strips, planes, a JPEG.
_STORAGE = (0x0102, 0x0103, 0x0106, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x0201, 0x0202)
# Directories of further pictures, XMP, Photoshop's resources and layers: what may hold pictures, or is kept elsewhere.
_HOLDERS = {
    0x014A: "further pictures in EXIF",
    0x02BC: "XMP in EXIF",
    0x8649: "Photoshop settings",
    0x935C: "Photoshop settings",
}

# TIFF's numbers of the unit; 2 where none is given.
UNITS = {1: None, 2: resolutions.INCH, 3: resolutions.CENTIMETRE}


def upright(block: bytes | None, otherwise: int | None = None) -> tuple[bytes | None, int]:
    """Take the orientation out of an EXIF block: returns the block saying 1, and what it said.

    Where there is no block, or it says nothing, the orientation is ``otherwise``: what the file's XMP says. EXIF wins
    over XMP because it is what cameras write and every viewer follows; programs that turn a picture reset it first and
    may leave the XMP behind as it was. A block that cannot be understood is returned as it is, and `cleaned` drops it.
    """
    if not block:
        return None, otherwise or 1
    block = block.removeprefix(b"Exif\0\0")
    try:
        patch = Patch(bytearray(block))
        said = patch.number(patch.first, _ORIENTATION)
        orientation = said if said is not None and said in _ORIENTATIONS else otherwise or 1
        patch.set_number(patch.first, _ORIENTATION, 1)
        if orientation in _TURNED:
            patch.exchange(patch.first, _X_RESOLUTION, _Y_RESOLUTION)
    except (struct.error, ValueError, IndexError):
        return block, otherwise or 1
    return patch.sealed(block), orientation


def cleaned(block: bytes, orientation: int) -> tuple[bytes | None, tuple[str, ...]]:
    """An upright block without what speaks of other pictures, and names of what went; ``orientation``: what it said.

    A thumbnail shows the picture before filtering, and a maker's note may hold another.
    """
    lost: list[str] = []
    try:
        patch = Patch(bytearray(block))
        if patch.drop_thumbnails():
            lost.append("thumbnail")
        for tag, name in _HOLDERS.items():
            if patch.remove(patch.first, tag):
                lost.append(name)
        for tag in _STORAGE:
            patch.remove(patch.first, tag)
        nested = patch.number(patch.first, _EXIF_IFD)
        if nested:
            note = patch.find(nested, _MAKER_NOTE)
            if note and _JPEG_START in patch.content(note) and patch.remove(nested, _MAKER_NOTE):
                lost.append("maker's note with a preview")
            if orientation in _TURNED:
                patch.exchange(nested, _X_FOCAL, _Y_FOCAL)
            for tag in _SUBJECT if orientation != 1 else ():
                if patch.remove(nested, tag):
                    lost.append("EXIF subject area")
    except (struct.error, ValueError, IndexError):
        return None, ("unreadable EXIF",)
    return patch.sealed(block), tuple(dict.fromkeys(lost))


def placed(
    block: bytes, width: int, height: int, placement: tuple[Placement, Placement], *, moved: bool
) -> tuple[bytes, tuple[str, ...]]:
    """A cleaned block as it is true of the pixels that are written, and names of what went.

    Width and height tags, where it has them, tell the size; resolutions are divided by the steps along y and x;
    ``moved`` tells whether pixels lie where they did not lie.
    """
    lost = False
    try:
        patch = Patch(bytearray(block))
        offsets = [patch.first]
        for tag in (_EXIF_IFD, _INTEROP_IFD):
            nested = patch.number(offsets[-1], tag)
            offsets += [nested] if nested else []
        numbers = [*((tag, width) for tag in _WIDTH_TAGS), *((tag, height) for tag in _HEIGHT_TAGS)]
        steps = [(tag, placement[1].step) for tag in (_X_RESOLUTION, _X_FOCAL)]
        steps += [(tag, placement[0].step) for tag in (_Y_RESOLUTION, _Y_FOCAL)]
        for offset in offsets:
            for tag, value in numbers:
                patch.set_number(offset, tag, value)
            for tag, step in steps:
                patch.divide(offset, tag, step)
            for tag in _SUBJECT if moved else ():
                lost |= patch.remove(offset, tag)
    except (struct.error, ValueError, IndexError):
        return block, ()
    return patch.sealed(block), ("EXIF subject area",) if lost else ()


def resolution(block: bytes) -> tuple[Pair | None, Pair | None]:
    """Pixels per inch, or in a length that is not told, along x and y as stored (before any turn): see `told`."""
    try:
        patch = Patch(bytearray(block.removeprefix(b"Exif\0\0")))
        x, y = patch.fraction(patch.first, _X_RESOLUTION), patch.fraction(patch.first, _Y_RESOLUTION)
        unit = patch.number(patch.first, _RESOLUTION_UNIT)
    except (struct.error, ValueError, IndexError):
        return None, None
    unit = 2 if unit is None else unit
    return resolutions.told(x, y, UNITS[unit]) if unit in UNITS else (None, None)


def with_resolution(block: bytes | None, dpi: Pair | None) -> bytes | None:
    """The block, or a new one, telling pixels per inch along x and y; for formats that have no other place for them."""
    if not dpi:
        return block
    patch = Patch(bytearray(block or b"II*\0\x08\0\0\0\0\0\0\0\0\0"))
    order = patch.order
    kept = [
        bytes(patch.data[each.position : each.position + 12])
        for each in patch.entries(patch.first)
        if each.tag not in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT)
    ]
    places = [patch.append(as_fraction(value, order)) for value in dpi]
    for tag, place in zip((_X_RESOLUTION, _Y_RESOLUTION), places, strict=True):
        kept.append(struct.pack(order + "HHII", tag, RATIONAL, 1, place))
    kept.append(struct.pack(order + "HHIHH", _RESOLUTION_UNIT, SHORT, 1, 2, 0))
    kept.sort(key=lambda entry: struct.unpack_from(order + "H", entry)[0])
    place = patch.append(struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(4))
    struct.pack_into(order + "I", patch.data, 4, place)
    return bytes(patch.data)


def description(block: bytes) -> str:
    """The text of the image description, or nothing."""
    try:
        patch = Patch(bytearray(block))
        entry = patch.find(patch.first, _DESCRIPTION)
        return patch.content(entry).rstrip(b"\0").decode("utf-8", "replace") if entry else ""
    except (struct.error, ValueError, IndexError):
        return ""


def without_description(block: bytes) -> bytes:
    """The block without its image description."""
    patch = Patch(bytearray(block))
    patch.remove(patch.first, _DESCRIPTION)
    return bytes(patch.data)
