"""Pooling layers and their gradients. Windows are those of `convcli.ops.pooling_axes`, so are the forward sums."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan
from convcli.errors import ModelError
from convcli.geometry import Window
from convcli.nn.activations import RELU
from convcli.nn.layer import Array, Layer, Parameter
from convcli.ops.convolution_passes import conv_bias_gradient
from convcli.ops.pooling_axes import PoolingAxis, adaptive_axes, axes_of
from convcli.ops.pooling_runs import pool_stack
from convcli.ops.scratch import scratch
from convcli.ops.words import read_only

# Which windows and taps see a cell: cell i is in (window, tap) pairs[starts[i]:starts[i + 1]].
Cover = tuple[NDArray[np.int64], NDArray[np.int64]]
# Up to this power of two the numbers of an lp layer may be raised on the way to its gradient, in float32.
_MOST_POWER = 60
_TRAINABLE = ("max", "min", "average", "weighted", "lp")


class _Windows:
    """The windows of a pooling layer along depth, height and width, and who covers what."""

    def __init__(self, plan: LayerPlan) -> None:
        sizes, windows = plan.input[:-1], [window for window in plan.windows if isinstance(window, Window)]
        axes = adaptive_axes(sizes, plan.output[:-1]) if plan.type == "adaptive_pool" else axes_of(sizes, windows)
        self.axes: tuple[PoolingAxis, ...] = axes
        self.three = adaptive_axes((1,) * (3 - len(axes)), 1) + axes
        self.sizes = (1,) * (3 - len(sizes)) + tuple(sizes)
        self.tables = tuple(axis.table for axis in self.three)
        self.dilations = tuple(axis.dilation for axis in self.three)
        # Where windows differ, the widest; their taps are counted from their own first cell.
        self.kernels = tuple(axis.kernel_size or int(axis.table[:, 1].max()) for axis in self.three)
        # Windows of 2x2 cells side by side, from the first cell on, have loops of their own.
        pairs = [(axis.kernel_size, axis.stride, axis.before, axis.dilation) for axis in axes]
        whole = all((axis.table[:, 1] == axis.kernel_size).all() for axis in axes)
        self.corners = whole and pairs == [(2, 2, 0, 1)] * 2
        self.covers = [cover(axis, n) for axis, n in zip(self.three, self.sizes, strict=True)]

    def factors(self, weighted: bool, count_padding: bool, dtype: Any) -> tuple[Array, ...]:
        """(windows, taps) for each axis: what a tap's value is multiplied by in its window's mean."""
        return tuple(
            (axis.weights(weighted) / axis.divisors(weighted, count_padding)[:, None]).astype(dtype)
            for axis in self.three
        )

    def rows(self, array: Array) -> Array:
        """(N, D, H, W*C) of (N, *spatial, C)."""
        volume = array.reshape(len(array), *(1,) * (5 - array.ndim), *array.shape[1:])
        return volume.reshape(*volume.shape[:3], -1)


def cover(axis: PoolingAxis, n: int) -> Cover:
    """For each of ``n`` cells the windows that see it, in their order, and with which tap."""
    windows = np.repeat(np.arange(len(axis.table)), axis.table[:, 1])
    inside = np.concatenate([np.arange(count) for count in axis.table[:, 1]])
    cells = axis.table[windows, 0] + inside * axis.dilation
    order = np.argsort(cells, kind="stable")
    pairs = np.stack([windows, axis.table[windows, 2] + inside], axis=1)[order]
    return np.searchsorted(cells[order], np.arange(n + 1)), np.ascontiguousarray(pairs)


class ExtremaPool(Layer):
    """Max and min pooling. Of equal values the first one of a window has the whole gradient.

    ``masks`` is set by `convcli.nn.fusing`: whether the gradient goes through the ReLU before the pooling here, where
    there are fewer numbers. An extremum has passed the ReLU if and only if it is above zero. ``bias`` is that of the
    layer before, if its gradient is to be summed here as well.
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self._windows = _Windows(plan)
        self._smallest = True if plan.settings["mode"] == "min" else None
        self.masks = False
        self.bias: Parameter | None = None
        small = prod(self._windows.kernels) <= np.iinfo(np.uint8).max
        self._taps: Array = np.empty(0, np.uint8 if small else np.int32)
        self._output = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """The extrema; in training also where they are."""
        from convcli.loops.pooling.gradients import find_corners, find_extrema, take_corners

        windows = self._windows
        out = self.buffer("output", (len(x), *self.output_shape), training)
        if windows.corners and not training:
            take_corners(windows.rows(read_only(x))[:, 0], x.shape[-1], self._smallest, windows.rows(out)[:, 0])
            return out
        kind = self._taps.dtype
        taps = self.hold("taps", out.shape, kind) if training else scratch("taps", out.shape, kind)
        source, target, places = read_only(windows.rows(x)), windows.rows(out), windows.rows(taps)
        if windows.corners:
            find_corners(source[:, 0], x.shape[-1], self._smallest, target[:, 0], places[:, 0])
        else:
            find_extrema(
                source, windows.tables, windows.dilations, windows.kernels, self._smallest, target, places
            )  # fmt: skip
        if training:
            self._taps, self._output = taps, out
        return out

    def backward(self, gradient: Array) -> Array:
        """Each input cell gathers the gradients of the windows whose extremum it is."""
        from convcli.loops.pooling.gradients import corners_gradient, extrema_gradient

        windows = self._windows
        out = self.hold("input gradient", (len(gradient), *self.plan.input))
        given, taps, target = read_only(windows.rows(gradient)), read_only(windows.rows(self._taps)), windows.rows(out)
        if windows.corners:
            pooled, floor = read_only(windows.rows(self._output)), self.dtype.type(0 if self.masks else -np.inf)
            rows = given.shape[2] if self.bias is not None else 0
            sums = scratch("sums", (len(gradient) if rows else 0, rows, out.shape[-1]), self.dtype)
            corners_gradient(given[:, 0], taps[:, 0], pooled[:, 0], floor, out.shape[-1], target[:, 0], sums)
            if self.bias is not None:
                self.bias.gradient[...] = sums.reshape(-1, out.shape[-1]).sum(axis=0)
            return out
        if self.masks:
            passed = RELU.backward(gradient, self._output, self._output, self.hold("passed", gradient.shape))
            given = read_only(windows.rows(passed))
            if self.bias is not None:
                self.bias.gradient[...] = conv_bias_gradient(passed)
        extrema_gradient(
            given, taps, windows.covers[0], windows.covers[1], windows.tables[2], windows.dilations[2],
            windows.kernels, target,
        )  # fmt: skip
        return out


class SumPool(Layer):
    """Average, weighted and lp pooling.

    For lp, ``out = (sum of |x|**p)**(1/p)``, a value's slope is ``sign(x) * (|x| / out)**(p - 1)``, 0 where out is 0.
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        settings = plan.settings
        self._windows = _Windows(plan)
        self._mode, self._p = settings["mode"], settings["p"]
        self._counts = settings.get("count_include_pad", False) and self._mode != "lp"
        weighted = self._mode == "weighted"
        self._factors = (
            tuple(
                np.ones((len(axis.table), taps), dtype)
                for axis, taps in zip(self._windows.three, self._windows.kernels, strict=True)
            )
            if self._mode == "lp"
            else self._windows.factors(weighted, self._counts, dtype)
        )
        self._input = self._output = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """The means or norms."""
        volume = x.reshape(len(x), *self._windows.sizes, x.shape[-1])
        out = pool_stack(volume, self._windows.three, self._mode, self._counts, self._p)
        out = out.reshape(len(x), *self.output_shape)
        if training and self._mode == "lp":
            self._input, self._output = x, out
        return out

    def backward(self, gradient: Array) -> Array:
        """Each input cell gathers its share of the windows it is in."""
        from convcli.loops.pooling.gradients import sums_gradient

        windows, lp = self._windows, self._mode == "lp"
        out = self.hold("input gradient", (len(gradient), *self.plan.input))
        if lp:
            steepness = self._p - 1
            outputs = self._output[self._output > 0]
            if outputs.size and np.abs(np.log2(outputs) * steepness).max() > _MOST_POWER:
                self._spread_norms(gradient, out)
                return out
            divisor = np.where(self._output > 0, self._output, 1) ** self.dtype.type(steepness)
            gradient = np.where(self._output > 0, gradient / divisor, 0).astype(self.dtype, copy=False)
        sums_gradient(
            read_only(windows.rows(gradient)), windows.covers[0], windows.covers[1], windows.tables[2],
            windows.dilations[2], self._factors, windows.rows(out),
        )  # fmt: skip
        if lp:
            sizes = np.abs(self._input)
            out *= np.sign(self._input) * np.where(sizes > 0, sizes, 1) ** self.dtype.type(steepness)
        return out

    def _spread_norms(self, gradient: Array, out: Array) -> None:
        """The gradient of lp tap by tap, whose ratios ``|x| / out`` stay in range where powers of each do not."""
        axes = self._windows.three
        x, target = (each.reshape(len(each), *self._windows.sizes, each.shape[-1]) for each in (self._input, out))
        shape = (len(gradient), *(len(axis.table) for axis in axes), gradient.shape[-1])
        given, norms = gradient.reshape(shape), self._output.reshape(shape)
        norms = np.where(norms > 0, norms, 1)
        target[...] = 0
        for taps in np.ndindex(*self._windows.kernels):
            windows = [np.flatnonzero(tap < axis.table[:, 1]) for tap, axis in zip(taps, axes, strict=True)]
            cells = [
                axis.table[index, 0] + tap * axis.dilation for index, tap, axis in zip(windows, taps, axes, strict=True)
            ]
            at, place = (np.ix_(range(len(x)), *each, range(x.shape[-1])) for each in (windows, cells))
            sizes = np.abs(x[place])
            ratios = np.where(sizes > 0, sizes, 1) / norms[at]
            slopes = np.sign(x[place]) * ratios ** self.dtype.type(self._p - 1)
            np.add.at(target, place, given[at] * slopes)


class GlobalPool(Layer):
    """The mean, maximum or minimum of each channel over all positions."""

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self._mode = plan.settings["mode"]
        self._places: Array = np.empty(0, np.int64)

    def forward(self, x: Array, training: bool = False) -> Array:
        """(N, C)."""
        flat = x.reshape(len(x), -1, x.shape[-1])
        if self._mode == "average":
            return np.asarray(flat.mean(axis=1, dtype=np.float64), self.dtype)
        places = (flat.argmax if self._mode == "max" else flat.argmin)(axis=1)[:, None]
        if training:
            self._places = places
        return np.asarray(np.take_along_axis(flat, places, axis=1)[:, 0])

    def backward(self, gradient: Array) -> Array:
        """The same share to every position, or all of it to the first extremum."""
        out = self.hold("input gradient", (len(gradient), *self.plan.input))
        flat = out.reshape(len(out), -1, out.shape[-1])
        if self._mode == "average":
            flat[...] = gradient[:, None] / self.dtype.type(flat.shape[1])
        else:
            flat[...] = 0
            np.put_along_axis(flat, self._places, gradient[:, None], axis=1)
        return out


def make_pool(plan: LayerPlan, dtype: Any) -> Layer:
    """A pooling layer of the right kind; raises `ModelError` for modes that have no gradient here."""
    mode = plan.settings["mode"]
    if mode not in _TRAINABLE:
        raise ModelError(f"{plan.name}: got mode {mode!r}, expected {', '.join(_TRAINABLE)}: a network cannot train it")
    return (ExtremaPool if mode in ("max", "min") else SumPool)(plan, dtype)
