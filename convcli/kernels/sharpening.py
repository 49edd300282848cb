"""Kernels that strengthen detail: sharpen, unsharp, emboss. Their weights sum to 1, so flat areas keep their value."""

import numpy as np

from convcli.kernels.entry import Entry, Weights, drawn
from convcli.kernels.parameters import Parameter
from convcli.kernels.smoothing import GAUSSIAN_SIZE, ONE, SIGMA, TRUNCATE, complete_gaussian, gaussian

GROUP = "Sharpening (weights sum to 1)"


def unsharp(sigma: tuple[float, ...], amount: float, size: tuple[int, ...]) -> Weights:
    """Identity plus ``amount`` times what a Gaussian blur takes away."""
    weights = -amount * gaussian(sigma, size)
    # The centre of an even window lies between taps: the taps around it share the identity equally.
    centre = np.ix_(*(sorted({(n - 1) // 2, n // 2}) for n in size))
    weights[centre] += (1 + amount) / weights[centre].size
    return weights


ENTRIES = (
    drawn(
        "0 -1 0; -1 5 -1; 0 -1 0",
        " = identity - laplacian",
        name="sharpen",
        group=GROUP,
        summary="Crisper detail: the pixel minus the Laplacian of its 4 neighbours",
        sign="bright details become brighter",
        scale=ONE,
        source="Gonzalez and Woods, Digital Image Processing, chapter 3, sharpening with the Laplacian",
    ),
    drawn(
        "-1 -1 -1; -1 9 -1; -1 -1 -1",
        " = identity - laplacian-8",
        name="sharpen-8",
        group=GROUP,
        summary="Stronger than sharpen: all 8 neighbours count",
        sign="bright details become brighter",
        scale=ONE,
        source="Gonzalez and Woods, Digital Image Processing, chapter 3, sharpening with the Laplacian",
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
    drawn(
        "-2 -1 0; -1 1 1; 0 1 2",
        name="emboss",
        group=GROUP,
        summary="Relief lit from the upper left",
        sign="brighter where the image rises towards the lower right",
        scale=ONE + "; 6 per unit of brightness per pixel is added along each axis",
        source="folklore of image editors; no original publication known",
    ),
)
