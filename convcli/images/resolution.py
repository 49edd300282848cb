"""How many pixels there are in a length, as far as a file says: per inch, or along x as against y and no more."""

import math
from fractions import Fraction

from convcli.geometry import Placement

Pair = tuple[float, float]

INCH, CENTIMETRE, METRE = 1.0, 2.54, 0.0254  # units in an inch, inverted: what makes pixels per unit pixels per inch


def told(x: object, y: object, unit: float | None) -> tuple[Pair | None, Pair | None]:
    """(pixels per inch, pixels in a length that is not told) along x and y; None for what is not said.

    ``unit`` is one of the above, or None where the file names no unit. What is no positive number says nothing, nor
    does 1 by 1 without a unit, which programs write that know nothing.

    >>> told(100, 50, CENTIMETRE), told(2, 1, None), told(72, 0, INCH)
    (((254.0, 127.0), None), (None, (2.0, 1.0)), (None, None))
    """
    if not all(isinstance(each, int | float) and math.isfinite(each) and each > 0 for each in (x, y)):
        return None, None
    pair = float(x), float(y)  # type: ignore[arg-type]
    if unit is None and pair == (1, 1):
        return None, None
    return (None, pair) if unit is None else ((pair[0] * unit, pair[1] * unit), None)


def placed(pair: Pair | None, placement: tuple[Placement, Placement]) -> Pair | None:
    """Pixels in a length along x and y after pixels have been placed (along y, along x) elsewhere."""
    return None if pair is None else (pair[0] / placement[1].step, pair[1] / placement[0].step)


def whole_ratio(pair: Pair, most: int) -> tuple[int, int]:
    """The ratio of x to y as whole numbers from 1 to ``most``; the numbers themselves if they are such.

    >>> whole_ratio((72.0, 72.0), 65535), whole_ratio((0.5, 0.75), 65535)
    ((72, 72), (2, 3))
    """
    x, y = pair
    if x == int(x) and y == int(y) and max(x, y) <= most:
        return int(x), int(y)
    ratio = Fraction(x / y)
    if ratio > 1:
        inverse = (1 / ratio).limit_denominator(most)
        return inverse.denominator, max(inverse.numerator, 1)
    ratio = ratio.limit_denominator(most)
    return max(ratio.numerator, 1), ratio.denominator


def is_square(pair: Pair) -> bool:
    """Whether pixels are as wide as they are high, which is what everybody takes for granted."""
    return math.isclose(*pair, rel_tol=1e-6)
