"""A picture through one operation that acts on colour: what becomes of its alpha and depth, for pool and morph.

By default what cannot be seen has no say. Means and norms weigh colour by alpha. An operation that chooses may not: the
largest weighted red, divided by the largest alpha, is a colour of no pixel. It chooses, in each channel, from those
pixels of its window whose alpha is not 0, as they are; alpha itself goes through the same operation, or is kept by
differences. So no value comes out that the picture does not have, and one colour stays one colour.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.images import Image
from convcli.jobs.axes import OperationPlan
from convcli.jobs.background import on_background
from convcli.jobs.batch import Produced
from convcli.jobs.output_policy import (
    INVISIBLE,
    OutputPolicy,
    output_policy,
    premultiplied,
    split_alpha,
    stored,
    unpremultiplied,
)
from convcli.ops.arguments import Array
from convcli.ops.ordering import highest, lowest

# (H, W, C) in some dtype to (OH, OW, C).
Step = Callable[[Array], Array]
# The same, told what an opaque alpha has multiplied the pixels by; 1 where they are as they were.
WeightedStep = Callable[[Array, float], Array]


@dataclass(frozen=True)
class Colours:
    """How an operation acts on pixels (H, W, C).

    Attributes
    ----------
    act : callable
        On colour, and its weight.
    cover : callable or None
        On alpha that weighed the colour, the same without what is not picture; None for operations that keep alpha.
    sample : callable
        On alpha that is kept: the pixels that stay.
    choose : callable or None
        On colour and where (H, W, 1) it is hidden, for operations that choose; None for those that compute.
    whole : callable or None
        The same as ``act`` on colour as it is, perhaps rounded to the colour's own type; None if there is no such way.
    """

    act: WeightedStep
    cover: Step | None
    sample: Step
    choose: Callable[[Array, Array], Array] | None = None
    whole: Step | None = None


def process(image: Image, steps: Colours, plan: OperationPlan, format: str | None) -> Produced:
    """Carry out an operation on one picture, and lay it on a background; ``format`` is the one it will be written in.

    Raises `ConvcliError` (with the fix) when it does not fit the picture or ``format`` cannot hold the result.
    """
    colour, cover = split_alpha(image, plan.alpha)
    policy = output_policy(image, format, plan.depth)
    if cover is None:
        as_it_is = steps.whole and policy.gain == 1 and policy.dtype == colour.dtype
        pixels, clipped = stored(steps.whole(colour) if steps.whole and as_it_is else steps.act(colour, 1), policy)
        clippable = pixels.size
    else:
        if plan.alpha == "premultiply" and bool((cover != image.white).any()):
            work = _chosen if steps.choose else _weighted
            shown, cover = work(colour, cover, steps, image.white, policy)
        else:
            shown, cover = steps.act(colour, 1), steps.sample(cover)
        colours, clipped = stored(shown, policy)
        clippable = colours.size
        pixels = np.concatenate([colours, policy.converted_alpha(cover)], axis=-1)
    has_alpha = image.has_alpha and plan.alpha != "drop"
    result = replace(image, pixels=np.ascontiguousarray(pixels), has_alpha=has_alpha, numbers=None, warnings=())
    result = on_background(result, plan.background)
    policy.check(result.pixels.shape[-1], result.has_alpha)
    share = clipped / clippable
    warnings = (*image.warnings, *policy.warnings, *policy.clipping_warning(share, has_range=False))
    return Produced(result, warnings, {"operation": plan.name, "clipped": round(share, 6)})


def without(colour: Array, hidden: Array, largest: bool) -> Array:
    """Colour (H, W, C) whose hidden pixels (H, W, 1) never win as the ``largest``, or as the smallest."""
    never: Any = (lowest if largest else highest)(colour.dtype)
    return np.where(hidden, never, colour)


def _weighted(colour: Array, alpha: Array, steps: Colours, white: float, policy: OutputPolicy) -> tuple[Array, Array]:
    """Colour and alpha after an operation on colour weighted by alpha."""
    response = steps.act(premultiplied(colour, alpha, policy.working), white)
    coverage = (steps.cover or steps.sample)(alpha.astype(policy.working))
    return unpremultiplied(response, coverage, white), coverage


def _chosen(colour: Array, alpha: Array, steps: Colours, white: float, policy: OutputPolicy) -> tuple[Array, Array]:
    """Colour and alpha after an operation that chose among the pixels that can be seen."""
    assert steps.choose
    chosen = steps.choose(colour, alpha <= INVISIBLE * white)
    coverage = (steps.cover or steps.sample)(alpha)
    chosen[np.broadcast_to(coverage <= INVISIBLE * white, chosen.shape)] = 0
    return chosen, coverage
