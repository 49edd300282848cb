"""An operation on a picture's colour, and what becomes of its alpha and depth: shared by pool and morph.

The policies are `convcli.jobs.pixels`'s: by default what cannot be seen has no say. Means and norms weigh colour by
alpha; what chooses, chooses among the pixels that can be seen (`convcli.jobs.visible`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from convcli.errors import ConvcliError
from convcli.images import Image
from convcli.jobs.background import Colour, check_background, on_background
from convcli.jobs.batch import Produced
from convcli.jobs.pixels import (
    ALPHA,
    DEPTHS,
    INVISIBLE,
    OutputPolicy,
    finish,
    output_policy,
    premultiplied,
    split_alpha,
    unpremultiplied,
)
from convcli.ops.arguments import Array

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
    """

    act: WeightedStep
    cover: Step | None
    sample: Step
    choose: Callable[[Array, Array], Array] | None = None


def check_policies(alpha: str, depth: str, axes: str = "yx", background: Colour | None = None) -> None:
    """Raise `ConvcliError` for words that are no policies, or none for volumes or signals."""
    alphas = {"yx": ALPHA, "zyx": ("premultiply", "drop"), "x": ("premultiply",)}[axes]
    depths = ("same",) if axes == "x" else DEPTHS
    for name, word, known in (("alpha", alpha, alphas), ("depth", depth, depths)):
        if word not in known:
            raise ConvcliError(f"{name}: got {word!r}, expected one of {', '.join(known)}")
    check_background(background, alpha, axes)


def process(
    image: Image,
    steps: Colours,
    name: str,
    format: str | None,
    *,
    alpha: str,
    depth: str,
    background: Colour | None = None,
) -> Produced:
    """Carry out an operation on one picture, and lay it on a background; ``name`` is what details call it.

    Raises `ConvcliError` (with the fix) when it does not fit the picture or ``format`` cannot hold the result.
    """
    colour, cover = split_alpha(image, alpha)
    policy = output_policy(image, format, depth, "auto", zero_sum=False, is_angle=False, linear=False)
    if cover is None:
        pixels, clipped = stored(steps.act(colour, 1), policy)
        clippable = pixels.size
    else:
        if alpha == "premultiply" and bool((cover != image.white).any()):
            work = _chosen if steps.choose else _weighted
            shown, cover = work(colour, cover, steps, image.white, policy)
        else:
            shown, cover = steps.act(colour, 1), steps.sample(cover)
        colours, clipped = stored(shown, policy)
        clippable = colours.size
        pixels = np.concatenate([colours, policy.converted_alpha(cover)], axis=-1)
    has_alpha = image.has_alpha and alpha != "drop"
    result = replace(image, pixels=np.ascontiguousarray(pixels), has_alpha=has_alpha, warnings=())
    result = on_background(result, background)
    policy.check(result.pixels.shape[-1], result.has_alpha)
    share = clipped / clippable
    warnings = (*image.warnings, *policy.warnings, *policy.clipping_warning(share, has_range=False))
    return Produced(result, warnings, {"operation": name, "clipped": round(share, 6)})


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


def stored(response: Array, policy: OutputPolicy) -> tuple[Array, int]:
    """A response in input units as output pixels, and how many numbers were clipped; pixels stay as they are."""
    if response.dtype == policy.dtype and policy.gain == 1:
        return response, 0
    return finish(response.astype(policy.working, copy=False), policy)
