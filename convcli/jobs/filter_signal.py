"""Filtering signals: pictures one row high, whose numbers are not pixels."""

from dataclasses import replace

import numpy as np

from convcli.errors import ConvcliError
from convcli.images.signal_model import Signal
from convcli.jobs.filter import FilterPlan, shaped
from convcli.jobs.links import Link
from convcli.jobs.output_policy import choose_colour
from convcli.jobs.signals import SignalResult, fitted, inexact
from convcli.ops.arguments import Array
from convcli.ops.sums import Border


def filter_signal(signal: Signal, plan: FilterPlan) -> SignalResult:
    """Filter a signal by a plan made with ``axes="x"``.

    Raises `ConvcliError` when no window fits, or when the range asked for is not one of this signal's.
    """
    if signal.samples.dtype.kind in "iu":
        return _chosen(signal, plan)
    return _filtered(signal, plan)


def _filtered(signal: Signal, plan: FilterPlan) -> SignalResult:
    range, limits = _range(signal, plan)
    source = choose_colour(signal.samples[None], plan.channels)
    links, first = plan.links(source.shape[:2]), 0
    for link in links:
        source = _respond(source, link, plan.border)
        first += link.windows[1].anchors(link.sizes[1]).start
    samples = shaped(source, plan)[0]
    stride = links[-1].windows[1].stride
    if range == "abs":
        samples = np.abs(samples)
    positions = first + np.arange(len(samples)) * stride
    return fitted(signal, samples, positions, stride, limits=limits, kernel=plan.name, range=range)


def _chosen(signal: Signal, plan: FilterPlan) -> SignalResult:
    """A filter that moves or chooses samples only, on integers that floats do not hold.

    Those that move go by halves, which floats do hold.
    """
    ranked = all(kernel.combine == "rank" for kernel in plan.kernels)
    taps = [kernel.planes[0][kernel.planes[0] != 0].tolist() for kernel in plan.kernels]
    moves = all(kernel.combine == "single" for kernel in plan.kernels) and all(each == [1] for each in taps)
    keeps = (plan.scale, plan.bias, plan.activation in ("none", "linear"), plan.channels) == (1, 0, True, "each")
    if not ((moves or ranked) and keeps and plan.range in ("auto", "raw") and plan.border.value % 1 == 0):
        raise inexact(signal, plan.name)
    if ranked:
        return _filtered(signal, plan)
    dtype, halves = signal.samples.dtype, []
    for shift, value in ((32, 0.0), (0, plan.border.value)):
        half = (signal.samples >> shift if shift else signal.samples & 0xFFFFFFFF).astype(np.float64)
        part = filter_signal(replace(signal, samples=half), replace(plan, border=replace(plan.border, value=value)))
        halves.append(part.samples.astype(np.int64).astype(dtype))
    return replace(part, samples=(halves[0] << dtype.type(32)) + halves[1])


def _respond(source: Array, link: Link, border: Border) -> Array:
    """The response (1, OW, C) to a signal (1, W, C) in its dtype.

    A mean is a sum divided once: (2.5 + 4.5 + 2) / 3 is 3, the sum of their thirds is 2.9999999999999996.
    """
    kernel = link.kernel
    count = kernel.planes[0].size
    is_mean = kernel.combine == "single" and np.allclose(kernel.planes[0] * count, 1, rtol=1e-12, atol=0)
    if is_mean:
        kernel = replace(kernel, planes=(np.ones_like(kernel.planes[0]),))
    response: Array = replace(link, kernel=kernel).respond(source[None, None], border, source.dtype)[0, 0]
    return response / source.dtype.type(count) if is_mean else response


def _range(signal: Signal, plan: FilterPlan) -> tuple[str, tuple[float, float] | None]:
    """The range that ``auto`` stands for, and the limits that numbers are clipped to."""
    limits = signal.limits
    if plan.range == "raw" and limits is not None:
        raise ConvcliError("range: got raw for a WAV of integers, expected clip or abs; save it as float WAV first")
    if plan.range == "clip" and limits is None:
        if signal.full_scale is None:
            raise ConvcliError(f"range: got clip for {signal.format}, which has no limits; expected auto, abs or raw")
        limits = (-signal.full_scale, signal.full_scale)
    if plan.range == "auto":
        return "raw" if limits is None else "clip", limits
    return plan.range, limits
