"""The samples of a JPEG 2000 picture as pixels: their full scale, palette, order, and colours that are not RGB.

Source: ISO/IEC 15444-1, annex I.5.3: the boxes ``pclr``, ``cmap``, ``cdef`` and ``colr``.
"""

import struct

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import convert_depth, look_up, stretch
from convcli.images.jp2_codestream import Stream
from convcli.images.model import Pixels
from convcli.images.pillow import divided

SRGB, GREY = 16, 17
_YCC, _CMYK = 18, 12
_COLOURS = {SRGB: 3, GREY: 1, _YCC: 3, _CMYK: 4}  # how many channels they have
_PROFILES = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
_COLOUR, _PREMULTIPLIED, _WHOLE = 0, 2, 0  # what a channel is, and that it is so for all others
_MOST_COLOURS = 1024  # of a palette


def full_scale(samples: Pixels, stream: Stream, header: dict[bytes, bytes]) -> Pixels:
    """(H, W, C) samples, looked up in a palette if there is one, with black 0 and white 255 or 65535."""
    whites = [(1 << bits) - 1 for bits in stream.bits]
    if not any(stream.signed) and len(set(whites)) == 1 and b"pclr" not in header:
        return stretch(samples, whites[0])
    planes = []
    for index, (bits, signed) in enumerate(zip(stream.bits, stream.signed, strict=True)):
        plane = samples[..., index].astype(np.int32) + ((1 << bits - 1) if signed else 0)
        planes.append(np.clip(plane, 0, whites[index]).astype(np.uint16))
    if b"pclr" in header:
        planes, whites = _looked_up(planes, header)
    scaled = [stretch(each, white) for each, white in zip(planes, whites, strict=True)]
    deepest = max((each.dtype for each in scaled), key=lambda dtype: dtype.itemsize)
    return np.stack([convert_depth(each, deepest) for each in scaled], axis=-1)


def _looked_up(planes: list[Pixels], header: dict[bytes, bytes]) -> tuple[list[Pixels], list[int]]:
    palette, mapping = header[b"pclr"], header.get(b"cmap", b"")
    count, columns = struct.unpack_from(">HB", palette)
    depths = [(each & 0x7F) + 1 for each in palette[3 : 3 + columns]]
    widths = [-(-each // 8) for each in depths]
    if not 0 < count <= _MOST_COLOURS or len(palette) < 3 + columns + count * sum(widths) or max(widths) > 2:
        raise ImageError("damaged JP2: its palette is cut off or makes no sense; get a fresh copy")
    table = np.frombuffer(palette, np.uint8, count * sum(widths), 3 + columns).reshape(count, -1).astype(np.uint16)
    starts = np.cumsum([0, *widths])
    found, whites = [], []
    for component, kind, column in struct.iter_unpack(">HBB", mapping[: len(mapping) // 4 * 4]):
        indices = planes[component]
        if not kind:
            raise ImageError("got a JP2 with a palette for some channels only; convert it to PNG first")
        if int(indices.max()) >= count:
            raise ImageError(f"damaged JP2: it uses colour {int(indices.max())} of a palette of {count}")
        start, width = starts[column], widths[column]
        values = table[:, start] if width == 1 else table[:, start] << 8 | table[:, start + 1]
        found.append(look_up(values, indices))
        whites.append((1 << depths[column]) - 1)
    if not found:
        raise ImageError("damaged JP2: it does not say what its palette is for; get a fresh copy")
    return found, whites


def in_colours(channels: Pixels, header: dict[bytes, bytes], icc: bytes | None) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Grey or RGB of channels in whatever order and colours, whether with alpha, and what was left out."""
    said = header.get(b"colr", b"")
    number = struct.unpack_from(">I", said, 3)[0] if said[:1] == b"\1" and len(said) >= 7 else None
    if number is not None and number not in _COLOURS:
        raise ImageError(
            f"got a JP2 in colour space {number}, expected grey, RGB, YCC or CMYK; convert it to PNG first"
        )
    count = channels.shape[2]
    wanted = _COLOURS[number] if number is not None else _PROFILES.get((icc or b"")[16:20], 3 if count >= 3 else 1)
    if wanted > count:
        raise ImageError(f"damaged JP2: got {count} channels, expected {wanted} of its colours; get a fresh copy")
    order, alpha, premultiplied = _order(header.get(b"cdef", b""), wanted, count)
    kept = [*order, *([] if alpha is None else [alpha])]
    notes = (f"left out: {count - len(kept)} further channels",) if count > len(kept) else ()
    pixels = channels if kept == list(range(count)) else channels[..., kept]
    colours, shade = pixels[..., :wanted], pixels[..., wanted:]
    if number == _YCC:
        colours = _from_luma(colours)
    elif wanted == _COLOURS[_CMYK]:
        from convcli.images.cmyk import to_rgb

        colours, more = to_rgb(np.ascontiguousarray(convert_depth(colours, np.uint8)), icc)
        shade, notes = convert_depth(shade, np.uint8), (*notes, *more)
    if premultiplied:
        colours = divided(colours, shade)
    if number == _YCC or wanted == _COLOURS[_CMYK] or premultiplied:
        pixels = np.concatenate([colours, shade], axis=-1)
    return np.ascontiguousarray(pixels), alpha is not None, notes


def _order(definitions: bytes, wanted: int, count: int) -> tuple[list[int], int | None, bool]:
    """The channels of the colours in order, that of alpha, and whether colours were multiplied by it.

    Without a word about it the channel behind the colours is alpha, as every program that writes four has it.
    """
    order, alpha, premultiplied = list(range(wanted)), None, False
    if not definitions:
        return order, wanted if count == wanted + 1 else None, False
    for channel, kind, of in struct.iter_unpack(">HHH", definitions[2 : 2 + (len(definitions) - 2) // 6 * 6]):
        if channel >= count:
            raise ImageError(f"damaged JP2: it speaks of channel {channel} of {count}; get a fresh copy")
        if kind == _COLOUR and 1 <= of <= wanted:
            order[of - 1] = channel
        elif kind in (1, _PREMULTIPLIED) and of == _WHOLE:
            alpha, premultiplied = channel, kind == _PREMULTIPLIED
    return order, alpha, premultiplied


def _from_luma(colours: Pixels) -> Pixels:
    """sYCC to sRGB: luma and two differences of colour, as in JPEG (ITU-R BT.601, full range)."""
    white = float(np.iinfo(colours.dtype).max)
    middle = (white + 1) / 2
    luma, blue, red = (colours[..., index].astype(np.float32) for index in range(3))
    blue, red = blue - middle, red - middle
    mixed = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
    return np.stack([np.clip(np.rint(each), 0, white).astype(colours.dtype) for each in mixed], axis=-1)
