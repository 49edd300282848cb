"""`convcli morph`: grey morphology."""

from typing import Any

import click

from convcli.cli import carriers, options, preview
from convcli.cli.completing import ELEMENT, FILE
from convcli.jobs.morph import MorphPlan, VolumeMorph, morph_image, morph_signal, plan_morph
from convcli.ops.elements import ELEMENTS
from convcli.ops.morphology import OPERATIONS


@click.command(cls=preview.PreviewCommand)
@click.argument("operation", metavar="OPERATION", type=click.Choice(tuple(OPERATIONS)))
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option(
    "--size", type=options.Counts(None), metavar="N|NxM",
    help="A box of this many pixels (rows x columns).  [default: 3]",
)  # fmt: skip
@click.option("--element", type=ELEMENT, help="Another element than a box: see below.")
@options.output
@options.border(
    "Beyond the border: none (nothing there ever wins), reflect, symmetric, edge, wrap, constant.", "none", type=str
)
@options.border_value("value", "The constant.")
@options.alpha("Go by what can be seen (see below), treat alpha like a colour, keep it, or drop it.")
@options.depth
@carriers.operation("--frame-size")
def command(operation: str, inputs: tuple[str, ...], **settings: Any) -> int:
    """Grow, shrink, open or close bright areas of images.

    OPERATION is one of those below. INPUT is a file, a pattern, a folder, an address of these (s3://bucket/raw/),
    or - for standard input. Without -o the result is written beside the input as {stem}_{operation}{ext}.

    \b
    Examples:
      convcli morph dilate scan.png
      convcli morph open scan.png --element disk:radius=3 -o clean.png
      convcli morph gradient photo.jpg --element cross
      convcli morph close shots/*.png --size 1x9 -o closed/
      convcli morph tophat scan.png --element line:length=15,angle=45

    \b
    OPERATION:
      dilate    the largest value under the element: bright areas grow
      erode     the smallest value under it: bright areas shrink
      open      erode, then dilate: small bright details vanish
      close     dilate, then erode: small dark details vanish
      gradient  dilate minus erode: outlines
      tophat    the image minus open: the small bright details
      blackhat  close minus the image: the small dark details

    \b
    --element:
      disk:radius=3              pixels no further than 3 from the centre
      diamond:radius=2           pixels at most 2 steps away
      cross:radius=1             the pixel and its 4 neighbours
      line:length=9,angle=45     degrees from the row, counter-clockwise
      "0 1 0; 1 1 1; 0 1 0"      a matrix: what is not zero takes part

    With alpha, each channel's value is chosen from the pixels that can be seen, those whose alpha is not 0: no colour
    comes out that the picture does not have. Alpha goes through the same operation; gradient, tophat and blackhat keep
    it, and have no colour where all that can be seen has one.

    --axes zyx is for volumes: a TIFF of several pages, .npy, Zarr, an animation's frames, or pictures with --stack. A
    disk is then a ball, and there is no line. --each-plane takes every plane of a stack by itself; --axes tzcyx and
    such name what a .npy holds, as convcli filter --help says.
    Stacks are written as .tiff or .npy, frames as an animation too, piece by piece.
    Signals, .wav, .csv and a .npy of one axis, need no --axes; their element has one row.
    """
    words = carriers.plan_words(inputs, settings, {"--element": ELEMENTS})
    plan: MorphPlan = options.usage(lambda: plan_morph(operation, **words))
    return carriers.run(inputs, plan, settings, image=morph_image, volume=VolumeMorph, signal=morph_signal)
