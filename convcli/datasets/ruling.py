"""Thin straight lines all across a picture, as of ruled and squared paper and of folds, and ink without them."""

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]

_STEEPEST = 0.1  # rows for each column: 6 degrees
_THINNEST_STROKE = 0.025  # of a picture's side: thicker lines may be the bar of a digit that fills it
_COVERED = 0.8  # share of a line on which there is ink
_SLOPES = 2  # lines of paper are parallel, but for the lens
_EACH = 4  # columns: of so many one is looked at to find lines
_SMALLEST = 40  # pixels: on smaller pictures a line is as thick as a stroke


def without_ruling(mask: Flags) -> Flags:
    """Ink without lines from border to border; where strokes cross them, strokes stay.

    >>> mask = np.zeros((60, 80), bool); mask[20] = True; mask[10:50, 40:44] = True
    >>> int(without_ruling(mask).sum())
    160
    """
    if min(mask.shape) < _SMALLEST:
        return mask
    return _without_rows(_without_rows(mask).T).T


def _without_rows(mask: Flags) -> Flags:
    """Ink without lines that go from the left border to the right one: those of one slope, then those of another."""
    width = mask.shape[1]
    thickest = 2 + max(2, round(_THINNEST_STROKE * max(mask.shape)))
    most = int(_STEEPEST * width)
    for _ in range(_SLOPES):
        # A line that is a pixel off its slope is still a line.
        broad = mask.copy()
        broad[1:] |= mask[:-1]
        broad[:-1] |= mask[1:]
        covered, drop = max(
            ((_covered(broad, drop), drop) for drop in range(-most, most + 1)),
            key=lambda each: float((each[0] ** 4).sum()),
        )
        lines = covered > _COVERED
        edges = np.flatnonzero(np.diff(np.concatenate([[False], lines, [False]]).astype(np.int8))).reshape(-1, 2)
        found = [(start, stop) for start, stop in edges.tolist() if stop - start <= thickest]
        if not found:
            break
        rows, inside = _along(mask.shape, drop)
        for start, stop in found:
            mask = _erase(mask, rows, inside, start, stop)
    return mask


def _along(shape: tuple[int, int], drop: int) -> tuple[npt.NDArray[np.int64], Flags]:
    """For each line of a slope, which drops by so many rows, its row in each column, and where that is inside."""
    height, width = shape
    rows = np.arange(height)[:, np.newaxis] + np.round(np.linspace(-drop / 2, drop / 2, width)).astype(np.int64)
    return np.clip(rows, 0, height - 1), (rows >= 0) & (rows < height)


def _covered(mask: Flags, drop: int) -> npt.NDArray[np.float64]:
    """Which share of each line of a slope has ink; a line outside the picture for more than its half has none."""
    rows, inside = _along(mask.shape, drop)
    rows, inside = rows[:, ::_EACH], inside[:, ::_EACH]
    there = np.take_along_axis(mask[:, ::_EACH], rows, 0) & inside
    share: npt.NDArray[np.float64] = there.sum(axis=1) / np.maximum(inside.sum(axis=1), rows.shape[1] // 2)
    return share


def _erase(mask: Flags, rows: npt.NDArray[np.int64], inside: Flags, start: int, stop: int) -> Flags:
    """Ink without the line between two rows of the straightened picture, but for columns with ink beside it."""
    height = len(rows)
    columns = np.arange(mask.shape[1])
    beside = np.zeros(mask.shape[1], bool)
    for row in (start - 1, stop):
        if 0 <= row < height:
            beside |= mask[rows[row], columns] & inside[row]
    mask = mask.copy()
    for row in range(start, stop):
        gone = ~beside & inside[row]
        mask[rows[row, gone], columns[gone]] = False
    return mask
