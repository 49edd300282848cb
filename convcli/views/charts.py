"""Curves as SVG that follows a page's light and dark: lines over whole numbers, from a style sheet's colours.

Standard library only. Files with curves are drawn by `convcli.views.curves`.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

from convcli.views.signs import typeset

_WIDTH, _HEIGHT = 420, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 48, 40
MOST_MARKS = 40  # points beyond which a line is drawn without marks
_MOST_TICKS = 12

Point = tuple[float, float]


def chart(
    title: str, series: Sequence[tuple[str, Sequence[Point]]], *, across: str, shown: Callable[[float], str]
) -> str:
    """Draw one or two lines.

    Parameters
    ----------
    title : str
        What is measured.
    series : sequence of (str, sequence of (float, float))
        A name and the line's points; the first is solid with discs, the second dashed with squares.
    across : str
        The name of the horizontal axis, whose numbers are whole.
    shown : callable
        How a number of the vertical axis is written.

    Returns
    -------
    str
        An ``<svg>`` element with the classes ``first``, ``second``, ``grid``, ``name`` and ``key``.
    """
    shown = _typeset(shown)
    points = [point for _, line in series for point in line]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    ticks = nice_ticks(min(y for _, y in points), max(y for _, y in points))
    low, high = ticks[0], ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - first) / (last - first) if last > first else 0.5
        return (
            _LEFT + 8 + share * (_WIDTH - _LEFT - _RIGHT - 16),
            _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM),
        )

    told = "; ".join(f"{name}: {shown(line[0][1])} to {shown(line[-1][1])}" for name, line in series)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(f"{title} by {across}. {told}")}">',
        f'<text class="name" x="{_LEFT}" y="18">{escape(title)}</text>',
    ]
    for y in ticks:
        height = at(first, y)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{escape(shown(y))}</text>')
    for x in whole_ticks(first, last):
        parts.append(f'<text x="{at(x, low)[0]:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{x:g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>')
    key = float(_LEFT)
    for (name, line), kind in zip(series, ("first", "second"), strict=False):
        parts += _line([at(*point) for point in line], kind, [f"{across} {x:g}: {shown(y)}" for x, y in line])
        parts.append(_mark(key + 5, 33, kind, "") + f'<text class="key" x="{key + 14}" y="37">{escape(name)}</text>')
        key += 30 + 7.4 * len(name)
    return "".join([*parts, "</svg>"])


def _typeset(shown: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: typeset(shown(value))


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``.

    >>> nice_ticks(0.913, 0.987)
    [0.9, 0.92, 0.94, 0.96, 0.98, 1.0]
    """
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - (abs(low) or 1) * 0.05, high + (abs(high) or 1) * 0.05
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step)) + 1)
    return [round(place * step, decimals) for place in range(start, end + 1)]


def whole_ticks(first: float, last: float) -> list[int]:
    """Whole numbers from ``first`` to ``last``, a dozen at most: all, every second one, or the first and round ones.

    >>> whole_ticks(1, 10), whole_ticks(1, 24)
    ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23])
    >>> whole_ticks(1, 60)
    [1, 10, 20, 30, 40, 50, 60]
    """
    start, end = math.ceil(first), math.floor(last)
    if end - start < 2 * _MOST_TICKS:
        return list(range(start, end + 1, 1 if end - start < _MOST_TICKS else 2))
    least = (end - start) / (_MOST_TICKS - 1)
    unit = 10 ** math.floor(math.log10(least))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least)
    # The first number and a round one close behind it would run into each other.
    return [start, *(x for x in range(0, end + 1, step) if x >= start + 0.6 * step)]


def _line(points: Sequence[Point], kind: str, notes: Sequence[str]) -> list[str]:
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline class="{kind}" points="{steps}"/>'] if len(points) > 1 else []
    if len(points) <= MOST_MARKS:
        parts += [_mark(x, y, kind, note) for (x, y), note in zip(points, notes, strict=True)]
    return parts


def _mark(x: float, y: float, kind: str, note: str) -> str:
    title = f"<title>{escape(note)}</title>" if note else ""
    if kind == "first":
        return f'<circle class="first" cx="{x:.1f}" cy="{y:.1f}" r="3.2">{title}</circle>'
    return f'<rect class="second" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6">{title}</rect>'
