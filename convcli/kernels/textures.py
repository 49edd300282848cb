"""Texture kernels: gabor, a grating seen through a Gaussian window. Sums to 0."""

import math
from dataclasses import replace

import numpy as np

from convcli.kernels.entry import Entry, Weights
from convcli.kernels.parameters import Parameter, Value
from convcli.kernels.smoothing import GAUSSIAN_SIZE, TRUNCATE, offsets

GROUP = "Textures (weights sum to 0)"

# sigma / wavelength of a filter one octave wide at half its peak: sqrt(ln 2 / 2) / pi * (2 + 1) / (2 - 1) = 0.5622.
ONE_OCTAVE = 0.562


def gabor(wavelength: float, theta: float, sigma: float, gamma: float, psi: float, size: tuple[int, ...]) -> Weights:
    """A cosine grating times a Gaussian, without its mean, scaled to answer 1 to its own grating."""
    y, x = np.meshgrid(offsets(size[0]), offsets(size[1]), indexing="ij")
    cosine, sine = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    along, across = x * cosine - y * sine, x * sine + y * cosine  # rows grow downward, angles are seen on the screen
    envelope = np.exp(-(along**2 + (gamma * across) ** 2) / (2 * sigma**2))
    grating = np.cos(2 * math.pi * along / wavelength + math.radians(psi))
    # Taking the mean away under the envelope keeps the borders smooth; a constant then gives 0.
    weights = envelope * (grating - (envelope * grating).sum() / envelope.sum())
    answer = float((weights * grating).sum())
    if answer <= 1e-9 * float(envelope.sum()):
        return np.zeros(size)  # the window is too small to see the grating: the parser refuses a kernel of zeros
    return np.asarray(weights / answer)


def complete_gabor(values: dict[str, Value]) -> dict[str, Value]:
    """Let sigma follow from the wavelength (one octave), and the size from sigma, gamma and theta."""
    completed = {name: value for name, value in values.items() if name != "truncate"}
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
    sigma = numbers.get("sigma", ONE_OCTAVE * numbers["wavelength"])
    completed["sigma"] = sigma
    if values["size"] is None:
        cosine, sine = abs(math.cos(math.radians(numbers["theta"]))), abs(math.sin(math.radians(numbers["theta"])))
        long = sigma / numbers["gamma"]
        reach = (max(sigma * sine, long * cosine), max(sigma * cosine, long * sine))
        completed["size"] = tuple(2 * math.floor(numbers["truncate"] * each + 0.5) + 1 for each in reach)
    return completed


ENTRIES = (
    Entry(
        name="gabor",
        group=GROUP,
        summary="Stripes of one width and direction: texture, fingerprints, a model of the eye",
        formula="cos(2*pi*u/wavelength + psi) * exp(-(u^2 + gamma^2*v^2)/(2*sigma^2)), minus its mean, scaled; "
        "u, v: x, y turned by theta",
        sign="positive where stripes lie like those of the kernel (psi=0: bright in the middle; psi=90: an edge)",
        scale="1 for stripes of amplitude 1 with the kernel's wavelength, theta and psi",
        source="J. G. Daugman, Uncertainty relation for resolution in space, spatial frequency, and orientation "
        "optimized by two-dimensional visual cortical filters, J. Optical Society of America A 2(7), 1985, 1160-1169",
        build=gabor,
        parameters=(
            Parameter("wavelength", 8, 2, 500, "pixels from stripe to stripe"),
            Parameter("theta", 0, -360, 360, "degrees, counter-clockwise on the screen; 0: stripes stand upright"),
            Parameter(
                "sigma", None, 0.3, 300, "standard deviation across the stripes in pixels", automatic="0.562*wavelength"
            ),
            Parameter("gamma", 0.5, 0.1, 10, "how much shorter the window is along the stripes"),
            Parameter("psi", 0, -360, 360, "phase in degrees"),
            replace(TRUNCATE, default=3),
            replace(GAUSSIAN_SIZE, automatic="truncate standard deviations"),
        ),
        complete=complete_gabor,
    ),
)
