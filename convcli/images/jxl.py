"""JPEG XL: bare or in boxes; libjxl decodes and encodes it, through imagecodecs. 8 and 16 bits, and floats.

That library's encoder calls deep pixels linear, and tells of no profile. So the code stream's own header is read, and
mended where one is written, by `convcli.images.jxl_header`; EXIF and XMP stand in boxes.

Source: ISO/IEC 18181-2, "JPEG XL image coding system: File format".
"""

import numpy as np

from convcli.errors import ImageError
from convcli.images import exif, xmp_orientation
from convcli.images.boxes import box, boxes_in
from convcli.images.depth import convert_depth, stretch, supported
from convcli.images.jxl_header import START, Header, read_header, with_srgb
from convcli.images.model import FIRST_ALONE, Decoded, Image, Metadata, Pixels, check_size
from convcli.images.pillow import divided

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
LINEAR = bytes((1, 8, 0, 1))  # as PNG's cICP says it
_KIND = box(b"ftyp", b"jxl ", bytes(4), b"jxl ")
_HEAD = 1 << 16  # bytes of a code stream in which its header ends
_MOST_UNPACKED = 1 << 24
_PACKED = b"brob"
_KNOWN = frozenset((b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp", b"jxli", b"jbrd", b"Exif", b"xml ", _PACKED, b"free"))
_MOST_BITS = 16  # of integers

# libjxl's distance 1 is where loss stops being visible; it calls that a quality of 90.
DEFAULT_QUALITY = 90


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a JPEG XL file, upright; of an animation the first frame, with a warning."""
    import imagecodecs

    boxes = [] if data.startswith(START) else list(boxes_in(data, "JXL"))
    header = read_header(_beginning(data, boxes))
    _check(header, max_pixels)
    stored = imagecodecs.jpegxl_decode(data, 0, numthreads=1)
    pixels, notes = _full_scale(stored.reshape(*stored.shape[:2], -1), header)
    if header.is_premultiplied:
        pixels = np.concatenate([divided(pixels[..., :-1], pixels[..., -1:]), pixels[..., -1:]], axis=-1)
    if header.is_animated:
        notes = (*notes, f"animated JPEG XL: {FIRST_ALONE}")
    metadata = _described(boxes, header)
    return Decoded(Image(np.ascontiguousarray(pixels), header.has_alpha, metadata, notes))


def encode(image: Image, *, quality: int | None = None, lossless: bool = True) -> bytes:
    """Encode pixels without loss, or at a quality whose meaning is libjxl's."""
    import imagecodecs

    pixels, metadata = image.pixels, image.metadata
    is_deep = pixels.itemsize > 1
    is_linear = (b"cICP", LINEAR) in metadata.png_colour
    if is_deep and not lossless and not is_linear:
        pixels = _linear(pixels, image.has_alpha)
    pixels = pixels if pixels.shape[2] > 1 else pixels[:, :, 0]
    how = {"lossless": True} if lossless else {"distance": _distance(DEFAULT_QUALITY if quality is None else quality)}
    data = bytes(imagecodecs.jpegxl_encode(pixels, numthreads=1, **how))
    boxes = [(b"jxlc", memoryview(data))] if data.startswith(START) else list(boxes_in(data, "JXL"))
    if is_deep and not is_linear:
        boxes = [(name, _called_srgb(content) if name == b"jxlc" else content) for name, content in boxes]
    block = exif.with_resolution(metadata.exif, metadata.dpi)
    if len(boxes) == 1 and not block and not metadata.xmp:
        return bytes(boxes[0][1])
    pieces = [SIGNATURE, _KIND, *(box(*each) for each in boxes if each[0] not in (b"JXL ", b"ftyp"))]
    pieces += [box(b"Exif", bytes(4), block)] if block else []
    pieces += [box(b"xml ", metadata.xmp)] if metadata.xmp else []
    return b"".join(pieces)


def _called_srgb(content: memoryview) -> memoryview:
    stream = bytes(content)
    return memoryview(with_srgb(stream, read_header(stream[:_HEAD])))


def _beginning(data: bytes, boxes: list[tuple[bytes, memoryview]]) -> bytes:
    """The first bytes of the code stream, which may be in several boxes."""
    if not boxes:
        return data[:_HEAD]
    pieces = (content[4 if name == b"jxlp" else 0 :][:_HEAD] for name, content in boxes if name in (b"jxlc", b"jxlp"))
    return b"".join(pieces)[:_HEAD]


def _check(header: Header, max_pixels: int) -> None:
    """Refuse what is too large, and pixels that are not brought to ours."""
    if header.has_black:
        raise ImageError("got a JXL of inks (CMYK), expected grey or RGB; convert it to PNG first")
    if not header.is_float and header.bits > _MOST_BITS:
        raise ImageError(f"got a JXL of {header.bits} bits, expected at most {_MOST_BITS}, or floats; convert it first")
    # The decoder's own samples are floats or as wide, once and once more in what it gives out.
    check_size(header.width, header.height, max_pixels, 12 * (header.channels + header.left_out))


def _full_scale(stored: Pixels, header: Header) -> tuple[Pixels, tuple[str, ...]]:
    left_out = stored.shape[2] - header.channels
    channels = stored[..., : header.channels]
    notes = (f"left out: {header.left_out} further channels",) if header.left_out or left_out else ()
    if header.is_float:
        return supported(np.ascontiguousarray(channels))[0], notes
    return stretch(np.ascontiguousarray(channels), (1 << header.bits) - 1), notes


def _described(boxes: list[tuple[bytes, memoryview]], header: Header) -> Metadata:
    found: dict[bytes, bytes | None] = {}
    for name, inside in boxes:
        packed = name == _PACKED
        kind = bytes(inside[:4]) if packed else name
        if kind in (b"Exif", b"xml ") and kind not in found:
            found[kind] = _unpacked(bytes(inside[4:])) if packed else bytes(inside)
    lost = [f"damaged {name.decode().strip()} box" for name, each in found.items() if each is None]
    lost += [f"box {name.decode('latin-1').strip()}" for name, _ in boxes if name not in _KNOWN]
    lost += ["colour profile"] if header.has_profile else ["colour encoding"] if header.colours is None else []
    content = found.get(b"Exif") or b""
    start = 4 + int.from_bytes(content[:4], "big")
    # Orientation is the code stream's, and done; what EXIF and XMP say of it is not asked.
    block = exif.upright(content[start:])[0] if content[start:] else None
    dpi, aspect = exif.resolution(block) if block else (None, None)
    packet = found.get(b"xml ")
    return Metadata(
        format="JXL",
        exif=block,
        xmp=xmp_orientation.upright(packet)[0] if packet else None,
        dpi=dpi,
        aspect=aspect,
        lossless=not header.is_lossy and all(name != b"jbrd" for name, _ in boxes),
        png_colour=((b"cICP", header.colours),) if header.colours else (),
        lost=tuple(dict.fromkeys(lost)),
    )


def _unpacked(content: bytes) -> bytes | None:
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(content, out=_MOST_UNPACKED))
    except RuntimeError:
        return None


def _distance(quality: int) -> float:
    """What libjxl makes of a quality, which it knows by this name in its own program."""
    if quality >= 30:
        return round(0.1 + (100 - quality) * 0.09, 4)
    return round(53 / 3000 * quality**2 - 23 / 20 * quality + 25, 4)


def _linear(pixels: Pixels, has_alpha: bool) -> Pixels:
    """Pixels as linear light, from sRGB, alpha as it is: of loss the encoder wants to know how bright things are."""
    count = pixels.shape[2] - has_alpha
    values = convert_depth(pixels[..., :count], np.float32)
    light = np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)
    if pixels.dtype.kind == "u":
        light = np.rint(light * np.iinfo(pixels.dtype).max)
    return np.concatenate([light.astype(pixels.dtype), pixels[..., count:]], axis=-1)
