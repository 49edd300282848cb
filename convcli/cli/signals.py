"""`convcli filter` on signals: .wav, .csv and one-dimensional .npy."""

from collections.abc import Sequence
from typing import Any

from convcli.cli.files import carry_out
from convcli.cli.options import WrongUsage, usage
from convcli.images.signals import SIGNAL_SUFFIXES, is_signal
from convcli.jobs.batch import find_inputs
from convcli.jobs.filter import FilterPlan


def axes_of(inputs: Sequence[str]) -> str:
    """``x`` where every input can only be a signal, else ``yx``; a mixture is wrong usage."""
    signals = [is_signal(each) for each in inputs]
    if any(signals) and not all(signals):
        signal, other = inputs[signals.index(True)], inputs[signals.index(False)]
        raise WrongUsage(f"got the signal {signal} beside {other}, expected one kind; name it with --axes")
    return "x" if any(signals) else "yx"


def run_signals(inputs: Sequence[str], plan: FilterPlan, settings: dict[str, Any]) -> int:
    """Filter each input as a signal and return the exit code."""
    from convcli.jobs.signal import filter_signals

    if settings["format"] is not None:
        raise WrongUsage(f"format: got {settings['format']} for a signal, which keeps its own; leave --format out")
    found: list[str] = usage(lambda: find_inputs(inputs, SIGNAL_SUFFIXES))
    return carry_out(
        found, plan.name, settings, lambda tasks, files, prepare: filter_signals(tasks, plan, files, prepare=prepare)
    )
