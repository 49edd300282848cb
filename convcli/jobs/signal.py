"""Filtering signals: a picture one row high, whose numbers are not pixels.

Responses are written as they are; only the integers of a WAV are rounded and clipped to what they can hold.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.geometry import Window
from convcli.images.signals import Signal, check_signal_target, read_signal, write_signal
from convcli.jobs.batch import STREAM, Files, Outcome, Task, failed, is_due
from convcli.jobs.filter import FilterPlan, shaped
from convcli.jobs.pixels import WORTH_SAYING, choose_colour
from convcli.kernels import Kernel
from convcli.ops.arguments import Array
from convcli.ops.correlation import correlation_windows
from convcli.ops.responses import respond


@dataclass(frozen=True, eq=False)
class FilteredSignal:
    """A signal's new samples (OW, C), the input samples they stand at, and what there is to say about them."""

    samples: Array
    positions: Array
    range: str  # clip, abs or raw
    clipped: float  # share of the numbers that lay outside what the format holds, 0..1


def filter_signal(signal: Signal, plan: FilterPlan) -> FilteredSignal:
    """Filter a signal by a plan made with ``axes="x"``.

    Raises `ConvcliError` when no window fits, or when the range asked for is not one of this signal's.
    """
    range, limits = _range(signal, plan)
    source = signal.samples[None]
    source = choose_colour(source, plan.channels, 1.0)
    first = 0
    for index, kernel in enumerate(plan.kernels):
        stride = plan.stride if index == len(plan.kernels) - 1 else (1, 1)
        shape = kernel.planes[0].shape
        windows = correlation_windows(source.shape[:2], shape, stride, plan.padding, plan.dilation)
        source = _respond(source, kernel, windows, plan)
        first += _anchor(windows[1]) - windows[1].before
    samples = shaped(source, plan)[0]
    positions = first + np.arange(len(samples)) * plan.stride[1]
    if range == "abs":
        samples = np.abs(samples)
    outside = 0
    if limits is not None:
        samples = np.rint(samples) if signal.limits else samples
        inside = np.clip(samples, *limits)
        outside = int((inside != samples).sum())
        samples = np.nan_to_num(inside, nan=0.0) if signal.limits else inside
    return FilteredSignal(samples, positions, range, outside / samples.size)


def _respond(source: Array, kernel: Kernel, windows: tuple[Window, ...], plan: FilterPlan) -> Array:
    """The response (1, OW, C) to a signal (1, W, C) in its dtype.

    A mean is a sum divided once: (2.5 + 4.5 + 2) / 3 is 3, the sum of their thirds is 2.9999999999999996.
    """
    count = kernel.planes[0].size
    is_mean = kernel.combine == "single" and np.allclose(kernel.planes[0] * count, 1, rtol=1e-12, atol=0)
    if is_mean:
        kernel = replace(kernel, planes=(np.ones_like(kernel.planes[0]),))
    response: Array = respond(source[None, None], kernel, windows, plan.border, source.dtype)[0, 0]
    return response / source.dtype.type(count) if is_mean else response


def _anchor(window: Window) -> int:
    return (window.effective - 1) // 2


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


def filter_signals(
    tasks: Sequence[Task], plan: FilterPlan, files: Files, *, prepare: Callable[[], None] = lambda: None
) -> Iterator[Outcome]:
    """Filter one signal after the other, and yield the outcome of each.

    ``prepare`` is called once before loops run. A task that fails yields an outcome that says so.
    """
    prepare()
    for task in tasks:
        started = time.perf_counter()
        try:
            if not is_due(task, files, pictures=False):
                yield Outcome(task, "skipped")
                continue
            outcome = _filter_file(task, plan, files)
            outcome.details["seconds"] = round(time.perf_counter() - started, 6)
            yield outcome
        except (ConvcliError, OSError, MemoryError) as error:
            yield failed(task, error)


def _filter_file(task: Task, plan: FilterPlan, files: Files) -> Outcome:
    source: Any = files.stdin if task.source == STREAM else task.source
    target: Any = files.stdout if task.target == STREAM else task.target
    if source is None or target is None:
        raise ImageError("standard input or output: is not open")
    signal = read_signal(source, max_samples=files.max_pixels)
    if target is not files.stdout:
        check_signal_target(signal, target)
    filtered = filter_signal(signal, plan)
    write_signal(
        signal,
        filtered.samples,
        target,
        positions=filtered.positions,
        stride=plan.stride[1],
        overwrite=files.overwrite,
        strip=files.strip,
    )
    details: dict[str, Any] = {"kernel": plan.name, "range": filtered.range, "clipped": round(filtered.clipped, 6)}
    if signal.kept:
        details["kept"] = list(signal.kept)
    shape = filtered.samples.shape
    if filtered.clipped >= WORTH_SAYING:
        limits = signal.limits or (-1, 1)
        warning = (
            f"{filtered.clipped:.1%} of the samples lay outside {limits[0]:g}..{limits[1]:g} and were clipped "
            "(--scale 0.5 leaves room)"
        )
    else:
        warning = ""
    warnings = (*signal.warnings, warning) if warning else signal.warnings
    shape = shape if signal.has_channels else shape[:1]
    return Outcome(task, "done", "", warnings, shape, signal.sample_type, details)
