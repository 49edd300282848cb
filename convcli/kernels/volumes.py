"""Kernels for volumes, (KD, KH, KW): the box, gaussian, laplacian, log and sobel of three axes.

The axes are z (from plane to plane), y (downward) and x (to the right). Per-axis parameters are written in that order:
``box3d:size=1x5x5``.
"""

import numpy as np

from convcli.kernels.edges import CENTRAL
from convcli.kernels.entry import Entry, Weights
from convcli.kernels.laplacians import DARK, LOG_SIGMA, LOG_SIZE, laplacian_of_gaussian
from convcli.kernels.parameters import Parameter
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


def sobel3d_x() -> Weights:
    """Slope to the right, smoothed along y and z."""
    return outer(SMOOTH, SMOOTH, CENTRAL)


def sobel3d_y() -> Weights:
    """Slope downward, smoothed along x and z."""
    return outer(SMOOTH, CENTRAL, SMOOTH)


def sobel3d_z() -> Weights:
    """Slope from plane to plane, smoothed along x and y."""
    return outer(CENTRAL, SMOOTH, SMOOTH)


def _sobel3d() -> tuple[Weights, ...]:
    return sobel3d_x(), sobel3d_y(), sobel3d_z()


SOBEL_SCALE = "32 for a volume that rises by 1 per voxel"
SOBEL_SOURCE = "the 3x3 operator of I. Sobel and G. Feldman (1968) with a third axis"

ENTRIES = (
    Entry(
        name="box3d",
        group=GROUP,
        summary="Moving average: the mean of the window",
        formula="w = 1 / (KD*KH*KW)",
        sign=POSITIVE,
        scale=ONE,
        source="definition",
        build=box,
        parameters=(SIZE,),
        dim=3,
    ),
    Entry(
        name="gaussian3d",
        group=GROUP,
        summary="Smooth blur, the same in every direction",
        formula="w(x, y, z) = exp(-(x^2 + y^2 + z^2)/(2*sigma^2)) / sum; sigma=AxBxC for z, y, x",
        sign=POSITIVE,
        scale=ONE,
        source="window as in scipy.ndimage.gaussian_filter (truncate=4); definition: normal density at the taps",
        build=gaussian,
        parameters=(SIGMA, TRUNCATE, GAUSSIAN_SIZE),
        complete=complete_gaussian,
        dim=3,
    ),
    Entry(
        name="sharpen3d",
        group=GROUP,
        summary="Crisper detail: the voxel minus the Laplacian of its 6 neighbours",
        formula="7 in the centre, -1 at its 6 neighbours = identity - laplacian3d",
        sign="bright details become brighter",
        scale=ONE,
        source="sharpen with a third axis",
        build=sharpen3d,
        dim=3,
    ),
    Entry(
        name="laplacian3d",
        group=GROUP,
        summary="Surfaces and spots without direction, from 6 neighbours",
        formula="-6 in the centre, 1 at its 6 neighbours",
        sign=DARK,
        scale="1 times the Laplacian f_xx + f_yy + f_zz (brightness per voxel squared)",
        source="laplacian with a third axis",
        build=laplacian3d,
        dim=3,
    ),
    Entry(
        name="log3d",
        group=GROUP,
        summary="Laplacian of Gaussian: balls of radius sqrt(3)*sigma",
        formula="((x^2 + y^2 + z^2)/sigma^4 - 3/sigma^2) * gaussian3d(sigma), minus its mean so that it sums to 0",
        sign=DARK,
        scale="the Laplacian of the volume blurred by sigma, for sigma of 1 and more; below, taps are too few",
        source="D. Marr, E. Hildreth, Theory of edge detection, Proc. Royal Society London B 207, 1980, 187-217",
        build=laplacian_of_gaussian,
        parameters=(
            Parameter("sigma", 1, LOG_SIGMA.minimum, LOG_SIGMA.maximum, LOG_SIGMA.meaning, per_axis=True),
            TRUNCATE,
            LOG_SIZE,
        ),
        complete=complete_gaussian,
        dim=3,
    ),
    Entry(
        name="sobel3d",
        group=GROUP,
        summary="Surfaces in every direction: the magnitude of the gradient",
        formula="sqrt(sobel3d-x^2 + sobel3d-y^2 + sobel3d-z^2)",
        sign="never negative",
        scale=SOBEL_SCALE,
        source=SOBEL_SOURCE,
        build=_sobel3d,
        combine="magnitude",
        parts=("sobel3d-x", "sobel3d-y", "sobel3d-z"),
        dim=3,
        family="sobel3d",
    ),
    *(
        Entry(
            name=f"sobel3d-{axis}",
            group=GROUP,
            summary=f"Brightness rising {TOWARDS[axis]}",
            formula=f"-1 0 1 along {axis}, 1 2 1 along the other two axes",
            sign=f"positive where brightness rises {TOWARDS[axis]}",
            scale=SOBEL_SCALE,
            source=SOBEL_SOURCE,
            build=build,
            dim=3,
            family="sobel3d",
        )
        for axis, build in zip("xyz", (sobel3d_x, sobel3d_y, sobel3d_z), strict=True)
    ),
)
