"""One operation on three carriers: whether a command's files are pictures, volumes or signals, and its work on each.

``--axes`` says both what files hold and what the operation acts along: z, y and x where there is a z, else the planes.
Without it, and the words that go with it, files are pictures; a signal is known by its file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import click

from convcli.budget import shown_size
from convcli.cli import preview, scaling
from convcli.cli.completing import AXES
from convcli.cli.files import carry_out
from convcli.cli.frames import frames, run_frames
from convcli.cli.options import Command, WrongUsage, chained, rest_of_files, usage
from convcli.cli.printing import say, show
from convcli.cli.progress import progress_bar
from convcli.cli.scaling import check_pictures, check_plain, scaling_of
from convcli.errors import ConvcliError, FileError, ImageError, shown
from convcli.images import READABLE_SUFFIXES, Image, format_of
from convcli.images.formats import suffix_of, written_as
from convcli.images.signal_model import Signal
from convcli.images.signals import SIGNAL_SUFFIXES, is_signal
from convcli.images.volume_axes import acts_along
from convcli.images.volume_model import Volume
from convcli.images.volumes import holds_planes
from convcli.jobs.axes import OperationPlan
from convcli.jobs.batch import Files, Outcome, Produced, failed, run_one_by_one, run_tasks
from convcli.jobs.inputs import search
from convcli.jobs.signals import SignalResult, work_on_signal
from convcli.jobs.stacks import Begin, acted
from convcli.jobs.tasks import STREAM, Task
from convcli.jobs.volumes import Input, Reading, VolumeWork
from convcli.stores import SUFFIX, is_hdf5_name, is_store

Plan = TypeVar("Plan", bound=OperationPlan)

# Frames can be read from animations and, with --stack, from any pictures; volumes are written as TIFF then.
_FRAMES = (".gif", ".webp", ".png")
_KEPT = {suffix: suffix for suffix in (".tif", ".tiff", ".npy", ".npz", ".nii", ".nii.gz", ".zarr")}
_KEPT |= {f".ome{suffix}": f".ome{suffix}" for suffix in (".tif", ".tiff", ".zarr")}
_VOLUMES = (".nii", ".nii.gz")  # what these hold is always one
# Settings that say how files are read and written; all others are words of an operation's plan.
_FILE_WORDS = (
    "output", "overwrite", "skip_existing", "format", "quality", "strip", "keep_profile", "max_pixels", "threads",
    "as_json", "quiet", "preview", "stack", "recursive", "reading", "watch", "frame_size", "pix_fmt", *scaling.WORDS,
)  # fmt: skip


def axes(
    text: str = "What files hold: yx, zyx, tzcyx ... or x; see below.",
) -> Callable[[Command], Command]:
    """The option ``--axes``."""
    return click.option("--axes", type=AXES, metavar="AXES", help=text)


# What is taken of a stack.
part = chained(
    click.option("--channel", type=click.IntRange(0), metavar="N", help="Of stacks this channel alone, from 0."),
    click.option("--time", type=click.IntRange(0), metavar="N", help="Of stacks this moment alone, from 0."),
)
# What a command takes to work on stacks, beside `axes`.
stacks = chained(
    part,
    click.option("--each-plane", is_flag=True, help="Of stacks every plane by itself, as a picture."),
    click.option(
        "--stack", is_flag=True, help="With --axes: the inputs, pictures in this order, are the planes of one volume."
    ),
)


def operation(*size: str, previews: bool = True) -> Callable[[Command], Command]:
    """What every operation takes behind its own words; ``size`` are the names of the option for raw frames' size."""
    shown = (preview.option,) if previews else ()
    return chained(axes(), stacks, scaling.options, *shown, frames(*size), rest_of_files)


def plan_words(inputs: Sequence[str], settings: dict[str, Any], known: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """Take the words of an operation's plan out of a command's settings, with the axes that it acts along.

    What stays says how files are read and written, ``reading`` what is read of stacks; what does not go together is
    wrong usage. So is an input that is no file but one of the ``known`` words of an option.
    """
    for option, names in known.items():
        for each in inputs:
            if each in names and not Path(each).exists():
                raise WrongUsage(f"{each}: no such file, but a word of {option}: {option} {each}")
    words = {name: settings.pop(name) for name in list(settings) if name not in _FILE_WORDS}
    axes, each_plane = words.pop("axes"), words.pop("each_plane")
    if axes is None and not each_plane and _axes_of(inputs) == "zyx":
        axes = "zyx"  # of Zarr and NIfTI
    chosen = {name: words.pop(name) for name in ("channel", "time")}
    of_stacks = each_plane or chosen != {"channel": None, "time": None}
    if axes is None and of_stacks and _axes_of(inputs) == "x":
        word = "--each-plane" if each_plane else "--channel or --time"
        raise WrongUsage(
            f"got the signal {inputs[0]} with {word}, which choose of stacks: all its channels are worked on"
        )
    acts = acts_along(axes) if axes else "yx" if of_stacks else _axes_of(inputs)
    if acts == "x" and of_stacks:
        raise WrongUsage("got --axes x with a word for stacks, expected --axes x alone: a signal has no planes")
    words["axes"] = acts = "yx" if each_plane else acts
    settings["channels_first"] = axes == "cx"
    settings["reading"] = Reading(axes or "yx", **chosen) if (axes or of_stacks) and acts != "x" else None
    if settings["stack"] and settings["reading"] is None:
        raise WrongUsage("got --stack without --axes zyx, expected both, or --each-plane: a stack is one volume")
    if settings.get("preview") is not None and (acts != "yx" or settings["stack"]):
        raise WrongUsage(f"--preview: got a {'signal' if acts == 'x' else 'volume'}, expected pictures")
    return words


def _axes_of(inputs: Sequence[str]) -> str:
    """``x`` for signals, ``zyx`` for Zarr stores and NIfTI, else ``yx``; a mixture is wrong usage."""
    for each in inputs:
        if Path(each).suffix.lower() == SUFFIX and Path(each).is_file():
            raise WrongUsage(f"{shown(each)}: is a file, expected a folder, as Zarr stores are")
        if any(part.lower().endswith(".n5") for part in Path(each).parts) and Path(each).is_dir():
            raise WrongUsage(f"{shown(each)}: is N5, which zarr reads no more, expected Zarr; convert it first")
    stores = [is_store(each) or is_hdf5_name(each) or suffix_of(each).lower() in _VOLUMES for each in inputs]
    if any(stores):
        if not all(stores):
            store, other = inputs[stores.index(True)], inputs[stores.index(False)]
            raise WrongUsage(f"got the volume {store} beside {other}, expected one kind; name it with --axes")
        return "zyx"
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
    if settings["format"] == "rawvideo":
        check_plain(settings, "frames of video")
        return run_frames(inputs, lambda each, format: image(each, plan, format), plan.axes, settings)
    if settings["frame_size"] is not None:
        raise WrongUsage("frame size: got one without --format rawvideo, expected both: files say how large they are")
    reading = settings["reading"]
    if plan.axes == "x":
        check_plain(settings, "a signal")
        return _run_signals(inputs, lambda each: signal(each, plan), plan.name, settings)
    if plan.axes == "zyx":
        return _run_volumes(inputs, Begin(plan, image, volume), settings)

    def on_pictures(tasks: Sequence[Task], files: Files, prepare: Callable[[], None]) -> Iterator[Outcome]:
        operation: Any = partial(acted, image, plan)
        if not (settings["workers"] or settings["cluster"]):
            yield from run_tasks(tasks, operation, files, prepare=prepare)
            return
        from convcli.jobs.spread import spread_tasks

        with scaling_of(settings).engine(tell) as engine:
            yield from spread_tasks(tasks, operation, files, engine, tell)

    def tell(line: str) -> None:
        if not settings["quiet"]:
            say(line)

    becomes_store = bool(settings["output"]) and is_store(settings["output"])
    has_stores = all(map(is_store, inputs)) or becomes_store
    if settings["stack"] or (reading is not None and (reading != Reading("yx") or has_stores)):
        if settings.get("preview") is not None:
            raise WrongUsage("--preview: got a stack, expected pictures")
        return _run_volumes(inputs, Begin(plan, image), settings)
    check_pictures(settings)
    if settings["estimate"]:
        return _estimate_pictures(inputs, plan.name, settings)
    work = on_pictures if reading is None else partial(_by_kind, on_pictures, Begin(plan, image), settings)
    return carry_out(
        inputs,
        plan.name,
        settings,
        work,
        shows_progress=settings.get("preview") is None,
        check_name=_format_of,
        suffixes=written_as(),
    )


def _by_kind(
    on_pictures: Callable[[Sequence[Task], Files, Callable[[], None]], Iterator[Outcome]],
    on_planes: Begin,
    settings: dict[str, Any],
    tasks: Sequence[Task],
    files: Files,
    prepare: Callable[[], None],
) -> Iterator[Outcome]:
    """Work on pictures as such and on stacks plane by plane, in the order of the tasks."""
    for is_stack, group in groupby(tasks, lambda task: _is_stack(task, files.max_pixels)):
        if not is_stack:
            yield from on_pictures(list(group), files, prepare)
            continue
        # Of several files the bar of all of them is there already.
        with progress_bar("planes", hidden=settings["quiet"] or len(tasks) > 1) as progress:
            from convcli.jobs.stores import work_on_stack  # late, as most runs have no stack

            source = Input(Reading("yx"), alpha_fix=on_planes.plan.alpha_fix)
            act = partial(work_on_stack, begin=on_planes, source=source, progress=progress)
            work = partial(_without_preview, settings, act)
            yield from run_one_by_one(list(group), work, files, prepare=prepare)


def _is_stack(task: Task, max_pixels: int) -> bool:
    return task.source != STREAM and (is_store(task.source) or holds_planes(task.source, max_pixels))


def _without_preview(
    settings: dict[str, Any], work: Callable[[Task, Files], Outcome], task: Task, files: Files
) -> Outcome:
    if settings.get("preview") is not None:
        raise ImageError("is a stack, expected a picture for --preview")
    return work(task, files)


def _format_of(target: str) -> str | None:
    """The format that an output's name says, None for a store; raises `ImageError` for a name that says none."""
    if is_store(target):
        return None
    if Path(target).suffix.lower() == SUFFIX:
        raise FileError(f"{shown(target)}: is a file, where Zarr would be a folder; choose another name")
    return format_of(target)


def _run_volumes(inputs: Sequence[str], begin: Begin, settings: dict[str, Any]) -> int:
    """Work on each input as a stack, or with ``--stack`` on all of them as the planes of one."""
    from convcli.images.volume_writing import check_volume_format
    from convcli.jobs.stores import work_on_stack

    stacked = settings["stack"]
    has_frames = stacked or all(Path(each).suffix.lower() in _FRAMES for each in inputs)
    planes: list[str] = usage(lambda: search(inputs, recursive=settings["recursive"]).files) if stacked else []
    source = Input(settings["reading"], tuple(planes), begin.plan.alpha_fix)
    scaling = scaling_of(settings)

    def run_all(tasks: Sequence[Task], files: Files, prepare: Callable[[], None]) -> Iterator[Outcome]:
        if settings["estimate"]:
            yield from _estimated(tasks, files, begin, source, settings)
            return
        unit = "blocks" if any(is_store(task.target) for task in tasks) else "planes"
        with (
            progress_bar(unit, hidden=settings["quiet"]) as progress,
            scaling.engine(lambda line: None if settings["quiet"] else say(line)) as engine,
        ):
            words: dict[str, Any] = {"progress": progress, "scaling": scaling, "engine": engine}
            work = partial(work_on_stack, begin=begin, source=source, **words)
            yield from run_one_by_one(tasks, work, files, prepare=prepare)

    def check(target: str) -> None:
        format = _format_of(target)
        if format is not None:
            check_volume_format(format, 1, has_frames=has_frames)

    return carry_out(
        planes[:1] or inputs,
        begin.plan.name,
        settings,
        run_all,
        shows_progress=False,
        check_name=check,
        suffixes=dict.fromkeys(READABLE_SUFFIXES, ".tiff") | _KEPT if stacked else _KEPT,
    )


def _estimated(
    tasks: Sequence[Task], files: Files, begin: Begin, source: Input, settings: dict[str, Any]
) -> Iterator[Outcome]:
    from convcli.jobs.estimate import estimate_stack, in_words

    scaling = scaling_of(settings)
    estimate = partial(estimate_stack, begin=begin, source=source, scaling=scaling)
    for task in tasks:
        try:
            outcome = estimate(task, files)
        except (ConvcliError, OSError) as error:
            yield failed(task, error)
            continue
        if not settings["as_json"]:
            show(*in_words(outcome, scaling.workers))
        yield outcome


def _estimate_pictures(inputs: Sequence[str], name: str, settings: dict[str, Any]) -> int:
    from convcli.jobs.estimate import estimate_pictures

    def estimated(tasks: Sequence[Task], files: Files, prepare: Callable[[], None]) -> Iterator[Outcome]:
        known = estimate_pictures(tasks, scaling_of(settings))
        if not settings["as_json"]:
            show(
                f"{known['pictures']:,} pictures of {shown_size(known['bytes'])} in {known['tasks']:,} tasks of "
                f"{known['pictures_per_task']}"
            )
        yield Outcome(Task("", ""), "estimated", details=known)

    return carry_out(inputs, name, settings, estimated, shows_progress=False, suffixes=written_as())


def _run_signals(
    inputs: Sequence[str], operation: Callable[[Signal], SignalResult], name: str, settings: dict[str, Any]
) -> int:
    """Work on each input as a signal."""
    if settings["format"] is not None:
        raise WrongUsage(f"format: got {settings['format']} for a signal, which keeps its own; leave --format out")
    work = partial(work_on_signal, operation=operation, channels_first=settings["channels_first"])
    return carry_out(
        inputs,
        name,
        settings,
        lambda tasks, files, prepare: run_one_by_one(tasks, work, files, pictures=False, prepare=prepare),
        looked_for=SIGNAL_SUFFIXES,
    )
