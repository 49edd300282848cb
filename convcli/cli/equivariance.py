"""`convcli equivariance`: does a shift of the input shift the output?"""

import re
from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import FILE, KERNEL, MODEL
from convcli.cli.printing import show, show_result
from convcli.images import write
from convcli.jobs.classifier import load_classifier
from convcli.jobs.documents import json_text, named
from convcli.jobs.equivariance import Equivariance, Step, of_filter, of_model, picture, plan_steps, relative


def _shift(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*", text)
    if not found:
        raise ValueError(f"got {text!r}, expected Y,X: rows down, columns right, as in 3,5")
    return int(found[1]), int(found[2])


@click.command(cls=options.MatrixCommand)
@click.argument("source", metavar="IMAGE", type=FILE)
@click.option("-k", "--kernel", "kernels", multiple=True, type=KERNEL, help="A kernel; several make a chain.")
@click.option("--model", type=MODEL, help="A model that convcli train wrote, layer by layer.")
@click.option("--shift", type=options.Read("Y,X", _shift), default="3,5", show_default=True, metavar="Y,X",
              help="Rows down and columns right, in input pixels; negative: up and left.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1, 64), default=2, show_default=True, help="Of the second row.")
@click.option("--pool", type=click.IntRange(1, 64), default=2, show_default=True, help="Max pooling of the third row.")
@options.border("Beyond the border, as in filter; wrap leaves no border.")
@click.option("-o", "--output", metavar="OUT.png", help="Draw both sides and their difference.")
@options.one_result
def command(
    source: str,
    kernels: tuple[str, ...],
    model: str | None,
    shift: tuple[int, int],
    output: str | None,
    **settings: Any,
) -> None:
    """Measure whether a shift of the input shifts the output.

    IMAGE is a file, or - for standard input. f is equivariant if f(shift x) = shift f(x). A kernel is, away from the
    border. A stride, or pooling, is so only for shifts that it divides: of others the output has no cell for. A dense
    layer gives up places for good; what it makes of the shifted picture is compared with what it makes of the unshifted
    one.

    \b
    Examples:
      convcli equivariance photo.jpg -k sobel-x
      convcli equivariance photo.jpg -k gaussian --shift 4,6 --stride 4
      convcli equivariance photo.jpg -k sobel-x --border wrap -o shift.png
      convcli equivariance digit.png --model mnist.safetensors --shift 1,0

    \b
    A row of the table:
      f             what was computed; with --model, each layer
      by            how far the output should move: the shift divided by the
                    step of its cells; -> the whole numbers that came closest
      interior      largest and mean difference where neither the border nor
                    the seam of the shift can have a say
      with borders  the same over all cells

    Differences are shares of the largest and of the mean size of f(x). The shift goes round: what leaves at one side
    enters at the other. With -k the picture is taken as grey, and there are three rows: the kernels, the kernels with
    --stride, the kernels and then max pooling. A network gets the picture prepared for it, as convcli predict does.
    """
    if bool(kernels) == (model is not None):
        got = "both -k and --model" if kernels else "neither -k nor --model"
        raise options.WrongUsage(f"got {got}, expected one of them")
    if kernels:
        options.usage(lambda: plan_steps(kernels, settings["border"]))
    if output is not None:
        options.check_picture(output, overwrite=settings["overwrite"], sources=(source,))
    options.start_loops(settings["threads"], quiet=settings["quiet"])
    image = options.read_picture(source, settings["max_pixels"])
    if model is None:
        words = {key: settings[key] for key in ("border", "stride", "pool")}
        found = of_filter(image, kernels, shift, **words)
    else:
        found = of_model(load_classifier(model), image, shift)
    if output is not None:
        write(picture(found, title=f"Shifting {options.title_of(source)}"), output, overwrite=settings["overwrite"])
    if settings["as_json"]:
        show_result(json_text(_document(found, output)))
        return
    show(*_table(found), *([] if output is None else [output]))


def _table(found: Equivariance) -> list[str]:
    rows = [(step.name, _by(step), *_pair(step.interior), *_pair(step.whole)) for step in found.steps]
    names, steps = (max(8, *(len(row[place]) for row in rows)) for place in (0, 1))
    names = min(names, 28)
    head = f"{'f':<{names}}  {'by':<{steps}}  {'interior':<17}  with borders"
    lines = [head, f"{'':<{names}}  {'':<{steps}}  {'largest':>8} {'mean':>8}  {'largest':>8} {'mean':>8}"]
    for name, by, *numbers in rows:
        short = name if len(name) <= names else f"{name[: names - 3]}..."
        cells = [f"{each:>8}" for each in numbers]
        lines.append(f"{short:<{names}}  {by:<{steps}}  {cells[0]} {cells[1]}  {cells[2]} {cells[3]}")
    return lines


def _by(step: Step) -> str:
    if step.wanted is None or step.moved is None:
        return "stays"
    wanted = ",".join(f"{each:.3g}" for each in step.wanted)
    moved = ",".join(map(str, step.moved))
    return wanted if wanted == moved else f"{wanted} -> {moved}"


def _pair(shares: tuple[float, float] | None) -> tuple[str, str]:
    return ("-", "-") if shares is None else (relative(shares[0]), relative(shares[1]))


def _document(found: Equivariance, output: str | None) -> dict[str, Any]:
    steps = [
        {
            **named(step, "name", "shape", "wanted", "moved"),
            "interior": step.interior and dict(zip(("largest", "mean"), step.interior, strict=True)),
            "whole": dict(zip(("largest", "mean"), step.whole, strict=True)),
        }
        for step in found.steps
    ]
    return {"shift": found.shift, "steps": steps, "output": output}
