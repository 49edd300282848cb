"""Pooling pictures, volumes and signals: a checked plan, then work that fails only where a window does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Placement
from convcli.images import Image
from convcli.images.signal_model import Signal
from convcli.images.volume_model import Volume
from convcli.jobs.axes import OperationPlan, check_policies, counts_for, padding_for
from convcli.jobs.batch import Produced
from convcli.jobs.pictures import Colours, process, without
from convcli.jobs.signals import SignalResult, fitted, inexact
from convcli.jobs.volumes import VolumeWork
from convcli.ops.arguments import Array, known_windows
from convcli.ops.ordering import highest
from convcli.ops.pooling import adaptive_pool2d, check_global, pool2d
from convcli.ops.pooling_axes import Counts, PoolingAxis, adaptive_axes, sliding_axes
from convcli.ops.pooling_runs import CHOOSING, check_mode, pool_stack, takes_means

_MOST_NUMBERS = 1 << 22  # of windows with hidden pixels, looked at at a time


@dataclass(frozen=True, kw_only=True)
class PoolPlan(OperationPlan):
    """Everything a pooling needs to know, checked: see `plan_pool` for the words.

    Windows either have a ``size`` and slide, or there are ``output_size`` of them along each axis, which share the
    input out.
    """

    size: tuple[int, ...] | None = None
    output_size: tuple[int, ...] | None = None
    mode: str = "max"
    stride: tuple[int, ...] | None = None
    padding: PaddingSpec = "valid"
    dilation: Counts = 1
    ceil_mode: bool = False
    count_include_pad: bool = False
    p: float = 2.0
    seed: int = 0

    @property
    def name(self) -> str:
        """For file names: ``max-pool``."""
        return f"{self.mode}-pool"

    def axes_of(self, sizes: tuple[int, ...]) -> tuple[PoolingAxis, ...]:
        """The windows along each axis of an input; raises `ShapeError` where none fits."""
        if self.size is None:
            return adaptive_axes(sizes, self.output_size or 1)
        return sliding_axes(sizes, self.size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def places(self, sizes: tuple[int, ...]) -> list[tuple[Array, Placement]]:
        """Along each axis the cells in the middles of the windows, and where the result's cells lie on the input."""
        if self.size is None:
            axes = self.axes_of(sizes)
            return [(axis.middles(), Placement(n / len(axis.table))) for n, axis in zip(sizes, axes, strict=True)]
        windows = known_windows(
            sizes, self.size, stride=self.stride or self.size, padding=self.padding, dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )  # fmt: skip
        anchors = [each.anchors(n) for n, each in zip(sizes, windows, strict=True)]
        middles = (np.arange(each.start, each.stop, each.step) for each in anchors)
        return list(zip(middles, map(Placement.of, windows), strict=True))


def plan_pool(
    size: int | Sequence[int] | str | None = None, *, adaptive: int | Sequence[int] | None = None, **words: Any
) -> PoolPlan:
    """Check the words of a pooling and return its plan.

    Parameters
    ----------
    size : int, sequence of int or "global"
        As in `convcli.pool2d`.
    adaptive : int or sequence of int, optional
        Windows along each axis, instead of ``size``: the ``output_size`` of `convcli.adaptive_pool2d`.
    words
        ``mode, stride, padding, dilation, ceil_mode, count_include_pad, p, seed`` as in `convcli.pool2d`, and those of
        `convcli.jobs.axes.OperationPlan`.

    Raises
    ------
    ConvcliError
        For a word that is none of those allowed, or that does not go with the others.
    """
    plan = PoolPlan(**words)
    check_policies(plan)
    if (size is None) == (adaptive is None):
        raise ShapeError(f"size: got {size!r} with adaptive {adaptive!r}, expected one of them")
    if isinstance(size, str):
        if size.lower() != "global":
            raise ShapeError(f"size: got {size!r}, expected whole numbers or 'global'")
        check_global(plan.stride, plan.padding, plan.dilation, plan.ceil_mode)
        size, adaptive = None, 1
    elif adaptive is not None:
        check_global(plan.stride, plan.padding, plan.dilation, plan.ceil_mode, why="adaptive windows")
        if plan.count_include_pad:
            raise ShapeError("count_include_pad: got True with adaptive windows, expected False: they have no padding")
    return replace(
        plan,
        size=None if size is None else counts_for(plan.axes, size, "size"),
        output_size=None if adaptive is None else counts_for(plan.axes, adaptive, "adaptive"),
        mode=check_mode(plan.mode, plan.count_include_pad, plan.p, plan.seed),
        stride=None if plan.stride is None else counts_for(plan.axes, plan.stride, "stride"),
        padding=padding_for(plan.axes, plan.padding),
        dilation=counts_for(plan.axes, plan.dilation, "dilation"),
    )


def pool_image(image: Image, plan: PoolPlan, format: str | None = None) -> Produced:
    """Pool one picture as planned; ``format`` is the one it will be written in, which limits its depth.

    Raises `ConvcliError` (with the fix) when no window fits the picture or the format cannot hold the result.
    """
    sizes = image.pixels.shape[:2]

    def act(pixels: Array, weight: float) -> Array:
        return _pooled(pixels, plan)

    def cover(alpha: Array) -> Array:
        # Padding is opaque: it darkens colour, not alpha.
        return _pooled(alpha, replace(plan, count_include_pad=False))

    def sample(alpha: Array) -> Array:
        rows, columns = (np.clip(middle, 0, n - 1) for n, (middle, _) in zip(sizes, plan.places(sizes), strict=True))
        return np.asarray(alpha[np.ix_(rows, columns)])

    def choose(colour: Array, hidden: Array) -> Array:
        return _pooled_visible(colour, hidden, plan)

    def whole(pixels: Array) -> Array:
        axes = plan.axes_of((pixels.shape[0], pixels.shape[1]))
        given = (axes, plan.mode, plan.count_include_pad, plan.p, plan.seed)
        rounded: Array = pool_stack(pixels[None, None], *given, whole=True)[0, 0]
        return rounded

    steps = Colours(act, cover, sample, choose if plan.mode in CHOOSING else None, whole)
    produced = process(image, steps, plan, format)
    (_, down), (_, across) = plan.places(sizes)
    return replace(produced, image=replace(produced.image, placement=(down, across)))


class VolumePool(VolumeWork):
    """Pooling of a volume, slab by slab. A window over all planes needs them all at once."""

    def __init__(self, volume: Volume, plan: PoolPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, format)
        self.plan, self.axes = plan, plan.axes_of(volume.shape[:3])
        self.places = tuple(place for _, place in plan.places(volume.shape[:3]))
        depth, height, width = (len(axis.table) for axis in self.axes)
        self.shape = (depth, height, width, self.channels)
        self.arrays = max(ceil(self.places[0].step), 1)

    @property
    def cuttable(self) -> str | None:
        """See `Work.cuttable`."""
        return "numbers are drawn in the order of a plane's pixels" if self.plan.mode == "stochastic" else None

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        _, begin, end = self.axes[axis].part(wanted.start, wanted.stop)
        return np.arange(begin, end)

    def box(self, planes: range, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written; counts what is clipped."""
        plan, parts, wanted = self.plan, [], []
        for axis, run in zip(self.axes, (planes, rows, columns), strict=True):
            part, begin, end = axis.part(run.start, run.stop)
            parts.append(part)
            wanted.append(np.arange(begin, end))
        drawn = planes.start * int(np.prod(self.shape[1:]))
        means = takes_means(self.volume.dtype, self.axes)
        words: dict[str, Any] = {"drawn": drawn, "means": means}
        slab = pool_stack(
            self.read(*wanted)[None], tuple(parts), plan.mode, plan.count_include_pad, plan.p, plan.seed, **words
        )
        return self.emit(slab[0])


def pool_signal(signal: Signal, plan: PoolPlan) -> SignalResult:
    """Pool a signal; its samples then stand in the middles of their windows.

    Raises `ConvcliError` when no window fits.
    """
    if signal.samples.dtype.kind in "iu" and plan.mode not in CHOOSING:
        raise inexact(signal, plan.name)
    samples = _pooled(signal.samples[None], plan)[0]
    _, (positions, place) = plan.places((1, len(signal.samples)))
    return fitted(signal, samples, positions, place.step, operation=plan.name)


def _pooled(pixels: Array, plan: PoolPlan) -> Array:
    """Pixels (H, W, C) as planned, nothing clipped or rounded: (OH, OW, C)."""
    words: dict[str, Any] = {"mode": plan.mode, "p": plan.p, "seed": plan.seed}
    if plan.size is None:
        return adaptive_pool2d(pixels, plan.output_size or 1, **words)
    return pool2d(
        pixels, plan.size, stride=plan.stride, padding=plan.padding, dilation=plan.dilation, ceil_mode=plan.ceil_mode,
        count_include_pad=plan.count_include_pad, **words,
    )  # fmt: skip


def _pooled_visible(colour: Array, hidden: Array, plan: PoolPlan) -> Array:
    """Colour (H, W, C) chosen from the pixels of each window that are not hidden (H, W, 1): (OH, OW, C)."""
    if plan.mode in ("max", "min"):
        return _pooled(without(colour, hidden, plan.mode == "max"), plan)
    # Among pixels that are all black any is as good as another; else black has no chance.
    chosen = _pooled(np.where(hidden, colour.dtype.type(0), colour), plan)
    if plan.mode == "median":
        _correct_medians(colour, hidden, plan.axes_of(colour.shape[:2]), chosen)
    return chosen


def _correct_medians(colour: Array, hidden: Array, axes: tuple[PoolingAxis, ...], medians: Array) -> None:
    """Put the medians (OH, OW, C) of windows with hidden pixels (H, W, 1) right: of the pixels that can be seen."""
    pixels = without(colour, hidden, False)
    taps = [int(axis.table[:, 1].max()) for axis in axes]
    wide = max(_MOST_NUMBERS // (taps[0] * taps[1] * colour.shape[2]), 1)
    cells = np.stack(np.meshgrid(*(np.arange(len(axis.table)) for axis in axes), indexing="ij"), -1).reshape(-1, 2)
    for start in range(0, len(cells), wide):
        part = cells[start : start + wide]
        (y, inside_y), (x, inside_x) = (
            _places(axis, part[:, number], count) for number, (axis, count) in enumerate(zip(axes, taps, strict=True))
        )
        inside = inside_y[:, None] & inside_x[None]
        seen = inside & ~hidden[y[:, None], x[None], 0]
        wrong = (seen != inside).any((0, 1))
        if not wrong.any():
            continue
        y, x, inside, seen = y[:, wrong], x[:, wrong], inside[:, :, wrong], seen[:, :, wrong]
        values = np.where(inside[..., None], pixels[y[:, None], x[None]], highest(pixels.dtype))
        values = values.reshape(-1, *values.shape[2:])
        values.sort(axis=0)
        middle = np.maximum((seen.sum((0, 1)) - 1) // 2, 0)
        chosen = np.take_along_axis(values, middle[None, :, None], 0)[0]
        chosen[~seen.any((0, 1))] = 0
        medians[tuple(part[wrong].T)] = chosen


def _places(axis: PoolingAxis, windows: Array, count: int) -> tuple[Array, Array]:
    """For ``count`` taps of windows (n,): the cells (count, n) they see, and whether they do."""
    first, taps = axis.table[windows, 0], axis.table[windows, 1]
    tap = np.arange(count)[:, None]
    inside = tap < taps
    return np.where(inside, first + tap * axis.dilation, first), inside
