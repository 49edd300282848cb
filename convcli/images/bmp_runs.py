"""Run-length coded BMPs, unpacked here: Pillow fills what a file skips byte by byte, minutes for a damaged one.

A code is two bytes: how often, and which colour (two in turn in the 4-bit kind). How often 0 is an escape: 0 ends the
row, 1 the picture, 2 moves on, and anything else is followed by so many colours as they are.

Source: Microsoft's documentation of "Bitmap Compression", BI_RLE8 and BI_RLE4.
"""

import struct
from collections.abc import Iterator

from convcli.errors import ImageError
from convcli.images.model import check_size

_FILE_HEADER, _INFO_HEADER = 14, 40
_RUNS_OF_8, _RUNS_OF_4 = 1, 2
_END_OF_ROW, _END, _MOVE = 0, 1, 2
_FREE = 1 << 22  # pixels that may be skipped anyhow
_MOST_SKIPPED = 64  # and as a multiple of those that are drawn


def without_runs(data: bytes, max_pixels: int) -> bytes:
    """The same BMP with a byte for each pixel, and any other file as it is.

    Raises `ImageError` for codes that end early or skip nearly everything, before memory is taken for the pixels.
    """
    if len(data) < _FILE_HEADER + _INFO_HEADER or struct.unpack_from("<I", data, _FILE_HEADER)[0] < _INFO_HEADER:
        return data
    start, header = struct.unpack_from("<II", data, 10)
    width, signed_height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    # A header that is longer than the file is refused by whoever reads it.
    if compression not in (_RUNS_OF_8, _RUNS_OF_4) or _FILE_HEADER + header > len(data):
        return data
    height = abs(signed_height)
    check_size(width, height, max_pixels, 13)
    total = width * height
    nibbles = compression == _RUNS_OF_4
    known = min(struct.unpack_from("<I", data, 46)[0] or (16 if nibbles else 256), 256)
    drawn = end = highest = 0
    for end, colours in _codes(data, start, width, total, nibbles=nibbles):  # noqa: B007
        drawn += len(colours)
        highest = max(highest, *colours, 0)
    if end < total:
        raise ImageError(f"truncated BMP: it has {end:,} of {total:,} pixels; get a fresh copy")
    if highest >= known:
        raise ImageError(f"damaged BMP: it uses colour {highest} of a palette of {known}; get a fresh copy")
    if total - drawn > _FREE + _MOST_SKIPPED * drawn:
        raise ImageError(
            f"damaged BMP: its codes draw {drawn:,} of {total:,} pixels, expected at least one in {_MOST_SKIPPED}; "
            "get a fresh copy"
        )
    palette_start = _FILE_HEADER + header
    palette = data[palette_start : palette_start + 4 * known].ljust(4 * 256, b"\0")
    stride = -(-width // 4) * 4
    unpacked = bytearray(palette_start + len(palette) + stride * height)
    unpacked[:palette_start] = data[:palette_start]
    unpacked[palette_start : palette_start + len(palette)] = palette
    struct.pack_into("<I", unpacked, 10, palette_start + len(palette))
    struct.pack_into("<HI", unpacked, 28, 8, 0)
    struct.pack_into("<I", unpacked, 46, 256)
    for position, colours in _codes(data, start, width, total, nibbles=nibbles):
        row, column = divmod(position, width)
        place = palette_start + len(palette) + row * stride + column
        unpacked[place : place + len(colours)] = colours
    return bytes(unpacked)


def _codes(data: bytes, start: int, width: int, total: int, *, nibbles: bool) -> Iterator[tuple[int, bytes]]:
    """(position, colours) of all that is drawn, within one row each, and at last where drawing stopped."""
    position = 0
    begins = True  # whether a row is about to begin: the end of a row is then one of an empty row
    while position < total and start + 2 <= len(data):
        often, colour = data[start], data[start + 1]
        start += 2
        room = width - position % width
        if often:
            pair = bytes((colour >> 4, colour & 15)) if nibbles else bytes((colour, colour))
            drawn = (pair * 128)[: min(often, room)]
        elif colour == _END_OF_ROW:
            position += room if begins else room % width
            begins = True
            continue
        elif colour == _END:
            break
        elif colour == _MOVE:
            if start + 2 > len(data):
                break
            position = min(total, position + data[start] + data[start + 1] * width)
            start += 2
            begins = position % width == 0
            continue
        else:
            length = (colour + 1) // 2 if nibbles else colour
            stored = data[start : start + length]
            if len(stored) < length:
                break
            if nibbles:
                stored = bytes(half for byte in stored for half in (byte >> 4, byte & 15))
            drawn = stored[: min(colour, total - position)]
            start += length + length % 2
        yield from _row_by_row(position, drawn, width)
        begins = False
        position += len(drawn)
    yield position, b""


def _row_by_row(position: int, colours: bytes, width: int) -> Iterator[tuple[int, bytes]]:
    while colours:
        room = width - position % width
        yield position, colours[:room]
        position, colours = position + room, colours[room:]
