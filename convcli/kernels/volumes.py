"""Kernels for volumes, (KD, KH, KW): the box, gaussian, laplacian, log and sobel of three axes.

The axes are z (from plane to plane), y (downward) and x (to the right). Per-axis parameters are written in that order:
``box3d:size=1x5x5``.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from convcli.kernels.edges import CENTRAL
from convcli.kernels.entry import Entry, Weights
from convcli.kernels.laplacians import DARK, LOG_SIGMA, LOG_SIZE, laplacian_of_gaussian
from convcli.kernels.smoothing import (
    GAUSSIAN_SIZE,
    ONE,
    POSITIVE,
    SIGMA,
    SIZE,
    TRUNCATE,
    box,
    complete_gaussian,
    gaussian,
    outer,
)

GROUP = "Volumes (3-D kernels)"

SMOOTH = np.array([1.0, 2.0, 1.0])
TOWARDS = {"x": "to the right", "y": "downward", "z": "from plane to plane"}


def laplacian3d() -> Weights:
    """``f(+1) + f(-1) - 2 f(0)`` along each of three axes."""
    weights = np.zeros((3, 3, 3))
    weights[1, 1, :] += [1, -2, 1]
    weights[1, :, 1] += [1, -2, 1]
    weights[:, 1, 1] += [1, -2, 1]
    return weights


def sharpen3d() -> Weights:
    """Identity minus the 3-D Laplacian."""
    weights = -laplacian3d()
    weights[1, 1, 1] += 1
    return weights


def sobel3d(along: str) -> Weights:
    """Slope along one axis, smoothed along the other two."""
    return outer(*(CENTRAL if axis == along else SMOOTH for axis in "zyx"))


SOBEL_SCALE = "32 for a volume that rises by 1 per voxel"
SOBEL_SOURCE = "the 3x3 operator of I. Sobel and G. Feldman (1968) with a third axis"

_entry = partial(Entry, group=GROUP, dim=3)

ENTRIES = (
    _entry(
        name="box3d",
        summary="Moving average: the mean of the window",
        formula="w = 1 / (KD*KH*KW)",
        sign=POSITIVE,
        scale=ONE,
        source="definition",
        build=box,
        parameters=(SIZE,),
    ),
    _entry(
        name="gaussian3d",
        summary="Smooth blur, the same in every direction",
        formula="w(x, y, z) = exp(-(x^2 + y^2 + z^2)/(2*sigma^2)) / sum; sigma=AxBxC for z, y, x",
        sign=POSITIVE,
        scale=ONE,
        source="window as in scipy.ndimage.gaussian_filter (truncate=4); definition: normal density at the taps",
        build=gaussian,
        parameters=(SIGMA, TRUNCATE, GAUSSIAN_SIZE),
        complete=complete_gaussian,
    ),
    _entry(
        name="sharpen3d",
        summary="Crisper detail: the voxel minus the Laplacian of its 6 neighbours",
        formula="7 in the centre, -1 at its 6 neighbours = identity - laplacian3d",
        sign="bright details become brighter",
        scale=ONE,
        source="sharpen with a third axis",
        build=sharpen3d,
    ),
    _entry(
        name="laplacian3d",
        summary="Surfaces and spots without direction, from 6 neighbours",
        formula="-6 in the centre, 1 at its 6 neighbours",
        sign=DARK,
        scale="1 times the Laplacian f_xx + f_yy + f_zz (brightness per voxel squared)",
        source="laplacian with a third axis",
        build=laplacian3d,
    ),
    _entry(
        name="log3d",
        summary="Laplacian of Gaussian: balls of radius sqrt(3)*sigma",
        formula="((x^2 + y^2 + z^2)/sigma^4 - 3/sigma^2) * gaussian3d(sigma), minus its mean so that it sums to 0",
        sign=DARK,
        scale="the Laplacian of the volume blurred by sigma, for sigma of 1 and more; below, taps are too few",
        source="D. Marr, E. Hildreth, Theory of edge detection, Proc. Royal Society London B 207, 1980, 187-217",
        build=laplacian_of_gaussian,
        parameters=(replace(LOG_SIGMA, default=1), TRUNCATE, LOG_SIZE),
        complete=complete_gaussian,
    ),
    _entry(
        name="sobel3d",
        summary="Surfaces in every direction: the magnitude of the gradient",
        formula="sqrt(sobel3d-x^2 + sobel3d-y^2 + sobel3d-z^2)",
        sign="never negative",
        scale=SOBEL_SCALE,
        source=SOBEL_SOURCE,
        build=lambda: tuple(map(sobel3d, "xyz")),
        combine="magnitude",
        parts=("sobel3d-x", "sobel3d-y", "sobel3d-z"),
        family="sobel3d",
    ),
    *(
        _entry(
            name=f"sobel3d-{axis}",
            summary=f"Brightness rising {TOWARDS[axis]}",
            formula=f"-1 0 1 along {axis}, 1 2 1 along the other two axes",
            sign=f"positive where brightness rises {TOWARDS[axis]}",
            scale=SOBEL_SCALE,
            source=SOBEL_SOURCE,
            build=partial(sobel3d, axis),
            family="sobel3d",
        )
        for axis in "xyz"
    ),
)
