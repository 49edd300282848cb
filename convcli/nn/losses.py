"""Losses with their gradients: cross-entropies from logits, errors of numbers, Dice. Nothing is ever broadcast.

A loss is called with predictions (N, ..., K) and labels and gives (loss, gradient of the predictions). A loss whose
``fused`` is an activation takes the values before that activation, where loss and gradient cannot overflow.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError, ShapeError
from convcli.nn.activations import Activation

Array: TypeAlias = NDArray[Any]

# How far the probabilities of one label may be from adding up to 1.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """The mean of ``-sum over k of target[k] * log(softmax(logits)[k])``.

    Labels are classes as integers (N, ...) or (N, ..., 1), or one-hot or any other probabilities (N, ..., K). Label
    smoothing makes targets ``target * (1 - s) + s / K``.

    Source: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7, for
    label smoothing.

    Examples
    --------
    >>> loss, gradient = SoftmaxCrossEntropy()(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [[-0.5, 0.5]])
    """

    label_smoothing: float = 0.0
    fused: ClassVar[str] = "softmax"

    def __post_init__(self) -> None:
        _check_smoothing(self.label_smoothing)

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for logits (N, ..., K)."""
        targets = self._targets(predictions, np.asarray(labels))
        shifted = predictions - predictions.max(axis=-1, keepdims=True)
        powers = np.exp(shifted)
        total = powers.sum(axis=-1, keepdims=True)
        positions = predictions.size // predictions.shape[-1]
        losses = np.log(total) - (targets * shifted).sum(axis=-1, keepdims=True)
        gradient = (powers / total - targets) / predictions.dtype.type(positions)
        return float(losses.sum(dtype=np.float64)) / positions, gradient

    def _targets(self, predictions: Array, labels: Array) -> Array:
        labels = without_column(labels, predictions)
        classes = predictions.shape[-1]
        if classes < 2:
            raise ShapeError(
                f"predictions: got shape {predictions.shape}, expected two classes or more; one output is for "
                "binary_cross_entropy"
            )
        if labels.dtype.kind in "iu" and labels.shape == predictions.shape[:-1]:
            targets = _one_hot(labels, classes, predictions.dtype)
        elif labels.dtype.kind in "buif" and labels.shape == predictions.shape:
            targets = labels.astype(predictions.dtype)
            if not (targets.min() >= 0 and np.abs(targets.sum(axis=-1) - 1).max() <= _SUM_TOLERANCE):
                raise ShapeError("labels: got rows that do not add up to 1, expected one-hot labels or probabilities")
        else:
            raise ShapeError(
                f"labels: got {labels.dtype} of shape {labels.shape}, expected integers of shape "
                f"{predictions.shape[:-1]} (classes) or numbers of shape {predictions.shape} (one-hot)"
            )
        smoothing = predictions.dtype.type(self.label_smoothing)
        return np.asarray(targets * (1 - smoothing) + smoothing / classes) if smoothing else targets


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Two classes, one output: the mean of ``-t * log(p) - (1 - t) * log(1 - p)`` with ``p = sigmoid(logit)``.

    Labels are 0, 1 or between, of the logits' shape (N, ..., K); (N, ...) will do where K is 1. Label smoothing makes
    targets ``target * (1 - s) + s / 2``.
    """

    label_smoothing: float = 0.0
    fused: ClassVar[str] = "sigmoid"

    def __post_init__(self) -> None:
        _check_smoothing(self.label_smoothing)

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for logits (N, ..., K)."""
        given = np.asarray(labels)
        one = predictions.shape[-1] == 1 and given.shape == predictions.shape[:-1]
        if given.dtype.kind not in "buif" or not (one or given.shape == predictions.shape):
            also = f" or {predictions.shape[:-1]}" if predictions.shape[-1] == 1 else ""
            raise ShapeError(
                f"labels: got {given.dtype} of shape {given.shape}, expected 0 and 1 of shape {predictions.shape}{also}"
            )
        if not (given.min() >= 0 and given.max() <= 1):
            raise ShapeError(f"labels: got {given.min()} to {given.max()}, expected 0 to 1")
        smoothing = predictions.dtype.type(self.label_smoothing)
        targets = given.reshape(predictions.shape).astype(predictions.dtype) * (1 - smoothing) + smoothing / 2
        small = np.exp(-np.abs(predictions))
        losses = np.maximum(predictions, 0) - predictions * targets + np.log1p(small)
        chance = np.where(predictions >= 0, 1, small) / (1 + small)
        gradient = (chance - targets) / predictions.dtype.type(predictions.size)
        return float(losses.sum(dtype=np.float64)) / predictions.size, gradient


@dataclass(frozen=True)
class MeanSquaredError:
    """The mean of ``(prediction - label)**2`` over all numbers; labels have the predictions' very shape."""

    fused: ClassVar[str] = ""

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for predictions (N, ...)."""
        difference = _difference(predictions, labels)
        loss = float(np.square(difference, dtype=np.float64).sum()) / predictions.size
        return loss, np.asarray(difference * predictions.dtype.type(2 / predictions.size))


@dataclass(frozen=True)
class MeanAbsoluteError:
    """The mean of ``|prediction - label|`` over all numbers; its gradient has a sign and no size."""

    fused: ClassVar[str] = ""

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for predictions (N, ...)."""
        difference = _difference(predictions, labels)
        loss = float(np.abs(difference).sum(dtype=np.float64)) / predictions.size
        return loss, np.asarray(np.sign(difference) / predictions.dtype.type(predictions.size))


@dataclass(frozen=True)
class Huber:
    """The mean of half the square of errors up to ``delta``, and beyond of ``delta * (|error| - delta / 2)``.

    Source: P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.
    """

    delta: float = 1.0
    fused: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not 0 < self.delta < np.inf:
            raise ModelError(f"delta: got {self.delta}, expected a number above 0")

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for predictions (N, ...)."""
        difference = _difference(predictions, labels)
        slope = np.clip(difference, -self.delta, self.delta)
        losses = slope * (difference - slope / 2)
        gradient = slope / predictions.dtype.type(predictions.size)
        return float(losses.sum(dtype=np.float64)) / predictions.size, np.asarray(gradient)


@dataclass(frozen=True)
class Dice:
    """One minus the mean over classes of ``(2 * sum(p * t) + 1) / (sum(p) + sum(t) + 1)``, of all of a batch.

    ``p`` are probabilities (N, ..., K) behind softmax or sigmoid, ``t`` what they should be. A class counts the same
    however few its pixels are.

    Source: F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016, section 3 (whose sums are of squares).
    """

    fused: ClassVar[str] = ""

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for probabilities (N, ..., K)."""
        given = np.asarray(labels)
        if given.shape == predictions.shape[:-1] and predictions.shape[-1] == 1:
            given = given[..., None]
        _check_numbers(predictions, given)
        targets = given.astype(predictions.dtype)
        axes = tuple(range(predictions.ndim - 1))
        above = 2 * (predictions * targets).sum(axis=axes, dtype=np.float64) + 1
        below = predictions.sum(axis=axes, dtype=np.float64) + targets.sum(axis=axes, dtype=np.float64) + 1
        classes = predictions.shape[-1]
        constant, along = (above / below**2 / classes, 2 / below / classes)
        gradient = constant.astype(predictions.dtype) - along.astype(predictions.dtype) * targets
        return float(1 - (above / below).mean()), np.asarray(np.broadcast_to(gradient, predictions.shape))


def _difference(predictions: Array, labels: Any) -> Array:
    given = np.asarray(labels)
    _check_numbers(predictions, given)
    return np.asarray(predictions - given.astype(predictions.dtype))


def _check_numbers(predictions: Array, given: Array) -> None:
    if given.shape != predictions.shape or given.dtype.kind not in "buif":
        raise ShapeError(
            f"labels: got {given.dtype} of shape {given.shape}, expected numbers of shape {predictions.shape}"
        )


def class_targets(loss: "Loss", labels: Array, outputs: Array) -> Array:
    """Labels as a loss wants them: classes as integers (N, ...) are one-hot for a loss that does not know classes."""
    labels = without_column(labels, outputs)
    if not are_classes(labels, outputs) or isinstance(loss, SoftmaxCrossEntropy):
        return labels
    return _one_hot(labels, outputs.shape[-1], np.float32)


def _one_hot(labels: Array, classes: int, dtype: Any) -> Array:
    if labels.min() < 0 or labels.max() >= classes:
        raise ShapeError(f"labels: got {labels.min()} to {labels.max()}, expected classes 0 to {classes - 1}")
    return np.asarray(labels[..., None] == np.arange(classes), dtype)


def without_column(labels: Array, outputs: Array) -> Array:
    """Labels as they are, but classes as integers in a column (N, ..., 1), as Keras takes them, as (N, ...)."""
    is_column = labels.dtype.kind in "iu" and labels.shape == (*outputs.shape[:-1], 1) and outputs.shape[-1] > 1
    return labels[..., 0] if is_column else labels


def are_classes(labels: Array, outputs: Array) -> bool:
    """Whether labels are the places of two or more outputs, as integers."""
    return labels.dtype.kind in "iu" and labels.shape == outputs.shape[:-1] and outputs.shape[-1] > 1


def count_right(loss: "Loss", outputs: Array, labels: Array) -> tuple[int, int]:
    """How many answers are right, and how many there are: what the loss asks decides, not how labels are written.

    Of classes the largest output has to be the label's, at each position. After a sigmoid each output is an answer of
    its own, right on the label's side of a half. Squared errors of anything but classes know no right: 0 of 0.

    Parameters
    ----------
    loss : Loss
        What was learned.
    outputs : ndarray
        (N, ..., K) before the output activation.
    labels : ndarray
        What the loss takes, or classes as integers (N, ...).

    Examples
    --------
    >>> count_right(BinaryCrossEntropy(), np.array([[2.0], [-1.0], [3.0]]), np.array([[1], [0], [0]]))
    (2, 3)
    """
    labels = without_column(labels, outputs)
    if are_classes(labels, outputs):
        right = outputs.argmax(axis=-1) == labels
    elif isinstance(loss, SoftmaxCrossEntropy):
        right = outputs.argmax(axis=-1) == labels.argmax(axis=-1)
    elif isinstance(loss, BinaryCrossEntropy | Dice) and labels.size == outputs.size:
        right = (outputs > 0) == (labels.reshape(outputs.shape) > 0.5)
    else:
        return 0, 0
    return int(right.sum()), right.size


Loss: TypeAlias = SoftmaxCrossEntropy | BinaryCrossEntropy | MeanSquaredError | MeanAbsoluteError | Huber | Dice

# Keras's names are understood too.
_LOSSES: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "categorical_crossentropy": SoftmaxCrossEntropy,
    "sparse_categorical_crossentropy": SoftmaxCrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "binary_crossentropy": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "huber": Huber,
    "dice": Dice,
}
_SETTINGS: dict[type[Loss], str] = {
    SoftmaxCrossEntropy: "label_smoothing", BinaryCrossEntropy: "label_smoothing", Huber: "delta",
}  # fmt: skip


def make_loss(name: str, **settings: float) -> Loss:
    """A loss from its name; raises `ModelError` for an unknown name or setting."""
    if name not in _LOSSES:
        raise ModelError(f"loss: got {name!r}, expected one of {', '.join(_LOSSES)}")
    kind = _LOSSES[name]
    for key in settings:
        if _SETTINGS.get(kind) != key:
            raise ModelError(f"loss: {name} has no setting {key!r}")
    return kind(**settings)


def usual_loss(final: Activation) -> Loss:
    """The loss that goes with an output activation: cross-entropy for softmax and sigmoid, else squared errors."""
    usual: dict[str, Loss] = {"softmax": SoftmaxCrossEntropy(), "sigmoid": BinaryCrossEntropy()}
    return usual.get(final.name, MeanSquaredError())


def loss_of_logits(loss: Loss, final: Activation, logits: Array, labels: Any) -> tuple[float, Array]:
    """Loss and gradient for the values before an output activation, fused with it if the loss is made for that."""
    if loss.fused and final.name in (loss.fused, "linear"):
        return loss(logits, labels)
    if loss.fused:
        raise ModelError(
            f"loss: got a loss for {loss.fused} outputs and a network that ends with {final.name}, expected "
            f"{loss.fused} or linear"
        )
    outputs = final.forward(logits)
    value, gradient = loss(outputs, labels)
    return value, final.backward(gradient, logits, outputs, np.empty_like(gradient))


def _check_smoothing(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise ModelError(f"label_smoothing: got {smoothing}, expected 0 or more and less than 1")
