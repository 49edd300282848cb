"""Responses of whole kernels, also compound ones, and what happens to a response before it is a pixel."""

from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.geometry import Window
from convcli.kernels import Kernel
from convcli.ops.arguments import Array
from convcli.ops.canny import outline
from convcli.ops.nonlinear import respond_otherwise
from convcli.ops.plan import CorrelationPlan, plan_correlation
from convcli.ops.stacks import correlate_stack
from convcli.ops.sums import Border, Store

# sRGB: IEC 61966-2-1:1999.
_SRGB_LINEAR_END = 0.04045


# For each plane of a kernel its plan and way, as `convcli.ops.stacks.way_of_whole` has found them.
Ways = tuple[tuple[CorrelationPlan, str], ...]


def respond(
    stack: Array,
    kernel: Kernel,
    windows: tuple[Window, ...],
    border: Border,
    dtype: Any,
    white: float = 255.0,
    *,
    ways: Ways = (),
) -> Array:
    """The response (N, OD, OH, OW, C) of a kernel to a stack (N, D, H, W, C), in a float ``dtype``; checked arguments.

    A compound kernel's planes are combined as `Kernel.combine` says; an angle is in radians, edges are ``white`` and
    have one channel. What only chooses keeps the stack's dtype. ``ways`` are those of a whole that this is a part of.
    """
    if not kernel.has_matrix:
        return respond_otherwise(stack, kernel, windows, border, dtype, white)

    def response(plane: int) -> Array:
        plan, way = ways[plane] if ways else (plan_correlation(kernel.planes[plane], stack.dtype), None)
        return correlate_stack(stack, plan, windows, border, store=Store(dtype), way=way)[0]

    return combined(kernel, response, white)


def combined(kernel: Kernel, response: Callable[[int], Array], white: float) -> Array:
    """The responses of a kernel's planes, ``response(plane)``, made one as `Kernel.combine` says."""
    total = response(0)
    if kernel.combine == "edges":
        low, high = (float(kernel.parameters[name]) * white / 255 for name in ("low", "high"))  # type: ignore[arg-type]
        edges: Array = outline(total, response(1), low, high) * total.dtype.type(white)
        return edges
    if kernel.combine == "single":
        return total
    from convcli.loops.filtering import pointwise

    total = np.ascontiguousarray(total)
    flat = total.reshape(-1)
    if kernel.combine == "magnitude":
        with np.errstate(over="ignore"):  # what is beyond the type is infinite, as in the loops
            flat *= flat
    combine = {
        "magnitude": pointwise.add_squares,
        "maximum": pointwise.keep_largest,
        "angle": pointwise.direction,
    }[kernel.combine]
    last = len(kernel.planes) - 1
    for plane in range(1, last + 1):
        ends = kernel.combine == "magnitude" and plane == last
        (pointwise.root_of_squares if ends else combine)(flat, np.ascontiguousarray(response(plane)).reshape(-1))
    return total


def store_pixels(values: Array, store: Store) -> tuple[Array, int]:
    """Write floats of any shape as pixels: folded, clipped, rounded half to even; and how many lay outside."""
    from convcli.loops.costs import CHUNK
    from convcli.loops.filtering import pointwise

    out = np.empty(values.shape, store.dtype)
    of = values.dtype.type
    numbers = store.numbers(of, of(0))
    outside = np.zeros(-(-values.size // CHUNK), np.int64)
    pointwise.store(values.reshape(-1), numbers, outside, out.reshape(-1))
    return out, int(outside.sum())


def to_linear(pixels: Array, white: float, dtype: Any) -> Array:
    """sRGB pixels 0..white as linear light 0..white, in ``dtype``. Source: IEC 61966-2-1:1999."""
    if pixels.dtype.kind == "u":
        levels = np.arange(int(white) + 1) / white
        return (_srgb_to_linear(levels) * white).astype(dtype)[pixels]
    return (_srgb_to_linear(pixels.astype(np.float64) / white) * white).astype(dtype)


def _srgb_to_linear(levels: Array) -> Array:
    size = np.abs(levels)
    light = np.where(size <= _SRGB_LINEAR_END, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(light, levels)


def to_srgb(light: Array, white: float) -> None:
    """Linear light 0..white to sRGB's curve, in place; negative light mirrors it. Source: IEC 61966-2-1:1999."""
    from convcli.loops.filtering.pointwise import encode_srgb

    encode_srgb(light.reshape(-1), light.dtype.type(white))


def _gelu(x: Array) -> Array:
    from convcli.loops.filtering.pointwise import gelu

    gated = np.array(x)
    gelu(gated.reshape(-1))
    return gated


def _sigmoid(x: Array) -> Array:
    # exp of a negative number only: no overflow for large |x|.
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small), x.dtype)


def _softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), x.dtype)


# S. Klambauer et al., "Self-Normalizing Neural Networks", NIPS 2017, equation 14.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Array) -> Array:
    scale, bent = x.dtype.type(SELU_SCALE), x.dtype.type(SELU_SCALE * SELU_ALPHA)
    return np.asarray(np.where(x > 0, scale * x, bent * np.expm1(np.minimum(x, 0))))


# Name -> function on floats (..., C); softmax is over the channels. Keras's names and constants.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda x: x,
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x >= 0, x, x * x.dtype.type(0.2)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": _gelu,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
    "swish": lambda x: x * _sigmoid(x),
    "selu": _selu,
    "hard_sigmoid": lambda x: np.clip((x + 3) / 6, 0, 1),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hard_swish": lambda x: x * np.clip((x + 3) / 6, 0, 1),
    "softplus": _softplus,
}
