"""Pooling one picture: a validated plan, then array work that fails only where a window does not fit the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Placement, Window, windows_of
from convcli.images import Image
from convcli.jobs.axes import counts_for, padding_for
from convcli.jobs.background import Colour
from convcli.jobs.batch import Produced
from convcli.jobs.colours import Colours, check_policies, process
from convcli.jobs.visible import medians_visible, without
from convcli.ops.arguments import Array
from convcli.ops.pooling import adaptive_pool2d, check_global, pool2d
from convcli.ops.pooling_axes import PoolingAxis, adaptive_axes, sliding_axes
from convcli.ops.pooling_runs import CHOOSING, check_mode


@dataclass(frozen=True)
class PoolPlan:
    """Everything a pooling needs to know, checked: see `plan_pool` for the words.

    Windows either have a ``size`` and slide, or there are ``output_size`` of them along each axis, which share the
    picture out.
    """

    size: tuple[int, ...] | None
    output_size: tuple[int, ...] | None = None
    mode: str = "max"
    stride: tuple[int, ...] | None = None
    padding: PaddingSpec = "valid"
    dilation: tuple[int, ...] = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = False
    p: float = 2.0
    seed: int = 0
    alpha: str = "premultiply"
    depth: str = "same"
    background: Colour | None = None

    @property
    def name(self) -> str:
        """For file names: ``max-pool``."""
        return f"{self.mode}-pool"


def plan_pool(
    size: int | Sequence[int] | str | None = None,
    *,
    adaptive: int | Sequence[int] | None = None,
    mode: str = "max",
    stride: int | Sequence[int] | None = None,
    padding: PaddingSpec = "valid",
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    p: float = 2.0,
    seed: int = 0,
    alpha: str = "premultiply",
    depth: str = "same",
    axes: str = "yx",
    background: Colour | None = None,
) -> PoolPlan:
    """Check the words of a pooling and return its plan.

    Parameters
    ----------
    size, mode, stride, padding, dilation, ceil_mode, count_include_pad, p, seed
        As in `convcli.pool2d`.
    adaptive : int or sequence of int, optional
        Windows along each axis, instead of ``size``: the ``output_size`` of `convcli.adaptive_pool2d`.
    alpha, depth : str
        One of `ALPHA`, `DEPTHS`.
    axes : str
        ``yx`` for pictures, ``zyx`` for volumes (`convcli.jobs.volume_steps`), ``x`` for signals
        (`convcli.jobs.signal_pool`).
    background : three floats, optional
        As in `convcli.jobs.filter.plan_filter`.

    Raises
    ------
    ConvcliError
        For a word that is none of those allowed, or that does not go with the others.
    """
    check_policies(alpha, depth, axes, background)
    if (size is None) == (adaptive is None):
        raise ShapeError(f"size: got {size!r} with adaptive {adaptive!r}, expected one of them")
    if isinstance(size, str):
        if size.lower() != "global":
            raise ShapeError(f"size: got {size!r}, expected whole numbers or 'global'")
        check_global(stride, padding, dilation, ceil_mode)
        size, adaptive = None, 1
    elif adaptive is not None:
        check_global(stride, padding, dilation, ceil_mode, why="adaptive windows")
        if count_include_pad:
            raise ShapeError("count_include_pad: got True with adaptive windows, expected False: they have no padding")
    return PoolPlan(
        size=None if size is None else counts_for(axes, size, "size"),
        output_size=None if adaptive is None else counts_for(axes, adaptive, "adaptive"),
        mode=check_mode(mode, count_include_pad, p, seed),
        stride=None if stride is None else counts_for(axes, stride, "stride"),
        padding=padding_for(axes, padding),
        dilation=counts_for(axes, dilation, "dilation"),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        p=p,
        seed=seed,
        alpha=alpha,
        depth=depth,
        background=background,
    )


def pool_image(image: Image, plan: PoolPlan, format: str | None = None) -> Produced:
    """Pool one picture as planned; ``format`` is the one it will be written in, which limits its depth.

    Raises `ConvcliError` (with the fix) when no window fits the picture or the format cannot hold the result.
    """

    def act(pixels: Array, weight: float) -> Array:
        return pooled(pixels, plan)

    def cover(alpha: Array) -> Array:
        # Padding is opaque: it darkens colour, not alpha.
        return pooled(alpha, replace(plan, count_include_pad=False))

    def sample(alpha: Array) -> Array:
        return _sampled(alpha, plan)

    def choose(colour: Array, hidden: Array) -> Array:
        return _pooled_visible(colour, hidden, plan)

    steps = Colours(act, cover, sample, choose if plan.mode in CHOOSING else None)
    produced = process(
        image, steps, plan.name, format, alpha=plan.alpha, depth=plan.depth, background=plan.background
    )  # fmt: skip
    return replace(produced, image=replace(produced.image, placement=_placement(image.pixels.shape[:2], plan)))


def pooled(pixels: Array, plan: PoolPlan) -> Array:
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
        return pooled(without(colour, hidden, plan.mode == "max"), plan)
    # Among pixels that are all black any is as good as another; else black has no chance.
    chosen = pooled(np.where(hidden, colour.dtype.type(0), colour), plan)
    if plan.mode == "median":
        medians_visible(colour, hidden, _axes(colour.shape[:2], plan), chosen)
    return chosen


def _axes(sizes: tuple[int, ...], plan: PoolPlan) -> tuple[PoolingAxis, ...]:
    if plan.size is None:
        return adaptive_axes(sizes, plan.output_size or 1)
    return sliding_axes(sizes, plan.size, plan.stride, plan.padding, plan.dilation, plan.ceil_mode)


def _placement(sizes: tuple[int, ...], plan: PoolPlan) -> tuple[Placement, Placement]:
    """Where the result's pixels lie on a picture of these sizes (H, W), along y and along x."""
    if plan.size is None:
        down, across = (Placement(n / len(axis.table)) for n, axis in zip(sizes, _shares(sizes, plan), strict=True))
    else:
        down, across = (Placement.of(window) for window in _windows(sizes, plan))
    return down, across


def _shares(sizes: tuple[int, ...], plan: PoolPlan) -> tuple[PoolingAxis, ...]:
    return adaptive_axes(sizes, plan.output_size or 1)


def _windows(sizes: tuple[int, ...], plan: PoolPlan) -> tuple[Window, ...]:
    assert plan.size is not None
    return windows_of(
        sizes, plan.size, stride=plan.stride or plan.size, padding=plan.padding, dilation=plan.dilation,
        ceil_mode=plan.ceil_mode,
    )  # fmt: skip


def _sampled(alpha: Array, plan: PoolPlan) -> Array:
    """Alpha (H, W, 1) at the middles of the windows: (OH, OW, 1), in its own dtype."""
    sizes = alpha.shape[:2]
    if plan.size is None:
        return alpha[np.ix_(*(axis.middles() for axis in _shares(sizes, plan)))]
    positions = []
    for window, n in zip(_windows(sizes, plan), sizes, strict=True):
        middle = np.arange(window.output(n)) * window.stride - window.before + (window.effective - 1) // 2
        positions.append(np.clip(middle, 0, n - 1))
    return alpha[np.ix_(*positions)]
