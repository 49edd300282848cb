"""The figure of `convcli saliency`: a picture, and maps of signed numbers laid over it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.views.figure import Panel, Pixels, draw_figure, fitted
from convcli.views.grid import enlarged
from convcli.views.montage import largest_of
from convcli.views.signed import signed_colours

_SIDE = 280
_DARKEST = 0.62  # of the picture below a map, so that colours show on it
_NAMES = {"gradient": "gradient", "gradcam": "Grad-CAM", "occlusion": "occlusion"}


def draw_saliency(
    picture: NDArray[Any], maps: Sequence[tuple[str, NDArray[Any], Sequence[str]]], *, title: str, notes: Sequence[str]
) -> Pixels:
    """Draw a picture and maps over it, side by side.

    Parameters
    ----------
    picture : ndarray
        (H, W, 1 or 3) floats of 0..1.
    maps : sequence
        The method, (H, W) numbers, and lines about them.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    panels = [Panel("input", fitted(enlarged(picture, 1), _SIDE))]
    for name, values, about in maps:
        largest = largest_of(values)
        panels.append(Panel(_NAMES[name], fitted(over(picture, values, largest), _SIDE), tuple(about), largest))
    return draw_figure([panels], title=title, notes=notes)


def over(picture: NDArray[Any], values: NDArray[Any], largest: float) -> Pixels:
    """Signed colours (H, W, 3) over a pale grey of the picture: where a map is 0 the picture is seen.

    Drawings that are light on dark become dark on light, for colours need a light ground.
    """
    grey = picture.mean(axis=-1)
    if np.median(grey) < 0.25:
        grey = 1 - grey
    ground = _DARKEST + (1 - _DARKEST) * grey
    colours = signed_colours(values, largest)
    pixels: Pixels = np.rint(colours * ground[..., None]).astype(np.uint8)
    return pixels
