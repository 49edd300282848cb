"""AVIF: the boxes around AV1 are read here, its pixels by libavif through imagecodecs. 8, 10 and 12 bits.

Source: Alliance for Open Media, "AV1 Image File Format", version 1.1; AV1 bitstream specification, section 5.5.
"""

import numpy as np

from convcli.images import exif, resolution, xmp_orientation
from convcli.images.av1_header import size_in
from convcli.images.bmff import Picture, read_picture
from convcli.images.bmff_writing import with_more
from convcli.images.depth import stretch
from convcli.images.model import FIRST_ALONE, Decoded, Image, Metadata, Pixels, bytes_with_result, check_size

# As in WebP: where loss stops being visible on photographs.
DEFAULT_QUALITY = 90
# Of 10: on a photograph 2% more bytes than 6, in a third of its time. What imagecodecs takes by itself is 0: minutes.
_SPEED = 8
_DEEPEST = 12  # bits
_STILL = b"avif"  # main brand
_UNSPECIFIED = 2
_SRGB = (1, 13)  # primaries and transfer function
_PIXEL_BYTES = 4 * 2 + bytes_with_result(4, 2)  # of the decoder, and ours
_DEPTHS = {0: 8, 0x40: 10, 0x60: 12}  # by two flags


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode an AVIF file to grey or RGB, with or without alpha; of a sequence the first, with a warning."""
    import imagecodecs

    picture = read_picture(data, "AVIF")
    check_size(picture.width, picture.height, max_pixels, _PIXEL_BYTES)
    for beginning in picture.beginnings(b"av01"):
        width, height = size_in(beginning)
        if width * height > picture.width * picture.height:
            check_size(width, height, max_pixels, _PIXEL_BYTES)
    # Of a sequence, by its main brand, libavif would decode all frames, and imagecodecs write them beyond one's memory.
    still = data if data[8:12] == _STILL else b"".join((data[:8], _STILL, data[12:]))
    stored: Pixels = imagecodecs.avif_decode(still)
    stored = stored.reshape(*stored.shape[:2], -1)
    top, left, bottom, right = picture.window
    bits = depth_of(picture)
    pixels = stretch(np.ascontiguousarray(stored[top:bottom, left:right]), (1 << bits) - 1)
    notes = (f"animated AVIF: {FIRST_ALONE}",) if b"avis" in picture.brands else ()
    return Decoded(
        Image(pixels, pixels.shape[2] in (2, 4), described(picture, "AVIF", bits), notes), picture.orientation
    )


def encode(image: Image, *, quality: int | None = None, lossless: bool = False) -> bytes:
    """Encode 8 bits as such, and 16 as the input's 10, else as 12: at a quality, without loss at 100."""
    import imagecodecs

    pixels, metadata = image.pixels, image.metadata
    bits = 8
    if pixels.dtype == np.uint16:
        bits = metadata.bits if metadata.bits in (10, 12) else _DEEPEST
        white = (1 << bits) - 1
        pixels = ((pixels.astype(np.uint32) * white + 32767) // 65535).astype(np.uint16)
    said = next((content for kind, content in metadata.png_colour if kind == b"cICP"), bytes(_SRGB))
    primaries, transfer = (_UNSPECIFIED, _UNSPECIFIED) if metadata.icc else (said[0], said[1])
    level = 100 if lossless else DEFAULT_QUALITY if quality is None else quality
    data = imagecodecs.avif_encode(
        pixels if pixels.shape[2] > 1 else pixels[:, :, 0],
        level,
        speed=_SPEED,
        bitspersample=bits,
        primaries=primaries,
        transfer=transfer,
    )
    block = exif.with_resolution(metadata.exif, metadata.dpi)
    return with_more(bytes(data), exif=block, xmp=metadata.xmp, icc=metadata.icc)


def depth_of(picture: Picture) -> int:
    """Bits of a sample."""
    said = picture.first(b"av1C")
    if len(said) >= 3:
        return _DEPTHS.get(said[2] & 0x60, 8)
    depths = picture.first(b"pixi")[5:]  # of a picture that is put together from several
    return max(depths) if depths else 8


def described(picture: Picture, format: str, bits: int) -> Metadata:
    """What the boxes say besides pixels; how the picture is turned they say by themselves, whatever EXIF says."""
    block = exif.upright(picture.exif)[0] if picture.exif else None
    dpi, aspect = exif.resolution(block) if block else (None, None)
    ratio = picture.first(b"pasp")
    if len(ratio) >= 8 and not dpi:
        across, down = int.from_bytes(ratio[:4], "big"), int.from_bytes(ratio[4:8], "big")
        aspect = resolution.told(down, across, None)[1]
    colours = picture.colours
    is_said = bool(colours) and picture.icc is None and colours[:2] not in (bytes(_SRGB), b"\2\2", b"\1\2", b"\2\r")
    return Metadata(
        format=format,
        icc=picture.icc,
        exif=block,
        xmp=xmp_orientation.upright(picture.xmp)[0] if picture.xmp else None,
        dpi=dpi,
        aspect=aspect,
        bits=bits if bits > 8 else None,
        png_colour=((b"cICP", colours),) if is_said else (),
    )
