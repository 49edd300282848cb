"""The receptive fields of a network's layers as nested frames over its input, numbered and explained beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.views.animation import INK, PAPER, QUIET, Box, Item, Text
from convcli.views.still import Drawing
from convcli.views.svg import text_width
from convcli.views.thinning import spread

_MARGIN, _LINE, _GAP = 24, 26, 28
_ROOM = 560  # pixels for the input's longer side
_GRID = 7  # pixels of a cell from which the grid is drawn
_TAG = 17  # side of a frame's number
# Okabe and Ito's colours without yellow, which is lost on white; numbers tell frames apart that share one.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_MOST = 14  # frames; of more, some evenly spread over all


@dataclass(frozen=True)
class Outline:
    """A frame over the input, in cells, and what it is."""

    note: str
    row: int
    column: int
    rows: int
    columns: int


def draw_fields(
    title: str, labels: Sequence[str], size: tuple[int, int], outlines: Sequence[Outline], pixels: NDArray[Any] | None
) -> Drawing:
    """Lay the input out with its frames, a numbered list of them at its right.

    ``size``: the input's, in cells; ``outlines``: frames from the smallest on; ``pixels``: perhaps a picture (H, W, C).
    """
    outlines = [outlines[place] for place in spread(len(outlines), _MOST)]
    rows, columns = size
    cell = min(_ROOM / max(rows, columns), 60)
    width, height = round(columns * cell), max(round(rows * cell), 1)
    left, top = _MARGIN, _MARGIN + 36 + _LINE * len(labels)
    items: list[Item] = [Text(_MARGIN, _MARGIN + 8, title, 19, bold=True)]
    items += [Text(_MARGIN, _MARGIN + 38 + _LINE * i, line, 14, QUIET) for i, line in enumerate(labels)]
    pictures = []
    if pixels is not None:
        pictures.append((left, top, _enlarged(pixels, width, height)))
    elif cell >= _GRID:
        edge = "#d9dcdf"
        items += [Box(left + column * cell, top, 0, height, "", edge) for column in range(columns + 1)]
        items += [Box(left, top + row * cell, width, 0, "", edge) for row in range(rows + 1)]
    items.append(Box(left, top, width, height, "", "#7d8790", 1))
    frames = [
        Box(left + each.column * cell, top + each.row * cell, each.columns * cell, each.rows * cell, "", colour, 3)
        for each, colour in zip(outlines, cycle(_COLOURS), strict=False)
    ]
    for frame in reversed(frames):
        # A light edge on both sides keeps frames visible on any picture.
        items += [Box(frame.x, frame.y, frame.width, frame.height, "", PAPER, 5), frame]
    items += _tags(frames, left, top, width, height)
    beside = left + width + _GAP
    items.append(Text(beside, top + 8, "fields, smallest first", 14, QUIET))
    for place, (each, frame) in enumerate(zip(outlines, frames, strict=True)):
        y = top + 8 + _LINE * (place + 1)
        items += [*_tag(place, beside, y - _TAG / 2, frame.edge), Text(beside + _TAG + 9, y, each.note, 14)]
    below = top + max(height, 8 + _LINE * (len(outlines) + 1))
    items.append(Text(left, below + 18, f"input: {rows} rows, {columns} columns", 13, QUIET))
    notes = [beside + _TAG + 9 + text_width(each.note, 14) for each in outlines]
    heads = [_MARGIN + text_width(line, 14) for line in labels]
    across = max(*notes, *heads, _MARGIN + text_width(title, 19, bold=True), beside + 200) + _MARGIN
    return Drawing(int(across), int(below + 18 + _MARGIN), items, title, ". ".join(labels), tuple(pictures))


def _tag(place: int, x: float, y: float, colour: str) -> list[Item]:
    return [
        Box(x, y, _TAG, _TAG, PAPER, colour, 1),
        Text(x + _TAG / 2, y + _TAG / 2, str(place + 1), 11, INK, "middle", True),
    ]


def _tags(frames: Sequence[Box], left: float, top: float, width: float, height: float) -> list[Item]:
    """A number on each frame's edge, where no other number is; none where there is no room, the list has it then."""
    taken: list[tuple[float, float]] = []
    items: list[Item] = []
    for place, frame in enumerate(frames):
        for x, y in _edge_points(frame):
            corner = x - _TAG / 2, y - _TAG / 2
            inside = (
                left - 9 <= corner[0] <= left + width - _TAG + 9 and top - 9 <= corner[1] <= top + height - _TAG + 9
            )
            if inside and all(abs(corner[0] - a) > _TAG + 2 or abs(corner[1] - b) > _TAG + 2 for a, b in taken):
                taken.append(corner)
                items += _tag(place, *corner, frame.edge)
                break
    return items


def _edge_points(frame: Box) -> list[tuple[float, float]]:
    """Points on a frame: its corners, then along its edges."""
    right, bottom = frame.x + frame.width, frame.y + frame.height
    corners = [(frame.x, frame.y), (right, frame.y), (right, bottom), (frame.x, bottom)]
    along: list[tuple[float, float]] = []
    for part in (0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875):
        x, y = frame.x + part * frame.width, frame.y + part * frame.height
        along += [(x, frame.y), (right, y), (x, bottom), (frame.x, y)]
    return corners + along


def _enlarged(pixels: NDArray[Any], width: int, height: int) -> NDArray[np.uint8]:
    """A picture (H, W, C) of 0..1 paled, so that frames stand out, and enlarged cell by cell."""
    from PIL import Image

    grey = pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)
    pale = np.rint(np.clip(grey, 0, 1) * 200 + 55).astype(np.uint8)
    return np.asarray(Image.fromarray(pale).resize((width, height), resample=0))  # 0: nearest
