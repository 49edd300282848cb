"""GIF: at most 256 colours, one of them transparent. Frames are composed as they are shown; a single one is written.

Pillow only unpacks a frame's numbers. What they mean is decided here, from the file's own blocks: Pillow's pictures say
neither which pixels of the canvas no frame covers nor, where the colours are grey, that one of them is transparent. And
it stops quietly where a truncated file stops.

Source: CompuServe, "Graphics Interchange Format, version 89a", 1990.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.budget import Allowance
from convcli.errors import ImageError
from convcli.images import gif_blocks
from convcli.images.model import MOST_FRAMES, Decoded, Image, Pixels, check_canvas, check_size
from convcli.images.volume_axes import TAKES_ALL

_OPAQUE = 128
_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9  # the label of the extension that speaks about the frame behind it
_TO_BACKGROUND, _TO_PREVIOUS = 2, (3, 4)  # old programs wrote 4 where they meant 3, and viewers know
_INTERLACED = 0x40
_MOST_BLOCKS = 5 * MOST_FRAMES  # with a control, of two blocks, for each
_GREYS = bytes(each for each in range(256) for _ in range(3))  # a file without any palette may show what it likes


@dataclass(frozen=True)
class Frame:
    """One frame as its blocks tell: its place on the canvas, and how it gets there."""

    left: int
    top: int
    width: int
    height: int
    palette: bytes
    content: bytes  # the packed numbers, their interlacing flag in front
    transparent: int | None
    disposal: int
    duration: int  # milliseconds


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first frame, on its canvas, to grey or RGB, with alpha where the canvas shows through."""
    from convcli.images.pillow import without_excess

    frames = frames_in(data)
    width, height = canvas_size(data, frames)
    check_size(width, height, max_pixels, 12)  # the canvas in RGBA, what is left of it, and the result
    check_canvas("GIF", width, height, frames[0].width * frames[0].height)
    pixels, has_alpha = without_excess(next(composed(frames, width, height)))
    warnings = (
        (f"animated GIF: only the first of {len(frames)} frames was read; {TAKES_ALL}",) if len(frames) > 1 else ()
    )
    return Decoded(Image(pixels, has_alpha, gif_blocks.describe(data), warnings))


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
    return gif_blocks.with_metadata(stream.getvalue(), image.metadata)


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


def frames_in(data: bytes) -> list[Frame]:
    """All frames, at least one; raises `ImageError` if the blocks stop before the end mark, or hold none."""
    frames = []
    control = bytes(4)
    most = _MOST_BLOCKS + len(data) // 128  # full ones have 255 bytes
    room = Allowance(most, f"damaged GIF: got more than {most:,} blocks; get a fresh copy", ImageError)
    try:
        position = 13 + gif_blocks.table_size(data[10])
        shared = data[13:position]
        while data[position] != _END:
            start = position
            if data[position] == _FRAME:
                table = position + 10
                position = table + gif_blocks.table_size(data[position + 9]) + 1
            elif data[position] == _EXTENSION:
                position += 2
            else:
                raise ImageError(f"damaged GIF: it holds an unknown block at byte {position}; get a fresh copy")
            room.spend(1)
            while data[position]:
                position += 1 + data[position]
                room.spend(1)
            position += 1
            if data[start] == _FRAME:
                frames.append(_frame(data[start:position], shared, control))
                control = bytes(4)
            elif data[start + 1] == _CONTROL and data[start + 2] >= 4:
                control = data[start + 3 : start + 7]
    except (IndexError, struct.error) as error:
        raise ImageError(
            f"truncated GIF: it ends after {len(data)} bytes without its end mark; get a fresh copy"
        ) from error
    if not frames:
        raise ImageError("damaged GIF: it holds no picture; get a fresh copy")
    return frames


def _frame(block: bytes, shared: bytes, control: bytes) -> Frame:
    """A frame from its block, the palette of the whole file, and the control extension before it."""
    left, top, width, height, flags = struct.unpack_from("<4HB", block, 1)
    end = 10 + gif_blocks.table_size(flags)
    settings, delay, transparent = struct.unpack("<BHB", control)
    return Frame(
        left,
        top,
        width,
        height,
        block[10:end] or shared or _GREYS,
        bytes((flags & _INTERLACED,)) + block[end:],
        transparent if settings & 1 else None,
        settings >> 2 & 7,
        10 * delay,
    )


def canvas_size(data: bytes, frames: list[Frame]) -> tuple[int, int]:
    """(width, height) of the screen; a first frame that is larger widens it, as viewers do, later ones are cut off."""
    width, height = struct.unpack_from("<HH", data, 6)
    return max(width, frames[0].left + frames[0].width), max(height, frames[0].top + frames[0].height)


def composed(frames: list[Frame], width: int, height: int) -> Iterator[Pixels]:
    """The canvas (height, width, 4), RGBA, as each frame in turn shows it; the next one changes it.

    What no frame covers, or what was cleared to the background, is transparent: no viewer uses the background colour.
    """
    canvas = np.zeros((height, width, 4), np.uint8)
    for frame in frames:
        place = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        before = place.copy() if frame.disposal in _TO_PREVIOUS else None
        colours = _colours(frame)[: place.shape[0], : place.shape[1]]
        # The transparent colour lets through what is there; where nothing is, it stays as a colour that is not seen.
        np.copyto(place, colours, where=(colours[..., 3:] > 0) | (place[..., 3:] == 0))
        yield canvas
        if frame.disposal == _TO_BACKGROUND:
            place[...] = 0
        elif before is not None:
            place[...] = before


def _colours(frame: Frame) -> Pixels:
    """One frame by itself, (H, W, 4)."""
    from PIL.GifImagePlugin import GifImageFile

    from convcli.images.depth import look_up

    if not frame.width or not frame.height:
        return np.zeros((frame.height, frame.width, 4), np.uint8)
    # A file of this frame alone, whose palette is all black: one that is grey would make Pillow look the colours up.
    size = struct.pack("<HH", frame.width, frame.height)
    head = b"GIF89a" + size + b"\xf7\0\0" + bytes(3 * 256) + b"," + bytes(4) + size
    with GifImageFile(io.BytesIO(head + frame.content + b";")) as picture:
        picture.load()
        indices = np.array(picture)
    count = len(frame.palette) // 3
    table = np.zeros((256, 4), np.uint8)
    table[:count, :3] = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    table[:count, 3] = 255
    if frame.transparent is not None:  # it may lie beyond the palette
        table[frame.transparent, 3] = 0
    beyond = indices[indices >= count]
    if beyond.size and (beyond != frame.transparent).any():
        raise ImageError(f"damaged: it uses colour {int(beyond.max())} of a palette of {count}; get a fresh copy")
    return look_up(table, indices)
