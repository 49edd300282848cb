"""What `convcli train` shows: what is trained on what, a line per epoch, a bar within it, and what came out."""

import shlex
import sys
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from convcli.cli.printing import show

if TYPE_CHECKING:
    from convcli.jobs.train import TrainReport
    from convcli.jobs.training_plan import TrainingPlan
    from convcli.nn.training import Epoch, Training

_WIDTH = 79
_BEST = {"loss": "lowest held-out loss", "accuracy": "highest held-out accuracy"}


def closing(report: "TrainReport") -> list[str]:
    """What came out, and what to type next."""
    plan, lines = report.plan, []
    if report.best_epoch and (report.best_epoch != len(report.history) or report.test is None):
        lines.append(f"kept the weights of epoch {report.best_epoch}, with the {_BEST[plan.recipe.select]}")
    lines.append(f"{_measured(report)}, after {report.seconds:.0f} s")
    model = shlex.quote(str(plan.target))
    data = f" --data {shlex.quote(plan.source.data)}" if plan.dataset.name != plan.source.data else ""
    what = "PICTURE" if plan.dataset.preprocessing.takes_pictures else "FILE.npy"
    next_ones = (f"  convcli predict {what} --model {model}", f"  convcli evaluate {model}{data}")
    return [*lines, str(plan.target), "next:", *next_ones]


def _measured(report: "TrainReport") -> str:
    """The model's accuracy and loss, of the images that say most of how good it is on others."""
    kept, held = report.kept, report.plan.held
    if report.test is not None:
        return f"test {_scores(report.test.accuracy, report.test.metrics, report.test.loss)}"
    if held is not None and kept.val_loss is not None:
        count = f"{len(held):,} image{'s' * (len(held) != 1)}"
        return f"held-out {_scores(kept.val_accuracy, kept.metrics, kept.val_loss)} ({count})"
    return f"training {_scores(kept.accuracy, {}, kept.loss)}: nothing was held out"


def _targets(plan: "TrainingPlan") -> str:
    """What is to be said of each image."""
    data, count = plan.dataset, plan.network.output[-1]
    if data.targets == "numbers":
        return f"{count} number{'s' * (count != 1)} each"
    if data.targets == "arrays":
        return f"{'x'.join(map(str, plan.network.output))} each"
    return f"{len(data.classes)} {'marks' if data.targets == 'marks' else 'classes'}"


def _opening(plan: "TrainingPlan") -> list[str]:
    """What is trained on what, and what the training set's numbers are of."""
    recipe, data, test = plan.recipe, plan.dataset, plan.dataset.test
    held = [(plan.held, "held out"), (test, "to test by")]
    counts = [f"{len(plan.learned):,} images", *(f"{len(part):,} {word}" for part, word in held if part is not None)]
    told = ["as it is learned"]
    told += [] if recipe.augmentation().is_nothing else ["images moved"]
    told += [f"label smoothing {recipe.label_smoothing:g} in its loss"] if recipe.label_smoothing else []
    lines = (
        f"{plan.network.spec.name}: {plan.network.params:,} parameters; batch {recipe.batch_size}, {recipe.optimizer}",
        f"{data.name}: {_targets(plan)}; {', '.join(counts)}",
        f"training set: {', '.join(told)}",
    )
    return [each for line in lines for each in wrap(line, _WIDTH)]


class Display:
    """A line per epoch on stdout, and on a terminal a bar within it on stderr."""

    def __init__(self, plan: "TrainingPlan", *, shown: bool, lines: bool) -> None:
        self.plan = plan
        self.lines = lines
        self.bar: Any = None
        self.shown = shown and sys.stderr.isatty()

    def __enter__(self) -> "Display":
        if self.lines:
            show(*_opening(self.plan), *_head(_measure(self.plan)))
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
        show(_line(training.history[-1], training.recipe.epochs, _measure(self.plan)))
        if self.bar is not None and not training.finished:
            self.bar.start()


def _measure(plan: "TrainingPlan") -> str:
    """What the task is measured by first, beside the loss."""
    from convcli.nn import tasks

    return tasks.TASKS[plan.recipe.task].metrics[0]


def _head(measure: str) -> tuple[str, str]:
    return (
        f"{'training set':>28} {'held-out images':>19}",
        f"{'epoch':>9} {'loss':>8} {'accuracy':>9} {'loss':>9} {measure:>9} {'images/s':>9} {'seconds':>8}",
    )


def _line(row: "Epoch", epochs: int, measure: str) -> str:
    validation = f"{'-':>9} {'-':>9}"
    if row.val_loss is not None:
        shown = _share(row.val_accuracy) if measure == "accuracy" else _number(row.metrics.get(measure))
        validation = f"{row.val_loss:>9.4f} {shown:>9}"
    count = f"{row.epoch}/{epochs}"
    rest = f"{validation} {row.images_per_second:>9,.0f} {row.seconds:>8.1f}"
    return f"{count:>9} {row.loss:>8.4f} {_share(row.accuracy):>9} {rest}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _scores(accuracy: float | None, metrics: Mapping[str, float], loss: float) -> str:
    """``accuracy 98.61%, loss 0.0464``, or what else a task is measured by."""
    words = [f"{name} {_number(value)}" for name, value in metrics.items()]
    words += [f"accuracy {_share(accuracy)}"] if accuracy is not None or not metrics else []
    return ", ".join([*words, f"loss {loss:.4f}"])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
