"""Correlating stacks of images and volumes: the way is chosen here, and the ways that go by programs are here too.

`convcli.ops.correlation` has the public functions; jobs that write pixels call `correlate_stack` themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops import boxes, fourier, volumes
from convcli.ops.arguments import Array, as_contiguous
from convcli.ops.plan import CorrelationPlan, Weights, as_taps, is_small, plan_correlation
from convcli.ops.sums import Border, Correlation, Store

if TYPE_CHECKING:
    from convcli.loops.filtering.correlation import Layout

_MOST_RING_BYTES = 2 << 30  # of padded rows that a thread may hold


def correlate_stack(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    *,
    store: Store,
    way: str | None = None,
    **words: Any,
) -> tuple[Array, int]:
    """Correlate a stack (N, D, H, W, C) as a plan says: ``store(scale * sums + bias)``; arguments are already checked.

    ``windows`` has one window per axis of the kernel, the last ones of (D, H, W); ``words`` are ``scale`` and ``bias``.
    Returns the result (N, OD, OH, OW, C) and how many of its numbers lay outside the store's range. ``way`` is one of
    `WAYS`; without it `choose_way` says which.
    """
    windows = (Window(1),) * (3 - len(windows)) + windows
    return _correlate(Correlation(source, plan, windows, border, store, **words), way)


def _correlate(asked: Correlation, way: str | None = None) -> tuple[Array, int]:
    correlation, way = (asked, way) if way else choose_way(asked)
    return WAYS[way](correlation)


def choose_way(asked: Correlation) -> tuple[Correlation, str]:
    """The fastest of `WAYS`, and the correlation with the plan of that way."""
    plan = asked.plan
    if plan.through_depth:
        return asked, "volume" if volumes.fits(asked) else "depth first"
    if plan.method == "box":
        if boxes.gives_means(asked):
            return asked, "means"
        if boxes.may_run(asked) and not is_small(plan):
            return asked, "box"
        asked = replace(asked, plan=plan_correlation(plan.weights, np.float32))
    if plan.method == "sum" and not asked.is_finite:
        if not (asked.is_one_plane and len(asked.source) == 1):
            return asked, "plane by plane"
        asked = replace(asked, plan=as_taps(plan))
    return asked, "fourier" if fourier.cost(asked) < asked.plan.cost else asked.plan.method


# Ways whose sums are the same in any part of a stack, wherever it is cut: none goes by tiles of transforms or by what
# else a plane holds.
CUTTABLE = ("volume", "depth first", "separable", "taps")
LEAN = ("volume", "separable", "taps")  # of these, those that make no other array as large as the result


def way_of_whole(asked: Correlation) -> tuple[CorrelationPlan, str] | None:
    """The plan and the way of a whole stack, for those who correlate parts of it; None where parts could differ.

    Thin parts would choose otherwise. The source may be of `numpy.broadcast_to`: none of it is looked at.
    """
    if asked.plan.method == "sum":
        return None
    chosen, way = choose_way(asked)
    return (chosen.plan, way) if way in CUTTABLE else None


@dataclass(frozen=True)
class Choice:
    """The way that `choose_way` takes, and why.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    why : str
        The plan's sentence.
    costs : dict
        Way -> what it costs for each number of a result, in taps of a general kernel, of the ways that are compared.
    rows : str
        The type in which rows of the picture are held while taps read them; empty where no rows are.
    """

    way: str
    why: str
    costs: dict[str, float]
    rows: str


def choice_of(asked: Correlation) -> Choice:
    """Which way a correlation goes, and why; nothing is computed.

    The picture need not exist: an array of `numpy.broadcast_to` is source enough.
    """
    (chosen, way), plan = choose_way(asked), asked.plan
    compared = {
        "taps": float(np.count_nonzero(plan.weights)),
        "separable": float(plan.multiply_adds + costs.PASS_TAPS) if chosen.plan.method == "separable" else np.inf,
        "sum": float(plan.cost) if plan.terms else np.inf,
        "fourier": round(fourier.cost(asked), 1),
    }
    rows = chosen.ring_dtype.name if WAYS[way] is _run_programs else ""
    return Choice(way, chosen.plan.why, {name: taps for name, taps in compared.items() if np.isfinite(taps)}, rows)


def _plane_by_plane(asked: Correlation) -> tuple[Array, int]:
    """A 2-D kernel on planes of which some hold NaN: what is done to one must not depend on the others."""
    source, (depth, *others) = asked.source, asked.windows
    positions = asked.border.table(0, source.shape[1], depth)[:: depth.stride]
    beyond = np.full((1, 1, *source.shape[2:]), asked.border.constant, source.dtype)
    alone = replace(asked, windows=(Window(1), *others), border=replace(asked.border, planes=None))
    results = [
        _correlate(replace(alone, source=source[n : n + 1, z : z + 1] if z >= 0 else beyond))
        for n in range(len(source))
        for z in positions
    ]
    planes = np.concatenate([plane for plane, _ in results])
    return planes.reshape(len(source), -1, *planes.shape[2:]), sum(outside for _, outside in results)


def _through_depth_first(asked: Correlation) -> tuple[Array, int]:
    """A separable kernel of any span on volumes: along depth into a volume of floats, then its planes' two passes."""
    dtype, border, windows = asked.dtype, asked.border, asked.windows
    depth, column, row = asked.plan.factors
    along = plan_correlation(depth[:, None, None], dtype)
    planes, _ = correlate_stack(asked.source, along, (windows[0], Window(1), Window(1)), border, store=Store(dtype))
    # Beyond the border lie whole columns of the constant: along depth they have become this.
    beyond = Border(border.name, sum(tap * border.constant for tap in depth.tolist() if tap))
    across, moved = plan_correlation(np.multiply.outer(column, row), dtype), (Window(1), *windows[1:])
    return _correlate(replace(asked, source=planes, plan=across, windows=moved, border=beyond))


def _in_one_type(run: Callable[[Correlation], tuple[Array, int]]) -> Callable[[Correlation], tuple[Array, int]]:
    """Have a way read, and write sums of float64 as, one type where few want others.

    Each pair of types would be compiled for itself, for seconds: see `Correlation.read_dtype`.
    """

    @wraps(run)
    def running(asked: Correlation) -> tuple[Array, int]:
        store = replace(asked.store, dtype=np.float64) if asked.is_precise else asked.store
        source = as_contiguous("image", asked.source, asked.read_dtype)
        result, outside = run(replace(asked, source=source, store=store))
        return as_contiguous("result", result, asked.store.dtype), outside

    return running


@_in_one_type
def _run_programs(asked: Correlation) -> tuple[Array, int]:
    """Tap by tap, or in two passes for each term."""
    from convcli.loops.costs import TILE_ROWS as ROWS
    from convcli.loops.filtering.correlation import correlate, correlate_twice, parts_of
    from convcli.ops.programs import column_programs, layout_of, row_program, stretch_program, window_program

    (result, out), windows = asked.new_out(), asked.moves
    dtype, ring_dtype = asked.dtype, asked.ring_dtype
    terms, numbers = _terms(asked), asked.numbers(ring_dtype)
    layout = layout_of(asked.source.shape, asked.out_shape, windows, ring_dtype, dtype, terms=len(terms))
    _check_memory(layout, windows, ring_dtype.itemsize)
    heights = (ROWS, result.shape[2] % ROWS or ROWS)
    outside = np.zeros(parts_of(result.shape, layout), np.int64)
    if terms:
        columns, rows = zip(*terms, strict=True)
        down, down_end = (column_programs(columns, windows, height, dtype) for height in heights)
        along = row_program(rows, windows[2], dtype)
        stretches = stretch_program(rows if layout.stretch else (), layout, windows[2], dtype)
        passes = (*down, *down_end, along, stretches)
        correlate_twice(asked.rows, asked.tables, layout, *passes, numbers, outside, out)
    else:
        programs = (window_program(asked.plan.weights * asked.scale, windows, height, dtype) for height in heights)
        correlate(asked.rows, asked.tables, layout, *programs, numbers, outside, out)
    return result, int(outside.sum())


# Way -> function from a correlation to its result and how many numbers lay outside.
WAYS: dict[str, Callable[[Correlation], tuple[Array, int]]] = {
    "means": boxes.run_means,  # of 8-bit pixels: integers, divided once
    "box": boxes.run_sums,  # running sums of integers
    "fourier": fourier.run_fourier,  # transforms of blocks
    "volume": _in_one_type(volumes.run_volume),  # three passes, part by part
    "depth first": _through_depth_first,  # three passes with a volume between the first and the others
    "plane by plane": _plane_by_plane,  # the terms of a sum where some planes hold NaN
    "separable": _run_programs,
    "sum": _run_programs,
    "taps": _run_programs,
}


def _terms(asked: Correlation) -> list[tuple[Weights, Weights]]:
    """Columns and rows of a plan that takes two passes, else none."""
    plan, scale = asked.plan, asked.scale
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
