"""A photograph of one digit, brought to the form of MNIST's: light on black, in a box of 20x20, centred on 28x28.

Source of the form: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits: "the images were
centered in a 28x28 image by computing the center of mass of the pixels". Measured on the 10,000 test images: the longer
side of the ink is 20 pixels, and the centre of mass lies within half a pixel of row 14, column 14, counted from 0.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from convcli.datasets.ink import to_grey
from convcli.datasets.pictures import resize
from convcli.datasets.search import search
from convcli.datasets.shapes import stroke_width
from convcli.datasets.strokes import Box, region_of, spread_once
from convcli.errors import DataError
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]

_PAPER = 0.01  # of full scale: a data set has no ink at all there
_THIN = 1.7  # pixels in a box of 20: the thinnest twentieth of MNIST's strokes measures 1.7


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
        For a picture without strokes of a digit on a background, or with several digits.

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
    ready = _ready(to_grey(pixels, has_alpha), size, box, centre) if pixels.shape[:2] == size else None
    if ready is not None:
        return ready
    strokes = search(pixels, has_alpha)
    if strokes.others:
        raise DataError(_several([strokes.box, *strokes.others]))
    return _place(_cut(strokes.amount, strokes.box, box), size, box, centre)


def _ready(grey: Floats, size: tuple[int, int], box: int, centre: str) -> Floats | None:
    """The picture as it is, or inverted, if it has the form already."""
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    digit: Floats = 1 - grey if np.median(rim) > 0.5 else grey
    if centre != "mass":  # a box that may fill the picture, at any place in it
        return digit if box >= min(size) and np.ptp(grey) >= 0.5 else None
    if box >= min(size):
        return None
    rows, columns = (np.flatnonzero(digit.max(axis=axis) > _PAPER) for axis in (1, 0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) + 1 != box or digit.max() < 0.5:
        return None
    for axis in (0, 1):
        profile = digit.sum(axis=1 - axis, dtype=np.float64)
        if abs(float(profile @ np.arange(size[axis]) / profile.sum()) - size[axis] // 2) > 0.75:
            return None
    return digit


def _several(boxes: Sequence[Box]) -> str:
    places = " ".join(map(region_of, sorted(boxes, key=lambda box: box[1])))
    return f"digit picture: several digits found, got {len(boxes)} (at {places}), expected one; --each tells each"


def _cut(ink: Floats, found: Box, box: int) -> Floats:
    """The digit alone, strokes thickened to at least what MNIST has, scaled so that its longer side is the box."""
    top, left, bottom, right = found
    ink = ink[top:bottom, left:right]
    unit = max(ink.shape) / 20
    missing = _THIN * unit - stroke_width(ink)
    # Thickening by one pixel at each side in turn makes strokes two pixels thicker.
    steps = round(missing / 2) if missing > 0 else 0
    if steps:
        ink = np.pad(ink, steps)
        for step in range(steps):
            ink = spread_once(ink, diagonal=step % 2 == 1)
    scale = box / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    return np.clip(resize(ink, height, width), 0, 1)


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
