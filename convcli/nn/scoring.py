"""What a network is measured by: the loss that suits its output, and that loss and the share of right answers."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from convcli.architectures import NetworkPlan
from convcli.architectures.output import OF_A_LOSS, find_output
from convcli.datasets.rows import Rows
from convcli.errors import ModelError, ShapeError
from convcli.nn.layer import Array, as_input
from convcli.nn.losses import (
    BinaryCrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    class_targets,
    count_right,
    loss_of_logits,
    make_loss,
)
from convcli.nn.model import Model
from convcli.nn.tasks import TASKS, Tally
from convcli.ops.arguments import as_array

_BATCH = 256
Watch = Callable[[Array, Array, Array], None]


class Examples(NamedTuple):
    """Inputs (N, *input), float or uint8 (0..255, which becomes 0..1), and their labels (N, ...)."""

    x: Array
    labels: Array

    def checked(self, name: str) -> "Examples":
        """The same as arrays; raises `ShapeError`, beginning with a name, for what is no training data."""
        if isinstance(self.x, Rows):  # which were looked at when they were read
            return Examples(self.x, as_array(f"{name} labels", self.labels))
        arrays = [as_array(f"{name} {each}", value) for each, value in zip(("inputs", "labels"), self, strict=True)]
        for each, array in zip(("inputs", "labels"), arrays, strict=True):
            if array.dtype.kind not in "buif":
                raise ShapeError(f"{name} {each}: got {array.dtype}, expected integers, floats or booleans")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ShapeError(f"{name} {each}: got NaN or infinite numbers, expected finite ones")
        counts = [len(array) if array.ndim else 0 for array in arrays]
        if counts[0] != counts[1] or not counts[0]:
            raise ShapeError(f"{name}: got {counts[0]} inputs and {counts[1]} labels, expected as many, and some")
        return Examples(*arrays)

    def batch(self, indices: Array) -> Array:
        """The inputs at these places as float32."""
        return as_input(self.x[indices])


class Score(NamedTuple):
    """The mean loss of some examples, and the share of answers that are right; None where nothing is classified.

    ``metrics`` are the task's other measures by name.
    """

    loss: float
    accuracy: float | None
    metrics: Mapping[str, float] = {}


def loss_for(model: Model, label_smoothing: float = 0.0, *, task: str = "classify", name: str = "") -> Loss:
    """The loss for a task: the one that is named, or the usual one.

    For classes that is binary cross-entropy after a sigmoid, else cross-entropy with softmax, built in or not; a
    network that ends with another activation, or without any in a map or a single number, learns the mean squared
    error.

    Raises `ModelError` for label smoothing where no cross-entropy would know it.
    """
    name = name or TASKS[task].losses[0]
    if name != "cross_entropy":
        if label_smoothing:
            raise ModelError(f"label_smoothing: got {label_smoothing:g} for the loss {name}, expected 0")
        return make_loss(name)
    if task != "classify":
        return BinaryCrossEntropy() if model.ending == "sigmoid" else SoftmaxCrossEntropy(label_smoothing)
    if learns_squares(model.plan):
        if label_smoothing:
            raise ModelError(
                f"label_smoothing: got {label_smoothing:g} for a network that ends with {model.ending} and learns "
                "squared errors, expected 0"
            )
        return MeanSquaredError()
    return BinaryCrossEntropy(label_smoothing) if model.ending == "sigmoid" else SoftmaxCrossEntropy(label_smoothing)


def learns_squares(plan: NetworkPlan) -> bool:
    """Whether neither cross-entropy is for what a network ends with."""
    ending = find_output(plan.layers).activation
    is_row = len(plan.output) == 1 and plan.output[0] > 1
    return not (ending in OF_A_LOSS or (ending == "linear" and is_row))


@np.errstate(all="ignore")
def score_of(
    model: Model, examples: Examples, batch_size: int = _BATCH, *, task: str = "classify", loss_name: str = "",
    unit: Any = 1.0, watch: Watch | None = None,
) -> Score:  # fmt: skip
    """Loss and measures of a network as it stands, without label smoothing, dropout or regularizers.

    ``unit`` is what 1 of the labels' numbers stands for; the loss is of the labels as they are. ``watch`` is told of
    each batch what went in, what came out behind the activation, and the labels.
    """
    loss, total, right, answers = loss_for(model, task=task, name=loss_name), 0.0, 0, 0
    tally, counted = Tally(task, unit), "accuracy" in TASKS[task].metrics
    examples = Examples(*map(np.asarray, examples))
    for start in range(0, len(examples.x), batch_size):
        labels = model.channels_last(examples.labels[start : start + batch_size])
        x = as_input(examples.x[start : start + batch_size])
        logits = model.channels_last(model.forward(x, logits=True))
        targets = class_targets(loss, labels, logits)
        total += loss_of_logits(loss, model.final, logits, targets)[0] * len(labels)
        outputs = model.final.forward(logits)
        tally.add(model.channels_last(x), outputs, targets if task == "regress" else labels)
        if watch is not None:
            watch(x, outputs, labels)
        here = count_right(loss, logits, labels) if counted else (0, 0)
        right, answers = right + here[0], answers + here[1]
    return Score(total / len(examples.x), right / answers if answers else None, tally.metrics())
