"""`convcli features`: what every layer of a network makes of a picture."""

from functools import partial
from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import FILE, MODEL
from convcli.cli.seeing import draw_what_is_seen
from convcli.jobs.features import MOST_MAPS, draw_features, look_inside


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.argument("image", metavar="IMAGE", type=FILE)
@click.option("-o", "--output", metavar="OUT.png", help="The picture.  [default: IMAGE_features.png beside IMAGE]")
@click.option("--layers", metavar="NAME,NAME", help="These layers only, named as convcli summary MODEL does.")
@click.option("--maps", type=click.IntRange(1, MOST_MAPS), default=16, show_default=True, metavar="N",
              help="Draw at most N maps of each layer, the first ones.")  # fmt: skip
@options.one_result
def command(model: str, image: str, output: str | None, layers: str | None, maps: int, **files: Any) -> None:
    """Draw what every layer of a trained network makes of a picture.

    MODEL is a .safetensors file that convcli train wrote, or the word shipped: the MNIST model of convcli. IMAGE is a
    file, or - for standard input. At the top it stands as the network sees it, at the end what the network says;
    between them the maps of each layer, all of a layer in the same colours. Maps without negative numbers, those behind
    a ReLU, go from black, 0, to white; in others 0 is white, negative blue and positive orange. Layers that only pass
    their input on are drawn if named.

    \b
    Examples:
      convcli features mnist.safetensors digit.png
      convcli features mnist.safetensors digit.png --layers conv_1,pool_1
      convcli features shipped digit.jpg --maps 32
    """
    names = [name.strip() for name in layers.split(",")] if layers else []
    look = partial(look_inside, layers=names, maps=maps)
    draw_what_is_seen(model, image, output, files, "features", look, draw_features)
