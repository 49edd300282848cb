"""`convcli explain`: a page on which a filter can be followed cell by cell."""

from pathlib import Path
from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import FILE, KERNEL
from convcli.cli.printing import say, show_result
from convcli.errors import ImageError, ShapeError
from convcli.images import Image, check_target
from convcli.jobs.documents import json_text
from convcli.jobs.explain import ACTIVATIONS, explain, matrix_image, plan_filters, write_page
from convcli.jobs.explain_region import Region, read_region
from convcli.jobs.output_policy import CHANNELS, RANGES

_PLAN_WORDS = (
    "border", "border_value", "padding", "stride", "dilation", "convolve", "normalize", "scale", "activation",
    "channels", "range",
)  # fmt: skip


@click.command(cls=options.MatrixCommand)
@click.argument("picture", metavar="[IMAGE]", type=FILE, required=False)
@click.option(
    "-k", "--kernel", "kernels", multiple=True, required=True, type=KERNEL,
    help="A kernel; several are the filters of a layer. | stands between the planes of a filter over channels.",
)  # fmt: skip
@click.option("--matrix", metavar="MATRIX", help='Numbers instead of IMAGE: "1 2; 3 4", with | between channels.')
@click.option("-o", "--output", default="explain.html", show_default=True, metavar="FILE.html", help="The page.")
@click.option(
    "--region", metavar="ROWS,COLUMNS",
    help="The part of the picture to show, at most 128x128: FIRST:END,FIRST:END from 0, each without its END.",
)  # fmt: skip
@options.border("As in filter.  [default: reflect; constant for a matrix]", None)
@options.border_value()
@options.padding(help="same, valid, full, or cells added at each side.  [default: same; valid for a matrix]")
@options.stride(2)
@options.dilation(2)
@options.convolve
@options.normalize
@click.option("--scale", type=float, default=1.0, show_default=True, help="Multiplies the sum.")
@click.option("--bias", metavar="N|N,N,...", help="Added to it: one number, or one for each filter.  [default: 0]")
@click.option("--activation", type=click.Choice(ACTIVATIONS), default="none", show_default=True)
@click.option(
    "--channels", type=click.Choice(CHANNELS), default="each", show_default=True,
    help="Each channel by itself, as gray, or the sum over all.",
)  # fmt: skip
@click.option(
    "--range", type=click.Choice(RANGES), default="auto", show_default=True,
    help="What becomes of values outside the pixel range, as in filter.",
)  # fmt: skip
@options.one_result
def command(picture: str | None, matrix: str | None, kernels: tuple[str, ...], output: str, **settings: Any) -> None:
    """Show how each output pixel is made, on a page to play with.

    IMAGE is a file, or - for standard input. The page shows input, kernel and output side by side. Point at an output
    pixel, or walk with the arrow keys or the slider, and see its window on the input, the products, their sum, the
    bias, and how rounding and clipping make it the pixel that convcli filter writes. It is one file that needs no
    network.

    \b
    Examples:
      convcli explain photo.jpg -k sobel-x -o page.html
      convcli explain photo.jpg -k gaussian:sigma=1 --region 80:110,120:160
      convcli explain --matrix "1 2 3 0; 4 5 6 0; 7 8 9 0" -k "1 0; 0 -1"
      convcli explain --matrix "2 3 1 9; 4 7 3 5; 8 2 2 2; 1 3 4 5" \\
        -k "1 0 -1; 1 0 -1; 1 0 -1" --padding 1 --stride 2

    \b
    A layer: two filters over two channels, each with its bias:
      convcli explain --matrix "1 0 2; 0 1 1; 2 2 0 | 0 1 0; 1 1 2; 0 0 1" \\
        -k "1 0; 0 1 | 0 1; -1 0" -k "0 1; 1 0 | 1 1; 0 -1" --bias 1,0 \\
        --padding 1 --stride 2

    A picture up to 64x64 is shown whole, of a larger one 32x32 pixels of its middle, or --region. At most 160x160
    cells with their padding, 16 channels, 16 filters and 4096 products for an output fit a page. Filters are of one
    size; one that sums over channels has one plane for each, or --channels sum uses its plane for all.

    The numbers of a matrix are written as they come out; with --range clip, abs, offset or minmax they are taken for
    8-bit pixels. The page opens at a position with page.html#y=3&x=5.
    """
    words = {word: settings[word] for word in _PLAN_WORDS}
    words["border"] = words["border"] or ("reflect" if picture else "constant")
    words["padding"] = "valid" if words["padding"] is None and not picture else words["padding"]
    words["padding"] = "same" if words["padding"] is None else words["padding"]
    region, notice = _region(settings["region"])
    biases = _biases(settings["bias"])
    plans = options.usage(lambda: plan_filters(kernels, biases, **words))
    options.require_suffix(output, (".html", ".htm"))
    try:
        image = _input(picture, matrix, settings)
        check_target(Path(output), overwrite=settings["overwrite"])
    except ImageError as error:
        raise click.ClickException(str(error)) from error
    options.start_loops(settings["threads"], quiet=settings["quiet"])
    title = "matrix" if picture is None else options.title_of(picture)
    explained = explain(image, plans, title=title, region=region)
    write_page(explained, output, overwrite=settings["overwrite"])
    if not settings["quiet"]:
        for warning in [f"--region: {notice}"] * bool(notice) + [*explained.warnings]:
            say(f"Warning: {warning}")
    show_result(json_text(_report(picture, output, explained)) if settings["as_json"] else output)


def _input(picture: str | None, matrix: str | None, settings: dict[str, Any]) -> Image:
    if (picture is None) == (matrix is None):
        got = "neither IMAGE nor --matrix" if picture is None else "both IMAGE and --matrix"
        raise options.WrongUsage(f"input: got {got}, expected one of them")
    if matrix is not None:
        as_pixels = settings["range"] not in ("auto", "raw")
        image: Image = options.usage(lambda: matrix_image(matrix, as_pixels=as_pixels))
        return image
    return options.read_picture(str(picture), settings["max_pixels"])


def _region(text: str | None) -> tuple[Region | None, str]:
    if text is None:
        return None, ""
    try:
        return read_region(text)
    except ShapeError as error:
        raise options.WrongUsage(f"--{error}") from None


def _biases(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise options.WrongUsage(f"--bias: got {text!r}, expected N, or N,N,... with one for each filter") from None


def _report(picture: str | None, output: str, explained: Any) -> dict[str, Any]:
    document = explained.document
    return {
        "input": picture,
        "output": output,
        "input_shape": document["input"]["size"],
        "shape": explained.shape,
        "region": explained.region.as_dict(),
        "formula": document["window"]["formula"],
        "filters": [
            {"name": each["name"] or "matrix", "range": each["range"], "bias": each["bias"]}
            for each in document["filters"]
        ],
        "warnings": explained.warnings,
    }
