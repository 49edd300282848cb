"""Signals through one operation, file by file; and numbers brought to what a signal's format holds."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.images.signals import Signal, check_signal_target, read_signal, write_signal
from convcli.jobs.batch import STREAM, Files, Outcome, Task, failed, is_due
from convcli.jobs.pixels import WORTH_SAYING
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


def fitted(samples: Array, limits: tuple[float, float] | None, *, whole: bool) -> tuple[Array, float]:
    """Samples rounded half to even, if ``whole``, and clipped to the limits; and the share that lay outside."""
    rounded = np.rint(samples) if whole else samples
    if limits is None:
        return rounded, 0.0
    inside = np.clip(rounded, *limits)
    share = float((inside != rounded).mean())
    return (np.nan_to_num(inside, nan=0.0) if whole else inside), share


def inexact(signal: Signal, operation: str) -> ImageError:
    """The refusal of an operation that would round integers beyond 2**53."""
    return ImageError(
        f"got {signal.sample_type} values beyond 2**53 with {operation}, which would round them; expected what only "
        "chooses or copies (identity, pad, morph, pool max, min or median), or numbers of at most 53 bits"
    )


def run_signal_tasks(
    tasks: Sequence[Task],
    operation: Callable[[Signal], SignalResult],
    files: Files,
    *,
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Work on one signal after the other, and yield the outcome of each.

    ``prepare`` is called once before loops run. A task that fails yields an outcome that says so.
    """
    prepare()
    for task in tasks:
        started = time.perf_counter()
        try:
            if not is_due(task, files, pictures=False):
                yield Outcome(task, "skipped")
                continue
            outcome = _work(task, operation, files)
            outcome.details["seconds"] = round(time.perf_counter() - started, 6)
            yield outcome
        except (ConvcliError, OSError, MemoryError) as error:
            yield failed(task, error)


def _work(task: Task, operation: Callable[[Signal], SignalResult], files: Files) -> Outcome:
    source: Any = files.stdin if task.source == STREAM else task.source
    target: Any = files.stdout if task.target == STREAM else task.target
    if source is None or target is None:
        raise ImageError("standard input or output: is not open")
    signal = read_signal(source, max_samples=files.max_pixels)
    if task.target != STREAM:
        check_signal_target(signal, target)
    result = operation(signal)
    write_signal(
        signal,
        result.samples,
        target,
        positions=result.positions,
        stride=result.stride,
        overwrite=files.overwrite,
        strip=files.strip,
    )
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
