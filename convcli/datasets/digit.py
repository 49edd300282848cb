"""A photograph of one digit, brought to the form of MNIST's: light on black, in a box of 20x20, centred on 28x28.

Source of the form: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits: "the images were
centered in a 28x28 image by computing the center of mass of the pixels". Measured on the 10,000 test images: the longer
side of the ink is 20 pixels, and the centre of mass lies within half a pixel of row 14, column 14, counted from 0.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from convcli.datasets.components import Components, find_components
from convcli.datasets.ink import Ink, find_ink, find_local_ink, to_grey
from convcli.datasets.pictures import resize
from convcli.errors import DataError
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]
FindInk = Callable[[Floats], Ink | None]
Plane = TypeVar("Plane", npt.NDArray[np.bool_], Floats)

_WORKING_SIDE = 224  # pixels: 11 for each of the box; larger photographs are averaged, which removes noise
_CLOSER = 0.5  # a digit smaller than this share of the working picture is cut out and looked at again
_THIN = 1.7  # pixels in a box of 20: the thinnest twentieth of MNIST's strokes measures 1.7
_BLUR = 0.3  # on large pictures a stroke ends where its ink falls below this share
_FAINT = 0.08  # ink below this share of a stroke's is paper, beside the noise


def prepare_digit(
    pixels: Pixels,
    *,
    has_alpha: bool = False,
    size: tuple[int, int] = (28, 28),
    box: int = 20,
    centre: Literal["mass", "box"] = "mass",
) -> Floats:
    """Find the digit in a picture and bring it to MNIST's form.

    Dark on light and light on dark give the same result; uneven light, specks, noise and what touches the border are
    removed; thin strokes are thickened to MNIST's before scaling. The same picture gives the same result to the bit.

    Parameters
    ----------
    pixels : ndarray
        (H, W) or (H, W, C), uint8, uint16 or float; C is 1 or 3, and one more with alpha. Any size.
    has_alpha : bool
        Whether the last channel is alpha.
    size : (int, int)
        Height and width of the result.
    box : int
        The longer side of the ink in the result.
    centre : {"mass", "box"}
        What is put on the middle: the ink's centre of mass, or the middle of its box.

    Returns
    -------
    ndarray
        (H, W) float32 of 0..1, ink is light.

    Raises
    ------
    DataError
        For a picture in which nothing stands out from the background.

    Examples
    --------
    >>> paper = np.full((60, 60), 230, np.uint8)
    >>> paper[10:50, 28:33] = 20
    >>> digit = prepare_digit(paper)
    >>> digit.shape, int((digit.max(axis=1) > 0.5).sum())
    ((28, 28), 20)
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] - has_alpha not in (1, 3) or 0 in pixels.shape:
        got = "x".join(map(str, pixels.shape))
        raise DataError(f"digit picture: got pixels of {got}, expected (H, W, C) with 1 or 3 colours")
    ink, found = _search(pixels, has_alpha)
    return _place(_cut(ink, found, box), size, box, centre)


def _search(pixels: Pixels, has_alpha: bool) -> tuple[Floats, Box]:
    """The ink of the digit: by lightness on smooth paper, or else on paper with edges, or else by colour."""
    grey = to_grey(pixels, has_alpha)
    try:
        return _look(grey, find_ink)
    except DataError as error:
        ways: list[tuple[Floats, FindInk]] = [(grey, find_local_ink)]
        if pixels.shape[2] - has_alpha == 3:
            ways.append((to_grey(pixels, has_alpha, by_colour=True), find_ink))
        for plane, find in ways:
            try:
                return _look(plane, find)
            except DataError:
                continue
        raise error


def _look(grey: Floats, find: FindInk) -> tuple[Floats, Box]:
    """The ink of the digit, scaled so that strokes are 1, and the box around it; a small digit is looked at twice."""
    small = _shrink(grey)
    ink, found = _isolate(small, find)
    top, left, bottom, right = found
    side = max(bottom - top, right - left)
    if side >= _CLOSER * max(small.shape) or small.shape == grey.shape:
        return ink, found
    # Paper and strokes of the neighbourhood tell more than those of the whole photograph.
    scale = grey.shape[0] / small.shape[0]
    margin = side // 2
    rows = slice(max(0, int((top - margin) * scale)), int((bottom + margin) * scale) + 1)
    columns = slice(max(0, int((left - margin) * scale)), int((right + margin) * scale) + 1)
    try:
        return _isolate(_shrink(grey[rows, columns]), find)
    except DataError:
        return ink, found


def _shrink(grey: Floats) -> Floats:
    shrink = _WORKING_SIDE / max(grey.shape)
    if shrink >= 1:
        return grey
    return resize(grey, max(1, round(grey.shape[0] * shrink)), max(1, round(grey.shape[1] * shrink)))


def _isolate(grey: Floats, find: FindInk) -> tuple[Floats, Box]:
    """The strokes of the digit alone, 0..1, and the box around them."""
    ink = find(grey)
    if ink is None:
        raise _blank(f"values from {grey.min():.2f} to {grey.max():.2f}")
    level = _otsu(ink.amount)
    mask = ink.amount > level
    strokes = ink.amount[mask]
    full = float(np.percentile(strokes, 75)) if strokes.size else 0.0
    if full < max(ink.least, 4 * ink.noise):
        raise _blank(f"a contrast of {max(full, 0):.3f} with noise of {ink.noise:.3f}")
    floor = max(3 * ink.noise, _FAINT * full if ink.noise > 0 else 0.0)
    kept = _keep(mask)
    if kept is None:
        raise _blank("specks only")
    # The soft edges of a stroke lie around its mask; what is further away is paper.
    near = _grow(kept, max(1, round(max(grey.shape) / 100)))
    clean = np.where(near, np.clip((ink.amount - floor) / (full - floor), 0, 1), 0).astype(np.float32)
    # On a small picture a faint pixel is a share of a stroke, as in MNIST itself; on a large one it is blur.
    unit = np.ptp(np.flatnonzero(kept.any(axis=1))) / 20
    edge = _BLUR * min(max((unit - 1) / 2, 0), 1)
    rows, columns = np.flatnonzero((clean > edge).any(axis=1)), np.flatnonzero((clean > edge).any(axis=0))
    return clean, (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _blank(got: str) -> DataError:
    return DataError(
        f"digit picture: no digit found, got {got}; expected dark strokes on a light ground or light ones on a dark"
    )


def _otsu(values: Floats) -> float:
    """The level that parts values into two classes of least variance.

    Source: N. Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    counts, edges = np.histogram(np.clip(values, 0, 1), 256, (0.0, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    between[~np.isfinite(between)] = -1
    best = np.flatnonzero(between == between.max())
    return float(edges[1:][best].mean())  # of equally good levels, all between the classes, the middle


def _keep(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """The parts that make up the digit: the largest, and others near it that are no specks.

    A part that touches the border is the table's edge or a neighbour's stroke, unless everything touches it. A frame
    around the digit is left out.
    """
    parts = find_components(mask)
    if not len(parts.areas):
        return None
    height, width = mask.shape
    top, left, bottom, right = parts.boxes.T
    inside = (top > 0) & (left > 0) & (bottom < height) & (right < width)
    tall = np.maximum(bottom - top, right - left)
    least = max(3, round(max(mask.shape) * 0.03))
    candidates = inside & (tall >= least)
    if not candidates.any() or parts.areas[candidates].max() < 0.05 * parts.areas.max():
        candidates = tall >= min(least, tall.max())
    candidates &= ~_frames(parts, candidates)
    scores = np.where(candidates, parts.areas, 0)
    main = int(scores.argmax())
    if parts.areas[main] < 4 or tall[main] < 3:
        return None
    reach = 0.35 * tall[main]
    distance = np.maximum(
        np.maximum(top[main] - bottom, top - bottom[main]), np.maximum(left[main] - right, left - right[main])
    )
    chosen = candidates & (parts.areas >= 0.08 * parts.areas[main]) & (distance <= reach)
    chosen[main] = True
    return np.concatenate([[False], chosen])[parts.labels]


def _frames(parts: Components, candidates: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which parts are frames drawn around a digit: they surround a part of at least 0.4 of their height."""
    top, left, bottom, right = parts.boxes.T
    height = bottom - top
    frames = np.zeros(len(parts.areas), bool)
    for outer in np.flatnonzero(candidates):
        inside = (top > top[outer]) & (left > left[outer]) & (bottom < bottom[outer]) & (right < right[outer])
        for inner in np.flatnonzero(candidates & inside & (height >= 0.4 * height[outer])):
            row, column = (top[inner] + bottom[inner]) // 2, (left[inner] + right[inner]) // 2
            across = np.flatnonzero(parts.labels[row] == outer + 1)
            down = np.flatnonzero(parts.labels[:, column] == outer + 1)
            if len(across) and len(down):
                frames[outer] |= bool(
                    across[0] < left[inner]
                    and right[inner] <= across[-1]
                    and down[0] < top[inner]
                    and bottom[inner] <= down[-1]
                )
    return frames


def _grow(mask: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
    for _ in range(steps):
        mask = _spread_once(mask, diagonal=True)
    return mask


def _spread_once(plane: Plane, *, diagonal: bool) -> Plane:
    """Every pixel takes the largest value of its neighbours: the four beside it, or all eight."""
    down = plane.copy()
    np.maximum(down[1:], plane[:-1], out=down[1:])
    np.maximum(down[:-1], plane[1:], out=down[:-1])
    source = down if diagonal else plane
    result = down.copy()
    np.maximum(result[:, 1:], source[:, :-1], out=result[:, 1:])
    np.maximum(result[:, :-1], source[:, 1:], out=result[:, :-1])
    return result


def _cut(ink: Floats, found: Box, box: int) -> Floats:
    """The digit alone, strokes thickened to at least what MNIST has, scaled so that its longer side is the box."""
    top, left, bottom, right = found
    ink = ink[top:bottom, left:right]
    unit = max(ink.shape) / 20
    missing = _THIN * unit - _stroke_width(ink)
    # Thickening by one pixel at each side in turn makes strokes two pixels thicker.
    steps = round(missing / 2) if missing > 0 else 0
    if steps:
        ink = np.pad(ink, steps)
        for step in range(steps):
            ink = _spread_once(ink, diagonal=step % 2 == 1)
    scale = box / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    return np.clip(resize(ink, height, width), 0, 1)


def _stroke_width(ink: Floats) -> float:
    """The mean width of strokes in pixels: twice their area by their outline.

    An outline counted in pixel sides is 4/pi too long on average over all directions (Cauchy-Crofton).
    """
    padded = np.pad(ink, 1)
    outline = float(np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum())
    return 2 * float(ink.sum()) / (outline * np.pi / 4)


def _place(digit: Floats, size: tuple[int, int], box: int, centre: str) -> Floats:
    """Put the digit onto an empty picture, its centre on the middle, moved by whole pixels, never over the edge."""
    result = np.zeros(size, np.float32)
    corner = []
    for axis in (0, 1):
        profile = digit.sum(axis=1 - axis, dtype=np.float64)
        if centre == "mass":
            # MNIST's middle is the pixel of index 14, the one behind the exact middle.
            start = round(size[axis] // 2 - float(profile @ np.arange(len(profile))) / float(profile.sum()))
        else:
            start = (size[axis] - digit.shape[axis]) // 2
        corner.append(min(max(start, 0), size[axis] - digit.shape[axis]))
    result[corner[0] : corner[0] + digit.shape[0], corner[1] : corner[1] + digit.shape[1]] = digit
    return result
