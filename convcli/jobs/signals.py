"""A signal through one operation; and numbers brought to what its format holds.

A signal is filtered, pooled and padded as a picture one row high, whose numbers are not pixels: they are written as
they come out, and only the integers of a WAV are rounded and clipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.signal_model import Signal
from convcli.images.signals import check_signal_target, read_signal, write_signal
from convcli.jobs.batch import Files, Outcome
from convcli.jobs.output_policy import WORTH_SAYING
from convcli.jobs.tasks import STREAM, Task
from convcli.ops.arguments import Array


@dataclass(frozen=True, eq=False)
class SignalResult:
    """What an operation makes of a signal.

    Attributes
    ----------
    samples : ndarray
        (OW, C), as they are written.
    positions : ndarray
        (OW,): the input sample that each stands at, perhaps beyond the input's ends.
    stride : float
        Input samples between neighbours, in the mean.
    details : dict
        What the operation says about itself, for ``--json``.
    clipped : float
        Share of the numbers that lay outside what the format holds, 0..1.
    """

    samples: Array
    positions: Array
    stride: float
    details: dict[str, Any]
    clipped: float = 0.0


def fitted(
    signal: Signal, samples: Array, positions: Array, stride: float, *, limits: Any = None, **details: Any
) -> SignalResult:
    """A result with its samples brought to what the signal's format holds: rounded half to even and clipped.

    ``limits`` are to be held by numbers that have none.
    """
    limits, whole = signal.limits or limits, signal.limits is not None
    if limits is None:
        return SignalResult(samples, positions, stride, details)
    rounded = np.rint(samples) if whole else samples
    inside = np.clip(rounded, *limits)
    share = float((inside != rounded).mean())
    return SignalResult(np.nan_to_num(inside, nan=0.0) if whole else inside, positions, stride, details, share)


def inexact(signal: Signal, operation: str) -> ImageError:
    """The refusal of an operation that would round integers beyond 2**53."""
    return ImageError(
        f"got {signal.sample_type} values beyond 2**53 with {operation}, which would round them; expected what only "
        "chooses or copies (identity, pad, morph, pool max, min or median), or numbers of at most 53 bits"
    )


def work_on_signal(
    task: Task, files: Files, operation: Callable[[Signal], SignalResult], *, channels_first: bool = False
) -> Outcome:
    """Carry out an operation on one task's signal, whose channels may be the rows of an array."""
    source: Any = files.stdin if task.source == STREAM else task.source
    target: Any = files.stdout if task.target == STREAM else task.target
    if source is None or target is None:
        raise ImageError("standard input or output: is not open")
    signal = read_signal(source, max_samples=files.max_pixels, channels_first=channels_first)
    if task.target != STREAM:
        check_signal_target(signal, target)
    result = operation(signal)
    words: dict[str, Any] = {"overwrite": files.overwrite, "strip": files.strip}
    write_signal(signal, result.samples, target, positions=result.positions, stride=result.stride, **words)
    details = {**result.details, "clipped": round(result.clipped, 6)}
    if signal.kept:
        details["kept"] = list(signal.kept)
    shape = result.samples.shape if signal.has_channels else result.samples.shape[:1]
    return Outcome(task, "done", "", (*signal.warnings, *_clipping(result, signal)), shape, signal.sample_type, details)


def _clipping(result: SignalResult, signal: Signal) -> tuple[str, ...]:
    if result.clipped < WORTH_SAYING:
        return ()
    low, high = signal.limits or (-1, 1)
    return (f"{result.clipped:.1%} of the samples lay outside {low:g}..{high:g} and were clipped",)
