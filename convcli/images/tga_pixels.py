"""The pixels of a TGA file: indices, grey, and words of 15 to 32 bits with or without alpha, in runs or one by one.

Unpacked here from the header's own words: Pillow calls alpha what a file does not declare as such, and refuses runs
that go on in the next row. What it does is undo the runs, of all rows as of a single one.

Source: Truevision, "TGA File Format Specification", version 2.0, 1991.
"""

from dataclasses import dataclass

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import look_up, stretch
from convcli.images.model import Pixels, check_size
from convcli.images.pillow import divided

_COLOUR_MAPPED, _GREY = 1, 3
_LONGEST_RUN = 128  # pixels
_MODES = {1: "L", 2: "I;16", 3: "RGB", 4: "RGBA"}  # of Pillow, by bytes; it is not told what they mean
_PIXEL_BYTES = 16  # as stored, as words, as pixels and their result


@dataclass(frozen=True)
class Layout:
    """What the header and the extension say about the pixels."""

    width: int
    height: int
    kind: int  # 1 indices, 2 colours, 3 grey
    in_runs: bool
    bits: int
    alpha_bits: int
    premultiplied: bool
    from_top: bool
    from_right: bool
    first: int  # the index of the palette's first colour
    colours: int
    entry: int  # bits of each
    start: int  # where the palette begins


def unpacked(data: bytes, layout: Layout, max_pixels: int) -> tuple[Pixels, bool, tuple[str, ...]]:
    """(H, W, C) pixels, upright, whether the last channel is alpha, and what was left out."""
    check_size(layout.width, layout.height, max_pixels, _PIXEL_BYTES)
    entry = -(-layout.entry // 8)
    start = layout.start + entry * layout.colours
    if start > len(data):
        raise ImageError("truncated TGA: it ends before its pixels; get a fresh copy")
    stored = _stored(data, start, layout)
    if layout.kind == _COLOUR_MAPPED:
        pixels, has_alpha, notes = _looked_up(data, stored, layout, entry)
    elif layout.kind == _GREY:
        pixels, has_alpha, notes = _grey(stored, layout)
    else:
        pixels, has_alpha, notes = _colours(stored, layout.bits, layout.alpha_bits)
    if has_alpha and layout.premultiplied:
        pixels = np.concatenate([divided(pixels[..., :-1], pixels[..., -1:]), pixels[..., -1:]], axis=-1)
    turned = pixels[:: 1 if layout.from_top else -1, :: -1 if layout.from_right else 1]
    return np.ascontiguousarray(turned), has_alpha, notes


def _stored(data: bytes, start: int, layout: Layout) -> Pixels:
    """(H, W, bytes of a pixel) as in the file, without runs."""
    size = -(-layout.bits // 8)
    shape = (layout.height, layout.width, size)
    count = layout.height * layout.width
    body = memoryview(data)[start:]
    least = -(-count // _LONGEST_RUN) * (1 + size) if layout.in_runs else count * size
    if len(body) < least:
        raise ImageError(f"truncated TGA: at least {least - len(body)} bytes are missing at its end; get a fresh copy")
    if not layout.in_runs:
        return np.frombuffer(body, np.uint8, count * size).reshape(shape)
    from PIL import Image

    mode = _MODES[size]
    try:
        whole = Image.frombytes(mode, (count, 1), bytes(body), "tga_rle", mode, 1, 8 * size)
    except ValueError as error:
        raise ImageError(f"truncated or damaged TGA: its runs do not give {count} pixels; get a fresh copy") from error
    return np.frombuffer(whole.tobytes(), np.uint8).reshape(shape)


def _looked_up(data: bytes, stored: Pixels, layout: Layout, entry: int) -> tuple[Pixels, bool, tuple[str, ...]]:
    indices = _words(stored)
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < layout.first or highest >= layout.first + layout.colours:
        wrong = lowest if lowest < layout.first else highest
        raise ImageError(
            f"damaged TGA: it uses colour {wrong} of a palette from {layout.first} to "
            f"{layout.first + layout.colours - 1}; get a fresh copy"
        )
    table = np.frombuffer(data, np.uint8, entry * layout.colours, layout.start).reshape(1, -1, entry)
    # Alpha of a palette has no place in the header: 32 bits have it, unless it is the same nowhere or everywhere.
    colours, has_alpha, _ = _colours(table, layout.entry, 8 if layout.entry == 32 else 0)
    full = np.concatenate([np.zeros((layout.first, colours.shape[2]), np.uint8), colours[0]])
    if not has_alpha and (full[:, :1] == full[:, 1:]).all():
        full = np.ascontiguousarray(full[:, :1])
    return look_up(full, indices), has_alpha, ()


def _grey(stored: Pixels, layout: Layout) -> tuple[Pixels, bool, tuple[str, ...]]:
    if layout.bits == 8:
        return stored, False, ()
    if layout.alpha_bits == 8:
        return stored, True, ()
    return _words(stored)[..., np.newaxis], False, ()  # 16 bits of grey


def _colours(stored: Pixels, bits: int, alpha_bits: int) -> tuple[Pixels, bool, tuple[str, ...]]:
    """Blue first, alpha last; alpha that hides everything is none, as programs write that know nothing of it."""
    if bits in (15, 16):
        words = _words(stored)
        channels = [stretch((words >> shift & 31).astype(np.uint8), 31) for shift in (10, 5, 0)]
        alpha = stretch((words >> 15).astype(np.uint8), 1)
        colour = np.stack(channels, axis=-1)
    else:
        colour = stored[..., 2::-1]
        if bits == 24:
            return colour, False, ()
        alpha = stored[..., 3]
    if not alpha_bits or bits == 15:
        strange = bits == 32 and alpha.any() and alpha.min() < 255
        return (
            colour,
            False,
            (("a fourth byte of the TGA's pixels that is not declared as alpha was left out",) if strange else ()),
        )
    if not alpha.any():
        return colour, False, ("the TGA's alpha hides all of it: it was left out",)
    return np.concatenate([colour, alpha[..., np.newaxis]], axis=-1), True, ()


def _words(stored: Pixels) -> Pixels:
    return stored[..., 0] if stored.shape[-1] == 1 else np.ascontiguousarray(stored).view("<u2")[..., 0]
