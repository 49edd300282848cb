"""Correlating stacks of images and volumes as a plan says: from checked arguments to loops.

`convcli.ops.correlation` has the public functions; jobs that write pixels call `correlate_stack` themselves.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import Window
from convcli.ops import boxes, fourier, volumes
from convcli.ops.arguments import Array
from convcli.ops.borders import border_table
from convcli.ops.plan import CorrelationPlan, Weights, as_taps, is_small, plan_correlation, sums_dtype
from convcli.ops.words import new_array

if TYPE_CHECKING:
    from convcli.loops.correlation import Layout, Numbers

# With more taps a ring of floats, converted once, wins: 24 MP RGB, one thread, 3x3: 30 ms with bytes, 35 with floats;
# 5x5: 56 and 53. Two passes look at each number of the ring in one column only.
_FEW_TAPS = 16
_SURE_TO_ROUND = 0.25  # of a pixel's step: what the sums' own rounding cannot lead away from the range's end
_MOST_RING_BYTES = 2 << 30  # of padded rows that a thread may hold


@dataclass(frozen=True)
class Store:
    """What becomes of a sum when it is written: (folded to its size,) clipped to [low, high], rounded if integer."""

    dtype: Any
    low: float = -np.inf
    high: float = np.inf
    fold: bool = False


@dataclass(frozen=True)
class Border:
    """What lies beyond the border: a word of `BORDERS`, and the value of the constant.

    ``planes`` is for a caller who holds some planes of a volume only: the position in its array of each plane that the
    windows will look at, in padded order, -1 for the constant. The depth's window then pads nothing itself.
    """

    name: str = "constant"
    value: float = 0.0
    planes: Array | None = field(default=None, compare=False)

    @property
    def constant(self) -> float:
        """The value that can be met beyond the border: a border of pixels has none, whatever ``value`` says."""
        return self.value if self.name == "constant" else 0.0

    def length(self, axis: int, n: int, window: Window) -> int:
        """How long the `table` will be."""
        if axis == 0 and self.planes is not None:
            return len(self.planes)
        return n + window.before + window.after

    def table(self, axis: int, n: int, window: Window) -> Array:
        """Source positions along one of the axes (depth, height, width), ``n`` long, padded for a window."""
        if axis == 0 and self.planes is not None:
            return self.planes
        return border_table(n, (window.before, window.after), self.name)


def correlate_stack(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    *,
    store: Store,
    scale: float = 1.0,
    bias: float = 0.0,
) -> tuple[Array, int]:
    """Correlate a stack (N, D, H, W, C) as a plan says: ``store(scale * sums + bias)``; arguments are already checked.

    ``windows`` has one window per axis of the kernel, the last ones of (D, H, W). Returns the result (N, OD, OH, OW, C)
    and how many of its numbers lay outside the store's range.
    """
    windows = (Window(1),) * (3 - len(windows)) + windows
    if plan.through_depth and not _fits(source, plan, windows, border, store, scale, bias):
        return _through_depth_first(source, plan, windows, border, store=store, scale=scale, bias=bias)
    if plan.method == "sum" and not _all_finite(source, border):
        if source.shape[:2] != (1, 1) or border.planes is not None:
            return _plane_by_plane(source, plan, windows, border, store=store, scale=scale, bias=bias)
        plan = as_taps(plan)
    lengths = tuple(border.length(axis, source.shape[1 + axis], window) for axis, window in enumerate(windows))
    out_sizes = tuple(
        window.output(length - window.before - window.after) for window, length in zip(windows, lengths, strict=True)
    )
    # The step to a second window that does not exist must not decide how many rows are held.
    windows = tuple(replace(w, stride=1) if n == 1 else w for w, n in zip(windows, out_sizes, strict=True))
    out = new_array((source.shape[0], *out_sizes, source.shape[4]), store.dtype)
    tables = tuple(border.table(axis, source.shape[1 + axis], window) for axis, window in enumerate(windows))
    return out, _run(source, plan, tables, windows, border, store, scale, bias, out)


def _run(
    source: Array,
    plan: CorrelationPlan,
    tables: tuple[Array, ...],
    windows: tuple[Window, ...],
    border: Border,
    store: Store,
    scale: float,
    bias: float,
    out: Array,
) -> int:
    """Fill ``out`` (N, OD, OH, OW, C) in the fastest way there is; returns how many numbers lay outside the range."""
    flat = plan.method == "box" and source.shape[1] == 1 and border.planes is None
    weight = float(plan.weights.flat[0]) * scale
    eight_bits = source.dtype == out.dtype == np.uint8 and store.low <= 0 and store.high >= 255 and bias == 0
    if flat and eight_bits and boxes.means_of(windows, weight, border.name, border.value):
        flat_source = source.reshape(*source.shape[:3], -1).view()
        boxes.run_means(flat_source, tables, windows, source.shape[4], border.value, out.reshape(*out.shape[:3], -1))
        return 0  # a mean of pixels is never outside their range
    runs = flat and not is_small(plan) and boxes.sums_of(windows, border.name, border.value)
    if plan.method == "box" and not runs:
        plan = plan_correlation(plan.weights, np.float32)  # counts the terms of sums that do not run
    dtype = _sums_dtype(source.dtype, plan, border, store, scale, bias)
    flat_source = source.reshape(*source.shape[:3], -1).view()
    flat_out = out.reshape(*out.shape[:3], -1)
    if runs:
        numbers = _numbers(dtype, dtype.type(border.value), bias, store)
        return boxes.run_sums(flat_source, tables, windows, weight, numbers, source.shape[4], border.value, flat_out)
    by_blocks = fourier.pays(source, out, windows, plan, border.constant, scale)
    ring = dtype if by_blocks else _ring_dtype(source.dtype, plan, border) or dtype
    inside = _never_clips(source.dtype, plan, border, store, scale, bias)
    numbers = _numbers(dtype, ring.type(border.constant), bias, store, inside=inside)
    run = fourier.run_fourier if by_blocks else volumes.run_volume if plan.through_depth else _run_programs
    return run(flat_source, tables, windows, plan, numbers, scale, source.shape, flat_out, out.shape)


def _all_finite(source: Array, border: Border) -> bool:
    """Whether neither image nor border holds NaN or an infinity, which the terms of a sum would spread or lose."""
    if border.name == "constant" and not np.isfinite(border.value):
        return False
    # NaN is the least and the largest of all numbers to numpy.
    return source.dtype.kind != "f" or not source.size or bool(np.isfinite(source.min()) and np.isfinite(source.max()))


def _plane_by_plane(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    *,
    store: Store,
    scale: float,
    bias: float,
) -> tuple[Array, int]:
    """A 2-D kernel on planes of which some hold NaN: what is done to one must not depend on the others."""
    depth, *windows_of_plane = windows
    positions = border.table(0, source.shape[1], depth)[:: depth.stride]
    beyond = np.full((1, 1, *source.shape[2:]), border.constant, source.dtype)
    alone = replace(border, planes=None)
    results = [
        correlate_stack(
            source[n : n + 1, z : z + 1] if z >= 0 else beyond, plan, tuple(windows_of_plane), alone,
            store=store, scale=scale, bias=bias,
        )
        for n in range(len(source))
        for z in positions
    ]  # fmt: skip
    planes = np.concatenate([plane for plane, _ in results])
    return planes.reshape(len(source), -1, *planes.shape[2:]), sum(outside for _, outside in results)


def _fits(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    store: Store,
    scale: float,
    bias: float,
) -> bool:
    dtype = _sums_dtype(source.dtype, plan, border, store, scale, bias)
    held = _ring_dtype(source.dtype, plan, border) or dtype
    return volumes.fits(windows, source.shape[2:4], source.shape[4], held, dtype)


def _through_depth_first(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    *,
    store: Store,
    scale: float,
    bias: float,
) -> tuple[Array, int]:
    """A separable kernel of any span on volumes: along depth into a volume of floats, then its planes' two passes."""
    dtype = _sums_dtype(source.dtype, plan, border, store, scale, bias)
    depth, column, row = plan.factors
    along = plan_correlation(depth[:, None, None], dtype)
    planes, _ = correlate_stack(source, along, (windows[0], Window(1), Window(1)), border, store=Store(dtype))
    across = plan_correlation(np.multiply.outer(column, row), dtype)
    # Beyond the border lie whole columns of the constant: along depth they have become this.
    beyond = Border(border.name, sum(tap * border.constant for tap in depth.tolist() if tap))
    return correlate_stack(planes, across, windows[1:], beyond, store=store, scale=scale, bias=bias)


def _run_programs(
    source: Array,
    tables: tuple[Array, ...],
    windows: tuple[Window, ...],
    plan: CorrelationPlan,
    numbers: "Numbers",
    scale: float,
    shape: tuple[int, ...],
    out: Array,
    out_shape: tuple[int, ...],
) -> int:
    from convcli.loops.correlation import correlate, correlate_twice, parts_of
    from convcli.loops.tile import ROWS
    from convcli.ops.programs import column_programs, layout_of, row_program, stretch_program, window_program

    dtype = numbers.bias.dtype
    terms = _terms(plan, scale)
    ring_dtype = numbers.border_value.dtype
    layout = layout_of(shape, out_shape, windows, ring_dtype, dtype, terms=len(terms))
    _check_memory(layout, windows, ring_dtype.itemsize)
    heights = (ROWS, out_shape[2] % ROWS or ROWS)
    outside = np.zeros(parts_of(out_shape, layout), np.int64)
    source.flags.writeable = False  # one signature to compile, not one for read-only arrays and one for others
    if terms:
        columns, rows = zip(*terms, strict=True)
        down, down_end = (column_programs(columns, windows, height, dtype) for height in heights)
        along = row_program(rows, windows[2], dtype)
        stretches = stretch_program(rows if layout.stretch else (), layout, windows[2], dtype)
        correlate_twice(source, tables, layout, *down, *down_end, along, stretches, numbers, outside, out)
    else:
        programs = (window_program(plan.weights * scale, windows, height, dtype) for height in heights)
        correlate(source, tables, layout, *programs, numbers, outside, out)
    return int(outside.sum())


def _terms(plan: CorrelationPlan, scale: float) -> list[tuple[Weights, Weights]]:
    """Columns and rows of a plan that takes two passes, else none."""
    if plan.method == "sum":
        return [(column * scale, row) for column, row in plan.terms]
    if plan.method == "taps":
        return []
    depth, column, row = plan.factors
    return [(column * scale * depth.sum(), row)]


def _check_memory(layout: "Layout", windows: tuple[Window, ...], itemsize: int) -> None:
    """Refuse windows whose padded rows would fill the memory; dilation spreads a small kernel as far as one likes."""
    row = layout.phases * (layout.tile + layout.span) * layout.channels
    needed = layout.planes * layout.ring_rows * row * itemsize
    if needed > _MOST_RING_BYTES:
        spread = " x ".join(str(window.effective) for window in windows if window.effective > 1)
        raise ShapeError(
            f"kernel: spans {spread} cells, dilation included, which takes {needed / 2**30:,.0f} GiB for each thread, "
            f"expected at most {_MOST_RING_BYTES >> 30} GiB; use a smaller dilation or kernel"
        )


def _numbers(dtype: np.dtype[Any], border_value: Any, bias: float, store: Store, *, inside: bool = False) -> "Numbers":
    from convcli.loops.correlation import Numbers

    of, whole = dtype.type, np.dtype(store.dtype).kind == "u"
    return Numbers(border_value, of(bias), of(store.low), of(store.high), store.fold, whole, inside)


def _sums_dtype(
    source: np.dtype[Any], plan: CorrelationPlan, border: Border, store: Store, scale: float, bias: float
) -> np.dtype[Any]:
    """The dtype of the sums; who asks for float64 of integer pixels asks for sums of that precision."""
    out: np.dtype[Any] = np.dtype(store.dtype)
    if out == np.float64:
        return out
    return sums_dtype(source, plan, whole=out.kind == "u", scale=scale, bias=bias, border_value=border.constant)


def _ring_dtype(source: np.dtype[Any], plan: CorrelationPlan, border: Border) -> np.dtype[Any] | None:
    """The integers of the source where the tile should convert them at each load, which pays for few of those."""
    few = plan.method in ("separable", "sum") or plan.multiply_adds <= _FEW_TAPS
    if source.kind != "u" or source.itemsize > 2 or not few:
        return None
    value = float(border.constant)
    return source if value.is_integer() and 0 <= value <= np.iinfo(source).max else None


def _never_clips(
    source: np.dtype[Any], plan: CorrelationPlan, border: Border, store: Store, scale: float, bias: float
) -> bool:
    """Whether no sum can round to a number outside the store's range, so that none need be compared with it."""
    if source.kind != "u" or np.dtype(store.dtype).kind != "u" or store.fold:
        return False
    values = (0, np.iinfo(source).max, border.constant)
    weights = plan.weights * scale
    down, up = weights[weights < 0].sum(), weights[weights > 0].sum()
    lowest = min(values) * up + max(values) * down + bias
    highest = max(values) * up + min(values) * down + bias
    return bool(store.low - _SURE_TO_ROUND <= lowest and highest <= store.high + _SURE_TO_ROUND)
