"""`convcli shape`: what comes out of a layer or a chain of layers, with the numbers worked through."""

import re
from pathlib import Path
from typing import Any

import click

from convcli.architectures import GrammarError, LayerSpec, files, grammar, shape_text
from convcli.architectures import values as read
from convcli.architectures.values import Reader
from convcli.cli.completing import KERNEL_OR_SIZE
from convcli.cli.library_warnings import TELLER
from convcli.cli.options import MatrixCommand, usage
from convcli.cli.printing import say, show, show_result
from convcli.errors import ShapeError, shortened
from convcli.jobs.documents import json_text
from convcli.jobs.shape import ShapeResult, shape
from convcli.jobs.summary import check_target, plot
from convcli.views.networks import details, report, table


class Value(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """An option read by a reader of the layer grammar, so that ``--stride 2x1`` and ``stride=2x1`` mean the same."""

    def __init__(self, name: str, reader: Reader) -> None:
        self.name = name
        self.reader = reader

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text; what does not fit is wrong usage."""
        try:
            return self.reader(value.replace(",", "x") if isinstance(value, str) else value)
        except ValueError as error:
            self.fail(f"got {shortened(value)}, expected {error}", param, ctx)


def network_named(name: str) -> str:
    """The name of a network that comes with convcli, or a file's; anything else is wrong usage."""
    name = files.resolved(name)
    if not files.is_file_name(name) and not files.find_shipped(name) and not Path(name).is_file():
        raise click.BadParameter(files.unknown_name(name), param_hint="NETWORK")
    return name


SIZES = Value("N or NxM", read.sizes())


@click.command(cls=MatrixCommand, epilog="\b\n" + grammar().replace("\n\n", "\n\n\b\n"))
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@click.option("--input", "-i", "size", metavar="HxWxC", type=Value("HxWxC", read.shape), required=True,
              help="Sizes, then channels: 7x7x3, 16x32x32x1. Two numbers are height x width with one channel, one is a "
              "series, or what a dense layer takes. For a series with channels add --dimensions 1.")  # fmt: skip
@click.option("--dimensions", type=click.IntRange(1, 3), help="The number of spatial axes, if --input leaves it open.")
@click.option("--filters", "-f", type=Value("N", read.count()), metavar="N",
              help="A convolution with N filters. Without it, only window positions are asked for.")  # fmt: skip
@click.option("--kernel-size", type=SIZES, metavar="N|NxM", help="Cells of the kernel along each axis.  [default: 3]")
@click.option(
    "-k", "kernel", type=KERNEL_OR_SIZE, metavar="SPEC", help="A kernel, whose size is taken for --kernel-size."
)
@click.option("--stride", type=SIZES, metavar="N|NxM", help="Cells between windows.  [default: 1; the size for --pool]")
@click.option("--padding", type=Value("PADDING", read.padding), metavar="PADDING",
              help="valid, same, full, N, NxM (or N,M), or before:after as in 0:1.  [default: valid]")  # fmt: skip
@click.option(
    "--dilation", type=SIZES, metavar="N|NxM", help="1 is dense, 2 leaves one cell between taps.  [default: 1]"
)
@click.option("--groups", type=Value("N", read.count()), metavar="N", help="Each group sees its share of the channels.")
@click.option(
    "--pool", type=SIZES, metavar="N|NxM", help="A pooling with windows of this size instead of a convolution."
)
@click.option("--ceil", is_flag=True, help="Pooling: a last window may hang over the end (torch's ceil_mode).")
@click.option("--transposed", is_flag=True, help="A transposed convolution: it enlarges.")
@click.option("--output-padding", type=Value("N|NxM", read.sizes(0)), metavar="N|NxM",
              help="Transposed: cells added at the end, fewer than the stride.")  # fmt: skip
@click.option("--no-bias", is_flag=True, help="Filters without a bias.")
@click.option("--expand", is_flag=True, help="List the layers inside branches too.")
@click.option("--plot", "drawing", metavar="FILE.svg", help="Draw the layers as volumes.")
@click.option("--overwrite", is_flag=True, help="Let --plot replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    layers: tuple[str, ...],
    size: tuple[int, ...],
    dimensions: int | None,
    expand: bool,
    drawing: str | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Print what comes out of a layer, or of a chain of layers.

    The first line is the output's shape; then come the formula with its numbers, parameters, multiply-adds, the
    receptive field (an upper bound at padded borders and under adaptive windows), and cells that no window reaches. A
    chain prints a table.

    \b
    Examples:
      convcli shape --input 7x7x3 --filters 4
      convcli shape --input 5x5 --kernel-size 3 --padding 1
      convcli shape --input 112x112x64 --pool 3 --stride 2 --ceil
      convcli shape --input 4x4x8 --transposed --filters 3 --stride 2
      convcli shape --input 200x200 dense:500
      convcli shape --input 100x8 --dimensions 1 --filters 4
      convcli shape --input 28x28x1 conv:32,kernel=3,relu pool:2 flatten dense:10
      convcli shape --input 28x28x192 "[ conv:64,kernel=1 | conv:32,same ]"
    """
    given = {name: value for name, value in options.items() if value not in (None, False)}
    given = _with_size_of_kernel(given, is_series=1 in (dimensions, len(size)))
    if layers and given:
        raise click.UsageError(f"{_option(next(iter(given)))} describes a single layer; in a chain, say it in the word")
    target = check_target(drawing, overwrite=overwrite) if drawing else None
    try:
        result = shape(layers or [_single_layer(given)], size, dimensions=dimensions)
    except GrammarError as error:
        raise click.UsageError(str(error)) from None
    except ShapeError as error:
        if layers:
            raise
        raise ShapeError(_in_options(str(error), "pool" in given)) from None
    if target:
        plot(result.plan, str(target), overwrite=overwrite)
    if as_json:
        show_result(json_text(report(result.plan) | ({"plot": str(target)} if target else {})))
        return
    positions_only = not layers and "filters" not in given and "pool" not in given
    show(*_lines(result, positions_only, expand))
    first = result.plan.spec.layers[0]
    if len(size) == 2 and size[0] != size[1] and dimensions is None and first.dimensions is None:
        show(f"                 for a series of {size[1]} channels add --dimensions 1")
    if target:
        show(f"drawing          {target}")


def _in_options(message: str, is_pool: bool) -> str:
    """What is said of a layer, in the words of the options that described it."""
    size = "pool" if is_pool else "kernel_size"
    described = re.sub(r"^layer 1 \([^)]*\): ", "", message).replace("kernel_size=", f"{size}=")
    return re.sub(r"\b(kernel_size|pool|padding|stride|dilation)=", lambda word: f"{_option(word[1])} ", described)


def _with_size_of_kernel(given: dict[str, Any], *, is_series: bool) -> dict[str, Any]:
    """The options with --kernel-size for -k: the size of a kernel, or, as earlier versions had it, the size itself."""
    if "kernel" not in given:
        return given
    if "kernel_size" in given:
        raise click.UsageError("got both -k and --kernel-size, expected one of them")
    text = given.pop("kernel")
    try:
        size = SIZES.reader(text.replace(",", "x"))
    except ValueError:
        from convcli.kernels import parse_kernel

        shape = usage(lambda: parse_kernel(text)).planes[0].shape
        return given | {"kernel_size": shape[-1:] if is_series and shape[0] == 1 else shape}
    if not TELLER.is_quiet:
        say(f"Warning: -k will be a kernel here too, and no size; write --kernel-size {_word(size)}")
    return given | {"kernel_size": size}


def _single_layer(given: dict[str, Any]) -> LayerSpec:
    """The layer that the options describe."""
    typed = "pool" if "pool" in given else "conv_transpose" if "transposed" in given else "conv"
    belongs = {
        "pool": {"pool", "stride", "padding", "dilation", "ceil"},
        "conv": {"filters", "kernel_size", "stride", "padding", "dilation", "groups", "no_bias"},
        "conv_transpose": {
            *("filters", "kernel_size", "stride", "padding", "dilation", "groups", "no_bias"),
            *("transposed", "output_padding"),
        },
    }[typed]
    for name in given:
        if name not in belongs:
            owner = {"ceil": "--pool", "output_padding": "--transposed"}.get(name, "a convolution")
            against = " and not with --pool" if typed == "pool" else ""
            raise click.UsageError(f"{_option(name)} goes with {owner}{against}")
    settings: dict[str, Any] = {name: given[name] for name in ("stride", "padding", "dilation") if name in given}
    if typed == "pool":
        settings |= {"kernel_size": given["pool"], "ceil_mode": "ceil" in given}
        return LayerSpec(typed, settings, word=f"pool:{_word(given['pool'])}")
    groups = given.get("groups", 1)
    filters = given.get("filters", groups)
    settings |= {"filters": filters, "groups": groups, "use_bias": "no_bias" not in given}
    settings |= {name: given[name] for name in ("kernel_size", "output_padding") if name in given}
    return LayerSpec(typed, settings, word=f"{typed}:{filters}")


def _lines(result: ShapeResult, positions_only: bool, expand: bool) -> list[str]:
    plan, layer = result.plan, result.layer
    output = plan.output[:-1] if positions_only and len(plan.output) > 1 else plan.output
    ending = f"input            {_input_text(plan.input)}"
    if layer is None:
        return [shape_text(output), "", *table(plan, expand=expand), ending]
    return [shape_text(output), *details(layer), ending]


def _input_text(size: tuple[int, ...]) -> str:
    axes = {1: "values", 2: "length x channels", 3: "height x width x channels", 4: "depth x height x width x channels"}
    return f"{shape_text(size)} ({axes[len(size)]})"


def _word(value: Any) -> str:
    return shape_text(value) if isinstance(value, tuple) else str(value)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
