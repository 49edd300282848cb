"""Compass edge detectors: kirsch and robinson, one kernel per direction, and their maximum over all eight.

A direction says where the image becomes brighter: ``kirsch-n`` is largest where it is brighter above. The eight kernels
are one ring of eight weights turned in steps of 45 degrees.
"""

from functools import partial

import numpy as np

from convcli.kernels.entry import Entry, Weights

GROUP = "Edges by compass direction (weights sum to 0)"

# Counter-clockwise from east, as the ring is turned.
DIRECTIONS = {
    "e": "to the right",
    "ne": "towards the upper right",
    "n": "upward",
    "nw": "towards the upper left",
    "w": "to the left",
    "sw": "towards the lower left",
    "s": "downward",
    "se": "towards the lower right",
}
# The places of a ring in a 3x3 matrix, counter-clockwise from east.
RING = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))

# The ring of the kernel that looks east, starting at east.
KIRSCH_RING = (5.0, 5.0, -3.0, -3.0, -3.0, -3.0, -3.0, 5.0)
ROBINSON_RING = (2.0, 1.0, 0.0, -1.0, -2.0, -1.0, 0.0, 1.0)


def turned(ring: tuple[float, ...], steps: int) -> Weights:
    """The 3x3 kernel of a ring turned counter-clockwise by ``steps`` times 45 degrees; its centre is 0."""
    weights = np.zeros((3, 3))
    for place, value in enumerate(ring):
        weights[RING[(place + steps) % 8]] = value
    return weights


def _family(name: str, ring: tuple[float, ...], scale: str, source: str) -> tuple[Entry, ...]:
    east = "; ".join(" ".join(f"{value:g}" for value in row) for row in turned(ring, 0))
    entry = partial(Entry, group=GROUP, scale=scale, source=source, family=name)
    return (
        entry(
            name=name,
            summary="Edges in every direction: the strongest of eight compass kernels",
            formula=f"maximum over e ne n nw w sw s se; {name}-e = {east}",
            sign="never negative: the eight responses sum to 0, so the largest is at least 0",
            build=lambda: tuple(turned(ring, steps) for steps in range(8)),
            combine="maximum",
            parts=tuple(f"{name}-{direction}" for direction in DIRECTIONS),
        ),
        *(
            entry(
                name=f"{name}-{direction}",
                summary=f"Brightness rising {towards}",
                formula=f"{east}, turned counter-clockwise by {45 * steps} degrees",
                sign=f"positive where brightness rises {towards}",
                build=partial(turned, ring, steps),
            )
            for steps, (direction, towards) in enumerate(DIRECTIONS.items())
        ),
    )


ENTRIES = (
    *_family(
        "kirsch",
        KIRSCH_RING,
        "24 for an image that rises by 1 per pixel along a row or column; 15 times the height of a step",
        "R. A. Kirsch, Computer determination of the constituent structure of biological images, "
        "Computers and Biomedical Research 4, 1971, 315-328",
    ),
    *_family(
        "robinson",
        ROBINSON_RING,
        "8 for an image that rises by 1 per pixel along a row or column; robinson-e is sobel-x",
        "G. S. Robinson, Edge detection by compass gradient masks, "
        "Computer Graphics and Image Processing 6, 1977, 492-501",
    ),
)
