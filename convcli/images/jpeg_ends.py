"""JPEG files without an end mark: are all pixels there?

libjpeg fills what is missing with grey and says nothing. So a file is decoded with different data put behind its end:
what is complete ignores them, what is not takes them for pixels. A progressive file may also lack whole scans; those
that it has say which bits of which coefficients they hold.
"""

import re

import numpy as np

from convcli.images.jpeg_markers import FRAMES, START_OF_SCAN, segments
from convcli.images.model import Pixels

_END = b"\xff\xd9"
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def completed(data: bytes) -> bytes | None:
    """The file with an end mark, or None if pixels are missing."""
    wanted = (START_OF_SCAN, *FRAMES)
    scans = [(marker, data[start:end], end) for marker, start, end in segments(data) if marker in wanted]
    if not scans or scans[-1][0] != START_OF_SCAN or _MARKER.search(data, scans[-1][2]):
        return None  # it ends between scans, or within a header
    # A file that was cut short may be filled with zeros, which are pixels like any other.
    data = data.rstrip(b"\0") if data.endswith(bytes(16)) else data
    data = data.removesuffix(b"\xff")
    if not _has_all_bits([(marker, body) for marker, body, _ in scans]):
        return None
    whole = _decoded(data + _END)
    for seed in (1, 2):
        # Enough for the last rows of a large picture; without 0xFF, which would have to be followed by a zero.
        continuation = np.random.default_rng(seed).integers(0, 255, 4096, np.uint8).tobytes()
        other = _decoded(data + continuation + _END)
        if whole is None or other is None or not np.array_equal(whole, other):
            return None
    return data + _END


def _decoded(data: bytes) -> Pixels | None:
    import imagecodecs

    try:
        return np.asarray(imagecodecs.jpeg8_decode(data))
    except (imagecodecs.Jpeg8Error, ValueError, RuntimeError):
        return None


def _has_all_bits(parts: list[tuple[int, bytes]]) -> bool:
    """Whether the scans have all components, and, of a progressive file, all coefficients to their last bit."""
    frame, header = next((part for part in parts if part[0] in FRAMES), (0, b""))
    names = set(header[6::3][: header[5]]) if len(header) > 5 else set()
    missing = {(name, each) for name in names for each in range(64)}
    for marker, body in parts:
        if marker != START_OF_SCAN or len(body) < 4 or len(body) < 4 + 2 * body[0]:
            continue
        first, last, bits = body[1 + 2 * body[0] :][:3]
        if frame not in _PROGRESSIVE:
            first, last, bits = 0, 63, 0
        if not bits & 15:
            missing -= {(name, each) for name in body[1 : 1 + 2 * body[0] : 2] for each in range(first, last + 1)}
    return bool(names) and not missing
