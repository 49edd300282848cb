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
    thickest = 2 + max(2, round(_THINNEST_STROKE * max(mask.shape)))
    for _ in range(_SLOPES):
        # Half of a line's columns are inside the picture, so most pictures hold no line at first sight.
        if mask[:, ::_EACH].any(axis=0).mean() <= _COVERED / 2:
            break
        # A line that is a pixel off its slope is still a line.
        broad = mask.copy()
        broad[1:] |= mask[:-1]
        broad[:-1] |= mask[1:]
        covered = _covered(broad)
        steepest = int((covered**4).sum(axis=1).argmax())
        rows, inside = _along(mask.shape, steepest - _most(mask.shape[1]))
        lines = covered[steepest] > _COVERED
        edges = np.flatnonzero(np.diff(np.concatenate([[False], lines, [False]]).astype(np.int8))).reshape(-1, 2)
        found = [(start, stop) for start, stop in edges.tolist() if stop - start <= thickest]
        # A single line that ends inside the picture may be the bar of a digit; a frame has two.
        if not found or (len(found) == 1 and not _ends(broad, rows, inside)[slice(*found[0])].any()):
            break
        for start, stop in found:
            mask = _erase(mask, rows, inside, start, stop)
    return mask


def _most(width: int) -> int:
    return int(_STEEPEST * width)


def _along(shape: tuple[int, int], drop: int) -> tuple[npt.NDArray[np.int64], Flags]:
    """For each line of a slope, which drops by so many rows, its row in each column, and where that is inside."""
    rows = np.arange(shape[0])[:, np.newaxis] + _offsets(shape[1])[_most(shape[1]) + drop]
    return np.clip(rows, 0, shape[0] - 1), (rows >= 0) & (rows < shape[0])


def _ends(mask: Flags, rows: npt.NDArray[np.int64], inside: Flags) -> Flags:
    """Whether each line has ink where it leaves the picture at the left and at the right."""
    ends: Flags = (mask[rows[:, 0], 0] | ~inside[:, 0]) & (mask[rows[:, -1], -1] | ~inside[:, -1])
    return ends


def _offsets(width: int) -> npt.NDArray[np.int64]:
    """How far a line lies below its middle in each column, for each drop from the steepest rise on."""
    drops = np.arange(-_most(width), _most(width) + 1)
    return np.round(drops[:, np.newaxis] * np.linspace(-0.5, 0.5, width)).astype(np.int64)


def _covered(mask: Flags) -> npt.NDArray[np.float64]:
    """Which share of each line of each slope has ink; a line outside the picture for more than its half has none."""
    ink, inside = _sums(mask), _sums(np.ones_like(mask))
    share: npt.NDArray[np.float64] = ink / np.maximum(inside, -(-mask.shape[1] // _EACH) // 2)
    return share


def _sums(mask: Flags) -> npt.NDArray[np.int64]:
    """For each slope and each row in the middle, how many of the columns looked at have ink on the line."""
    height, width = mask.shape
    offsets = _offsets(width)[:, ::_EACH]
    around = _most(width) // 2 + 1
    columns = np.pad(mask, ((around, around), (0, 0)))[:, ::_EACH].T
    shifted = np.lib.stride_tricks.sliding_window_view(columns, height, axis=1)
    found: npt.NDArray[np.int64] = shifted[np.arange(offsets.shape[1]), offsets + around].sum(axis=1, dtype=np.int64)
    return found


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
