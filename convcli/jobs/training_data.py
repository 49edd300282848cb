"""What a training learns from, and the network that suits it: read, parted, fitted, brought to one scale."""

from dataclasses import replace

import numpy as np

from convcli.architectures import NetworkPlan, load, plan_network, shape_text
from convcli.architectures.fitting import with_padded_windows
from convcli.architectures.grammar import LayerSpec, NetworkSpec
from convcli.datasets import Dataset, Split, parted, sample
from convcli.datasets.model import Array
from convcli.datasets.preprocessing import LARGEST_SIDE
from convcli.errors import ModelError, ShapeError
from convcli.jobs.task import fitted_for, network_of
from convcli.nn.checkpoint import Source
from convcli.nn.layer import as_input
from convcli.nn.model import Model
from convcli.nn.presets import Preset, held_out_instead_of_a_test
from convcli.nn.weights import TrainedModel

NORMALIZE = "normalize"  # the name of the layer
MEAN_STD = "mean-std"
NORMALIZATIONS = ("none", MEAN_STD)
_SETTINGS = {"center": False, "scale": False, "epsilon": 0.0}
_CHUNK = 1 << 24  # numbers that are summed at a time

# The network that suits a data set; of others their shape decides.
_NETWORKS = {"cifar10": "cifar10", "digits": "digits"}
_BY_SHAPE: dict[tuple[int, ...], str] = {(28, 28, 1): "mnist"}
_BY_AXES = {1: "features", 2: "series", 3: "pictures", 4: "volumes"}


def form_of(network: NetworkSpec | None, size: tuple[int, int] | None) -> tuple[tuple[int, int] | None, int | None]:
    """Size and channels that a folder's pictures are brought to: those of a network that was asked for by name."""
    if network is None or len(network.input) != 3:
        return size, None
    height, width, channels = network.input
    if size is None and max(height, width) > LARGEST_SIDE:
        raise ModelError(
            f"{network.name}: its input is {shape_text(network.input)}, expected pictures of at most "
            f"{LARGEST_SIDE}x{LARGEST_SIDE}; add --size HxW"
        )
    return size or (height, width), channels if channels in (1, 3) else None


def held_out_by_default(chosen: Preset, dataset: Dataset, limit: int) -> float | int:
    """What a preset holds out; more where nothing else would say how good the network is."""
    if dataset.validation is not None:
        return 0
    count = limit or len(dataset.train)
    if dataset.test is not None:
        return chosen.held_out_of(count, len(dataset.classes))
    used = sample(dataset.train, limit) if limit else dataset.train
    spare = np.maximum(np.bincount(used.strata) - 1, 0)
    return held_out_instead_of_a_test(len(used), int(spare.sum()))


def split_of(dataset: Dataset, source: Source) -> tuple[Split, Split | None]:
    """What is learned from, and what is held out of it; which samples these are never depends on the seed.

    Where the data have a validation set of their own, that is it, unless a share was asked for.
    """
    learned, held = parted(dataset.train, source.held_out, source.limit)
    return learned, held if len(held) else dataset.validation


def _fitting(network: NetworkSpec, dataset: Dataset, task: str) -> NetworkSpec:
    """A network that nobody asked for by name, with padded windows if pictures are too small or too thin for it."""
    try:
        fitted_for(task, network, dataset)
    except ShapeError:
        return with_padded_windows(network)
    return network


def _fitted(network: NetworkSpec, dataset: Dataset, task: str) -> NetworkPlan:
    """The network for these pictures; an error says which of both did not go with the other."""
    try:
        return fitted_for(task, network, dataset)
    except ShapeError as error:
        raise ShapeError(
            f"{network.name} does not fit the {shape_text(dataset.shape)} pictures of {dataset.name}: {error}"
        ) from None


def _usual_network(dataset: Dataset) -> str:
    by_axes = _BY_AXES[len(dataset.shape)]
    return _NETWORKS.get(dataset.name) or _BY_SHAPE.get(dataset.shape, by_axes)


def network_for(network: NetworkSpec | None, chosen: Preset, dataset: Dataset, task: str) -> NetworkSpec:
    """The network that was asked for, else what suits the preset and the data, before it is fitted."""
    if network is not None:
        return network
    suits = network_of(dataset, task) or (chosen.network if len(dataset.shape) == 3 else "")
    return _fitting(load(suits or _usual_network(dataset)), dataset, task)


def planned_network(network: NetworkSpec, dataset: Dataset, task: str, *, normalizes: bool) -> NetworkPlan:
    """The network fitted to the data, with a layer in front that brings its input to one scale if it is to."""
    plan = _fitted(network, dataset, task)
    if not normalizes or is_normalized(plan):
        return plan
    layer = LayerSpec("batch_norm", _SETTINGS, name=NORMALIZE, word="batch_norm,center=no,scale=no")
    return plan_network(replace(plan.spec, layers=(layer, *plan.spec.layers)))


def is_normalized(plan: NetworkPlan) -> bool:
    """Whether a network begins by bringing its input to one scale."""
    return bool(plan.layers) and plan.layers[0].name == NORMALIZE


def normalizes(wanted: str | None, dataset: Dataset) -> bool:
    """Whether a network is to bring its input to mean 0 and deviation 1: as was said, else where numbers are no pixels.

    Raises `ModelError` for an unknown word.
    """
    if wanted is not None and wanted not in NORMALIZATIONS:
        raise ModelError(f"normalize: got {wanted!r}, expected {' or '.join(NORMALIZATIONS)}")
    if wanted is not None:
        return wanted == MEAN_STD
    return dataset.preprocessing.values == "numbers" and dataset.targets in ("classes", "numbers", "marks")


def measure(model: Model, images: Array) -> None:
    """Give the layer that normalizes the mean and the variance of each channel; of one that never changes, 1."""
    channels = images.shape[-1]
    count, total, squares = images.size // channels, np.zeros(channels), np.zeros(channels)
    step = max(_CHUNK // max(images[:1].size, 1), 1)
    places = range(0, len(images), step)
    for begin in places:
        total += as_input(images[begin : begin + step]).reshape(-1, channels).sum(axis=0, dtype=np.float64)
    mean = total / count
    for begin in places:
        squares += np.square(as_input(images[begin : begin + step]).reshape(-1, channels) - mean).sum(axis=0)
    variance = squares / count
    model.parameters[f"{NORMALIZE}/moving_mean"].assign(mean)
    model.parameters[f"{NORMALIZE}/moving_variance"].assign(np.where(variance > 0, variance, 1))


def take_over(model: Model, start: TrainedModel, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Give a network the weights of another, where both have the same; returns the layers that begin anew.

    Those are layers of another shape, and the last one with weights if it told other classes.
    """
    state = start.model.state()
    owners = list(dict.fromkeys(name.rpartition("/")[0] for name in model.parameters))
    other = {
        name.rpartition("/")[0] for name, parameter in model.parameters.items()
        if name not in state or state[name].shape != parameter.value.shape
    }  # fmt: skip
    fresh = [each for each in owners if each in other or (start.classes != classes and each == owners[-1])]
    kept = [name for name in model.parameters if name.rpartition("/")[0] not in fresh]
    if not any(name.endswith("/kernel") for name in kept):
        raise ModelError(
            f"from: got {start.model.plan.spec.name} for {shape_text(start.model.plan.input)}, no weights of which fit "
            f"{shape_text(model.plan.input)}; expected a model of the same kind of data"
        )
    for name in kept:
        model.parameters[name].assign(state[name])
    return tuple(fresh)
