"""Padding one picture: a validated plan, then array work that fails only on a value the picture cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, ImageError, ShapeError
from convcli.geometry import PaddingSpec, Pair, Placement
from convcli.images import Image, holds
from convcli.jobs.background import Colour, check_background, on_background
from convcli.jobs.batch import Produced
from convcli.ops.padding import pad_stack, resolve_amounts, resolve_pad_mode


@dataclass(frozen=True)
class PadPlan:
    """Everything a padding needs to know, checked: see `plan_pad` for the words."""

    amounts: tuple[Pair, ...]
    mode: str = "constant"
    value: tuple[float, ...] = (0.0,)
    background: Colour | None = None

    @property
    def name(self) -> str:
        """For file names."""
        return "pad"


def plan_pad(
    amount: PaddingSpec,
    *,
    mode: str = "constant",
    value: float | Sequence[float] = 0.0,
    axes: str = "yx",
    background: Colour | None = None,
) -> PadPlan:
    """Check the words of a padding and return its plan; they are those of `convcli.pad2d`, or with zyx of `pad3d`, and
    with x a signal is padded before its first sample and after its last.

    One ``value`` stands for every colour channel, and alpha is then opaque; or there is one for each channel. The
    ``background`` is as in `convcli.jobs.filter.plan_filter`.

    Raises `ConvcliError` for a word that is none of those allowed.
    """
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    if not values or not all(np.isfinite(each) for each in values):
        raise ConvcliError(f"value: got {value!r}, expected a finite number, or one per channel")
    check_background(background, "keep", axes)
    return PadPlan(resolve_amounts(amount, len(axes)), resolve_pad_mode(mode), values, background)


def pad_image(image: Image, plan: PadPlan, format: str | None = None) -> Produced:
    """Pad one picture as planned; ``format`` is the one it will be written in.

    Raises `ConvcliError` when the picture cannot hold the value, or the format the result.
    """
    channels = image.pixels.shape[2]
    colours = channels - image.has_alpha
    if len(plan.value) not in (1, colours, channels):
        expected = f"1 or {colours}" if channels == colours else f"1, {colours} or {channels}"
        raise ShapeError(f"value: got {len(plan.value)} numbers, expected {expected} for this picture")
    value = plan.value * colours if len(plan.value) == 1 else plan.value
    value = (*value, image.white) if len(value) < channels else value
    pixels = pad_stack(image.pixels[None, None], ((0, 0), *plan.amounts), plan.mode, value)[0, 0]
    down, across = (Placement(start=-before) for before, _ in plan.amounts)
    padded = replace(image, pixels=pixels, warnings=(), placement=(down, across))
    result = on_background(padded, plan.background)
    reason = format and holds(format, result.pixels.dtype, result.pixels.shape[2], result.has_alpha)
    if reason:
        fix = "add --background white, or write .png" if result.has_alpha else "write .png, .tiff or .npy"
        raise ImageError(f"{reason}; {fix}")
    details: dict[str, Any] = {"operation": plan.name}
    return Produced(result, image.warnings, details)
