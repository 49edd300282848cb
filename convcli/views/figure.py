"""A figure of labelled panels: pictures in rows, a title over each, notes and a scale of signed colours below it.

Texts are measured before they are placed: a panel is as wide as its widest text, so that none runs into another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convcli.views.lettering import draw_text, length, shortened
from convcli.views.signed import signed_colours

Pixels = NDArray[np.uint8]

_MARGIN, _GAP, _LINE = 16, 24, 19
_TITLE, _HEAD, _NOTE = 18, 15, 13  # sizes of letters
_INK, _QUIET, _EDGE, _PAPER = (26, 26, 26), (85, 85, 85), (150, 150, 150), (255, 255, 255)
_BAR = 14  # height of a scale
_MOST_TEXT = 420  # pixels a text may widen its panel to


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a figure.

    Parameters
    ----------
    title:
        Above it.
    pixels:
        (H, W, 3) uint8, drawn as they are.
    notes:
        Lines below it.
    largest:
        The magnitude of the darkest signed colours; a scale from minus to plus that is drawn below the picture.
    mark:
        (row, column, rows, columns) in pixels of the picture: a frame drawn around something.
    """

    title: str
    pixels: Pixels
    notes: tuple[str, ...] = ()
    largest: float | None = None
    mark: tuple[int, int, int, int] | None = None


def draw_figure(rows: Sequence[Sequence[Panel]], *, title: str, notes: Sequence[str] = ()) -> Pixels:
    """Draw rows of panels under a title and its notes: (H, W, 3) uint8."""
    widths = [[_panel_width(panel) for panel in row] for row in rows]
    heights = [max(_panel_height(panel) for panel in row) for row in rows]
    texts = [length(title, _TITLE), *(length(note, _NOTE) for note in notes)]
    width = ceil(max(*(sum(row) + _GAP * (len(row) - 1) for row in widths), *texts)) + 2 * _MARGIN
    head = _MARGIN + 28 + _LINE * len(notes) + 8
    height = head + sum(heights) + _GAP * (len(rows) - 1) + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw_text(draw, (_MARGIN, _MARGIN), title, _TITLE, fill=_INK)
    for line, note in enumerate(notes):
        draw_text(draw, (_MARGIN, _MARGIN + 28 + _LINE * line), note, _NOTE, fill=_QUIET)
    top = head
    for row, row_widths, row_height in zip(rows, widths, heights, strict=True):
        left = _MARGIN
        for panel, panel_width in zip(row, row_widths, strict=True):
            _draw_panel(sheet, draw, panel, left, top, panel_width)
            left += panel_width + _GAP
        top += row_height + _GAP
    return np.asarray(sheet)


def fitted(pixels: Pixels, height: int, width: int | None = None) -> Pixels:
    """A picture (H, W, 3) enlarged by whole pixels, or reduced, into a box or a square: (H', W', 3)."""
    room = height, height if width is None else width
    factor = min(side // n for side, n in zip(room, pixels.shape[:2], strict=False))
    if factor >= 1:
        return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    scale = min(side / n for side, n in zip(room, pixels.shape[:2], strict=False))
    down, across = (max(round(n * scale), 1) for n in pixels.shape[:2])
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((across, down), resample=Image.Resampling.BOX))


def number(value: float) -> str:
    """A number as a figure shows it: four digits, whole ones whole.

    >>> number(12.0), number(1 / 3)
    ('12', '0.3333')
    """
    return f"{int(value)}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _panel_width(panel: Panel) -> int:
    texts = [length(panel.title, _HEAD), *(length(note, _NOTE) for note in panel.notes)]
    if panel.largest is not None:
        texts.append(2 * length(f"−{number(panel.largest)}", _NOTE) + length("0", _NOTE) + 40)
    return max(int(panel.pixels.shape[1]), min(ceil(max(texts)), _MOST_TEXT))


def _panel_height(panel: Panel) -> int:
    scale = 0 if panel.largest is None else _BAR + _LINE + 6
    return _LINE + 4 + int(panel.pixels.shape[0]) + 6 + scale + _LINE * len(panel.notes)


def _draw_panel(sheet: Any, draw: Any, panel: Panel, left: int, top: int, width: int) -> None:
    draw_text(draw, (left, top), shortened(panel.title, width, _HEAD), _HEAD, fill=_INK)
    top += _LINE + 4
    height, across = panel.pixels.shape[:2]
    sheet.paste(Image.fromarray(np.ascontiguousarray(panel.pixels)), (left, top))
    draw.rectangle((left - 1, top - 1, left + across, top + height), outline=_EDGE)
    if panel.mark is not None:
        row, column, rows, columns = panel.mark
        box = (left + column - 3, top + row - 3, left + column + columns + 2, top + row + rows + 2)
        draw.rectangle(box, outline=_PAPER, width=3)
        draw.rectangle(box, outline=_INK, width=1)
    top += height + 6
    if panel.largest is not None:
        _draw_scale(sheet, draw, panel.largest, left, top, max(across, min(width, 160)))
        top += _BAR + _LINE + 6
    for line, note in enumerate(panel.notes):
        draw_text(draw, (left, top + _LINE * line), shortened(note, width, _NOTE), _NOTE, fill=_QUIET)


def _draw_scale(sheet: Any, draw: Any, largest: float, left: int, top: int, width: int) -> None:
    ramp = signed_colours(np.linspace(-1, 1, width), 1.0)
    sheet.paste(Image.fromarray(np.tile(ramp, (_BAR, 1, 1))), (left, top))
    draw.rectangle((left - 1, top - 1, left + width, top + _BAR), outline=_EDGE)
    for place, text, anchor in (
        (left, f"−{number(largest)}", "la"),
        (left + width / 2, "0", "ma"),
        (left + width, f"+{number(largest)}", "ra"),
    ):
        draw_text(draw, (place, top + _BAR + 3), text, _NOTE, fill=_INK, anchor=anchor)
