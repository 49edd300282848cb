"""Signed numbers as colours: zero is white, below it lies blue, above it orange: any colour vision tells them apart.

The hues are Okabe and Ito's; dark and light tones differ too, so that a grey print still shows sizes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# From strongly negative over zero to strongly positive.
_STOPS = np.array(
    [(8, 48, 107), (0, 114, 178), (146, 197, 222), (255, 255, 255), (253, 196, 130), (213, 94, 0), (110, 42, 0)], float
)
_UNKNOWN = (120, 120, 120)  # what is not a number is grey: no colour of the scale


def signed_colours(values: NDArray[Any], largest: float) -> Pixels:
    """Colours (..., 3) of numbers (...): those of ``-largest`` and ``largest`` are the darkest.

    >>> signed_colours(np.array([0.0, -2.0]), 2.0).tolist()
    [[255, 255, 255], [8, 48, 107]]
    """
    numbers = np.asarray(values, np.float64)
    place = np.clip(np.nan_to_num(numbers / (largest or 1.0), nan=0.0, posinf=1.0, neginf=-1.0), -1, 1)
    place = (place + 1) / 2 * (len(_STOPS) - 1)
    below = np.minimum(place.astype(int), len(_STOPS) - 2)
    share = (place - below)[..., None]
    colours: Pixels = np.rint(_STOPS[below] * (1 - share) + _STOPS[below + 1] * share).astype(np.uint8)
    colours[np.isnan(numbers)] = _UNKNOWN
    return colours


def css_scale() -> str:
    """The scale as a style sheet's gradient, from negative to positive."""
    stops = (f"rgb({red:g} {green:g} {blue:g})" for red, green, blue in _STOPS)
    return f"linear-gradient(to right, {', '.join(stops)})"
