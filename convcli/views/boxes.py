"""Pictures with boxes drawn on them, each with a word; several pictures one below the other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convcli.views.lettering import draw_text, length

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

_LINE, _INK, _PAPER = (214, 39, 40), (255, 255, 255), (255, 255, 255)
_SMALLEST, _SHARE = 10, 0.45  # pixels of a letter, and the share of a box's height
_ENLARGED = 480  # pixels that the longer side of a small picture is brought to, or a little less
_GAP = 12


def boxed(picture: Pixels, boxes: Sequence[tuple[Box, str]]) -> Pixels:
    """A picture (H, W, 1 or 3) as (H', W', 3) with boxes (top, left, bottom, right) and words on them."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    factor = max(1, _ENLARGED // max(picture.shape[:2]))
    colours = np.broadcast_to(picture, (*picture.shape[:2], 3)).repeat(factor, axis=0).repeat(factor, axis=1)
    drawn = Pillow.fromarray(np.ascontiguousarray(colours))
    draw = ImageDraw.Draw(drawn)
    wide = 1 + max(colours.shape[:2]) // 600
    for (top, left, bottom, right), word in boxes:
        above, first, below, last = (factor * side for side in (top, left, bottom, right))
        draw.rectangle((first - wide, above - wide, last + wide - 1, below + wide - 1), outline=_LINE, width=wide)
        size = max(_SMALLEST, round(_SHARE * (below - above)))
        across = round(length(word, size)) + 4
        corner = (min(max(first - wide, 0), max(colours.shape[1] - across, 0)), max(above - wide - size - 3, 0))
        draw.rectangle((*corner, corner[0] + across, corner[1] + size + 3), fill=_LINE)
        draw_text(draw, (corner[0] + 2, corner[1] + 1), word, size, fill=_INK)
    return np.array(drawn)


def stacked(pictures: Sequence[Pixels]) -> Pixels:
    """RGB pictures one below the other on white."""
    if len(pictures) == 1:
        return pictures[0]
    width = max(each.shape[1] for each in pictures)
    rows = []
    for each in pictures:
        rows.append(np.pad(each, ((0, _GAP), (0, width - each.shape[1]), (0, 0)), constant_values=_PAPER[0]))
    return np.concatenate(rows)[:-_GAP]
