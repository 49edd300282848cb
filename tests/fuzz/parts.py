"""Damage that knows a format: chunks dropped, doubled, exchanged or changed, with lengths and check sums right."""

import contextlib
import gzip
import io
import json
import re
import struct
import warnings
import zipfile
import zlib

from .words import ODD


def _png(rng, content):
    head, chunks, at = content[:8], [], 8
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    chunks = _shuffled(rng, chunks)
    return head + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _riff(rng, content):
    chunks, at = [], 12
    while at + 8 <= len(content):
        (size,) = struct.unpack_from("<I", content, at + 4)
        chunks.append((content[at : at + 4], content[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    chunks = _shuffled(rng, chunks)
    body = content[8:12] + b"".join(
        kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for kind, part in chunks
    )
    return content[:4] + struct.pack("<I", len(body)) + body


def _jpeg(rng, content):
    segments, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        (size,) = struct.unpack_from(">H", content, at + 2)
        segments.append((content[at : at + 2], content[at + 4 : at + 2 + size]))
        at += 2 + size
    rest = content[at:]
    segments = _shuffled(rng, segments)
    if rng.random() < 0.2:
        rest = rest[: rng.randrange(len(rest) + 1)] + rest[rng.randrange(len(rest) + 1) :]
    parts = (kind + struct.pack(">H", min(65535, len(body) + 2)) + body[:65533] for kind, body in segments)
    return content[:2] + b"".join(parts) + rest


def _tiff(rng, content):
    """Entries of a directory (of a TIFF, or EXIF's): tag, type, count, value."""
    if len(content) < 16:
        return content
    order = "<" if content[:2] == b"II" else ">"
    start, size = struct.unpack_from(order + "I", content, 4)[0], 12
    if start + 2 > len(content):
        return content
    count = min(struct.unpack_from(order + "H", content, start)[0], (len(content) - start - 2) // size)
    if not count:
        return content
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        entry = start + 2 + size * rng.randrange(count)
        what = rng.randrange(5)
        if what == 0:
            struct.pack_into(order + "H", found, entry, rng.choice(_TAGS))
        elif what == 1:
            struct.pack_into(order + "H", found, entry + 2, rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16, 99)))
        elif what == 2:
            struct.pack_into(order + "I", found, entry + 4, rng.choice((0, 1, 2, 3, 5, 65535, 2**31, 2**32 - 1)))
        elif what == 3:
            struct.pack_into(order + "I", found, entry + 8, rng.choice((0, 1, 2, 7, 8, start, 65535, 2**31, 2**32 - 1)))
        else:
            other = start + 2 + size * rng.randrange(count)
            found[entry + 8 : entry + 12] = found[other + 8 : other + 12]
    return bytes(found)


_TAGS = (254, 255, 256, 257, 258, 259, 262, 266, 270, 273, 274, 277, 278, 279, 282, 284, 296, 317, 320, 322, 323, 324)
_TAGS += (330, 338, 339, 347, 530, 700, 32997, 33432, 34665, 34675, 34853, 37510, 50838, 50839)


def _gif(rng, content):
    """Blocks from after the colour table on."""
    if len(content) < 13:
        return content
    at = 13 + (3 << ((content[10] & 7) + 1) if content[10] & 0x80 else 0)
    head, blocks = content[:at], []
    while at < len(content) and content[at] in b"!,":
        start = at
        at += 2 if content[at] == 0x21 else 11
        if content[start] == 0x2C and content[min(start + 9, len(content) - 1)] & 0x80:
            at += 3 << ((content[start + 9] & 7) + 1)
        while at < len(content) and content[at]:
            at += content[at] + 1
        at += 1
        blocks.append((b"", content[start:at]))
    return head + b"".join(body for _, body in _shuffled(rng, blocks)) + content[at:]


def _safetensors(rng, content):
    """The JSON header, with its length right."""
    if len(content) < 8:
        return content
    size = struct.unpack_from("<Q", content)[0]
    header, rest = content[8 : 8 + size], content[8 + size :]
    with contextlib.suppress(ValueError, RecursionError):
        header = _text(rng, header) if rng.random() < 0.3 else _changed_header(rng, json.loads(header))
    return struct.pack("<Q", len(header)) + header + rest


def _changed_header(rng, document):
    """A header with one thing changed; what is a document in the document is opened too."""
    about = document.get("__metadata__", {}) if isinstance(document, dict) else {}
    key = rng.choice([*about] or [""]) if isinstance(about, dict) else ""
    if key and rng.random() < 0.8 and isinstance(about[key], str) and about[key][:1] in ("{", "["):
        about[key] = json.dumps(_changed(rng, json.loads(about[key])))
    else:
        document = _changed(rng, document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _changed(rng, value):
    """A JSON value with one thing in it exchanged."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.randrange(12)
        if what == 0:
            return {each: value[each] for each in value if each != key}
        if what == 1:
            return {rng.choice(ODD) if each == key else each: value[each] for each in value}
        return {**value, key: _changed(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return value[:place] + value[place + 1 :]
        if rng.random() < 0.1:
            return value[:place] + [value[place]] * rng.choice((2, 3, 1000)) + value[place:]
        return [*value[:place], _changed(rng, value[place]), *value[place + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.5:
        place = rng.randrange(len(value) + 1)
        return value[:place] + rng.choice(ODD) + value[place:]
    return rng.choice(_VALUES)


_VALUES = (None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63, 2**64, 10**30)
_VALUES += ("", "x", "0", [], {}, [[]], [1], [0, 0], {"a": 1}, [None], "F32", "F64", "I64", "BF16", *ODD)


def _text(rng, content):
    """Numbers, names and lines of a text exchanged."""
    text = content.decode("utf-8", "surrogateescape")
    words = list(re.finditer(r"[0-9.]+|[A-Za-z_]+|[^\sA-Za-z_0-9]", text))
    if not words:
        return content
    for _ in range(rng.choice((1, 1, 2, 5))):
        found = rng.choice(words)
        instead = rng.choice([*ODD, rng.choice(words)[0], rng.choice(words)[0], found[0] * 2])
        text = text[: found.start()] + instead + text[found.end() :]
    lines = text.split("\n")
    if rng.random() < 0.3:
        place = rng.randrange(len(lines))
        lines[place : place + 1] = [lines[place]] * rng.choice((0, 2, 3, 50))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _json(rng, content):
    """A document with one thing changed."""
    return json.dumps(_changed(rng, json.loads(content))).encode("utf-8", "surrogatepass")


# Boxes of boxes, and what stands in them before the first.
_HOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"jp2h": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0}


def _boxes(rng, content):
    """Boxes of ISO's media files, on any level; those after the pictures' bytes move them."""
    boxes, at = [], 0
    while at + 8 <= len(content):
        size = struct.unpack_from(">I", content, at)[0] or len(content) - at
        boxes.append((content[at + 4 : at + 8], content[at + 8 : at + max(size, 8)]))
        at += max(size, 8)
    inner = [place for place, (kind, _) in enumerate(boxes) if kind in _HOLDERS]
    if inner and rng.random() < 0.8:
        place = rng.choice(inner)
        kind, body = boxes[place]
        head = _HOLDERS[kind]
        boxes[place] = (kind, body[:head] + _boxes(rng, body[head:]))
    else:
        boxes = _shuffled(rng, boxes)
    return b"".join(struct.pack(">I", 8 + len(body)) + kind[:4].ljust(4) + body for kind, body in boxes)


def _zip(rng, content):
    """Files of an archive, with lengths and check sums right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = _shuffled(rng, [(name.encode(), archive.read(name)) for name in archive.namelist()])
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", rng.choice((0, 8))) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, body in files:
            archive.writestr(name.decode("latin-1"), body)
    return stream.getvalue()


# Where numbers stand in a NIfTI-1, and how they are packed.
_IN_NIFTI = ((0, "i"), (70, "h"), (72, "h"), (108, "f"), (112, "f"), (116, "f"), (123, "B"), (252, "h"), (254, "h"))
_IN_NIFTI += tuple((40 + 2 * place, "h") for place in range(8)) + tuple((76 + 4 * place, "f") for place in range(8))


def _nifti(rng, content):
    """Numbers of a header, also inside a .gz."""
    if content[:2] == b"\x1f\x8b":
        return gzip.compress(_nifti(rng, gzip.decompress(content)), 1)
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place, kind = rng.choice(_IN_NIFTI)
        values = {
            "f": (0, -1, 1, 351, 1e30, float("nan"), float("inf")),
            "h": (0, 1, -1, 2, 5, 8, 16, 128, 512, 2304, 32767),
            "i": (0, 348, 540, 348 << 16, -1),
            "B": (0, 2, 255),
        }[kind]
        struct.pack_into("<" + kind, found, place, rng.choice(values))
    return bytes(found)


def _shuffled(rng, chunks):
    """(kind, content) of chunks with one of them dropped, doubled, moved, renamed, emptied or changed."""
    if not chunks:
        return chunks
    chunks = list(chunks)
    place = rng.randrange(len(chunks))
    kind, body = chunks[place]
    what = rng.randrange(8)
    if what == 0:
        del chunks[place]
    elif what == 1:
        chunks[place:place] = [chunks[place]] * rng.choice((1, 2, 30))
    elif what == 2:
        chunks.insert(rng.randrange(len(chunks)), chunks.pop(place))
    elif what == 3:
        chunks[place] = (rng.choice(chunks)[0], body)
    elif what == 4:
        chunks[place] = (kind, body[: rng.randrange(len(body) + 1)])
    elif what == 5:
        chunks[place] = (bytes(each ^ (1 << rng.randrange(8)) if rng.random() < 0.4 else each for each in kind), body)
    else:
        found = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 4))):
            if found:
                found[rng.randrange(min(len(found), rng.choice((16, len(found)))))] = rng.choice(
                    (0, 1, 2, 127, 128, 255)
                )
        chunks[place] = (kind, bytes(found))
    return chunks


FORMS = {
    "png": _png,
    "riff": _riff,
    "jpeg": _jpeg,
    "tiff": _tiff,
    "gif": _gif,
    "safetensors": _safetensors,
    "text": _text,
    "json": _json,
    "boxes": _boxes,
    "zip": _zip,
    "nifti": _nifti,
}
