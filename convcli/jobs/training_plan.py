"""What is decided about a training before its first step, once and for all; and what it came to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convcli.architectures import NetworkPlan
from convcli.datasets import Dataset, Split
from convcli.jobs.documents import named
from convcli.nn.checkpoint import Checkpoint, Source
from convcli.nn.recipe import Recipe
from convcli.nn.scoring import Score
from convcli.nn.training import Epoch, Training
from convcli.nn.weights import TrainedModel


@dataclass(frozen=True)
class TrainingPlan:
    """All that is decided before the first step; nothing has been written yet.

    Attributes
    ----------
    dataset : Dataset
        With all its images.
    learned, held : Split
        What is learned from; what validates, or None.
    network : NetworkPlan
        Fitted to them.
    recipe : Recipe
        How.
    source : Source
        What a checkpoint says about the data.
    target, checkpoint : Path
        The model's file, and the checkpoint's beside it.
    notes, warnings : tuple of str
        What the user should know, and beware of.
    start : TrainedModel, optional
        What the training goes on from.
    fresh : tuple of str
        Of the layers that have weights there, those that begin anew.
    """

    dataset: Dataset
    learned: Split
    held: Split | None
    network: NetworkPlan
    recipe: Recipe
    source: Source
    target: Path
    checkpoint: Path
    overwrite: bool = False
    log: Path | None = None
    plot: Path | None = None
    resumed: Checkpoint | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    start: TrainedModel | None = None
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainReport:
    """What a training came to; ``test`` is None without a test split, and ``finished`` False if it was stopped.

    ``warnings`` are of how it ended; those of the plan are of how it began.
    """

    plan: TrainingPlan
    history: tuple[Epoch, ...]
    finished: bool
    test: Score | None = None
    best_epoch: int = 0
    training: Training | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Of all epochs together."""
        return sum(each.seconds for each in self.history)

    @property
    def kept(self) -> Epoch:
        """The epoch whose weights are the model's: the best on held-out images, else the last."""
        return self.history[(self.best_epoch or len(self.history)) - 1]

    @property
    def test_metrics(self) -> dict[str, float]:
        """What the task measures of the test set beside accuracy: ``test_iou`` and the like."""
        return {f"test_{name}": value for name, value in (self.test.metrics if self.test else {}).items()}

    @property
    def val_metrics(self) -> dict[str, float]:
        """The same of held-out images, by the epoch that was kept."""
        return {f"val_{name}": value for name, value in self.kept.metrics.items()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: ``test_`` is of the test set, ``val_`` of held-out images, neither of the training's.

        In ``history``, ``loss`` and ``accuracy`` are of the training set while it was learned from, the loss with the
        recipe's label smoothing, which no other loss has.
        """
        plan = self.plan
        return {
            "model": str(plan.target),
            "history": [each.as_dict() for each in self.history],
            "test_accuracy": self.test and self.test.accuracy,
            "test_loss": self.test and self.test.loss,
            **self.test_metrics,
            **named(self.kept, "val_accuracy", "val_loss"),
            **self.val_metrics,
            "train_images": len(plan.learned),
            "val_images": 0 if plan.held is None else len(plan.held),
            "test_images": 0 if plan.dataset.test is None else len(plan.dataset.test),
            "best_epoch": self.best_epoch or None,
            "params": plan.network.params,
            "seconds": round(self.seconds, 3),
            "recipe": plan.recipe.told(),
            "warnings": [*plan.warnings, *self.warnings],
        }
