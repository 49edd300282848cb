"""The pixels of a BMP file: indices, and words that masks take apart, with alpha where a mask of its own declares it.

Unpacked here from the header's own words: Pillow knows a few masks only and no alpha among 16 bits, and takes the rows
of a grey palette for bytes whatever their bits are. Runs of indices are undone by `bmp_runs`.

Source: Microsoft's documentation of BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER.
"""

import struct
from dataclasses import dataclass

import numpy as np

from convcli.errors import ImageError
from convcli.images.bmp_runs import without_runs
from convcli.images.depth import convert_depth, look_up, stretch
from convcli.images.model import Pixels, check_size

_FILE_HEADER, _CORE_HEADER, _INFO_HEADER, _V3_HEADER = 14, 12, 40, 56
_PLAIN, _MASKED, _MASKED_WITH_ALPHA = 0, 3, 6
_USUAL = {16: (0x7C00, 0x03E0, 0x001F, 0), 24: (0xFF0000, 0xFF00, 0xFF, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}
_LAST_BYTE = 0xFF000000


@dataclass(frozen=True)
class Header:
    """What the headers of a file say."""

    width: int
    height: int
    from_top: bool
    bits: int
    compression: int
    palette: Pixels  # (colours, 3), red first; none where pixels are no indices
    masks: tuple[int, int, int, int]  # of red, green, blue and alpha; 0 where there is none
    start: int  # where the pixels begin


def unpacked(data: bytes, max_pixels: int) -> tuple[Pixels, bool, tuple[str, ...]]:
    """(H, W, C) pixels, 16-bit where a mask is wider than 8, whether with alpha, and what was left out."""
    data = without_runs(data, max_pixels)
    header = read_header(data)
    check_size(header.width, header.height, max_pixels, 12)
    if header.bits > 8:
        return _from_words(_rows(data, header), header)
    indices = _indices(_rows(data, header), header)
    used = int(indices.max())
    if used >= len(header.palette):
        raise ImageError(f"damaged: it uses colour {used} of a palette of {len(header.palette)}; get a fresh copy")
    grey = bool((header.palette[:, :1] == header.palette[:, 1:]).all())
    return look_up(np.ascontiguousarray(header.palette[:, : 1 if grey else 3]), indices), False, ()


def read_header(data: bytes) -> Header:
    """Parse a file's headers and palette; raises `ImageError` for what no reader here knows."""
    start, size = struct.unpack_from("<II", data, 10)
    colours = 0
    compression = _PLAIN
    if size == _CORE_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif _INFO_HEADER <= size <= 1 << 10:
        width, height, _, bits, compression, _, _, _, colours = struct.unpack_from("<iiHHIIiiI", data, 18)
    else:
        raise ImageError(f"got a BMP header of {size} bytes, expected 12 or at least 40; convert it to PNG first")
    known = {_PLAIN: (1, 2, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), _MASKED: (16, 32), _MASKED_WITH_ALPHA: (16, 32)}
    if bits not in known.get(compression, ()):
        raise ImageError(f"got a BMP of {bits} bits and compression {compression}; convert it to PNG first")
    end = _FILE_HEADER + size
    masks = _USUAL.get(bits, (0, 0, 0, 0))
    if compression in (_MASKED, _MASKED_WITH_ALPHA):
        masks, end = _masks(data, size, compression)
    entry = 3 if size == _CORE_HEADER else 4
    count = 0 if bits > 8 else min(colours or 1 << bits, 1 << bits, max(len(data) - end, 0) // entry)
    if start > end:
        count = min(count, (start - end) // entry)
    stored = np.frombuffer(data, np.uint8, count * entry, end) if count else np.zeros(0, np.uint8)
    palette = np.ascontiguousarray(stored.reshape(-1, entry)[:, 2::-1])
    if start < end:  # some programs leave it out
        start = end + count * entry
    return Header(width, abs(height), height < 0, bits, compression, palette, masks, start)


def _masks(data: bytes, size: int, compression: int) -> tuple[tuple[int, int, int, int], int]:
    """The masks, and where they end: within a longer header, or behind one of 40 bytes."""
    with_alpha = size >= _V3_HEADER or compression == _MASKED_WITH_ALPHA
    count = 4 if with_alpha else 3
    place = _FILE_HEADER + _INFO_HEADER
    red, green, blue, *alpha = struct.unpack_from(f"<{count}I", data, place)
    masks = (red, green, blue, *(alpha or (0,)))
    if not any(masks):  # written so for blue, green, red and alpha
        masks = (*_USUAL[32][:3], _LAST_BYTE)
    return masks, max(_FILE_HEADER + size, place + 4 * count)


def _rows(data: bytes, header: Header) -> Pixels:
    """(H, bytes) of the rows, the first on top; bytes that fill the last stored row up may be missing."""
    used = -(-header.width * header.bits // 8)
    stride = -(-header.width * header.bits // 32) * 4
    missing = header.start + stride * (header.height - 1) + used - len(data)
    if missing > 0:
        raise ImageError(f"truncated BMP: {missing} bytes are missing at its end; get a fresh copy")
    body = memoryview(data)[header.start : header.start + stride * header.height]
    if len(body) < stride * header.height:
        body = memoryview(bytes(body).ljust(stride * header.height, b"\0"))
    rows = np.frombuffer(body, np.uint8).reshape(header.height, stride)
    return (rows if header.from_top else rows[::-1])[:, :used]


def _indices(rows: Pixels, header: Header) -> Pixels:
    if header.bits == 8:
        return np.ascontiguousarray(rows)
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    values = rows[:, :, np.newaxis] >> shifts & np.uint8((1 << header.bits) - 1)
    return np.ascontiguousarray(values.reshape(len(rows), -1)[:, : header.width])


def _from_words(rows: Pixels, header: Header) -> tuple[Pixels, bool, tuple[str, ...]]:
    if header.bits == 24:
        return np.ascontiguousarray(rows.reshape(header.height, header.width, 3)[:, :, ::-1]), False, ()
    words = np.ascontiguousarray(rows).view("<u2" if header.bits == 16 else "<u4")
    masks = header.masks if header.masks[3] else header.masks[:3]
    channels = [_channel(words, mask) for mask in masks]
    deepest = max((each.dtype for each in channels), key=lambda dtype: dtype.itemsize)
    pixels = np.stack([convert_depth(each, deepest) for each in channels], axis=-1)
    notes: tuple[str, ...] = ()
    if header.bits == 32 and not sum(header.masks) & _LAST_BYTE:
        rest = words >> 24
        if int(rest.max()) and int(rest.min()) < 255:
            notes = ("a fourth byte of the BMP's pixels that is not declared as alpha was left out",)
    return pixels, header.masks[3] != 0, notes


def _channel(words: Pixels, mask: int) -> Pixels:
    """The bits that a mask selects, brought to the full scale of 8 bits, or of 16 where they are more."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    white = mask >> shift
    if white & (white + 1) or white > 0xFFFF:
        raise ImageError(f"got a BMP with the mask {mask:#010x}, expected at most 16 bits in a row; convert it to PNG")
    values = (words >> np.array(shift, words.dtype)) & np.array(white, words.dtype)
    return stretch(values.astype(np.uint8 if white <= 255 else np.uint16), white)
