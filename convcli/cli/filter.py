"""`convcli filter`: pictures through kernels."""

from typing import Any

import click

from convcli.cli import carriers, options, preview, recipes
from convcli.cli.completing import FILE, KERNEL
from convcli.jobs.filter import FilterPlan, filter_image, plan_filter
from convcli.jobs.filter_signal import filter_signal
from convcli.jobs.filter_volume import VolumeFilter
from convcli.jobs.output_policy import CHANNELS, RANGES
from convcli.kernels import LIBRARY
from convcli.ops.responses import ACTIVATIONS


class FilterCommand(preview.PreviewCommand, options.MatrixCommand):
    """Takes kernel SPECs and a preview."""


@click.command(cls=FilterCommand)
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option(
    "-k", "--kernel", "kernels", multiple=True, required=True, type=KERNEL,
    help="A kernel; several make a chain, kept in float until one rounding at the end.",
)  # fmt: skip
@recipes.option
@options.output
@options.border("Beyond the border: reflect, symmetric, edge, wrap, constant, or scipy's, OpenCV's or torch's name.")
@options.border_value()
@options.padding(3, "same", "same, valid, full, or pixels added at each side.")
@options.stride()
@options.dilation()
@options.convolve
@options.normalize
@click.option("--scale", type=float, default=1.0, show_default=True, help="Multiplies the response.")
@click.option("--bias", type=float, default=0.0, show_default=True, help="Added to it, in pixel units of the input.")
@click.option(
    "--activation", type=click.Choice(tuple(ACTIVATIONS)), default="none", show_default=True, metavar="NAME",
    help=f"{', '.join(ACTIVATIONS)}.",
)  # fmt: skip
@click.option(
    "--channels", type=click.Choice(CHANNELS), default="each", show_default=True,
    help="Each channel by itself, as gray, or the sum over all.",
)  # fmt: skip
@click.option(
    "--range", type=click.Choice(RANGES), default="auto", show_default=True,
    help="What becomes of values outside the pixel range; see below.",
)  # fmt: skip
@options.alpha("Weigh colour by alpha, filter alpha like a colour, keep it, or drop it.")
@options.depth
@click.option("--linear", is_flag=True, help="Filter in linear light instead of sRGB's curve.")
@carriers.operation("--size", "--frame-size")
def command(inputs: tuple[str, ...], kernels: tuple[str, ...], recipe: str | None, **settings: Any) -> int:
    """Filter images with kernels: blur, sharpen, find edges, or your own matrix.

    INPUT is a file, a pattern, a folder, an address of these (s3://bucket/raw/), or - for standard input. Without
    -o the result is written beside the input as {stem}_{kernel}{ext}. SPEC is a name with parameters, a matrix, or
    a file: see convcli kernel list.

    \b
    Examples:
      convcli filter photo.jpg -k sharpen
      convcli filter photo.jpg -k gaussian:sigma=2 -o soft.png
      convcli filter photo.jpg -k "0 -1 0; -1 5 -1; 0 -1 0"
      convcli filter photo.jpg -k gaussian:sigma=1 -k sobel
      convcli filter photo.jpg -k median -k resize:width=800 -k unsharp
      convcli filter photo.jpg --recipe soft-portrait
      convcli filter photo.jpg -k sobel-x --range offset
      convcli filter photo.jpg -k canny:sigma=2,low=20,high=50
      convcli filter shots/*.jpg -k unsharp -o sharp/
      convcli filter shots/ --recursive -k unsharp -o sharp/
      cat photo.png | convcli filter - -k emboss > out.png

    \b
    --range, for values outside the pixel range (they never wrap):
      auto    abs for kernels that sum to zero, else clip; floats stay raw
      clip    below black becomes black, above white becomes white
      abs     the size of the value, so that both sides of an edge show
      offset  zero becomes middle grey
      minmax  smallest black, largest white
      raw     the numbers themselves, as float TIFF or NPY

    \b
    --axes, for stacks: a TIFF of several pages, a .npy, an animation's frames, or
    pictures with --stack. What a file holds, from its slowest axis on:
      zyx    a volume, for 3-D kernels; of OME and ImageJ TIFFs, which say what
             they hold, every volume, by time and channel
      tzcyx  or tzyx, zcyx, czyx ...: the same of a .npy, whose axes have no names
      yx     planes, for 2-D kernels, each by itself; so does --each-plane,
             whatever --axes says
      yxc    a .npy of many channels, which come last
      Zarr and OME-Zarr, with the extra scale, name their axes and stay Zarr
      convcli filter scan.tif -k gaussian3d:sigma=1x2x2 --axes zyx
      convcli filter cells.ome.tif -k sobel --each-plane --channel 1
      convcli filter cells.npy -k gaussian3d --axes tzcyx --time 0
      convcli filter slices/*.png --stack -k box3d --axes zyx -o soft.tiff

    All axes stay, and what OME and ImageJ say of them. A .npy of three axes is a picture only if its last has at most
    4. Stacks are written as .tiff or .npy, frames as an animation too, piece by piece, and may be larger than the
    memory; --max-pixels counts one plane. In volumes strides and such are one number, or three: NxMxK for planes, rows
    and columns.

    \b
    --axes x, for signals; .wav, .csv and a .npy of one axis need no --axes:
      convcli filter prices.csv -k box:size=9           a moving average
      convcli filter voice.wav -k gaussian:sigma=8      a low-pass
      convcli filter voice.wav -k "1 0.5" --dilation 11025 --convolve \\
        --padding full --border constant              an echo, 11025 samples later

    A signal keeps its format, sample rate and header. Its kernels have one row; one of the library acts as on a picture
    whose rows are all the signal. Columns of a table are filtered each by itself; text and columns called time, date,
    index and the like are kept.

    \b
    --format rawvideo, for video: frames in and out by pipe, one after the other
      ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - |
        convcli filter - -k sharpen --format rawvideo --size 1280x720 |
        ffmpeg -f rawvideo -pix_fmt rgb24 -s 1280x720 -r 25 -i - out.mp4

    Float pixels mean 0 black, 1 white. Integers of .npy and TIFF keep their type, those with a sign without abs; truth
    values stay such, the nearer one (--depth 8 gives grey). The anchor of a kernel of even size is the last tap before
    its middle. Kernels with negative weights act on colour and keep alpha; the others are means of what can be seen,
    and blur alpha too.
    In a chain the stride is the last kernel's; padding, border and dilation are each kernel's.
    """
    words = carriers.plan_words(inputs, settings, {"-k": LIBRARY})
    plan: FilterPlan = options.usage(lambda: plan_filter(kernels, title=recipe or "", **words))
    return carriers.run(inputs, plan, settings, image=filter_image, volume=VolumeFilter, signal=filter_signal)
