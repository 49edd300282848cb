"""Second derivatives: laplacian, log, dog, outline. All sum to 0."""

from dataclasses import replace
from functools import partial

import numpy as np

from convcli.kernels.entry import Entry, Weights, drawn
from convcli.kernels.parameters import Parameter
from convcli.kernels.smoothing import GAUSSIAN_SIZE, TRUNCATE, complete_gaussian, gaussian, offsets

GROUP = "Edges and spots, second derivatives (weights sum to 0)"

DARK = "negative at a bright spot, positive at a dark one"

LOG_SIGMA = Parameter("sigma", 1.4, 0.3, 240, "standard deviation in pixels", per_axis=True)
# One tap per axis cannot tell a spot from its surroundings: with sum 0 nothing would be left of it.
LOG_SIZE = replace(GAUSSIAN_SIZE, minimum=3)


def laplacian_of_gaussian(sigma: tuple[float, ...], size: tuple[int, ...]) -> Weights:
    """The sum over the axes of ``(x**2 / sigma**4 - 1 / sigma**2)``, times the Gaussian, minus the mean."""
    bell = gaussian(sigma, size)
    curvature = np.zeros(size)
    for axis, (s, n) in enumerate(zip(sigma, size, strict=True)):
        along = offsets(n).reshape([n if each == axis else 1 for each in range(len(size))])
        curvature += along**2 / s**4 - 1 / s**2
    weights = curvature * bell
    centred: Weights = weights - weights.mean()
    return centred


def difference_of_gaussians(sigma: tuple[float, ...], sigma2: tuple[float, ...], size: tuple[int, ...]) -> Weights:
    """A Gaussian minus another, each of sum 1, in one window."""
    return gaussian(sigma, size) - gaussian(sigma2, size)


LAPLACIAN_SCALE = "{} times the Laplacian f_xx + f_yy (brightness per pixel squared)"
GONZALEZ_WOODS = "Gonzalez and Woods, Digital Image Processing, "

_entry = partial(Entry, group=GROUP, sign=DARK)
_matrix = partial(drawn, group=GROUP, sign=DARK)

ENTRIES = (
    _matrix(
        "0 1 0; 1 -4 1; 0 1 0",
        name="laplacian",
        summary="Edges and spots without direction, from 4 neighbours",
        scale=LAPLACIAN_SCALE.format(1),
        source=GONZALEZ_WOODS + "chapter 3, the Laplacian",
    ),
    _matrix(
        "1 1 1; 1 -8 1; 1 1 1",
        name="laplacian-8",
        summary="Edges and spots without direction, from 8 neighbours",
        scale=LAPLACIAN_SCALE.format(3),
        source=GONZALEZ_WOODS + "chapter 3, the Laplacian with diagonals",
    ),
    _matrix(
        "0 0 1 0 0; 0 1 2 1 0; 1 2 -16 2 1; 0 1 2 1 0; 0 0 1 0 0",
        name="laplacian-5x5",
        summary="Smoothed Laplacian in integers: less noise than 3x3",
        scale=LAPLACIAN_SCALE.format(8),
        source=GONZALEZ_WOODS + "chapter 10, 5x5 mask for the Laplacian of a Gaussian (there with the opposite sign)",
    ),
    _entry(
        name="log",
        summary="Laplacian of Gaussian: spots of radius sqrt(2)*sigma; zero crossings are edges",
        formula="(x^2/sigma^4 + y^2/sigma^4 - 2/sigma^2) * gaussian(sigma), minus its mean so that it sums to 0",
        scale="the Laplacian of the image blurred by sigma, for sigma of 1 and more; below, taps are too few",
        source="D. Marr, E. Hildreth, Theory of edge detection, Proc. Royal Society London B 207, 1980, 187-217",
        build=laplacian_of_gaussian,
        parameters=(LOG_SIGMA, TRUNCATE, LOG_SIZE),
        complete=complete_gaussian,
    ),
    _entry(
        name="dog",
        summary="Difference of Gaussians: keeps detail between two scales",
        formula="gaussian(sigma) - gaussian(sigma2) in one window",
        sign="positive at a bright spot if sigma < sigma2",
        scale="1 times what the narrow blur keeps and the wide one loses; sigma2 = 1.6*sigma resembles -log",
        source="D. Marr, E. Hildreth, Theory of edge detection, Proc. Royal Society London B 207, 1980, 187-217",
        build=difference_of_gaussians,
        parameters=(
            Parameter("sigma", 1, 0.05, 240, "standard deviation of the narrow Gaussian in pixels", per_axis=True),
            Parameter("sigma2", 1.6, 0.05, 240, "standard deviation of the wide Gaussian in pixels", per_axis=True),
            TRUNCATE,
            LOG_SIZE,
        ),
        complete=complete_gaussian,
    ),
    _matrix(
        "-1 -1 -1; -1 8 -1; -1 -1 -1",
        " = -laplacian-8",
        name="outline",
        summary="Outlines of shapes, bright lines and spots",
        sign="positive at a bright spot, negative at a dark one",
        scale="minus 3 times the Laplacian; 8 times the height of a single bright pixel",
        source=GONZALEZ_WOODS + "chapter 10, detection of isolated points",
    ),
)
