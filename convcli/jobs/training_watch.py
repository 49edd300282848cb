"""What can be seen of a training between two epochs: the first layer's filters, and the examples it finds hardest."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError
from convcli.jobs.filters import Filters, filters_of
from convcli.nn.training import Training
from convcli.nn.weights import ModelCard, TrainedModel

_SHOWN = 12
_LOOKED_AT = 512  # examples among which the hardest are sought: few enough to take a moment


@dataclass(frozen=True, eq=False)
class Hard:
    """An example that is taken for something else, or nearly.

    Attributes
    ----------
    image : ndarray
        (H, W, C) as it is in the data set.
    true, taken : str
        What it shows, and the likeliest class.
    share, taken_share : float
        How probable each of them seems.
    """

    image: NDArray[np.generic]
    true: str
    taken: str
    share: float
    taken_share: float


def first_filters(training: Training) -> Filters | None:
    """The first convolution's filters as they are now; None for a network without one."""
    try:
        return filters_of(TrainedModel(training.model, ModelCard("", (), None, 0, {}, {}, ())), filters=64, inputs=3)
    except ModelError:
        return None


def hardest(training: Training, classes: Sequence[str]) -> list[Hard]:
    """The examples whose truth seems least probable, of held-out images if there are some, else of those learned from.

    Weights, averages and random numbers stay what they are: a training that is looked at gives the same bits.
    """
    examples = training.validation or training.train
    images, labels = (np.asarray(each[:_LOOKED_AT]) for each in examples)
    if labels.ndim != 1:
        return []
    card = ModelCard("", tuple(classes), None, 0, {}, {}, ())
    with nullcontext() if training.average is None else training.average.applied(), np.errstate(all="ignore"):
        shares = TrainedModel(training.model, card).of_each_class(training.model.predict(images))
    if shares.ndim != 2 or shares.shape[1] != len(classes):
        return []
    of_truth = shares[np.arange(len(labels)), labels]
    order = np.argsort(of_truth, kind="stable")[:_SHOWN]
    return [
        Hard(images[place], classes[labels[place]], classes[taken], float(of_truth[place]), float(shares[place, taken]))
        for place, taken in zip(order.tolist(), shares.argmax(axis=1)[order].tolist(), strict=True)
    ]
