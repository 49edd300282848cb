"""GIF: at most 256 colours, one of them transparent. The first frame is read; a single frame is written.

The blocks are walked here first, because Pillow stops quietly where a truncated file stops.

Source: CompuServe, "Graphics Interchange Format, version 89a", 1990.
"""

import io
import struct
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Decoded, Image, Metadata, Pixels, check_size

_OPAQUE = 128
_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first frame, on its canvas, to grey or RGB, with alpha where the canvas shows through."""
    from PIL.GifImagePlugin import GifImageFile

    from convcli.images.pillow import to_pixels

    frames = frames_in(data)
    if not frames:
        raise ImageError("damaged GIF: it holds no picture; get a fresh copy")
    left, top, width, height = frames[0]
    canvas_width, canvas_height = struct.unpack_from("<HH", data, 6)
    check_size(max(canvas_width, left + width), max(canvas_height, top + height), max_pixels, 12)
    with GifImageFile(io.BytesIO(data)) as picture:
        pixels, has_alpha = to_pixels(picture)
    warnings = (
        (f"animated GIF: only the first of {len(frames)} frames was read; --axes zyx takes all",)
        if len(frames) > 1
        else ()
    )
    return Decoded(Image(pixels, has_alpha, Metadata(format="GIF"), warnings))


def encode(image: Image) -> bytes:
    """Encode 8-bit pixels: exactly where they have few enough colours, else in 255 or 256 chosen ones, not dithered.

    Alpha becomes transparent below 128 and opaque from there on, which is all that GIF can say.
    """
    from PIL.Image import frombytes

    from convcli.images.pillow import to_colour

    colour, hidden = to_colour(image.pixels), None
    options: dict[str, Any] = {}
    if image.has_alpha:
        hidden = colour[:, :, 3] < _OPAQUE
        colour = np.ascontiguousarray(colour[:, :, :3])
        if hidden.any():
            # Invisible pixels take a visible colour, so that they claim no place in the palette.
            colour[hidden] = colour[~hidden][0] if not hidden.all() else 0
            options["transparency"] = 255
        else:
            hidden = None
    indices, palette = _index(colour, 256 if hidden is None else 255)
    if hidden is not None:
        indices[hidden] = 255
        palette = palette.ljust(3 * 255, b"\0") + b"\0\0\0"
    picture = frombytes("P", (indices.shape[1], indices.shape[0]), indices.tobytes())
    picture.putpalette(palette)
    stream = io.BytesIO()
    picture.save(stream, "GIF", **options)
    return stream.getvalue()


def _index(colour: Pixels, most: int) -> tuple[Pixels, bytes]:
    """Choose at most ``most`` colours and return (H, W) indices into them, and the palette's bytes."""
    from PIL.Image import Dither, Quantize

    from convcli.images.pillow import from_pixels

    picture = from_pixels(colour)
    few = picture.getcolors(most)
    if few is None:
        reduced = picture.quantize(most, Quantize.MEDIANCUT, dither=Dither.NONE)
        return np.array(reduced), bytes(reduced.getpalette() or ())
    palette = np.array(sorted(each for _, each in few), np.uint32)
    order = palette @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    packed = colour[:, :, 0].astype(np.uint32) << 16 | colour[:, :, 1].astype(np.uint32) << 8 | colour[:, :, 2]
    return np.searchsorted(order, packed).astype(np.uint8), palette.astype(np.uint8).tobytes()


def frames_in(data: bytes) -> list[tuple[int, int, int, int]]:
    """(left, top, width, height) of every frame; raises `ImageError` if the blocks stop before the end mark."""
    frames = []
    try:
        position = 13 + _table_size(data[10])
        while data[position] != _END:
            if data[position] == _FRAME:
                frames.append(struct.unpack_from("<4H", data, position + 1))
                position += 11 + _table_size(data[position + 9])
            elif data[position] == _EXTENSION:
                position += 2
            else:
                raise ImageError(f"damaged GIF: it holds an unknown block at byte {position}; get a fresh copy")
            while data[position]:
                position += 1 + data[position]
            position += 1
    except (IndexError, struct.error) as error:
        raise ImageError(
            f"truncated GIF: it ends after {len(data)} bytes without its end mark; get a fresh copy"
        ) from error
    return frames


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
