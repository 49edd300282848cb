"""Padding pictures, volumes and signals: a checked plan, then work that fails only on values the input cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, FileError, ShapeError
from convcli.geometry import PaddingSpec, Pair, Placement
from convcli.images import Image, holds
from convcli.images.depth import in_numbers
from convcli.images.signal_model import Signal
from convcli.images.volume_model import Volume
from convcli.jobs.axes import OperationPlan
from convcli.jobs.background import Colour, check_background, on_background, parse_colour
from convcli.jobs.batch import Produced
from convcli.jobs.signals import SignalResult, fitted
from convcli.jobs.volumes import VolumeWork
from convcli.ops.arguments import Array
from convcli.ops.borders import Part, border_table
from convcli.ops.padding import pad_stack, resolve_amounts, resolve_pad_mode


@dataclass(frozen=True, kw_only=True)
class PadPlan(OperationPlan):
    """Everything a padding needs to know, checked: see `plan_pad` for the words. Alpha is padded like a colour."""

    amounts: tuple[Pair, ...]
    mode: str = "constant"
    value: tuple[float, ...] = (0.0,)
    colour: Colour | None = None  # in the place of a value
    alpha: str = "keep"

    @property
    def name(self) -> str:
        """For file names."""
        return "pad"

    def values(self, channels: int, carrier: str, *, has_alpha: bool = False, white: float = 1.0) -> tuple[float, ...]:
        """The constant of each channel, for one that may be given once; raises `ShapeError` for another number."""
        colours = channels - has_alpha
        if self.colour is not None:
            if colours not in (1, 3) or (colours == 1 and len(set(self.colour)) > 1):
                kind = "a grey" if colours == 1 else f"{colours} channels of this"
                raise ShapeError(f"value: got a colour for {kind} {carrier}, expected a number, white or black")
            return tuple(round(each * white) if white > 1 else each for each in self.colour[:colours])
        allowed = (1, colours, channels) if has_alpha else (1, colours)
        if len(self.value) not in allowed:
            *first, last = allowed
            expected = f"{', '.join(map(str, first))} or {last}"
            raise ShapeError(f"value: got {len(self.value)} numbers, expected {expected} for this {carrier}")
        return self.value * colours if len(self.value) == 1 else self.value


def plan_pad(
    amount: PaddingSpec,
    *,
    mode: str = "constant",
    value: float | Sequence[float] | str = 0.0,
    axes: str = "yx",
    background: Colour | None = None,
) -> PadPlan:
    """Check the words of a padding and return its plan; they are those of `convcli.pad2d`, or with zyx of `pad3d`, and
    with x a signal is padded before its first sample and after its last.

    One ``value`` stands for every colour channel, and alpha is then opaque; or there is one for each channel; or it is
    the name of a colour, as ``white`` or ``#fff``, for pictures. The
    ``background`` is as in `convcli.jobs.filter.plan_filter`.

    Raises `ConvcliError` for a word that is none of those allowed.
    """
    colour = None
    if isinstance(value, str):
        colour, value = parse_colour(value, "value", "a number, one per channel as in 255,0,0, or "), 0.0
        if axes != "yx":
            raise ConvcliError("value: got a colour, expected numbers: colours are for pictures, --each-plane too")
    values: tuple[float, ...] = tuple(value) if isinstance(value, Sequence) else (value,)  # type: ignore[arg-type]
    if not values or not all(np.isfinite(each) for each in values):
        raise ConvcliError(f"value: got {value!r}, expected a finite number, or one per channel")
    check_background(background, "keep", axes)
    amounts, mode = resolve_amounts(amount, len(axes)), resolve_pad_mode(mode)
    return PadPlan(amounts=amounts, mode=mode, value=values, colour=colour, axes=axes, background=background)


def pad_image(image: Image, plan: PadPlan, format: str | None = None) -> Produced:
    """Pad one picture as planned; ``format`` is the one it will be written in.

    Raises `ConvcliError` when the picture cannot hold the value, or the format the result.
    """
    channels = image.pixels.shape[2]
    value = plan.values(channels, "picture", has_alpha=image.has_alpha, white=image.white)
    value = (*value, image.white) if len(value) < channels else value
    source, numbers = image.pixels, image.numbers
    if plan.colour is not None and numbers is not None and numbers.kind != "b":
        raise ShapeError(f"value: got a colour for {numbers}, whose white nobody knows, expected a number")
    if numbers is not None and not (numbers.kind == "b" and format and holds(format, numbers, channels, False)):
        source = in_numbers(source, numbers)
    pixels = pad_stack(source[None, None], ((0, 0), *plan.amounts), plan.mode, value)[0, 0]
    down, across = (Placement(start=-before) for before, _ in plan.amounts)
    padded = replace(image, pixels=pixels, numbers=None, warnings=(), placement=(down, across))
    result = on_background(padded, plan.background)
    reason = format and holds(format, result.pixels.dtype, result.pixels.shape[2], result.has_alpha)
    if reason:
        fix = "add --background white, or write .png" if result.has_alpha else "write .png, .tiff or .npy"
        raise FileError(f"{reason}; {fix}")
    details: dict[str, Any] = {"operation": plan.name}
    return Produced(result, image.warnings, details)


class VolumePad(VolumeWork):
    """Padding of a volume, slab by slab."""

    arrays = 2

    def __init__(self, volume: Volume, plan: PadPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, format)
        plan.values(self.channels, "volume")
        self.plan = plan
        depth, height, width = (
            n + before + after for n, (before, after) in zip(volume.shape[:3], plan.amounts, strict=True)
        )
        self.shape = (depth, height, width, self.channels)
        self.places = tuple(Placement(start=-before) for before, _ in plan.amounts)
        self.tables = [
            border_table(n, amount, plan.mode) for n, amount in zip(volume.shape, plan.amounts, strict=False)
        ]

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        return Part.of(self.tables[axis][wanted.start : wanted.stop]).wanted

    def box(self, planes: range, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written."""
        ranges = (planes, rows, columns)
        parts = [Part.of(table[run.start : run.stop]) for table, run in zip(self.tables, ranges, strict=True)]
        if (rows, columns) == self.whole and self._held is None:  # the loop repeats pixels faster
            held = self.policy.as_written(self.read(parts[0].wanted))
            held = pad_stack(held[None], ((0, 0), *self.plan.amounts[1:]), self.plan.mode, self.plan.value)[0]
            parts[1:] = [Part(np.zeros(1, np.int64))] * 2
        else:
            held = self.policy.as_written(self.read(*(part.wanted for part in parts)))
        for axis, part in enumerate(parts):
            held = part.repeated(held, axis)
        around = tuple((part.before, part.after) for part in parts)
        if any(map(any, around)):
            held = pad_stack(np.ascontiguousarray(held)[None], around, "constant", self.plan.value)[0]
        return held[tuple(slice(len(run)) for run in ranges)]


def pad_signal(signal: Signal, plan: PadPlan) -> SignalResult:
    """Pad a signal: samples before its first and after its last; raises `ShapeError` as `PadPlan.values`."""
    value, (amount,) = plan.values(signal.samples.shape[1], "signal"), plan.amounts
    samples = pad_stack(signal.samples[None, None, None], ((0, 0), (0, 0), amount), plan.mode, value)[0, 0, 0]
    return fitted(signal, samples, np.arange(len(samples)) - amount[0], 1, operation=plan.name)
