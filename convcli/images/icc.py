"""Colour profiles: whether one is whole, and whether it speaks of pixels such as these.

Source: International Color Consortium, "Specification ICC.1:2010", sections 7.2 and 7.3, and annex B.
"""

import struct
from collections.abc import Sequence

_HEADER, _ENTRY = 128, 12
_LEAST = 8  # of an element: the name of its type, and four zeros
_MOST_TAGS = 4096
_NEWEST = 5  # major version
_CONNECTIONS = (b"XYZ ", b"Lab ")  # the spaces by which profiles meet
_SPACES = {b"GRAY": "grey", b"RGB ": "RGB", b"CMYK": "CMYK", b"Lab ": "Lab"}
# Scanners, monitors, printers and colour spaces; the other classes link or name colours and belong into no picture.
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")


def whole(profile: bytes) -> bytes | None:
    """The profile without what follows its end, or None if it is cut off, damaged or no profile of a picture."""
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp" or profile[12:16] not in _CLASSES:
        return None
    if profile[8] > _NEWEST or profile[20:24] not in _CONNECTIONS:
        return None
    size = struct.unpack_from(">I", profile)[0]
    if not _HEADER + 4 <= size <= len(profile):
        return None
    count = struct.unpack_from(">I", profile, _HEADER)[0]
    if not 0 < count <= _MOST_TAGS or _HEADER + 4 + count * _ENTRY > size:
        return None
    for place in range(_HEADER + 4, _HEADER + 4 + count * _ENTRY, _ENTRY):
        start, length = struct.unpack_from(">II", profile, place + 4)
        if start + length > size or length < _LEAST or not _is_name(profile[start : start + 4]):
            return None
    return profile[:size]


def assembled(pieces: Sequence[tuple[int, int, bytes]]) -> bytes | None:
    """A profile from its pieces (number from 1, how many there are, content), in whatever order they stood.

    None if one is missing, or two claim to be the same one and differ.
    """
    by_number: dict[int, bytes] = {}
    for number, _, content in pieces:
        if by_number.setdefault(number, content) != content:
            return None
    counts = {count for _, count, _ in pieces}
    if len(counts) != 1 or sorted(by_number) != list(range(1, counts.pop() + 1)):
        return None
    return b"".join(by_number[number] for number in sorted(by_number))


def space(profile: bytes) -> str:
    """What a profile speaks of, as messages call it."""
    return _SPACES.get(profile[16:20], "other colours")


def _is_name(signature: bytes) -> bool:
    return signature.isascii() and signature.decode("ascii").isprintable()


def fits(profile: bytes, channels: int) -> bool:
    """Whether a profile speaks of grey where there are one or two channels, and of RGB where there are more.

    On other pixels viewers reject it or show nonsense.
    """
    return profile[16:20] == (b"GRAY" if channels <= 2 else b"RGB ")
