"""Line and ridge detectors: line-h, line-v, line-45, line-135, line, ridge. All sum to 0.

Angles are those seen on the screen: ``line-45`` finds lines that rise to the right ``/``, ``line-135`` those that fall
``\\``.
"""

import math

import numpy as np

from convcli.kernels.entry import Entry, Weights, drawn, matrix
from convcli.kernels.laplacians import LOG_SIZE
from convcli.kernels.parameters import Parameter, Value
from convcli.kernels.smoothing import TRUNCATE, gaussian, offsets

GROUP = "Lines and ridges (weights sum to 0)"

# Matrix and what it finds.
LINES = {
    "line-h": ("-1 -1 -1; 2 2 2; -1 -1 -1", "horizontal lines"),
    "line-v": ("-1 2 -1; -1 2 -1; -1 2 -1", "vertical lines"),
    "line-45": ("-1 -1 2; -1 2 -1; 2 -1 -1", "lines that rise to the right, /"),
    "line-135": ("2 -1 -1; -1 2 -1; -1 -1 2", "lines that fall to the right, \\"),
}

LINE_SCALE = "6 times the height of a line one pixel wide"
LINE_SOURCE = (
    "Gonzalez and Woods, Digital Image Processing, chapter 10, line detection (diagonals named by their own axes)"
)


def ridge(sigma: float, directions: int, size: tuple[int, ...]) -> tuple[Weights, ...]:
    """For each direction, ``(1 - u**2 / sigma**2)`` times the Gaussian, minus its mean; u runs across the ridge."""
    y, x = (axis.astype(np.float64) for axis in np.meshgrid(offsets(size[0]), offsets(size[1]), indexing="ij"))
    bell = gaussian((sigma, sigma), size)
    planes = []
    for angle in np.arange(directions) * (math.pi / directions):
        across = x * math.sin(angle) + y * math.cos(angle)
        weights = (1 - across**2 / sigma**2) * bell
        planes.append(weights - weights.mean())
    return tuple(planes)


def complete_ridge(values: dict[str, Value]) -> dict[str, Value]:
    """Let the size follow from sigma and truncate; a size that was given replaces truncate."""
    completed = {name: value for name, value in values.items() if name != "truncate"}
    if values["size"] is None:
        sigma, truncate = values["sigma"], values["truncate"]
        assert isinstance(sigma, float) and isinstance(truncate, float)
        completed["size"] = (2 * math.floor(truncate * sigma + 0.5) + 1,) * 2
    return completed


ENTRIES = (
    Entry(
        name="line",
        group=GROUP,
        summary="Thin bright lines in every direction: the strongest of four kernels",
        formula="maximum over line-h line-v line-45 line-135",
        sign="positive on a line brighter than both its sides",
        scale=LINE_SCALE,
        source=LINE_SOURCE,
        build=lambda: tuple(matrix(drawing) for drawing, _ in LINES.values()),
        combine="maximum",
        parts=tuple(LINES),
        family="line",
    ),
    *(
        drawn(
            drawing,
            name=name,
            group=GROUP,
            summary=f"Thin bright {finds}",
            sign="positive on a line brighter than both its sides",
            scale=LINE_SCALE,
            source=LINE_SOURCE,
            family="line",
        )
        for name, (drawing, finds) in LINES.items()
    ),
    Entry(
        name="ridge",
        group=GROUP,
        summary="Bright ridges about sigma wide in every direction: vessels, roads, writing",
        formula="maximum over the directions of (1 - u^2/sigma^2) * gaussian(sigma), minus its mean; "
        "u runs across the ridge",
        sign="positive on a ridge brighter than both its sides",
        scale="sigma^2 times the strongest downward curvature of the image blurred by sigma",
        source="T. Lindeberg, Edge detection and ridge detection with automatic scale selection, "
        "Int. J. Computer Vision 30(2), 1998; steering: W. T. Freeman, E. H. Adelson, "
        "The design and use of steerable filters, IEEE Trans. PAMI 13(9), 1991",
        build=ridge,
        parameters=(
            Parameter("sigma", 1.5, 0.5, 240, "standard deviation in pixels: half the width of the ridge"),
            Parameter(
                "directions", 8, 1, 36, "directions tried between 0 and 180 degrees; 1: horizontal", integer=True
            ),
            TRUNCATE,
            LOG_SIZE,
        ),
        complete=complete_ridge,
        combine="maximum",
    ),
)
