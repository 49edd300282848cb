"""TIFF: read and written through tifffile, which reports what a file says and leaves judging it to us.

Everything is turned into grey or RGB with straight alpha: palettes are looked up, white-is-zero is inverted,
premultiplied alpha divided out, odd bit depths stretched to full scale. What cannot be turned truthfully is refused.
Only the first picture is read here; pages as the planes of a volume are `convcli.images.volume_tiff`'s.
"""

import contextlib
import io
import math
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images import exif, exif_tiff, resolution, tiff_description, xmp_orientation
from convcli.images.depth import convert_depth, look_up, own_numbers, stretch, supported
from convcli.images.distances import imagej_distances
from convcli.images.model import Decoded, Description, Image, Metadata, Pixels, bytes_with_result, check_size
from convcli.images.native import native_messages
from convcli.images.resolution import Pair
from convcli.images.tiff_directories import check_directories
from convcli.images.tiff_pages import find_pages, has_copies, opened
from convcli.images.tiff_pieces import MOST_PIECES, check_pieces, check_tile
from convcli.images.volume_axes import TAKES_ALL

COMPRESSIONS = ("none", "lzw", "deflate", "packbits", "zstd")

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _INK, _YCBCR = range(7)
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _MASK: 1, _INK: 4, _YCBCR: 3}
_PREMULTIPLIED, _STRAIGHT = 1, 2
_SEPARATE = 2  # planar configuration
_YCBCR_COEFFICIENTS, _REFERENCE_BLACK_WHITE = 529, 532
_JPEG_KINDS = frozenset({6, 7, 34892, 33007})
_SPEAKING_KINDS = frozenset({22610, 34934})  # JPEG XR's library writes to standard error
COMPRESSION_NAMES = {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits", 50000: "zstd"}
TIFFFILE_NAMES = {"none": None, "lzw": "lzw", "deflate": "zlib", "packbits": "packbits", "zstd": "zstd"}
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _UNIT, _XMP = 274, 282, 283, 296, 700
_ROWS = 256


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first picture of a TIFF file, its transparency mask as alpha."""
    import tifffile

    check_directories(data)
    found, notes = find_pages(data)
    first = found[0]
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = opened(file, first.offset)
        check_page(page, len(data), max_pixels)
        metadata, orientation = describe_page(page, data)
        if first.parent is not None:  # what a thumbnail's page says about the picture, its sub-page need not repeat
            metadata, orientation = _completed(metadata, orientation, *describe_page(opened(file, first.parent), data))
        pixels, has_alpha, more = page_pixels(page, metadata.icc)
        if int(page.photometric) == _INK:
            metadata = replace(metadata, icc=None)  # the profile spoke of inks
        if first.mask is not None:
            mask = opened(file, first.mask.offset)
            check_page(mask, len(data), max_pixels)
            pixels, has_alpha, more = _masked(pixels, has_alpha, more, mask)
    notes += more
    numbers = None if first.mask is not None else numbers_of(page)
    if has_copies(data) and not first.is_copy:
        metadata = replace(metadata, lost=(*metadata.lost, "smaller copies of the picture"))
    if len(found) > 1:
        notes = (f"multi-page TIFF: only the first of {len(found)} pages was read; {TAKES_ALL}", *notes)
    return Decoded(Image(np.ascontiguousarray(pixels), has_alpha, metadata, notes, numbers=numbers), orientation or 1)


def encode(image: Image, *, compression: str | None = None) -> bytes:
    """Encode pixels, always losslessly: as ``compression`` says, else as the input TIFF was, else deflate."""
    import tifffile

    metadata, pixels = image.metadata, image.pixels
    chosen = compression or metadata.tiff_compression or "deflate"
    colour = pixels.shape[2] >= 3
    options: dict[str, Any] = {
        "photometric": "rgb" if colour else "minisblack",
        "compression": TIFFFILE_NAMES[chosen],
        "predictor": takes_differences(chosen, pixels.dtype),
        # zlib levels on a 24 MP photograph: 1 0.45 s 37 MB, 3 1.0 s 35 MB, 6 1.3 s 35 MB.
        "compressionargs": {"level": 1} if chosen == "deflate" else None,
        "metadata": None,
        "software": None if pixels.dtype.kind == "b" and not metadata.exif else False,  # see `numbers_of`
    }
    if image.has_alpha:
        options["extrasamples"] = ["unassalpha"]
    if metadata.dpi or metadata.aspect:
        options |= {"resolution": metadata.dpi or metadata.aspect, "resolutionunit": 2 if metadata.dpi else 1}
    if metadata.icc:
        options["iccprofile"] = metadata.icc
    if metadata.xmp:
        options["extratags"] = [(_XMP, 1, len(metadata.xmp), metadata.xmp, True)]
    options |= _description(metadata, colour or image.has_alpha)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels if pixels.shape[2] > 1 else pixels[:, :, 0], byteorder="<", **options)
    encoded = stream.getvalue()
    tags = exif_tiff.tags_of(metadata.own, metadata.photoshop)
    return exif_tiff.attach(encoded, metadata.exif, tags) if metadata.exif or tags else encoded


def takes_differences(compression: str, dtype: np.dtype[Any]) -> bool:
    """Whether neighbours' differences are compressed instead of the numbers: not of bits and integers of 64 bits."""
    return compression in ("lzw", "deflate", "zstd") and dtype.kind != "b" and dtype not in (np.int64, np.uint64)


def speaking_ome(metadata: Metadata) -> Metadata:
    """The metadata in OME's words: what ImageJ says of pixels' sizes, and texts as OME's description."""
    told, notes = metadata.description, {}
    if told is not None and told.style == "ome":
        return metadata
    block, texts = metadata.exif, _description(replace(metadata, description=None), False).get("description", b"")
    if told is not None:
        notes, texts = imagej_distances(told.notes, metadata.aspect), b""
    elif block and (text := exif.description(block)):
        block, texts = exif.without_description(block), text.encode()
    notes |= {"Description": texts.decode("utf-8", "replace")} if texts else {}
    return replace(metadata, description=Description("ome", notes), exif=block, texts=())


def _description(metadata: Metadata, has_samples: bool) -> dict[str, Any]:
    """What a TIFF's description says: OME's or ImageJ's notes, or the comments of other formats."""
    told = metadata.description
    if told is not None and told.style == "ome":
        return {"ome": True, "metadata": {"axes": "YXS" if has_samples else "YX", **told.notes}}
    if told is not None:
        return {"description": tiff_description.imagej_text(told.notes)}
    if not metadata.texts or (metadata.exif and exif.description(metadata.exif)):
        return {}
    lines = [
        text if keyword in ("Comment", "Description") else f"{keyword}: {text}" for keyword, text in metadata.texts
    ]
    return {"description": "\n".join(lines).encode("utf-8", "replace")}


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
    if colours is None or (int(page.photometric) == _YCBCR and page.bitspersample != 8):
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


def numbers_of(page: Any) -> np.dtype[Any] | None:
    """The type that results of a page get back, as `own_numbers`; None where its numbers are no values.

    Single bits are black and white, whose mixture is grey; but what tifffile wrote were truth values.
    """
    is_plain = int(page.photometric) in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    if not is_plain or page.dtype is None or (page.dtype.kind == "b" and not _is_array(page)):
        return None
    return own_numbers(page.dtype)


def _is_array(page: Any) -> bool:
    return str(page.parent.pages.first.software).startswith("tifffile")


def page_pixels(page: Any, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Decode a page that `check_page` has passed: grey or RGB (H, W, C), whether with alpha, and what was lost."""
    aside: contextlib.AbstractContextManager[list[str]] = contextlib.nullcontext([])
    if int(page.compression) in _SPEAKING_KINDS:
        aside = native_messages()
    try:
        with aside as said:
            stored = page.asarray()
    except (ValueError, RuntimeError) as error:
        return _read_again(page, error, icc)
    samples = int(page.samplesperpixel)
    if int(page.planarconfig) == _SEPARATE and samples > 1:
        stored = np.moveaxis(stored, 0, -1)
    stored = stored.reshape(page.imagelength, page.imagewidth, samples)
    pixels, has_alpha, notes = _interpret(page, stored, icc)
    return pixels, has_alpha, (*notes, *(f"JPEG XR: {each}" for each in said[:1]))


def _read_again(page: Any, error: Exception, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """The page as the second reader tells it, which has made grey and RGB of it already."""
    from convcli.images.tiff_second import second_reading

    pixels = second_reading(page, error)
    if int(page.photometric) == _PALETTE:
        return _look_up(page.colormap, pixels[:, :, 0]), False, ()
    if int(page.photometric) == _INK:
        return _from_ink(page, pixels, icc)
    return pixels, pixels.shape[2] == 4, ()


def _masked(pixels: Pixels, has_alpha: bool, notes: tuple[str, ...], mask: Any) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Pixels with what a mask says is seen as their alpha; a mask that does not fit is left out with a word."""
    seen = page_pixels(mask, None)[0]
    if has_alpha or seen.shape[:2] != pixels.shape[:2] or seen.shape[2] != 1:
        size = f"{seen.shape[1]}x{seen.shape[0]}"
        reason = "there is alpha already" if has_alpha else f"it is of {size} pixels"
        return pixels, has_alpha, (*notes, f"the TIFF's transparency mask was left out: {reason}")
    return np.concatenate([pixels, convert_depth(seen, pixels.dtype)], axis=2), True, notes


def _interpret(page: Any, stored: Pixels, icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Turn stored samples into grey or RGB with straight alpha."""
    kind = int(page.photometric)
    notes: tuple[str, ...] = ()
    colours = _COLOURS[kind]
    extra = tuple(int(each) for each in page.extrasamples)[:1] if stored.shape[2] > colours else ()
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if kind == _PALETTE:
        return _from_palette(page, stored, bits, extra)
    if kind == _YCBCR and (int(page.compression) not in _JPEG_KINDS or int(page.planarconfig) == _SEPARATE):
        stored = _from_ycbcr(page, stored)  # of JPEG's interleaved kind tifffile makes RGB itself
    has_bits = stored.dtype.kind == "b"
    if has_bits:
        stored = stored.astype(np.uint8)
    if stored.dtype.kind == "u" and bits <= 16:
        pixels: Pixels = stretch(stored, (1 << bits) - 1)
    else:
        pixels, notes = supported(stored)
    if kind == _INK:
        return _from_ink(page, pixels, icc)
    has_alpha = extra in ((_PREMULTIPLIED,), (_STRAIGHT,))
    if stored.shape[2] > colours and not has_alpha:
        pixels, notes = pixels[:, :, :colours], (*notes, *_left_out(1))
    if extra == (_PREMULTIPLIED,):
        pixels = _straighten(pixels)
    # After the division by alpha, which is of the numbers as they are stored.
    if kind == _WHITE_IS_ZERO and not (has_bits and _is_array(page)):
        pixels = pixels.copy()
        pixels[:, :, :1] = _invert(pixels[:, :, :1], stored.dtype)
    return pixels, has_alpha, notes


def _left_out(count: int) -> tuple[str, ...]:
    return ("a TIFF channel that is not declared as alpha was left out",) if count else ()


def _invert(grey: Pixels, stored: np.dtype[Any]) -> Pixels:
    if stored.kind == "i" or grey.dtype.kind != stored.kind:
        raise ImageError("got a TIFF with white as zero and values of no fixed scale, expected black as zero")
    return np.iinfo(grey.dtype).max - grey if grey.dtype.kind == "u" else 1 - grey


def _from_palette(page: Any, stored: Pixels, bits: int, extra: tuple[int, ...]) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Colours looked up, with alpha where it is declared: beside indices nothing can be premultiplied."""
    colours = _look_up(page.colormap, stored[:, :, 0])
    if extra not in ((_PREMULTIPLIED,), (_STRAIGHT,)):
        return colours, False, _left_out(stored.shape[2] - 1)
    alpha = convert_depth(stretch(stored[:, :, 1:], (1 << bits) - 1), colours.dtype)
    return np.concatenate([colours, alpha], axis=2), True, ()


def _from_ycbcr(page: Any, stored: Pixels) -> Pixels:
    """RGB of (H, W, 3 or 4) Y, Cb, Cr and what stands beside them. Source: TIFF 6.0, section 21."""
    red, green, blue = _fractions(page, _YCBCR_COEFFICIENTS, (0.299, 0.587, 0.114))
    levels = _fractions(page, _REFERENCE_BLACK_WHITE, (0, 255, 128, 255, 128, 255))
    result = stored.copy()
    for start in range(0, len(stored), _ROWS):
        block = stored[start : start + _ROWS, :, :3].astype(np.float64)
        for channel, full in enumerate((255, 127, 127)):
            black, white = levels[2 * channel : 2 * channel + 2]
            block[:, :, channel] = (block[:, :, channel] - black) * (full / (white - black))
        y, cb, cr = (block[:, :, channel].copy() for channel in range(3))
        block[:, :, 0] = y + cr * (2 - 2 * red)
        block[:, :, 2] = y + cb * (2 - 2 * blue)
        block[:, :, 1] = (y - red * block[:, :, 0] - blue * block[:, :, 2]) / green
        result[start : start + _ROWS, :, :3] = np.rint(np.clip(block, 0, 255))
    return result


def _fractions(page: Any, tag: int, usual: tuple[float, ...]) -> tuple[float, ...]:
    """The values of a tag of as many fractions as are usual, or the usual ones."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2 * len(usual) or not all(value[1::2]):
        return usual
    return tuple(above / below for above, below in zip(value[::2], value[1::2], strict=True))


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


def describe_page(page: Any, data: bytes) -> tuple[Metadata, int | None]:
    """What the tags of a page say besides pixels, and its orientation if they say that."""
    tags = page.tags
    block = exif_tiff.from_tiff(data, int(page.offset))
    own, lost, resources = exif_tiff.other_tags(data, int(page.offset))
    packet = tags.valueof(_XMP)
    text, _ = xmp_orientation.upright(packet) if isinstance(packet, bytes) and packet else (None, None)
    dpi, aspect = resolution_of(tags)
    metadata = Metadata(
        format="TIFF",
        icc=exif_tiff.profile_of(data, int(page.offset)),
        exif=exif.upright(block)[0] if block else None,
        xmp=text,
        dpi=dpi,
        aspect=aspect,
        photoshop=resources,
        tiff_compression=COMPRESSION_NAMES.get(int(page.compression)),
        own=own,
        lost=lost,
    )
    return metadata, page_orientation(page)


def page_orientation(page: Any) -> int | None:
    """What a page says, 1 to 8, or None. A TIFF's own tag is EXIF's, and wins over XMP as `exif.upright` explains."""
    turned, packet = page.tags.valueof(_ORIENTATION), page.tags.valueof(_XMP)
    if turned in range(1, 9):
        return int(turned)
    return xmp_orientation.upright(packet)[1] if isinstance(packet, bytes) else None


def _completed(
    own: Metadata, orientation: int | None, parents: Metadata, parents_orientation: int | None
) -> tuple[Metadata, int | None]:
    """A sub-page's metadata and orientation with those of its main page where it has none."""
    kept = {name: getattr(own, name) or getattr(parents, name) for name in ("icc", "exif", "xmp", "photoshop")}
    return replace(own, **kept), orientation or parents_orientation


def resolution_of(tags: Any) -> tuple[Pair | None, Pair | None]:
    """Pixels per inch, or in a length that is not told, along x and y."""
    unit = tags.valueof(_UNIT, 2)
    values = [tags.valueof(tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    if unit not in exif.UNITS:
        return None, None
    x, y = (
        value[0] / value[1] if isinstance(value, tuple) and len(value) == 2 and value[1] else value for value in values
    )
    return resolution.told(x, y, exif.UNITS[unit])
