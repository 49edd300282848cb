"""The figure of `convcli compare`: A, B, and B − A in signed colours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convcli.views.figure import Panel, Pixels, draw_figure, fitted
from convcli.views.signed import signed_colours

_SIDE = 480


def draw_comparison(
    previews: tuple[Pixels, Pixels],
    difference: NDArray[np.float64],
    names: tuple[str, str],
    told: Sequence[str],
    *,
    place: tuple[int, int] | None,
    block: int = 1,
    planes: int = 1,
    plane: int = 0,
) -> Pixels:
    """Draw two pictures and where they differ.

    Parameters
    ----------
    previews : two of ndarray
        A and B, (H, W, 3) uint8.
    difference : ndarray
        (h, w): B − A, the strongest of ``block`` x ``block`` pixels, over channels and planes.
    names : two of str
        Of A and B.
    told : sequence of str
        Lines below the title.
    place : (int, int) or None
        Row and column in ``difference`` of the largest.
    plane : int
        Which of the ``planes`` A and B are.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    finite = np.abs(difference[np.isfinite(difference)])
    largest = float(finite.max(initial=0.0)) or 1.0
    colours = fitted(signed_colours(difference, largest), _SIDE)
    factor = colours.shape[0] // difference.shape[0]
    mark = None if place is None else (place[0] * factor, place[1] * factor, factor, factor)
    notes = ["orange: B is larger; blue: smaller"]
    if block > 1:
        notes.append(f"each cell: the strongest of {block}x{block} pixels")
    if planes > 1:
        notes.append(f"the strongest of all {planes} planes")
    middle = () if planes == 1 else (f"plane {plane} of {planes}",)
    row = [
        Panel(f"A: {names[0]}", fitted(previews[0], _SIDE), middle),
        Panel(f"B: {names[1]}", fitted(previews[1], _SIDE), middle),
        Panel("B − A", colours, tuple(notes), largest, mark),
    ]
    return draw_figure([row], title="Where two pictures differ", notes=told)
