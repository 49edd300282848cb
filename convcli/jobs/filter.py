"""Filtering one picture: a validated plan, then array work that cannot fail on its arguments.

The picture's colour goes through the chain of kernels, its alpha goes along as the policy says, and the response
becomes pixels again by the range policy. Which alpha and which range is decided in `convcli.jobs.pixels`; files and
batches are `convcli.jobs.batch`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from convcli.errors import ConvcliError, KernelError
from convcli.geometry import PaddingSpec, Placement, Window
from convcli.images import Image
from convcli.jobs.axes import AXES, check_words, counts_for, kernel_for, padding_for
from convcli.jobs.background import Colour, check_background, on_background
from convcli.jobs.outlines import check_words as check_outlines
from convcli.jobs.outlines import is_preparation, unfolded
from convcli.jobs.pixels import (
    ALPHA,
    CHANNELS,
    DEPTHS,
    RANGES,
    OutputPolicy,
    choose_colour,
    finish,
    output_policy,
    split_alpha,
)
from convcli.jobs.transparency import at_anchors, filter_visible
from convcli.kernels import Kernel, flipped, normalized, parse_kernel
from convcli.ops.arguments import Array
from convcli.ops.borders import resolve_border
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import plan_correlation
from convcli.ops.responses import ACTIVATIONS, respond, to_linear, to_srgb
from convcli.ops.stacks import Border, correlate_stack

NORMALIZE = ("none", "sum", "abs")


@dataclass(frozen=True)
class FilterPlan:
    """Everything `filter_image` needs to know, checked: see `plan_filter` for the words."""

    kernels: tuple[Kernel, ...]
    border: Border = field(default_factory=lambda: Border("reflect"))
    padding: PaddingSpec = "same"
    stride: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    scale: float = 1.0
    bias: float = 0.0
    activation: str = "none"
    channels: str = "each"
    range: str = "auto"
    alpha: str = "premultiply"
    depth: str = "same"
    linear: bool = False
    axes: str = "yx"
    background: Colour | None = None

    @property
    def name(self) -> str:
        """The chain's name, for file names: ``gaussian_sobel-x``."""
        return "_".join(kernel.name for kernel in self.kernels if not is_preparation(kernel))

    @property
    def zero_sum(self) -> bool:
        """Whether a constant image gives 0, so that the response is signed and alpha is kept."""
        return any(kernel.is_zero_sum for kernel in self.kernels)

    @property
    def is_angle(self) -> bool:
        """Whether the result is a direction in radians."""
        return self.kernels[-1].combine == "angle"


@dataclass(frozen=True)
class Filtered:
    """A filtered picture and what there is to say about it."""

    image: Image
    range: str  # the range policy that was used; never auto
    clipped: float  # share of the colour numbers that lay outside the pixel range, 0..1
    warnings: tuple[str, ...] = ()


def plan_filter(
    specs: Sequence[str | Kernel],
    *,
    border: str = "reflect",
    border_value: float = 0.0,
    padding: PaddingSpec = "same",
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    convolve: bool = False,
    normalize: Literal["none", "sum", "abs"] = "none",
    scale: float = 1.0,
    bias: float = 0.0,
    activation: str = "none",
    channels: str = "each",
    range: str = "auto",
    alpha: str = "premultiply",
    depth: str = "same",
    linear: bool = False,
    axes: str = "yx",
    background: Colour | None = None,
) -> FilterPlan:
    """Check the words of a filter and return its plan.

    Parameters
    ----------
    specs : sequence of str or Kernel
        The chain, first kernel first. Padding, border and dilation apply to each; stride, scale, bias and activation
        to the last.
    border, border_value, padding, stride, dilation
        As in `convcli.correlate2d`, in the order of the axes; the value in pixel units of the input.
    convolve : bool
        Whether kernels are flipped.
    normalize : str
        ``none``, ``sum`` or ``abs``: what a kernel is divided by, unless that is zero.
    scale, bias : float
        ``scale * response + bias``, in pixel units of the input.
    activation, channels, range, alpha, depth : str
        One of `ACTIVATIONS`, `CHANNELS`, `RANGES`, `ALPHA`, `DEPTHS`.
    linear : bool
        Whether to filter in linear light instead of sRGB's curve.
    axes : str
        One of `AXES`: ``yx`` for pictures, ``zyx`` for volumes (`convcli.jobs.volume`), ``x`` for signals
        (`convcli.jobs.signal`); what makes no sense there is refused.
    background : three floats, optional
        What the result is laid on instead of keeping its alpha: red, green and blue, 0..1.

    Raises
    ------
    KernelError
        For a SPEC that cannot be read, a kernel of other axes, or an angle that is not the chain's last kernel.
    ConvcliError
        For any other word that is none of those allowed.
    """
    known = {
        "normalize": (normalize, NORMALIZE),
        "activation": (activation, tuple(ACTIVATIONS)),
        "channels": (channels, CHANNELS),
        "range": (range, RANGES),
        "alpha": (alpha, ALPHA),
        "depth": (depth, DEPTHS),
        "axes": (axes, AXES),
    }
    _check_words(known, {"scale": scale, "bias": bias, "border_value": border_value})
    if channels != "each" and alpha == "independent":
        raise ConvcliError(f"alpha: got independent with channels {channels}, expected premultiply, keep or drop")
    check_background(background, alpha, axes)
    if axes != "yx":
        check_words(axes, range=range, alpha=alpha, channels=channels, depth=depth, linear=linear)
    chain = _read_chain(specs, axes)
    check_outlines(
        chain,
        {
            "convolve": convolve, "normalize": normalize, "stride": stride, "dilation": dilation, "scale": scale,
            "bias": bias, "activation": activation, "range": range, "alpha": alpha,
        },
    )  # fmt: skip
    kernels = [flipped(kernel) if convolve else kernel for kernel in chain]
    return FilterPlan(
        kernels=tuple(normalized(kernel, normalize) for kernel in kernels),
        border=Border(resolve_border(border), float(border_value)),
        padding=padding_for(axes, padding),
        stride=counts_for(axes, stride, "stride"),
        dilation=counts_for(axes, dilation, "dilation"),
        scale=float(scale),
        bias=float(bias),
        activation=activation,
        channels=channels,
        range=range,
        alpha=alpha,
        depth=depth,
        linear=linear,
        axes=axes,
        background=background,
    )


def _check_words(words: dict[str, tuple[str, tuple[str, ...]]], numbers: dict[str, float]) -> None:
    """Refuse a word that is not among those known, and a number that is not finite."""
    for name, (word, known) in words.items():
        if word not in known:
            raise ConvcliError(f"{name}: got {word!r}, expected one of {', '.join(known)}")
    for name, number in numbers.items():
        if not np.isfinite(number):
            raise ConvcliError(f"{name}: got {number}, expected a finite number")


def _read_chain(specs: Sequence[str | Kernel], axes: str) -> list[Kernel]:
    if not specs:
        raise KernelError("kernel: got none, expected at least one; convcli kernel list shows the library")
    asked = [kernel_for(axes, parse_kernel(spec) if isinstance(spec, str) else spec) for spec in specs]
    kernels = [each for kernel in asked for each in unfolded(kernel)]
    for kernel in kernels[:-1]:
        if kernel.combine == "angle":
            raise KernelError(f"{kernel.name}: its result is a direction, so it must be the last kernel of the chain")
    return kernels


@np.errstate(over="ignore", invalid="ignore")
def filter_image(image: Image, plan: FilterPlan, format: str | None = None) -> Filtered:
    """Filter one picture as planned; ``format`` is the one it will be written in, which limits its depth.

    Raises `ConvcliError` (with the fix) when no window fits the picture or the format cannot hold the result.
    """
    colour, alpha = split_alpha(image, plan.alpha)
    policy = output_policy(
        image, format, plan.depth, plan.range, zero_sum=plan.zero_sum, is_angle=plan.is_angle, linear=plan.linear
    )
    weighted = alpha is not None and plan.alpha == "premultiply" and bool((alpha != image.white).any())
    if alpha is None or not weighted:
        kept = None if alpha is None else _sampled(alpha, plan)
        pixels, clipped = _filter_opaque(colour, plan, policy, None if kept is None else kept[..., 0] > 0)
        if kept is not None:
            pixels = _with_alpha(pixels, kept, policy)
    else:
        pixels, clipped = _filter_weighted(colour, alpha, plan, policy)
    has_alpha = alpha is not None or (plan.alpha == "independent" and image.has_alpha)
    result = replace(image, pixels=pixels, has_alpha=has_alpha, warnings=(), placement=_placement(image, plan))
    result = on_background(result, plan.background, linear=plan.linear)
    policy.check(result.pixels.shape[-1], result.has_alpha)
    share = clipped / pixels[..., : pixels.shape[-1] - (alpha is not None)].size
    warnings = (*image.warnings, *policy.warnings, *policy.clipping_warning(share))
    return Filtered(result, policy.range, share, warnings)


def _filter_opaque(
    colour: Array, plan: FilterPlan, policy: OutputPolicy, seen: Array | None = None
) -> tuple[Array, int]:
    """Colour (H, W, C) to pixels (OH, OW, C), and how many numbers were clipped; ``seen`` as in `finish`."""
    source = to_linear(colour, policy.white_in, policy.working) if plan.linear else colour
    prepared = choose_colour(source, plan.channels, linear=plan.linear)
    if _goes_straight(plan, policy, prepared):
        kernel = plan.kernels[0]
        result, clipped = correlate_stack(
            prepared[None, None],
            plan_correlation(kernel.weights, prepared.dtype),
            _windows(prepared, kernel, plan, plan.stride),
            plan.border,
            store=policy.store,
            scale=plan.scale,
            bias=plan.bias + policy.offset,
        )
        return result[0, 0], clipped
    return _finished(_chain(prepared, plan, policy.working, policy.white_in), plan, policy, seen)


def _goes_straight(plan: FilterPlan, policy: OutputPolicy, prepared: Array) -> bool:
    """Whether one loop takes the pixels in and puts the pixels out, with nothing in between."""
    return (
        len(plan.kernels) == 1
        and plan.kernels[0].combine == "single"
        and plan.activation in ("none", "linear")
        and not plan.linear
        and policy.gain == 1
        and policy.range != "minmax"
    )


def _filter_weighted(colour: Array, alpha: Array, plan: FilterPlan, policy: OutputPolicy) -> tuple[Array, int]:
    """Colour weighted by alpha, so that what cannot be seen has no say: see `convcli.jobs.transparency`."""
    # Products of 16-bit colour and alpha have 32 bits: more than a float32 holds.
    working = np.float64 if colour.dtype == np.uint16 else policy.working
    source = to_linear(colour, policy.white_in, working) if plan.linear else colour
    prepared = choose_colour(source, plan.channels, linear=plan.linear).astype(working)

    def windows_of(array: Array, index: int) -> tuple[Window, ...]:
        return _windows(array, plan.kernels[index], plan, _stride(plan, index))

    filtered = filter_visible(prepared, alpha.astype(working), plan.kernels, windows_of, plan.border, policy.white_in)
    pixels, clipped = _finished(filtered[0], plan, policy, filtered[1][..., 0] > 0)
    return _with_alpha(pixels, filtered[1], policy), clipped


def _chain(source: Array, plan: FilterPlan, dtype: Any, white: float) -> Array:
    """(H, W, C) through the kernels one after the other, in floats; the stride is the last one's."""
    for index, kernel in enumerate(plan.kernels):
        windows = _windows(source, kernel, plan, _stride(plan, index))
        source = respond(source[None, None], kernel, windows, plan.border, dtype, white)[0, 0]
    return source


def _stride(plan: FilterPlan, index: int) -> tuple[int, ...]:
    """The stride of one kernel of the chain: the plan's for the last, 1 for the others."""
    return plan.stride if index == len(plan.kernels) - 1 else (1,) * len(plan.stride)


def _windows(source: Array, kernel: Kernel, plan: FilterPlan, stride: tuple[int, ...]) -> tuple[Window, ...]:
    return correlation_windows(source.shape[:2], kernel.planes[0].shape, stride, plan.padding, plan.dilation)


def _sampled(alpha: Array, plan: FilterPlan) -> Array:
    """Alpha (H, W, 1) at the anchors of the windows: (OH, OW, 1), unfiltered, in its own dtype."""
    for index, kernel in enumerate(plan.kernels):
        alpha = at_anchors(alpha, _windows(alpha, kernel, plan, _stride(plan, index)))
    return alpha


def _placement(image: Image, plan: FilterPlan) -> tuple[Placement, Placement]:
    """Where the result's pixels lie on the picture, along y and along x."""
    sizes = image.pixels.shape[:2]
    down, across = Placement(), Placement()
    for index, kernel in enumerate(plan.kernels):
        shape = kernel.planes[0].shape
        windows = correlation_windows(sizes, shape, _stride(plan, index), plan.padding, plan.dilation)
        down, across = down.then(Placement.of(windows[0])), across.then(Placement.of(windows[1]))
        sizes = tuple(window.output(n) for window, n in zip(windows, sizes, strict=True))
    return down, across


def _finished(response: Array, plan: FilterPlan, policy: OutputPolicy, seen: Array | None = None) -> tuple[Array, int]:
    """Scale, bias, activation, then the range policy; ``seen`` as in `finish`."""
    response = shaped(response, plan)
    if plan.linear and not plan.is_angle:
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


def _with_alpha(pixels: Array, alpha: Array, policy: OutputPolicy) -> Array:
    """Pixels (OH, OW, C) and alpha (OH, OW, 1) in input units, together in the output's depth."""
    shown = np.empty((*pixels.shape[:2], pixels.shape[2] + 1), pixels.dtype)
    shown[..., :-1] = pixels
    shown[..., -1:] = policy.converted_alpha(alpha)
    return shown
