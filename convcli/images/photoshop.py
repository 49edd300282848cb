"""Photoshop's image resources (8BIM blocks), in which JPEG and TIFF files carry their IPTC record.

Those about the picture's subject and rights are kept, and its resolution made true; thumbnails, layers, paths, guides,
printing and copies of other metadata go.

Source: Adobe, "Photoshop File Formats Specification", Image Resource Blocks; IPTC, "Information Interchange Model".
"""

import struct
from collections.abc import Iterator

from convcli.geometry import Placement

IPTC, _RESOLUTION = 0x0404, 0x03ED
# Caption, copyright flag, address, list of addresses, digest of the IPTC record.
_KEPT = (IPTC, _RESOLUTION, 0x03F0, 0x040A, 0x040B, 0x041E, 0x0425)
_THUMBNAILS = (0x0409, 0x040C)
_MOST = 10_000  # resources of one picture; Photoshop writes about thirty


def cleaned(blocks: bytes, *, turned: bool) -> tuple[bytes | None, tuple[str, ...]]:
    """Resources as they were read, without those that go, and names of these; ``turned``: x and y are exchanged."""
    kept, lost = [], []
    try:
        for code, content in _resources(blocks):
            if code in _THUMBNAILS:
                lost.append("thumbnail")
            elif code not in _KEPT:
                lost.append("Photoshop settings")
            elif code == _RESOLUTION and len(content) >= 16:
                x, y = content[:8], content[8:16]
                kept.append(block(code, y + x if turned else x + y))
            elif code != _RESOLUTION:
                kept.append(block(code, content))
    except struct.error:
        lost.append("damaged Photoshop resources")
    return b"".join(kept) or None, tuple(dict.fromkeys(lost))


def placed(blocks: bytes, placement: tuple[Placement, Placement]) -> bytes:
    """Cleaned resources with the resolution of the pixels that are written."""
    result = []
    for code, content in _resources(blocks):
        if code == _RESOLUTION:
            values = list(struct.unpack(">IHHIHH", content))
            for place, axis in ((0, placement[1]), (3, placement[0])):
                values[place] = min(max(round(values[place] / axis.step), 1), 0xFFFFFFFF)
            content = struct.pack(">IHHIHH", *values)
        result.append(block(code, content))
    return b"".join(result)


def iptc_of(blocks: bytes) -> bytes | None:
    """The IPTC record among cleaned resources."""
    return next((content for code, content in _resources(blocks) if code == IPTC), None)


def block(code: int, content: bytes) -> bytes:
    """One resource without a name."""
    return struct.pack(">4sHHI", b"8BIM", code, 0, len(content)) + content + bytes(len(content) % 2)


def _resources(blocks: bytes) -> Iterator[tuple[int, bytes]]:
    position = count = 0
    while position + 12 <= len(blocks):
        count += 1
        if count > _MOST:
            raise struct.error("more resources than any picture has")
        code, name_length = struct.unpack_from(">HB", blocks, position + 4)
        start = position + 6 + (name_length + 2) // 2 * 2  # a name and its length take an even number of bytes
        length = struct.unpack_from(">I", blocks, start)[0]
        if start + 4 + length > len(blocks):
            raise struct.error("a resource that ends outside")
        yield code, blocks[start + 4 : start + 4 + length]
        position = start + 4 + length + length % 2
