"""Kernels that strengthen detail: sharpen, unsharp, emboss. Their weights sum to 1, so flat areas keep their value."""

import numpy as np

from convcli.kernels.entry import Entry, Weights, matrix
from convcli.kernels.parameters import Parameter
from convcli.kernels.smoothing import GAUSSIAN_SIZE, ONE, SIGMA, TRUNCATE, complete_gaussian, gaussian

GROUP = "Sharpening (weights sum to 1)"


def sharpen() -> Weights:
    """Identity minus the 4-neighbour Laplacian."""
    return matrix("0 -1 0; -1 5 -1; 0 -1 0")


def sharpen_8() -> Weights:
    """Identity minus the 8-neighbour Laplacian."""
    return matrix("-1 -1 -1; -1 9 -1; -1 -1 -1")


def unsharp(sigma: tuple[float, ...], amount: float, size: tuple[int, ...]) -> Weights:
    """Identity plus ``amount`` times what a Gaussian blur takes away."""
    weights = -amount * gaussian(sigma, size)
    # The centre of an even window lies between taps: the taps around it share the identity equally.
    centre = np.ix_(*(sorted({(n - 1) // 2, n // 2}) for n in size))
    weights[centre] += (1 + amount) / weights[centre].size
    return weights


def emboss() -> Weights:
    """Identity plus the slope towards the lower right."""
    return matrix("-2 -1 0; -1 1 1; 0 1 2")


ENTRIES = (
    Entry(
        name="sharpen",
        group=GROUP,
        summary="Crisper detail: the pixel minus the Laplacian of its 4 neighbours",
        formula="0 -1 0; -1 5 -1; 0 -1 0 = identity - laplacian",
        sign="bright details become brighter",
        scale=ONE,
        source="Gonzalez and Woods, Digital Image Processing, chapter 3, sharpening with the Laplacian",
        build=sharpen,
    ),
    Entry(
        name="sharpen-8",
        group=GROUP,
        summary="Stronger than sharpen: all 8 neighbours count",
        formula="-1 -1 -1; -1 9 -1; -1 -1 -1 = identity - laplacian-8",
        sign="bright details become brighter",
        scale=ONE,
        source="Gonzalez and Woods, Digital Image Processing, chapter 3, sharpening with the Laplacian",
        build=sharpen_8,
    ),
    Entry(
        name="unsharp",
        group=GROUP,
        summary="Unsharp mask: adds back what a blur takes away",
        formula="identity + amount * (identity - gaussian(sigma))",
        sign="bright details become brighter",
        scale=ONE,
        source="the darkroom's unsharp mask; Gonzalez and Woods, Digital Image Processing, chapter 3, unsharp masking",
        build=unsharp,
        parameters=(SIGMA, Parameter("amount", 1, 0, 100, "how much of the detail is added"), TRUNCATE, GAUSSIAN_SIZE),
        complete=complete_gaussian,
        family="unsharp",
    ),
    Entry(
        name="emboss",
        group=GROUP,
        summary="Relief lit from the upper left",
        formula="-2 -1 0; -1 1 1; 0 1 2",
        sign="brighter where the image rises towards the lower right",
        scale=ONE + "; 6 per unit of brightness per pixel is added along each axis",
        source="folklore of image editors; no original publication known",
        build=emboss,
    ),
)
