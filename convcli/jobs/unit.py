"""One number of one layer, taken apart: the cells it looks at, their weights, the products, and how it came of them.

The cells are those of the layer's windows, the weights its own, and what the network itself gives stands beside what
they sum to.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan, NetworkPlan
from convcli.errors import ModelError, ShapeError, shortened
from convcli.geometry import TransposedWindow, Window
from convcli.jobs.classifier import Classifier
from convcli.jobs.documents import named
from convcli.jobs.receptive import fields_of
from convcli.nn.model import Model

Array = NDArray[Any]
Span = tuple[int, int]

_WITH_WEIGHTS = ("conv", "depthwise", "conv_transpose", "dense")
_ONE_TO_ONE = ("activation", "batch_norm", "dropout", "head")


@dataclass(frozen=True)
class Step:
    """One step on the way from the cells to the number: its name, how, and what it gives."""

    name: str
    how: str
    value: float


@dataclass(frozen=True, eq=False)
class Unit:
    """A number of a layer's output, and where it comes from.

    Attributes
    ----------
    layer : LayerPlan
        Whose output.
    place : tuple of int
        Row and column; empty where the output is a row of values.
    channel : int
        Which map, or which value.
    value : float
        What the network itself gives.
    source : str
        The layer before, or ``input``.
    rows, columns : list of int or None
        Of each row and column of ``inputs`` where it lies on that layer's output: beyond it in padding, None between
        the cells of a transposed convolution.
    channels : list of int
        The maps of that layer that it looks at.
    inputs : ndarray
        (rows, columns, channels) the cells; 0 in padding.
    weights : ndarray or None
        The same shape; None for layers that have none.
    steps : tuple of Step
        From the cells to the number.
    field : pairs of int, or None
        First and last row, first and last column of the network's input that it can depend on.
    """

    layer: LayerPlan
    place: tuple[int, ...]
    channel: int
    value: float
    source: str
    rows: list[int | None]
    columns: list[int | None]
    channels: list[int]
    inputs: Array
    weights: Array | None
    steps: tuple[Step, ...]
    field: tuple[Span, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the cells and weights."""
        return {
            "layer": self.layer.name,
            "type": self.layer.type,
            "output": list(self.layer.output),
            **named(self, "place", "channel", "value", "source", "rows", "columns", "channels"),
            "steps": [vars(step) for step in self.steps],
            "field": self.field,
        }


def unit_of(classifier: Classifier, pixels: Array, layer: str, place: tuple[int, ...], channel: int) -> Unit:
    """Take a number of a network apart.

    Parameters
    ----------
    classifier : Classifier
        The network.
    pixels : ndarray
        (H, W, C) of 0..1: a picture as the network sees it (`convcli.jobs.classifier.Seen`).
    layer : str
        Its name, as `convcli summary` prints it.
    place, channel
        Row and column, and which map; no place where the output is a row of values.

    Raises
    ------
    ModelError, ShapeError
        If there is no such layer, or no such place.
    """
    model = classifier.trained.model
    before, source, output, plan = _traced(classifier, pixels, layer)
    sizes = plan.output[:-1]
    if len(place) != len(sizes) or not all(
        0 <= each < n for each, n in zip((*place, channel), plan.output, strict=True)
    ):
        raise ShapeError(f"unit: got {(*place, channel)}, expected a place in {plan.output}, from 0")
    value = float(output[(*place, channel)])
    rows, columns, channels, inputs, weights = _cells(model, plan, before, place, channel)
    if plan.type == "dense" and (flattened := _flattened(model.plan, plan)):
        place_of_map = [each.name for each in model.plan.layers].index(flattened.name)
        source = model.plan.layers[place_of_map - 1].name if place_of_map else "input"
    steps = _steps(model, plan, inputs, weights, channel, value)
    if plan.name == model.layers[-1].name and model.final.name != "linear":
        share = model.final.forward(output[None])[0][(*place, channel)]
        steps = (*steps, Step("Output", model.final.name, float(share)))
    field = fields_of(model.plan, layer=layer, unit=place or None).chosen.inside if _has_maps(model.plan) else None
    return Unit(plan, place, channel, value, source, rows, columns, channels, inputs, weights, steps, field)


def _has_maps(plan: NetworkPlan) -> bool:
    return any(len(each.output) == len(plan.input) for each in plan.layers)


def _traced(classifier: Classifier, pixels: Array, layer: str) -> tuple[Array, str, Array, LayerPlan]:
    """What flows into a layer, whence, what flows out, and its plan."""
    model = classifier.trained.model
    plans = {each.name: each for each in model.plan.layers}
    if layer not in plans or layer not in [each.name for each in model.layers]:
        raise ModelError(
            f"layer: got {shortened(layer)}, expected one of {', '.join(each.name for each in model.layers)}"
        )
    before, source = pixels, "input"
    for name, output in model.trace(classifier.batch(pixels[None])):
        if name == layer:
            return before, source, output[0], plans[layer]
        before, source = output[0].copy(), name
    raise ModelError(f"layer: {layer} was not reached, expected one of the network's chain")


Cells = tuple[list[int | None], list[int | None], list[int], Array, Array | None]


def _cells(model: Model, plan: LayerPlan, before: Array, place: tuple[int, ...], channel: int) -> Cells:
    """The cells that a number looks at, and their weights."""
    if plan.type == "dense":
        return _dense_cells(model, plan, before, channel)
    if plan.type == "global_pool":
        rows, columns = (list[int | None](range(n)) for n in before.shape[:2])
        return rows, columns, [channel], before[..., channel : channel + 1], None
    if plan.type == "flatten":
        row, column, source = (
            (int(each) for each in np.unravel_index(channel, before.shape)) if before.ndim == 3 else (0, 0, 0)
        )
        return [row], [column], [source], before.reshape(-1)[channel].reshape(1, 1, 1), None
    if plan.type in _ONE_TO_ONE:
        row, column = place if len(place) == 2 else (0, 0)
        return [row], [column], [channel], before[(*place, channel)].reshape(1, 1, 1), None
    if len(place) != 2 or len(plan.windows) != 2 or plan.type not in (*_WITH_WEIGHTS, "pool", "pad"):
        return [], [], [], np.zeros((0, 0, 0), np.float32), None
    rows, columns = (_along(window, at) for window, at in zip(plan.windows, place, strict=True))
    channels, weights = _weights(model, plan, channel) if plan.type in _WITH_WEIGHTS else ([channel], None)
    return rows, columns, channels, _taken(before, rows, columns, channels), weights


def _along(window: Window | TransposedWindow, at: int) -> list[int | None]:
    """Where the taps of a window lie along one axis."""
    taps = range(window.kernel_size)
    if isinstance(window, Window):
        return [at * window.stride - window.before + window.dilation * tap for tap in taps]
    found = [divmod(at + window.before - window.dilation * tap, window.stride) for tap in taps]
    return [None if rest else cell for cell, rest in found]


def _taken(before: Array, rows: list[int | None], columns: list[int | None], channels: list[int]) -> Array:
    height, width = before.shape[:2]
    taken = np.zeros((len(rows), len(columns), len(channels)), before.dtype)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row is not None and column is not None and 0 <= row < height and 0 <= column < width:
                taken[i, j] = before[row, column, channels]
    return taken


def _weights(model: Model, plan: LayerPlan, channel: int) -> tuple[list[int], Array]:
    """The maps that a filter sees, and its weights (KH, KW, maps)."""
    kernel = model.parameters[f"{plan.name}/kernel"].value
    filters_each, seen_each = plan.output[-1] // plan.groups, plan.input[-1] // plan.groups
    group = channel // filters_each
    channels = list(range(group * seen_each, (group + 1) * seen_each))
    if plan.type == "conv_transpose":
        return channels, kernel[..., channel % filters_each, channels]
    return channels, kernel[..., channel]


def _dense_cells(model: Model, plan: LayerPlan, before: Array, channel: int) -> Cells:
    """All values, laid out as the map that was flattened, if there was one."""
    flattened = _flattened(model.plan, plan)
    shape = flattened.input if flattened else (1, 1, prod(before.shape))
    weights = model.parameters[f"{plan.name}/kernel"].value[:, channel].reshape(shape)
    rows, columns = (list[int | None](range(n)) for n in shape[:2])
    return rows, columns, list(range(shape[2])), before.reshape(shape), weights


def _flattened(network: NetworkPlan, dense: LayerPlan) -> LayerPlan | None:
    """The flattening of a map straight before a dense layer, if there is one."""
    pairs = pairwise(network.layers)
    return next(
        (flat for flat, each in pairs if each is dense and flat.type == "flatten" and len(flat.input) == 3), None
    )


def _steps(
    model: Model, plan: LayerPlan, inputs: Array, weights: Array | None, channel: int, value: float
) -> tuple[Step, ...]:
    if weights is not None:
        total = float((inputs.astype(np.float64) * weights).sum())
        steps = [Step("Sum", f"of {inputs.size:,} products", total)]
        bias = model.parameters.get(f"{plan.name}/bias")
        if bias is not None:
            added = float(bias.value[channel])
            steps.append(Step("Bias", f"{'+' if added >= 0 else '−'} {abs(added):.6g}", total + added))
        name = plan.settings["activation"].name
        if name != "linear" and not (plan.name == model.layers[-1].name and name == model.final.name):
            steps.append(Step("Activation", name, value))
        return tuple(steps)
    if plan.type in ("pool", "global_pool"):
        return (Step(plan.settings["mode"].capitalize(), f"of {inputs.size:,} cells", value),)
    if plan.type == "batch_norm":
        numbers = {
            each: model.parameters.get(f"{plan.name}/{each}")
            for each in ("moving_mean", "moving_variance", "gamma", "beta")
        }
        told = ", ".join(
            f"{name.replace('moving_', '')} {float(each.value[channel]):.4g}" for name, each in numbers.items() if each
        )
        return (Step("Normalised", told, value),)
    if plan.type == "activation":
        return (Step("Activation", plan.settings["activation"].name, value),)
    return ()
