"""Connected components of a picture of truth values, from runs along rows: few runs, however many pixels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Components:
    """The connected parts of a picture; part ``i`` is where ``labels == i + 1``.

    Parameters
    ----------
    labels:
        (H, W) int64, 0 where there is nothing.
    areas:
        (N,) pixels of each part.
    boxes:
        (N, 4) top, left, bottom, right of each part; bottom and right lie one behind it.
    """

    labels: npt.NDArray[np.int64]
    areas: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]


def find_components(flags: Flags) -> Components:
    """Label the parts of (H, W) flags; pixels that touch at a corner belong together.

    >>> find_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], bool)).areas.tolist()
    [2, 2]
    """
    height, width = flags.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = flags
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    roots = _join(rows, starts, ends)
    _, names = np.unique(roots, return_inverse=True)
    count = int(names.max()) + 1 if len(names) else 0
    areas = np.bincount(names, ends - starts, count).astype(np.int64)
    boxes = np.empty((count, 4), np.int64)
    boxes[:, :2] = max(height, width)
    boxes[:, 2:] = 0
    for column, values in enumerate((rows, starts)):
        np.minimum.at(boxes[:, column], names, values)
    for column, values in enumerate((rows + 1, ends), 2):
        np.maximum.at(boxes[:, column], names, values)
    # Each run adds its name where it begins and takes it away where it ends; the running sum paints it.
    marks = np.zeros((height, width + 1), np.int64)
    np.add.at(marks, (rows, starts), names + 1)
    np.add.at(marks, (rows, ends), -(names + 1))
    return Components(np.cumsum(marks, axis=1)[:, :-1], areas, boxes)


def _join(rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> list[int]:
    """For each run the first run of its part: runs of neighbouring rows belong together where they touch."""
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    row_list, start_list, end_list = rows.tolist(), starts.tolist(), ends.tolist()
    above = 0
    for run, row in enumerate(row_list):
        # Runs come row by row, left to right, so the first that can touch never moves back.
        while row_list[above] < row - 1 or (row_list[above] == row - 1 and end_list[above] < start_list[run]):
            above += 1
        other = above
        while other < run and row_list[other] == row - 1 and start_list[other] <= end_list[run]:
            first, second = sorted((root(other), root(run)))
            parents[second] = first
            other += 1
    return [root(run) for run in range(len(parents))]
