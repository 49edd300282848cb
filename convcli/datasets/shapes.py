"""What is measured on the shape of ink: how thick strokes are, whether it is a line, how much of a box it fills."""

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]


def stroke_width(ink: npt.NDArray[np.float32] | Flags) -> float:
    """The mean width of strokes in pixels: twice their area by their outline.

    An outline counted in pixel sides is 4/pi too long on average over all directions (Cauchy-Crofton).

    >>> bar = np.zeros((60, 60), bool); bar[10:50, 28:32] = True
    >>> round(stroke_width(bar), 1)
    4.6
    """
    padded = np.pad(ink.astype(np.float32), 1)
    outline = float(np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum())
    return 2 * float(ink.sum()) / (outline * np.pi / 4)


def is_straight(shape: Flags) -> bool:
    """Whether a shape is one straight line: hardly wider than its stroke.

    >>> is_straight(np.eye(40, dtype=bool)), is_straight(np.eye(40, dtype=bool) | np.eye(40, dtype=bool)[::-1])
    (True, False)
    """
    rows, columns = np.nonzero(shape)
    if len(rows) < 3:
        return True
    # The standard deviation across a bar is its width by the root of 12.
    across = float(np.sqrt(max(np.linalg.eigvalsh(np.cov(np.stack([rows, columns]).astype(float)))[0], 0) * 12))
    return across <= 1.6 * stroke_width(shape) + 1


def hull_and_box(shape: Flags) -> tuple[float, float]:
    """The areas of the convex hull of a shape and of the smallest turned rectangle around it.

    >>> hull, box = hull_and_box(np.ones((20, 10), bool))
    >>> round(hull), round(box)
    (200, 200)
    """
    corners = _hull(shape)
    behind = np.roll(corners, -1, axis=0)
    area = 0.5 * abs(float((corners[:, 0] * behind[:, 1] - corners[:, 1] * behind[:, 0]).sum()))
    angles = np.arange(45) * (np.pi / 90)
    along = corners @ np.stack([np.cos(angles), np.sin(angles)])
    beside = corners @ np.stack([-np.sin(angles), np.cos(angles)])
    return area, float((np.ptp(along, axis=0) * np.ptp(beside, axis=0)).min())


def _hull(shape: Flags) -> npt.NDArray[np.float64]:
    """The corners of the convex hull, around it (A. M. Andrew, Another efficient algorithm for convex hulls, 1979)."""
    rows = np.flatnonzero(shape.any(axis=1))
    firsts, ends = shape[rows].argmax(axis=1), shape.shape[1] - shape[rows, ::-1].argmax(axis=1)
    points = sorted(
        {(row + step, column) for row, *both in zip(rows.tolist(), firsts.tolist(), ends.tolist(), strict=True)
         for column in both for step in (0, 1)}
    )  # fmt: skip
    return np.array(_chain(points)[:-1] + _chain(points[::-1])[:-1], np.float64)


def _chain(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The corners of one side of the hull."""
    chain: list[tuple[int, int]] = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(first: tuple[int, int], second: tuple[int, int], third: tuple[int, int]) -> int:
    ahead = (second[0] - first[0]) * (third[1] - first[1])
    return ahead - (second[1] - first[1]) * (third[0] - first[0])
