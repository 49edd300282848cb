"""From a photograph to ink: how much of a stroke lies on each pixel, whatever the paper, the light and the polarity.

Paper is what is left of a picture without all that is thin, so it follows slopes and edges of light, shadows and
tables; ink is what share of the paper's light is missing (or, on a dark ground, what share of the missing light is
there). A shadow dims paper and strokes alike, so that share does not change with it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from convcli.datasets.pictures import LUMA, resize
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]

LEAST_CONTRAST = 0.1  # of paper; a pencil on white paper has twice as much or more

_THICKEST = 0.3  # of a picture: strokes of a digit that fills it
_LARGE = 100  # pixels: smaller pictures have no pixels to spare
_DARKEST = 0.15  # of full scale: the share of missing light stays finite on black paper
_CARD = 0.85  # share of opaque pixels in their box from which they are a card with a digit on it, not the digit


@dataclass(frozen=True, eq=False)
class Ink:
    """How much ink lies on each pixel.

    Parameters
    ----------
    amount:
        (H, W) float32: 0 is paper; strokes are above 0, and what is on the other side of the paper's light below.
    shade:
        (H, W) float32: what share of light is missing if the lightest paper nearby is taken for paper.
    noise:
        The standard deviation of paper.
    dark:
        Whether it is darker than paper.
    """

    amount: Floats
    shade: Floats
    noise: float
    dark: bool


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
        # Halved, since paper is 0.5 here and tints of stains and of JPEG are no ink.
        grey = np.clip((grey - np.median(grey) + 1) / 2, 0, 1).astype(np.float32)
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


def is_flat(grey: Floats) -> bool:
    """Whether a picture holds no ink of any kind, nor light and shadow, beside noise."""
    half = resize(grey, *(-(-side // 2) for side in grey.shape))
    low, high = float(half.min()), float(half.max())
    # The mean of four pixels keeps at least a third of a thin stroke.
    return high - low < LEAST_CONTRAST / 3 * max(min(high, 1 - low), _DARKEST)


def find_inks(grey: Floats, thickest: float = _THICKEST, *, beyond: bool = True) -> tuple[Ink, Ink]:
    """The ink if strokes are darker than paper and if they are lighter, the likelier first.

    Paper is the picture without all that is dark and thinner than ``thickest``, a share of the picture: its closing;
    for light strokes its opening (J. Serra, Image Analysis and Mathematical Morphology, 1982: the top-hat transform).
    Without the strokes, little changes any more; without what lies between them, they only become broader.

    ``beyond`` the border the picture goes on as it ends there, so slopes and what lies along the border are paper; or
    else nothing is there, and strokes along the border are strokes.
    """
    # Of the mean of four pixels, since the largest of many noisy ones is no paper.
    small = resize(grey, *(-(-side // 2) if max(grey.shape) >= _LARGE else side for side in grey.shape))
    side = max(3, round(max(small.shape) * thickest)) | 1  # odd, or the closing is moved by a pixel
    around = side if beyond else 0
    padded = np.pad(small, around, mode="edge")
    inside = tuple(slice(around, around + length) for length in small.shape)
    closed = -_largest(-_largest(padded, side), side)[inside]
    opened = _largest(-_largest(-padded, side), side)[inside]
    dark = _missing(grey, *(resize(plane, *grey.shape) for plane in (small, closed)), dark=True)
    light = _missing(1 - grey, *(resize(1 - plane, *grey.shape) for plane in (small, opened)), dark=False)
    return (dark, light) if _variation(closed) <= _variation(opened) else (light, dark)


def _missing(grey: Floats, smooth: Floats, paper: Floats, *, dark: bool) -> Ink:
    """What share of the paper's light is missing."""
    # Where the smooth picture is its own paper, a difference is the edge that smoothing took away.
    cap = 2 * _largest(paper - smooth, 3)
    missing = paper - grey
    # The largest values are a little above paper where there is noise.
    some = few_of(missing)
    bias = np.float32(np.median(some[some <= otsu(some)]))
    light = np.maximum(paper - bias, np.float32(_DARKEST))
    amount: Floats = (np.minimum(paper - bias - grey, cap) / light).astype(np.float32)
    near = _largest(paper, 4 * blur(grey.shape) + 5) - bias
    shade: Floats = ((near - grey) / np.maximum(near, np.float32(_DARKEST))).astype(np.float32)
    some = few_of(amount)
    return Ink(amount, shade, _spread(some[some <= otsu(some)]), dark)


def few_of(plane: Floats) -> Floats:
    """Values enough for a median, from all over the plane."""
    every = max(1, min(plane.shape) // _LARGE)
    return plane[::every, ::every]


def blur(shape: tuple[int, ...]) -> int:
    """Pixels over which an edge in a picture may be blurred."""
    return max(1, round(max(shape) / 100))


def _variation(plane: Floats) -> float:
    """How much neighbouring pixels differ, all together."""
    return float(np.abs(np.diff(plane, axis=0)).sum() + np.abs(np.diff(plane, axis=1)).sum())


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


def _spread(difference: Floats) -> float:
    """The standard deviation of paper: of the half of the pixels nearest to it, so that strokes do not count."""
    return 1.4826 * float(np.median(np.abs(difference)))


def otsu(values: Floats) -> float:
    """The level that parts values into two classes of least variance.

    Source: N. Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    counts = np.bincount(np.clip(values * 256, 0, 255).astype(np.uint8).ravel(), minlength=256)
    edges = np.arange(257) / 256
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    between[~np.isfinite(between)] = -1
    best = np.flatnonzero(between == between.max())
    return float(edges[1:][best].mean())  # of equally good levels, all between the classes, the middle
