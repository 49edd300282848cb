"""Filtering volumes slab by slab.

From the last kernel of the chain back to the first it is asked which planes each needs for a slab, by the border's
table of the *whole* volume; so borders, strides, dilations and chains cost no special case.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.budget import machine_memory
from convcli.geometry import Window
from convcli.images.volume_model import Volume
from convcli.jobs.filter import FilterPlan, respond_in_pixels, shaped
from convcli.jobs.links import placed
from convcli.jobs.output_policy import extremes, finish, stretched
from convcli.jobs.volumes import Progress, VolumeWork
from convcli.ops.arguments import Array
from convcli.ops.borders import border_table
from convcli.ops.responses import respond
from convcli.ops.sums import Border

_MOST_SLAB_BYTES = 512 << 20
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
        self.tables = [  # source plane of each padded plane, -1 for the border's constant
            border_table(link.sizes[0], (link.windows[0].before, link.windows[0].after), plan.border.name)
            for link in self.links
        ]
        depth, height, width = self.links[-1].out_sizes
        self.shape = (depth, height, width, self.channels)
        self.places = placed(self.links)
        budget = slab_bytes or min(machine_memory() // 8, _MOST_SLAB_BYTES) // volume.beside
        # Neighbouring slabs share planes: where those are the larger part, twice the memory saves most of the work.
        self.slab = self._planes_per_slab(budget)
        if self.slab < self.links[0].windows[0].effective:
            self.slab = self._planes_per_slab(2 * budget)

    def planes(self, progress: Progress = lambda done, total: None) -> Iterator[Array]:
        """The result's planes (OH, OW, C) in order."""
        depth = self.shape[0]
        passes = 2 if self.policy.range == "minmax" else 1
        between = None
        if passes == 2:
            low, high = np.inf, -np.inf
            for wanted in self._wanted():
                response = self._response(len(self.links) - 1, wanted).astype(self.policy.working, copy=False)
                slab_low, slab_high = extremes(shaped(response, self.plan))
                low, high = min(low, slab_low), max(high, slab_high)
                progress(int(wanted[-1]) + 1, 2 * depth)
            between = low, high
        self.clipped = 0
        for wanted in self._wanted():
            pixels, clipped = self._pixels(wanted, between)
            self.clipped += clipped
            yield from pixels
            progress((passes - 1) * depth + int(wanted[-1]) + 1, passes * depth)

    def report(self) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Warnings and details, once the planes have been taken."""
        share = self.clipped_share
        details = {"kernel": self.name, "range": self.policy.range, "clipped": round(share, 6)}
        return (*self.policy.warnings, *self.policy.clipping_warning(share)), details

    def _wanted(self) -> Iterator[Array]:
        """The output planes of each slab."""
        for first in range(0, self.shape[0], self.slab):
            yield np.arange(first, min(first + self.slab, self.shape[0]))

    def _pixels(self, wanted: Array, between: tuple[float, float] | None) -> tuple[Array, int]:
        """Output planes (n, OH, OW, C) as they are written, and how many of their numbers were clipped."""
        plan, policy = self.plan, self.policy
        if plan.goes_straight(policy):
            slab, clipped = respond_in_pixels(*self._under(0, wanted), plan, policy)
            return slab[0], clipped
        response = self._response(len(self.links) - 1, wanted)
        if plan.leaves(response, policy):
            return response, 0
        response = shaped(response.astype(policy.working, copy=False), plan)
        if between is not None:
            return finish(stretched(response, between, policy.white_in), replace(policy, range="clip"))
        return finish(response, policy)

    def _response(self, index: int, wanted: Array) -> Array:
        """Output planes (n, OH, OW, C) of one kernel of the chain, in floats."""
        source, windows, border = self._under(index, wanted)
        response: Array = respond(source, self.links[index].kernel, windows, border, self.policy.working)[0]
        return response

    def _under(self, index: int, wanted: Array) -> tuple[Array, tuple[Window, ...], Border]:
        """The source planes (1, n, H, W, C) under the windows of output planes, and how the windows find them."""
        depth, *others = self.links[index].windows
        taps = np.arange(depth.kernel_size) * depth.dilation
        sources = self.tables[index][wanted[:, None] * depth.stride + taps]
        needed = np.unique(sources[sources >= 0])
        needed = needed if needed.size else np.zeros(1, np.int64)  # windows that see the constant alone
        held = self._response(index - 1, needed) if index else self.read(needed)
        planes = np.where(sources < 0, -1, np.searchsorted(needed, sources)).reshape(-1)
        # Each window's planes one behind the other: no stride, dilation or padding along depth is left.
        along = Window(depth.kernel_size, stride=depth.kernel_size)
        return held[None], (along, *others), replace(self.plan.border, planes=planes)

    def _planes_per_slab(self, budget: int) -> int:
        return max(bisect_right(range(1, self.shape[0] + 1), budget, key=self._bytes), 1)

    def _bytes(self, planes: int) -> int:
        """An upper bound of the memory that a slab of so many output planes takes."""
        working = np.dtype(self.policy.working).itemsize
        total = 0
        for index in reversed(range(len(self.links))):
            link = self.links[index]
            depth, (_, height, width) = link.windows[0], link.out_sizes
            across = max(link.sizes[1] * link.sizes[2], height * width)
            total += planes * across * self.channels * working * _ARRAYS
            planes = min((planes - 1) * depth.stride + depth.effective, link.sizes[0])
        in_plane = self.volume.shape[1] * self.volume.shape[2] * self.volume.shape[3]
        return total + planes * in_plane * self.volume.dtype.itemsize
