"""From a photograph to ink: how much of a stroke lies on each pixel, whatever the paper, the light and the polarity.

The paper is a smooth surface, fitted robustly so that strokes do not pull it; ink is what share of the paper's light is
missing (or, on a dark ground, what share of the missing light is there). A shadow dims paper and strokes alike, so that
share does not change with it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from convcli.datasets.pictures import LUMA, resize
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]

LEAST_CONTRAST = 0.06  # of full scale; a pencil on white paper has three times as much
_LEAST_LOCAL = 0.2  # paper that follows every shade of the picture makes strokes of the shades of empty paper
_GRID = 48  # the paper is fitted on a picture of at most this side: it is smooth
_ROUNDS = 12
_CARD = 0.85  # share of opaque pixels in their box from which they are a card with a digit on it, not the digit


@dataclass(frozen=True, eq=False)
class Ink:
    """How much ink lies on each pixel.

    Parameters
    ----------
    amount:
        (H, W) float32: 0 is paper; strokes are above 0, and what is on the other side of the paper's light below.
    noise:
        The standard deviation of paper.
    least:
        The amount below which strokes are none.
    """

    amount: Floats
    noise: float
    least: float = LEAST_CONTRAST


def to_grey(pixels: Pixels, has_alpha: bool, *, by_colour: bool = False) -> Floats:
    """Pixels of any of the four types as (H, W) float32 of 0..1, transparency filled in so that the digit shows.

    With ``by_colour`` grey is not how light a pixel is but where its tint lies on the line along which tints differ
    most: red ink on a green paper that is as dark.

    Transparent pixels around a card with a digit become the card's colour; where the opaque pixels themselves are the
    digit, whatever its colour, they become black and the others white.
    """
    values = _full_scale(pixels)
    alpha = values[:, :, -1] if has_alpha else None
    colours = values[:, :, :-1] if has_alpha else values
    weights = _contrast(colours) if by_colour else LUMA
    grey: Floats = (colours @ weights if colours.shape[2] == 3 else colours.mean(axis=2)).astype(np.float32)
    if by_colour:
        grey = np.clip(grey - np.median(grey) + np.float32(0.5), 0, 1)
    if alpha is None or alpha.min() >= 1:
        return grey
    opaque = alpha > 0.5
    if not opaque.any():
        return np.ones_like(grey)
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    box = opaque[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    shown = grey[opaque]
    if box.mean() >= _CARD and shown.std() > LEAST_CONTRAST:
        return grey * alpha + np.float32(np.median(shown)) * (1 - alpha)
    return 1 - alpha


def _contrast(colours: Floats) -> Floats:
    """The direction, of length 1, in which colours (H, W, 3) differ most where lightness, as of shadows, counts not."""
    few = colours[:: max(1, colours.shape[0] // 200), :: max(1, colours.shape[1] // 200)].reshape(-1, 3)
    tints = few.astype(np.float64) - few.mean(axis=1, keepdims=True)
    _, directions = np.linalg.eigh(tints.T @ tints / len(tints) - np.outer(tints.mean(axis=0), tints.mean(axis=0)))
    found: Floats = directions[:, -1].astype(np.float32)
    return found * np.float32(1 if found[0] >= 0 else -1)


def _full_scale(pixels: Pixels) -> Floats:
    if pixels.dtype.kind == "u":
        return np.divide(pixels, np.float32(np.iinfo(pixels.dtype).max), dtype=np.float32)
    values = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    # Floats of another scale than 0..1 have no white of their own; the brightest value has to stand for it.
    if low < 0 or high > 1:
        values = (values - np.float32(low)) / np.float32(max(high - low, 1e-12))
    return values


def find_ink(grey: Floats) -> Ink | None:
    """Estimate paper and polarity and return the ink, or None if nothing stands out from the paper.

    Polarity: strokes are on the side of the paper where more is beyond the noise.
    """
    paper = _fit_paper(grey)
    difference = grey - paper
    beyond = max(3 * _spread(difference), LEAST_CONTRAST / 2)
    darker = float(np.maximum(-difference - beyond, 0).sum())
    lighter = float(np.maximum(difference - beyond, 0).sum())
    if max(darker, lighter) == 0:
        return None
    # Both sides are each other's mirror image, so an inverted picture gives the same ink. The floor keeps the share
    # finite where the fitted paper is almost black (or, of chalk, almost white).
    return _ink(difference, paper, dark=darker >= lighter)


def find_local_ink(grey: Floats) -> Ink:
    """The ink if paper changes abruptly, at the edge of a shadow or of a table: paper is what surrounds thin strokes.

    Paper is the picture without all that is thinner than a sixth of it: its closing for dark strokes, its opening for
    light ones (J. Serra, Image Analysis and Mathematical Morphology, 1982: the top-hat transform). Polarity: without
    the strokes, little changes any more; without what lies between strokes, these only become broader.
    """
    side = max(3, max(grey.shape) // 6)
    # Of the mean of four pixels, since the largest of many noisy ones is no paper.
    smooth = resize(resize(grey, -(-grey.shape[0] // 2), -(-grey.shape[1] // 2)), *grey.shape)
    closed, opened = -_largest(-_largest(smooth, side), side), _largest(-_largest(-smooth, side), side)
    dark = _variation(closed) <= _variation(opened)
    paper = closed if dark else opened
    paper = paper + np.float32(np.median(grey - paper))
    return _ink(grey - paper, paper, dark=dark, least=_LEAST_LOCAL, floor=0.3)


def _variation(plane: Floats) -> float:
    """How much neighbouring pixels differ, all together."""
    return float(np.abs(np.diff(plane, axis=0)).sum() + np.abs(np.diff(plane, axis=1)).sum())


def _ink(difference: Floats, paper: Floats, *, dark: bool, least: float = LEAST_CONTRAST, floor: float = 0.15) -> Ink:
    sign, light = (-1, paper) if dark else (1, 1 - paper)
    amount: Floats = (sign * difference / np.maximum(light, np.float32(floor))).astype(np.float32)
    return Ink(amount, _spread(amount), least)


def _largest(plane: Floats, side: int) -> Floats:
    """The largest value in the square of ``side`` pixels around each pixel; nothing counts beyond the border."""
    for _ in range(2):
        padded = np.pad(plane, ((side // 2, side - 1 - side // 2), (0, 0)), constant_values=-np.inf)
        width = 1
        while width < side:
            step = min(width, side - width)
            padded = np.maximum(padded[:-step], padded[step:])
            width += step
        plane = padded.T
    return plane


def _fit_paper(grey: Floats) -> Floats:
    """The light of the paper alone: a quadratic surface through the pixels that agree with the border's.

    Iteratively reweighted least squares (P. W. Holland, R. E. Welsch, Robust regression using iteratively reweighted
    least-squares, 1977) with Cauchy-like weights, started from the border's median.
    """
    height, width = grey.shape
    shrink = min(1.0, _GRID / max(height, width))
    small = resize(grey, max(2, round(height * shrink)), max(2, round(width * shrink))).astype(np.float64)
    terms = _terms(*small.shape)
    values = small.ravel()
    rim = np.ones(small.shape, bool)
    depth = max(1, round(min(small.shape) / 12))
    rim[depth:-depth, depth:-depth] = False
    fitted = np.full(values.shape, np.median(small[rim]))
    scale = max(float(np.median(np.abs(values - fitted)[rim.ravel()])) * 2, 0.02)
    for _ in range(_ROUNDS):
        weights = 1 / (1 + ((values - fitted) / scale) ** 2) ** 2
        left = terms.T * weights
        # The small diagonal keeps a surface flat where no paper tells what it does.
        penalty = np.diag([0.0] + [1e-3 * len(values)] * 5)
        coefficients = np.linalg.solve(left @ terms + penalty * 1e-2, left @ values)
        fitted = terms @ coefficients
        scale = max(1.4826 * float(np.median(np.abs(values - fitted))) * 2, 0.02)
    one, down, across, down_squared, across_squared, both = coefficients
    y, x = _places(height)[:, np.newaxis], _places(width)
    surface = (one + down * y + down_squared * y**2) + (across * x + across_squared * x**2) + both * y * x
    paper: Floats = np.clip(surface, 0, 1).astype(np.float32)
    return paper


def _terms(height: int, width: int) -> npt.NDArray[np.float64]:
    """(H*W, 6): the terms of a quadratic surface over -1..1."""
    down, across = _places(height)[:, np.newaxis], _places(width)[np.newaxis]
    one = np.ones((height, width))
    terms = (one, down * one, across * one, down**2 * one, across**2 * one, down * across)
    return np.stack([term.ravel() for term in terms], axis=1)


def _places(size: int) -> npt.NDArray[np.float64]:
    """The middles of pixels along an axis from -1 to 1."""
    return (np.arange(size) + 0.5) / size * 2 - 1


def _spread(difference: Floats) -> float:
    """The standard deviation of paper: of the half of the pixels nearest to it, so that strokes do not count."""
    return 1.4826 * float(np.median(np.abs(difference)))
