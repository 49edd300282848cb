"""Feature maps: what every layer of a trained network makes of one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import shape_text
from convcli.errors import ConvcliError, ModelError, shortened
from convcli.images import MAX_PIXELS, Image
from convcli.jobs.classifier import Classifier, Seen, percent, see
from convcli.jobs.documents import named
from convcli.views.figure import Panel, draw_figure, fitted
from convcli.views.grid import enlarged
from convcli.views.montage import bars, colours_of, is_signed, largest_of, numbered, scale_note, squares

MOST_VALUES = 512  # of a layer without maps
MOST_MAPS = 256
_MOST_DRAWN = 6000  # maps in one picture: beyond this nobody looks, and the picture is too tall to be opened
# Layers that pass their input on, except in training.
_PASSING = ("flatten", "dropout", "spatial_dropout", "head")


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """What one layer gives.

    Parameters
    ----------
    name, type:
        As `convcli summary` names it.
    shape:
        Of the whole output: (H, W, K), or (K,).
    values:
        (H, W, shown) or (shown,): the first maps, or values.
    silent:
        The share of all its numbers that are 0.
    remark:
        What else is to be said.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    values: NDArray[Any]
    silent: float
    remark: str = ""

    @property
    def shown(self) -> int:
        """How many maps, or values, there are to see."""
        return int(self.values.shape[-1])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **named(self, "name", "type", "shape", "shown"),
            "minimum": float(self.values.min()),
            "maximum": float(self.values.max()),
            "zeros": round(self.silent, 6),
        }


@dataclass(frozen=True, eq=False)
class Features:
    """A picture and its way through a network."""

    seen: Seen
    network: str
    layers: tuple[LayerMaps, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        label, probability = self.seen.top(1)[0]
        return {
            "file": self.seen.file,
            "label": label,
            "probability": probability,
            "layers": [each.as_dict() for each in self.layers],
        }


def look_inside(
    classifier: Classifier,
    source: str | BinaryIO,
    *,
    layers: Sequence[str] = (),
    maps: int = 16,
    max_pixels: int = MAX_PIXELS,
) -> Features:
    """Take one picture through a network and keep what each layer gives.

    Parameters
    ----------
    classifier : Classifier
        From `convcli.jobs.classifier.load_classifier`.
    source : str or binary stream
        A picture file.
    layers : sequence of str
        The layers to keep; without any, all but those that only pass their input on.
    maps : int
        How many maps of each layer are kept, the first ones.

    Raises
    ------
    ConvcliError
        For an unknown layer, or numbers that are too large.
    """
    model = classifier.trained.model
    check_maps(maps)
    plans = {plan.name: plan for plan in model.plan.layers}
    unknown = [name for name in layers if name not in plans]
    if unknown:
        raise ModelError(f"layers: got {shortened(unknown[0])}, expected some of {', '.join(plans)}")
    wanted = set(layers) or {name for name, plan in plans.items() if plan.type not in _PASSING}
    drawn = sum(min(maps, plans[name].output[-1]) for name in wanted if len(plans[name].output) > 1)
    if drawn > _MOST_DRAWN:
        raise ConvcliError(f"maps: got {maps} for {len(wanted)} layers, {drawn:,} in all, expected {_MOST_DRAWN:,}")
    seen = see(classifier, source, max_pixels=max_pixels)
    kept = []
    for name, output in model.trace(classifier.batch(seen.pixels[None])):
        if name in wanted:
            values = output[0]
            most = maps if values.ndim > 1 else MOST_VALUES
            silent = float(np.count_nonzero(values == 0)) / values.size
            is_last = name == model.layers[-1].name and model.final.name != "linear"
            remark = f"before {model.final.name}" if is_last else ""
            kept.append(LayerMaps(name, plans[name].type, values.shape, values[..., :most].copy(), silent, remark))
    return Features(seen, model.plan.spec.name, tuple(kept))


def check_maps(maps: int) -> None:
    """Raise `ConvcliError` for a number of maps nobody could look at."""
    if not 1 <= maps <= MOST_MAPS:
        raise ConvcliError(f"maps: got {maps}, expected 1 to {MOST_MAPS}")


def draw_features(features: Features) -> Image:
    """The picture as it was seen, a grid of maps for every layer, and the prediction, from top to bottom."""
    seen = features.seen
    pixels = fitted(enlarged(seen.pixels, 1), 168)
    rows = [[Panel(f"input: {shape_text(seen.pixels.shape)}", pixels)]]
    rows += [[_panel(each)] for each in features.layers]
    names, shares = zip(*seen.top(), strict=True)
    rows.append([Panel("prediction", bars(names, shares, [percent(share) for share in shares]))])
    title = f"{features.network}: what its layers make of {seen.title}"
    return Image(draw_figure(rows, title=title, notes=[f"it says {seen.told(seen.best)}"]))


def _panel(layer: LayerMaps) -> Panel:
    values = layer.values
    signed, largest = is_signed(values), largest_of(values)
    kind = "maps" if values.ndim > 1 else "values"
    count = layer.shape[-1]
    title = f"{layer.name}: {shape_text(layer.shape)}"
    if layer.shown < count:
        title += f", the first {layer.shown} of {count:,} {kind}"
    if values.ndim > 1:
        colours = colours_of(np.moveaxis(values, -1, 0), largest, signed=signed)
        pixels = numbered(list(colours), [str(number) for number in range(len(colours))])
    else:
        pixels = squares(values, largest, signed=signed)
    zeros = f"{percent(layer.silent)} of its numbers are 0" if layer.silent else ""
    notes = "; ".join(filter(None, (scale_note(largest, signed=signed), zeros, layer.remark)))
    return Panel(title, pixels, (notes,) if notes else (), largest if signed else None)
