"""The markers of a JPEG file: walking along them, making new ones, and the quantisation tables among them.

What they mean for a picture is `convcli.images.jpeg`'s.
"""

import re
import struct
from collections.abc import Iterator

from convcli.budget import check_count
from convcli.errors import ImageError

START_OF_SCAN, END_OF_IMAGE, TABLES, RESTART_INTERVAL = 0xDA, 0xD9, 0xDB, 0xDD
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
MOST_IN_A_MARKER = 65533

# The next marker inside compressed data: not a stuffed zero, not a restart, not a fill byte.
_FILL = re.compile(rb"\xff*")
_MOST_SEGMENTS = 100_000
# Scans times components: ten to twenty scans make up a progressive picture of three components. A scan of a few bytes
# costs a look at every block, 1 s for a thousand million pixels.
_MOST_LOOKS = 25
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Walk up to the end of image: (marker, start, end) where ``data[start:end]`` is what stands under the marker.

    Stops without an end of image when the data run out.
    """
    position = 2
    count = 0
    while position + 2 <= len(data):
        count += 1
        check_count(count, _MOST_SEGMENTS, "damaged JPEG: got {} segments and more", "get a fresh copy", ImageError)
        if data[position] != 0xFF:
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                return
            position = found.start()
        marker = data[position + 1]
        if marker == 0xFF:
            filled = _FILL.match(data, position)
            position = filled.end() - 1 if filled else position + 1
            continue
        if marker == END_OF_IMAGE:
            yield marker, position + 2, position + 2
            return
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        if position + 4 > len(data):
            return
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if end > len(data):
            return
        yield marker, position + 4, end
        position = end
        if marker == START_OF_SCAN:
            found = _NEXT_MARKER.search(data, position)
            if found is None:
                return
            position = found.start()


def check_scans(width: int, height: int, scans: int, components: int, max_pixels: int) -> None:
    """Refuse a picture of so many scans that going through it would take minutes.

    ``components`` counts each component as often as a scan holds it. The limit grows with ``max_pixels``.

    Raises `ImageError` naming scans, the number of values to go through, the limit and the flag.
    """
    work = width * height * components
    if work > _MOST_LOOKS * max_pixels:
        raise ImageError(
            f"got {scans:,} scans of {width}x{height} pixels, {work:,} values to go through, expected at most "
            f"{_MOST_LOOKS * max_pixels:,}; raise the limit with --max-pixels {-(-work // _MOST_LOOKS)} if the file "
            "is trusted"
        )


def segment(marker: int, content: bytes) -> bytes:
    """A marker with its length and content."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def tables_in(body: bytes) -> dict[int, tuple[int, ...]]:
    """The quantisation tables under one marker, by number: 64 divisors each, in reading order of an 8x8 block."""
    tables = {}
    position = 0
    while position < len(body):
        wide, number = body[position] >> 4, body[position] & 15
        size = 128 if wide else 64
        values = struct.unpack_from(">64H" if wide else ">64B", body.ljust(position + 1 + size, b"\1"), position + 1)
        ordered = [1] * 64
        for value, place in zip(values, _ZIGZAG, strict=True):
            ordered[place] = value
        tables[number] = tuple(ordered)
        position += 1 + size
    return tables


def _zigzag() -> tuple[int, ...]:
    """Reading-order place of each coefficient of an 8x8 block, in the order in which a JPEG stores them."""

    def order(place: int) -> tuple[int, int]:
        row, column = divmod(place, 8)
        return row + column, row if (row + column) % 2 else column

    return tuple(sorted(range(64), key=order))


_ZIGZAG = _zigzag()
