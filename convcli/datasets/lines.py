"""Straight lines that are no ones: what tells the crease, the scratch and the band of a shadow from a stroke."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from convcli.datasets.components import find_components
from convcli.datasets.ink import find_inks, otsu
from convcli.datasets.shapes import is_straight
from convcli.datasets.strokes import Box, Strokes, box_overlap

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_SAME = 0.3  # of two boxes together is in both if they show the same
_CREASES = 3  # lines beside one that are too many
_PARALLEL = 0.8  # of 1, which lines of one ruling have
_SLANTING = 2  # pixels by which ends that are straight across the stroke rise beside the border
_BROAD = 10  # pixels: on narrower strokes the corners of such ends are as broad as they
_CUT_OFF = 0.9  # of its width
_UNBROKEN = 0.97  # of its middle
_FAINT = 4  # times the paper's noise


def why_no_one(strokes: Strokes, grey: Floats) -> str:
    """Why a straight line in a picture is no one; empty if it may be, and for all that is not straight."""
    shape = strokes.amount > 0.5
    if not is_straight(shape):
        return ""
    if _runs_through(shape, grey):
        return "a line that runs out of the picture at both ends"
    if _lies_among_creases(strokes.box, grey):
        return "a straight line among others in all directions, as creases are"
    return ""


def _runs_through(shape: Flags, grey: Floats) -> bool:
    """Whether it slants and goes on to the borders of the picture, which cut it off: a shadow's band.

    The ends of a one, drawn round or straight across the stroke, touch a border with a corner only.
    """
    places = np.argwhere(shape).astype(float)
    if len(places) < 3:
        return False
    direction = _direction(shape)
    across_by = np.array([np.cos(direction), -np.sin(direction)])  # of rows and columns
    width = float(np.std(places @ across_by) * np.sqrt(12))
    if width < _BROAD or width * min(abs(across_by)) < _SLANTING:
        return False
    down, right = np.indices(grey.shape) - places.mean(axis=0)[:, np.newaxis, np.newaxis]
    across = down * across_by[0] + right * across_by[1]
    ahead = right * across_by[0] - down * across_by[1] > 0
    inked = np.abs(grey - np.median(grey[shape])) < np.abs(grey - np.median(grey[~shape]))
    if inked[np.abs(across) < 1].mean() < _UNBROKEN:
        return False
    rim = inked & (np.abs(across) < 0.75 * width)
    rim[1:-1, 1:-1] = False
    return all(len(np.unique(np.floor(across[rim & end]))) >= _CUT_OFF * width for end in (ahead, ~ahead))


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
