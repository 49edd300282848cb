"""What is decided about a training before its first step, once and for all."""

from dataclasses import dataclass
from pathlib import Path

from convcli.architectures import NetworkPlan
from convcli.datasets import Dataset, Split
from convcli.nn.checkpoint import Checkpoint, Source
from convcli.nn.recipe import Recipe
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
