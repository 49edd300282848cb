"""From the geometry of a layer to what `convcli.loops.networks.convolution` takes: passes, boxes, kinds of tile.

A convolution is one pass. Its input gradient, which is also the transposed convolution, is one pass for every remainder
of the output position modulo the stride: each sees its own taps, and no zeros are put between anything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, product
from math import gcd, inf, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops.arguments import Array

if TYPE_CHECKING:
    from convcli.loops.networks.packing import Job
    from convcli.loops.networks.winograd import Squares

# The column of a pass's axes that its phases differ in.
_OUT_START = 7
# The most partial sums of a weight gradient, and the least parts it is cut into. Never the number of threads: the bits
# would depend on it.
_CHUNKS, _PARTS = 16, 16


class PassAxis(NamedTuple):
    """One axis of a pass, in the words of the loop `convolution`, and which taps of the kernel it sees."""

    outputs: int
    start: int
    step: int
    tap_step: int
    size: int
    out_start: int
    out_step: int
    out_size: int
    taps: tuple[int, ...]  # indices into the kernel, in the order in which they are added

    def unplaced(self) -> "PassAxis":
        """The same as far as its plan is concerned: the phases of a stride share one."""
        return self._replace(out_start=0, taps=tuple(range(len(self.taps))))

    @property
    def overlaps(self) -> bool:
        """Whether a tap falls outside the input."""
        last = self.start + (self.outputs - 1) * self.step + (len(self.taps) - 1) * self.tap_step
        return self.start < 0 or last >= self.size


@dataclass(frozen=True, eq=False)
class Plan:
    """A pass as its loop takes it."""

    axes: Array  # (3, 10) int64
    job: "Job"
    steps: int  # weights of one filter
    columns: int  # numbers of one step of the packed weights
    workspace: int  # numbers each thread needs
    pairs: int  # in each of a thread's tables
    cycles: float  # in one thread, roughly

    @property
    def depthwise(self) -> bool:
        """Whether each channel, or each small group of them, is computed by itself."""
        from convcli.loops.networks.product import LANES

        return self.job.kind == LANES


@dataclass(frozen=True, eq=False)
class Pass:
    """A pass, which taps it sees, and the same by Winograd's transforms if that is possible and faster."""

    axes: tuple[PassAxis, ...]
    plan: Plan | None  # None where there are no taps, only the bias
    squares: "Squares | None"

    def taps_of(self, kernel: Array) -> Array:
        """The kernel (KD, KH, KW, ...) as the pass sees it."""
        for number, axis in enumerate(self.axes):
            if axis.taps != tuple(range(kernel.shape[number])):
                kernel = kernel.take(axis.taps, axis=number)
        return kernel


class Sizes(NamedTuple):
    """What a pass must know beside its windows."""

    images: int
    channels: int  # of what it reads
    filters: int  # of what it writes
    groups: int
    dtype: np.dtype[Any]
    workers: int  # threads; 0 for a gradient of the weights


@lru_cache(maxsize=512)
def forward_pass(
    windows: tuple[Window, ...], input_sizes: tuple[int, ...], output_sizes: tuple[int, ...] | None, sizes: Sizes
) -> Pass:
    """The pass of a convolution over (D, H, W), with as many windows as fit or as ``output_sizes`` says."""
    counts = output_sizes or [window.output(n) for window, n in zip(windows, input_sizes, strict=True)]
    axes = tuple(
        PassAxis(count, -w.before, w.stride, w.dilation, n, 0, 1, count, tuple(range(w.kernel_size)))
        for w, n, count in zip(windows, input_sizes, counts, strict=True)
    )
    return _planned(axes, sizes)


@lru_cache(maxsize=512)
def gradient_passes(
    windows: tuple[Window, ...], output_sizes: tuple[int, ...], gradient_sizes: tuple[int, ...], sizes: Sizes
) -> tuple[Pass, ...]:
    """The passes of a convolution's input gradient (D, H, W), which together write every position once."""
    phases = [list(_phases(*each)) for each in zip(windows, output_sizes, gradient_sizes, strict=True)]
    return tuple(_planned(axes, sizes) for axes in product(*phases))


def _planned(axes: tuple[PassAxis, ...], sizes: Sizes) -> Pass:
    if not all(axis.taps for axis in axes):
        return Pass(axes, None, None)
    plan = _plan(tuple(axis.unplaced() for axis in axes), sizes)
    placed = plan.axes.copy()
    placed[:, _OUT_START] = [axis.out_start for axis in axes]
    plan = replace(plan, axes=placed)
    return Pass(axes, plan, squares_of(axes, plan, sizes))


def _phases(window: Window, n: int, gradient_n: int) -> Iterator[PassAxis]:
    """One axis for each remainder of (position + before) modulo the stride.

    Position ``i`` gets tap ``j`` of window ``(i + before - dilation * j) / stride``, where that is whole.
    """
    stride, dilation = window.stride, window.dilation
    for first in range(min(stride, n)):
        quotient, remainder = divmod(first + window.before, stride)
        taps = [j for j in range(window.kernel_size) if (dilation * j - remainder) % stride == 0]
        start = quotient - (dilation * taps[-1] - remainder) // stride if taps else 0
        yield PassAxis(
            -(-(n - first) // stride), start, 1, dilation // gcd(stride, dilation), gradient_n,
            first, stride, n, tuple(reversed(taps)),
        )  # fmt: skip


@lru_cache(maxsize=512)
def _plan(axes: tuple[PassAxis, ...], sizes: Sizes) -> Plan:
    """Choose the kind of tile and the boxes of a pass."""
    from convcli.loops.networks.depthwise import depths_of
    from convcli.loops.networks.packing import Job
    from convcli.loops.networks.product import FOLDED, LANES, ROWS, TWO, lanes_of

    images, channels, filters, groups, dtype, workers = sizes
    gradient = workers == 0
    lanes = lanes_of(dtype)
    group_channels, group_filters = channels // groups, filters // groups
    taps = prod(len(axis.taps) for axis in axes)
    steps, units, columns, kind = taps * group_channels, 0, 0, TWO
    depth = group_channels if groups > 1 and channels == filters else 0
    if depth == 1 or (depth in depths_of(lanes) and not gradient):
        kind, units = LANES, -(-channels // lanes)
        columns = units * lanes
    elif not gradient and group_filters <= 4 and group_channels % lanes == 0:
        kind, steps, units = FOLDED, steps // lanes, filters
        columns = units * lanes
    else:
        units = groups * -(-group_filters // (2 * lanes))
        columns = groups * -(-group_filters // lanes) * lanes
    work = columns // lanes
    must_copy = kind == LANES and channels % lanes > 0  # a vector may hang over the end of the array
    overlaps = any(axis.overlaps for axis in axes)

    def best(copies: bool, threads: int) -> tuple[float, tuple[int, int, int, int]]:
        boxes = _boxes((images, *(axis.outputs for axis in axes)))
        numbers = images, channels, work, steps, copies, threads, dtype.itemsize, gradient
        return min((_cost(axes, box, *numbers), box) for box in boxes)

    # What is computed must not depend on the threads, not even what becomes of an infinite weight beside zeros.
    alone = {copies: best(copies, 1)[0] for copies in {must_copy, must_copy or overlaps}}
    copies = min(alone, key=lambda choice: alone[choice])
    box = best(copies, workers or 8)[1]
    pixels = prod(box)
    boxes = prod(-(-n // b) for n, b in zip((images, *(axis.outputs for axis in axes)), box, strict=True))
    room = pixels * 2 * lanes if gradient else 0
    slab = max(costs.LAYER_SLAB_BYTES // (2 * lanes * dtype.itemsize), 1)
    table = [
        (axis.outputs, b, axis.start, axis.step, len(axis.taps), axis.tap_step, axis.size,
         axis.out_start, axis.out_step, axis.out_size)
        for axis, b in zip(axes, box[1:], strict=True)
    ]  # fmt: skip
    lanewise = None if kind == TWO else True
    job = Job(lanewise, kind, images, box[0], channels, filters, groups, lanes, units, steps, boxes, copies, slab, room)
    copied = _positions(axes, box) * channels + lanes if copies else 0
    return Plan(np.array(table, np.int64), job, steps, columns, room + copied, max(pixels, steps) + ROWS, alone[copies])


def _positions(axes: Sequence[PassAxis], box: Sequence[int]) -> int:
    """Input positions under a box."""
    pairs = zip(axes, box[1:], strict=True)
    return box[0] * prod((b - 1) * axis.step + (len(axis.taps) - 1) * axis.tap_step + 1 for axis, b in pairs)


def _boxes(counts: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of more and more pixels: whole rows first (long ones in pieces), then planes, then images."""
    images, depth, height, width = counts
    known = set()
    for pixels in (8, 16, 32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1024):
        x = _even(width, pixels if width <= 2 * pixels or height == 1 else max(pixels // 8, 16))
        y = _even(height, max(pixels // x, 1))
        z = _even(depth, max(pixels // (x * y), 1)) if y == height else 1
        n = _even(images, max(pixels // (x * y * z), 1)) if (x, y, z) == (width, height, depth) else 1
        if (n, z, y, x) not in known:
            known.add((n, z, y, x))
            yield n, z, y, x


def _cost(
    axes: Sequence[PassAxis], box: tuple[int, int, int, int], images: int, channels: int, vectors: int, steps: int,
    copies: bool, workers: int, itemsize: int, gradient: bool,
) -> float:  # fmt: skip
    """Cycles of the busiest thread, roughly."""
    from convcli.loops.networks.product import ROWS

    taps = prod(len(axis.taps) for axis in axes)
    places = [_places(axis, b, copies) for axis, b in zip(axes, box[1:], strict=True)]
    cycles = 0.0
    for place in product(*places):
        if prod(len(runs) for _, runs in place) > costs.MOST_ZONES:
            return inf
        each = 0.0
        for zone in product(*(runs for _, runs in place)):
            pixels = box[0] * prod(outputs for outputs, _ in zone)
            weights = steps * prod(seen for _, seen in zone) // taps
            rows, length = (weights, pixels) if gradient else (pixels, weights)
            each += -(-rows // ROWS) * vectors * (ROWS * length + costs.TILE_CYCLES) + costs.ZONE_CYCLES
            if weights < steps:  # the largest zone's tables are kept
                each += costs.PIXEL_CYCLES * pixels + costs.WEIGHT_CYCLES * weights
        cycles += each * prod(often for often, _ in place)
    read = _positions(axes, box) * channels * itemsize
    boxes = prod(-(-n // b) for n, b in zip((images, *(axis.outputs for axis in axes)), box, strict=True))
    # Input that does not stay in the cache is fetched again for each unit.
    cycles *= -(-images // box[0])
    cycles += boxes * read / costs.COPIED_BYTES * (copies + vectors * (read > costs.LAYER_BOX_BYTES))
    return cycles * -(-boxes // workers) / boxes


def _places(axis: PassAxis, box: int, copies: bool) -> list[tuple[int, list[tuple[int, int]]]]:
    """How many boxes along an axis see what: the first, those between, the last."""
    boxes = -(-axis.outputs // box)
    if copies or not axis.overlaps:
        return [(boxes, [(box, len(axis.taps))])]
    middle = [(boxes - 2, _runs(axis, box, box))] if boxes > 2 else []
    last = [(1, _runs(axis, axis.outputs - box, box))] if boxes > 1 else []
    return [(1, _runs(axis, 0, box)), *middle, *last]


def _runs(axis: PassAxis, first: int, box: int) -> list[tuple[int, int]]:
    """How many positions of a box see how many taps inside the input, run by run."""

    def seen(position: int) -> tuple[int, int]:
        place = axis.start + position * axis.step
        low = min(max(-(place // axis.tap_step), 0), len(axis.taps))
        return low, max(min((axis.size - 1 - place) // axis.tap_step + 1, len(axis.taps)), low)

    return [(len(list(run)), high - low) for (low, high), run in groupby(map(seen, range(first, first + box)))]


def _even(n: int, most: int) -> int:
    """The length of equal parts, at most ``most``, that ``n`` is cut into."""
    return -(-n // -(-n // most))


def parts_of(plan: Plan, data_bytes: int, itemsize: int) -> tuple[int, int]:
    """Into how many chunks of boxes and blocks of rows a weight gradient is cut, whatever the number of threads.

    Every chunk has its own sums, so there are fewer of them for large weights; blocks read the data again.
    """
    from convcli.loops.networks.product import ROWS

    size = plan.steps * plan.columns * itemsize
    tiles = -(-plan.steps // ROWS)
    chunks = max(min(data_bytes // (4 * size), _CHUNKS, plan.job.boxes), 1)
    blocks = max(-(-size // costs.LAYER_BLOCK_BYTES), -(-_PARTS // chunks))
    return chunks, max(min(blocks, tiles // 4), 1)


def squares_of(axes: Sequence[PassAxis], plan: Plan, sizes: Sizes, *, always: bool = False) -> "Squares | None":
    """The pass by Winograd's transforms, or None where it is none of 3x3 with stride 1, or would not be faster."""
    from convcli.loops.networks.product import ROWS, TWO
    from convcli.loops.networks.winograd_vectors import OUTPUTS, POINTS

    job, dtype, workers = plan.job, sizes.dtype, sizes.workers
    _, height, width = axes
    plain = all(axis.step == axis.tap_step == axis.out_step == 1 for axis in axes)
    taps = [len(axis.taps) for axis in axes]
    vectors = job.filters // job.lanes
    if not plain or taps != [1, 3, 3] or axes[0].overlaps or axes[0].size != axes[0].outputs:
        return None
    if dtype != np.float32 or job.kind != TWO or job.groups > 1 or job.channels % job.lanes or job.filters % job.lanes:
        return None
    images = job.images * axes[0].size
    total = images * -(-height.outputs // OUTPUTS) * -(-width.outputs // OUTPUTS)
    points = POINTS**2
    # The choice must not depend on the threads, or the bits would.
    transforms = total * costs.SQUARE_CYCLES * (job.channels // job.lanes + vectors)
    transforms += points * job.channels * vectors * costs.SQUARE_WEIGHT_CYCLES
    steps = job.channels + costs.SQUARE_TILE_CYCLES
    cycles = -(-total // ROWS) * ROWS * points * vectors * steps + transforms
    if not always and cycles > plan.cycles:
        return None
    from convcli.loops.networks.winograd import Squares

    if workers:
        bytes_each = points * (job.channels + 2 * job.lanes) * dtype.itemsize
        most = max(costs.SQUARES_BYTES // bytes_each // ROWS * ROWS, costs.FEWEST_SQUARES)
        group = -(-_even(-(-total // workers), most) // ROWS) * ROWS  # of each thread's squares, equal parts
    else:
        bytes_each = points * (job.channels + job.filters) * dtype.itemsize
        group = min(max(costs.ROUND_BYTES // bytes_each, costs.ROUND_SQUARES), total)
    return Squares(
        images, height.size, width.size, height.start, width.start, POINTS - (height.outputs < OUTPUTS),
        POINTS - (width.outputs < OUTPUTS), job.channels, height.outputs, width.outputs, job.filters,
        job.lanes, group, total,
    )  # fmt: skip
