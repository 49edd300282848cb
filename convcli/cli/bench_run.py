"""`convcli bench`: one run of groups, printed as it goes along or as a document in the end."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from convcli.bench.instructions import INSTRUCTION_SETS, unlimited
from convcli.bench.peers import PEERS
from convcli.cli.printing import show, show_result
from convcli.jobs.documents import json_text, named
from convcli.jobs.runtime import examine

if TYPE_CHECKING:
    from convcli.bench.model import Case, Limits, Measurement, Setting


class Run:
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
            "measurements": [_measurement_document(each) for each in self.found],
            "means": [dataclasses.asdict(each) for each in means(self.found)],
            "imports": {
                command: {each.package: each.seconds for each in packages} for command, packages in costs.items()
            },
        }  # fmt: skip


def _measurement_document(measured: "Measurement") -> dict[str, Any]:
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
