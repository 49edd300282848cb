"""PNG chunks about colours and pixels: which of them say what other files do not, and to which pixels they belong.

Source: W3C, "Portable Network Graphics Specification, third edition", sections 11.3.2 to 11.3.5.
"""

import struct
from collections.abc import Sequence

from convcli.images.model import Own

CHUNKS = (b"cICP", b"gAMA", b"cHRM", b"sRGB", b"mDCV", b"cLLI")
# What says that colours are those of sRGB, as everybody assumes where nothing is said.
_SRGB_GAMMA = struct.pack(">I", 45455)
_SRGB_POINTS = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_SRGB_CODE = bytes((1, 13, 0, 1))
_USUAL = {b"gAMA": _SRGB_GAMMA, b"cHRM": _SRGB_POINTS, b"cICP": _SRGB_CODE}
_CHANNELS_OF = {b"sBIT": {1: 1, 2: 2, 3: 3, 4: 4}, b"bKGD": {1: 2, 2: 2, 3: 6, 4: 6}}  # bytes, by channels


def names_of_what_matters(chunks: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """Which chunks say that the numbers are other colours than sRGB's."""
    kinds = {kind for kind, _ in chunks}
    if b"sRGB" in kinds:  # then gamma and primaries are there for old readers
        chunks = [each for each in chunks if each[0] not in (b"gAMA", b"cHRM")]
    return [kind.decode() for kind, content in chunks if kind != b"sRGB" and _USUAL.get(kind) != content]


def fits(chunk: Own, before: tuple[int, str], now: tuple[int, str]) -> bool:
    """Whether a chunk of a file of such pixels (channels, type) may stand in one of other pixels."""
    sizes = _CHANNELS_OF.get(chunk.code)
    if sizes is None:
        return True
    return before == now and len(chunk.content) == sizes.get(now[0])
