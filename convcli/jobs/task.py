"""What a task means for a training: which targets are read, which network suits, how it is made to end."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.architectures import NetworkPlan
from convcli.architectures.fitting import fitted, fitted_to
from convcli.architectures.grammar import NetworkSpec
from convcli.datasets import Dataset, Split, load
from convcli.jobs.training_plan import TrainingPlan
from convcli.nn.model import Model
from convcli.nn.presets import Preset
from convcli.nn.scoring import Examples
from convcli.nn.tasks import TASKS, task_for
from convcli.nn.weighted import Dense

_ENDINGS = {"regress": "linear", "multi-label": "sigmoid", "segment": "softmax", "denoise": "linear"}


def load_for(task: str | None, source: str, **words: Any) -> Dataset:
    """A data set whose labels are read as the task wants them; without one as they look.

    Whole numbers look like classes, but are numbers to learn if that is the task.
    """
    known = () if task is None else TASKS[task].targets
    said: dict[str, Any] = {"targets": known[0]} if len(known) == 1 else {}
    found = load(source, **words, **said)
    if task == "regress" and found.targets not in known:
        found = load(source, **words, targets="arrays" if found.targets == "masks" else "numbers")
    return found


def task_of(dataset: Dataset, asked: str | None) -> str:
    """The task that the data are for; raises `ModelError` if that is another than was asked for."""
    return task_for(dataset.targets, dataset.shape, dataset.train.labels.shape[1:], asked)


def preset_for(chosen: Preset, task: str) -> Preset:
    """A preset for a task: for others than classes nothing is smoothed, and nothing moved away from its answer."""
    if task == "classify":
        return chosen
    return replace(chosen, recipe=replace(chosen.recipe, augment="", label_smoothing=0.0), network="")


def network_of(dataset: Dataset, task: str) -> str | None:
    """The architecture that suits a task, whatever the data set; None where the data decide."""
    if dataset.targets == "arrays" and task == "regress":
        return "forecast" if len(dataset.shape) == 4 else "denoiser"
    return {"segment": "unet-small", "denoise": "denoiser"}.get(task)


def fitted_for(task: str, network: NetworkSpec, dataset: Dataset) -> NetworkPlan:
    """The network made to fit data and task.

    Raises
    ------
    ShapeError, ModelError
        If it cannot take these inputs, or give these outputs.
    """
    if task == "classify":
        return fitted(network, dataset.shape, len(dataset.classes))
    return fitted_to(network, dataset.shape, output_shape(dataset), _ENDINGS[task])


@dataclass(frozen=True, eq=False)
class Units:
    """In which unit numbers are learned: their mean is 0 and their deviation 1, or steps would be far too short.

    At the end the last layer takes mean and deviation over, so that the network gives the data's own numbers.
    """

    mean: Any = 0.0
    deviation: Any = 1.0

    def examples(self, split: Split) -> Examples:
        """Samples, and their labels in these units."""
        if isinstance(self.deviation, float):
            return Examples(split.images, split.labels)
        return Examples(split.images, ((split.labels - self.mean) / self.deviation).astype(np.float32))

    def fold(self, model: Model) -> None:
        """Make the network give the data's own numbers."""
        last = _last_dense(model)
        if last is None or last.bias is None or isinstance(self.deviation, float):
            return
        last.kernel.value[...] = last.kernel.value * self.deviation
        last.bias.value[...] = last.bias.value * self.deviation + self.mean

    def unfold(self, model: Model, fresh: Collection[str]) -> None:
        """Make a network that gives the data's own numbers give these; not where its last layer begins anew."""
        last = _last_dense(model)
        if last is None or last.name in fresh or last.bias is None or isinstance(self.deviation, float):
            return
        last.kernel.value[...] = last.kernel.value / self.deviation
        last.bias.value[...] = (last.bias.value - self.mean) / self.deviation


def units_of(plan: TrainingPlan) -> Units:
    """The units of what is learned: the data's own, unless it is numbers that a last dense layer gives."""
    model_ends = plan.network.layers[-1]
    plain = model_ends.type == "dense" and str(model_ends.settings["activation"].name) == "linear"
    if plan.dataset.targets != "numbers" or not plain or not model_ends.settings["use_bias"]:
        return Units()
    labels = plan.learned.labels.astype(np.float64)
    deviation = labels.std(axis=0)
    return Units(labels.mean(axis=0), np.where(deviation > 0, deviation, 1.0))


def _last_dense(model: Model) -> Dense | None:
    return model.layers[-1] if isinstance(model.layers[-1], Dense) else None


def output_shape(dataset: Dataset) -> tuple[int, ...]:
    """Of what a network is to say of one sample: of masks the chance of each class at each place."""
    size = dataset.train.labels.shape[1:]
    return (*size, len(dataset.classes)) if dataset.targets == "masks" else size
