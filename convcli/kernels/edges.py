"""First derivatives: sobel, scharr, prewitt, roberts, farid, frei-chen. All sum to 0.

Signs are those of cross-correlation: ``-x`` is positive where the image becomes brighter to the right, ``-y`` where it
becomes brighter downward. The plain name is the magnitude ``sqrt(x**2 + y**2)``, ``-angle`` the direction
``atan2(y, x)``: 0 points right, pi/2 down. Weights are the classic ones, not normalised, as in OpenCV and scipy; each
``scale`` says what an image that rises by 1 per pixel gives.
"""

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


# The diagonal differences towards the lower right and the lower left.
ROBERTS = matrix("-1 0; 0 1"), matrix("0 -1; 1 0")


def _pair(smooth: Weights, slope: Weights) -> tuple[Weights, Weights]:
    return slope_x(smooth, slope), slope_y(smooth, slope)


def _family(
    name: str,
    summary: str,
    planes: tuple[Weights, Weights],
    drawn: tuple[str, str],
    scale: str,
    source: str,
    *,
    in_axes: tuple[Weights, Weights] | None = None,
    towards: tuple[str, str] = ("to the right", "downward"),
) -> tuple[Entry, ...]:
    """The four entries of one operator: magnitude, x, y, angle; ``in_axes``: its planes along the image's axes."""
    x, y = f"{name}-x", f"{name}-y"
    entry = partial(Entry, group=GROUP, source=source, family=name)
    return (
        entry(
            name=name,
            summary=f"Edges in every direction: {summary}",
            formula=f"sqrt({x}^2 + {y}^2); {x} = {drawn[0]}",
            sign="never negative",
            scale=scale,
            build=lambda: planes,
            combine="magnitude",
            parts=(x, y),
        ),
        *(
            entry(
                name=f"{name}-{axis}",
                summary=f"Brightness rising {where}: {summary}",
                formula=drawing,
                sign=f"positive where brightness rises {where}",
                scale=scale,
                build=lambda plane=plane: plane,
            )
            for axis, where, drawing, plane in zip("xy", towards, drawn, planes, strict=True)
        ),
        entry(
            name=f"{name}-angle",
            summary="Direction in which brightness rises, in radians",
            formula=f"atan2({y}, {x})" if in_axes is None else f"atan2(({x} + {y})/2, ({x} - {y})/2)",
            sign="0 rises to the right, pi/2 downward, -pi/2 upward, pi to the left",
            scale="radians from -pi to pi",
            build=lambda: in_axes or planes,
            combine="angle",
            parts=(x, y),
        ),
    )


def _scale(factor: str) -> str:
    return f"{factor} for an image that rises by 1 per pixel"


ENTRIES = (
    *_family(
        "sobel",
        "difference smoothed with 1 2 1",
        _pair(np.array([1.0, 2.0, 1.0]), CENTRAL),
        ("-1 0 1; -2 0 2; -1 0 1", "-1 -2 -1; 0 0 0; 1 2 1"),
        _scale("8"),
        "I. Sobel, G. Feldman, A 3x3 isotropic gradient operator for image processing, talk, Stanford, 1968",
    ),
    *_family(
        "scharr",
        "smoothed with 3 10 3, best for directions",
        _pair(np.array([3.0, 10.0, 3.0]), CENTRAL),
        ("-3 0 3; -10 0 10; -3 0 3", "-3 -10 -3; 0 0 0; 3 10 3"),
        _scale("32"),
        "H. Scharr, Optimale Operatoren in der Digitalen Bildverarbeitung, dissertation, Heidelberg, 2000",
    ),
    *_family(
        "prewitt",
        "difference smoothed with 1 1 1",
        _pair(np.array([1.0, 1.0, 1.0]), CENTRAL),
        ("-1 0 1; -1 0 1; -1 0 1", "-1 -1 -1; 0 0 0; 1 1 1"),
        _scale("6"),
        "J. M. S. Prewitt, Object enhancement and extraction, in: Picture Processing and Psychopictorics, 1970",
    ),
    *_family(
        "roberts",
        "diagonal differences, 2x2",
        ROBERTS,
        ("-1 0; 0 1", "0 -1; 1 0"),
        "sqrt(2) for an image that rises by 1 per pixel along the diagonal",
        "L. G. Roberts, Machine perception of three-dimensional solids, MIT, 1963",
        # The diagonals are the image axes turned by 45 degrees; turned back, so that 0 points right as in every -angle.
        in_axes=((ROBERTS[0] - ROBERTS[1]) / 2, (ROBERTS[0] + ROBERTS[1]) / 2),
        towards=("towards the lower right", "towards the lower left"),
    ),
    *_family(
        "farid",
        "matched 5-tap filters, accurate directions",
        _pair(FARID_SMOOTH, FARID_SLOPE),
        (
            "outer(p, d): p = 0.0377 0.2492 0.4264 0.2492 0.0377, d = -0.1096 -0.2767 0 0.2767 0.1096",
            "outer(d, p): p = 0.0377 0.2492 0.4264 0.2492 0.0377, d = -0.1096 -0.2767 0 0.2767 0.1096",
        ),
        _scale("0.9918"),
        "H. Farid, E. P. Simoncelli, Differentiation of discrete multidimensional signals, "
        "IEEE Trans. Image Processing 13(4), 2004, 496-508",
    ),
    *_family(
        "frei-chen",
        "smoothed with 1 sqrt(2) 1, isotropic",
        _pair(np.array([1.0, ROOT_2, 1.0]), CENTRAL),
        ("-1 0 1; -sqrt(2) 0 sqrt(2); -1 0 1", "-1 -sqrt(2) -1; 0 0 0; 1 sqrt(2) 1"),
        _scale("4 + 2*sqrt(2) = 6.828") + "; divide by 2*sqrt(2) for the orthonormal mask",
        "W. Frei, C.-C. Chen, Fast boundary detection: a generalization and a new algorithm, "
        "IEEE Trans. Computers C-26(10), 1977, 988-998",
    ),
)
