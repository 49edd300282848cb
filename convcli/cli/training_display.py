"""What `convcli train` shows while it runs, a line per epoch and a bar within it, and at its end."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

from convcli.cli.printing import show
from convcli.cli.training_lines import head, line_of, measure, measured, opening

if TYPE_CHECKING:
    from convcli.jobs.training_plan import TrainingPlan, TrainReport
    from convcli.nn.training import Training

_BEST = {"loss": "lowest held-out loss", "accuracy": "highest held-out accuracy"}


def closing(report: "TrainReport") -> list[str]:
    """What came out, and what to type next."""
    plan, lines = report.plan, []
    if report.best_epoch and (report.best_epoch != len(report.history) or report.test is None):
        lines.append(f"kept the weights of epoch {report.best_epoch}, with the {_BEST[plan.recipe.select]}")
    lines.append(f"{measured(report)}, after {report.seconds:.0f} s")
    model = shlex.quote(str(plan.target))
    data = f" --data {shlex.quote(plan.source.data)}" if plan.dataset.name != plan.source.data else ""
    what = "PICTURE" if plan.dataset.preprocessing.takes_pictures else "FILE.npy"
    next_ones = (f"  convcli predict {what} --model {model}", f"  convcli evaluate {model}{data}")
    return [*lines, str(plan.target), "next:", *next_ones]


class Display:
    """A line per epoch on stdout, and on a terminal a bar within it on stderr."""

    def __init__(self, plan: "TrainingPlan", *, shown: bool, lines: bool) -> None:
        self.plan = plan
        self.lines = lines
        self.bar: Any = None
        self.shown = shown and sys.stderr.isatty()

    def __enter__(self) -> "Display":
        if self.lines:
            show(*opening(self.plan), *head(measure(self.plan)))
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(bar_width=10), TimeRemainingColumn(compact=True))
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=None)
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def batch(self, training: "Training") -> None:
        """Move the bar."""
        if self.bar is None:
            return
        at, steps = training.progress, training.steps_per_epoch
        text = (
            f"epoch {at.epoch + 1}/{training.recipe.epochs} training loss {at.loss / at.seen:.4f} "
            f"accuracy {at.right / at.seen:.2%} {at.seen / max(at.seconds, 1e-9):,.0f}/s"
        )
        total = steps * training.recipe.epochs
        self.bar.update(self.task, description=text, completed=at.epoch * steps + at.batch, total=total)

    def epoch(self, training: "Training") -> None:
        """Print the epoch's line, the bar out of its way."""
        if not self.lines:
            return
        if self.bar is not None:
            self.bar.stop()
        show(line_of(training.history[-1], training.recipe.epochs, measure(self.plan)))
        if self.bar is not None and not training.finished:
            self.bar.start()
