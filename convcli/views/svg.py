"""Pieces of SVG text: labels, polygons, lines, and how wide a text may become. Standard library only."""

from collections.abc import Sequence
from html import escape

from convcli.views.signs import typeset

FONT = "Helvetica, Arial, sans-serif"
INK, QUIET, LINE = "#1a1a1a", "#555555", "#777777"


def broken(text: str, points: float, width: float) -> list[str]:
    """A text in lines of about a width, broken at blanks."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", points) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def text_width(text: str, points: float, bold: bool = False) -> float:
    """An estimate on the safe side for the widest of the usual sans-serif fonts."""
    return len(text) * points * (0.66 if bold else 0.6)


def label(
    x: float, y: float, text: str, points: float, *, bold: bool = False, colour: str = INK, anchor: str = "middle"
) -> str:
    """A text at a point; ``anchor`` says which of its ends or its middle lies there."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{points:g}" text-anchor="{anchor}" fill="{colour}"{weight}>'
        f"{escape(typeset(text))}</text>"
    )


def polygon(points: Sequence[tuple[float, float]], fill: str) -> str:
    """A filled polygon with a thin outline."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{corners}" fill="{fill}" stroke="{INK}" stroke-width="0.6" stroke-linejoin="round"/>'


def path(points: Sequence[tuple[float, float]], *, arrow: bool = False, dashed: bool = False) -> str:
    """A line through points, with an arrow at its end if asked."""
    steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    line = f'<path d="M{steps}" fill="none" stroke="{LINE}" stroke-width="1.2"{dashes}/>'
    if not arrow:
        return line
    x, y = points[-1]
    return line + f'<path d="M{x - 6:.1f} {y - 3.5:.1f} L{x:.1f} {y:.1f} L{x - 6:.1f} {y + 3.5:.1f} Z" fill="{LINE}"/>'


def mix(colour: str, light: float) -> str:
    """A colour moved towards white (up to 1) or black (down to -1)."""
    channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    moved = [each + (255 - each) * light if light > 0 else each * (1 + light) for each in channels]
    return "#" + "".join(f"{round(each):02x}" for each in moved)
