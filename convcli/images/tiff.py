"""TIFF: read and written through tifffile, which reports what a file says and leaves judging it to us.

Everything is turned into grey or RGB with straight alpha: palettes are looked up, white-is-zero is inverted,
premultiplied alpha divided out, odd bit depths stretched to full scale. What cannot be turned truthfully is refused.
Only the first page is read here; pages as the planes of a volume are `convcli.images.volume_tiff`'s.
"""

import io
import math
import mmap
import struct
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images import exif, exif_tiff
from convcli.images.depth import look_up, stretch, supported
from convcli.images.model import Decoded, Image, Metadata, Pixels, bytes_with_result, check_size
from convcli.images.tiff_directories import check_directories
from convcli.images.tiff_pieces import MOST_PIECES, check_pieces, check_tile

COMPRESSIONS = ("none", "lzw", "deflate", "packbits", "zstd")

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _INK, _YCBCR = range(7)
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _MASK: 1, _INK: 4, _YCBCR: 3}
_PREMULTIPLIED, _STRAIGHT = 1, 2
_JPEG_KINDS = frozenset({6, 7, 34892, 33007})
COMPRESSION_NAMES = {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits", 50000: "zstd"}
TIFFFILE_NAMES = {"none": None, "lzw": "lzw", "deflate": "zlib", "packbits": "packbits", "zstd": "zstd"}
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _XMP, _ICC = 274, 282, 283, 296, 700, 34675
_SUBFILE_TYPE, _LONG = 254, 4
_SMALLER_COPY = 1  # bit of a page's subfile type
_ROWS = 256


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first full-size page of a TIFF file."""
    import tifffile

    check_directories(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        kinds = page_kinds(data)
        pages = [index for index, kind in enumerate(kinds) if not kind & _SMALLER_COPY] or [0]
        page = file.pages[pages[0]].aspage()
        check_page(page, len(data), max_pixels)
        metadata = _describe(page, data)
        pixels, has_alpha, notes = page_pixels(page, metadata.icc)
        if int(page.photometric) == _INK:
            metadata = replace(metadata, icc=None)  # the profile spoke of inks
        orientation = page.tags.valueof(_ORIENTATION, 1)
    if len(pages) > 1:
        notes = (f"multi-page TIFF: only the first of {len(pages)} pages was read; --axes zyx takes all", *notes)
    orientation = int(orientation) if orientation in range(1, 9) else 1
    return Decoded(Image(np.ascontiguousarray(pixels), has_alpha, metadata, notes), orientation)


def encode(image: Image, *, compression: str | None = None) -> bytes:
    """Encode pixels, always losslessly: as ``compression`` says, else as the input TIFF was, else deflate."""
    import tifffile

    metadata, pixels = image.metadata, image.pixels
    chosen = compression or metadata.tiff_compression or "deflate"
    colour = pixels.shape[2] >= 3
    options: dict[str, Any] = {
        "photometric": "rgb" if colour else "minisblack",
        "compression": TIFFFILE_NAMES[chosen],
        "predictor": chosen in ("lzw", "deflate", "zstd"),
        # zlib levels on a 24 MP photograph: 1 0.45 s 37 MB, 3 1.0 s 35 MB, 6 1.3 s 35 MB.
        "compressionargs": {"level": 1} if chosen == "deflate" else None,
        "metadata": None,
        "software": False,
    }
    if image.has_alpha:
        options["extrasamples"] = ["unassalpha"]
    if metadata.dpi:
        options |= {"resolution": metadata.dpi, "resolutionunit": "inch"}
    if metadata.icc:
        options["iccprofile"] = metadata.icc
    if metadata.xmp:
        options["extratags"] = [(_XMP, 1, len(metadata.xmp), metadata.xmp, True)]
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels if pixels.shape[2] > 1 else pixels[:, :, 0], byteorder="<", **options)
    encoded = stream.getvalue()
    return exif_tiff.attach(encoded, metadata.exif) if metadata.exif else encoded


def page_kinds(data: bytes | mmap.mmap) -> list[int]:
    """The subfile type of every page. Walked here, because tifffile follows directories that go round for ever."""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    count_code, pointer_code, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    seen: dict[int, int] = {}
    offset = struct.unpack_from(order + pointer_code, data, 8 if big else 4)[0]
    while offset:
        if offset in seen:
            raise ImageError("damaged TIFF: its list of pages goes round in a circle; get a fresh copy")
        start = offset + struct.calcsize(count_code)
        count = struct.unpack_from(order + count_code, data, offset)[0] if start <= len(data) else 0
        end = start + count * entry_size
        if end + struct.calcsize(pointer_code) > len(data):
            raise ImageError(f"truncated TIFF: it has {len(data)} bytes, expected more than {end}; get a fresh copy")
        seen[offset] = 0
        for position in range(start, end, entry_size):
            tag, kind = struct.unpack_from(order + "HH", data, position)
            if tag == _SUBFILE_TYPE and kind == _LONG:
                seen[offset] = struct.unpack_from(order + "I", data, position + entry_size - (8 if big else 4))[0]
                break
        offset = struct.unpack_from(order + pointer_code, data, end)[0]
    if not seen:
        raise ImageError("damaged TIFF: it holds no page; get a fresh copy")
    return list(seen.values())


def check_page(page: Any, available: int, max_pixels: int) -> None:
    """Refuse what would be decoded wrongly, partly, or into more memory than allowed."""
    sample = page.dtype.itemsize if page.dtype is not None else 1
    has_alpha = page.samplesperpixel in (2, 4) and bool(page.extrasamples)
    pixel = bytes_with_result(page.samplesperpixel, sample, has_alpha)
    check_size(page.imagewidth, page.imagelength, max_pixels, pixel)
    if page.imagedepth != 1:
        raise ImageError(f"got a TIFF volume of depth {page.imagedepth}, expected a flat picture")
    if page.is_tiled and page.tilewidth * page.tilelength > max(max_pixels, 1 << 16):
        raise ImageError(f"damaged TIFF: got tiles of {page.tilewidth}x{page.tilelength}; get a fresh copy")
    if page.is_tiled:
        check_tile(page)
    colours = _COLOURS.get(int(page.photometric))
    if colours is None or (int(page.photometric) == _YCBCR and int(page.compression) not in _JPEG_KINDS):
        name = getattr(page.photometric, "name", str(page.photometric))
        raise ImageError(f"got a TIFF of {name} colours, expected grey, RGB, palette or CMYK; convert it to RGB first")
    extra = page.samplesperpixel - colours
    if extra < 0 or extra > 1:
        raise ImageError(
            f"got a TIFF of {page.samplesperpixel} channels, expected {colours} or, with alpha, {colours + 1}; "
            "split it, or save it as .npy"
        )
    if page.dtype is None:
        raise ImageError(
            f"got a TIFF of {page.bitspersample} bits and sample format {page.sampleformat}, "
            "expected integers or floats"
        )
    count = math.prod(page.chunked)
    check_count(count, MOST_PIECES, "got a TIFF of {} strips or tiles", "save it with larger ones", ImageError)
    offsets, sizes = page.dataoffsets, page.databytecounts
    if len(offsets) < count or len(sizes) < count:
        raise ImageError(f"damaged TIFF: it lists {min(len(offsets), len(sizes))} of {count} pieces; get a fresh copy")
    for offset, size in zip(offsets[:count], sizes[:count], strict=True):
        if not offset or not size:
            raise ImageError("incomplete TIFF: a piece of the picture was never written; get a fresh copy")
        if offset + size > available:
            raise ImageError(f"truncated TIFF: it has {available} bytes, expected {offset + size}; get a fresh copy")
    check_pieces(page, max_pixels)


def page_pixels(page: Any, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Decode a page that `check_page` has passed: grey or RGB (H, W, C), whether with alpha, and what was lost."""
    stored = page.asarray()
    samples = int(page.samplesperpixel)
    if int(page.planarconfig) == 2 and samples > 1:
        stored = np.moveaxis(stored, 0, -1)
    stored = stored.reshape(page.imagelength, page.imagewidth, samples)
    return _interpret(page, stored, icc)


def _interpret(page: Any, stored: Pixels, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Turn stored samples into grey or RGB with straight alpha."""
    kind = int(page.photometric)
    notes: tuple[str, ...] = ()
    colours = _COLOURS[kind]
    extra = tuple(int(each) for each in page.extrasamples)[:1] if stored.shape[2] > colours else ()
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if kind == _PALETTE:
        return _look_up(page.colormap, stored[:, :, 0]), False, _left_out(stored.shape[2] - 1)
    if stored.dtype.kind == "b":
        stored = stored.astype(np.uint8)
    if stored.dtype.kind == "u" and bits <= 16:
        pixels: Pixels = stretch(stored, (1 << bits) - 1)
    else:
        pixels, notes = supported(stored)
    if kind == _INK:
        return _from_ink(page, pixels, icc)
    if kind == _WHITE_IS_ZERO:
        pixels = pixels.copy()
        pixels[:, :, :1] = _invert(pixels[:, :, :1], notes)
    if (not extra and stored.shape[2] > colours) or (extra and extra[0] not in (_PREMULTIPLIED, _STRAIGHT)):
        return pixels[:, :, :colours], False, (*notes, *_left_out(1))
    if extra and extra[0] == _PREMULTIPLIED:
        pixels = _straighten(pixels)
    return pixels, bool(extra), notes


def _left_out(count: int) -> tuple[str, ...]:
    return ("a TIFF channel that is not declared as alpha was left out",) if count else ()


def _invert(grey: Pixels, notes: tuple[str, ...]) -> Pixels:
    if notes:
        raise ImageError("got a TIFF with white as zero and values of no fixed scale, expected black as zero")
    return np.iinfo(grey.dtype).max - grey if grey.dtype.kind == "u" else 1 - grey


def _look_up(colormap: Pixels | None, indices: Pixels) -> Pixels:
    if colormap is None or indices.dtype.kind not in "bu":
        raise ImageError("damaged TIFF: a palette picture without its palette; get a fresh copy")
    table = np.ascontiguousarray(colormap.reshape(3, -1).T)
    low, high = table & 0xFF, table >> 8
    if int(table.max()) < 256:  # written by programs that took the 16-bit palette for an 8-bit one
        table = low.astype(np.uint8)
    elif (low == high).all() or not low.any():
        table = high.astype(np.uint8)
    if int(indices.max()) >= len(table):
        raise ImageError(f"damaged TIFF: it uses colour {int(indices.max())} of a palette of {len(table)}")
    return look_up(table, indices.astype(np.uint8) if indices.dtype.kind == "b" else indices)


def _from_ink(page: Any, pixels: Pixels, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    from convcli.images.cmyk import to_rgb

    if pixels.dtype != np.uint8 or pixels.shape[2] != 4 or page.tags.valueof(332, 1) != 1:
        raise ImageError(
            f"got a TIFF of {pixels.shape[2]} inks in {pixels.dtype}, expected CMYK in uint8 without alpha; "
            "convert it to RGB first"
        )
    rgb, notes = to_rgb(np.ascontiguousarray(pixels), icc)
    return rgb, False, notes


def _straighten(pixels: Pixels) -> Pixels:
    """Divide premultiplied colours by their alpha, rounding to nearest; where alpha is 0 there is no colour."""
    result = np.empty_like(pixels)
    white = int(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1
    for start in range(0, len(pixels), _ROWS):
        block = pixels[start : start + _ROWS].astype(np.float64)
        alpha = block[:, :, -1:]
        block[:, :, :-1] = np.divide(
            block[:, :, :-1] * white, alpha, out=np.zeros_like(block[:, :, :-1]), where=alpha > 0
        )
        if pixels.dtype.kind == "u":
            block = np.rint(np.minimum(block, white))
        result[start : start + _ROWS] = block
    return result


def _describe(page: Any, data: bytes) -> Metadata:
    tags = page.tags
    block = exif_tiff.from_tiff(data, int(page.offset))
    profile, packet = tags.valueof(_ICC), tags.valueof(_XMP)
    icc = bytes(profile) if profile else None
    xmp = packet if isinstance(packet, bytes) else None
    return Metadata(
        format="TIFF",
        icc=icc,
        exif=exif.upright(block)[0] if block else None,
        xmp=exif.upright_xmp(xmp) if xmp else None,
        dpi=_resolution(tags),
        tiff_compression=COMPRESSION_NAMES.get(int(page.compression)),
    )


def _resolution(tags: Any) -> tuple[float, float] | None:
    unit = int(tags.valueof(_UNIT, 2))
    values = []
    for tag in (_X_RESOLUTION, _Y_RESOLUTION):
        value = tags.valueof(tag)
        if unit not in (2, 3) or not isinstance(value, tuple) or len(value) != 2 or not all(value):
            return None
        values.append(value[0] / value[1] * (2.54 if unit == 3 else 1.0))
    return values[0], values[1]
