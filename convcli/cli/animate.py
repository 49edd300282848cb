"""`convcli animate`: a window that slides, as a moving picture or in the terminal."""

import os
import shutil
import sys
import time
from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import KERNEL
from convcli.cli.printing import show, show_result
from convcli.errors import KernelError, ShapeError
from convcli.jobs.animate import (
    DELAY,
    DELAY_TO_READ,
    POOLS,
    SUFFIXES,
    AnimationPlan,
    make_film,
    plan_animation,
    read_numbers,
    read_weights,
    seeded_values,
    usual_delay,
    write_animation,
)
from convcli.jobs.documents import json_text
from convcli.views.animation import Film, Numbers
from convcli.views.animation_text import frame_lines
from convcli.views.matrix import visible


@click.command(cls=options.MatrixCommand)
@click.option(
    "-i", "--input", "sizes", type=options.Counts(None), metavar="N|HxW", help="Cells of the input: 7 or 5x5."
)
@click.option(
    "--kernel-size", type=options.Counts(None), metavar="N|NxM",
    help="Cells of the kernel or the pooling window.  [default: 3; 2 for --pool]",
)  # fmt: skip
@options.stride(default=None, help="Step between windows.  [default: 1; the window for --pool]")
@options.padding(help="valid, same, full, or cells added at each side; --transposed cuts them.  [default: valid]")
@options.dilation(default=None, help="Step between taps.  [default: 1]")
@click.option("--transposed", is_flag=True, help="The transposed convolution: it enlarges.")
@click.option("--output-padding", type=options.AtLeast(0), metavar="N", help="Transposed: cells added at the end.")
@click.option("--pool", type=click.Choice(POOLS), help="Pooling instead of convolution.")
@click.option("--values", is_flag=True, help="Show small whole numbers and the arithmetic; --matrix and -k do too.")
@click.option("--matrix", metavar="MATRIX", help='The input\'s numbers, "1 2; 3 4", instead of --input.')
@click.option("-k", "--kernel", type=KERNEL, help="The kernel's numbers, instead of --kernel-size.")
@click.option("--convolve", is_flag=True, help="Turn the kernel of -k; without it, cross-correlation as given.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other numbers for --values.")
@click.option(
    "--delay", type=click.FloatRange(0.02, 60),
    help=f"Seconds a frame lasts.  [default: {DELAY:g}; {DELAY_TO_READ:g} with values, which have to be read]",
)  # fmt: skip
@click.option("-o", "--output", metavar="FILE", help="FILE.gif, .webp or .svg moves; .png is a sheet of the frames.")
@click.option("--play", is_flag=True, help="Play it in the terminal.")
@options.overwrite
@options.as_json
def command(
    output: str | None, play: bool, overwrite: bool, as_json: bool, delay: float | None, **settings: Any
) -> None:
    """Animate convolution, transposed convolution and pooling.

    A window slides over the input and makes the output, cell by cell, with its numbers in labels. The frames are what
    convcli shape computes. Cells alone show which input makes which output; with values, the arithmetic is shown too.

    \b
    Examples:
      convcli animate --input 5x5 --kernel-size 3 -o conv.gif
      convcli animate --input 5x5 --kernel-size 3 --padding 1 --stride 2 -o s.svg
      convcli animate --input 7x7 --kernel-size 3 --dilation 2 --values -o d.webp
      convcli animate --input 2x2 --transposed --stride 2 --padding 1 -o t.gif
      convcli animate --input 4x4 --pool max --values --play
      convcli animate --matrix "1 2 3 4" -k "1 0 -1" --play
      convcli animate --input 5x5 -k laplacian -o sheet.png

    Blue is the input, orange the output, a black frame the window; padding is dashed, and zeros between the cells of a
    transposed convolution are grey. It is drawn as the convolution it equals: over the spread input, with the kernel
    turned. In the terminal, cells under the window stand in brackets.

    At most 256 positions of the window and 40 cells a side, padding included, are animated. The sheet of a .png shows
    all frames, or 49 evenly spread over them.
    """
    if not output and not play:
        raise options.WrongUsage("output: got neither -o nor --play, expected one: -o conv.gif, or --play")
    if play and as_json:
        raise options.WrongUsage("got both --play and --json, expected one of them")
    if output:
        options.require_suffix(output, SUFFIXES)
    plan, film = options.usage(lambda: _film(settings))
    if output:
        write_animation(film, output, delay=delay, overwrite=overwrite)
        if not as_json:
            show_result(output)
    if as_json:
        show_result(json_text(_report(plan, film, output)))
    if play:
        _play(film, delay or usual_delay(film))


def _film(settings: dict[str, Any]) -> tuple[AnimationPlan, Film]:
    matrix, kernel, pool = settings["matrix"], settings["kernel"], settings["pool"]
    if (matrix is None) == (settings["sizes"] is None):
        got = "neither --input nor --matrix" if matrix is None else "both --input and --matrix"
        raise ShapeError(f"input: got {got}, expected one of them")
    for name, clashes in (("--kernel-size", settings["kernel_size"]), ("--pool", pool)):
        if kernel is not None and clashes is not None:
            raise ShapeError(f"kernel: got -k with {name}, expected one of them")
    if settings["convolve"] and kernel is None:
        raise ShapeError("convolve: got no -k, expected a kernel to turn")
    values = None if matrix is None else read_numbers(matrix)
    weights = None if kernel is None else read_weights(kernel, convolve=settings["convolve"])
    sizes = settings["sizes"] if values is None else _sizes(values)
    if len(sizes) == 1 and weights is not None and len(weights) > 1:
        raise KernelError(f"kernel: got {len(weights)} rows for a series, expected one; --input HxW is a picture")
    kernel_size = (settings["kernel_size"] or (2 if pool else 3)) if weights is None else _sizes(weights)[-len(sizes) :]
    plan = plan_animation(
        sizes,
        _spread(kernel_size, len(sizes)),
        stride=_spread(settings["stride"], len(sizes)),
        padding=settings["padding"],
        dilation=_spread(settings["dilation"], len(sizes)) or 1,
        transposed=settings["transposed"],
        output_padding=settings["output_padding"],
        pool=pool,
    )
    if not (settings["values"] or matrix or kernel):
        return plan, make_film(plan)
    seeded, seeded_weights = seeded_values(plan, settings["seed"])
    return plan, make_film(plan, values or seeded, weights or seeded_weights)


def _sizes(numbers: Numbers) -> tuple[int, int]:
    return len(numbers), len(numbers[0])


def _spread(counts: Any, axes: int) -> Any:
    """One number means all axes; what a user gave for two stays two."""
    return counts[0] if isinstance(counts, tuple) and len(counts) == 1 else counts


def _report(plan: AnimationPlan, film: Film, output: str | None) -> dict[str, Any]:
    return {
        "output": output,
        "kind": plan.kind,
        "input_shape": list(plan.sizes[-plan.axes :]),
        "shape": list(plan.output[-plan.axes :]),
        "formula": list(plan.formulas),
        "frames": len(film.frames),
        "values": None
        if not film.has_values
        else [
            [film.frames[row * plan.output[1] + column].value for column in range(plan.output[1])]
            for row in range(plan.output[0])
        ],
    }


def _play(film: Film, delay: float) -> None:
    """Frame over frame on a terminal; one after the other where the output goes elsewhere."""
    size = shutil.get_terminal_size((80, 24))
    moves = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    colour = moves and not os.environ.get("NO_COLOR")
    show(film.title, *film.labels, "")
    height = 0
    try:
        for index in range(len(film.frames)):
            lines = frame_lines(film, index, width=size.columns, colour=colour)
            if not moves:
                show(*lines, "")
                continue
            up = f"\x1b[{height}A\x1b[J" if height else "\x1b[?25l"
            sys.stdout.write(up + "\n".join(lines) + "\n")
            sys.stdout.flush()
            height = sum(max(-(-visible(line) // size.columns), 1) for line in lines)
            time.sleep(delay)
    finally:
        if moves:
            sys.stdout.write("\x1b[?25h")
            sys.stdout.flush()
