"""`convcli receptive`: what a unit of a network sees."""

from typing import Any

import click

from convcli.architectures import GrammarError, shape_text
from convcli.architectures import values as shapes
from convcli.cli import options
from convcli.cli.completing import FILE, NETWORK
from convcli.cli.printing import show, show_result
from convcli.cli.shape import Value, network_named
from convcli.jobs.documents import json_text, named
from convcli.views.networks import field_bound


@click.command()
@click.argument("network", metavar="NETWORK|LAYER...", type=NETWORK, nargs=-1, required=True)
@click.option("--layer", metavar="NAME", help="The unit's layer.  [default: the last that has a map]")
@click.option("--unit", metavar="Y,X", help="Its row and column on that map, from 0.  [default: the middle]")
@click.option("--input", "-i", "size", metavar="HxWxC", type=Value("HxWxC", shapes.shape),
              help="Another input than the network's own.")  # fmt: skip
@click.option("-o", "--output", metavar="OUT", help="Draw nested frames over the input: .png or .svg.")
@click.option(
    "--image",
    metavar="IMAGE",
    type=FILE,
    help="A picture to draw them on, as the network sees it; - is standard input.",
)
@options.overwrite
@options.max_pixels
@options.as_json
def command(
    network: tuple[str, ...],
    layer: str | None,
    unit: str | None,
    size: tuple[int, ...] | None,
    output: str | None,
    image: str | None,
    overwrite: bool,
    max_pixels: int | None,
    as_json: bool,
) -> None:
    """Show what a unit of a network sees, layer by layer.

    NETWORK is the name of one that comes with convcli (convcli summary lists them), a .toml or .json file, a
    .safetensors file that convcli train wrote, or the word shipped: the MNIST model of convcli. The receptive field of
    a unit is the part of the input it depends on. Layers before the unit's are shown by the units in the middle of its
    field, so that the fields lie in one another. LAYERs, in the words of convcli shape, need --input.

    \b
    Examples:
      convcli receptive lenet5
      convcli receptive --input 32x32x1 conv:8 conv:8 conv:8
      convcli receptive vgg16 --layer pool_3 --unit 0,0
      convcli receptive mnist -o field.svg
      convcli receptive mnist.safetensors --image digit.png -o field.png

    \b
    A row of the table:
      field          rows x columns of input that the unit depends on
      step           input pixels between the fields of neighbouring units
      rows, columns  where it lies, first to last; below 0 and beyond the
                     input it is padding

    Fields are worked out from the sizes of windows, and are an upper bound: a unit near a border sees less, since some
    of its field is padding; so does one under adaptive windows, the widest of which counts, or after a transposed
    convolution; and a dilated window has gaps in its field.
    """
    is_chain = len(network) > 1 or ":" in network[0]
    source = "" if is_chain else network_named(network[0])
    if image is not None and output is None:
        raise options.WrongUsage("got --image without -o, expected a file to draw into: -o field.png")
    from convcli.jobs.receptive import answer, check_drawing, draw, prepared, receptive
    from convcli.views.still import SUFFIXES

    if output is not None:
        options.require_suffix(output, SUFFIXES)
    place = _unit(unit)
    try:
        found = receptive(network if is_chain else source, input=size, layer=layer, unit=place)
    except GrammarError as error:
        raise click.UsageError(str(error)) from None
    if output is not None:
        check_drawing(output, found.plan, overwrite=overwrite)
        pixels = None
        if image is not None:
            pixels = prepared(source, found.plan, options.read_picture(image, max_pixels))
        draw(found, output, pixels=pixels, overwrite=overwrite)
    if as_json:
        show_result(json_text(_document(found, output)))
        return
    bound = field_bound([each.layer for each in found.rows])
    notes = [f"field            {bound}"] if bound else []
    for line in [answer(found), "", *_table(found), *notes, *([] if output is None else [output])]:
        show(line)


def _unit(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = text.replace("x", ",").split(",")
    if not all(word.strip().isdecimal() and len(word) < 10 for word in words):
        raise options.WrongUsage(f"--unit: got {text!r}, expected Y,X: row and column from 0, as in 2,3")
    return tuple(int(word) for word in words)


def _table(found: Any) -> list[str]:
    axes = len(found.sizes)
    names = ("rows", "columns") if axes == 2 else ("cells",) if axes == 1 else ("planes", "rows", "columns")
    head = ("layer", "output", "unit", "field", "step", *names)
    rows = [head]
    for each in found.rows:
        layer = each.layer
        name = layer.name if len(layer.name) <= 18 else f"{layer.name[:15]}..."
        unit = "-" if each.unit is None else ",".join(map(str, each.unit))
        step = "-" if each.unit is None else "x".join(dict.fromkeys(str(field.jump) for field in layer.field))
        spans = [f"{first}..{last}" for first, last in each.spans]
        rows.append((name, shape_text(layer.output), unit, shape_text(each.sizes), step, *spans))
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _document(found: Any, output: str | None) -> dict[str, Any]:
    layers = [
        {
            **named(each.layer, "name", "type", "output"),
            "unit": each.unit,
            "field": each.sizes,
            "step": [float(field.jump) for field in each.layer.field],
            **named(each, "spans", "inside"),
        }
        for each in found.rows
    ]
    return {
        "network": found.plan.spec.name,
        "input": found.plan.input,
        "layer": found.chosen.layer.name,
        "unit": found.chosen.unit,
        "field": found.chosen.sizes,
        "field_note": field_bound([each.layer for each in found.rows]) or "what every unit sees",
        "layers": layers,
        "drawing": output,
    }
