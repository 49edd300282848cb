"""First derivatives: sobel, scharr, prewitt, roberts, farid, frei-chen. All sum to 0.

Signs are those of cross-correlation: ``-x`` is positive where the image becomes brighter to the right, ``-y`` where it
becomes brighter downward. The plain name is the magnitude ``sqrt(x**2 + y**2)``, ``-angle`` the direction
``atan2(y, x)``: 0 points right, pi/2 down. Weights are the classic ones, not normalised, as in OpenCV and scipy; each
``scale`` says what an image that rises by 1 per pixel gives.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from convcli.kernels.entry import Entry, Weights, matrix

GROUP = "Edges, first derivatives (weights sum to 0)"

# H. Farid, E. P. Simoncelli, 2004: the matched 5-tap prefilter and first-derivative filter, in correlation order.
FARID_SMOOTH = np.array(
    [0.0376593171958126, 0.249153396177344, 0.426374573253687, 0.249153396177344, 0.0376593171958126]
)
FARID_SLOPE = np.array([-0.109603762960254, -0.276690988455557, 0.0, 0.276690988455557, 0.109603762960254])

ROOT_2 = 2**0.5
CENTRAL = np.array([-1.0, 0.0, 1.0])


def slope_x(smooth: Weights, slope: Weights) -> Weights:
    """Slope along a row, smoothed down the column."""
    return np.multiply.outer(smooth, slope)


def slope_y(smooth: Weights, slope: Weights) -> Weights:
    """Slope down a column, smoothed along the row."""
    return np.multiply.outer(slope, smooth)


def roberts_x() -> Weights:
    """The diagonal difference towards the lower right."""
    return matrix("-1 0; 0 1")


def roberts_y() -> Weights:
    """The diagonal difference towards the lower left."""
    return matrix("0 -1; 1 0")


def _roberts() -> tuple[Weights, Weights]:
    return roberts_x(), roberts_y()


def _roberts_in_image_axes() -> tuple[Weights, Weights]:
    # The diagonals are the image axes turned by 45 degrees; turned back, so that 0 points right as in every -angle.
    return (roberts_x() - roberts_y()) / 2, (roberts_x() + roberts_y()) / 2


def _pair(smooth: Weights, slope: Weights) -> tuple[Weights, Weights]:
    return slope_x(smooth, slope), slope_y(smooth, slope)


def _family(
    name: str,
    summary: str,
    drawn: tuple[str, str],
    scale: str,
    source: str,
    builders: tuple[
        Callable[[], Weights],
        Callable[[], Weights],
        Callable[[], tuple[Weights, Weights]],
        Callable[[], tuple[Weights, Weights]],
    ],
    axes: tuple[str, str] = ("to the right", "downward"),
) -> tuple[Entry, ...]:
    """The four entries of one operator: magnitude, x, y, angle."""
    x, y = f"{name}-x", f"{name}-y"
    build_x, build_y, build_both, build_angle = builders
    return (
        Entry(
            name=name,
            group=GROUP,
            summary=f"Edges in every direction: {summary}",
            formula=f"sqrt({x}^2 + {y}^2); {x} = {drawn[0]}",
            sign="never negative",
            scale=scale,
            source=source,
            build=build_both,
            combine="magnitude",
            parts=(x, y),
            family=name,
        ),
        *(
            Entry(
                name=f"{name}-{axis}",
                group=GROUP,
                summary=f"Brightness rising {towards}: {summary}",
                formula=drawing,
                sign=f"positive where brightness rises {towards}",
                scale=scale,
                source=source,
                build=build,
                family=name,
            )
            for axis, towards, drawing, build in zip("xy", axes, drawn, (build_x, build_y), strict=True)
        ),
        Entry(
            name=f"{name}-angle",
            group=GROUP,
            summary="Direction in which brightness rises, in radians",
            formula=f"atan2({y}, {x})" if name != "roberts" else f"atan2(({x} + {y})/2, ({x} - {y})/2)",
            sign="0 rises to the right, pi/2 downward, -pi/2 upward, pi to the left",
            scale="radians from -pi to pi",
            source=source,
            build=build_angle,
            combine="angle",
            parts=(x, y),
            family=name,
        ),
    )


def _separable(
    name: str, summary: str, smooth: Weights, slope: Weights, drawn: tuple[str, str], scale: str, source: str
) -> tuple[Entry, ...]:
    both = partial(_pair, smooth, slope)
    builders = (partial(slope_x, smooth, slope), partial(slope_y, smooth, slope), both, both)
    return _family(name, summary, drawn, scale, source, builders)


def _scale(factor: str) -> str:
    return f"{factor} for an image that rises by 1 per pixel"


ENTRIES = (
    *_separable(
        "sobel",
        "difference smoothed with 1 2 1",
        np.array([1.0, 2.0, 1.0]),
        CENTRAL,
        ("-1 0 1; -2 0 2; -1 0 1", "-1 -2 -1; 0 0 0; 1 2 1"),
        _scale("8"),
        "I. Sobel, G. Feldman, A 3x3 isotropic gradient operator for image processing, talk, Stanford, 1968",
    ),
    *_separable(
        "scharr",
        "smoothed with 3 10 3, best for directions",
        np.array([3.0, 10.0, 3.0]),
        CENTRAL,
        ("-3 0 3; -10 0 10; -3 0 3", "-3 -10 -3; 0 0 0; 3 10 3"),
        _scale("32"),
        "H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000",
    ),
    *_separable(
        "prewitt",
        "difference smoothed with 1 1 1",
        np.array([1.0, 1.0, 1.0]),
        CENTRAL,
        ("-1 0 1; -1 0 1; -1 0 1", "-1 -1 -1; 0 0 0; 1 1 1"),
        _scale("6"),
        "J. M. S. Prewitt, Object enhancement and extraction, in: Picture Processing and Psychopictorics, 1970",
    ),
    *_family(
        "roberts",
        "diagonal differences, 2x2",
        ("-1 0; 0 1", "0 -1; 1 0"),
        "sqrt(2) for an image that rises by 1 per pixel along the diagonal",
        "L. G. Roberts, Machine perception of three-dimensional solids, MIT, 1963",
        (roberts_x, roberts_y, _roberts, _roberts_in_image_axes),
        ("towards the lower right", "towards the lower left"),
    ),
    *_separable(
        "farid",
        "matched 5-tap filters, accurate directions",
        FARID_SMOOTH,
        FARID_SLOPE,
        (
            "outer(p, d): p = 0.0377 0.2492 0.4264 0.2492 0.0377, d = -0.1096 -0.2767 0 0.2767 0.1096",
            "outer(d, p): p = 0.0377 0.2492 0.4264 0.2492 0.0377, d = -0.1096 -0.2767 0 0.2767 0.1096",
        ),
        _scale("0.9918"),
        "H. Farid, E. P. Simoncelli, Differentiation of discrete multidimensional signals, "
        "IEEE Trans. Image Processing 13(4), 2004, 496-508",
    ),
    *_separable(
        "frei-chen",
        "smoothed with 1 sqrt(2) 1, isotropic",
        np.array([1.0, ROOT_2, 1.0]),
        CENTRAL,
        ("-1 0 1; -sqrt(2) 0 sqrt(2); -1 0 1", "-1 -sqrt(2) -1; 0 0 0; 1 sqrt(2) 1"),
        _scale("4 + 2*sqrt(2) = 6.828") + "; divide by 2*sqrt(2) for the orthonormal mask",
        "W. Frei, C.-C. Chen, Fast boundary detection: a generalization and a new algorithm, "
        "IEEE Trans. Computers C-26(10), 1977, 988-998",
    ),
)
