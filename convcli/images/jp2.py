"""JPEG 2000: the boxes of a JP2 file, or a bare code stream. OpenJPEG decodes the latter, through imagecodecs.

The code stream alone is given to the decoder; what the boxes around it say of its components (palette, alpha, colours)
is done here. 1 to 16 bits are brought to the full scale of 8 or 16.

Source: ISO/IEC 15444-1, "JPEG 2000 image coding system: Core coding system", annex I; for EXIF and XMP the identifiers
that Adobe's XMP specification, part 3, and JPEG's "JpgTiffExif" name.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from operator import itemgetter

from convcli.budget import check_memory
from convcli.errors import ImageError
from convcli.images import exif, resolution, xmp_orientation
from convcli.images.boxes import box, boxes_in
from convcli.images.jp2_codestream import START, Stream, read_stream
from convcli.images.jp2_colours import GREY, SRGB, full_scale, in_colours
from convcli.images.model import Decoded, Image, Metadata, bytes_with_result, check_size

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_EXIF_ID, _XMP_ID = b"JpgTiffExif->JP2", bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BY_NUMBER, _BY_PROFILE = 1, (2, 3)  # how colours are told
_OPACITY = 1
_KNOWN = frozenset((b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"rreq", b"free"))
_GEO_ID, _IPTC_ID = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"), bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_NAMES = {_GEO_ID: "GeoJP2", _IPTC_ID: "IPTC"}
_MOST_BITS = 16
_MOST_RESOLUTION = 65535

# As in WebP; the decibels that belong to it are above those where photographs visibly change.
DEFAULT_QUALITY = 90


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode a JP2 file or a code stream to grey or RGB, with alpha where it is named."""
    import imagecodecs

    outer = [(b"jp2c", memoryview(data))] if data.startswith(START) else list(boxes_in(data, "JP2"))
    content = next((each for name, each in outer if name == b"jp2c"), None)
    if content is None or bytes(content[:4]) != START:
        raise ImageError("damaged JP2: it holds no picture; get a fresh copy")
    said = next((list(boxes_in(each, "JP2")) for name, each in outer if name == b"jp2h"), [])
    header = {name: bytes(each) for name, each in reversed(said)}  # the first of each kind
    stream = read_stream(content)
    _check(stream, max_pixels, 4 if b"pclr" in header else len(stream.bits))
    samples = imagecodecs.jpeg2k_decode(bytes(content)).reshape(stream.height, stream.width, -1)
    channels = full_scale(samples, stream, header)
    metadata, orientation = _described(outer, header, stream)
    pixels, has_alpha, notes = in_colours(channels, header, metadata.icc)
    return Decoded(Image(pixels, has_alpha, metadata, notes), orientation)


def encode(image: Image, *, quality: int | None = None, lossless: bool = True) -> bytes:
    """Encode 8- or 16-bit pixels: without loss, or with what is left of a ratio of signal to noise."""
    import imagecodecs

    level = 0 if lossless else _decibels(quality)
    height, width, channels = image.pixels.shape
    pixels = image.pixels if channels > 1 else image.pixels[:, :, 0]
    stream = bytes(imagecodecs.jpeg2k_encode(pixels, level, codecformat="J2K", mct=channels >= 3, reversible=lossless))
    metadata = image.metadata
    bits = 8 * image.pixels.itemsize
    header = [box(b"ihdr", struct.pack(">IIHBBBB", height, width, channels, bits - 1, 7, 0, 0))]
    if metadata.icc:
        header.append(box(b"colr", bytes((_BY_PROFILE[0], 0, 0)), metadata.icc))
    else:
        header.append(box(b"colr", struct.pack(">BBBI", _BY_NUMBER, 0, 0, SRGB if channels >= 3 else GREY)))
    if image.has_alpha:
        colours = [struct.pack(">HHH", index, 0, index + 1) for index in range(channels - 1)]
        alpha = struct.pack(">HHH", channels - 1, _OPACITY, 0)
        header.append(box(b"cdef", struct.pack(">H", channels), *colours, alpha))
    if metadata.dpi:
        header.append(box(b"res ", box(b"resc", _resolution_of(metadata.dpi))))
    more = []
    if metadata.exif:
        more.append(box(b"uuid", _EXIF_ID, metadata.exif))
    if metadata.xmp:
        more.append(box(b"uuid", _XMP_ID, metadata.xmp))
    kind = box(b"ftyp", b"jp2 ", bytes(4), b"jp2 ")
    return b"".join((SIGNATURE, kind, box(b"jp2h", *header), *more, box(b"jp2c", stream)))


def _decibels(quality: int | None) -> int:
    return 25 + (DEFAULT_QUALITY if quality is None else quality) // 5


def _check(stream: Stream, max_pixels: int, count: int) -> None:
    """Refuse what is too large, and samples that the decoder does not bring to pixels."""
    if max(stream.bits) > _MOST_BITS:
        raise ImageError(f"got a JP2 of {max(stream.bits)} bits, expected at most {_MOST_BITS}; convert it first")
    if stream.is_subsampled:
        raise ImageError("got a JP2 whose channels differ in size, expected one size for all; convert it to PNG first")
    # The decoder's own samples have four bytes each; with what lies around them six were measured.
    pixel_bytes = 6 * len(stream.bits) + bytes_with_result(
        count, 1 if max(stream.bits) <= 8 else 2, has_alpha=count in (2, 4)
    )
    check_size(stream.width, stream.height, max_pixels, pixel_bytes)
    check_memory(stream.overhead, "got a JP2 of very small blocks", ImageError)


def _described(
    outer: list[tuple[bytes, memoryview]], header: dict[bytes, bytes], stream: Stream
) -> tuple[Metadata, int]:
    """What the boxes say besides colours, and how the picture has to be turned."""
    identified = {bytes(each[:16]): bytes(each[16:]) for name, each in reversed(outer) if name == b"uuid"}
    found = identified.get(_XMP_ID)
    packet, turned = xmp_orientation.upright(found) if found else (None, None)
    block, orientation = exif.upright(identified.get(_EXIF_ID), turned)
    dpi, aspect = _resolution(header.get(b"res ", b""))
    if block and not dpi:
        dpi, aspect = exif.resolution(block)
    lost = [_NAMES.get(each, "a box of somebody's own") for each in identified if each not in (_XMP_ID, _EXIF_ID)]
    names = dict.fromkeys(name for name, _ in outer if name not in _KNOWN and name != b"uuid")
    lost += [f"box {name.decode('latin-1').strip()}" for name in names]
    lost += ["comment"] if stream.has_comment else []
    colours = header.get(b"colr", b"")
    metadata = Metadata(
        format="JP2",
        icc=colours[3:] if colours[:1] and colours[0] in _BY_PROFILE else None,
        exif=block,
        xmp=packet,
        dpi=dpi,
        aspect=aspect,
        lossless=stream.is_reversible,
        lost=tuple(dict.fromkeys(lost)),
    )
    return metadata, orientation


def _resolution(boxes: bytes) -> tuple[resolution.Pair | None, resolution.Pair | None]:
    """Pixels per inch as captured, else as shown."""
    said = {name: bytes(each) for name, each in boxes_in(boxes, "JP2")}
    found = said.get(b"resc") or said.get(b"resd") or b""
    if len(found) < 10:
        return None, None
    down, down_below, across, across_below, down_power, across_power = struct.unpack_from(">HHHHbb", found)
    if not down_below or not across_below:
        return None, None
    x, y = across / across_below * 10.0**across_power, down / down_below * 10.0**down_power
    return resolution.told(x, y, resolution.METRE)


def _resolution_of(dpi: resolution.Pair) -> bytes:
    """Pixels per metre as fractions of 16 bits times powers of ten, down first."""
    down, across = (min(_fractions(each / resolution.METRE), key=itemgetter(0)) for each in dpi[::-1])
    return struct.pack(">HHHHbb", *down[1:3], *across[1:3], down[3], across[3])


def _fractions(value: float) -> Iterator[tuple[float, int, int, int]]:
    """(error, numerator, denominator, power of ten) of fractions near to a number."""
    for power in range(-4, 9):
        wanted = value / 10.0**power
        most = int(min(_MOST_RESOLUTION, _MOST_RESOLUTION / wanted))
        if most >= 1 and wanted * _MOST_RESOLUTION >= 1:
            near = Fraction(wanted).limit_denominator(most)
            if 1 <= near.numerator <= _MOST_RESOLUTION:
                yield abs(float(near) - wanted) / wanted, near.numerator, near.denominator, power
