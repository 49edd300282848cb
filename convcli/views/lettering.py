"""Texts in pictures: measured, cut and drawn in the font that comes with Pillow, the same way in every view.

That font has Latin letters without accents and lacks two signs that arithmetic needs, minus and times: those are drawn
as it draws its plus. Pillow is loaded when something is drawn.
"""

import math
import re
import unicodedata
from functools import cache
from typing import Any

from convcli.views.signs import typeset

_DRAWN = re.compile("([−×])")
_FOREIGN = re.compile(r"[^ -~°·…−×]")  # what neither the font has nor we draw
_SCALE = 4  # a turned sign is made so much larger and reduced, so that its edges are smooth
_BOLD = 0.4  # the font has one weight: bold letters are drawn so many pixels wider


def drawable(text: str) -> str:
    """What can be drawn of a text: letters without their accents, real minus signs, and ? for what there is not.

    >>> drawable("naïve: -1 × 2 → 3")
    'naive: −1 × 2 ? 3'
    """
    # Compatible characters would fall apart, as … into three full stops: only letters and their accents do.
    plain = "".join(unicodedata.normalize("NFKD", each) if each.isalnum() else each for each in text)
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    return _FOREIGN.sub("?", typeset(bare))


def length(text: str, points: float) -> float:
    """How many pixels wide a text is drawn."""
    font = _font(points)
    return float(sum(font.getlength("+" if _DRAWN.fullmatch(run) else run) for run in _runs(drawable(text))))


def shortened(text: str, width: float, points: float) -> str:
    """A text cut so that it is at most so many pixels wide; of a path the end is kept, which names the file."""
    if length(text, points) <= width:
        return text
    if "/" in text:
        while text and length(f"…{text}", points) > width:
            text = text[1:]
        return f"…{text}"
    while text and length(f"{text}…", points) > width:
        text = text[:-1]
    return f"{text}…"


def draw_text(
    draw: Any, place: tuple[float, float], text: str, points: float, *, fill: Any, anchor: str = "la",
    bold: bool = False,
) -> None:  # fmt: skip
    """Draw a text of one line.

    ``anchor`` is Pillow's: l, m or r says which of its ends or its middle lies at ``place`` from left to right, a or m
    whether that is the top or the middle of the line.
    """
    font = _font(points)
    ascent, descent = font.getmetrics()
    left = place[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * length(text, points)
    # On whole pixels, or the bar of a minus would be grey, and higher or lower than that of a plus.
    base = round(place[1] + {"a": ascent, "m": (ascent - descent) / 2}[anchor[1]])
    for run in _runs(drawable(text)):
        if _DRAWN.fullmatch(run):
            mask, before, above = _sign(run, points, bold)
            draw.bitmap((round(left) + before, base + above), mask, fill=fill)
            left += font.getlength("+")
        else:
            draw.text((left, base), run, fill=fill, font=font, anchor="ls", stroke_width=_BOLD * bold)
            left += font.getlength(run)


def _runs(text: str) -> list[str]:
    return [run for run in _DRAWN.split(text) if run]


@cache
def _font(points: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(points)


@cache
def _sign(sign: str, points: float, bold: bool) -> tuple[Any, int, int]:
    """A minus, the bar of the font's plus, or a times, its plus turned: a mask, and where its corner lies."""
    import numpy as np
    from PIL import Image, ImageDraw

    scale = 1 if sign == "−" else _SCALE
    font = _font(points * scale)
    stroke = _BOLD * scale * bold
    left, top, right, bottom = (round(each) for each in font.getbbox("+", anchor="ls", stroke_width=stroke))
    plus = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(plus).text((-left, -top), "+", fill=255, font=font, anchor="ls", stroke_width=stroke)
    if sign == "−":
        pixels = np.asarray(plus)
        # Of the columns that the bar fills, the one with the least of anything else.
        filled = pixels.max(axis=0) > 0.5 * pixels.max()
        least = np.where(filled, pixels.sum(axis=0, dtype=int), pixels.size * 255).argmin()
        return Image.fromarray(np.minimum(pixels, pixels[:, least, None])), left, top
    inked = plus.getbbox() or (0, 0, *plus.size)
    middle = ((inked[0] + inked[2]) / 2, (inked[1] + inked[3]) / 2)
    turned = plus.rotate(45, Image.Resampling.BICUBIC, center=middle)
    size = math.ceil(plus.width / scale), math.ceil(plus.height / scale)
    return turned.resize(size, Image.Resampling.BOX), round(left / scale), round(top / scale)
