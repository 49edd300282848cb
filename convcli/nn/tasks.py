"""What a network is to do: of which targets it learns, by which losses, and which measures are true of it.

A task is a word of the recipe, so that a model's file and a checkpoint say it. How a network is made to end for it is
in `convcli.architectures.fitting`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError

Array = NDArray[Any]


@dataclass(frozen=True)
class Task:
    """One kind of work.

    Attributes
    ----------
    meaning : str
        In words, for people.
    targets : tuple of str
        Kinds of a data set's targets (`convcli.datasets.model.Targets`) that it learns; it asks for the first.
    losses : tuple of str
        Of the recipe's words, the usual one first; empty is the one that suits the network's output.
    metrics : tuple of str
        What it is measured by beside the loss, the one to look at first. ``accuracy`` is a score of its own.
    """

    meaning: str
    targets: tuple[str, ...]
    losses: tuple[str, ...]
    metrics: tuple[str, ...]


TASKS = {
    "classify": Task("one class for each", ("classes",), ("cross_entropy", "mse", "mae", "huber"), ("accuracy",)),
    "regress": Task("numbers", ("numbers", "arrays"), ("mse", "mae", "huber"), ("mae", "r2")),
    "multi-label": Task("any of several marks", ("marks",), ("cross_entropy", "mse", "dice"), ("f1", "accuracy")),
    "segment": Task("a class for each place", ("masks",), ("cross_entropy", "dice", "mse"), ("iou", "accuracy")),
    "denoise": Task("a better picture", ("arrays",), ("mse", "mae", "huber"), ("psnr", "gain")),
}
LOSSES = tuple(dict.fromkeys(loss for task in TASKS.values() for loss in task.losses))


def task_for(targets: str, shape: tuple[int, ...], wanted: tuple[int, ...], asked: str | None = None) -> str:
    """The task that targets are for: what was asked for if it can learn them, else a guess from what they are.

    ``shape`` and ``wanted`` are those of one input and of one target. Arrays of the pictures' own shape are better
    pictures; other arrays are numbers.

    Raises `ModelError` for a task that cannot learn such targets.

    >>> task_for("masks", (8, 8, 1), (8, 8)), task_for("arrays", (8, 8, 1), (8, 8, 1))
    ('segment', 'denoise')
    """
    if asked is not None:
        if targets not in TASKS[asked].targets:
            fitting = " or ".join(name for name, task in TASKS.items() if targets in task.targets)
            raise ModelError(f"task: got {asked}, but the labels are {targets}; expected {fitting}")
        return asked
    if targets == "arrays":
        return "denoise" if len(shape) == 3 and shape == wanted else "regress"
    return next(name for name, task in TASKS.items() if targets in task.targets)


def check_task(task: str, loss: str) -> None:
    """Refuse words that are none; raises `ModelError`."""
    if task not in TASKS:
        raise ModelError(f"task: got {task!r}, expected one of {', '.join(TASKS)}")
    if loss and loss not in TASKS[task].losses:
        raise ModelError(f"loss: got {loss!r}, expected one of {', '.join(TASKS[task].losses)} to {task}")


@dataclass
class Tally:
    """Sums over batches of which a task's metrics are made.

    ``outputs`` are what the network gives (behind its activation), (N, ..., K); ``labels`` as the data set has them.
    ``unit`` is what 1 of the numbers (..., K) stands for in the data's own.
    """

    task: str
    unit: Any = 1.0
    count: int = 0
    sums: dict[str, Any] = field(default_factory=dict)

    def add(self, x: Array, outputs: Array, labels: Array) -> None:
        """Take in a batch."""
        if self.task == "regress":
            outputs, labels = outputs * self.unit, labels * self.unit
        for name, value in _SUMS[self.task](x, outputs, labels).items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.count += len(outputs)

    def metrics(self) -> dict[str, float]:
        """The measures by name; one that has no value here (R2 of constant numbers) is left out."""
        found = _MEASURES[self.task](self.sums, self.count)
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _of_nothing(x: Array, outputs: Array, labels: Array) -> dict[str, Any]:
    return {}


def _of_numbers(x: Array, outputs: Array, labels: Array) -> dict[str, Any]:
    truth, axes = labels.astype(np.float64), tuple(range(labels.ndim - 1))
    error = outputs - truth
    return {
        "absolute": np.abs(error).sum(axis=axes), "squared": np.square(error).sum(axis=axes),
        "truth": truth.sum(axis=axes), "squares": np.square(truth).sum(axis=axes),
        "each": np.array(truth.size / truth.shape[-1]),
    }  # fmt: skip


def _numbers(sums: dict[str, Any], count: int) -> dict[str, float]:
    """R2 is the mean over the numbers of a label of ``1 - squared errors / squared distances from their mean``."""
    apart = sums["squares"] - sums["truth"] ** 2 / sums["each"]
    rounding = 1e-12 * sums["squares"]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(apart > rounding, 1 - sums["squared"] / apart, np.nan)
    return {"mae": (sums["absolute"] / sums["each"]).mean(), "r2": explained.mean()}


def _of_marks(x: Array, outputs: Array, labels: Array) -> dict[str, Any]:
    said, true = outputs > 0.5, labels > 0.5
    return {"both": (said & true).sum(axis=0), "either": said.sum(axis=0) + true.sum(axis=0)}


def _marks(sums: dict[str, Any], count: int) -> dict[str, float]:
    """The mean over the marks that occur or were said of ``2 * both / (said + true)``."""
    occurs = sums["either"] > 0
    return {"f1": (2 * sums["both"][occurs] / sums["either"][occurs]).mean() if occurs.any() else inf}


def _of_masks(x: Array, outputs: Array, labels: Array) -> dict[str, Any]:
    classes = max(outputs.shape[-1], 2)
    said = outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else outputs[..., 0] > 0.5
    pairs = np.bincount(labels.reshape(-1).astype(np.int64) * classes + said.reshape(-1), minlength=classes**2)
    return {"pairs": pairs.reshape(classes, classes)}


def _masks(sums: dict[str, Any], count: int) -> dict[str, float]:
    """The mean over the classes that occur of pixels that are and were said, of those that are or were said."""
    return {"iou": float(np.nanmean(class_overlaps(sums["pairs"])))}


def class_overlaps(pairs: Array) -> Array:
    """(K,) intersection over union of each class from how often (true, said) occur; NaN for one that never does."""
    both = np.diag(pairs)
    either = pairs.sum(axis=0) + pairs.sum(axis=1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def _of_pictures(x: Array, outputs: Array, labels: Array) -> dict[str, Any]:
    after = decibels(outputs, labels)
    return {"after": after.sum(), "gain": (after - decibels(x, labels)).sum() if x.shape == labels.shape else np.nan}


def _pictures(sums: dict[str, Any], count: int) -> dict[str, float]:
    return {"psnr": sums["after"] / count, "gain": sums["gain"] / count}


_MOST_DECIBELS = 100.0  # of a picture that is the other, whose ratio is infinite


def decibels(pictures: Array, truth: Array) -> Array:
    """(N,) the peak signal-to-noise ratio of pictures of 0..1: ``-10 * log10(mean squared error)``, at most 100."""
    error = np.square(pictures - truth.astype(np.float64)).reshape(len(truth), -1).mean(axis=1)
    return np.array([min(-10 * log10(each), _MOST_DECIBELS) if each > 0 else _MOST_DECIBELS for each in error])


_SUMS: dict[str, Callable[[Array, Array, Array], dict[str, Any]]] = {
    "classify": _of_nothing,
    "regress": _of_numbers,
    "multi-label": _of_marks,
    "segment": _of_masks,
    "denoise": _of_pictures,
}
_MEASURES: dict[str, Callable[[dict[str, Any], int], dict[str, float]]] = {
    "classify": lambda sums, count: {},
    "regress": _numbers,
    "multi-label": _marks,
    "segment": _masks,
    "denoise": _pictures,
}
