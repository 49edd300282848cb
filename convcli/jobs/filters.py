"""Learned filters: the weights of one layer of a trained network, as pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan, NetworkPlan, shape_text
from convcli.errors import ConvcliError, ModelError, shortened
from convcli.images import Image
from convcli.jobs.classifier import model_file
from convcli.nn.weights import TrainedModel, load_model
from convcli.views.figure import Panel, draw_figure, number
from convcli.views.montage import grid, largest_of, numbered
from convcli.views.signed import signed_colours

MOST_FILTERS = 1024
MOST_INPUTS = 64
_MOST_DRAWN = 8192  # small pictures in one
_WIDEST = 1200  # pixels that the rows of one drawing fill
_COLUMNS = 8  # of filters that stand alone
_CONVOLUTIONS = ("conv", "depthwise", "conv_transpose")


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one layer.

    Parameters
    ----------
    network, layer:
        Names.
    weights:
        (KH, KW, C, O): as many input channels and filters as are shown. Planes of a 3-D kernel stand side by side, NaN
        between them.
    shape:
        (*kernel size, C, O) of all weights.
    is_colour:
        Whether the three input channels are red, green and blue.
    """

    network: str
    layer: str
    weights: NDArray[Any]
    shape: tuple[int, ...]
    is_colour: bool

    @property
    def largest(self) -> float:
        """The largest magnitude of a weight that is shown."""
        return largest_of(self.weights)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "shape": list(self.shape),
            "filters": self.weights.shape[3],
            "inputs": self.weights.shape[2],
            "largest": self.largest,
        }


def filters_in(source: str | Path, layer: str | None = None, *, filters: int = 32, inputs: int = 8) -> Filters:
    """Read a model file, and take the filters of one layer.

    Parameters
    ----------
    source : str or Path
        A file that ``convcli train`` wrote, or ``shipped``.
    layer : str, optional
        Its name; without it, the first convolution.
    filters, inputs : int
        How many filters, and of each how many input channels, are taken at most: the first ones.

    Raises
    ------
    ModelError
        For a file that is no model, or a layer whose weights are no pictures.
    """
    return filters_of(load_model(model_file(source)), layer, filters=filters, inputs=inputs)


def filters_of(trained: TrainedModel, layer: str | None = None, *, filters: int = 32, inputs: int = 8) -> Filters:
    """The filters of one layer of a model; see `filters_in`."""
    for name, count, most in (("filters", filters, MOST_FILTERS), ("inputs", inputs, MOST_INPUTS)):
        if not 1 <= count <= most:
            raise ConvcliError(f"{name}: got {count}, expected 1 to {most}")
    model = trained.model
    drawable = dict(_drawable(model.plan))
    if not drawable:
        raise ModelError(f"{model.plan.spec.name}: has no convolution, expected a network with filters to draw")
    name = layer or next((each for each, plan in drawable.items() if plan.type != "dense"), next(iter(drawable)))
    if name not in drawable:
        raise ModelError(f"layer: got {shortened(name)}, expected one of {', '.join(drawable)}")
    plan = drawable[name]
    weights = model.parameters[f"{name}/kernel"].value
    if plan.type == "conv_transpose":
        weights = weights.swapaxes(-1, -2)  # stored as the convolution that it transposes
    if plan.type == "dense":
        weights = weights.reshape(*_before(model.plan, plan), weights.shape[-1])
    is_colour = weights.shape[-2] == 3 and (plan.type == "dense" or plan.name == model.plan.layers[0].name)
    shown = _flat(weights[..., :filters] if is_colour else weights[..., :inputs, :filters])
    if shown.shape[2] * shown.shape[3] > _MOST_DRAWN:
        raise ConvcliError(f"filters: got {filters} of {inputs} inputs each, expected at most {_MOST_DRAWN} in all")
    return Filters(model.plan.spec.name, name, shown, weights.shape, is_colour)


def draw_filters(filters: Filters) -> Image:
    """One picture: filters side by side, or where they have several input channels, one row for each channel."""
    panel = filter_panel(filters)
    return Image(draw_figure([[panel]], title=f"{filters.network}: the filters of {filters.layer}"))


def filter_panel(filters: Filters) -> Panel:
    """The filters as one panel of a figure, with their scale."""
    weights, largest = filters.weights, filters.largest
    *kernel, inputs, count = filters.shape
    height, width, shown_inputs, shown = weights.shape
    title = f"{count} filters of {shape_text((*kernel, inputs))}"
    if (shown_inputs, shown) != (inputs, count):
        which = [f"{shown} of {count} filters"] if shown < count else []
        which += [f"{shown_inputs} of {inputs} input channels"] if shown_inputs < inputs else []
        title += f"; shown: the first {' and '.join(which)}"
    if filters.is_colour:
        colours = np.rint((0.5 + np.nan_to_num(weights) / (2 * largest)) * 255).astype(np.uint8)
        maps = [colours[..., each] for each in range(shown)]
        pixels = numbered(maps, [str(each) for each in range(shown)], columns=_COLUMNS)
        note = f"middle grey is 0; red, green and blue from −{number(largest)} to {number(largest)}"
        return Panel(title, pixels, (note,))
    colours = signed_colours(weights, largest)
    if inputs == 1:
        maps = [colours[:, :, 0, each] for each in range(shown)]
        return Panel(title, numbered(maps, [str(each) for each in range(shown)], columns=_COLUMNS), (), largest)
    rows = [[colours[:, :, channel, each] for each in range(shown)] for channel in range(shown_inputs)]
    side = max(min(48, _WIDEST // shown), max(height, width), 6)
    heads = [str(each) for each in range(shown)]
    pixels = grid(rows, [f"input {each}" for each in range(shown_inputs)], heads, side=side)
    return Panel(title, pixels, ("columns are filters, rows the input channels they see",), largest)


def _drawable(plan: NetworkPlan) -> Iterator[tuple[str, LayerPlan]]:
    """Layers whose weights are pictures: convolutions, and dense layers straight behind the flattening of a map."""
    for layer in plan.flat():
        if layer.type in _CONVOLUTIONS or (layer.type == "dense" and len(_before(plan, layer)) > 1):
            yield layer.name, layer


def _before(plan: NetworkPlan, layer: LayerPlan) -> tuple[int, ...]:
    """The shape of the map that was flattened for a dense layer."""
    for flat, behind in pairwise(plan.layers):
        if behind is layer and flat.type == "flatten":
            return flat.input
    return layer.input


def _flat(weights: NDArray[Any]) -> NDArray[Any]:
    """Kernels of one axis as one row, those of three with their planes side by side."""
    if weights.ndim == 3:
        return weights[None]
    if weights.ndim == 4:
        return weights
    gap = np.full((*weights.shape[1:2], 1, *weights.shape[3:]), np.nan, weights.dtype)
    parts = [part for plane in weights for part in (gap, plane)]
    return np.concatenate(parts[1:], axis=1)
