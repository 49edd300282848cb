"""The strips and tiles of a TIFF that are pictures of their own, with sizes of their own: do those fit the page?

JPEG, PNG, WebP, JPEG 2000, JPEG XL, JPEG XR and LERC are decoded as large as their own headers say, whatever the page
says. Here these headers are read first.

Source: the formats' own descriptions: ITU T.81 (JPEG), T.800 (JPEG 2000), T.832 (JPEG XR), ISO 18181-1 (JPEG XL), PNG,
WebP, and Esri's LERC.
"""

import struct
from collections.abc import Callable
from typing import Any

from convcli.errors import ImageError
from convcli.images import jxl_header
from convcli.images.jpeg_markers import FRAMES, START_OF_SCAN, check_scans, segments

MOST_PIECES = 250_000  # a few microseconds each; rows of a picture of 500 million pixels are 50,000 at the most
_LARGEST_TILE = 1 << 24  # pixels, 4096x4096, of a picture that is smaller itself
_HEAD = 1 << 16  # bytes in which a size mostly stands
_SCATTERED = ("WEBP", "JPEG XR")  # whose headers are chunks and directories anywhere
_SEQUENTIAL = (0xC0, 0xC1)  # frames whose work is that of their bytes
_LOSSLESS_FRAME = 0xF7
_SLACK = 1 << 16  # pixels: blocks and padding at a piece's edges
_KINDS = {
    **dict.fromkeys((6, 7, 33007, 34892), "JPEG"),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    **dict.fromkeys((34927, 50001), "WEBP"),
    34933: "PNG",
    34887: "LERC",
}


def check_tile(page: Any) -> None:
    """Refuse tiles that are much larger than the picture they are cut from."""
    tile = page.tilewidth * page.tilelength
    if tile > max(_LARGEST_TILE, 4 * page.imagewidth * page.imagelength):
        raise ImageError(
            f"damaged TIFF: got tiles of {page.tilewidth}x{page.tilelength} for {page.imagewidth}x{page.imagelength} "
            f"pixels, expected at most {_LARGEST_TILE:,} pixels a tile; get a fresh copy"
        )


def check_pieces(page: Any, max_pixels: int) -> None:
    """Refuse a page one of whose pieces says that it is a larger picture than its place.

    Raises `ImageError` naming the piece, its size and the page's.
    """
    kind = _KINDS.get(int(page.compression))
    if kind is None:
        return
    width, height = page.imagewidth, page.imagelength
    if page.is_tiled:
        width, height = page.tilewidth, page.tilelength
    elif 0 < page.rowsperstrip < height:
        height = page.rowsperstrip
    handle = page.parent.filehandle
    heads = [_SIZES[kind](page.jpegheader)] if kind == "JPEG" and page.jpegheader else []
    for number, (offset, size) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False), 1):
        piece = _piece(handle, offset, size, kind)
        for got in (*heads, _SIZES[kind](piece)):
            if got is not None and got[0] * got[1] > 4 * width * height + _SLACK:
                raise ImageError(
                    f"damaged TIFF: piece {number} says it is a {kind} of {got[0]}x{got[1]} pixels, expected "
                    f"{width}x{height}; get a fresh copy"
                )
        if kind == "JPEG":
            _check_scans(piece, max_pixels)


def _piece(handle: Any, offset: int, size: int, kind: str) -> bytes:
    """As much of a piece as tells its size: a stack of gigabytes is not read to be opened."""
    handle.seek(offset)
    data: bytes = handle.read(size if kind in _SCATTERED else min(size, _HEAD))
    frame = _frame(data) if kind == "JPEG" else None
    if len(data) < size and (frame[0] not in _SEQUENTIAL if frame else kind == "JPEG" or _SIZES[kind](data) is None):
        data += handle.read(size - len(data))
    return data


def _frame(data: bytes) -> tuple[int, int, int] | None:
    """A JPEG's kind of frame, its width and its height."""
    for marker, start, end in segments(data):
        if (marker in FRAMES or marker == _LOSSLESS_FRAME) and end - start >= 6:
            height, width = struct.unpack_from(">HH", data, start + 1)
            return marker, width, height
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    frame = _frame(data)
    return frame and frame[1:]


def _check_scans(data: bytes, max_pixels: int) -> None:
    size = _jpeg(data)
    scans = [data[start] for marker, start, end in segments(data) if marker == START_OF_SCAN and end > start]
    if size is not None:
        check_scans(*size, len(scans), sum(scans), max_pixels)


def _png(data: bytes) -> tuple[int, int] | None:
    return struct.unpack_from(">II", data, 16) if len(data) >= 24 else None


def _webp(data: bytes) -> tuple[int, int] | None:
    from convcli.images.webp import chunks_in, size_of

    return size_of(list(chunks_in(data))) if len(data) >= 12 else None


def _jpeg_2000(data: bytes) -> tuple[int, int] | None:
    start = data.find(b"\xff\x4f\xff\x51")  # start of the code stream, then sizes
    if start < 0 or len(data) < start + 24:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    return right - left, bottom - top


def _jpeg_xr(data: bytes) -> tuple[int, int] | None:
    """Its container is made like a TIFF: a directory of entries, two of which are the sizes."""
    if len(data) < 8:
        return None
    start = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, start)[0] if start + 2 <= len(data) else 0
    found = {}
    for position in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from("<HH", data, position)
        found[tag] = struct.unpack_from("<H" if kind == 3 else "<I", data, position + 8)[0]
    return (found[0xBC80], found[0xBC81]) if {0xBC80, 0xBC81} <= found.keys() else None


def _lerc(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"Lerc2 ") or len(data) < 22:
        return None
    start = 14 if struct.unpack_from("<i", data, 6)[0] >= 3 else 10  # a checksum since version 3
    height, width = struct.unpack_from("<ii", data, start)
    return width, height


def _jpeg_xl(data: bytes) -> tuple[int, int] | None:
    start = data.find(jxl_header.START)
    if start < 0:
        return None
    return jxl_header.told_size(data[start:])


_SIZES: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "JPEG 2000": _jpeg_2000,
    "JPEG XR": _jpeg_xr,
    "JPEG XL": _jpeg_xl,
    "LERC": _lerc,
}
