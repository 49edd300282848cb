"""`convcli saliency`: where a network looks."""

from functools import partial
from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import FILE, MODEL
from convcli.cli.seeing import draw_what_is_seen
from convcli.jobs.saliency import METHODS, draw, saliency


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.argument("image", metavar="IMAGE", type=FILE)
@click.option("-o", "--output", metavar="OUT.png", help="The picture.  [default: IMAGE_saliency.png beside IMAGE]")
@click.option("--method", type=click.Choice((*METHODS, "all")), default="all", show_default=True)
@click.option("--class", "class_name", metavar="NAME", help="What speaks for this class.  [default: the likeliest]")
@click.option("--layer", metavar="NAME",
              help="gradcam: whose maps are weighed.  [default: the last convolution with fine maps]")  # fmt: skip
@click.option("--patch", type=options.AtLeast(1), metavar="N",
              help="occlusion: the side of what is covered.  [default: a seventh of the picture's]")  # fmt: skip
@click.option("--step", type=options.AtLeast(1), metavar="N",
              help="occlusion: pixels from place to place.  [default: half the patch]")  # fmt: skip
@options.one_result
def command(
    model: str,
    image: str,
    output: str | None,
    method: str,
    class_name: str | None,
    layer: str | None,
    patch: int | None,
    step: int | None,
    **files: Any,
) -> None:
    """Show where a trained network looks: what in a picture speaks for a class.

    MODEL is a .safetensors file that convcli train wrote, or the word shipped: the MNIST model of convcli. IMAGE, a
    file, or - for standard input, is prepared as convcli predict does. The maps lie over the picture in signed colours:
    orange speaks for the class, blue against it. The score of a class is its output before softmax.

    \b
    --method:
      gradient   how the score changes with each pixel; of colours the channel
                 with the largest change (Simonyan, Vedaldi, Zisserman 2014)
      gradcam    a convolution's maps, each weighed with the mean gradient of the
                 score by it, and rectified (Selvaraju et al. 2017); a cell lies
                 over the middle of its receptive field. Without --layer it is the
                 last convolution with maps of 10x10 cells, or of 4x4 before a
                 mean over all places, and one whose map is not empty
      occlusion  how far the class's log odds fall when a patch is covered with
                 the picture's median colour (Zeiler, Fergus 2014)
      all        one beside the other

    \b
    Examples:
      convcli saliency mnist.safetensors digit.png
      convcli saliency pets.safetensors photo.jpg --method gradcam --class cat
      convcli saliency shipped digit.png --method occlusion --patch 5 -o where.png
    """
    look = partial(saliency, method=method, class_name=class_name, layer=layer, patch=patch, step=step)
    draw_what_is_seen(model, image, output, files, "saliency", look, draw)
