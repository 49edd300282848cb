"""`convcli gallery`: what kernels do to pictures, on one sheet."""

import click

from convcli.cli import options
from convcli.cli.completing import FILE, KERNEL
from convcli.cli.printing import show_result
from convcli.images import MAX_PIXELS, write
from convcli.jobs.documents import json_text
from convcli.jobs.gallery import USUAL, make_gallery, plan_gallery
from convcli.jobs.inputs import find_inputs


@click.command(cls=options.MatrixCommand)
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option("-k", "--kernel", "kernels", multiple=True, type=KERNEL, help=f"A column; default: {', '.join(USUAL)}.")
@click.option("-o", "--output", metavar="OUT", default="gallery.png", show_default=True, help="The sheet.")
@click.option("--cell", type=click.IntRange(32, 2000), default=200, show_default=True, help="A cell's side in pixels.")
@options.quality
@options.overwrite
@options.max_pixels
@options.threads
@options.as_json
def command(
    inputs: tuple[str, ...],
    kernels: tuple[str, ...],
    output: str,
    cell: int,
    quality: int | None,
    overwrite: bool,
    max_pixels: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Show what kernels do to your pictures, on one sheet.

    Pictures go down, kernels across; the first column is the picture itself. Cells are scaled down after filtering.

    \b
    Examples:
      convcli gallery photo.jpg
      convcli gallery photo.jpg -k sobel -k scharr -k farid -o edges.png
      convcli gallery shots/ --cell 300
    """
    plans = options.usage(lambda: plan_gallery(kernels))
    sources = options.usage(lambda: find_inputs(inputs))
    options.check_picture(output, overwrite=overwrite)
    options.start_loops(threads)
    sheet = make_gallery(sources, plans, cell=cell, max_pixels=max_pixels or MAX_PIXELS)
    write(sheet, output, overwrite=overwrite, quality=quality)
    show_result(json_text({"output": output, "shape": list(sheet.pixels.shape)}) if as_json else output)
