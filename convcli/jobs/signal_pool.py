"""Pooling signals: a picture one row high, whose numbers are not pixels."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.geometry import windows_of
from convcli.images.signals import Signal, check_signal_target, read_signal, write_signal
from convcli.jobs.batch import STREAM, Files, Outcome, Task, failed, is_due
from convcli.jobs.pixels import WORTH_SAYING
from convcli.jobs.pool import PoolPlan, pooled
from convcli.ops.arguments import Array


@dataclass(frozen=True, eq=False)
class PooledSignal:
    """A signal's new samples (OW, C), the input samples in the middles of their windows, and the step between those."""

    samples: Array
    positions: Array
    stride: int
    clipped: float  # share of the numbers that lay outside what the format holds, 0..1


def pool_signal(signal: Signal, plan: PoolPlan) -> PooledSignal:
    """Pool a signal by a plan made with ``axes="x"``; raises `ConvcliError` when no window fits."""
    samples = pooled(signal.samples[None], plan)[0]
    length = len(signal.samples)
    stride = length
    positions = np.array([(length - 1) // 2])
    if not isinstance(plan.size, str):
        steps = plan.stride or plan.size
        (window,) = windows_of(
            (length,), plan.size[1:], stride=steps[1:], dilation=plan.dilation[1:], ceil_mode=plan.ceil_mode,
            padding=plan.padding if isinstance(plan.padding, (str, int)) else plan.padding[1:],
        )  # fmt: skip
        stride = window.stride
        positions = np.arange(len(samples)) * stride - window.before + (window.effective - 1) // 2
    outside = 0
    if signal.limits is not None:
        samples = np.rint(samples)
        inside = np.clip(samples, *signal.limits)
        outside = int((inside != samples).sum())
        samples = np.nan_to_num(inside, nan=0.0)
    return PooledSignal(samples, positions, stride, outside / samples.size)


def pool_signals(
    tasks: Sequence[Task], plan: PoolPlan, files: Files, *, prepare: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Pool one signal after the other, and yield the outcome of each.

    ``prepare`` is called once before loops run. A task that fails yields an outcome that says so.
    """
    prepare()
    for task in tasks:
        started = time.perf_counter()
        try:
            if not is_due(task, files, pictures=False):
                yield Outcome(task, "skipped")
                continue
            outcome = _pool_file(task, plan, files)
            outcome.details["seconds"] = round(time.perf_counter() - started, 6)
            yield outcome
        except (ConvcliError, OSError, MemoryError) as error:
            yield failed(task, error)


def _pool_file(task: Task, plan: PoolPlan, files: Files) -> Outcome:
    source: Any = files.stdin if task.source == STREAM else task.source
    target: Any = files.stdout if task.target == STREAM else task.target
    if source is None or target is None:
        raise ImageError("standard input or output: is not open")
    signal = read_signal(source, max_samples=files.max_pixels)
    if target is not files.stdout:
        check_signal_target(signal, target)
    result = pool_signal(signal, plan)
    write_signal(
        signal, result.samples, target, positions=result.positions, stride=result.stride, overwrite=files.overwrite,
        strip=files.strip,
    )  # fmt: skip
    details: dict[str, Any] = {"operation": plan.name, "clipped": round(result.clipped, 6)}
    if signal.kept:
        details["kept"] = list(signal.kept)
    warnings = signal.warnings
    if result.clipped >= WORTH_SAYING:
        low, high = signal.limits or (-1, 1)
        warnings = (*warnings, f"{result.clipped:.1%} of the samples lay outside {low:g}..{high:g} and were clipped")
    shape = result.samples.shape if signal.has_channels else result.samples.shape[:1]
    return Outcome(task, "done", "", warnings, shape, signal.sample_type, details)
