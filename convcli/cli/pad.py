"""`convcli pad`: pictures with more pixels around them."""

import re
from typing import Any

import click

from convcli.cli import carriers, options
from convcli.cli.completing import FILE
from convcli.jobs.pad import PadPlan, VolumePad, pad_image, pad_signal, plan_pad

# How many numbers an amount may have.
_NUMBERS = {"yx": (1, 2, 4), "zyx": (1, 3), "x": (1, 2)}
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@click.command()
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option(
    "--amount", required=True, metavar="N|V,H|T,R,B,L",
    help="Pixels to add: at each side; above and below, left and right; or top, right, bottom, left.",
)  # fmt: skip
@options.output
@click.option(
    "--mode", type=click.Choice(MODES), default="constant", show_default=True, help="What the new pixels show."
)
@click.option(
    "--value", default="0", show_default=True, metavar="N|N,N,N|COLOUR",
    help="constant: the pixel's value, in its own units, or one for each channel; or a colour, white or #fff.",
)  # fmt: skip
@carriers.operation("--size", "--frame-size", previews=False)
def command(inputs: tuple[str, ...], amount: str, value: str, **settings: Any) -> int:
    """Pad images with a constant, their edge, or a mirror image.

    INPUT is a file, a pattern, a folder, an address of these (s3://bucket/raw/), or - for standard input. Without
    -o the result is written beside the input as {stem}_pad{ext}.

    \b
    Examples:
      convcli pad photo.jpg --amount 20
      convcli pad photo.jpg --amount 10,40 --value 255
      convcli pad photo.jpg --amount 0,0,60,0 --value 200,30,30 -o framed.png
      convcli pad shots/*.png --amount 8 --mode reflect -o padded/

    \b
    --mode, beyond the pixels abcd:
      constant   abcd|vvv
      edge       abcd|ddd
      reflect    abcd|cba
      symmetric  abcd|dcb
      wrap       abcd|abc

    A constant is opaque; a value for each channel, alpha included, may say otherwise. The amount may be larger than
    the picture.

    --axes zyx is for volumes: a TIFF of several pages, .npy, Zarr, an animation's frames, or pictures with --stack. The
    amount is then N, or Z,V,H with Z planes at either end. --each-plane pads every plane of a stack by itself; --axes
    tzcyx and such name what a .npy holds, as convcli filter --help says.
    Stacks are written as .tiff or .npy, frames as an animation too, piece by piece.
    Signals, .wav, .csv and a .npy of one axis, need no --axes; the amount is N, or samples before and after as
    in 100,0.
    """
    words = carriers.plan_words(inputs, settings, {"--mode": MODES}) | {"value": _values(value)}
    plan: PadPlan = options.usage(lambda: plan_pad(_amounts(amount, words["axes"]), **words))
    return carriers.run(inputs, plan, settings, image=pad_image, volume=VolumePad, signal=pad_signal)


def _amounts(text: str, axes: str) -> Any:
    words = text.split(",")
    if not all(re.fullmatch(r"\s*\d{1,9}\s*", word) for word in words) or len(words) not in _NUMBERS[axes]:
        expected = {"yx": "N, V,H or T,R,B,L", "zyx": "N or Z,V,H", "x": "N or BEFORE,AFTER"}[axes]
        raise options.WrongUsage(f"amount: got {text!r}, expected {expected}: whole numbers from 0")
    numbers = [int(word) for word in words]
    if axes == "x":
        return ((numbers[0], numbers[-1]),)
    if len(numbers) == 4:
        top, right, bottom, left = numbers
        return (top, bottom), (left, right)
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def _values(text: str) -> tuple[float, ...] | str:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        return text
