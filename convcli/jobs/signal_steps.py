"""Padding and grey morphology of signals; integers of a WAV stay within what they can hold."""

import numpy as np

from convcli.errors import ShapeError
from convcli.images.signals import Signal
from convcli.jobs.morph import MorphPlan
from convcli.jobs.pad import PadPlan
from convcli.jobs.signal_batch import SignalResult, fitted
from convcli.ops.morphology import morph_stack
from convcli.ops.padding import pad_stack


def pad_signal(signal: Signal, plan: PadPlan) -> SignalResult:
    """Pad a signal by a plan made with ``axes="x"``: samples before its first and after its last.

    Raises `ShapeError` for another number of values than one, or one for each channel.
    """
    channels = signal.samples.shape[1]
    if len(plan.value) not in (1, channels):
        raise ShapeError(f"value: got {len(plan.value)} numbers, expected 1 or {channels} for this signal")
    value = plan.value * channels if len(plan.value) == 1 else plan.value
    amounts = ((0, 0), (0, 0), plan.amounts[0])
    samples = pad_stack(signal.samples[None, None, None], amounts, plan.mode, value)[0, 0, 0]
    positions = np.arange(len(samples)) - plan.amounts[0][0]
    samples, clipped = fitted(samples, signal.limits, whole=signal.limits is not None)
    return SignalResult(samples, positions, 1, {"operation": plan.name}, clipped)


def morph_signal(signal: Signal, plan: MorphPlan) -> SignalResult:
    """Carry a morphological operation out on a signal, by a plan made with ``axes="x"``."""
    stack = morph_stack(signal.samples[None, None, None], plan.operation, plan.element, plan.border, plan.value)
    samples, clipped = fitted(stack.reshape(signal.samples.shape), signal.limits, whole=signal.limits is not None)
    return SignalResult(samples, np.arange(len(samples)), 1, {"operation": plan.name}, clipped)
