"""Filtering colour that has alpha: what cannot be seen has no say, whatever colour hides there.

A kernel without negative weights is a mean. It is taken of colour weighted by alpha and divided by the mean of alpha,
and alpha itself becomes that mean: a white shape stays white while its edge grows soft.

A kernel with negative weights compares (edges) or exaggerates (sharpening). It acts on colour and keeps alpha: with
w the weights, a alpha, c colour, and c0 the colour at the anchor,

    sum(w) * c0 + sum(w * a * (c - c0)) / mean(a),    mean(a) = sum(|w| * a) / sum(|w|)

so a neighbour counts by how much of it is seen, one that is not seen counts as the pixel's own colour, a shape of one
colour has no edges inside its outline, and where alpha is the same everywhere this is the plain response.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convcli.geometry import Window
from convcli.jobs.canny import is_preparation
from convcli.jobs.output_policy import premultiplied, unpremultiplied
from convcli.kernels import Kernel, normalized
from convcli.ops.arguments import Array
from convcli.ops.responses import combined, respond
from convcli.ops.sums import Border


def filter_visible(
    colour: Array,
    alpha: Array,
    chain: Sequence[tuple[Kernel, tuple[Window, ...]]],
    border: Border,
    white: float,
) -> tuple[Array, Array]:
    """Colour (H, W, C) and alpha (H, W, 1), floats in pixel units, through a chain of kernels with their windows.

    Beyond a constant border lies an opaque colour.
    """
    for kernel, windows in chain:
        if is_preparation(kernel):
            colour, _ = _average(colour, alpha, kernel, windows, border, white)
            alpha = at_anchors(alpha, windows)
            continue
        act = _compare if any((plane < 0).any() for plane in kernel.planes) else _average
        colour, alpha = act(colour, alpha, kernel, windows, border, white)
    return colour, alpha


def at_anchors(array: Array, windows: tuple[Window, ...]) -> Array:
    """An array (H, W, C) at the anchors of the windows: (OH, OW, C); beyond the border its nearest pixel."""
    rows, columns = (np.clip(each.anchors(n), 0, n - 1) for each, n in zip(windows, array.shape[:2], strict=True))
    return np.asarray(array[np.ix_(rows, columns)])


def _average(
    colour: Array, alpha: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border, white: float
) -> tuple[Array, Array]:
    weighted = _respond(premultiplied(colour, alpha), kernel, windows, replace(border, value=border.value * white))
    coverage = _respond(alpha, normalized(kernel, "sum"), windows, replace(border, value=white))
    return unpremultiplied(weighted, coverage, white), coverage


def _compare(
    colour: Array, alpha: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border, white: float
) -> tuple[Array, Array]:
    own = at_anchors(colour, windows)
    weighted, opaque = replace(border, value=border.value * white), replace(border, value=white)

    def response(plane: int) -> Array:
        single = replace(kernel, planes=(kernel.planes[plane],), combine="single")
        sizes = replace(single, planes=(np.abs(single.weights),))
        seen = _respond(premultiplied(colour, alpha), single, windows, weighted)
        seen -= own * _respond(alpha, single, windows, opaque)
        mean_alpha = _respond(alpha, normalized(sizes, "sum"), windows, opaque)
        return np.asarray(unpremultiplied(seen, mean_alpha, white) + own * own.dtype.type(single.weights.sum()))

    return combined(kernel, response, white), at_anchors(alpha, windows)


def _respond(array: Array, kernel: Kernel, windows: tuple[Window, ...], border: Border) -> Array:
    return np.asarray(respond(array[None, None], kernel, windows, border, array.dtype)[0, 0])
