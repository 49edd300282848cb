"""`convcli pool`: pictures made smaller, one number for each window."""

from typing import Any

import click

from convcli.cli import carriers, options, preview
from convcli.cli.completing import FILE
from convcli.jobs.pool import PoolPlan, VolumePool, plan_pool, pool_image, pool_signal
from convcli.ops.pooling_runs import ALIASES, MODES


@click.command(cls=preview.PreviewCommand)
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option("--size", type=options.Counts(None), metavar="N|NxM", help="The window, in pixels (rows x columns).")
@click.option("--global", "everything", is_flag=True, help="One window over the whole picture.")
@click.option(
    "--adaptive", type=options.Counts(None), metavar="N|NxM", help="So many windows, which share the picture out."
)
@options.output
@click.option(
    "--mode",
    type=options.NearChoice(tuple(MODES), aliases=ALIASES),
    default="max",
    show_default=True,
    help="What becomes of a window.",
)
@options.stride(default=None, help="Step between windows; default: the size.")
@options.padding(3, "valid", "valid, same, full, or pixels added at each side.")
@options.dilation()
@click.option("--ceil", "ceil_mode", is_flag=True, help="Let the last window hang over the end.")
@click.option(
    "--count-include-pad", is_flag=True, help="Average, weighted: padding counts, as zeros; without it, it does not."
)
@click.option("--p", type=float, default=2.0, show_default=True, help="lp: the exponent.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, metavar="N", help="stochastic: what to draw by.")
@options.alpha("Go by what can be seen (see below), pool alpha like a colour, keep it, or drop it.")
@options.depth
@carriers.operation("--frame-size")
def command(
    inputs: tuple[str, ...],
    size: tuple[int, ...] | None,
    everything: bool,
    adaptive: tuple[int, ...] | None,
    **settings: Any,
) -> int:
    """Pool images: the largest, the mean, or another number of each window.

    INPUT is a file, a pattern, a folder, an address of these (s3://bucket/raw/), or - for standard input. Without
    -o the result is written beside the input as {stem}_{mode}-pool{ext}.

    \b
    Examples:
      convcli pool photo.jpg --size 2
      convcli pool photo.jpg --size 4 --mode average -o small.png
      convcli pool photo.jpg --size 3 --stride 1 --padding same --mode median
      convcli pool shots/*.jpg --size 2x4 --mode min -o pooled/
      convcli pool photo.jpg --global --mode average -o colour.png
      convcli pool photo.jpg --adaptive 7x9 --mode average
      convcli pool prices.csv --size 7 --mode average

    \b
    --mode:
      max, min    the largest, the smallest value
      average     the mean
      weighted    the mean, with weights that fall with the distance from the
                  window's centre: exp(-8 * (distance / size)**2) per axis
      lp          (sum of |value|**p) ** (1/p), clipped to the pixel range
      median      the middle value, the lower one of two
      stochastic  a value drawn with a chance in proportion to it

    Padding never wins a maximum, and counts in a mean only with --count-include-pad. Windows that would reach past
    the end are left out, unless --ceil. With --adaptive, window i reaches from floor(i*n/N) to ceil((i+1)*n/N): they
    differ by a pixel in size where N does not divide n, and take no --stride, --padding, --dilation or --ceil.

    With alpha, means and lp weigh colour by it. The others choose each channel's value from the pixels that can be
    seen, those whose alpha is not 0: no colour comes out that the picture does not have. Alpha is pooled in the same
    mode.

    --axes zyx is for volumes: a TIFF of several pages, .npy, Zarr, an animation's frames, or pictures with --stack;
    sizes are then one number, or three as in 2x4x4. --each-plane pools every plane of a stack by itself; --axes tzcyx
    and such name what a .npy holds, as convcli filter --help says.
    Stacks are written as .tiff or .npy, frames as an animation too, piece by piece.
    Signals, .wav, .csv and a .npy of one axis, need no --axes: they keep their format, and their sample rate is divided
    by the stride.
    """
    given = {"--size": size is not None, "--global": everything, "--adaptive": adaptive is not None}
    if sum(given.values()) != 1:
        got = " and ".join(name for name, is_given in given.items() if is_given) or "none"
        raise options.WrongUsage(f"got {got} of {', '.join(given)}, expected one of them")
    words = carriers.plan_words(inputs, settings, {"--mode": (*MODES, *ALIASES)})
    plan: PoolPlan = options.usage(lambda: plan_pool("global" if everything else size, adaptive=adaptive, **words))
    return carriers.run(inputs, plan, settings, image=pool_image, volume=VolumePool, signal=pool_signal)
