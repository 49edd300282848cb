"""The figure of `convcli equivariance`: input and shifted input, then shift f(x), f(shift x) and their difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli.views.figure import Panel, Pixels, draw_figure, fitted
from convcli.views.signed import signed_colours
from convcli.views.thinning import strongest

_SIDE = 320

Map = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Compared:
    """One row: two maps (H, W) of a step, the interior (row, column, rows, columns), and what was measured and done."""

    name: str
    expected: Map
    got: Map
    frame: tuple[int, int, int, int] | None
    notes: tuple[str, ...]
    moved: str


def draw_equivariance(
    before: Map, after: Map, shift: tuple[int, int], rows: Sequence[Compared], *, title: str
) -> Pixels:
    """Draw the inputs (H, W, C) of 0..1 and a row for each step: (H', W', 3) uint8."""
    moved = f"moved {shift[0]} rows down, {shift[1]} columns right; it goes round"
    panels = [[Panel("x", _grey(before)), Panel("shift x", _grey(after), (moved,))]]
    panels += [_row(row) for row in rows]
    notes = [
        "Is f(shift x) the same as shift f(x)? White in the last column: yes.",
        "Framed: the interior, which neither the border nor the seam has touched.",
    ]
    return draw_figure(panels, title=title, notes=notes)


def _row(row: Compared) -> list[Panel]:
    largest = float(max(np.abs(row.expected).max(), np.abs(row.got).max())) or 1.0
    difference = row.got.astype(np.float64) - row.expected
    maps = [
        (f"shift f(x): {row.name}", row.expected, (row.moved,)),
        (f"f(shift x): {row.name}", row.got, ()),
        ("f(shift x) − shift f(x)", difference, row.notes),
    ]
    # One scale for all three, so that the difference is seen beside what differs.
    return [_panel(title, values, largest, row.frame, notes) for title, values, notes in maps]


def _panel(
    title: str, values: Map, largest: float, frame: tuple[int, int, int, int] | None, notes: tuple[str, ...]
) -> Panel:
    block = -(-max(values.shape) // _SIDE)
    colours = fitted(signed_colours(strongest(values, block), largest), _SIDE)
    mark = None
    if frame is not None:
        factor = colours.shape[0] / -(-values.shape[0] // block) / block
        row, column, rows, columns = (round(each * factor) for each in frame)
        mark = (row + 3, column + 3, max(rows - 5, 1), max(columns - 5, 1))
    return Panel(title, colours, notes, largest, mark)


def _grey(x: Map) -> Pixels:
    pixels = np.rint(np.clip(np.nan_to_num(x), 0, 1) * 255).astype(np.uint8)
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
    return fitted(pixels, _SIDE)
