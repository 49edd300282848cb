"""`convcli bench`: how fast this is here, beside what else is installed."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convcli.bench.groups import GROUPS
from convcli.bench.instructions import INSTRUCTION_SETS, unlimited
from convcli.bench.peers import PEERS, library_threads, thread_variables, usable_cores, variables, version
from convcli.cli import options
from convcli.cli.options import WrongUsage
from convcli.cli.printing import show, show_result
from convcli.jobs.documents import json_text, named
from convcli.jobs.runtime import examine, prepare_loops, request_threads

if TYPE_CHECKING:
    from convcli.bench.model import Case, Limits, Measurement, Setting


COLD, SCALING = "cold", "scaling"  # each alone, and with options of its own


def _peers(text: str) -> tuple[str, ...]:
    """The keys of peers, whose names have commas between them."""
    keys = tuple(word.strip().lower() for word in text.split(","))
    for key in keys:
        if key not in PEERS:
            raise ValueError(f"got {key!r}, expected some of {','.join(PEERS)}")
    return keys


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP]...", type=click.Choice([*GROUPS, COLD, SCALING]))
@click.option("--against", type=options.Read("NAME,...", _peers), help=f"Only beside these: {', '.join(PEERS)}.")
@click.option("--size", type=click.FloatRange(0.01, 1000), metavar="MEGAPIXELS",
              help="Size of pictures; volumes shrink in proportion.  [default: 24]")  # fmt: skip
@click.option("--repeats", type=click.IntRange(1, 10_000), metavar="N",
              help="Times per side.  [default: 9, more for short cases, 3 for slow peers and files]")  # fmt: skip
@click.option("--quick", is_flag=True, help="Everything tiny, twice: to see that it works. The numbers say little.")
@click.option("--list", "listing", is_flag=True, help="Print the groups, their cases and the peers; measure nothing.")
@click.option(
    "--only", multiple=True, metavar="WORD", help="Of cold and scaling: what has this word in its name.  [repeatable]"
)
@click.option("--beside", metavar="COMMAND", help="Of cold: what starts another convcli, as /old/.venv/bin/convcli.")
@click.option("--plot", metavar="FILE", help="Of scaling: draw it into a .png, .svg or .pdf file (needs matplotlib).")
@click.option("--overwrite", is_flag=True, help="Let --plot replace an existing file.")
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="For every side.  [default: all cores]")
@click.option("--isa", type=click.Choice([*INSTRUCTION_SETS]), help="No side uses more than these instructions.")
@options.as_json
@options.quiet
def command(
    groups: tuple[str, ...],
    against: tuple[str, ...] | None,
    size: float | None,
    repeats: int | None,
    quick: bool,
    listing: bool,
    only: tuple[str, ...],
    beside: str | None,
    plot: str | None,
    overwrite: bool,
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
      cold      first runs with an empty cache, which compile; alone, minutes
      scaling   time and memory against the size of the work; alone, minutes
    Without GROUP all but the last three are measured, which takes some minutes.

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
      convcli bench scaling --plot scaling.png
      convcli bench cold --only sharpen --beside /old/.venv/bin/convcli
    """
    _check_alone(groups, size=size, quick=quick, listing=listing)
    _check_owned(groups, {"--only": only, "--beside": beside, "--plot": plot, "--overwrite": overwrite})
    if quick and size is not None:
        raise click.UsageError("--size: got it with --quick, expected one of them: --quick chooses its own sizes")
    wanted = frozenset(PEERS if against is None else against)
    versions = {key: version(key) for key in PEERS if key in wanted}
    here = frozenset(key for key, found in versions.items() if found)
    count = usable_cores() if threads is None else threads
    request_threads(count)
    with variables(thread_variables(count) | (INSTRUCTION_SETS[isa].variables if isa else {})):
        from convcli.bench.model import FULL_MEGAPIXELS, Setting

        _check_isa(isa)

        if COLD in groups:
            from convcli.cli.bench_cold import run_cold

            return run_cold(Setting(count, here, isa=isa), only, beside, as_json=as_json, quiet=quiet)
        if SCALING in groups:
            from convcli.cli.bench_scaling import run_scaling

            prepare_loops(count, None if quiet else options.say_compiling)
            return run_scaling(
                Setting(count, quick=quick, isa=isa), only, Path(plot) if plot else None, overwrite=overwrite,
                as_json=as_json, quiet=quiet,
            )  # fmt: skip
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
            return _Run(setting, cases, versions, as_json=as_json, quiet=quiet).measure()


def _check_alone(groups: tuple[str, ...], *, size: float | None, quick: bool, listing: bool) -> None:
    for name in (COLD, SCALING):
        if name in groups and (len(set(groups)) > 1 or size is not None or listing or (quick and name == COLD)):
            also = ", --size, --quick or --list" if name == COLD else ", --size or --list"
            raise click.UsageError(f"{name}: got other groups{also} with it, expected it alone")


# Options that only these groups have.
_OWNED = {"--only": (COLD, SCALING), "--beside": (COLD,), "--plot": (SCALING,), "--overwrite": (SCALING,)}


def _check_owned(groups: tuple[str, ...], given: dict[str, Any]) -> None:
    for name, owners in _OWNED.items():
        if given[name] and not set(owners) & set(groups):
            raise click.UsageError(f"{name}: got it without {' or '.join(owners)}, which it is an option of")
    if given["--overwrite"] and not given["--plot"]:
        raise click.UsageError("--overwrite: got it without --plot, which it is an option of")


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


class _Run:
    """One run: measures, prints rows as they come, or the document in the end."""

    def __init__(
        self, setting: "Setting", cases: dict[str, "list[Case]"], versions: dict[str, str | None], *, as_json: bool,
        quiet: bool,
    ) -> None:  # fmt: skip
        self.setting, self.cases, self.versions = setting, cases, versions
        self.as_json = as_json
        self.progress = not quiet and sys.stderr.isatty()
        self.total, self.done = sum(map(len, cases.values())), 0
        self.found: list[Measurement] = []

    def measure(self) -> int:
        """All groups; the exit code."""
        from convcli.bench.programs import import_costs
        from convcli.bench.report import find_limits, needs_limits
        from convcli.cli import bench_table as table

        machine = examine()
        limits = None
        with self._working("measuring the machine's limits"):
            limits = find_limits(self.setting) if needs_limits(list(self.cases)) else None
        self._say(self._head(str(machine.machine["processor"]), machine.versions["convcli"]))
        self.unlimited = self._unlimited()
        if self.setting.isa:
            self._say(table.wrapped(table.isa_line(self.setting.isa, self.unlimited)))
        missing = (PEERS[key] for key, found in self.versions.items() if not found)
        self._say(f"not installed: {peer.title}; {peer.install}" for peer in missing)
        self._say(table.wrapped(table.limits_line(limits)) if limits else [])
        costs: dict[str, Any] = {}
        for group, cases in self.cases.items():
            self._group(group, cases, limits)
            if group == "start":
                with self._working("timing imports"):
                    costs = import_costs()
                self._say(table.import_lines(costs))
        if self.as_json:
            show_result(json_text(self._document(dataclasses.asdict(machine), limits, costs)))
        wrong = [peer for each in self.found for peer in each.peers if not peer.equal]
        return 1 if wrong else 0

    def _unlimited(self) -> list[str]:
        found = [key for key, version in self.versions.items() if version]
        return unlimited(INSTRUCTION_SETS[self.setting.isa], found) if self.setting.isa else []

    def _group(self, group: str, cases: "Sequence[Case]", limits: "Limits | None") -> None:
        from convcli.bench.model import means
        from convcli.bench.report import head_of, measure_cases
        from convcli.cli import bench_table as table

        self._say(["", *table.wrapped(f"{group}: {head_of(group, self.setting)}")])
        self._say([table.heading(images=cases[0].images > 0)])
        mine: list[Measurement] = []
        column = ""
        with self._working("") as working:
            for measured in measure_cases(cases, self.setting, limits, lambda case: working(self._place(case))):
                working(None)
                if measured.column != column and len({case.column for case in cases}) > 1:
                    self._say([f"{measured.column}:"])
                column = measured.column
                mine.append(measured)
                self._say(table.rows(measured))
        self._say(table.mean_line(each) for each in means(mine))
        self.found += mine

    def _place(self, case: "Case") -> str:
        self.done += 1
        return f"[{self.done}/{self.total}] {case.group} {case.column} {case.name}"

    def _say(self, lines: Any) -> None:
        for line in () if self.as_json else lines:
            show(line)

    @contextmanager
    def _working(self, text: str) -> Iterator[Any]:
        """A line on the terminal that says what is going on, wiped away in the end."""

        def show(words: str | None) -> None:
            if self.progress:
                click.echo(f"\r\x1b[K{words or ''}", err=True, nl=False)

        show(text)
        try:
            yield show
        finally:
            show(None)

    def _head(self, processor: str, ours: str) -> list[str]:
        from convcli.cli.bench_table import wrapped

        others = [f"{PEERS[key].title} {found}" for key, found in self.versions.items() if found]
        threads = f"{self.setting.threads} thread{'s' if self.setting.threads > 1 else ''} each"
        return wrapped(f"{processor}, {threads}; convcli {ours}; {', '.join(others) or 'no peer'}")

    def _document(self, machine: dict[str, Any], limits: Any, costs: dict[str, Any]) -> dict[str, Any]:
        from convcli.bench.model import means
        from convcli.bench.report import head_of

        setting = dataclasses.asdict(self.setting) | {"peers": sorted(self.setting.peers)}
        return {
            "setting": setting,
            "machine": machine,
            "peers": self.versions,
            "missing": {key: PEERS[key].install for key, found in self.versions.items() if not found},
            "not_limited": self.unlimited,
            "limits": None if limits is None else {
                "copied_bytes_per_second": limits.bytes, "multiply_adds_per_second": limits.multiply_adds,
            },
            "heads": {group: head_of(group, self.setting) for group in self.cases},
            "measurements": [measurement_document(each) for each in self.found],
            "means": [dataclasses.asdict(each) for each in means(self.found)],
            "imports": {
                command: {each.package: each.seconds for each in packages} for command, packages in costs.items()
            },
        }  # fmt: skip


def measurement_document(measured: "Measurement") -> dict[str, Any]:
    """One case as JSON has it: a peer that is not equal has no times."""
    peers = [
        {
            "peer": each.peer, "name": each.name, "equal": each.equal, "difference": each.difference,
            "failure": each.failure, "ratio": measured.ratio(each),
        } | (_times_document(each.times) if each.times else {})
        for each in measured.peers
    ]  # fmt: skip
    return {
        **named(measured, "group", "column"),
        "case": measured.name,
        **named(measured, "tolerance", "images"),
        "convcli": _times_document(measured.times) if measured.times else None,
        "limit": dataclasses.asdict(measured.share) if measured.share else None,
        "peers": peers,
        "note": measured.note,
        "plan": measured.plan,
    }


def _times_document(times: Any) -> dict[str, Any]:
    low, high = times.spread
    return {"median": times.median, "min": low, "max": high, "seconds": list(times.seconds)}
