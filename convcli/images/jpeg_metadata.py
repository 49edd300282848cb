"""What the segments of a JPEG file say besides pixels, and the segments that say it again.

Source: JFIF 1.02; EXIF 2.32; Adobe, "XMP Specification, part 3"; CIPA DC-007 (MPF); ISO 21496-1 (gain maps).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from convcli.errors import ImageError
from convcli.images import exif, icc, resolution, xmp, xmp_orientation
from convcli.images.jpeg_markers import MOST_IN_A_MARKER, segment
from convcli.images.model import Metadata, Own
from convcli.images.resolution import CENTIMETRE, INCH, Pair

COMMENT = 0xFE
SEGMENTS = frozenset(range(0xE0, 0xF0)) | {COMMENT}  # those that speak of something besides pixels

_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_EXTENSION, _PHOTOSHOP = b"http://ns.adobe.com/xmp/extension/\0", b"Photoshop 3.0\0"
_JFIF, _ADOBE = b"JFIF\0", b"Adobe"
# Segments, by marker and beginning, whose names say more than their numbers.
_NAMES = (
    (0xE0, b"JFXX\0", "thumbnail"),
    (0xE2, b"MPF\0", "index of further pictures (MPF)"),
    (0xE2, b"urn:iso:std:iso:ts:21496:-1\0", "gain map"),
    (0xEB, b"JP", "content credentials (JUMBF)"),
)
_UNITS = {0: None, 1: INCH, 2: CENTIMETRE}
_MOST_DENSITY = 65535
_NO_FILLING = re.compile(rb"[^\0\xff \r\n]")
_MOST_TAKEN = 510  # pieces of anything: a profile may stand there twice, and nothing real takes 33 MB
_MOST_PIECES = 255  # of a profile; and of an XMP's extension, which is never that large


@dataclass
class Found:
    """What the segments of one file say; made by `add`, one segment after the other."""

    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: list[bytes] = field(default_factory=list)  # in pieces
    icc: list[tuple[int, int, bytes]] = field(default_factory=list)  # number, count, piece
    extension: list[bytes] = field(default_factory=list)
    dpi: Pair | None = None
    aspect: Pair | None = None
    texts: list[tuple[str, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def add(self, marker: int, body: bytes) -> None:
        """Take one segment of `SEGMENTS` in."""
        if marker == 0xE0 and body.startswith(_JFIF) and len(body) >= 12:
            self._add_density(body)
        elif marker == 0xE1 and body.startswith(_EXIF) and self.exif is None:
            self.exif = body
        elif marker == 0xE1 and body.startswith(_XMP) and self.xmp is None:
            self.xmp = body[len(_XMP) :]
        elif marker == 0xE1 and body.startswith(_EXTENSION):
            self.extension.append(body if len(self.extension) < _MOST_TAKEN else b"")
        elif marker == 0xE2 and body.startswith(_ICC):
            number, count = body[len(_ICC) : len(_ICC) + 2].ljust(2, b"\0")  # no piece has number 0
            number = number if len(self.icc) < _MOST_TAKEN else 0
            self.icc.append((number, count, body[len(_ICC) + 2 :] if number else b""))
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            self._add_resources(body[len(_PHOTOSHOP) :])
        elif marker == COMMENT:
            self.texts.append(("Comment", _text(body)))
        elif not (marker == 0xEE and body.startswith(_ADOBE)):  # which says how colours are stored
            names = [name for number, start, name in _NAMES if marker == number and body.startswith(start)]
            self.lost += names or [f"segment APP{marker - 0xE0}"]

    def _add_resources(self, piece: bytes) -> None:
        if len(self.photoshop) < _MOST_TAKEN:
            self.photoshop.append(piece)
        else:
            self.lost.append("Photoshop resources beyond 33 MB")

    def _add_density(self, body: bytes) -> None:
        unit, x, y = struct.unpack_from(">BHH", body, 7)
        if unit in _UNITS:
            self.dpi, self.aspect = resolution.told(x, y, _UNITS[unit])
        elif x and y:
            self.lost.append("a resolution of unknown unit")
        if len(body) >= 14 and body[12] and body[13]:
            self.lost.append("thumbnail")

    def add_rest(self, data: bytes, end: int) -> None:
        """Take in what follows the ``end`` of the picture: the further pictures of an MPO, a film, or filling."""
        if _NO_FILLING.search(data, end):
            further = data.find(b"\xff\xd8\xff", end) >= 0
            self.lost.append("further pictures after the first" if further else "what follows the picture")

    def metadata(self) -> tuple[Metadata, int]:
        """All of it, and the orientation."""
        packet, said = xmp_orientation.upright(self.xmp) if self.xmp else (None, None)
        block, orientation = exif.upright(self.exif, said)
        dpi, aspect = self.dpi, self.aspect
        if dpi is None and self.exif:
            told = exif.resolution(self.exif)
            dpi, aspect = (told[0], None) if told[0] else (None, aspect or told[1])
        own, lost = self._extension()
        metadata = Metadata(
            format="JPEG",
            icc=(icc.assembled(self.icc) or b"") if self.icc else None,
            exif=block,
            xmp=packet,
            dpi=dpi,
            aspect=aspect,
            texts=tuple(self.texts),
            photoshop=b"".join(self.photoshop) or None,
            own=own,
            lost=(*self.lost, *lost),
        )
        return metadata, orientation

    def _extension(self) -> tuple[tuple[Own, ...], list[str]]:
        """The segments of the XMP's extension, if it is complete, belongs to it and holds no pictures."""
        if not self.extension:
            return (), []
        wanted = xmp.extension_of(self.xmp or b"")
        start = len(_EXTENSION)
        mine = [
            body for body in self.extension if wanted and body[start : start + 32] == wanted and len(body) > start + 40
        ]
        pieces = sorted((*struct.unpack_from(">II", body, start + 32), body[start + 40 :]) for body in mine)
        lengths = [len(piece) for _, _, piece in pieces]
        places = [sum(lengths[:index]) for index in range(len(pieces))] if len(pieces) <= _MOST_PIECES else []
        follow = bool(pieces) and places == [place for _, place, _ in pieces]
        text = b"".join(piece for _, _, piece in pieces) if follow else b""
        if not text or len(text) != pieces[0][0] or xmp.mentions_pictures(text):
            return (), ["extended XMP"]
        return tuple(Own("JPEG", "extended XMP", 0xE1, body) for body in mine), []


def density(metadata: Metadata) -> tuple[int, int, int]:
    """JFIF's unit and density along x and y, as near as whole numbers come."""
    if metadata.dpi:
        x, y = (round(each) for each in metadata.dpi)
        if 1 <= x <= _MOST_DENSITY and 1 <= y <= _MOST_DENSITY:
            return 1, x, y
    if metadata.aspect:
        return 0, *resolution.whole_ratio(metadata.aspect, _MOST_DENSITY)
    return 0, 1, 1


def segments_of(metadata: Metadata) -> Iterator[bytes]:
    """The segments that stand behind the JFIF header; raises `ImageError` for a block that fits none."""
    for name, prefix, content in (("EXIF", _EXIF, metadata.exif), ("XMP", _XMP, metadata.xmp)):
        if not content:
            continue
        if len(prefix) + len(content) > MOST_IN_A_MARKER:
            raise ImageError(
                f"its {name} block: got {len(content)} bytes, expected at most "
                f"{MOST_IN_A_MARKER - len(prefix)} in a JPEG; write PNG or TIFF, or drop it with --strip"
            )
        yield segment(0xE1, prefix + content)
    yield from (segment(each.code, each.content) for each in metadata.own)
    yield from _profile_segments(metadata.icc) if metadata.icc else ()
    room = MOST_IN_A_MARKER - len(_PHOTOSHOP)
    yield from (segment(0xED, _PHOTOSHOP + piece) for piece in _cut(metadata.photoshop or b"", room))
    for keyword, text in metadata.texts:
        line = text if keyword == "Comment" else f"{keyword}: {text}"
        yield from (segment(COMMENT, piece) for piece in _cut(line.encode("utf-8", "replace"), MOST_IN_A_MARKER))


def _cut(content: bytes, room: int) -> Iterator[bytes]:
    return (content[start : start + room] for start in range(0, len(content), room))


def _profile_segments(profile: bytes) -> list[bytes]:
    room = MOST_IN_A_MARKER - len(_ICC) - 2
    pieces = list(_cut(profile, room))
    if len(pieces) > _MOST_PIECES:
        raise ImageError(
            f"its colour profile: got {len(profile)} bytes, expected at most {_MOST_PIECES * room} in a JPEG; "
            "write PNG or TIFF, or drop it with --strip"
        )
    head = [_ICC + bytes((number, len(pieces))) for number in range(1, len(pieces) + 1)]
    return [segment(0xE2, start + piece) for start, piece in zip(head, pieces, strict=True)]


def _text(body: bytes) -> str:
    body = body.rstrip(b"\0")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")
