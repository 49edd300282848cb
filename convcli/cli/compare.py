"""`convcli compare`: how far two pictures are apart."""

import math
import re
import sys
from typing import Any

import click

from convcli.cli import carriers, options
from convcli.cli.completing import FILE
from convcli.cli.printing import say, show, show_result
from convcli.images import MAX_PIXELS, write
from convcli.jobs.compare import Comparison, compare, decibels, figures, where_picture
from convcli.jobs.documents import json_text, named
from convcli.jobs.tasks import STREAM
from convcli.jobs.volumes import Reading


def _tolerance(text: str) -> tuple[float, bool]:
    """The number, as a share where it is one, and whether it is."""
    found = re.fullmatch(r"\s*(\d+\.?\d*([eE][-+]?\d+)?|\.\d+)\s*(%?)\s*", text)
    if not found or not math.isfinite(float(found[1])):
        raise ValueError(f"got {text!r}, expected a number from 0, or a share as in 1%")
    return float(found[1]) / (100 if found[3] else 1), bool(found[3])


@click.command()
@click.argument("first", metavar="A", type=FILE)
@click.argument("second", metavar="B", type=FILE)
@click.option("-o", "--output", metavar="OUT.png", help="Draw A, B and where they differ.")
@click.option(
    "--tolerance", type=options.Read("X|X%", _tolerance), metavar="X|X%",
    help="Exit 1 if any number differs by more: in pixel units, or % of the full scale.",
)  # fmt: skip
@click.option("--white", type=click.FloatRange(0, min_open=True), metavar="N",
              help="Full scale.  [default: 255, 65535, or 1 for floats]")  # fmt: skip
@carriers.axes("What A and B hold, as in zyx, tzcyx, yxc; see below.")
@carriers.part
@options.one_result
def command(
    first: str,
    second: str,
    output: str | None,
    tolerance: tuple[float, bool] | None,
    white: float | None,
    axes: str | None,
    channel: int | None,
    time: int | None,
    **files: Any,
) -> int:
    """Compare two pictures: how far apart, how alike, and where they differ.

    A and B are files of one size and the same channels; one may be - for standard input. Alpha is compared like a
    colour. Prints the largest and the mean difference, how many pixels differ, PSNR and SSIM.

    \b
    Examples:
      convcli compare photo.jpg photo.png
      convcli compare before.png after.png -o where.png
      convcli compare expected.png got.png --tolerance 2 || echo changed
      convcli compare scan.tif filtered.tif --tolerance 0.5% --json

    Differences are B - A in the pixels' own unit: 0..255 for 8 bits, 0..65535 for 16 bits, the numbers themselves for
    floats. Two of different depth are both taken as 0..1. --tolerance X is in that unit, X% is a share of the full
    scale; the exit code is 1 when a pixel lies beyond it, and 0 without --tolerance however much differs.

    \b
    PSNR  10 log10(white**2 / mean squared difference), in dB
    SSIM  structural similarity (Wang et al. 2004): Gaussian window of 11x11
          pixels and sigma 1.5, constants 0.01 and 0.03, mean over the windows
          inside the picture and over channels; 1 is equal

    Files of several planes (TIFF, GIF, WebP, Zarr, NIfTI, and .npy that is no picture) are compared as stacks, SSIM
    plane by plane; --axes names what a .npy holds. Signals (.wav, .csv, .npy of one axis) are compared as a row of
    numbers. In --json null stands for infinity, as the PSNR of equal pictures, and for an SSIM
    of pictures smaller than its window.
    """
    if first == second == STREAM:
        raise options.WrongUsage("standard input: got it as A and as B, expected it once")
    if output is not None:
        options.check_picture(output, overwrite=files["overwrite"], sources=(first, second))
    options.start_loops(files["threads"], quiet=files["quiet"])
    limit, relative = tolerance if tolerance is not None else (None, False)
    found = compare(
        *(sys.stdin.buffer if each == STREAM else each for each in (first, second)),
        reading=Reading(axes or "yx", channel, time),
        white=white,
        tolerance=limit,
        relative=relative,
        max_pixels=files["max_pixels"] or MAX_PIXELS,
    )
    if output is not None:
        names = options.title_of(first), options.title_of(second)
        write(where_picture(found, names), output, overwrite=files["overwrite"])
    for warning in () if files["quiet"] else found.warnings:
        say(f"Warning: {warning}")
    if files["as_json"]:
        show_result(json_text(_document(first, second, output, found)))
    else:
        show(*_lines(found), *([] if output is None else [output]))
    return 0 if found.within else 1


def _lines(found: Comparison) -> list[str]:
    share = f" ({found.largest / found.white:.1%})" if math.isfinite(found.largest) and found.largest else ""
    where = "" if found.place is None else f" at {found.place}"
    pixels = "pixels" if len(found.shape) == 3 else "voxels"
    lines = [
        f"largest difference  {figures(found.largest)} of {figures(found.white)}{share}{where}",
        f"mean difference     {figures(found.mean)}",
        f"{pixels} that differ  {found.differing} of {found.pixels} ({found.differing / found.pixels:.2%})",
        f"PSNR                {decibels(found.psnr)}",
        f"SSIM                {_similarity(found)}",
    ]
    if found.tolerance is not None:
        verdict = "yes" if found.within else f"no: {found.beyond} {pixels} are further apart"
        lines.append(f"within {figures(found.tolerance):<12} {verdict}")
    return lines


def _similarity(found: Comparison) -> str:
    if found.ssim is None:
        return "none: needs at least 11x11 pixels"
    return f"{found.ssim:.6f}" if math.isfinite(found.ssim) else "none: some numbers are not finite"


def _document(first: str, second: str, output: str | None, found: Comparison) -> dict[str, Any]:
    place = found.place and named(found.place, "plane", "row", "column", "channel")
    return {
        "a": first,
        "b": second,
        **named(found, "shape", "white", "largest", "mean"),
        "place": place,
        **named(found, "differing", "pixels", "psnr", "ssim", "tolerance", "beyond", "within"),
        "output": output,
        "warnings": found.warnings,
    }
