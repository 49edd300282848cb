"""filter, pool, pad and morph on signals: .wav, .csv and one-dimensional .npy."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from convcli.cli.files import carry_out
from convcli.cli.options import WrongUsage, usage
from convcli.images.signals import SIGNAL_SUFFIXES, is_signal
from convcli.jobs.axes import AXES
from convcli.jobs.batch import find_inputs

if TYPE_CHECKING:
    from convcli.images.signals import Signal
    from convcli.jobs.signal_batch import SignalResult


signal_axes = click.option(
    "--axes", type=click.Choice(AXES), help="yx for pictures, zyx for volumes, x for signals; see below."
)


def axes_of(inputs: Sequence[str]) -> str:
    """``x`` where every input can only be a signal, else ``yx``; a mixture is wrong usage."""
    signals = [is_signal(each) for each in inputs]
    if any(signals) and not all(signals):
        signal, other = inputs[signals.index(True)], inputs[signals.index(False)]
        raise WrongUsage(f"got the signal {signal} beside {other}, expected one kind; name it with --axes")
    return "x" if any(signals) else "yx"


def run_signals(
    inputs: Sequence[str], operation: "Callable[[Signal], SignalResult]", name: str, settings: dict[str, Any]
) -> int:
    """Work on each input as a signal and return the exit code; ``name`` stands for ``{kernel}`` in file names."""
    from convcli.jobs.signal_batch import run_signal_tasks

    if settings["format"] is not None:
        raise WrongUsage(f"format: got {settings['format']} for a signal, which keeps its own; leave --format out")
    found: list[str] = usage(lambda: find_inputs(inputs, SIGNAL_SUFFIXES))
    return carry_out(
        found,
        name,
        settings,
        lambda tasks, files, prepare: run_signal_tasks(tasks, operation, files, prepare=prepare),
    )
