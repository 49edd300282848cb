"""The lines that `convcli train` prints: what is trained on what, a line per epoch, what came of it."""

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convcli.jobs.training_plan import TrainingPlan, TrainReport
    from convcli.nn.training import Epoch

_WIDTH = 79


def opening(plan: "TrainingPlan") -> list[str]:
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


def _targets(plan: "TrainingPlan") -> str:
    """What is to be said of each image."""
    data, count = plan.dataset, plan.network.output[-1]
    if data.targets == "numbers":
        return f"{count} number{'s' * (count != 1)} each"
    if data.targets == "arrays":
        return f"{'x'.join(map(str, plan.network.output))} each"
    return f"{len(data.classes)} {'marks' if data.targets == 'marks' else 'classes'}"


def measure(plan: "TrainingPlan") -> str:
    """What the task is measured by first, beside the loss."""
    from convcli.nn import tasks

    return tasks.TASKS[plan.recipe.task].metrics[0]


def head(measure: str) -> tuple[str, str]:
    """The two lines above those of epochs."""
    return (
        f"{'training set':>28} {'held-out images':>19}",
        f"{'epoch':>9} {'loss':>8} {'accuracy':>9} {'loss':>9} {measure:>9} {'images/s':>9} {'seconds':>8}",
    )


def line_of(row: "Epoch", epochs: int, measure: str) -> str:
    """An epoch's."""
    validation = f"{'-':>9} {'-':>9}"
    if row.val_loss is not None:
        shown = _share(row.val_accuracy) if measure == "accuracy" else _number(row.metrics.get(measure))
        validation = f"{_loss(row.val_loss):>9} {shown:>9}"
    count = f"{row.epoch}/{epochs}"
    rest = f"{validation} {row.images_per_second:>9,.0f} {row.seconds:>8.1f}"
    return f"{count:>9} {_loss(row.loss):>8} {_share(row.accuracy):>9} {rest}"


def measured(report: "TrainReport") -> str:
    """The model's accuracy and loss, of the images that say most of how good it is on others."""
    kept, held = report.kept, report.plan.held
    if report.test is not None:
        return f"test {_scores(report.test.accuracy, report.test.metrics, report.test.loss)}"
    if held is not None and kept.val_loss is not None:
        count = f"{len(held):,} image{'s' * (len(held) != 1)}"
        return f"held-out {_scores(kept.val_accuracy, kept.metrics, kept.val_loss)} ({count})"
    return f"training {_scores(kept.accuracy, {}, kept.loss)}: nothing was held out"


def _scores(accuracy: float | None, metrics: Mapping[str, float], loss: float) -> str:
    """``accuracy 98.61%, loss 0.0464``, or what else a task is measured by."""
    words = [f"{name} {_number(value)}" for name, value in metrics.items()]
    words += [f"accuracy {_share(accuracy)}"] if accuracy is not None or not metrics else []
    return ", ".join([*words, f"loss {loss:.4f}"])


def _loss(value: float) -> str:
    """Four decimals while the column holds them."""
    return f"{value:.4f}" if value < 1000 else f"{value:.3g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
