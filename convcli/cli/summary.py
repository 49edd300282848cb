"""`convcli summary`: the table of a whole network, shipped or from a file."""

from dataclasses import asdict

import click

from convcli.architectures import shape_text
from convcli.architectures import values as read
from convcli.cli.completing import NETWORK
from convcli.cli.printing import show, show_result
from convcli.cli.shape import Value, network_named
from convcli.jobs.documents import json_text, named
from convcli.jobs.summary import card_in, check_target, plot, shipped_networks, summary
from convcli.views.networks import card_lines, report, table


@click.command()
@click.argument("network", type=NETWORK, required=False)
@click.option("--input", "-i", "size", metavar="HxWxC", type=Value("HxWxC", read.shape),
              help="Another input than the network's own; without channels, the network's.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the networks that come with convcli.")
@click.option("--expand", is_flag=True, help="List the layers inside branches too.")
@click.option("--plot", "drawing", metavar="FILE.svg", help="Draw the network as volumes.")
@click.option("--overwrite", is_flag=True, help="Let --plot replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    network: str | None,
    size: tuple[int, ...] | None,
    listing: bool,
    expand: bool,
    drawing: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Print the layers of a network: shapes, parameters, multiply-adds, memory.

    NETWORK is the name of one that comes with convcli (without it they are listed), a .toml or .json file in the layer
    grammar of `convcli shape --help`, or a .safetensors file written by convcli, which also tells how it was trained;
    shipped is the trained MNIST model of convcli.
    Multiply-adds leave biases out; memory is that of float32 values for one input; the field is the receptive field, an
    upper bound at padded borders and under adaptive windows.

    \b
    Examples:
      convcli summary
      convcli summary lenet5
      convcli summary googlenet --expand
      convcli summary alexnet --plot alexnet.svg
      convcli summary mnist.safetensors
      convcli summary my-network.toml --input 64x64x3 --json
    """
    if network is None or listing:
        if network or size or drawing or expand:
            raise click.UsageError("--list goes with --json only" if listing else "name a network; --list lists them")
        _list(as_json)
        return
    network = network_named(network)
    target = check_target(drawing, overwrite=overwrite) if drawing else None
    plan, card = summary(network, size), card_in(network)
    if target:
        plot(plan, str(target), overwrite=overwrite)
    if as_json:
        names = {key: getattr(plan.spec, key) for key in ("name", "title", "source") if getattr(plan.spec, key)}
        told = {"card": asdict(card)} if card else {}
        show_result(json_text(names | report(plan) | told | ({"plot": str(target)} if target else {})))
        return
    show(f"{plan.spec.name}: {plan.spec.title}" if plan.spec.title else plan.spec.name)
    show(*table(plan, expand=expand))
    show(*card_lines(card) if card else ())
    if plan.spec.source:
        show(*click.wrap_text(plan.spec.source, 79, "source           ", " " * 17).splitlines())
    if target:
        show(f"drawing          {target}")


def _list(as_json: bool) -> None:
    plans = shipped_networks()
    if as_json:
        told = [("name", "title", "source"), ("input", "output", "params", "macs")]
        show_result(json_text([named(plan.spec, *told[0]) | named(plan, *told[1]) for plan in plans]))
        return
    for plan in plans:
        show(f"{plan.spec.name:<12}{shape_text(plan.input):>10}{plan.params:>13,}  {plan.spec.title}")
