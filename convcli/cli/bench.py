"""`convcli bench`: how fast this is here, beside what else is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convcli.bench.groups import GROUPS
from convcli.bench.instructions import INSTRUCTION_SETS
from convcli.bench.peers import PEERS, library_threads, thread_variables, usable_cores, variables, version
from convcli.cli import Commands, options
from convcli.cli.bench_run import Run
from convcli.cli.options import WrongUsage
from convcli.cli.printing import show, show_result
from convcli.jobs.documents import json_text
from convcli.jobs.runtime import prepare_loops, request_threads

if TYPE_CHECKING:
    from convcli.bench.model import Case


def _peers(text: str) -> tuple[str, ...]:
    """The keys of peers, whose names have commas between them."""
    keys = tuple(word.strip().lower() for word in text.split(","))
    for key in keys:
        if key not in PEERS:
            raise ValueError(f"got {key!r}, expected some of {','.join(PEERS)}")
    return keys


class _Bench(Commands):
    """A command that measures the groups it is given, unless a word names one of those below it."""

    allow_interspersed_args = True

    def make_context(self, info_name: str | None, args: list[str], *words: Any, **more: Any) -> click.Context:
        """The context of this command, or of the one below it that a word names, wherever it stands."""
        name = next((word for word in args if word in self.commands), None)
        if name is None:
            return super().make_context(info_name, args, *words, **more)
        rest = [*args[: args.index(name)], *args[args.index(name) + 1 :]]
        below = self.get_command(click.Context(self), name)
        assert below is not None
        return below.make_context(f"{info_name} {name}", rest, *words, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """All words are this command's own."""
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Nothing below it is called by it."""
        return click.Command.invoke(self, ctx)


_against = click.option(
    "--against", type=options.Read("NAME,...", _peers), help=f"Only beside these: {', '.join(PEERS)}."
)
_threads = click.option(
    "--threads", type=click.IntRange(1, 1024), metavar="N", help="For every side.  [default: all cores]"
)
_isa = click.option(
    "--isa", type=options.NearChoice([*INSTRUCTION_SETS]), help="No side uses more than these instructions."
)
_only = click.option("--only", multiple=True, metavar="WORD", help="Only what has this word in its name.  [repeatable]")


@click.group(cls=_Bench, invoke_without_command=True, subcommand_metavar="")
@click.argument("groups", nargs=-1, metavar="[GROUP]...", type=options.NearChoice([*GROUPS]))
@_against
@click.option("--size", type=click.FloatRange(0.01, 1000), metavar="MEGAPIXELS",
              help="Size of pictures; volumes shrink in proportion.  [default: 24]")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1, 10_000), metavar="N",
              help="Times per side.  [default: 9, more for short cases, 3 for slow peers and files]")  # fmt: skip
@click.option("--quick", is_flag=True, help="Everything tiny, twice: to see that it works. The numbers say little.")
@click.option("--list", "listing", is_flag=True, help="Print the groups, their cases and the peers; measure nothing.")
@_threads
@_isa
@options.as_json
@options.quiet
def command(
    groups: tuple[str, ...],
    against: tuple[str, ...] | None,
    size: float | None,
    repeats: int | None,
    quick: bool,
    listing: bool,
    threads: int | None,
    isa: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure convcli on this machine, beside every peer that is installed.

    \b
    GROUP is one or more of
      filter    general kernels 3x3 to 31x31, sharpen, unsharp, on 8-bit pictures
      gaussian  Gaussians of sigma 1 to 10 on the same picture
      box       equal weights 3x3 to 101x101 on the same picture
      nonlinear medians, bilateral and non-local means of 8-bit pictures
      volume    general and Gaussian kernels 3^3 to 7^3 on a float volume
      pool      largest and mean of 2x2 of a float plane, means of 8-bit pictures
      morph     dilation 3x3 and 15x15, and opening, of an 8-bit plane
      conv      convolution layers: forward, both gradients, in groups
      train     training steps of the MNIST network
      predict   predicting 10,000 images with it
      start     whole short commands, and what each import costs
      files     pictures from file to file; minutes, so only if named
    Without GROUP all but the last are measured, which takes some minutes.

    Peers are OpenCV, SciPy, scikit-image (the extra bench, or pip install opencv-python-headless scipy scikit-image),
    Pillow, PyTorch (large, so not among them: pip install torch), and the programs ImageMagick, gm and vips.

    Results are compared first: a time whose result was not equal to ours, within the rounding that --json states, is
    not printed; a line says how far apart they are, and the exit code is 1. Then the sides take turns, call by call in
    one process, or process by process in start and files, all with the same number of threads. Calls under half a
    second each follow an untimed one. Arrays are in memory before, and results are new arrays; no side is told where to
    put them. torch shares our OpenMP, whose idle threads sleep after GOMP_SPINCOUNT=3000 turns unless you set another
    number. SciPy, scikit-image and Pillow use one thread whatever they are given.

    A ratio is the peer's median time divided by ours: above 1, convcli is faster. Beside it medians (shortest-longest),
    and how much of this machine's limit convcli reached: the bytes or the multiply-adds that the case needs at least,
    against copying and multiply-adds in registers, both measured in the same run. Winograd's and Fourier's transforms
    need fewer than are counted. --json keeps every single time. Close other programs before.

    --isa makes of this machine a lesser one: convcli's loops are made for that level, and OpenCV and torch are told to
    keep to it, and asked whether they do. A line names the sides that nobody could tell.

    \b
    Examples:
      convcli bench --quick
      convcli bench filter gaussian --against opencv
      convcli bench conv train --threads 1 --json
      convcli bench filter conv --isa avx2
      convcli bench --list
    """
    if quick and size is not None:
        raise click.UsageError("--size: got it with --quick, expected one of them: --quick chooses its own sizes")
    versions = _versions(against)
    here = frozenset(key for key, found in versions.items() if found)
    with _machine(threads, isa) as count:
        from convcli.bench.model import FULL_MEGAPIXELS, Setting
        from convcli.bench.report import cases_of, chosen_groups

        setting = Setting(count, here, size or FULL_MEGAPIXELS, repeats, quick, isa)
        chosen = chosen_groups(groups if groups or not listing else list(GROUPS))
        cases = {group: cases_of(group, setting) for group in chosen}
        asked = {key for each in cases.values() for case in each for key in case.peers}
        versions = {key: found for key, found in versions.items() if key in asked}
        if listing:
            _list(cases, versions, as_json)
            return 0
        prepare_loops(count, None if quiet else options.say_compiling)
        with library_threads(count, here & asked):
            return Run(setting, cases, versions, as_json=as_json, quiet=quiet).measure()


@command.command()
@_only
@click.option("--beside", metavar="COMMAND", help="What starts another convcli, as /old/.venv/bin/convcli.")
@_against
@_threads
@_isa
@options.as_json
@options.quiet
def cold(
    only: tuple[str, ...],
    beside: str | None,
    against: tuple[str, ...] | None,
    threads: int | None,
    isa: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure first runs: whole commands with an empty cache.

    Each command runs twice in processes of its own, so that the second finds what the first has compiled: seconds of
    the processor, of all processes that a command starts, and by the clock. --beside does the same with another
    convcli, and the ratio is that of the first runs. Programs that are installed do what they can of it too. All cases
    take minutes.

    \b
    Examples:
      convcli bench cold
      convcli bench cold --only sharpen --beside /old/.venv/bin/convcli
    """
    here = frozenset(key for key, found in _versions(against).items() if found)
    with _machine(threads, isa) as count:
        from convcli.bench.model import Setting
        from convcli.cli.bench_cold import run_cold

        return run_cold(Setting(count, here, isa=isa), only, beside, as_json=as_json, quiet=quiet)


@command.command()
@_only
@click.option("--quick", is_flag=True, help="Everything tiny: to see that it works. The numbers say little.")
@click.option("--plot", metavar="FILE", help="Draw it into a .png, .svg or .pdf file (needs matplotlib).")
@click.option("--overwrite", is_flag=True, help="Let --plot replace an existing file.")
@_threads
@_isa
@options.as_json
@options.quiet
def scaling(
    only: tuple[str, ...],
    quick: bool,
    plot: str | None,
    overwrite: bool,
    threads: int | None,
    isa: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure how time and memory grow with the size of the work.

    For each operation a line for each size, with the slope from the size before on logarithmic axes: 1 is in
    proportion to the work. Memory is what a call holds at its peak beyond what was there before. Takes minutes.

    \b
    Examples:
      convcli bench scaling --plot scaling.png
      convcli bench scaling --only taps --quick
    """
    if overwrite and plot is None:
        raise click.UsageError("--overwrite: got it without --plot, which it is an option of")
    with _machine(threads, isa) as count:
        from convcli.bench.model import Setting
        from convcli.cli.bench_scaling import run_scaling

        prepare_loops(count, None if quiet else options.say_compiling)
        setting, target = Setting(count, quick=quick, isa=isa), Path(plot) if plot else None
        return run_scaling(setting, only, target, overwrite=overwrite, as_json=as_json, quiet=quiet)


def _versions(against: tuple[str, ...] | None) -> dict[str, str | None]:
    """The release of each peer that is wanted, None of one that is not installed."""
    return {key: version(key) for key in PEERS if against is None or key in against}


@contextmanager
def _machine(threads: int | None, isa: str | None) -> Iterator[int]:
    """Measure with so many threads, which it yields, and these instructions; raises `WrongUsage` without them."""
    count = usable_cores() if threads is None else threads
    request_threads(count)
    with variables(thread_variables(count) | (INSTRUCTION_SETS[isa].variables if isa else {})):
        _check_isa(isa)
        yield count


def _check_isa(isa: str | None) -> None:
    """Refuse instructions that this processor has not; the environment has been told of them."""
    from convcli.loops.compiling.processor import processor

    if isa and processor().name != INSTRUCTION_SETS[isa].level:
        raise WrongUsage(f"--isa: got {isa}, expected instructions that this processor has")


def _list(cases: dict[str, "list[Case]"], versions: dict[str, str | None], as_json: bool) -> None:
    if as_json:
        groups = {
            group: [{"column": case.column, "name": case.name, "peers": list(case.peers)} for case in each]
            for group, each in cases.items()
        }
        peers = {key: {"version": found, "install": PEERS[key].install} for key, found in versions.items()}
        show_result(json_text({"groups": groups, "peers": peers}))
        return
    for group, each in cases.items():
        show(f"{group}: {GROUPS[group].line}")
        for case in each:
            show(f"  {case.column:<16} {case.name:<15} {', '.join(case.peers) or 'alone'}")
    show("peers")
    for key, found in versions.items():
        show(f"  {key:<16} {found or 'not installed: ' + PEERS[key].install}")
