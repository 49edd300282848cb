"""Filtering colour that has alpha: what cannot be seen has no say, whatever colour hides there.

A kernel without negative weights is a mean. It is taken of colour weighted by alpha and divided by the mean of alpha,
and alpha itself becomes that mean: a white shape stays white while its edge grows soft.

A kernel with negative weights compares (edges) or exaggerates (sharpening). It acts on colour and keeps alpha: with
w the weights, a alpha, c colour, and c0 the colour at the anchor,

    sum(w) * c0 + sum(w * a * (c - c0)) / mean(a),    mean(a) = sum(|w| * a) / sum(|w|)

so a neighbour counts by how much of it is seen, one that is not seen counts as the pixel's own colour, a shape of one
colour has no edges inside its outline, and where alpha is the same everywhere this is the plain response.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convcli.jobs.canny import is_preparation
from convcli.jobs.links import Link
from convcli.jobs.output_policy import INVISIBLE, premultiplied, unpremultiplied
from convcli.kernels import Kernel, normalized
from convcli.ops.arguments import Array
from convcli.ops.nonlinear import ranks_of_seen, respond_otherwise
from convcli.ops.responses import combined
from convcli.ops.sums import Border


def filter_visible(
    colour: Array,
    alpha: Array,
    links: Sequence[Link],
    border: Border,
    white: float,
) -> tuple[Array, Array]:
    """Colour (H, W, C) and alpha (H, W, 1), floats in pixel units, through the links of a chain.

    Beyond a constant border lies an opaque colour.
    """
    for link in links:
        if is_preparation(link.kernel):
            colour, alpha = _average(colour, alpha, link, border, white)[0], link.keep_alpha(alpha)
        else:
            colour, alpha = _way(link.kernel)(colour, alpha, link, border, white)
    return colour, alpha


def _way(kernel: Kernel) -> Callable[[Array, Array, Link, Border, float], tuple[Array, Array]]:
    if kernel.combine in _WAYS:
        return _WAYS[kernel.combine]
    if any((plane < 0).any() for plane in kernel.planes):
        return _compare
    return _keep if len(kernel.planes) == 1 and _looks_at_itself(kernel.weights) else _average


def _looks_at_itself(weights: Array) -> bool:
    """Whether the anchor's weight alone is not zero."""
    anchor = tuple((n - 1) // 2 for n in weights.shape)
    return bool(weights[anchor] > 0 and np.count_nonzero(weights) == 1)


def _keep(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    """No neighbour has a say, so that a colour stays where it is hidden, too: some programs keep other things there."""
    coverage = replace(link, kernel=normalized(link.kernel, "sum"))
    return _respond(colour, link, border), _respond(alpha, coverage, replace(border, value=white))


def _average(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    weighted = _respond(premultiplied(colour, alpha), link, replace(border, value=border.value * white))
    coverage = _respond(alpha, replace(link, kernel=normalized(link.kernel, "sum")), replace(border, value=white))
    return unpremultiplied(weighted, coverage, white), coverage


def _compare(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    own, kernel = link.at_anchors(colour), link.kernel
    weighted, opaque = replace(border, value=border.value * white), replace(border, value=white)

    def response(plane: int) -> Array:
        single = replace(kernel, planes=(kernel.planes[plane],), combine="single")
        sizes = normalized(replace(single, planes=(np.abs(single.weights),)), "sum")
        seen = _respond(premultiplied(colour, alpha), replace(link, kernel=single), weighted)
        seen -= own * _respond(alpha, replace(link, kernel=single), opaque)
        mean_alpha = _respond(alpha, replace(link, kernel=sizes), opaque)
        return np.asarray(unpremultiplied(seen, mean_alpha, white) + own * own.dtype.type(single.weights.sum()))

    return combined(kernel, response, white), link.at_anchors(alpha)


def _resize(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    weighted = _respond(premultiplied(colour, alpha), link, border)
    coverage = _respond(alpha, link, border)
    # Colour and cover swing beyond an edge alike, so they are divided before one is clipped.
    return unpremultiplied(weighted, coverage, white), np.clip(coverage, 0, alpha.dtype.type(white))


def _crop(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    return _respond(colour, link, border), _respond(alpha, link, border)


def _choose(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    """What only chooses does so among the pixels that can be seen: no colour comes out that the picture has not."""
    hidden = alpha <= INVISIBLE * white
    chosen = ranks_of_seen(colour[None, None], hidden[None, None, ..., 0], link.kernel, link.windows, border)[0, 0]
    coverage = _respond(alpha, link, replace(border, value=white))
    chosen[np.broadcast_to(coverage <= INVISIBLE * white, chosen.shape)] = 0
    return chosen, coverage


def _liken(colour: Array, alpha: Array, link: Link, border: Border, white: float) -> tuple[Array, Array]:
    """A mean of what looks alike counts neighbours by how much of them is seen, and keeps the outline: alpha."""
    hidden, one = alpha <= INVISIBLE * white, colour.dtype.type(1)
    # These filters go along with a shift of all values: with this one the border's constant is 1, as its cover is.
    shift = colour.dtype.type(1 - border.constant) if border.name == "constant" else colour.dtype.type(0)
    given = np.concatenate([np.where(hidden, 0, colour + shift), alpha * (one / alpha.dtype.type(white))], axis=-1)
    beyond = replace(border, value=1.0)
    response = (
        respond_otherwise(given[None, None], link.kernel, link.windows, beyond, colour.dtype, white, covered=True)[0, 0]
        - shift
    )
    kept = link.at_anchors(alpha)
    return np.where(kept <= INVISIBLE * white, 0, response).astype(colour.dtype), kept


_WAYS: dict[str, Callable[[Array, Array, Link, Border, float], tuple[Array, Array]]] = {
    "rank": _choose,
    "bilateral": _liken,
    "guided": _liken,
    "nlmeans": _liken,
    "resize": _resize,
    "crop": _crop,
}


def _respond(array: Array, link: Link, border: Border) -> Array:
    return np.asarray(link.respond(array[None, None], border, array.dtype)[0, 0])
