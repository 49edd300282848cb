"""A film as an SVG that moves by itself (SMIL), in browsers, as an image and in slides. Standard library only."""

from collections.abc import Sequence
from html import escape

from convcli.views.animation import PAPER, Box, Film, Item, Text, lay_out
from convcli.views.schemes import with_dark_scheme
from convcli.views.signs import typeset
from convcli.views.svg import FONT

# Who asks for less motion sees the last frame.
_STILL = (
    "@media (prefers-reduced-motion: reduce) "
    "{ .frame { visibility: hidden !important } .last, .done { visibility: visible !important } }"
)


def as_svg(film: Film, delay: float) -> str:
    """The text of an SVG file; every frame lasts ``delay`` seconds, then it starts over."""
    scene = lay_out(film)
    count = len(film.frames)
    seconds = f"{count * delay:g}s"
    lines = [
        *opening(scene.width, scene.height, film.title, ". ".join(film.labels)),
        f"<style>{_STILL}</style>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        f"<g>{drawn_items(scene.still)}</g>",
    ]
    for index, items in enumerate(scene.lasting):
        lines.append(_group("done", index, items, _shown(index, count, count, seconds)))
    for index, items in enumerate(scene.moving):
        name = "frame last" if index == count - 1 else "frame"
        lines.append(_group(name, index, items, _shown(index, index + 1, count, seconds)))
    return with_dark_scheme("\n".join([*lines, "</svg>\n"]))


def opening(width: int, height: int, title: str, description: str) -> list[str]:
    """The lines that an SVG file begins with."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{FONT}" role="img">',
        f"<title>{escape(typeset(title))}</title>",
        f"<desc>{escape(typeset(description))}</desc>",
    ]


def _group(name: str, index: int, items: Sequence[Item], animation: str) -> str:
    # Where nothing moves, the first frame is seen.
    visible = "visible" if index == 0 else "hidden"
    return f'<g class="{name}" data-step="{index}" visibility="{visible}">{animation}{drawn_items(items)}</g>'


def _shown(first: int, end: int, count: int, seconds: str) -> str:
    """An animation that makes its group visible from frame ``first`` until frame ``end``, over and over."""
    if first == 0 and end == count:
        return ""
    values, times = ["visible"], [first / count]
    if first > 0:
        values, times = ["hidden", *values], [0.0, *times]
    if end < count:
        values, times = [*values, "hidden"], [*times, end / count]
    return (
        f'<animate attributeName="visibility" values="{";".join(values)}" '
        f'keyTimes="{";".join(f"{time:.6g}" for time in times)}" dur="{seconds}" calcMode="discrete" '
        'repeatCount="indefinite"/>'
    )


def drawn_items(items: Sequence[Item]) -> str:
    """Boxes and texts as SVG."""
    return "".join(_box(item) if isinstance(item, Box) else _text(item) for item in items)


def _box(box: Box) -> str:
    dashes = ' stroke-dasharray="3 3"' if box.dashed else ""
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" fill="{box.fill or "none"}" '
        f'stroke="{box.edge}" stroke-width="{box.thickness:g}"{dashes}/>'
    )


def _text(text: Text) -> str:
    weight = ' font-weight="bold"' if text.bold else ""
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    # The middle of the digits, not of the line: 0.35 of the size above the base line.
    return (
        f'<text x="{text.x:g}" y="{text.y + 0.35 * text.points:.1f}" font-size="{text.points:g}" '
        f'fill="{text.colour}"{anchor}{weight}>{escape(typeset(text.text))}</text>'
    )
