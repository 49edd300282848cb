"""Small pictures enlarged, in rows and columns, each with what is to be said about it below: dark on white."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.views.lettering import draw_text, length, shortened

Pixels = NDArray[np.uint8]

_MARGIN = 12
_LINE, _LETTERS = 17, 14  # pixels from one line of text to the next, and the size of letters
_INK, _FAINT, _PAPER = (25, 25, 25), (110, 110, 110), (255, 255, 255)
_CELL = 96  # pixels: the least width of a cell, so that captions fit


def enlarged(picture: NDArray[Any], side: int) -> Pixels:
    """A small picture (H, W, 1 or 3), bytes or floats of 0..1, as (H', W', 3) bytes, every pixel a whole square.

    The longer side becomes as close to ``side`` as whole squares allow; larger pictures stay as they are.

    >>> enlarged(np.ones((2, 3, 1), np.float32), 7).shape
    (4, 6, 3)
    """
    pixels = picture if picture.dtype == np.uint8 else np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    factor = max(1, side // max(pixels.shape[:2]))
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)


def labelled_grid(
    pictures: Sequence[NDArray[Any]],
    captions: Sequence[Sequence[str]],
    *,
    columns: int,
    title: str = "",
    side: int = 96,
) -> Pixels:
    """Draw small pictures of one size in a grid.

    Parameters
    ----------
    pictures : sequence of ndarray
        (H, W, 1 or 3) bytes, or floats of 0..1.
    captions : sequence of sequences of str
        The lines below each picture, shortened to its width; the first is dark, the others are grey.
    columns : int
        How many stand side by side.
    title : str
        A line above all.
    side : int
        Pixels that a picture's longer side is enlarged to, or a little less.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    shown = [enlarged(picture, side) for picture in pictures]
    height, width = max(each.shape[0] for each in shown), max(_CELL, *(each.shape[1] for each in shown))
    lines = max(len(caption) for caption in captions)
    step_down, step_across = height + 4 + lines * _LINE + _MARGIN, width + _MARGIN
    columns = min(columns, len(shown))
    above = _LINE + _MARGIN if title else 0
    across = _MARGIN + columns * step_across
    if title:
        across = max(across, round(length(title, _LETTERS)) + 2 * _MARGIN)
    sheet = Pillow.new("RGB", (across, _MARGIN + above + -(-len(shown) // columns) * step_down), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw_text(draw, (_MARGIN, _MARGIN), title, _LETTERS, fill=_INK)
    for place, (pixels, caption) in enumerate(zip(shown, captions, strict=True)):
        left = _MARGIN + place % columns * step_across
        top = _MARGIN + above + place // columns * step_down
        sheet.paste(Pillow.fromarray(pixels), (left + (width - pixels.shape[1]) // 2, top))
        for line, text in enumerate(caption):
            middle = left + width / 2, top + height + 4 + line * _LINE
            colour = _FAINT if line else _INK
            draw_text(draw, middle, shortened(text, width, _LETTERS), _LETTERS, fill=colour, anchor="ma")
    return np.asarray(sheet)
