"""What the extension blocks of a GIF file say besides pixels, and the blocks that say it again.

Source: CompuServe, "Graphics Interchange Format, version 89a", 1990; ICC.1:2010, annex B.4; Adobe, "XMP Specification,
part 3", section 1.1.2.
"""

from collections.abc import Iterator
from dataclasses import replace

from convcli.images import resolution
from convcli.images.model import Metadata

_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_COMMENT, _APPLICATION, _PLAIN_TEXT, _CONTROL = 0xFE, 0xFF, 0x01, 0xF9
_ICC, _XMP = b"ICCRGBG1012", b"XMP DataXMP"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # of an animation
# Behind an XMP packet: whatever length a reader takes a byte of the packet for, it arrives at the end of the block.
_XMP_TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"


def describe(data: bytes) -> Metadata:
    """The metadata of a file whose blocks have been walked before."""
    metadata = Metadata(format="GIF")
    texts, lost = [], []
    for label, start, end in _extensions(data):
        name = data[start + 1 : start + 12] if label == _APPLICATION else b""
        if label == _COMMENT:
            texts.append(("Comment", _text(_joined(data, start))))
        elif name == _ICC:
            metadata = replace(metadata, icc=_joined(data, start + 12))
        elif name == _XMP and data[start + 12 : end].endswith(_XMP_TRAILER):
            metadata = replace(metadata, xmp=data[start + 12 : end - len(_XMP_TRAILER)])
        elif label == _PLAIN_TEXT:
            lost.append("text drawn by the viewer")
        elif label == _APPLICATION and name not in _LOOPS:
            lost.append("an application's block")
    # A pixel's width by its height, in 64ths from 15; 0 says nothing.
    aspect = (64.0, data[12] + 15.0) if data[12] else None
    return replace(metadata, texts=tuple(texts), aspect=aspect, lost=tuple(lost))


def plays(data: bytes) -> int:
    """How often an animation is to be shown, 0 for ever: once, unless it says how often again."""
    for label, start, end in _extensions(data):
        if label == _APPLICATION and data[start + 1 : start + 12] in _LOOPS and end >= start + 16:
            again = int.from_bytes(data[start + 14 : start + 16], "little")
            return again + 1 if again else 0
    return 1


def looping(plays: int) -> bytes:
    """The block that says it; none for once."""
    again = min(max(plays - 1, 0), 65535)
    block = bytes((_EXTENSION, _APPLICATION, 11)) + _LOOPS[0] + b"\3\1" + again.to_bytes(2, "little") + b"\0"
    return block if plays != 1 else b""


def hidden_colour(before: bytes) -> int | None:
    """The number of the transparent colour, of what stands before a frame (`parts_of`); None if there is none."""
    at = before.rfind(bytes((_EXTENSION, _CONTROL, 4)))
    return before[at + 6] if at >= 0 and before[at + 3] & 1 else None


def with_metadata(encoded: bytes, metadata: Metadata) -> bytes:
    """A finished file with blocks of its metadata in front of the picture."""
    blocks = b""
    for keyword, text in metadata.texts:
        line = text if keyword == "Comment" else f"{keyword}: {text}"
        blocks += bytes((_EXTENSION, _COMMENT)) + _cut(line.encode("utf-8", "replace"))
    if metadata.icc:
        blocks += bytes((_EXTENSION, _APPLICATION, 11)) + _ICC + _cut(metadata.icc)
    if metadata.xmp:
        blocks += bytes((_EXTENSION, _APPLICATION, 11)) + _XMP + metadata.xmp + _XMP_TRAILER
    head = bytearray(encoded[:13])
    if metadata.aspect and not resolution.is_square(metadata.aspect):
        x, y = metadata.aspect
        head[12] = min(max(round(64 * y / x - 15), 1), 255)
    if blocks or head[12]:
        head[:6] = b"GIF89a"
    start = 13 + table_size(encoded[10])
    return bytes(head) + encoded[13:start] + blocks + encoded[start:]


def parts_of(encoded: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """A file of one frame: its head, its shared palette, what stands before the frame, its descriptor, its pixels."""
    start = 13 + table_size(encoded[10])
    frame = start
    for label, _, end in _extensions(encoded):
        frame = end if label else frame
    return encoded[:13], encoded[13:start], encoded[start:frame], encoded[frame : frame + 10], encoded[frame + 10 : -1]


def _extensions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(label, start of its sub-blocks, end) of every extension."""
    position = 13 + table_size(data[10])
    while data[position] != _END:
        label = 0
        if data[position] == _FRAME:
            position += 11 + table_size(data[position + 9])
        else:
            label = data[position + 1]
            position += 2
        start = position
        while data[position]:
            position += 1 + data[position]
        position += 1
        if label:
            yield label, start, position


def table_size(flags: int) -> int:
    """Bytes of a palette, which a descriptor's flags tell."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _joined(data: bytes, position: int) -> bytes:
    pieces = []
    while data[position]:
        pieces.append(data[position + 1 : position + 1 + data[position]])
        position += 1 + data[position]
    return b"".join(pieces)


def _cut(content: bytes) -> bytes:
    pieces = [content[start : start + 255] for start in range(0, len(content), 255)]
    return b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
