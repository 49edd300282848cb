"""Straight lines that are no ones: what tells the crease, the scratch and the band of a shadow from a stroke."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from convcli.datasets.components import find_components
from convcli.datasets.ink import find_inks, otsu
from convcli.datasets.shapes import is_straight, stroke_width
from convcli.datasets.strokes import Box, Strokes, box_overlap

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_SAME = 0.3  # of two boxes together is in both if they show the same
_CREASES = 3  # lines beside one that are too many
_PARALLEL = 0.8  # of 1, which lines of one ruling have
_SLANTING = 0.3  # the sine of twice the angle: nine degrees off upright or level
_CUT_OFF = 1.05  # of its width
_FAINT = 4  # times the paper's noise


def why_no_one(strokes: Strokes, grey: Floats) -> str:
    """Why a straight line in a picture is no one; empty if it may be, and for all that is not straight."""
    shape = strokes.amount > 0.5
    if not is_straight(shape):
        return ""
    if _runs_through(shape):
        return "a line that runs out of the picture at both ends"
    if _lies_among_creases(strokes.box, grey):
        return "a straight line among others in all directions, as creases are"
    return ""


def _runs_through(shape: Flags) -> bool:
    """Whether it slants and the borders of the picture cut it off: a shadow's band.

    The ends of a one, drawn straight across the stroke, touch a border with a corner only.
    """
    slant = abs(np.sin(2 * _direction(shape)))
    contacts = sorted(int(border.sum()) for border in (shape[0], shape[-1], shape[:, 0], shape[:, -1]))
    return bool(slant > _SLANTING and contacts[-2] >= _CUT_OFF * stroke_width(shape))


def _lies_among_creases(box: Box, grey: Floats) -> bool:
    """Whether lines at least half as long lie about that are no ruling.

    Lines of a ruling or of squares are parallel or at right angles; creases and scratches have all directions, and may
    be darker or lighter than the paper.
    """
    top, left, bottom, right = box
    least = max(bottom - top, right - left) / 2
    directions = [
        direction
        for ink in find_inks(grey)
        for direction in _lines(ink.amount > max(_FAINT * ink.noise, otsu(ink.amount) / 2), least, box)
    ]
    return len(directions) >= _CREASES and bool(abs(np.mean(np.exp(4j * np.array(directions)))) < _PARALLEL)


def _lines(mask: Flags, least: float, apart_from: Box) -> Iterator[float]:
    """The directions, in radians, of straight parts at least so long, but for one that is already known."""
    parts = find_components(mask)
    for part, (top, left, bottom, right) in enumerate(parts.boxes.tolist()):
        if max(bottom - top, right - left) < least or box_overlap((top, left, bottom, right), apart_from) >= _SAME:
            continue
        shape = parts.labels[top:bottom, left:right] == part + 1
        if is_straight(shape):
            yield _direction(shape)


def _direction(shape: Flags) -> float:
    """Of a line, in radians."""
    rows, columns = np.nonzero(shape)
    spread = np.cov(np.stack([rows, columns]).astype(float))
    return 0.5 * float(np.arctan2(2 * spread[0, 1], spread[1, 1] - spread[0, 0]))
