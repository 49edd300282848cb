"""Filtering volumes slab by slab: memory stays flat, and the result is that of the whole volume, to the bit.

A slab is a run of output planes. From the last kernel of the chain back to the first it is asked which planes each
needs, by the border's table of the *whole* volume; so borders, strides, dilations and chains cost no special case.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.geometry import Window
from convcli.images import Image
from convcli.images.volumes import Volume
from convcli.jobs.background import volume_on_background
from convcli.jobs.filter import FilterPlan, shaped
from convcli.jobs.pixels import OutputPolicy, extremes, finish, output_policy, stretched
from convcli.jobs.volume_batch import Progress
from convcli.kernels import Kernel
from convcli.ops.arguments import Array
from convcli.ops.borders import border_table
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import plan_correlation
from convcli.ops.responses import respond
from convcli.ops.stacks import Border, correlate_stack

_MOST_SLAB_BYTES = 512 << 20
# Arrays as large as its output that a kernel has at once: its sums, a pass before them, a second response, a temporary.
_ARRAYS = 4


@dataclass(frozen=True, eq=False)
class _Stage:
    """One kernel of the chain on the whole volume."""

    kernel: Kernel
    windows: tuple[Window, ...]
    table: Array  # source plane of each padded plane, -1 for the border's constant
    in_sizes: tuple[int, ...]
    out_sizes: tuple[int, ...]

    def sources(self, wanted: Array) -> Array:
        """The source planes (n, KD) under the windows of output planes (n)."""
        window = self.windows[0]
        taps = np.arange(window.kernel_size) * window.dilation
        sources: Array = self.table[wanted[:, None] * window.stride + taps]
        return sources


class VolumeFilter:
    """A volume and a plan brought together: what will come out is known, and nothing is read yet.

    Parameters
    ----------
    volume : Volume
        An open volume (D, H, W, C).
    plan : FilterPlan
        Made with ``axes="zyx"``.
    format : str or None
        The format that will be written, which limits the depth.
    slab_bytes : int, optional
        Memory for a slab; an eighth of the machine's, 512 MB at most. The result does not depend on it.

    Raises
    ------
    ConvcliError
        When no window fits, the volume has alpha that is not dropped, or the format cannot hold the result.
    """

    def __init__(
        self, volume: Volume, plan: FilterPlan, format: str | None = None, *, slab_bytes: int | None = None
    ) -> None:
        volume = volume_on_background(volume, plan.background)
        if volume.has_alpha and plan.alpha != "drop":
            fix = "add --background white or --alpha drop"
            raise ImageError(f"{volume.name}: has an alpha channel, expected a volume without; {fix}")
        self.volume, self.plan = volume, plan
        self.channels = volume.shape[3] - volume.has_alpha
        self.stages = _stages(volume.shape[:3], plan)
        self.policy = _policy(volume, plan, format)
        self.policy.check(1, False)
        depth, height, width = self.stages[-1].out_sizes
        self.shape = (depth, height, width, self.channels)
        budget = slab_bytes or _slab_bytes()
        # Neighbouring slabs share planes: where those are the larger part, twice the memory saves most of the work.
        self.slab = self._planes_per_slab(budget)
        if self.slab < self.stages[0].windows[0].effective:
            self.slab = self._planes_per_slab(2 * budget)
        self.dtype, self.stride = self.policy.dtype, plan.stride
        self.clipped = 0  # numbers, once the planes have been taken

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        depth = self.shape[0]
        passes = 2 if self.policy.range == "minmax" else 1
        between = None
        if passes == 2:
            low, high = np.inf, -np.inf
            for wanted in self._slabs():
                slab_low, slab_high = extremes(shaped(self._response(len(self.stages) - 1, wanted), self.plan))
                low, high = min(low, slab_low), max(high, slab_high)
                progress(int(wanted[-1]) + 1, 2 * depth)
            between = low, high
        self.clipped = 0
        for wanted in self._slabs():
            pixels, clipped = self._pixels(wanted, between)
            self.clipped += clipped
            yield from pixels
            progress((passes - 1) * depth + int(wanted[-1]) + 1, passes * depth)

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        share = self.clipped / int(np.prod(self.shape, dtype=object))
        details = {"kernel": self.plan.name, "range": self.policy.range, "clipped": round(share, 6)}
        return (*self.policy.warnings, *self.policy.clipping_warning(share)), details

    def _slabs(self) -> Iterator[Array]:
        for first in range(0, self.shape[0], self.slab):
            yield np.arange(first, min(first + self.slab, self.shape[0]))

    def _pixels(self, wanted: Array, between: tuple[float, float] | None) -> tuple[Array, int]:
        """Output planes (n, OH, OW, C) as they are written, and how many of their numbers were clipped."""
        plan, policy, stage = self.plan, self.policy, self.stages[-1]
        direct = plan.activation in ("none", "linear") and policy.gain == 1 and policy.range != "minmax"
        if direct and len(self.stages) == 1 and stage.kernel.combine == "single":
            source, windows, border = self._under(0, wanted)
            way = plan_correlation(stage.kernel.weights, source.dtype)
            bias = plan.bias + policy.offset
            slab, clipped = correlate_stack(
                source[None], way, windows, border, store=policy.store, scale=plan.scale, bias=bias
            )
            return slab[0], clipped
        response = shaped(self._response(len(self.stages) - 1, wanted), plan)
        if between is not None:
            return finish(stretched(response, between, policy.white_in), replace(policy, range="clip"))
        return finish(response, policy)

    def _response(self, index: int, wanted: Array) -> Array:
        """Output planes (n, OH, OW, C) of one kernel of the chain, in floats."""
        source, windows, border = self._under(index, wanted)
        response: Array = respond(source[None], self.stages[index].kernel, windows, border, self.policy.working)[0]
        return response

    def _under(self, index: int, wanted: Array) -> tuple[Array, tuple[Window, ...], Border]:
        """The source planes under the windows of output planes, each once, and how the windows find them."""
        stage = self.stages[index]
        sources = stage.sources(wanted)
        needed = np.unique(sources[sources >= 0])
        needed = needed if needed.size else np.zeros(1, np.int64)  # windows that see the constant alone
        held = self._response(index - 1, needed) if index else self._read(needed)
        planes = np.where(sources < 0, -1, np.searchsorted(needed, sources)).reshape(-1)
        # Each window's planes one behind the other: no stride, dilation or padding along depth is left.
        along = Window(stage.windows[0].kernel_size, stride=stage.windows[0].kernel_size)
        return held, (along, *stage.windows[1:]), replace(self.plan.border, planes=planes)

    def _read(self, indices: Array) -> Array:
        planes = self.volume.planes(indices)
        return np.ascontiguousarray(planes[..., : self.channels])

    def _planes_per_slab(self, budget: int) -> int:
        depth = self.shape[0]
        planes = 1
        while planes < depth and self._bytes(min(2 * planes, depth)) <= budget:
            planes *= 2
        step = planes // 2
        while step:
            if planes + step <= depth and self._bytes(planes + step) <= budget:
                planes += step
            step //= 2
        return min(planes, depth)

    def _bytes(self, planes: int) -> int:
        """An upper bound of the memory that a slab of so many output planes takes."""
        working = np.dtype(self.policy.working).itemsize
        total = 0
        for index in reversed(range(len(self.stages))):
            stage = self.stages[index]
            depth = stage.windows[0]
            across = max(stage.in_sizes[1] * stage.in_sizes[2], stage.out_sizes[1] * stage.out_sizes[2])
            total += planes * across * self.channels * working * _ARRAYS
            planes = min((planes - 1) * depth.stride + depth.effective, stage.in_sizes[0])
        in_plane = self.volume.shape[1] * self.volume.shape[2] * self.volume.shape[3]
        return total + planes * in_plane * self.volume.dtype.itemsize


def _stages(sizes: tuple[int, ...], plan: FilterPlan) -> tuple[_Stage, ...]:
    stages = []
    for index, kernel in enumerate(plan.kernels):
        stride = plan.stride if index == len(plan.kernels) - 1 else 1
        windows = correlation_windows(sizes, kernel.planes[0].shape, stride, plan.padding, plan.dilation)
        table = border_table(sizes[0], (windows[0].before, windows[0].after), plan.border.name)
        out_sizes = tuple(window.output(n) for window, n in zip(windows, sizes, strict=True))
        stages.append(_Stage(kernel, windows, table, sizes, out_sizes))
        sizes = out_sizes
    return tuple(stages)


def _policy(volume: Volume, plan: FilterPlan, format: str | None) -> OutputPolicy:
    voxel = Image(np.zeros((1, 1, 1), volume.dtype))
    return output_policy(
        voxel, format, plan.depth, plan.range, zero_sum=plan.zero_sum, is_angle=plan.is_angle, linear=False
    )


def _slab_bytes() -> int:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on this system
        return _MOST_SLAB_BYTES
    return min(memory // 8, _MOST_SLAB_BYTES)
