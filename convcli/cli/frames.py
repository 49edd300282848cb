"""Raw frames through a command: what has to be said, and what is told when they end."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from convcli.cli.options import Command, Read, WrongUsage, binary_stdout, chained, start_loops
from convcli.cli.printing import Warnings, say
from convcli.images import MAX_PIXELS
from convcli.jobs.batch import Operation
from convcli.jobs.film import PIXELS, FrameKind, parse_size, run_film
from convcli.jobs.tasks import STREAM, about


def frames(*names: str) -> Callable[[Command], Command]:
    """Options for raw frames; ``names`` are those of their size."""
    return chained(
        click.option(
            *names,
            "frame_size",
            type=Read("WxH", lambda text: text if isinstance(text, tuple) else parse_size(text), "frame size"),
            metavar="WxH",
            help="With --format rawvideo: width and height of the frames that standard input brings.",
        ),
        click.option(
            "--pix-fmt",
            type=click.Choice(tuple(PIXELS)),
            default="rgb24",
            show_default=True,
            metavar="NAME",
            help=f"With --format rawvideo: what their bytes are: {', '.join(PIXELS)}.",
        ),
    )


def run_frames(inputs: Sequence[str], operation: Operation, axes: str, settings: dict[str, Any]) -> int:
    """Take frames from standard input to standard output, and return the exit code."""
    _check(inputs, axes, settings)
    width, height = settings["frame_size"]
    kind = FrameKind(width, height, settings["pix_fmt"])
    quiet = settings["quiet"]
    target = binary_stdout()
    start_loops(settings["threads"], quiet=quiet)
    warnings, last = Warnings(), None
    try:
        with about(STREAM):
            for last in run_film(sys.stdin.buffer, target, kind, operation, settings["max_pixels"] or MAX_PIXELS):
                for each in last.warnings:
                    warnings.add(f"frame {last.number}", each)
    finally:
        if not quiet and last is not None:
            warnings.say()
            say(f"{last.number} frame{'s' * (last.number > 1)}: {kind} to {last.kind}")
    return 0


def _check(inputs: Sequence[str], axes: str, settings: dict[str, Any]) -> None:
    """Raise `WrongUsage` for what does not go with frames."""
    if settings["frame_size"] is None:
        raise WrongUsage("got --format rawvideo without the size of its frames, expected --frame-size WxH")
    if tuple(inputs) != (STREAM,) or settings["output"] not in (None, STREAM):
        raise WrongUsage("got a file with --format rawvideo, expected - for standard input, and standard output")
    if axes != "yx":
        raise WrongUsage(f"axes: got {axes} with --format rawvideo, expected yx: one frame after the other")
    for name in ("as_json", "preview", "recursive", "skip_existing"):
        if settings.get(name):
            option = {"as_json": "--json"}.get(name, f"--{name.replace('_', '-')}")
            raise WrongUsage(f"got {option} with --format rawvideo, expected one of them")
