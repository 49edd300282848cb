"""`convcli bench cold`: what it prints, a row for each side of a case."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence

import click

from convcli.bench.cold import ColdCase, ColdRun, Seconds, cases, measure_cold
from convcli.bench.model import Setting
from convcli.bench.peers import PEERS
from convcli.cli.bench_table import isa_line, wrapped
from convcli.cli.printing import show, show_live, show_result
from convcli.jobs.documents import json_text

_HEAD = (
    "cold: whole commands, first run with an empty cache and second run; seconds of the processor (user + system, all "
    "processes) and by the clock; ratio: the processor seconds of convcli's first run divided by the other's. "
    "512x512 PNG in and out"
)


def run_cold(setting: Setting, only: Sequence[str], other: str | None, *, as_json: bool, quiet: bool) -> int:
    """Measure and print; the exit code. Raises `click.UsageError` where no case has any of the words ``only``."""
    chosen = [case for case in cases() if not only or any(word in case.name for word in only)]
    if not chosen:
        names = ", ".join(case.name for case in cases())
        raise click.UsageError(f"--only: got {', '.join(only)}, expected words of {names}")
    show_place = not quiet and sys.stderr.isatty()

    def place(case: ColdCase) -> None:
        if show_place:
            show_live(case.name)

    if not as_json:
        show(
            *wrapped(_HEAD), *(wrapped(isa_line(setting.isa, sorted(setting.peers))) if setting.isa else ()), heading()
        )
    found = []
    for case, runs in measure_cold(chosen, setting, shlex.split(other or ""), place):
        if show_place:
            show_live("")
        found.append({"case": case.name, "runs": [dataclasses.asdict(run) for run in runs]})
        if not as_json:
            show(*rows(case, runs))
    if as_json:
        show_result(json_text({"threads": setting.threads, "isa": setting.isa, "other": other, "cold": found}))
    return 0


def heading() -> str:
    """The line above the rows."""
    return f"{'':<16} {'':<14} {'first: cpu':>11} {'clock':>7} {'second: cpu':>12} {'clock':>7} {'ratio':>6}"


def rows(case: ColdCase, runs: Sequence[ColdRun]) -> list[str]:
    """A line for each side; ours first, with its ratio against the other convcli."""
    other = next((run for run in runs if run.side == "other"), None)
    lines = []
    for run in runs:
        side = PEERS[run.side].title if run.side in PEERS else run.side
        ratio = ""
        if run.side == "convcli" and other is not None and run.first.processor and other.first.processor:
            ratio = f"{run.first.processor / other.first.processor:.2f}"
        first, second = _seconds(run.first), _seconds(run.second)
        name = case.name if run is runs[0] else ""
        line = f"{name:<16} {side:<14} {first[0]:>11} {first[1]:>7} {second[0]:>12} {second[1]:>7} {ratio:>6}"
        lines.append(line.rstrip())
    return lines


def _seconds(run: Seconds | None) -> tuple[str, str]:
    if run is None:
        return "", ""
    return "" if run.processor is None else f"{run.processor:.2f}", f"{run.clock:.2f}"
