"""What notebooks show instead of a line of text: tables and matrices as HTML. Standard library only.

Colours are said for text and ground together, so that they can be read on a light and on a dark page.
"""

from collections.abc import Sequence
from html import escape
from math import isfinite

_MOST_NUMBERS = 400  # in a matrix: more are shown as colours alone
_MOST_CELLS = 10_000  # of colours: more are only counted
# From white: blue below zero, orange above it, and black text is still read on the strongest.
_BELOW, _ABOVE = (110, 178, 222), (250, 163, 88)
_BOX = '<div style="overflow-x:auto">'  # what is wider than the notebook scrolls


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A table under a title, and lines beneath it; the first column is text, the others numbers."""
    cells = [f"<tr>{''.join(_cell('th', each, column) for column, each in enumerate(head))}</tr>"]
    cells += [f"<tr>{''.join(_cell('td', each, column) for column, each in enumerate(row))}</tr>" for row in rows]
    return f"{_BOX}{_title(title)}<table>{''.join(cells)}</table>{''.join(map(_note, notes))}</div>"


def matrices(
    title: str, planes: Sequence[Sequence[Sequence[float]]], names: Sequence[str] = (), notes: Sequence[str] = ()
) -> str:
    """Matrices of numbers side by side, coloured by their sign and size.

    >>> matrices("", [[[1.0, -0.5]]]).count("<td")
    2
    """
    count = sum(len(row) for plane in planes for row in plane)
    if not count:
        return f"{_BOX}{_title(title)}{_note('no numbers')}{''.join(map(_note, notes))}</div>"
    if count > _MOST_CELLS:
        size = "x".join(map(str, (len(planes), len(planes[0]), len(planes[0][0]))))
        return f"{_BOX}{_title(title)}{_note(f'{size} numbers: too many to draw')}{''.join(map(_note, notes))}</div>"
    sizes = (abs(each) for plane in planes for row in plane for each in row)
    largest = max((each for each in sizes if isfinite(each)), default=0.0) or 1.0
    style = "display:inline-table;margin:0 1em .5em 0"
    drawn = [
        f'<table style="{style}">{_caption(name)}{_rows(plane, largest, count)}</table>'
        for plane, name in zip(planes, [*names, *[""] * len(planes)], strict=False)
    ]
    return f"{_BOX}{_title(title)}{''.join(drawn)}{''.join(map(_note, notes))}</div>"


def signed(number: str) -> str:
    """A number as text with real minus signs."""
    return number.replace("-", "−")


def frame(page: str, height: int = 820) -> str:
    """A whole page in a frame of its own: its scripts reach nothing outside."""
    style = f"width:100%;height:{height}px;border:1px solid #888"
    return f'<iframe srcdoc="{escape(page)}" sandbox="allow-scripts" style="{style}"></iframe>'


def _rows(plane: Sequence[Sequence[float]], largest: float, count: int) -> str:
    rows = ("".join(_number(each, largest, shows=count <= _MOST_NUMBERS) for each in row) for row in plane)
    return "".join(f"<tr>{row}</tr>" for row in rows)


def _number(number: float, largest: float, *, shows: bool) -> str:
    share = min(abs(number) / largest, 1.0) if isfinite(number) else 0.0
    end = _BELOW if number < 0 else _ABOVE
    colour = ",".join(str(round(255 + (each - 255) * share)) for each in end)
    text = f"{number:.4g}" if shows else ""
    size = "padding:.2em .6em;text-align:right" if shows else "padding:0;width:5px;height:5px"
    style = f"background:rgb({colour});color:#000;{size}"
    return f'<td title="{signed(f"{number:g}")}" style="{style}">{signed(text)}</td>'


def _cell(tag: str, text: str, column: int) -> str:
    return f'<{tag} style="text-align:{"right" if column else "left"};padding:.1em .6em">{escape(text)}</{tag}>'


def _caption(text: str) -> str:
    return f"<caption>{escape(text)}</caption>" if text else ""


def _title(text: str) -> str:
    return f"<b>{escape(text)}</b><br>" if text else ""


def _note(text: str) -> str:
    return f"<div>{escape(text)}</div>" if text else ""
