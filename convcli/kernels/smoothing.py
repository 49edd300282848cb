"""Kernels that average: box, gaussian, binomial, motion, disk. All weights are positive and sum to 1."""

import math
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from convcli.kernels.entry import Entry, Weights, drawn
from convcli.kernels.parameters import MAX_WEIGHTS, Parameter, Value

GROUP = "Smoothing (weights sum to 1)"

SIZE = Parameter("size", 3, 1, MAX_WEIGHTS, "width of the window in pixels", integer=True, per_axis=True)
SIGMA = Parameter("sigma", 1, 0.05, 1000, "standard deviation in pixels", per_axis=True)
TRUNCATE = Parameter("truncate", 4, 0.5, 20, "where the window ends, in standard deviations")
GAUSSIAN_SIZE = Parameter(
    "size", None, 1, MAX_WEIGHTS, "width of the window in pixels", True, True, "2*floor(truncate*sigma + 0.5) + 1"
)


def offsets(size: int) -> Weights:
    """Positions of a window's taps from its centre: -1 0 1 for 3 taps, -0.5 0.5 for 2."""
    return np.arange(size, dtype=np.float64) - (size - 1) / 2


def outer(*factors: Weights) -> Weights:
    """Multiply 1-D factors, one per axis, into a kernel."""
    return reduce(np.multiply.outer, factors)


def gaussian_factor(sigma: float, size: int) -> Weights:
    """One axis of a Gaussian: ``exp(-x**2 / (2 sigma**2))`` at the taps, divided by its sum."""
    bell = np.exp(-0.5 * (offsets(size) / sigma) ** 2)
    factor: Weights = bell / bell.sum()
    return factor


def complete_gaussian(values: dict[str, Value]) -> dict[str, Value]:
    """Let the size follow from the largest sigma and truncate, as in scipy.ndimage; a given size replaces truncate."""
    completed = {name: value for name, value in values.items() if name != "truncate"}
    if values["size"] is None:
        per_name = [value for name, value in values.items() if name.startswith("sigma") and isinstance(value, tuple)]
        truncate = values["truncate"]
        assert isinstance(truncate, float)
        completed["size"] = tuple(
            2 * math.floor(truncate * max(axis) + 0.5) + 1 for axis in zip(*per_name, strict=True)
        )
    return completed


def box(size: tuple[int, ...]) -> Weights:
    """Every weight 1 / (number of weights)."""
    return np.full(size, 1 / math.prod(size))


def gaussian(sigma: tuple[float, ...], size: tuple[int, ...]) -> Weights:
    """The product of one Gaussian per axis."""
    return outer(*(gaussian_factor(s, n) for s, n in zip(sigma, size, strict=True)))


def binomial(size: tuple[int, ...]) -> Weights:
    """The product of one row of Pascal's triangle per axis, divided by ``2**(n-1)``; exact up to rounding once."""
    return outer(*(np.array([math.comb(n - 1, i) / 2 ** (n - 1) for i in range(n)]) for n in size))


def motion(length: float, angle: float) -> Weights:
    """Weights ``max(0, 1 - distance)`` from a segment of length - 1 through the centre, divided by their sum."""
    direction_x, direction_y = math.cos(math.radians(angle)), -math.sin(math.radians(angle))  # rows grow downward
    half = (length - 1) / 2
    reach = math.ceil(half) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along = np.clip(x * direction_x + y * direction_y, -half, half)
    weight = 1 - np.hypot(x - along * direction_x, y - along * direction_y)
    weight[weight < 1e-9] = 0  # cos(90 degrees) is 6e-17, not 0
    return trimmed(weight / weight.sum())


def disk(radius: float) -> Weights:
    """The area that a circle of this radius covers of each pixel, divided by the circle's area."""
    reach = math.ceil(radius - 0.5)
    edges = offsets(2 * reach + 2)
    corner = _quarter_area(np.abs(edges)[:, None], np.abs(edges)[None, :], radius) * np.sign(outer(edges, edges))
    covered = np.maximum(np.diff(np.diff(corner, axis=0), axis=1), 0)
    covered = covered + covered.T  # arcsin near 1 loses digits, along one axis only
    return np.asarray(covered / covered.sum())


def _quarter_area(x: Weights, y: Weights, radius: float) -> Weights:
    """Area of the part of a centred circle between 0 and x and between 0 and y; x, y >= 0."""
    x, y = np.minimum(x, radius), np.minimum(y, radius)
    x0 = np.minimum(np.sqrt(radius**2 - y**2), x)  # left of x0 the circle is higher than y

    def below_the_arc(u: Weights) -> Weights:  # integral of sqrt(radius**2 - u**2)
        return np.asarray((u * np.sqrt(np.maximum(radius**2 - u**2, 0)) + radius**2 * np.arcsin(u / radius)) / 2)

    return np.asarray(x0 * y + below_the_arc(x) - below_the_arc(x0))


def trimmed(weights: Weights) -> Weights:
    """Cut away the outer rows and columns that are zero, as many on both sides, so that the centre stays the centre."""
    rows, columns = np.nonzero(weights)
    height, width = weights.shape
    cut_y = min(rows.min(), height - 1 - rows.max())
    cut_x = min(columns.min(), width - 1 - columns.max())
    return weights[cut_y : height - cut_y, cut_x : width - cut_x].copy()


POSITIVE = "all weights positive"
ONE = "1: a constant image stays as it is"
GEOMETRY = "definition"

_entry = partial(Entry, group=GROUP, sign=POSITIVE, scale=ONE)

ENTRIES = (
    drawn(
        "0 0 0; 0 1 0; 0 0 0",
        name="identity",
        group=GROUP,
        summary="Leaves the image as it is: the neutral element, good for trying options",
        sign=POSITIVE,
        scale=ONE,
        source=GEOMETRY,
    ),
    _entry(
        name="box",
        summary="Moving average: the mean of the window",
        formula="w = 1 / (KH*KW)",
        source=GEOMETRY,
        build=box,
        parameters=(SIZE,),
    ),
    _entry(
        name="gaussian",
        summary="Smooth blur, the same in every direction; removes fine noise",
        formula="w(x, y) = exp(-x^2/(2*sigma^2) - y^2/(2*sigma^2)) / sum; sigma=AxB for rows and columns",
        source="window as in scipy.ndimage.gaussian_filter (truncate=4); definition: normal density at the taps",
        build=gaussian,
        parameters=(SIGMA, TRUNCATE, GAUSSIAN_SIZE),
        complete=complete_gaussian,
    ),
    _entry(
        name="binomial",
        summary="Gaussian-like blur with exact dyadic weights: rows of Pascal's triangle",
        formula="w = outer(row, row) / 4^(size-1); size 3: 1 2 1; 2 4 2; 1 2 1 over 16; variance (size-1)/4 per axis",
        source="B. Jaehne, Digital Image Processing, chapter on averaging, binomial masks",
        build=binomial,
        parameters=(replace(SIZE, maximum=1000),),
    ),
    _entry(
        name="motion",
        summary="Blur along a line, as of a camera that moved",
        formula="w = max(0, 1 - distance to a segment of length-1 through the centre) / sum",
        source="definition; the model is uniform linear motion: Gonzalez and Woods, Digital Image Processing, "
        "chapter 5",
        build=motion,
        parameters=(
            Parameter("length", 9, 1, 1990, "pixels the camera moved"),
            Parameter("angle", 0, -360, 360, "degrees, counter-clockwise on the screen from pointing right"),
        ),
    ),
    _entry(
        name="disk",
        summary="Blur of a lens out of focus: the mean of a round window",
        formula="w = area of the pixel inside the circle / (pi*radius^2)",
        source="definition: exact area of overlap of circle and pixel",
        build=disk,
        parameters=(Parameter("radius", 3, 0.5, 990, "radius of the circle in pixels"),),
    ),
)
