"""XMP packets: what in them holds or promises other pictures goes, what tells sizes is made true, the rest stays.

A packet is cut and patched where its parser says that something begins and ends, instead of being built anew, so that
all else stays as it was written.

Source: Adobe, "XMP Specification", parts 1 to 3; Google, "Ultra HDR Image Format" and "Dynamic Depth".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from xml.parsers import expat

from convcli.geometry import Placement
from convcli.images.xmp_orientation import LONGEST, wide_encoding

_ADOBE, _GOOGLE = "http://ns.adobe.com/", "http://ns.google.com/photos/"
_TIFF, _EXIF = _ADOBE + "tiff/1.0/", _ADOBE + "exif/1.0/"
# Namespaces, by their beginnings, of gain maps, depth maps, thumbnails and files behind the picture's end.
_PICTURES = (
    _ADOBE + "hdr-gain-map/",
    _ADOBE + "xap/1.0/g/img/",
    *(_GOOGLE + each for each in ("1.0/container/", "1.0/depthmap/", "1.0/image/", "1.0/audio/", "dd/")),
    "http://ns.apple.com/",
)
_PICTURE_NAMES = re.compile(f"{_ADOBE}xap/1.0/ Thumbnails|{_GOOGLE}1.0/camera/ (MicroVideo|MotionPhoto).*")
# What tells places in pixels: true only as long as no pixel has moved.
_REGIONS = re.compile(
    f"http://www.metadataworkinggroup.com/schemas/regions/ .*|http://ns.microsoft.com/photo/1.2/ RegionInfo|"
    f"http://iptc.org/std/Iptc4xmpExt/2008-02-29/ ImageRegion|{_EXIF} Subject(Area|Location)|"
    f"{_GOOGLE}1.0/panorama/ .*Pixels"
)
_STORAGE = re.compile(f"{_TIFF} (BitsPerSample|Compression|PhotometricInterpretation|SamplesPerPixel|PlanarConfig.*)")
_EXTENSION = f"{_ADOBE}xmp/note/ HasExtendedXMP"

_TAG = re.compile(rb"<[^\s/>]+(?:\s+[^\s=]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")
# Looked for where blanks begin: else each of a long row of them would be a start of its own.
_ATTRIBUTE = re.compile(rb"(?<!\s)\s+([^\s=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")

# More than packets have but for a few that list, again and again, what a picture was made of; and deeper.
_MOST_ELEMENTS = 200_000
_DEEPEST = 200
_PIECE = 1 << 20

# What becomes of a property, by "namespace name" and its text: itself, another text, or None: it goes. An element is
# asked about twice, where it begins without a text and, if it holds nothing else, where it ends.
Rule = Callable[[str, bytes], bytes | None]


def cleaned(packet: bytes, *, turned: bool, extended: bool) -> tuple[bytes | None, tuple[str, ...]]:
    """A packet as it was read, without what speaks of other pictures, and names of what went.

    ``turned`` tells whether the picture was turned upright, ``extended`` whether the packet's extension stays beside
    it. What cannot be parsed goes as a whole.
    """
    lost: list[str] = []

    def rule(name: str, text: bytes) -> bytes | None:
        if name == _EXTENSION:
            return text if extended else None
        if name.startswith(_PICTURES) or _PICTURE_NAMES.fullmatch(name):
            lost.append("XMP about further pictures")
            return None
        if turned and _REGIONS.fullmatch(name):
            lost.append("XMP about regions")
            return None
        # Along x and y are exchanged; the file's own resolution says the same.
        return None if turned and re.fullmatch(f"({_TIFF}|{_EXIF}) .*[XY]Resolution", name) else text

    if len(packet) > LONGEST:
        return None, ("XMP that is too long",)
    encoding = wide_encoding(packet)
    packet = packet.decode(encoding, "replace").lstrip("\ufeff").encode() if encoding else packet
    packet = packet.rstrip(b"\0")
    kept = _edited(packet, rule)
    return kept, ("unreadable XMP",) if kept is None else tuple(dict.fromkeys(lost))


def mentions_pictures(packet: bytes) -> bool:
    """Whether a packet, or its extension, holds or promises other pictures, or cannot be parsed."""
    kept, lost = cleaned(packet, turned=False, extended=True)
    return kept is None or bool(lost)


def extension_of(packet: bytes) -> bytes:
    """The name by which a packet calls its extension: 32 hexadecimal digits, or nothing."""
    found: list[bytes] = []

    def rule(name: str, text: bytes) -> bytes:
        if name == _EXTENSION and text:
            found.append(text)
        return text

    _edited(packet.rstrip(b"\0"), rule)
    return found[0] if found else b""


def placed(
    packet: bytes, width: int, height: int, placement: tuple[Placement, Placement], *, moved: bool
) -> tuple[bytes, tuple[str, ...]]:
    """A cleaned packet as it is true of the pixels that are written, and names of what went.

    ``placement`` is along y and along x; ``moved`` tells whether pixels lie where they did not lie.
    """
    sizes = {
        f"{_TIFF} ImageWidth": width,
        f"{_TIFF} ImageLength": height,
        f"{_EXIF} PixelXDimension": width,
        f"{_EXIF} PixelYDimension": height,
    }
    lost: list[str] = []

    def rule(name: str, text: bytes) -> bytes | None:
        if name in sizes:
            return str(sizes[name]).encode()
        if _STORAGE.fullmatch(name):
            return None
        if name.startswith((_TIFF, _EXIF)) and name.endswith(("XResolution", "YResolution")):
            step = placement[name.endswith("XResolution")].step
            return text if step == 1 or not text else _divided(text, step)
        if moved and _REGIONS.fullmatch(name):
            lost.append("XMP about regions")
            return None
        return text

    return _edited(packet, rule) or packet, tuple(dict.fromkeys(lost))


def _divided(fraction: bytes, step: float) -> bytes | None:
    try:
        value = Fraction(fraction.decode("ascii", "replace").strip()) / Fraction(step)
    except (ValueError, ZeroDivisionError):
        return None
    value = value.limit_denominator(1_000_000)
    return f"{value.numerator}/{value.denominator}".encode()


def _edited(packet: bytes, rule: Rule) -> bytes | None:
    """The packet with each attribute and element as the rule says, or None if it is no XML."""
    editor = _Editor(packet, rule)
    try:
        start, length = 0, _PIECE
        while start < len(packet):  # of a refused one nothing more is read; what is not complete is read again
            editor.parser.Parse(packet[start : start + length], False)
            start, length = start + length, 2 * length
        editor.parser.Parse(b"", True)
    except (expat.ExpatError, ValueError):
        return None
    pieces, position = [], 0
    for start, end, text in sorted(editor.edits):
        pieces += [packet[position:start], text]
        position = end
    return b"".join((*pieces, packet[position:]))


@dataclass
class _Element:
    start: int
    content: int  # where its tag ends
    name: str
    goes: bool
    is_leaf: bool = True


class _Editor:
    """Walks a packet and collects (start, end, new text) of what is to change."""

    def __init__(self, packet: bytes, rule: Rule) -> None:
        self.packet, self.rule = packet, rule
        self.edits: list[tuple[int, int, bytes]] = []
        self.scopes: list[dict[str, str]] = [{}]
        self.open: list[_Element] = []
        self.left = _MOST_ELEMENTS
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.begin
        self.parser.EndElementHandler = self.finish
        self.parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise ValueError("an entity, which no packet declares")

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        self.left -= 1
        if self.left < 0 or len(self.open) > _DEEPEST:
            raise ValueError("more than any packet has")
        start = self.parser.CurrentByteIndex
        found = _TAG.match(self.packet, start)
        if found is None:
            raise ValueError("not UTF-8")
        declared = {name[6:]: uri for name, uri in attributes.items() if name.startswith("xmlns:")}
        self.scopes.append({**self.scopes[-1], **declared} if declared else self.scopes[-1])
        name, inside = self.name(tag), False
        if self.open:
            self.open[-1].is_leaf = False
            inside = self.open[-1].goes
        self.open.append(_Element(start, found.end(), name, inside or self.rule(name, b"") is None))
        if not self.open[-1].goes:
            for attribute in _ATTRIBUTE.finditer(self.packet, start, found.end()):
                self.visit(attribute)

    def visit(self, attribute: re.Match[bytes]) -> None:
        name, group = attribute[1].decode("utf-8", "replace"), 2 if attribute[2] is not None else 3
        if ":" not in name or name.startswith(("xmlns:", "xml:", "rdf:")):
            return
        text = self.rule(self.name(name), attribute[group])
        if text is None:
            self.edits.append((attribute.start(), attribute.end(), b""))
        elif text != attribute[group]:
            self.edits.append((attribute.start(group), attribute.end(group), text))

    def finish(self, tag: str) -> None:
        self.scopes.pop()
        element = self.open.pop()
        end = self.parser.CurrentByteIndex
        closes = self.packet[end : end + 2] == b"</"
        if element.goes:
            if not (self.open and self.open[-1].goes):
                after = self.packet.index(b">", end) + 1 if closes else element.content
                self.edits.append((element.start, after, b""))
        elif closes and element.is_leaf and end > element.content:
            text = self.packet[element.content : end]
            changed = self.rule(element.name, text)
            if changed is None:
                self.edits.append((element.start, self.packet.index(b">", end) + 1, b""))
            elif changed != text:
                self.edits.append((element.content, end, changed))

    def name(self, qualified: str) -> str:
        prefix, _, local = qualified.rpartition(":")
        return f"{self.scopes[-1].get(prefix, '')} {local}"
