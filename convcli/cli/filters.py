"""`convcli filters`: what a network has learnt to look for."""

from pathlib import Path

import click

from convcli.cli import options
from convcli.cli.completing import MODEL
from convcli.cli.printing import show_result
from convcli.images import write
from convcli.jobs.documents import json_text
from convcli.jobs.filters import MOST_FILTERS, MOST_INPUTS, draw_filters, filters_in
from convcli.jobs.tasks import beside


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.option("-o", "--output", metavar="OUT.png", help="The picture.  [default: MODEL_filters.png beside MODEL]")
@click.option("--layer", metavar="NAME", help="As convcli summary MODEL names it.  [default: the first convolution]")
@click.option("--filters", type=click.IntRange(1, MOST_FILTERS), default=32, show_default=True, metavar="N",
              help="Draw at most N filters, the first ones.")  # fmt: skip
@click.option("--inputs", type=click.IntRange(1, MOST_INPUTS), default=8, show_default=True, metavar="N",
              help="Draw at most N input channels of each filter.")  # fmt: skip
@options.overwrite
@options.max_memory
@options.as_json
def command(
    model: str, output: str | None, layer: str | None, filters: int, inputs: int, overwrite: bool, as_json: bool
) -> None:
    """Draw the learned filters of a trained network's layer.

    MODEL is a .safetensors file that convcli train wrote, or the word shipped: the MNIST model of convcli. Filters that
    look at colours are drawn in colours, middle grey is 0. Others are drawn in signed colours: 0 is white, negative
    blue, positive orange; filters that see several channels have a row for each. All have the same scale. A dense layer
    right behind flatten can be drawn too: it has a weight for each number of the map before.

    \b
    Examples:
      convcli filters mnist.safetensors
      convcli filters mnist.safetensors --layer conv_2 -o second.png
      convcli filters shipped -o filters.png
    """
    target = output or (f"{model}_filters.png" if not Path(model).suffix else beside(model, "filters"))
    options.check_picture(target, overwrite=overwrite)
    found = filters_in(model, layer, filters=filters, inputs=inputs)
    write(draw_filters(found), target, overwrite=overwrite)
    show_result(json_text({"model": model, "output": target} | found.as_dict()) if as_json else target)
