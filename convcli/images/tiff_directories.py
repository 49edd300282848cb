"""What a TIFF's directories may cost, counted before tifffile reads them: it copies every value of every page.

Real directories do not overlap, hold some dozens of entries, and share few values; made ones of some hundred kilobytes
can name the same megabytes thousands of times. Sizes follow TIFF 6.0, section 2, and BigTIFF.
"""

import mmap
import re
import struct
from math import prod

from convcli.budget import Allowance, check_count
from convcli.errors import ImageError
from convcli.images.model import check_size
from convcli.images.tiff_description import MOST_PARTS, parts_of

MOST_PAGES = 200_000
MOST_ENTRIES = 1_000  # of a page; tifffile's time grows with the square of entries of one tag
_SHARED = 16  # how often the bytes of a file may be named as values: pages do share palettes and texts
_FREE = 1 << 26
_TYPE_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
# tifffile multiplies these, and a number times several values is a list of that length.
_SIZES = {
    256: "ImageWidth", 257: "ImageLength", 277: "SamplesPerPixel", 278: "RowsPerStrip", 322: "TileWidth",
    323: "TileLength", 32997: "ImageDepth", 32998: "TileDepth",
}  # fmt: skip
_WHOLE = frozenset({1, 3, 4, 6, 8, 9, 16, 17})  # types of whole numbers, with and without sign
_MOST_PROMISED = 100_000  # planes that may lie in other files
_PARTS_OF_PAGE = 6  # of a description: where the page is and in which file, each with its end, and how it was taken
_OME_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^<>]*>")
_OME_SIZE = re.compile(r"\bSize([XYZCT])\s*=\s*[\"']\s*(\d{1,20})")
_GET_A_COPY = "get a fresh copy"


def check_directories(data: bytes | mmap.mmap) -> None:
    """Refuse a TIFF whose list of pages is longer, or names more, than a file of its size can mean.

    What is cut off or goes round is left to who reads it, sizes that are none are looked at last. Raises `ImageError`
    with the number and the limit.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    count_code, pointer_code, inline = ("Q", "Q", 8) if big else ("H", "I", 4)
    entry = struct.Struct(f"{order}HH{pointer_code}{inline}x")
    entries = Allowance(len(data) // entry.size, f"damaged TIFF: its directories overlap; {_GET_A_COPY}", ImageError)
    most = _SHARED * len(data) + _FREE
    message = f"damaged TIFF: its entries name more than {most:,} bytes of a file of {len(data):,}; {_GET_A_COPY}"
    values = Allowance(most, message, ImageError)
    seen: set[int] = set()
    sizes: set[tuple[int, int, int]] = set()
    offset = struct.unpack_from(order + pointer_code, data, inline if not big else 8)[0]
    while offset and offset not in seen:
        start = offset + struct.calcsize(count_code)
        count = struct.unpack_from(order + count_code, data, offset)[0] if start <= len(data) else len(data)
        end = start + count * entry.size
        if end + inline > len(data):
            break
        seen.add(offset)
        check_count(len(seen), MOST_PAGES, "got a TIFF of {} pages and more", "split it", ImageError)
        check_count(count, MOST_ENTRIES, "damaged TIFF: a page has {} entries", _GET_A_COPY, ImageError)
        entries.spend(count)
        for tag, kind, number in entry.iter_unpack(data[start:end]):
            if tag in _SIZES:
                sizes.add((tag, kind, number))
            size = _TYPE_SIZES[kind] * number if kind < len(_TYPE_SIZES) else 0
            if inline < size <= len(data):
                values.spend(size)
        offset = struct.unpack_from(order + pointer_code, data, end)[0]
    for each in sorted(sizes):
        check_entry(*each)


def check_entry(tag: int, kind: int, number: int) -> None:
    """Refuse a size, by its tag, that is not one whole number. Raises `ImageError` with what it is."""
    if tag in _SIZES and (kind not in _WHOLE or number != 1):
        got = f"{number:,} value{'s' if number != 1 else ''} of type {kind}"
        raise ImageError(f"damaged TIFF: its {_SIZES[tag]} is {got}, expected one whole number; {_GET_A_COPY}")


def check_promises(description: str, pages: int, max_pixels: int) -> None:
    """Refuse a TIFF whose description promises planes without number: a list is made of all that it names.

    Raises `ImageError` naming the planes, those that there are, and the limit; or the parts that it is made of.
    """
    what = "damaged TIFF: its description has {} parts"
    check_count(parts_of(description), max(MOST_PARTS, _PARTS_OF_PAGE * pages), what, _GET_A_COPY, ImageError)
    for pixels in _OME_PIXELS.findall(description):
        sizes = {axis: int(digits) for axis, digits in _OME_SIZE.findall(pixels)}
        promised = prod(sizes.get(axis, 1) for axis in "ZCT")
        what = f"damaged OME-TIFF: it describes {{}} planes and has {pages:,}"
        check_count(promised, max(_MOST_PROMISED, 4 * pages), what, _GET_A_COPY, ImageError)
        if "X" in sizes and "Y" in sizes:
            check_size(sizes["X"], sizes["Y"], max_pixels)
