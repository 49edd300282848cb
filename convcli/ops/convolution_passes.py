"""Convolution layers on checked arrays: forward, and the gradients of input, weights and bias. What the engine calls.

Arrays are (N, *spatial, C), weights (*kernel, C/groups, O), of one, two or three spatial axes, all C-contiguous and of
one dtype, float32 or float64. One `convcli.geometry.Window` for each spatial axis says how it is walked.

A transposed convolution is the input gradient of the convolution with its windows; its own input gradient is that
convolution forward, and the gradient of its weights is `conv_weight_gradient` with its two arrays changed over.

Every result has the same bits at any number of threads.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops.arguments import Array
from convcli.ops.convolution_plan import Pass, Plan, Sizes, forward_pass, gradient_passes, parts_of
from convcli.ops.scratch import aligned, scratch
from convcli.ops.words import new_array

if TYPE_CHECKING:
    from convcli.loops.networks.winograd import Squares

# Runs of pixels that are summed by themselves for the gradient of a bias: never the number of threads.
_BIAS_CHUNKS = 16

_ONES = (Window(1),) * 3

_INFINITY = 0x7F800000  # the bits of float32's

# Weights and bias as the loops read them, by the pass that reads them.
Kept = dict[Pass, tuple[Array, Array]]


def conv_forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    windows: Sequence[Window],
    groups: int = 1,
    *,
    relu: bool = False,
    winograd: bool = False,
    checked: bool = False,
    kept: Kept | None = None,
    sizes: Sequence[int] | None = None,
    out: Array | None = None,
) -> Array:
    """Cross-correlate, add the bias and, if wanted, cut off at zero, in one pass over the output (N, *out spatial, O).

    ``winograd`` allows `convcli.loops.networks.winograd` for 3x3 float32 layers it makes faster: twice the rounding
    error, and a NaN spreads over all outputs of its 4x4 squares. With ``checked``, and without ReLU, a result that is
    not finite is computed anew by plain sums.

    In ``kept`` the weights stay as the loops read them, for the next call with the same weights and bias.

    ``sizes`` are the output's, where there are not as many windows as fit: the gradient of a transposed convolution.
    """
    given = None if sizes is None else (1,) * (3 - len(sizes)) + tuple(sizes)
    numbers = Sizes(x.shape[0], x.shape[-1], weight.shape[-1], groups, x.dtype, workers := _threads())
    planned = forward_pass(_three(windows), _three_sizes(x), given, numbers)
    if out is None:
        counts = (axis.outputs for axis in planned.axes[3 - len(windows) :])
        out = new_array((x.shape[0], *counts, weight.shape[-1]), x.dtype, lined=True)
    how = _How(workers, transposed=False, relu=relu, winograd=winograd, checked=checked, kept=kept)
    _run(planned, x, _volume_kernel(weight), bias, groups, out, how)
    return out


def conv_input_gradient(
    gradient: Array,
    weight: Array,
    sizes: Sequence[int],
    windows: Sequence[Window],
    groups: int = 1,
    *,
    bias: Array | None = None,
    relu: bool = False,
    winograd: bool = False,
    checked: bool = False,
    out: Array | None = None,
) -> Array:
    """The gradient of a layer's input (N, *sizes, C), given that of its output: the transposed convolution.

    ``bias`` (C) and ``relu`` are for the transposed convolution as a layer of its own; ``winograd`` and ``checked`` are
    as in `conv_forward`.
    """
    channels = weight.shape[-2] * groups
    if out is None:
        out = new_array((gradient.shape[0], *sizes, channels), gradient.dtype, lined=True)
    how = _How(_threads(), transposed=True, relu=relu, winograd=winograd, checked=checked)
    kernel = _volume_kernel(weight)
    numbers = Sizes(gradient.shape[0], gradient.shape[-1], channels, groups, gradient.dtype, how.workers)
    for planned in gradient_passes(_three(windows), _three_sizes(out), _three_sizes(gradient), numbers):
        if planned.plan is not None:
            _run(planned, gradient, kernel, bias, groups, out, how)
            continue
        volume = _flat_out(out).reshape(out.shape[0], *_three_sizes(out), channels)
        z, y, x = (slice(axis.out_start, None, axis.out_step) for axis in planned.axes)
        alone = np.zeros(channels, out.dtype) if bias is None else bias
        volume[:, z, y, x] = np.maximum(alone, 0) if relu else alone
    return out


def conv_weight_gradient(
    x: Array,
    gradient: Array,
    windows: Sequence[Window],
    groups: int = 1,
    *,
    winograd: bool = False,
    out: Array | None = None,
) -> Array:
    """The gradient of a layer's weights (*kernel, C/groups, O), given its input and the gradient of its output.

    ``winograd`` is as in `conv_forward`, with 4 to 7 times the rounding error of the plain sums (below 5e-6).
    """
    from convcli.loops.networks.convolution import weight_gradient
    from convcli.loops.networks.packing import unpack

    channels, filters = x.shape[-1], gradient.shape[-1]
    if out is None:
        out = np.empty((*(window.kernel_size for window in windows), channels // groups, filters), x.dtype)
    numbers = Sizes(x.shape[0], channels, filters, groups, x.dtype, 0)
    planned = forward_pass(_three(windows), _three_sizes(x), _three_sizes(gradient), numbers)
    if winograd and planned.squares is not None:
        _weight_gradient_squares(_flat(x), _flat(gradient), planned.squares, _flat_out(out))
        return out
    plan = planned.plan
    assert plan is not None  # every window has taps
    parts = parts_of(plan, x.nbytes + gradient.nbytes, x.itemsize)
    partial = scratch("sums", (parts[0], plan.steps * plan.columns), x.dtype)
    partial[...] = 0
    weight_gradient(
        _flat(x), _flat(gradient), plan.axes, plan.job, _numbers(x.dtype, relu=False), parts,
        *_workspaces(plan, min(_threads(), prod(parts)), x.dtype), partial,
    )  # fmt: skip
    unpack(partial, plan.job, plan.steps, _runs(partial.size), _flat_out(out).reshape(plan.steps, filters))
    return out


def conv_bias_gradient(gradient: Array) -> Array:
    """The gradient of a layer's bias (O): the gradient of its output, summed over images and positions."""
    from convcli.loops.networks.packing import bias_gradient

    pixels = gradient.reshape(-1, gradient.shape[-1]).view()
    pixels.flags.writeable = False
    partial = scratch("sums", (min(_BIAS_CHUNKS, len(pixels)), pixels.shape[1]), gradient.dtype)
    bias_gradient(pixels, partial)
    total: Array = partial.sum(axis=0)
    return total


class _How(NamedTuple):
    """What a pass is to do beside its sums, and by how many threads."""

    workers: int
    transposed: bool
    relu: bool
    winograd: bool
    checked: bool
    kept: Kept | None = None


def _run(planned: Pass, source: Array, kernel: Array, bias: Array | None, groups: int, out: Array, how: _How) -> None:
    plan = planned.plan
    assert plan is not None
    numbers = _numbers(source.dtype, relu=how.relu)
    added = np.zeros(plan.job.filters, source.dtype) if bias is None else bias
    if how.winograd and planned.squares is not None:
        _run_squares(planned, planned.squares, source, kernel, added, numbers, out, how)
        if not how.checked or _is_finite(out):
            return
    packed = _from_kept(planned, how) or _packed(planned, plan, kernel, added, groups, how)
    if plan.depthwise:
        from convcli.loops.networks.depthwise import convolve_channels

        runs = min(how.workers, prod((plan.job.images, planned.axes[0].outputs, planned.axes[1].outputs)))
        convolve_channels(_flat(source), *packed, plan.axes, plan.job, numbers, runs, _flat_out(out))
        return
    from convcli.loops.networks.convolution import convolve

    rooms = _workspaces(plan, min(how.workers, plan.job.boxes), source.dtype)
    convolve(_flat(source), *packed, plan.axes, plan.job, numbers, *rooms, _flat_out(out))


def _packed(planned: Pass, plan: Plan, kernel: Array, bias: Array, groups: int, how: _How) -> tuple[Array, Array]:
    """Weights and bias as the register tiles read them."""
    from convcli.loops.networks.packing import pack

    seen = planned.taps_of(kernel)
    channels, all_filters = seen.shape[3:]
    filters = all_filters // groups
    if how.transposed:
        strides, read = (filters, channels * all_filters, 1, all_filters), filters
    else:
        strides, read = (filters, channels * all_filters, all_filters, 1), channels
    packed = _room(how, "weights", plan.steps * plan.columns, bias.dtype)
    packed_bias = _room(how, "bias", plan.columns, bias.dtype)
    runs = _runs(packed.size, plan.job.units)
    pack(_flat(seen), strides, _flat(bias), plan.job, prod(seen.shape[:3]), read, runs, packed, packed_bias)
    return _to_kept(planned, how, packed, packed_bias)


def _run_squares(
    planned: Pass, squares: "Squares", source: Array, kernel: Array, bias: Array, numbers: Any, out: Array, how: _How
) -> None:
    from convcli.loops.networks.winograd import convolve_squares, transform_kernel

    numbers_of_weights, room = _numbers_of(squares)
    ready, seen = _from_kept(planned, how), kernel
    units = -(-squares.filters // (2 * squares.lanes))
    workers = min(how.workers, -(-squares.total // squares.group))
    few = squares.total <= costs.FILTERS_APART * squares.filters
    by_filters = few and ready is None and min(how.workers, units) > 1
    if ready is None:
        seen = planned.taps_of(kernel)
        seen = np.ascontiguousarray(seen.swapaxes(3, 4)) if how.transposed else seen
        transformed = _room(how, "weights", numbers_of_weights, seen.dtype)
        if by_filters:
            workers = min(how.workers, units)
        else:
            transform_kernel(_flat(seen), squares, _runs(transformed.size, squares.channels), transformed)
        ready = transformed, bias
    workspaces = scratch("inputs", (workers, room), kernel.dtype)
    convolve_squares(
        _flat(source), _flat(seen), ready[0], _flat(bias), squares, numbers, by_filters, workspaces, _flat_out(out)
    )
    _to_kept(planned, how, *ready)  # not before, since they may have been transformed just now


@lru_cache(maxsize=512)
def _numbers_of(squares: "Squares") -> tuple[int, int]:
    """Of the weights for all points, with the nothing between those (see `unit_of`), and of a thread's workspace."""
    from convcli.loops.networks.winograd import apart, unit_of
    from convcli.loops.networks.winograd_vectors import POINTS

    start, _, step = unit_of.py_func(squares, squares.filters - 1)
    room = apart.py_func(squares, squares.channels) + apart.py_func(squares, 2 * squares.lanes)
    return int(start + POINTS**2 * step), POINTS**2 * room


def _room(how: _How, what: str, size: int, dtype: np.dtype[Any]) -> Array:
    return scratch(what, size, dtype) if how.kept is None else aligned((size,), dtype)


def _from_kept(planned: Pass, how: _How) -> tuple[Array, Array] | None:
    return None if how.kept is None else how.kept.get(planned)


def _to_kept(planned: Pass, how: _How, weights: Array, bias: Array) -> tuple[Array, Array]:
    if how.kept is not None and weights.size <= costs.KEPT_WEIGHTS:
        how.kept[planned] = weights, bias
    return weights, bias


def _is_finite(array: Array) -> bool:
    """Whether all numbers of float32 are finite."""
    from convcli.loops.networks.activations import find_largest

    largest = np.empty(_runs(array.size), np.int32)
    find_largest(_flat(array).view(np.int32), largest)
    return bool(largest.max() < _INFINITY)


def _weight_gradient_squares(x: Array, gradient: Array, squares: "Squares", out: Array) -> None:
    from convcli.loops.networks.winograd import finish_kernel, multiply_round, transform_round

    sizes, rows, steps, nothing = _round_of(squares)
    inputs, gradients, sums = (
        scratch(what, size, x.dtype) for what, size in zip(("inputs", "gradients", "sums"), sizes, strict=True)
    )
    numbers, group = _numbers(x.dtype, relu=False), squares.group
    blocks = max(min(squares.channels // 64, 4), 1)
    for first in range(0, squares.total, group):
        count = min(group, squares.total - first)
        transform_round(x, gradient, squares, first, count, min(_threads(), count), inputs, gradients)
        multiply_round(
            _flat(inputs), _flat(gradients), rows, steps, squares, numbers, nothing, count, first > 0, blocks, sums
        )
    finish_kernel(_flat(sums), squares, out)


@lru_cache(maxsize=64)
def _round_of(squares: "Squares") -> tuple[tuple[int, int, int], Array, Array, Array]:
    """Numbers of a round's inputs, gradients and sums; the tables of channels and squares; nothing to begin with."""
    from convcli.loops.networks.product import ROWS
    from convcli.loops.networks.winograd import apart, row_of
    from convcli.loops.networks.winograd_vectors import POINTS

    row, gradient_row = row_of.py_func(squares.channels), row_of.py_func(squares.filters)
    sizes = POINTS**2 * apart.py_func(squares, row), POINTS**2 * apart.py_func(squares, gradient_row)
    rows = np.minimum(np.arange(squares.channels + ROWS), squares.channels - 1).repeat(2)
    each = np.arange(squares.group)
    steps = np.stack((each * row, each * gradient_row), axis=-1).reshape(-1)
    return (*sizes, _numbers_of(squares)[0]), rows, steps, np.zeros(2 * squares.lanes, np.float32)


def _runs(numbers: int, most: int = costs.ALONE_NUMBERS) -> int:
    """Into how many runs it pays to cut what moves so many numbers."""
    return min(_threads(), most) if numbers > costs.ALONE_NUMBERS else 1


def _threads() -> int:
    from convcli.loops.compiling.compiler import thread_count

    return thread_count()


def _three(windows: Sequence[Window]) -> tuple[Window, ...]:
    """One window for each of depth, height and width."""
    return _ONES[len(windows) :] + tuple(windows)


def _three_sizes(array: Array) -> tuple[int, ...]:
    """(D, H, W) of (N, *spatial, C)."""
    return (1,) * (5 - array.ndim) + array.shape[1:-1]


def _volume_kernel(weight: Array) -> Array:
    """(KD, KH, KW, C/groups, O) of (*kernel, C/groups, O)."""
    return weight.reshape((1,) * (5 - weight.ndim) + weight.shape)


def _workspaces(plan: Plan, workers: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    tables = scratch("tables", (workers, 2, 2, 2 * plan.pairs), np.int64)
    return scratch("inputs", (workers, plan.workspace), dtype), tables


@lru_cache(maxsize=8)
def _numbers(dtype: np.dtype[Any], *, relu: bool) -> Any:
    from convcli.loops.networks.packing import Numbers

    lowest = dtype.type(-np.inf)
    return Numbers(dtype.type(0) if relu else lowest, lowest)


def _flat(array: Array) -> Array:
    flat = array.reshape(-1)
    flat.flags.writeable = False  # one signature to compile, not one for read-only arrays and one for others
    return flat


def _flat_out(out: Array) -> Array:
    if not out.flags.c_contiguous:  # reshape would make a copy, and the result be lost
        raise ValueError("out: got strided memory, expected a C-contiguous array")
    return out.reshape(-1)
