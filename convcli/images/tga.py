"""TGA: its header, and what version 2 says behind its pixels; what these are is `convcli.images.tga_pixels`'s.

No bytes at its beginning are the format's alone: a file is taken for one if all of its header makes sense.

Source: Truevision, "TGA File Format Specification", version 2.0, 1991.
"""

import struct

from convcli.images import resolution
from convcli.images.model import Decoded, Image, Metadata, Own, Pixels

HEADER = 18
_FOOTER, _SIGNATURE = 26, b"TRUEVISION-XFILE.\0"
_EXTENSION = 495  # bytes of the extension area
_ASPECT, _GAMMA, _ATTRIBUTES = 474, 478, 494  # places in it
_KEYWORDS = {"Author": (2, 41), "Title": (379, 41), "Software": (426, 41)}  # place and length, with a zero at its end
_COMMENTS, _COMMENT_LINES, _COMMENT_LENGTH = 43, 4, 81
_REAL_ALPHA, _PREMULTIPLIED = 3, 4
_FROM_TOP, _FROM_RIGHT = 0x20, 0x10
_KINDS = {1: (8, 15, 16), 2: (15, 16, 24, 32), 3: (8, 16)}  # bits of indices, of colours, of grey; + 8 in runs
_ENTRIES = (15, 16, 24, 32)  # bits of a palette's colours


def recognises(head: bytes) -> bool:
    """Whether a file that begins so can be a TGA: none of its numbers is strange."""
    if len(head) < HEADER:
        return False
    _, has_palette, kind, first, colours, entry, _, _, width, height, bits, flags = _header(head)
    if has_palette > 1 or bits not in _KINDS.get(kind & ~8, ()) or not width or not height or flags & 0xC0:
        return False
    if has_palette:
        return bool(colours) and entry in _ENTRIES and kind & ~8 in (1, 2)
    return first == colours == entry == 0 and kind & ~8 != 1


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a TGA file to grey or RGB, with alpha where its header or its extension says so."""
    from convcli.images.tga_pixels import Layout, unpacked

    length, has_palette, kind, first, colours, entry, _, _, width, height, bits, flags = _header(data)
    extension = _extension(data)
    said = extension[_ATTRIBUTES] if extension else None
    layout = Layout(
        width=width,
        height=height,
        kind=kind & ~8,
        in_runs=bool(kind & 8),
        bits=bits,
        alpha_bits=flags & 15 if said in (None, _REAL_ALPHA, _PREMULTIPLIED) else 0,
        premultiplied=said == _PREMULTIPLIED,
        from_top=bool(flags & _FROM_TOP),
        from_right=bool(flags & _FROM_RIGHT),
        first=first,
        colours=colours if has_palette else 0,
        entry=entry,
        start=HEADER + length,
    )
    pixels, has_alpha, notes = unpacked(data, layout, max_pixels)
    return Decoded(Image(pixels, has_alpha, _described(data, extension), notes))


def encode(image: Image) -> bytes:
    """Encode 8-bit pixels, not compressed, the first row on top; what is said about them in an extension area."""
    height, width, channels = image.pixels.shape
    stored: Pixels = image.pixels[:, :, [2, 1, 0, 3][:channels]] if channels > 2 else image.pixels  # blue first
    flags = _FROM_TOP | (8 if image.has_alpha else 0)
    kind = 2 if channels > 2 else 3
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, width, height, 8 * channels, flags)
    body = stored.tobytes()
    end = struct.pack("<II18s", HEADER + len(body), 0, _SIGNATURE)
    return header + body + _extension_of(image.metadata, has_alpha=image.has_alpha) + end


def fitting(texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Those texts that the extension area has room for: one of each keyword that it knows, in the letters it knows."""
    kept: dict[str, str] = {}
    for keyword, text in texts:
        lines = text.splitlines() if keyword == "Comment" else [text]
        longest = _COMMENT_LENGTH if keyword == "Comment" else _KEYWORDS.get(keyword, (0, 0))[1]
        if len(lines) <= _COMMENT_LINES and all(each.isascii() and len(each) < longest for each in lines):
            kept.setdefault(keyword, text)
    return tuple(each for each in texts if kept.get(each[0]) == each[1])


def _header(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from("<BBBHHBHHHHBB", data)


def _extension(data: bytes) -> bytes:
    """The extension area that a file's last bytes point at; empty if there is none."""
    if len(data) < HEADER + _FOOTER or data[-len(_SIGNATURE) :] != _SIGNATURE:
        return b""
    start = struct.unpack_from("<I", data, len(data) - _FOOTER)[0]
    area = data[start : start + _EXTENSION] if start else b""
    return area if len(area) == _EXTENSION and struct.unpack_from("<H", area)[0] >= _EXTENSION else b""


def _described(data: bytes, extension: bytes) -> Metadata:
    name = _text(data[HEADER : HEADER + data[0]])
    if not extension:
        return Metadata(format="TGA", texts=(("Title", name),) if name else ())
    texts = [(keyword, _text(extension[at : at + length])) for keyword, (at, length) in _KEYWORDS.items()]
    ends = range(_COMMENTS, _COMMENTS + _COMMENT_LINES * _COMMENT_LENGTH, _COMMENT_LENGTH)
    texts.append(("Comment", "\n".join(_text(extension[at : at + _COMMENT_LENGTH]) for at in ends).rstrip("\n")))
    texts += [("Title", name)] if name and not dict(texts)["Title"] else []
    across, down = struct.unpack_from("<HH", extension, _ASPECT)  # how wide and how high a pixel is
    gamma = extension[_GAMMA : _GAMMA + 4]
    return Metadata(
        format="TGA",
        texts=tuple(each for each in texts if each[1]),
        aspect=resolution.told(down, across, None)[1],
        own=(Own("TGA", "gamma", _GAMMA, gamma),) if all(struct.unpack("<HH", gamma)) else (),
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("latin-1").strip()


def _extension_of(metadata: Metadata, *, has_alpha: bool) -> bytes:
    area = bytearray(_EXTENSION)
    struct.pack_into("<H", area, 0, _EXTENSION)
    area[_ATTRIBUTES] = _REAL_ALPHA if has_alpha else 0
    for keyword, text in metadata.texts:
        if keyword == "Comment":
            for index, line in enumerate(text.splitlines()):
                at = _COMMENTS + index * _COMMENT_LENGTH
                area[at : at + len(line)] = line.encode("ascii")
        else:
            at = _KEYWORDS[keyword][0]
            area[at : at + len(text)] = text.encode("ascii")
    if metadata.aspect:
        struct.pack_into("<HH", area, _ASPECT, *resolution.whole_ratio(metadata.aspect, 65535)[::-1])
    for each in metadata.own:
        area[each.code : each.code + len(each.content)] = each.content
    return bytes(area)
