"""`--axes zyx` of filter, pool, pad and morph: volumes, with a bar for their planes."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from convcli.cli import options
from convcli.cli.files import carry_out, plane_progress
from convcli.images import READABLE_SUFFIXES, format_of
from convcli.jobs.batch import find_inputs

# Frames can be read from animations and, with --stack, from any pictures; volumes are written as TIFF then.
_FRAMES = (".gif", ".webp", ".png")
_KEPT = {suffix: suffix for suffix in (".tif", ".tiff", ".npy")}

stack = click.option(
    "--stack", is_flag=True, help="With zyx: the inputs, pictures in this order, are the planes of one volume."
)


def check_stack(stack: bool, axes: str) -> None:
    """Refuse a stack of pictures that is to be treated as pictures."""
    if stack and axes != "zyx":
        raise options.WrongUsage("got --stack without --axes zyx, expected both: a stack is one volume")


def run_volumes(
    inputs: Sequence[str], begin: Callable[..., Any], name: str, settings: dict[str, Any], *, stack: bool
) -> int:
    """Work on each input as one volume, or with ``stack`` on all of them as the planes of one; returns the exit code.

    ``begin`` takes an open volume and the format to be written; see `convcli.jobs.volume_batch`.
    """
    from convcli.images.volume_writing import check_volume_format
    from convcli.jobs.volume_batch import run_volume_tasks

    planes: list[str] = options.usage(lambda: find_inputs(inputs)) if stack else []
    with plane_progress(hidden=settings["quiet"]) as progress:
        return carry_out(
            planes[:1] or inputs,
            name,
            settings,
            lambda tasks, files, prepare: run_volume_tasks(
                tasks, begin, files, stack=planes, prepare=prepare, progress=progress
            ),
            shows_progress=False,
            check_name=lambda target: check_volume_format(format_of(target), 1),
            suffixes=dict.fromkeys(READABLE_SUFFIXES if stack else _FRAMES, ".tiff") | _KEPT,
        )
