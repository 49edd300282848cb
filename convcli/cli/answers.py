"""What `convcli predict` and `evaluate` print of a network that does not tell classes apart."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import wrap

from convcli.atomic import check_target, write_whole
from convcli.cli import options
from convcli.cli.printing import say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.datasets import Dataset
from convcli.images import Image, write
from convcli.jobs.answers import Answer, answers, check_task, plan_answers
from convcli.jobs.classifier import Classifier
from convcli.jobs.documents import json_text
from convcli.jobs.inputs import check_apart
from convcli.jobs.outcome import Outcome, gallery, measure
from convcli.jobs.report import Report, check_page_name, check_report, write_report

_WIDTH = 79
_LONGEST_NAME = 24


def predict(
    classifier: Classifier, sources: Sequence[str], output: str | None, *, explicit: Sequence[str], max_pixels: int,
    overwrite: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Say and write what the network makes of each file."""
    tasks = options.usage(lambda: plan_answers(classifier, sources, output, overwrite=overwrite, explicit=explicit))
    for task in tasks:
        check_task(task, overwrite=overwrite)
    told: list[Answer] = []
    with progress_bar("files", hidden=quiet or len(tasks) < 2) as advance:
        stdin = getattr(sys.stdin, "buffer", None)
        for each in answers(classifier, tasks, max_pixels=max_pixels, overwrite=overwrite, stdin=stdin):
            told.append(each)
            if not as_json and not each.error:
                show(each.told())
            advance(min(len(told), len(tasks)), len(tasks))
    bad = [each for each in told if each.error]
    if as_json:
        show_result(json_text([each.as_dict() for each in told if not each.error]))
    for each in bad:
        say(f"Error: {each.error}")
    return 1 if bad else 0


@dataclass(frozen=True)
class Outputs:
    """The files that `convcli evaluate` is asked for: a picture, a table, a page."""

    gallery: str | None
    csv: str | None
    report: str | None
    overwrite: bool
    quiet: bool

    def check(self) -> None:
        """Raise `WrongUsage` or `ConvcliError` for names that cannot be written."""
        if self.gallery is not None:
            options.check_picture(self.gallery, overwrite=self.overwrite)
        if (table := self.csv) is not None:
            options.require_suffix(table, (".csv",), "--csv")
            check_target(Path(table), overwrite=self.overwrite)
        if (page := self.report) is not None:
            options.usage(lambda: check_page_name(page))
            check_report(page, overwrite=self.overwrite)

    def check_apart(self, sources: Sequence[str]) -> None:
        """Raise `WrongUsage` for what is read itself, such as a table of data."""
        for target in filter(None, (self.gallery, self.csv, self.report)):
            options.usage(partial(check_apart, target, sources))

    def write(
        self, draw: Callable[[], Image | None], lack: str, as_table: Callable[[], bytes] | None, report: Report
    ) -> dict[str, str]:
        """Write them; returns their names. ``lack`` is said where there is nothing to draw."""
        written = {}
        if self.gallery is not None:
            if (drawn := draw()) is not None:
                write(drawn, self.gallery, overwrite=self.overwrite)
                written["gallery"] = self.gallery
            elif not self.quiet:
                say(f"Note: --gallery: {lack}")
        if self.csv is not None:
            if as_table is not None:
                write_whole(Path(self.csv), as_table(), overwrite=self.overwrite)
            written["csv"] = self.csv
        if self.report is not None:
            write_report(report, self.report, overwrite=self.overwrite)
            written["report"] = self.report
        return written


def evaluate(
    classifier: Classifier, dataset: Dataset, model: str, outputs: Outputs, *, split: str | None, limit: int | None,
    batch_size: int, as_json: bool,
) -> None:  # fmt: skip
    """Say how good the network is, of all samples and of each class or number."""
    with progress_bar("samples", hidden=outputs.quiet) as advance:
        found = measure(classifier, dataset, split=split, limit=limit, batch_size=batch_size, on_progress=advance)
    written = outputs.write(
        lambda: gallery(classifier, found), "the answers are no pictures; --csv has them all", found.as_table,
        Report(classifier.path, classifier.trained, None, outcome=found),
    )  # fmt: skip
    if as_json:
        show_result(json_text({"model": model} | found.as_dict() | written))
        return
    words = [f"{name} {_told(name, value)}" for name, value in found.metrics.items()]
    count = "" if found.whole else f" ({found.count:,})"
    lines = wrap(f"{', '.join(words)} on {found.part} of {found.data}{count}, loss {found.score.loss:.4g}", _WIDTH)
    show(*lines, *_table(found), *written.values())


def _table(found: Outcome) -> list[str]:
    """What was measured of each class, mark or number."""
    if not found.parts:
        return []
    keys = list(found.parts[0])[1:]
    width = max(6, *(min(len(each["name"]), _LONGEST_NAME) for each in found.parts))
    lines = ["", f"{'number' if found.task == 'regress' else 'class':<{width}}" + "".join(f"{key:>11}" for key in keys)]
    for each in found.parts:
        name = each["name"] if len(each["name"]) <= width else f"{each['name'][: width - 1]}…"
        lines.append(f"{name:<{width}}" + "".join(f"{_told(key, each[key]):>11}" for key in keys))
    return lines


def _told(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in ("accuracy", "precision", "recall"):
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"
