"""Damage to bytes: blind, and of numbers at any place. What knows a format is in `parts`."""

import contextlib
import struct
import zipfile
import zlib

from .parts import FORMS

_NO_FORM = (IndexError, KeyError, TypeError, ValueError, OSError, EOFError, NotImplementedError, RuntimeError)
_NO_FORM += (struct.error, zipfile.BadZipFile, zlib.error)
_BYTES = (0, 1, 2, 0x0A, 0x20, 0x22, 0x2C, 0x3A, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
_NUMBERS = {
    1: (0, 1, 2, 3, 4, 8, 16, 24, 32, 64, 127, 128, 254, 255),
    2: (0, 1, 2, 3, 255, 256, 257, 4096, 32767, 32768, 65534, 65535),
    4: (0, 1, 2, 3, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1),
    8: (0, 1, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1),
}


def damage(rng, content, others, form=None):
    """A content with one to four things wrong. ``others`` are contents to splice with; ``form`` is one of `parts`."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        if form in FORMS and rng.random() < 0.5:
            # What was damaged before may no longer have a form that can be followed.
            with contextlib.suppress(*_NO_FORM):
                content = FORMS[form](rng, content)
        else:
            content = rng.choice(_BLIND)(rng, content, others)
    return content[:1_000_000]


def _flip(rng, content, others):
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if found:
            found[_place(rng, len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _set(rng, content, others):
    found = bytearray(content or b"\0")
    found[_place(rng, len(found))] = rng.choice(_BYTES)
    return bytes(found)


def _number(rng, content, others):
    size = rng.choice((1, 2, 2, 4, 4, 4, 8))
    if len(content) < size:
        return content
    place = _place(rng, len(content) - size + 1)
    order = rng.choice("<>")
    code = order + {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    value = rng.choice(_NUMBERS[size])
    if rng.random() < 0.3:
        value = (struct.unpack_from(code, content, place)[0] + rng.choice((-1, 1, 2, 256))) % 256**size
    return content[:place] + struct.pack(code, value) + content[place + size :]


def _truncate(rng, content, others):
    return content[: rng.randrange(len(content) + 1)]


def _cut(rng, content, others):
    start = _place(rng, len(content) + 1)
    return content[:start] + content[start + rng.choice((1, 2, 4, 16, 100)) :]


def _repeat(rng, content, others):
    start = _place(rng, len(content) + 1)
    end = start + rng.choice((1, 4, 16, 64, 256))
    return content[:end] + content[start:end] * rng.choice((1, 1, 2, 10, 100)) + content[end:]


def _insert(rng, content, others):
    start = _place(rng, len(content) + 1)
    fill = rng.choice((b"\0", b"\xff", rng.randbytes(1), rng.randbytes(7), b"\x1b[2J\r\n", b"9"))
    return content[:start] + fill * rng.choice((1, 1, 2, 8, 64, 1000)) + content[start:]


def _splice(rng, content, others):
    other = rng.choice(others) if others else content
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _copy(rng, content, others):
    size = rng.choice((2, 4, 8, 32))
    here, there = (rng.randrange(max(1, len(content) - size + 1)) for _ in "12")
    return content[:there] + content[here : here + size] + content[there + size :]


def _place(rng, length):
    """A place; in two of three cases among the first bytes, where the headers are."""
    length = max(1, length)
    return rng.randrange(min(length, rng.choice((32, 128, length))))


_BLIND = (_flip, _flip, _set, _number, _number, _number, _truncate, _cut, _repeat, _insert, _splice, _copy)
