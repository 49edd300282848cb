"""Pooling in ONNX's words: its operators where they mean the same, else sums of windows times what divides them."""

from typing import Any

import numpy as np

from convcli.errors import ModelError
from convcli.geometry import Window
from convcli.nn.layer import Array, Layer
from convcli.nn.onnx_graph import Graph
from convcli.ops.pooling_axes import PoolingAxis, adaptive_axes, axes_of, bell


def pool(graph: Graph, layer: Layer, x: str) -> str:
    """Windows of one size. ``ceil_mode`` becomes padding: a window hangs over the end by so many cells."""
    settings, sizes = layer.plan.settings, layer.plan.input[:-1]
    windows = [window for window in layer.plan.windows if isinstance(window, Window)]
    outputs = layer.plan.output[:-1]
    ends = [
        max((count - 1) * window.stride + window.effective - n - window.before, 0)
        for window, n, count in zip(windows, sizes, outputs, strict=True)
    ]
    words: dict[str, Any] = {
        "kernel_shape": [window.kernel_size for window in windows],
        "strides": [window.stride for window in windows],
        "pads": [window.before for window in windows] + ends,
    }
    spread = [window.dilation for window in windows]
    mode = settings["mode"]
    if mode in ("max", "min"):
        return _extrema(graph, x, mode, {**words, "dilations": spread})
    over = any(end > window.after for end, window in zip(ends, windows, strict=True))
    counts = bool(settings["count_include_pad"])
    simple = max(spread) == 1 and not (counts and over) and _pads_are_small(words)
    if mode == "average" and simple:
        return graph.node("AveragePool", x, count_include_pad=int(counts), **words)
    return _sums(graph, layer, x, axes_of(sizes, windows), {**words, "dilations": spread})


def _extrema(graph: Graph, x: str, mode: str, words: dict[str, Any]) -> str:
    if mode == "min":
        x = graph.node("Neg", x)
    if not _pads_are_small(words):  # runtimes refuse paddings as wide as the window, even a dilated one
        half = len(words["kernel_shape"])
        ends = [0, 0, *words["pads"][:half], 0, 0, *words["pads"][half:]]
        lowest = graph.constant(np.finfo(graph.dtype).min, "lowest")
        x = graph.node("Pad", x, graph.integers(ends, "amount"), lowest)
        words = {**words, "pads": [0] * (2 * half)}
    x = graph.node("MaxPool", x, **words)
    return graph.node("Neg", x) if mode == "min" else x


def _pads_are_small(words: dict[str, Any]) -> bool:
    return all(pad < size for pad, size in zip(words["pads"], words["kernel_shape"] * 2, strict=True))


def _sums(graph: Graph, layer: Layer, x: str, axes: tuple[PoolingAxis, ...], words: dict[str, Any]) -> str:
    """Weighted sums by a convolution of each channel, then times what each position divides by."""
    settings, channels = layer.plan.settings, layer.plan.input[-1]
    mode = settings["mode"]
    kernel = np.ones(())
    for axis in axes:
        kernel = np.multiply.outer(kernel, bell(axis.kernel_size) if mode == "weighted" else np.ones(axis.kernel_size))
    weights = graph.constant(np.broadcast_to(kernel, (channels, 1, *kernel.shape)), "window")
    if mode == "lp":
        return _root(graph, graph.node("Conv", _power(graph, x, layer), weights, group=channels, **words), layer)
    if mode not in ("average", "weighted"):
        raise ModelError(f"{layer.name}: ONNX has no words for pooling with mode {mode}")
    sums = graph.node("Conv", x, weights, group=channels, **words)
    counts = bool(settings["count_include_pad"])
    factors = np.ones(())
    for axis in axes:
        factors = np.multiply.outer(factors, 1 / axis.divisors(mode == "weighted", counts))
    return graph.node("Mul", sums, graph.constant(factors[None, None], "shares"))


def _power(graph: Graph, x: str, layer: Layer) -> str:
    return graph.node("Pow", graph.node("Abs", x), graph.constant(layer.plan.settings["p"], "p"))


def _root(graph: Graph, x: str, layer: Layer) -> str:
    return graph.node("Pow", x, graph.constant(1 / layer.plan.settings["p"], "one_over_p"))


def global_pool(graph: Graph, layer: Layer, x: str) -> str:
    """The mean or the extremum of each channel: (N, C)."""
    mode = layer.plan.settings["mode"]
    axes = list(range(2, len(layer.plan.input) + 1))
    operators = {"average": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin"}
    return graph.node(operators[mode], x, axes=axes, keepdims=0)


def adaptive_pool(graph: Graph, layer: Layer, x: str) -> str:
    """Windows that differ: along each axis the cells of every window are gathered, then made one."""
    mode = layer.plan.settings["mode"]
    axes = adaptive_axes(layer.plan.input[:-1], layer.plan.output[:-1])
    if mode == "lp":
        x = _power(graph, x, layer)
    for place, axis in enumerate(axes, 2):
        first, counts = axis.table[:, 0], axis.table[:, 1]
        taps = np.arange(int(counts.max()))
        # A shorter window looks at its last cell again: no extremum minds, and sums count it zero times.
        cells = first[:, None] + np.minimum(taps, counts[:, None] - 1)
        x = graph.node("Gather", x, graph.integers(cells, "cells"), axis=place)
        if mode in ("max", "min"):
            x = graph.node("ReduceMax" if mode == "max" else "ReduceMin", x, axes=[place + 1], keepdims=0)
            continue
        shares = _shares(axis, mode)
        behind = (1,) * (len(axes) + 1 - place)
        x = graph.node("Mul", x, graph.constant(shares.reshape(*shares.shape, *behind), "shares"))
        x = graph.node("ReduceSum", x, graph.integers([place + 1], "axis"), keepdims=0)
    return _root(graph, x, layer) if mode == "lp" else x


def _shares(axis: PoolingAxis, mode: str) -> Array:
    """(OUT, taps): what a tap counts in its window's sum; nothing behind the window's end."""
    inside = np.arange(int(axis.table[:, 1].max())) < axis.table[:, 1][:, None]
    if mode == "lp":
        return inside * 1.0
    weighted = mode == "weighted"
    return inside * axis.weights(weighted) / axis.divisors(weighted, False)[:, None]
