"""Grey morphology of pictures, volumes and signals: a checked plan, then array work that cannot fail on its words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ConvcliError
from convcli.images import Image
from convcli.images.signal_model import Signal
from convcli.images.volume_model import Volume
from convcli.jobs.axes import OperationPlan, check_finite, check_policies, counts_for
from convcli.jobs.batch import Produced
from convcli.jobs.pictures import Colours, process, without
from convcli.jobs.signals import SignalResult, fitted
from convcli.jobs.volumes import Ranges, VolumeWork
from convcli.ops.arguments import Array
from convcli.ops.borders import Part, border_table, runs_in
from convcli.ops.elements import USUAL_SIZE, Element, as_element
from convcli.ops.morphology import (
    OPERATIONS,
    beyond_border,
    difference,
    morph_stack,
    reach,
    resolve_operation,
    resolve_outside,
    slide,
)
from convcli.ops.ordering import as_ordered


@dataclass(frozen=True, eq=False, kw_only=True)
class MorphPlan(OperationPlan):
    """Everything a morphological operation needs to know, checked: see `plan_morph` for the words."""

    operation: str
    element: Element | tuple[int, ...]
    border: str = "none"
    value: float = 0.0

    @property
    def name(self) -> str:
        """For file names: the operation."""
        return self.operation


def plan_morph(
    operation: str, *, size: int | Sequence[int] | None = None, element: Any = None, **words: Any
) -> MorphPlan:
    """Check the words of a morphological operation and return its plan.

    Parameters
    ----------
    operation, size, element
        As in `convcli.morph2d`.
    words
        ``border, value`` as there, and those of `convcli.jobs.axes.OperationPlan`.

    Raises
    ------
    ConvcliError
        For a word that is none of those allowed, or an element that cannot be used.
    """
    plan = MorphPlan(operation=operation, element=(), **words)
    axes = plan.axes
    check_policies(plan)
    check_finite(value=plan.value)
    if element is None and size is None:
        size = USUAL_SIZE
    found = as_element(None if size is None else counts_for(axes, size, "size"), element, max(len(axes), 2))
    height = found[0] if isinstance(found, tuple) else len(found)
    if axes == "x" and height > 1:
        raise ConvcliError(f"element: got {height} rows for a signal, expected one, as --size 9 or '1 1 0' have")
    return replace(
        plan, operation=resolve_operation(operation), element=found, border=resolve_outside(plan.border, found)
    )


def morph_image(image: Image, plan: MorphPlan, format: str | None = None) -> Produced:
    """Carry a morphological operation out on one picture; ``format`` is the one it will be written in.

    Raises `ConvcliError` (with the fix) when the picture cannot hold the border's value or the format the result.
    """

    def act(pixels: Array, weight: float) -> Array:
        return _morphed(pixels, plan, plan.operation, plan.value)

    def cover(alpha: Array) -> Array:
        # Beyond a constant border lies an opaque colour.
        return _morphed(alpha, plan, plan.operation, image.white)

    def choose(colour: Array, hidden: Array) -> Array:
        return _morphed_visible(colour, hidden, plan)

    # Differences act on colour and keep alpha.
    keeps_alpha = OPERATIONS[plan.operation].lower is not None
    return process(image, Colours(act, None if keeps_alpha else cover, lambda alpha: alpha, choose), plan, format)


_ARRAYS = 2  # of each size at a time


class VolumeMorph(VolumeWork):
    """Grey morphology of a volume, slab by slab."""

    def __init__(self, volume: Volume, plan: MorphPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, format)
        self.operation = OPERATIONS[plan.operation]
        self.beyond = beyond_border(plan.border, plan.value, volume.dtype)
        element = plan.element
        if isinstance(element, tuple):
            # What is two volumes away has been seen before, in any border.
            sides = zip(element, volume.shape, strict=False)
            self.element: Element | tuple[int, ...] = tuple(min(side, 4 * n + 1) for side, n in sides)
        else:
            self.element = element
        self.sides = self.element if isinstance(self.element, tuple) else self.element.shape

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        found = []
        for stages in (self.operation.upper, self.operation.lower):
            positions = np.arange(wanted.start, wanted.stop)
            for stage in reversed(stages or ()):
                parts = [self._part(axis, run, stage == "dilate") for run in runs_in(positions)]
                positions = np.unique(np.concatenate([part.wanted for part in parts]))
            found.append(positions)
        return np.unique(np.concatenate(found))

    def sums_bytes(self, planes: int, rows: range, columns: range) -> int:
        """See `VolumeWork.sums_bytes`: stages have what they read, each axis' results, and what lies around."""
        return _ARRAYS * super().sums_bytes(planes + self.sides[0], rows, columns)

    def box(self, planes: range, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written."""
        ranges = (planes, rows, columns)
        slab = self._run(self.operation.upper, ranges)  # the dtypes of volumes are their own order
        if self.operation.lower is not None:
            slab = difference(slab, self._run(self.operation.lower, ranges), self.volume.dtype)
        return self.emit(slab)

    def _part(self, axis: int, run: range, largest: bool) -> Part:
        """Which positions before a stage a run along an axis is made from."""
        before, after = reach(self.sides[axis], largest)
        table = border_table(self.volume.shape[axis], (before, after), self.beyond.border)
        return Part.of(table[run.start : run.stop + before + after])

    def _run(self, stages: tuple[str, ...], ranges: Ranges) -> Array:
        """A part (n, h, w, C) after some stages."""
        if not stages:
            return as_ordered(self.read(*(np.arange(run.start, run.stop) for run in ranges)))[0]
        *earlier, last = stages
        largest = last == "dilate"
        # All rows, or columns, are slid over as they are, with what lies beyond them.
        whole = [axis > 0 and len(run) == n for axis, (run, n) in enumerate(zip(ranges, self.shape, strict=False))]
        parts = [
            Part(np.arange(len(run))) if all_ else self._part(axis, run, largest)
            for axis, (run, all_) in enumerate(zip(ranges, whole, strict=True))
        ]
        held = self._through(tuple(earlier), *(part.wanted for part in parts))
        for axis, part in enumerate(parts):
            held = _filled(part.repeated(held, axis), axis, part, self.beyond.value(held.dtype, largest))
        slab = slide(np.ascontiguousarray(held)[None], self.element, largest, self.beyond)[0]
        # Cells at either end lack neighbours, but those are the ones cut off.
        first = [0 if all_ else reach(side, largest)[0] for side, all_ in zip(self.sides, whole, strict=True)]
        return np.asarray(slab[tuple(slice(start, start + len(run)) for start, run in zip(first, ranges, strict=True))])

    def _through(self, stages: tuple[str, ...], planes: Array, rows: Array, columns: Array) -> Array:
        """Positions (n, h, w, C) after some stages, which rise; each run of neighbours is done at once."""
        return np.concatenate([
            np.concatenate([
                np.concatenate([self._run(stages, (z, y, x)) for x in runs_in(columns)], 2) for y in runs_in(rows)
            ], 1)
            for z in runs_in(planes)
        ])  # fmt: skip


def _filled(held: Array, axis: int, part: Part, fill: Any) -> Array:
    """What is held of a part with its constant around it."""
    if not part.before and not part.after:
        return held
    widths = [(part.before, part.after) if number == axis else (0, 0) for number in range(4)]
    return np.pad(held, widths, constant_values=fill)


def morph_signal(signal: Signal, plan: MorphPlan) -> SignalResult:
    """Carry a morphological operation out on a signal."""
    samples = _morphed(signal.samples[None], plan, plan.operation, plan.value)[0]
    return fitted(signal, samples, np.arange(len(samples)), 1, operation=plan.name)


def _morphed(pixels: Array, plan: MorphPlan, operation: str, value: float) -> Array:
    stack = morph_stack(np.ascontiguousarray(pixels)[None, None], operation, plan.element, plan.border, value)
    return stack.reshape(pixels.shape)


def _morphed_visible(colour: Array, hidden: Array, plan: MorphPlan) -> Array:
    """The operation among pixels (H, W, C) that are not ``hidden`` (H, W, 1); 0 where none can be seen."""

    def through(stages: tuple[str, ...]) -> tuple[Array, Array]:
        pixels, unseen = colour, hidden
        for stage in stages:
            largest = stage == "dilate"
            pixels = _morphed(without(pixels, unseen, largest), plan, stage, plan.value)
            # A window of hidden pixels alone. What lies beyond a constant border can be seen.
            seen = (~unseen if largest else unseen).astype(np.uint8)
            unseen = _morphed(seen, plan, stage, float(largest)) == (not largest)
        return pixels, unseen

    operation, zero = OPERATIONS[plan.operation], colour.dtype.type(0)
    upper, nothing = through(operation.upper)
    if operation.lower is not None:
        lower, nothing_lower = through(operation.lower)
        nothing = nothing | nothing_lower
        upper = difference(np.where(nothing, zero, upper), np.where(nothing, zero, lower), colour.dtype)
    return np.where(nothing, zero, upper)
