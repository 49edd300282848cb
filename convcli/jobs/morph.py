"""Grey morphology of one picture: a validated plan, then array work that cannot fail on its arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convcli.errors import ConvcliError
from convcli.images import Image
from convcli.jobs.axes import counts_for
from convcli.jobs.background import Colour
from convcli.jobs.batch import Produced
from convcli.jobs.colours import Colours, check_policies, process
from convcli.jobs.visible import morph_visible
from convcli.ops.arguments import Array
from convcli.ops.elements import Element, as_element
from convcli.ops.morphology import morph_stack, resolve_operation, resolve_outside

# These show differences; of a picture with alpha they act on colour and keep alpha.
_DIFFERENCES = ("gradient", "tophat", "blackhat")


@dataclass(frozen=True, eq=False)
class MorphPlan:
    """Everything a morphological operation needs to know, checked: see `plan_morph` for the words."""

    operation: str
    element: Element | tuple[int, ...]
    border: str = "none"
    value: float = 0.0
    alpha: str = "premultiply"
    depth: str = "same"
    background: Colour | None = None

    @property
    def name(self) -> str:
        """For file names: the operation."""
        return self.operation


def plan_morph(
    operation: str,
    *,
    size: int | Sequence[int] | None = None,
    element: Any = None,
    border: str = "none",
    value: float = 0.0,
    alpha: str = "premultiply",
    depth: str = "same",
    axes: str = "yx",
    background: Colour | None = None,
) -> MorphPlan:
    """Check the words of a morphological operation and return its plan.

    Parameters
    ----------
    operation, size, element, border, value
        As in `convcli.morph2d`.
    alpha, depth : str
        One of `ALPHA`, `DEPTHS`.
    axes : str
        ``yx`` for pictures, ``zyx`` for volumes (`convcli.jobs.volume_steps`), ``x`` for signals
        (`convcli.jobs.signal_steps`): pictures one row high.
    background : three floats, optional
        As in `convcli.jobs.filter.plan_filter`.

    Raises
    ------
    ConvcliError
        For a word that is none of those allowed, or an element that cannot be used.
    """
    check_policies(alpha, depth, axes, background)
    if not np.isfinite(value):
        raise ConvcliError(f"value: got {value}, expected a finite number")
    found = as_element(None if size is None else counts_for(axes, size, "size"), element, max(len(axes), 2))
    height = found[0] if isinstance(found, tuple) else len(found)
    if axes == "x" and height > 1:
        raise ConvcliError(f"element: got {height} rows for a signal, expected one, as --size 9 or '1 1 0' have")
    words = resolve_operation(operation), found, resolve_outside(border, found)
    return MorphPlan(*words, value, alpha, depth, background)


def morph_image(image: Image, plan: MorphPlan, format: str | None = None) -> Produced:
    """Carry a morphological operation out on one picture; ``format`` is the one it will be written in.

    Raises `ConvcliError` (with the fix) when the picture cannot hold the border's value or the format the result.
    """

    def act(pixels: Array, weight: float) -> Array:
        return _morphed(pixels, plan, plan.operation, plan.value)

    def cover(alpha: Array) -> Array:
        # Beyond a constant border lies an opaque colour.
        return _morphed(alpha, plan, plan.operation, image.white)

    def extremum(stage: str, pixels: Array, value: float) -> Array:
        return _morphed(pixels, plan, stage, value)

    def choose(colour: Array, hidden: Array) -> Array:
        return morph_visible(colour, hidden, plan.operation, extremum, plan.value)

    steps = Colours(act, None if plan.operation in _DIFFERENCES else cover, lambda alpha: alpha, choose)
    return process(
        image, steps, plan.name, format, alpha=plan.alpha, depth=plan.depth, background=plan.background
    )  # fmt: skip


def _morphed(pixels: Array, plan: MorphPlan, operation: str, value: float) -> Array:
    stack = morph_stack(np.ascontiguousarray(pixels)[None, None], operation, plan.element, plan.border, value)
    return stack.reshape(pixels.shape)
