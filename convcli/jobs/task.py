"""What a task means for a training: which targets are read, which network suits, how it is made to end."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.architectures import NetworkPlan
from convcli.architectures.fitting import fitted, fitted_to
from convcli.architectures.grammar import NetworkSpec
from convcli.datasets import Dataset, Split
from convcli.jobs.training_plan import TrainingPlan
from convcli.nn.model import Model
from convcli.nn.presets import Preset
from convcli.nn.scoring import Examples
from convcli.nn.tasks import TASKS, task_for
from convcli.nn.weighted import Dense

# The network that suits a data set; of other pictures their size decides.
_NETWORKS = {"cifar10": "cifar10", "digits": "digits"}
_BY_SHAPE: dict[tuple[int, ...], str] = {(28, 28, 1): "mnist"}
_BY_AXES = {1: "features", 2: "series", 3: "pictures", 4: "volumes"}
_OF_MAPS = {"segment": "unet-small", "denoise": "denoiser"}
_ENDINGS = {"regress": "linear", "multi-label": "sigmoid", "segment": "softmax", "denoise": "linear"}


def targets_for(task: str | None) -> Any:
    """What the labels are to be read as where a task was asked for; None to guess it."""
    return None if task is None or len(TASKS[task].targets) > 1 else TASKS[task].targets[0]


def task_of(dataset: Dataset, asked: str | None) -> str:
    """The task that the data are for; raises `ModelError` if that is another than was asked for."""
    return task_for(dataset.targets, dataset.shape, dataset.train.labels.shape[1:], asked)


def preset_for(chosen: Preset, task: str) -> Preset:
    """A preset for another task than classes: nothing is smoothed, and nothing moved away from its answer."""
    return replace(chosen, recipe=replace(chosen.recipe, augment="", label_smoothing=0.0), network="")


def usual_network(dataset: Dataset, task: str) -> str:
    """The architecture that suits a data set and a task."""
    if dataset.targets == "arrays" and task == "regress":
        return "forecast" if len(dataset.shape) == 4 else "denoiser"
    if task in _OF_MAPS:
        return _OF_MAPS[task]
    return _NETWORKS.get(dataset.name) or _BY_SHAPE.get(dataset.shape, _BY_AXES[len(dataset.shape)])


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
