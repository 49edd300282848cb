"""Filtering volumes slab by slab.

From the last kernel of the chain back to the first it is asked which planes each needs for a slab, by the border's
table of the *whole* volume; so borders, strides, dilations and chains cost no special case.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from convcli.budget import machine_memory, memory_limit
from convcli.geometry import Window
from convcli.images.volume_model import Volume
from convcli.jobs.filter import FilterPlan, respond_in_pixels, shaped
from convcli.jobs.links import placed
from convcli.jobs.output_policy import extremes, finish
from convcli.jobs.volumes import Between, Progress, Ranges, VolumeWork
from convcli.ops.arguments import Array
from convcli.ops.borders import Part, border_table, runs_in
from convcli.ops.plan import plan_correlation
from convcli.ops.responses import Ways, respond
from convcli.ops.stacks import LEAN, way_of_whole
from convcli.ops.sums import Border, Correlation, Store

_MOST_SLAB_BYTES = 512 << 20
_REGION_BYTES = 128 << 20  # of the sums of a part of a volume, of which others are made at the same time
# Arrays as large as its output that a kernel has at once: its sums, a pass before them, a second response, a temporary.
_ARRAYS = 4


class VolumeFilter(VolumeWork):
    """A volume and a plan made with ``axes="zyx"``.

    A slab takes ``slab_bytes``, or an eighth of the machine's memory, 512 MB at most; the result does not depend on it.
    """

    def __init__(
        self, volume: Volume, plan: FilterPlan, format: str | None = None, *, slab_bytes: int | None = None
    ) -> None:
        super().__init__(volume, plan, format, range=plan.range, **plan.signs)
        self.plan, self.links = plan, plan.links(volume.shape[:3])
        self.tables = [  # along each axis the source position of each padded one, -1 for the border's constant
            [
                border_table(n, (window.before, window.after), plan.border.name)
                for n, window in zip(link.sizes, link.windows, strict=True)
            ]
            for link in self.links
        ]
        depth, height, width = self.links[-1].out_sizes
        self.shape = (depth, height, width, self.channels)
        self.places = placed(self.links)
        budget = slab_bytes or min(machine_memory() // 8, _MOST_SLAB_BYTES, memory_limit() // 2) // volume.beside
        # Neighbouring slabs share planes: where those are the larger part, twice the memory saves most of the work.
        self.slab = self._planes_per_slab(budget)
        if self.slab < self.links[0].windows[0].effective:
            self.slab = self._planes_per_slab(2 * budget)

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        depth = self.shape[0]
        passes = 2 if self.wants_extremes else 1
        if passes == 2:
            low, high = np.inf, -np.inf
            for wanted in self._wanted():
                slab_low, slab_high = self._extremes(wanted, *self.whole)
                low, high = min(low, slab_low), max(high, slab_high)
                progress(int(wanted[-1]) + 1, 2 * depth)
            self.between = {0: (low, high)}
        self.clipped = 0
        for wanted in self._wanted():
            yield from self._pixels(wanted, *self.whole)
            progress((passes - 1) * depth + int(wanted[-1]) + 1, passes * depth)

    def box(self, planes: range, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written; counts what is clipped."""
        return self._pixels(np.arange(planes.start, planes.stop), rows, columns)

    @property
    def wants_extremes(self) -> bool:  # type: ignore[override]
        """See `Work.wants_extremes`."""
        return self.policy.range == "minmax"

    def extremes(self, ranges: Ranges) -> Between:
        """See `Work.extremes`."""
        found = [self._extremes(np.arange(run.start, run.stop), *ranges[1:]) for run in self.runs(ranges)]
        return {0: (min(low for low, _ in found), max(high for _, high in found))}

    def _extremes(self, wanted: Array, rows: range, columns: range) -> tuple[float, float]:
        response = self._response(len(self.links) - 1, wanted, rows, columns)
        return extremes(shaped(response.astype(self.policy.working, copy=False), self.plan))

    def planes_at_once(self, rows: range, columns: range) -> int:
        """Of so many planes of a region the sums are in memory at a time."""
        if self._is_lean:
            return int(max(min(_REGION_BYTES, memory_limit() // 4) // self.sums_bytes(1, rows, columns), 1))
        share = (len(rows) * len(columns)) / (self.shape[1] * self.shape[2])
        return self._planes_per_slab(int(min(_REGION_BYTES, memory_limit() // 4) / share))

    def sums_bytes(self, planes: int, rows: range, columns: range) -> int:
        """See `VolumeWork.sums_bytes`."""
        if self._is_lean:
            item = 2 * int(np.dtype(self.dtype).itemsize) + (4 if self.volume.dtype.kind == "u" else 0)
            return planes * len(rows) * len(columns) * self.channels * item
        return int(self._sums(planes)[0] * len(rows) * len(columns) / (self.shape[1] * self.shape[2]))

    @cached_property
    def _is_lean(self) -> bool:
        """Whether nothing as large as the result lies between the source and the result."""
        if not self.plan.goes_straight(self.policy) or self.policy.working != np.float32:
            return False
        return bool(self._ways[0]) and all(way in LEAN for _, way in self._ways[0])

    @cached_property
    def cuttable(self) -> str | None:
        """See `Work.cuttable`."""
        for link, ways in zip(self.links, self._ways, strict=True):
            if not ways and link.kernel.combine != "rank":
                return f"{link.kernel.name} is computed a plane at a time"
        return None

    def sources(self, axis: int, wanted: range) -> Array:
        """See `Work.sources`."""
        found = np.arange(wanted.start, wanted.stop)
        for link, tables in zip(reversed(self.links), reversed(self.tables), strict=True):
            window = link.windows[axis]
            if axis and len(found) == link.out_sizes[axis]:
                found = np.arange(link.sizes[axis])
                continue
            taps = np.arange(window.effective) if axis else np.arange(window.kernel_size) * window.dilation
            found = np.unique(tables[axis][found[:, None] * window.stride + taps])
            found = found[found >= 0] if found[-1] >= 0 else np.zeros(1, np.int64)
        return found

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        share = self.clipped_share
        details = {"kernel": self.name, "range": self.policy.range, "clipped": round(share, 6)}
        return (*self.policy.warnings, *self.policy.clipping_warning(share)), details

    def _wanted(self) -> Iterator[Array]:
        """The output planes of each slab."""
        step = self.fitting(self.slab)
        for first in range(0, self.shape[0], step):
            yield np.arange(first, min(first + step, self.shape[0]))

    @cached_property
    def _ways(self) -> list[Ways]:
        """The ways of each link's planes, from the whole volume's size; none where parts could differ from it."""
        found: list[Ways] = []
        dtype: np.dtype[Any] = self.volume.dtype
        for link in self.links:
            straight = self.plan.goes_straight(self.policy)
            store = self.policy.store if straight else Store(self.policy.working)
            words = {"scale": self.plan.scale, "bias": self.plan.bias + self.policy.offset} if straight else {}
            whole = np.broadcast_to(np.zeros(1, dtype), (1, *link.sizes, self.channels))
            border = replace(self.plan.border, planes=self.tables[len(found)][0])
            ways = [
                way_of_whole(Correlation(whole, plan_correlation(weights, dtype), link.windows, border, store, **words))
                for weights in (link.kernel.planes if link.kernel.has_matrix else ())
            ]
            found.append(() if None in ways else tuple(way for way in ways if way))
            dtype = dtype if link.kernel.combine == "rank" else np.dtype(self.policy.working)
        return found

    def _pixels(self, wanted: Array, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of the result as it is written; counts what is clipped."""
        plan, policy = self.plan, self.policy
        if plan.goes_straight(policy):
            under = self._under(0, wanted, rows, columns)
            pixels, clipped = respond_in_pixels(*under, plan, policy, self._ways[0])
            self.clipped += clipped
            return pixels[0, :, : len(rows), : len(columns)]
        response = self._response(len(self.links) - 1, wanted, rows, columns)
        if plan.leaves(response, policy):
            return response
        response = shaped(response.astype(policy.working, copy=False), plan)
        pixels, clipped = finish(response, policy, between=self.between[0] if self.between else None)
        self.clipped += clipped
        return pixels

    def _response(self, index: int, wanted: Array, rows: range, columns: range) -> Array:
        """A part (n, h, w, C) of what one kernel of the chain gives, in floats."""
        source, windows, border = self._under(index, wanted, rows, columns)
        kernel, ways = self.links[index].kernel, self._ways[index]
        response: Array = respond(source, kernel, windows, border, self.policy.working, ways=ways)[0]
        if response.shape[1:3] == (len(rows), len(columns)):
            return response
        return np.ascontiguousarray(response[:, : len(rows), : len(columns)])

    def _under(
        self, index: int, wanted: Array, rows: range, columns: range
    ) -> tuple[Array, tuple[Window, ...], Border]:
        """The source (1, n, h, w, C) under the windows of a part, and how the windows find it."""
        link, tables = self.links[index], self.tables[index]
        depth = link.windows[0]
        taps = np.arange(depth.kernel_size) * depth.dilation
        sources = tables[0][wanted[:, None] * depth.stride + taps]
        needed = np.unique(sources[sources >= 0])
        needed = needed if needed.size else np.zeros(1, np.int64)  # windows that see the constant alone
        across = [self._along(index, axis, run) for axis, run in ((1, rows), (2, columns))]
        held = self._source(index, needed, *(part.wanted if part else None for part, _ in across))
        for axis, (part, _) in enumerate(across, 1):
            held = part.repeated(held, axis) if part else held
        planes = np.where(sources < 0, -1, np.searchsorted(needed, sources)).reshape(-1)
        # Each window's planes one behind the other: no stride, dilation or padding along depth is left.
        along = Window(depth.kernel_size, stride=depth.kernel_size)
        return held[None], (along, *(window for _, window in across)), replace(self.plan.border, planes=planes)

    def _along(self, index: int, axis: int, run: range) -> tuple[Part | None, Window]:
        """What a run of a result's rows or columns is made from, and the window on that; None stands for all of it."""
        link = self.links[index]
        window = link.windows[axis]
        if len(run) == link.out_sizes[axis]:
            return None, window
        part = Part.of(
            self.tables[index][axis][run.start * window.stride : (run.stop - 1) * window.stride + window.effective],
            self.plan.border.name,
        )
        return part, replace(window, before=part.before, after=part.after)

    def _source(self, index: int, planes: Array, rows: Array | None, columns: Array | None) -> Array:
        """What the links before one give where it needs it, or the volume itself."""
        _, height, width = self.links[index].sizes
        if index == 0 and rows is None and columns is None and self._held is None:
            return self.read(planes)
        rows = np.arange(height) if rows is None else rows
        columns = np.arange(width) if columns is None else columns
        if index == 0:
            return self.read(planes, rows, columns)
        parts = [
            np.concatenate([self._response(index - 1, planes, down, across) for across in runs_in(columns)], 2)
            for down in runs_in(rows)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, 1)

    def _planes_per_slab(self, budget: int) -> int:
        return max(bisect_right(range(1, self.shape[0] + 1), budget, key=self._bytes), 1)

    def _bytes(self, planes: int) -> int:
        """An upper bound of the memory that a slab of so many output planes takes."""
        sums, needed = self._sums(planes)
        in_plane = self.volume.shape[1] * self.volume.shape[2] * self.volume.shape[3]
        return sums + needed * in_plane * self.volume.dtype.itemsize

    def _sums(self, planes: int) -> tuple[int, int]:
        """The same without the planes of the volume, and how many of these are needed."""
        working = np.dtype(self.policy.working).itemsize
        total = 0
        for index in reversed(range(len(self.links))):
            link = self.links[index]
            depth, (_, height, width) = link.windows[0], link.out_sizes
            across = max(link.sizes[1] * link.sizes[2], height * width)
            total += planes * across * self.channels * working * _ARRAYS
            planes = min((planes - 1) * depth.stride + depth.effective, link.sizes[0])
        return total, planes
