"""What a unit of a network sees: its receptive field on the input, layer by layer, and a drawing of it.

The fields are those of the network's plan (`convcli.geometry.ReceptiveField`); here they are put at a place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan, NetworkPlan, shape_text
from convcli.atomic import check_target, write_whole
from convcli.datasets import Preprocessing
from convcli.errors import ModelError, ShapeError, shortened
from convcli.geometry import ReceptiveField
from convcli.images import Image
from convcli.jobs.shape import shape
from convcli.jobs.summary import card_in, summary
from convcli.views.receptive import Outline, draw_fields
from convcli.views.still import SUFFIXES, as_still

Span = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """The receptive field of one unit of one layer.

    Attributes
    ----------
    layer : LayerPlan
        Which layer.
    unit : tuple of int or None
        Its place, one number for each spatial axis; None where a value has no place, as after flatten.
    spans : tuple of (int, int)
        First and last input cell of each axis; beyond the input where the field reaches into padding.
    inside : tuple of (int, int) or None
        The same, cut at the input's edges; None where the unit sees padding only.
    """

    layer: LayerPlan
    unit: tuple[int, ...] | None
    spans: tuple[Span, ...]
    inside: tuple[Span, ...] | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells along each axis, padding included."""
        return tuple(last - first + 1 for first, last in self.spans)


@dataclass(frozen=True)
class Fields:
    """The fields of a network's layers up to the one that was asked for, one unit each, one inside the other."""

    plan: NetworkPlan
    rows: tuple[Field, ...]
    chosen: Field

    @property
    def sizes(self) -> tuple[int, ...]:
        """The spatial sizes of the input."""
        return self.plan.input[:-1]


def receptive(
    source: str | Sequence[str],
    *,
    input: str | Sequence[int] | None = None,
    layer: str | None = None,
    unit: Sequence[int] | None = None,
) -> Fields:
    """Find what a unit sees.

    Parameters
    ----------
    source : str or sequence of str
        A shipped architecture's name, or a .toml, .json or .safetensors file; a sequence is a chain of layers in the
        words of `convcli.jobs.shape.shape`.
    input : str or sequence of int, optional
        Another input than the network's own; a chain of layers has none.
    layer : str, optional
        The unit's layer by its name; without it, the last one whose output is a map.
    unit : sequence of int, optional
        Its place on that map; without it, the middle. Of each earlier layer that unit is taken whose field lies nearest
        to the middle of the next one's.

    Raises
    ------
    ModelError
        If there is no such network or layer.
    ShapeError
        If the unit does not lie on the map, the network has no map, or a chain no input.

    Examples
    --------
    >>> found = receptive("lenet5", layer="S4", unit=(0, 1))
    >>> found.chosen.sizes, found.chosen.spans
    ((16, 16), ((0, 15), (4, 19)))
    >>> receptive(["conv:1"] * 3, input="16x16x1").chosen.sizes
    (7, 7)
    """
    if isinstance(source, str):
        return fields_of(summary(source, input), layer=layer, unit=unit)
    if input is None:
        raise ShapeError("input: got none, expected the size that the layers are given: --input 32x32x1")
    return fields_of(shape(source, input).plan, layer=layer, unit=unit)


def fields_of(plan: NetworkPlan, *, layer: str | None = None, unit: Sequence[int] | None = None) -> Fields:
    """`receptive` of a plan."""
    axes = len(plan.input) - 1
    maps = [each for each in plan.layers if len(each.output) == axes + 1 and axes]
    if not maps:
        raise ShapeError(f"{plan.spec.name}: has no layer with a map, expected one before flatten or dense")
    names = [each.name for each in plan.layers]
    if layer is not None and layer not in names:
        raise ModelError(f"layer: got {shortened(layer)}, expected one of {', '.join(names)}")
    target = maps[-1] if layer is None else plan.layers[names.index(layer)]
    place = _unit(target, axes, unit)
    sizes = plan.input[:-1]
    chosen = _field(target, place, sizes)
    rows = [chosen]
    # From behind, so that every unit is one that the unit after it looks at, and fields lie in one another.
    for each in reversed(plan.layers[: plan.layers.index(target)]):
        middle = [(first + last) / 2 for first, last in rows[-1].spans]
        near = None if len(each.output) != axes + 1 else _nearest(each, middle)
        rows.append(_field(each, near, sizes))
    return Fields(plan, tuple(reversed(rows)), chosen)


def check_drawing(target: str, plan: NetworkPlan, *, overwrite: bool) -> None:
    """Refuse a drawing before any work is done for it."""
    if Path(target).suffix.lower() not in SUFFIXES:
        raise ShapeError(f"output: got {target}, expected a name in {' or '.join(SUFFIXES)}")
    if len(plan.input) > 3:
        raise ShapeError(f"output: got an input of {len(plan.input) - 1} axes, expected 1 or 2: a drawing is flat")
    check_target(Path(target), overwrite=overwrite)


def prepared(source: str, plan: NetworkPlan, image: Image) -> NDArray[np.float32]:
    """A picture as the network sees it, (H, W, C) of 0..1: prepared as the model's card says, else scaled and cropped.

    Raises `ConvcliError` for a network that takes no pictures, or a picture that cannot be prepared.
    """
    if len(plan.input) != 3 or plan.input[2] not in (1, 3):
        raise ShapeError(f"image: the network takes {shape_text(plan.input)}, expected one for pictures")
    card = card_in(source)
    rule = Preprocessing("picture", *plan.input)
    if card is not None and card.preprocessing is not None:
        told = Preprocessing.from_dict(card.preprocessing)
        rule = told if (told.height, told.width, told.channels) == plan.input else rule
    return rule.apply(image)


def draw(found: Fields, target: str, *, pixels: NDArray[Any] | None = None, overwrite: bool = False) -> None:
    """Draw the fields as nested frames over the input into a .png or .svg file.

    ``pixels`` (H, W, C) of 0..1, as `prepared` gives them, lie below the frames.
    """
    check_drawing(target, found.plan, overwrite=overwrite)
    rows, columns = found.sizes if len(found.sizes) == 2 else (1, found.sizes[0])
    outlines = [_outline(each, each.inside) for each in growing(found) if each.inside is not None]
    title = f"{found.plan.spec.name}: what a unit sees"
    figure = draw_fields(title, [answer(found)], (rows, columns), outlines, pixels)
    drawing = as_still(figure, Path(target).suffix.lower())
    write_whole(Path(target), drawing, overwrite=overwrite)


def answer(found: Fields) -> str:
    """One sentence: ``a unit of S4 (row 2, column 2 of 5x5) sees 16x16 of the input's 32x32 pixels``."""
    chosen = found.chosen
    place = ""
    if chosen.unit is not None:
        words = {1: ("place",), 2: ("row", "column"), 3: ("plane", "row", "column")}[len(chosen.unit)]
        where = ", ".join(f"{word} {number}" for word, number in zip(words, chosen.unit, strict=True))
        place = f" ({where} of {shape_text(chosen.layer.output[:-1])})"
    seen = f"sees {_inside(chosen)} of the input's {shape_text(found.sizes)} pixels"
    padded = "" if chosen.inside == chosen.spans else f"; with padding its field is {shape_text(chosen.sizes)}"
    return f"a unit of {chosen.layer.name}{place} {seen}{padded}"


def growing(found: Fields) -> list[Field]:
    """The fields that are not the one before again: activations and such see what their input sees."""
    rows: list[Field] = []
    for each in found.rows:
        if each.sizes != (rows[-1].sizes if rows else (1,) * len(each.sizes)):
            rows.append(each)
    return rows or [found.chosen]


def _inside(field: Field) -> str:
    if field.inside is None:
        return "none"
    return shape_text([last - first + 1 for first, last in field.inside])


def _outline(field: Field, inside: tuple[Span, ...]) -> Outline:
    (top, bottom), (left, right) = inside if len(inside) == 2 else ((0, 0), *inside)
    cut = field.inside != field.spans
    note = f"{field.layer.name}: {shape_text(field.sizes)}" + (", some of it padding" if cut else "")
    return Outline(note, top, left, bottom - top + 1, right - left + 1)


def _unit(layer: LayerPlan, axes: int, unit: Sequence[int] | None) -> tuple[int, ...] | None:
    sizes = layer.output[:-1]
    if len(layer.output) != axes + 1:
        if unit is not None:
            raise ShapeError(f"unit: got a place on {layer.name}, expected none: its output is a row of values")
        return None
    if unit is None:
        return tuple(n // 2 for n in sizes)
    if len(unit) != axes or not all(0 <= place < n for place, n in zip(unit, sizes, strict=True)):
        got = ",".join(map(str, unit))
        raise ShapeError(f"unit: got {got}, expected a place on {layer.name}'s map of {shape_text(sizes)}, from 0")
    return tuple(unit)


def _field(layer: LayerPlan, unit: tuple[int, ...] | None, sizes: Sequence[int]) -> Field:
    places = unit or (0,) * len(sizes)
    spans = tuple(span_of(field, place) for field, place in zip(layer.field, places, strict=True))
    inside = tuple((max(first, 0), min(last, n - 1)) for (first, last), n in zip(spans, sizes, strict=True))
    return Field(layer, unit, spans, inside if all(first <= last for first, last in inside) else None)


def span_of(field: ReceptiveField, place: int) -> Span:
    """First and last input cell of the unit at a place.

    Where cells of the output lie between those of the input, as after a transposed convolution, those on both sides
    count.
    """
    start = field.start + place * field.jump
    return floor(start), ceil(start) + field.size - 1


def _nearest(layer: LayerPlan, middle: Sequence[float]) -> tuple[int, ...]:
    """The unit whose field's middle is nearest to a point of the input."""
    places = []
    for field, n, wanted in zip(layer.field, layer.output[:-1], middle, strict=True):
        own = field.start + (field.size - 1) / 2
        place = round((wanted - own) / float(field.jump)) if field.jump else 0
        places.append(min(max(place, 0), n - 1))
    return tuple(places)
