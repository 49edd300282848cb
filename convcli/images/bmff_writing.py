"""Adding items and properties to an AVIF file that an encoder wrote without them.

All boxes stay; the lists of items, of their places and of their properties are written anew, and what is added stands
behind everything else.

Source: as in `convcli.images.bmff`.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate

from convcli.images.bmff import Item, associations, items_of
from convcli.images.boxes import box, boxes_in

_XMP = b"application/rdf+xml"


def with_more(data: bytes, *, exif: bytes | None, xmp: bytes | None, icc: bytes | None) -> bytes:
    """The file with EXIF and XMP as items that describe its first one, and a profile among its properties."""
    added = [(b"Exif", b"", bytes(4) + exif)] if exif else []
    added += [(b"mime", _XMP, xmp)] if xmp else []
    if not added and not icc:
        return data
    outer = [(name, bytes(content)) for name, content in boxes_in(data, "AVIF")]
    meta = next(content for name, content in outer if name == b"meta")
    inner = [(name, bytes(content)) for name, content in boxes_in(meta[4:], "AVIF")]
    items = items_of({name: memoryview(content) for name, content in inner}, "AVIF")
    first = max(items) + 1
    new = [Item(first + index, kind, content_type) for index, (kind, content_type, _) in enumerate(added)]
    primary = int.from_bytes(dict(inner)[b"pitm"][4:6], "big")

    def meta_with(places: bytes) -> bytes:
        replaced = {b"iloc": places, b"iinf": _info(dict(inner)[b"iinf"], new)}
        if icc:
            replaced[b"iprp"] = _properties(dict(inner)[b"iprp"], primary, box(b"colr", b"prof", icc))
        references = dict(inner).get(b"iref", bytes(4))
        references += b"".join(box(b"cdsc", struct.pack(">HHH", each.number, 1, primary)) for each in new)
        kept = [box(name, replaced.get(name, content)) for name, content in inner if name != b"iref"]
        return box(b"meta", meta[:4], *kept, box(b"iref", references) if len(references) > 4 else b"")

    end = len(data) + 8 - len(box(b"meta", meta))  # where the new bytes begin, but for the new box
    starts = list(accumulate((len(content) for _, _, content in added), initial=end))
    # Places take as many bytes wherever they point.
    length = len(meta_with(_places(items, 0, new, starts, added)))
    moved = length - len(box(b"meta", meta))
    starts = [each + length for each in starts]
    whole = meta_with(_places(items, moved, new, starts, added))
    pieces = [whole if name == b"meta" else box(name, content) for name, content in outer]
    return b"".join((*pieces, box(b"mdat", *(content for _, _, content in added))))


def _info(content: bytes, new: Sequence[Item]) -> bytes:
    """The list of items with more of them; its version 0 counts in two bytes."""
    count = struct.unpack_from(">H", content, 4)[0] + len(new)
    entries = []
    for each in new:
        more = each.content_type + b"\0" if each.content_type else b""
        entries.append(box(b"infe", b"\2\0\0\0", struct.pack(">HH", each.number, 0), each.kind, b"\0", more))
    return content[:4] + struct.pack(">H", count) + content[6:] + b"".join(entries)


def _places(
    items: dict[int, Item],
    moved: int,
    new: Sequence[Item],
    starts: Sequence[int],
    added: Sequence[tuple[bytes, bytes, bytes]],
) -> bytes:
    """Where the bytes of all items are: version 0, with offsets and lengths of four bytes."""
    extents = {each.number: [(start + moved, length) for start, length in each.extents] for each in items.values()}
    for each, start, (_, _, content) in zip(new, starts, added, strict=False):
        extents[each.number] = [(start, len(content))]
    pieces = [bytes(4), struct.pack(">BBH", 0x44, 0, len(extents))]
    for number, places in extents.items():
        pieces.append(struct.pack(">HHH", number, 0, len(places)))
        pieces += [struct.pack(">II", *each) for each in places]
    return b"".join(pieces)


def _properties(content: bytes, primary: int, new: bytes) -> bytes:
    """The lists of properties and of whose they are, with one more of the primary item."""
    lists = {name: bytes(each) for name, each in boxes_in(content, "AVIF")}
    index = 1 + len(list(boxes_in(lists[b"ipco"], "AVIF")))
    owned = associations(memoryview(lists[b"ipma"]))
    owned[primary] = [*owned[primary], (index, False)]
    pieces = [bytes(4), struct.pack(">I", len(owned))]
    for number, said in owned.items():
        pieces.append(struct.pack(">HB", number, len(said)))
        pieces.append(bytes(each | (0x80 if essential else 0) for each, essential in said))
    return box(b"ipco", lists[b"ipco"], new) + box(b"ipma", *pieces)
