"""Pool, pad and morph of volumes, slab by slab: memory stays flat, and the bits are those of the whole volume.

A slab is a run of output planes. Each operation asks which planes of the volume it needs for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

from convcli.errors import ImageError, ShapeError
from convcli.images import Image
from convcli.images.volumes import Volume
from convcli.jobs.background import volume_on_background
from convcli.jobs.colours import stored
from convcli.jobs.morph import MorphPlan
from convcli.jobs.pad import PadPlan
from convcli.jobs.pixels import OutputPolicy, output_policy
from convcli.jobs.pool import PoolPlan
from convcli.jobs.volume_batch import Progress
from convcli.ops.arguments import Array
from convcli.ops.borders import border_table
from convcli.ops.morphology import Beyond, beyond_border, difference, reach, slide
from convcli.ops.ordering import as_ordered
from convcli.ops.padding import pad_stack
from convcli.ops.pooling_axes import adaptive_axes, sliding_axes
from convcli.ops.pooling_runs import pool_stack

# For the planes of a slab, with those it is made from; what lies between may take a few times as much.
_SLAB_BYTES = 64 << 20


class _Volume:
    """What the operations share: the channels that are taken, the depth, the counting of clipped numbers."""

    def __init__(
        self, volume: Volume, plan: PoolPlan | MorphPlan | PadPlan, alpha: str, depth: str, format: str | None
    ) -> None:
        volume, name = volume_on_background(volume, plan.background), plan.name
        if volume.has_alpha and alpha != "drop":
            fix = "add --background white" + ("" if alpha == "keep" else " or --alpha drop")
            raise ImageError(f"{volume.name}: has an alpha channel, expected a volume without; {fix}")
        self.volume, self.name = volume, name
        self.channels = volume.shape[3] - volume.has_alpha
        voxel = Image(np.zeros((1, 1, 1), volume.dtype))
        self.policy: OutputPolicy = output_policy(
            voxel, format, depth, "auto", zero_sum=False, is_angle=False, linear=False
        )
        self.policy.check(1, False)
        self.dtype = self.policy.dtype
        self.clipped = 0
        self.shape: tuple[int, int, int, int] = (*volume.shape[:3], self.channels)
        self.stride: tuple[float, ...] = (1, 1, 1)

    def read(self, indices: Array) -> Array:
        """Planes (n, H, W, C) of the volume, alpha left out."""
        return np.ascontiguousarray(self.volume.planes(indices)[..., : self.channels])

    def emit(self, slab: Array) -> Iterator[Array]:
        """The planes of a result in input units as they are written."""
        pixels, clipped = stored(slab, self.policy)
        self.clipped += clipped
        yield from pixels

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        share = self.clipped / int(np.prod(self.shape, dtype=object))
        clipping = self.policy.clipping_warning(share, has_range=False)
        return (*self.policy.warnings, *clipping), {"operation": self.name, "clipped": round(share, 6)}

    def slabs(self, planes_each: int, progress: Progress) -> Iterator[tuple[int, int]]:
        """First and end of each slab; progress is told after each."""
        depth = self.shape[0]
        for first in range(0, depth, planes_each):
            end = min(first + planes_each, depth)
            yield first, end
            progress(end, depth)

    def plane_bytes(self) -> int:
        """Of one input plane."""
        return int(np.prod(self.volume.shape[1:], dtype=object)) * self.volume.dtype.itemsize


class VolumePool(_Volume):
    """Pooling, made with a plan of three axes. A window over all planes needs them all at once."""

    def __init__(self, volume: Volume, plan: PoolPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, plan.alpha, plan.depth, format)
        self.plan = plan
        sizes = volume.shape[:3]
        if plan.size is None:
            self.axes = adaptive_axes(sizes, plan.output_size or 1)
            self.stride = tuple(n / len(axis.table) for n, axis in zip(sizes, self.axes, strict=True))
        else:
            self.axes = sliding_axes(sizes, plan.size, plan.stride, plan.padding, plan.dilation, plan.ceil_mode)
            self.stride = plan.stride or plan.size
        depth, height, width = (len(axis.table) for axis in self.axes)
        self.shape = (depth, height, width, self.channels)

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        plan, (depth, *others) = self.plan, self.axes
        self.clipped = 0
        planes_each = max(_SLAB_BYTES // (self.plane_bytes() * max(ceil(self.stride[0]), 1)), 1)
        for first, end in self.slabs(planes_each, progress):
            part, begin, finish = depth.part(first, end)
            source = self.read(np.arange(begin, finish))[None]
            drawn = first * int(np.prod(self.shape[1:]))
            slab = pool_stack(
                source, (part, *others), plan.mode, plan.count_include_pad, plan.p, plan.seed, drawn=drawn
            )
            yield from self.emit(slab[0])


class VolumePad(_Volume):
    """Padding, made with a plan of three axes."""

    def __init__(self, volume: Volume, plan: PadPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, "keep", "same", format)
        if len(plan.value) not in (1, self.channels):
            raise ShapeError(f"value: got {len(plan.value)} numbers, expected 1 or {self.channels} for this volume")
        self.plan = plan
        depth, height, width = (
            n + before + after for n, (before, after) in zip(volume.shape[:3], plan.amounts, strict=True)
        )
        self.shape = (depth, height, width, self.channels)

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        plan = self.plan
        sources = border_table(self.volume.shape[0], plan.amounts[0], plan.mode)
        # One pixel, padded to a plane: what a plane beyond the border looks like.
        corner = pad_stack(
            np.zeros((1, 1, 1, 1, self.channels), self.dtype), ((1, 0), (0, 0), (0, 0)), "constant", plan.value
        )
        beyond = np.broadcast_to(corner[0, 0], self.shape[1:])
        planes_each = max(_SLAB_BYTES // (2 * self.plane_bytes()), 1)
        for first, end in self.slabs(planes_each, progress):
            under = sources[first:end]
            needed = np.unique(under[under >= 0])
            if needed.size:
                held = pad_stack(self.read(needed)[None], ((0, 0), *plan.amounts[1:]), plan.mode, plan.value)[0]
            for source in under:
                yield beyond if source < 0 else held[np.searchsorted(needed, source)]


@dataclass(frozen=True, eq=False)
class _Stage:
    """One extremum of a morphological operation; ``before`` is the stage whose result it looks at."""

    largest: bool
    before: "_Stage | None" = None


@dataclass(frozen=True, eq=False)
class _Recipe:
    """A morphological operation as stages: ``upper``, or ``upper - lower`` where there are two; None: the volume."""

    upper: _Stage | None
    lower: _Stage | None = None
    is_difference: bool = field(default=False)


_ERODE, _DILATE = _Stage(False), _Stage(True)
_OPEN, _CLOSE = _Stage(True, _ERODE), _Stage(False, _DILATE)
_RECIPES = {
    "dilate": _Recipe(_DILATE),
    "erode": _Recipe(_ERODE),
    "open": _Recipe(_OPEN),
    "close": _Recipe(_CLOSE),
    "gradient": _Recipe(_DILATE, _ERODE, True),
    "tophat": _Recipe(None, _OPEN, True),
    "blackhat": _Recipe(_CLOSE, None, True),
}


class VolumeMorph(_Volume):
    """Grey morphology, made with a plan of three axes."""

    def __init__(self, volume: Volume, plan: MorphPlan, format: str | None = None) -> None:
        super().__init__(volume, plan, plan.alpha, plan.depth, format)
        self.plan = plan
        self.recipe = _RECIPES[plan.operation]
        self.beyond: Beyond = beyond_border(plan.border, plan.value, volume.dtype)
        if isinstance(plan.element, tuple):
            # What is two volumes away has been seen before, in any border.
            self.kernel_z = min(plan.element[0], 4 * volume.shape[0] + 1)
        else:
            self.kernel_z = plan.element.shape[0]

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (H, W, C) in order."""
        self.clipped = 0
        planes_each = max(_SLAB_BYTES // self.plane_bytes(), 1)
        for first, end in self.slabs(planes_each, progress):
            wanted = np.arange(first, end)
            upper = self._stage(self.recipe.upper, wanted)
            if self.recipe.is_difference:
                slab = difference(upper, self._stage(self.recipe.lower, wanted), self.volume.dtype)
            else:
                slab = upper  # the dtypes of volumes are their own order
            yield from self.emit(slab)

    def _stage(self, stage: _Stage | None, wanted: Array) -> Array:
        """Planes (n, H, W, C) of a stage's result; ``wanted`` rises, and each run of neighbours is done at once."""
        if stage is None:
            return as_ordered(self.read(wanted))[0]
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1)
        return np.concatenate([self._run(stage, int(run[0]), int(run[-1]) + 1) for run in runs])

    def _run(self, stage: _Stage, first: int, end: int) -> Array:
        before, after = reach(self.kernel_z, stage.largest)
        sources = border_table(self.volume.shape[0], (before, after), self.beyond.border)[first : end + before + after]
        needed = np.unique(sources[sources >= 0])
        held = self._stage(stage.before, needed)
        slab = held[np.searchsorted(needed, np.maximum(sources, needed[0]))]
        slab[sources < 0] = self.beyond.value(slab.dtype, stage.largest)
        shape = self.plan.element
        if isinstance(shape, tuple):
            shape = (self.kernel_z, *shape[1:])
        elif stage.largest:
            shape = np.flip(shape)
        # Planes at either end lack neighbours, but those are the ones cut off.
        return slide(slab[None], shape, stage.largest, self.beyond)[0, before : before + end - first]
