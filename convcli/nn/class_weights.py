"""Classes that count for more than others while a network learns: words to numbers, and the losses that know them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from convcli.errors import ModelError, shortened
from convcli.nn.losses import Array, BinaryCrossEntropy, Loss, SoftmaxCrossEntropy

BALANCED = "balanced"
_LARGEST = 1e6


def read_weights(text: str, classes: Sequence[str]) -> dict[int, float]:
    """``cat=2,dog=0.5`` as numbers by the places of the classes; those not named have 1.

    Raises `ModelError` for an unknown class, or what is no positive number.

    >>> read_weights("dog=3", ("cat", "dog"))
    {1: 3.0}
    """
    found: dict[int, float] = {}
    for word in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = (each.strip() for each in word.rpartition("="))
        try:
            number = float(value) if equals else -1.0
        except ValueError:
            number = -1.0
        if not (isfinite(number) and 0 < number <= _LARGEST):
            raise ModelError(f"class_weight: got {shortened(word)}, expected balanced, or class=number as in cat=2")
        if name not in classes:
            known = ", ".join(classes[:10]) + (" ..." if len(classes) > 10 else "")
            raise ModelError(f"class_weight: got the class {shortened(name)}, expected one of {known}")
        found[list(classes).index(name)] = number
    return found


def by_places(text: str, classes: Sequence[str]) -> str:
    """The same words with places for names, as a recipe has them.

    >>> by_places("dog=3", ("cat", "dog"))
    '1=3'
    """
    if text in ("", BALANCED):
        return text
    return ",".join(f"{place}={weight:g}" for place, weight in read_weights(text, classes).items())


def class_weights(text: str, labels: Array, classes: int) -> tuple[float, ...]:
    """The weight of each class: ``balanced`` gives all classes that occur the same say, 1 on the mean of samples.

    >>> class_weights("balanced", np.array([0, 0, 0, 1]), 2)
    (0.6666666666666666, 2.0)
    """
    if text != BALANCED:
        named = read_weights(text, tuple(map(str, range(classes))))
        return tuple(named.get(place, 1.0) for place in range(classes))
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return tuple(len(labels) / (present * count) if count else 1.0 for count in counts.tolist())


def weighted(loss: Loss, weights: tuple[float, ...]) -> Loss:
    """The same loss in which each class counts as much as its weight says.

    Raises `ModelError` for a loss that knows no classes.
    """
    if isinstance(loss, SoftmaxCrossEntropy):
        return _WeightedSoftmax(loss.label_smoothing, weights)
    if isinstance(loss, BinaryCrossEntropy):
        return _WeightedBinary(loss.label_smoothing, weights)
    raise ModelError("class_weight: got a network that learns squared errors, expected one that ends with softmax")


@dataclass(frozen=True)
class _WeightedSoftmax(SoftmaxCrossEntropy):
    weights: tuple[float, ...] = ()

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for logits (N, K)."""
        return _by_class(super().__call__, self.weights, predictions, np.asarray(labels))


@dataclass(frozen=True)
class _WeightedBinary(BinaryCrossEntropy):
    weights: tuple[float, ...] = ()

    def __call__(self, predictions: Array, labels: Any) -> tuple[float, Array]:
        """Loss and gradient for logits (N, 1)."""
        return _by_class(super().__call__, self.weights, predictions, np.asarray(labels))


def _by_class(
    loss: Callable[[Array, Any], tuple[float, Array]], weights: Sequence[float], predictions: Array, labels: Array
) -> tuple[float, Array]:
    """A mean over samples of which each class has its weight, from the plain means over each class."""
    places = labels.argmax(axis=-1) if labels.shape == predictions.shape and labels.shape[-1] > 1 else labels
    places = places.reshape(len(predictions)).astype(np.int64)
    total, gradient = 0.0, np.empty_like(predictions)
    for place in np.unique(places).tolist():
        here = np.flatnonzero(places == place)
        share = weights[place] * len(here) / len(predictions)
        value, slopes = loss(predictions[here], labels[here])
        total += value * share
        gradient[here] = slopes * predictions.dtype.type(share)
    return total, gradient
