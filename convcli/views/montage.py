"""Many small maps of one size as one picture: in rows and columns, numbered, the same colours for the same numbers.

The pictures are panels of `convcli.views.figure`, which has titles and scales; where numbers come from is not here.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convcli.views.figure import Pixels, fitted
from convcli.views.lettering import draw_text, length, shortened
from convcli.views.signed import signed_colours

_GAP, _LINE = 6, 14
_NUMBER, _LETTERS = 11, 14  # sizes of letters
_INK, _EDGE, _PAPER = (85, 85, 85), (170, 170, 170), (255, 255, 255)
_SIDE, _LARGE_SIDE = 84, 128  # the least pixels of a map's longer side, and the most of a map that is not enlarged
_CELL, _ACROSS = 20, 32  # values that are no maps: the side of a square, and how many stand in a row


def is_signed(values: NDArray[Any]) -> bool:
    """Whether numbers lie below zero, so that they need signed colours."""
    return bool((values < 0).any())


def largest_of(values: NDArray[Any]) -> float:
    """The largest finite magnitude, or 1 where all are zero: the end of a scale."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(sizes.max(initial=0.0)) or 1.0


def colours_of(values: NDArray[Any], largest: float, *, signed: bool) -> Pixels:
    """Colours (..., 3) of numbers (...): signed ones, or from black, which is 0, to white, which is ``largest``.

    >>> colours_of(np.array([0.0, 2.0]), 2.0, signed=False).tolist()
    [[0, 0, 0], [255, 255, 255]]
    """
    if signed:
        return signed_colours(values, largest)
    grey = np.rint(np.clip(np.nan_to_num(values / largest, nan=0.0), 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def scale_note(largest: float, *, signed: bool) -> str:
    """What the greys mean; signed colours have a scale of their own."""
    return "" if signed else f"black is 0, white is {largest:.3g}"


def map_side(height: int, width: int) -> int:
    """How large one map is drawn: small ones enlarged by whole pixels, large ones reduced."""
    longer = max(height, width)
    return longer * -(-_SIDE // longer) if longer <= _SIDE else min(longer, _LARGE_SIDE)


def numbered(maps: Sequence[Pixels], labels: Sequence[str], *, columns: int = 8, side: int | None = None) -> Pixels:
    """Draw maps in rows, a label below each.

    Parameters
    ----------
    maps : sequence of ndarray
        (H, W, 3) uint8, all of one size.
    labels : sequence of str
        One for each, a few letters.
    columns : int
        How many stand side by side.
    side : int, optional
        Pixels of the longer side of each.

    Returns
    -------
    ndarray
        (H', W', 3) uint8.
    """
    drawn = [fitted(each, side or map_side(*each.shape[:2])) for each in maps]
    height, width = drawn[0].shape[:2]
    line = _LINE if any(labels) else 0
    cell = max(width, *(ceil(length(label, _NUMBER)) for label in labels))
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    size = (columns * (cell + _GAP) + _GAP, rows * (height + line + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (pixels, label) in enumerate(zip(drawn, labels, strict=True)):
        left = _GAP + place % columns * (cell + _GAP)
        top = _GAP + place // columns * (height + line + _GAP)
        sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, top))
        draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_EDGE)
        draw_text(draw, (left + width / 2, top + height + 2), label, _NUMBER, fill=_INK, anchor="ma")
    return np.asarray(sheet)


def squares(values: NDArray[Any], largest: float, *, signed: bool) -> Pixels:
    """Draw a row of values (K) as squares, 32 in a line."""
    lines = -(-len(values) // _ACROSS)
    across = min(len(values), _ACROSS)
    padded = np.zeros(lines * across, np.float64)
    padded[: len(values)] = values
    colours = colours_of(padded.reshape(lines, across), largest, signed=signed)
    colours.reshape(-1, 3)[len(values) :] = _PAPER
    grown: Pixels = colours.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    grown[::_CELL], grown[:, ::_CELL] = _EDGE, _EDGE
    return grown


def bars(names: Sequence[str], shares: Sequence[float], texts: Sequence[str], *, width: int = 360) -> Pixels:
    """Draw shares of 0..1 as bars, one below the other: a name, the bar, a text.

    Names may take a third of ``width``; for longer ones the picture grows, up to twice as wide.
    """
    shown = [shortened(name, width // 3 + width, _LETTERS) for name in names]
    left = max(int(length(name, _LETTERS)) for name in shown) + 14
    width += max(left - 14 - width // 3, 0)
    right = max(int(length(text, _LETTERS)) for text in texts) + 12
    sheet = Image.new("RGB", (width, 24 * len(shown) + 8), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (name, share, text) in enumerate(zip(shown, shares, texts, strict=True)):
        top = 6 + 24 * place
        end = left + max(round(share * (width - left - right)), 1)
        draw_text(draw, (left - 8, top), name, _LETTERS, fill=(26, 26, 26), anchor="ra")
        draw.rectangle((left, top, end, top + 16), fill=(0, 114, 178))
        draw_text(draw, (end + 6, top), text, _LETTERS, fill=(26, 26, 26))
    return np.asarray(sheet)


def grid(rows: Sequence[Sequence[Pixels]], names: Sequence[str], heads: Sequence[str], *, side: int) -> Pixels:
    """Draw maps of one size in a table: a name before each row, a head over each column."""
    drawn = [[fitted(each, side) for each in row] for row in rows]
    height, width = drawn[0][0].shape[:2]
    widest = max(ceil(length(head, _NUMBER)) for head in heads)
    # Heads that would run into each other are left out, evenly.
    every = -(-(widest + 4) // (width + _GAP + 2))
    left = max(int(length(name, _NUMBER)) for name in names) + 2 * _GAP
    top = _LINE + _GAP
    line = max(height, _LINE)
    size = (
        left + len(heads) * (width + _GAP + 2) + max(widest - width, 0) + _GAP,
        top + len(rows) * (line + _GAP + 2) + _GAP,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, head in list(enumerate(heads))[::every]:
        draw_text(draw, (left + column * (width + _GAP + 2) + width / 2, 2), head, _NUMBER, fill=_INK, anchor="ma")
    for row, (name, maps) in enumerate(zip(names, drawn, strict=True)):
        y = top + row * (line + _GAP + 2)
        draw_text(draw, (left - _GAP, y + height / 2), name, _NUMBER, fill=_INK, anchor="rm")
        for column, pixels in enumerate(maps):
            x = left + column * (width + _GAP + 2)
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (x, y))
            draw.rectangle((x - 1, y - 1, x + width, y + height), outline=_EDGE)
    return np.asarray(sheet)
