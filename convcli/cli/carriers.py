"""One operation on three carriers: whether a command's files are pictures, volumes or signals, and its work on each."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import click

from convcli.cli.files import carry_out
from convcli.cli.options import Command, WrongUsage, usage
from convcli.cli.progress import progress_bar
from convcli.images import READABLE_SUFFIXES, Image, format_of
from convcli.images.signal_model import Signal
from convcli.images.signals import SIGNAL_SUFFIXES, is_signal
from convcli.images.volume_model import Volume
from convcli.jobs.axes import AXES, OperationPlan
from convcli.jobs.batch import Files, Outcome, Produced, run_one_by_one, run_tasks
from convcli.jobs.inputs import search
from convcli.jobs.signals import SignalResult, work_on_signal
from convcli.jobs.tasks import Task
from convcli.jobs.volumes import VolumeWork, work_on_volume

Plan = TypeVar("Plan", bound=OperationPlan)

# Frames can be read from animations and, with --stack, from any pictures; volumes are written as TIFF then.
_FRAMES = (".gif", ".webp", ".png")
_KEPT = {suffix: suffix for suffix in (".tif", ".tiff", ".npy")}
# Settings that say how files are read and written; all others are words of an operation's plan.
_FILE_WORDS = (
    "output", "overwrite", "skip_existing", "format", "quality", "strip", "max_pixels", "threads", "as_json", "quiet",
    "preview", "stack", "recursive", "watch",
)  # fmt: skip


def axes(text: str = "yx for pictures, zyx for volumes, x for signals; see below.") -> Callable[[Command], Command]:
    """The option ``--axes``."""
    return click.option("--axes", type=click.Choice(AXES), help=text)


stack = click.option(
    "--stack", is_flag=True, help="With zyx: the inputs, pictures in this order, are the planes of one volume."
)


def plan_words(inputs: Sequence[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Take the words of an operation's plan out of a command's settings, with the axes that the inputs have.

    What stays says how files are read and written; what of it does not go with the axes is wrong usage.
    """
    words = {name: settings.pop(name) for name in list(settings) if name not in _FILE_WORDS}
    found = words["axes"] = words["axes"] or _axes_of(inputs)
    if settings["stack"] and found != "zyx":
        raise WrongUsage("got --stack without --axes zyx, expected both: a stack is one volume")
    if settings.get("preview") is not None and found != "yx":
        raise WrongUsage(f"--preview: got a {'volume' if found == 'zyx' else 'signal'}, expected pictures")
    return words


def _axes_of(inputs: Sequence[str]) -> str:
    """``x`` where every input can only be a signal, else ``yx``; a mixture is wrong usage."""
    signals = [is_signal(each) for each in inputs]
    if any(signals) and not all(signals):
        signal, other = inputs[signals.index(True)], inputs[signals.index(False)]
        raise WrongUsage(f"got the signal {signal} beside {other}, expected one kind; name it with --axes")
    return "x" if any(signals) else "yx"


def run(
    inputs: Sequence[str],
    plan: Plan,
    settings: dict[str, Any],
    *,
    image: Callable[[Image, Plan, str | None], Produced],
    volume: Callable[[Volume, Plan, str | None], VolumeWork],
    signal: Callable[[Signal, Plan], SignalResult],
) -> int:
    """Carry out an operation on each input, as what the plan's axes say it is, and return the exit code.

    ``settings`` are what `plan_words` left: how files are read and written.
    """
    if plan.axes == "zyx":
        return _run_volumes(inputs, lambda each, format: volume(each, plan, format), plan, settings)
    if plan.axes == "x":
        return _run_signals(inputs, lambda each: signal(each, plan), plan.name, settings)
    return carry_out(
        inputs,
        plan.name,
        settings,
        lambda tasks, files, prepare: run_tasks(
            tasks, lambda each, format: image(each, plan, format), files, prepare=prepare
        ),
        shows_progress=settings.get("preview") is None,
        check_name=format_of,
    )


def _run_volumes(
    inputs: Sequence[str], begin: Callable[[Volume, str], VolumeWork], plan: OperationPlan, settings: dict[str, Any]
) -> int:
    """Work on each input as one volume, or with ``--stack`` on all of them as the planes of one."""
    from convcli.images.volume_writing import check_volume_format

    stacked = settings["stack"]
    planes: list[str] = usage(lambda: search(inputs, recursive=settings["recursive"]).files) if stacked else []
    work = partial(work_on_volume, begin=begin, stack=planes, alpha_fix=plan.alpha_fix)

    def run_all(tasks: list[Task], files: Files, prepare: Callable[[], None]) -> Iterator[Outcome]:
        with progress_bar("planes", hidden=settings["quiet"]) as progress:
            yield from run_one_by_one(tasks, partial(work, progress=progress), files, prepare=prepare)

    return carry_out(
        planes[:1] or inputs,
        plan.name,
        settings,
        run_all,
        shows_progress=False,
        check_name=lambda target: check_volume_format(format_of(target), 1),
        suffixes=dict.fromkeys(READABLE_SUFFIXES if stacked else _FRAMES, ".tiff") | _KEPT,
    )


def _run_signals(
    inputs: Sequence[str], operation: Callable[[Signal], SignalResult], name: str, settings: dict[str, Any]
) -> int:
    """Work on each input as a signal."""
    if settings["format"] is not None:
        raise WrongUsage(f"format: got {settings['format']} for a signal, which keeps its own; leave --format out")
    work = partial(work_on_signal, operation=operation)
    return carry_out(
        inputs,
        name,
        settings,
        lambda tasks, files, prepare: run_one_by_one(tasks, work, files, pictures=False, prepare=prepare),
        looked_for=SIGNAL_SUFFIXES,
    )
