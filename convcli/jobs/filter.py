"""Filtering pictures: a checked plan, then array work that cannot fail on its arguments.

The picture's colour goes through the chain of kernels, its alpha goes along as the policy says, and the response
becomes pixels again by the range policy. Which alpha and which range is decided in `convcli.jobs.output_policy`; what a
plan does to volumes and signals is `convcli.jobs.filter_volume`'s and `convcli.jobs.filter_signal`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from convcli.errors import ConvcliError, KernelError
from convcli.geometry import PaddingSpec, Window
from convcli.images import Image
from convcli.jobs.axes import (
    OperationPlan,
    check_finite,
    check_policies,
    check_word,
    counts_for,
    kernel_for,
    padding_for,
)
from convcli.jobs.background import on_background
from convcli.jobs.batch import Produced
from convcli.jobs.canny import check_words, is_preparation, unfolded
from convcli.jobs.filter_alpha import filter_visible
from convcli.jobs.links import Link, link, placed
from convcli.jobs.output_policy import OutputPolicy, choose_colour, finish, output_policy, split_alpha
from convcli.kernels import Kernel, flipped, normalized, parse_kernel
from convcli.kernels.entry import RESHAPING
from convcli.ops.arguments import Array, as_flag
from convcli.ops.borders import resolve_border
from convcli.ops.correlation import Counts
from convcli.ops.nonlinear import bilateral_pixels
from convcli.ops.plan import plan_correlation
from convcli.ops.responses import ACTIVATIONS, Ways, to_linear, to_srgb
from convcli.ops.stacks import correlate_stack
from convcli.ops.sums import Border

_SIZED = {
    "resize": "resize:width=800, height=, longest=, within= or scale=1/2",
    "crop": "crop:width=400,height=300,x=0,y=0",
}
NORMALIZE = ("none", "sum", "abs")


@dataclass(frozen=True, kw_only=True)
class FilterPlan(OperationPlan):
    """All that a filter needs to know, checked: see `plan_filter` for the words. ``title`` is the chain's own name."""

    kernels: tuple[Kernel, ...]
    border: Border = field(default_factory=lambda: Border("reflect"))
    padding: PaddingSpec = "same"
    stride: Counts = 1
    dilation: Counts = 1
    scale: float = 1.0
    bias: float = 0.0
    activation: str = "none"
    channels: str = "each"
    range: str = "auto"
    linear: bool = False
    title: str = ""

    @property
    def name(self) -> str:
        """The chain's name, for file names: its title, or ``gaussian_sobel-x``."""
        return self.title or "_".join(kernel.name for kernel in self.kernels if not is_preparation(kernel))

    @property
    def signs(self) -> dict[str, bool]:
        """What `output_policy` has to know of responses: a constant image gives 0; the result is a direction."""
        zero_sum = any(kernel.is_zero_sum for kernel in self.kernels)
        return {"zero_sum": zero_sum, "is_angle": self.kernels[-1].combine == "angle"}

    def links(self, sizes: tuple[int, ...]) -> tuple[Link, ...]:
        """The chain on an input of these sizes; the stride is the last kernel's. Raises where no window fits."""
        links: list[Link] = []
        for kernel in self.kernels:
            stride = self.stride if len(links) == len(self.kernels) - 1 else 1
            links.append(link(kernel, sizes, stride=stride, padding=self.padding, dilation=self.dilation))
            sizes = links[-1].out_sizes
        return tuple(links)

    def goes_straight(self, policy: OutputPolicy) -> bool:
        """Whether one loop takes the pixels in and puts the pixels out, with nothing in between."""
        return (
            len(self.kernels) == 1
            and self.kernels[0].combine == "single"
            and self.activation in ("none", "linear")
            and not self.linear
            and policy.gain == 1
            and policy.range != "minmax"
        )

    def goes_straight_otherwise(self, policy: OutputPolicy) -> bool:
        """`goes_straight` for the kernel without a matrix that has such a loop."""
        kernels, shapes = [kernel.combine for kernel in self.kernels], (self.scale, self.bias, self.activation)
        is_plain = shapes in ((1, 0, "none"), (1, 0, "linear")) and not self.linear and policy.offset == 0
        return kernels == ["bilateral"] and is_plain and policy.gain == 1 and policy.range != "minmax"

    def leaves(self, response: Array, policy: OutputPolicy) -> bool:
        """Whether a response is pixels, chosen or copied from those of the input, that are written as they are."""
        is_whole = response.dtype.kind == "u" and response.dtype == policy.dtype
        shapes = (self.scale, self.bias, self.activation in ("none", "linear"), self.linear) != (1, 0, True, False)
        return is_whole and not shapes and policy.gain == 1 and policy.range in ("clip", "abs")


@dataclass(frozen=True, kw_only=True)
class Filtered(Produced):
    """A filtered picture and what there is to say about it."""

    range: str  # the range policy that was used; never auto
    clipped: float  # share of the colour numbers that lay outside the pixel range, 0..1


def plan_filter(
    specs: Sequence[str | Kernel],
    *,
    border: str = "reflect",
    border_value: float = 0.0,
    convolve: bool = False,
    normalize: Literal["none", "sum", "abs"] = "none",
    **words: Any,
) -> FilterPlan:
    """Check the words of a filter and return its plan.

    Parameters
    ----------
    specs : sequence of str or Kernel
        The chain, first kernel first. Padding, border and dilation apply to each; stride, scale, bias and activation
        to the last.
    border, border_value
        As in `convcli.correlate2d`; the value in pixel units of the input.
    convolve : bool
        Whether kernels are flipped.
    normalize : str
        ``none``, ``sum`` or ``abs``: what a kernel is divided by, unless that is zero.
    words
        Those of `FilterPlan`. ``padding, stride, dilation`` are as in `convcli.correlate2d`, in the order of the axes;
        ``scale * response + bias`` in pixel units of the input; ``activation, channels, range``: one of `ACTIVATIONS`,
        `CHANNELS`, `RANGES`; ``linear``: whether to filter in linear light instead of sRGB's curve; and those of
        `convcli.jobs.axes.OperationPlan`. What makes no sense along some axes is refused there.

    Raises
    ------
    KernelError
        For a SPEC that cannot be read, a kernel of other axes, or an angle that is not the chain's last kernel.
    ConvcliError
        For any other word that is none of those allowed.
    """
    plan = FilterPlan(kernels=(), **words)
    axes = plan.axes
    convolve, linear = as_flag("convolve", convolve), as_flag("linear", plan.linear)
    check_word("normalize", normalize, NORMALIZE)
    check_word("activation", plan.activation, tuple(ACTIVATIONS))
    check_finite(scale=plan.scale, bias=plan.bias, border_value=border_value)
    check_policies(plan, range=plan.range, channels=plan.channels)
    if plan.channels != "each" and plan.alpha == "independent":
        raise ConvcliError(f"alpha: got independent with channels {plan.channels}, expected premultiply, keep or drop")
    if linear and axes != "yx":
        carrier = "a volume" if axes == "zyx" else "a signal"
        raise ConvcliError(f"linear: {carrier} is filtered in the numbers it holds; leave --linear out")
    chain = _read_chain(specs, axes)
    check_words(chain, vars(plan) | {"convolve": convolve, "normalize": normalize})
    kernels = [flipped(kernel) if convolve else kernel for kernel in chain]
    return replace(
        plan,
        kernels=tuple(normalized(kernel, normalize) for kernel in kernels),
        border=Border(resolve_border(border), float(border_value)),
        padding=padding_for(axes, plan.padding),
        stride=counts_for(axes, plan.stride, "stride"),
        dilation=counts_for(axes, plan.dilation, "dilation"),
        scale=float(plan.scale),
        bias=float(plan.bias),
        linear=linear,
    )


def _read_chain(specs: Sequence[str | Kernel], axes: str) -> list[Kernel]:
    if not specs:
        raise KernelError("kernel: got none, expected at least one; convcli kernel list shows the library")
    asked = [kernel_for(axes, parse_kernel(spec) if isinstance(spec, str) else spec) for spec in specs]
    kernels = [each for kernel in asked for each in unfolded(kernel)]
    for kernel in kernels[:-1]:
        if kernel.combine == "angle":
            raise KernelError(f"{kernel.name}: its result is a direction, so it must be the last kernel of the chain")
    for kernel in kernels:
        if kernel.combine in RESHAPING and not kernel.parameters:
            raise KernelError(f"{kernel.name}: got no size, expected one: {_SIZED[kernel.name]}")
    return kernels


@np.errstate(over="ignore", invalid="ignore")
def filter_image(image: Image, plan: FilterPlan, format: str | None = None) -> Filtered:
    """Filter one picture as planned; ``format`` is the one it will be written in, which limits its depth.

    Raises `ConvcliError` (with the fix) when no window fits the picture or the format cannot hold the result.
    """
    colour, alpha = split_alpha(image, plan.alpha)
    policy = output_policy(image, format, plan.depth, plan.range, **plan.signs)
    links = plan.links(colour.shape[:2])
    weighted = alpha is not None and plan.alpha == "premultiply" and bool((alpha != image.white).any())
    if alpha is not None and weighted:
        pixels, clipped, alpha = _filter_weighted(colour, alpha, plan, policy, links)
    else:
        if alpha is not None:
            for each in links:
                alpha = each.keep_alpha(alpha)
        pixels, clipped = _filter_opaque(colour, plan, policy, links, None if alpha is None else alpha[..., 0] > 0)
    clippable = pixels.size
    if alpha is not None:
        pixels = np.concatenate([pixels, policy.converted_alpha(alpha)], axis=-1)
    has_alpha = alpha is not None or (plan.alpha == "independent" and image.has_alpha)
    down, across = placed(links)
    words: dict[str, Any] = {"has_alpha": has_alpha, "numbers": None, "warnings": (), "placement": (down, across)}
    result = replace(image, pixels=pixels, **words)
    result = on_background(result, plan.background, linear=plan.linear)
    policy.check(result.pixels.shape[-1], result.has_alpha)
    share = clipped / clippable
    warnings = (*image.warnings, *policy.warnings, *policy.clipping_warning(share))
    details = {"kernel": plan.name, "range": policy.range, "clipped": round(share, 6)}
    return Filtered(result, warnings, details, range=policy.range, clipped=share)


def _filter_opaque(
    colour: Array, plan: FilterPlan, policy: OutputPolicy, links: Sequence[Link], seen: Array | None
) -> tuple[Array, int]:
    """Colour (H, W, C) to pixels (OH, OW, C), and how many numbers were clipped; ``seen`` as in `finish`."""
    source = to_linear(colour, policy.white_in, policy.working) if plan.linear else colour
    source = choose_colour(source, plan.channels, linear=plan.linear)
    if plan.goes_straight(policy):
        pixels, clipped = respond_in_pixels(source[None, None], links[0].windows, plan.border, plan, policy)
        return pixels[0, 0], clipped
    if plan.goes_straight_otherwise(policy) and source.dtype == policy.dtype:
        kernel, windows = plan.kernels[0], links[0].windows
        pixels, clipped = bilateral_pixels(
            source[None, None], kernel, windows, plan.border, policy.white_in, policy.store
        )
        return policy.as_written(pixels[0, 0]), clipped
    for each in links:
        source = each.respond(source[None, None], plan.border, policy.working, policy.white_in)[0, 0]
    return _finished(source, plan, policy, seen)


def respond_in_pixels(
    stack: Array, windows: tuple[Window, ...], border: Border, plan: FilterPlan, policy: OutputPolicy, ways: Ways = ()
) -> tuple[Array, int]:
    """A stack (N, D, H, W, C) through the kernel of a plan that goes straight, and how many numbers were clipped.

    ``ways`` are as in `convcli.ops.responses.respond`.
    """
    how, way = ways[0] if ways else (plan_correlation(plan.kernels[0].weights, stack.dtype), None)
    pixels, clipped = correlate_stack(
        stack,
        how,
        windows,
        border,
        store=policy.store,
        scale=plan.scale,
        bias=plan.bias + policy.offset,
        way=way,
    )
    return policy.as_written(pixels), clipped


def _filter_weighted(
    colour: Array, alpha: Array, plan: FilterPlan, policy: OutputPolicy, links: Sequence[Link]
) -> tuple[Array, int, Array]:
    """Colour weighted by alpha, so that what cannot be seen has no say, and alpha: see `convcli.jobs.filter_alpha`."""
    # Products of 16-bit colour and alpha have 32 bits: more than a float32 holds.
    working = np.float64 if colour.dtype == np.uint16 else policy.working
    source = to_linear(colour, policy.white_in, working) if plan.linear else colour
    prepared = choose_colour(source, plan.channels, linear=plan.linear).astype(working)
    response, cover = filter_visible(prepared, alpha.astype(working), links, plan.border, policy.white_in)
    return *_finished(response, plan, policy, cover[..., 0] > 0), cover


def _finished(response: Array, plan: FilterPlan, policy: OutputPolicy, seen: Array | None) -> tuple[Array, int]:
    """Scale, bias, activation, then the range policy; ``seen`` as in `finish`."""
    if plan.leaves(response, policy):
        return response, 0
    response = shaped(response.astype(policy.working, copy=False), plan)
    if plan.linear and not policy.is_angle:
        if policy.range == "abs":
            np.abs(response, out=response)
        to_srgb(response, policy.white_in)
    return finish(response, policy, seen)


def shaped(response: Array, plan: FilterPlan) -> Array:
    """A response (..., C) scaled, with its bias and through its activation; the array given is spoiled."""
    if plan.scale != 1:
        response *= response.dtype.type(plan.scale)
    if plan.bias:
        response += response.dtype.type(plan.bias)
    if plan.activation not in ("none", "linear"):
        response = np.ascontiguousarray(ACTIVATIONS[plan.activation](response))
    return response
