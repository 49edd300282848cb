"""Pooling signals: a picture one row high, whose numbers are not pixels."""

import numpy as np

from convcli.geometry import windows_of
from convcli.images.signals import Signal
from convcli.jobs.pool import PoolPlan, pooled
from convcli.jobs.signal_batch import SignalResult, fitted, inexact
from convcli.ops.pooling_axes import adaptive_axes
from convcli.ops.pooling_runs import CHOOSING


def pool_signal(signal: Signal, plan: PoolPlan) -> SignalResult:
    """Pool a signal by a plan made with ``axes="x"``; its samples then stand in the middles of their windows.

    Raises `ConvcliError` when no window fits.
    """
    if signal.samples.dtype.kind in "iu" and plan.mode not in CHOOSING:
        raise inexact(signal, plan.name)
    samples = pooled(signal.samples[None], plan)[0]
    length = len(signal.samples)
    stride: float
    if plan.size is None:
        (axis,) = adaptive_axes((length,), (plan.output_size or (1, 1))[1:])
        positions, stride = axis.middles(), length / len(axis.table)
    else:
        steps = plan.stride or plan.size
        (window,) = windows_of(
            (length,), plan.size[1:], stride=steps[1:], dilation=plan.dilation[1:], ceil_mode=plan.ceil_mode,
            padding=plan.padding if isinstance(plan.padding, (str, int)) else plan.padding[1:],
        )  # fmt: skip
        stride = window.stride
        positions = np.arange(len(samples)) * stride - window.before + (window.effective - 1) // 2
    samples, clipped = fitted(samples, signal.limits, whole=signal.limits is not None)
    return SignalResult(samples, positions, stride, {"operation": plan.name}, clipped)
