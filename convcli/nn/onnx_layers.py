"""Each kind of layer in ONNX's words. Values are (N, C, *spatial), or (N, values) behind a flatten.

Where an operator of ONNX means the same, it is used; else a few simple ones are put together. The graph around them is
in `convcli.nn.onnx_model`, pooling in `convcli.nn.onnx_pooling`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.errors import ModelError
from convcli.geometry import TransposedWindow
from convcli.nn.activations import GATES, Activation
from convcli.nn.layer import Array, Layer
from convcli.nn.onnx_graph import Graph
from convcli.nn.onnx_pooling import adaptive_pool, global_pool, pool
from convcli.nn.shaping import ActivationLayer
from convcli.nn.weighted import Weighted
from convcli.ops.responses import SELU_ALPHA, SELU_SCALE


def express_chain(graph: Graph, layers: Sequence[Layer], x: str) -> str:
    """Layers one after the other; without any, the values themselves."""
    for layer in layers:
        graph.layer = layer.name
        x = express(graph, layer, x)
    return x


def express(graph: Graph, layer: Layer, x: str) -> str:
    """The nodes of one layer, with those inside; returns the name of its output.

    Raises
    ------
    ModelError
        If ONNX has no words for it.
    """
    kind = layer.plan.type
    if kind in ("dropout", "spatial_dropout", "head"):  # nothing is left of them after training
        return x
    if kind in ("parallel", "add"):
        outputs = [express_chain(graph, branch, x) for branch in layer.branches]
        graph.layer = layer.name
        return graph.node("Concat", *outputs, axis=1) if kind == "parallel" else graph.node("Sum", *outputs)
    if kind not in _LAYERS:
        raise ModelError(f"{layer.name}: ONNX has no words for a layer of type {kind}")
    values = _LAYERS[kind](graph, layer, x)
    if isinstance(layer, Weighted | ActivationLayer):
        return activate(graph, layer.activation, values)
    return values


def activate(graph: Graph, activation: Activation, x: str) -> str:
    """An activation of each number; softmax is over the channels."""
    name, argument = activation.name, float(activation.argument)
    if name == "linear":
        return x
    if name == "gelu":  # x/2 * (1 + erf(x / sqrt(2))); ONNX has an operator since opset 20 only
        bent = graph.node("Erf", graph.node("Mul", x, graph.constant(math.sqrt(0.5), "root_half")))
        bent = graph.node("Add", bent, graph.constant(1.0, "one"))
        return graph.node("Mul", graph.node("Mul", x, graph.constant(0.5, "half")), bent)
    if name in GATES:
        return graph.node("Mul", x, activate(graph, Activation(GATES[name]), x))
    if name == "relu6":
        return graph.node("Clip", x, graph.constant(0.0, "zero"), graph.constant(6.0, "six"))
    attributes: dict[str, Any] = {
        "leaky_relu": {"alpha": argument}, "elu": {"alpha": argument}, "softmax": {"axis": 1},
        "selu": {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}, "hard_sigmoid": {"alpha": 1 / 6, "beta": 0.5},
    }  # fmt: skip
    operator = _ACTIVATIONS.get(name)
    if operator is None:
        raise ModelError(f"{graph.layer}: ONNX has no words for the activation {name}")
    return graph.node(operator, x, **attributes.get(name, {}))


_ACTIVATIONS = {
    "selu": "Selu",
    "hard_sigmoid": "HardSigmoid",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "softplus": "Softplus",
}


def _weights(graph: Graph, layer: Layer, turned: Callable[[Array], Array]) -> list[str]:
    """Kernel, laid out as ONNX has it, and bias if there is one."""
    return [
        graph.constant(turned(each.value) if each.name.endswith("kernel") else each.value, each.name)
        for each in layer.parameters
    ]


def _window_words(plan: LayerPlan) -> dict[str, Any]:
    windows: Any = plan.windows
    return {
        "kernel_shape": [window.kernel_size for window in windows],
        "strides": [window.stride for window in windows],
        "pads": [window.before for window in windows] + [window.after for window in windows],
        "dilations": [window.dilation for window in windows],
        "group": plan.groups,
    }


def _conv(graph: Graph, layer: Layer, x: str) -> str:
    """(*kernel, C/groups, O) as (O, C/groups, *kernel); transposed (*kernel, O/groups, C) as (C, O/groups, *kernel)."""
    weights = _weights(graph, layer, lambda kernel: np.moveaxis(kernel, (-1, -2), (0, 1)))
    words, windows = _window_words(layer.plan), layer.plan.windows
    if layer.plan.type != "conv_transpose":
        return graph.node("Conv", x, *weights, **words)
    more = [window.output_padding for window in windows if isinstance(window, TransposedWindow)]
    return graph.node("ConvTranspose", x, *weights, output_padding=more, **words)


def _separable(graph: Graph, layer: Layer, x: str) -> str:
    """Two convolutions; only the first has windows."""
    words = {**_window_words(layer.plan), "group": layer.plan.input[-1]}
    depthwise, *others = _weights(graph, layer, lambda kernel: np.moveaxis(kernel, (-1, -2), (0, 1)))
    return graph.node("Conv", graph.node("Conv", x, depthwise, **words), *others)


def _dense(graph: Graph, layer: Layer, x: str) -> str:
    return graph.node("Gemm", x, *_weights(graph, layer, lambda kernel: kernel))


def _flatten(graph: Graph, layer: Layer, x: str) -> str:
    """Values in the order that the weights behind know: channels fastest."""
    size = layer.plan.input
    if len(size) > 1 and size[-1] > 1 and math.prod(size[:-1]) > 1:
        x = graph.node("Transpose", x, perm=[0, *range(2, len(size) + 1), 1])
    return graph.node("Reshape", x, graph.integers([-1, math.prod(size)], "shape"))


def _batch_norm(graph: Graph, layer: Layer, x: str) -> str:
    known = {each.name: each.value for each in layer.parameters}
    channels = layer.plan.input[-1]
    usual = {"gamma": np.ones(channels), "beta": np.zeros(channels)}
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    numbers = [graph.constant(known.get(name, usual.get(name)), name) for name in names]
    return graph.node("BatchNormalization", x, *numbers, epsilon=float(layer.plan.settings["epsilon"]))


def _group_norm(graph: Graph, layer: Layer, x: str) -> str:
    """Means over a group's numbers; opset 17 has a layer_norm for the last axis only, and no group_norm."""
    groups, size = layer.plan.settings.get("groups"), layer.plan.input
    outer = x
    if groups is not None:
        x = graph.node("Reshape", x, graph.integers([0, groups, -1], "groups"))
    axes = [1] if groups is None else [2]
    even = graph.node("Sub", x, graph.node("ReduceMean", x, axes=axes))
    variance = graph.node("ReduceMean", graph.node("Mul", even, even), axes=axes)
    safe = graph.node("Add", variance, graph.constant(layer.plan.settings["epsilon"], "epsilon"))
    x = graph.node("Div", even, graph.node("Sqrt", safe))
    if groups is not None:
        x = graph.node("Reshape", x, graph.node("Shape", outer))
    for each, operator in (("gamma", "Mul"), ("beta", "Add")):
        for parameter in layer.parameters:
            if parameter.name == each:
                x = graph.node(operator, x, graph.constant(_per_channel(parameter.value, size), each))
    return x


def _per_channel(values: Array, size: Sequence[int]) -> Array:
    """(C) as it goes with (N, C, *spatial)."""
    return values.reshape(-1, *(1,) * (len(size) - 1))


def _prelu(graph: Graph, layer: Layer, x: str) -> str:
    (alpha,) = (each.value for each in layer.parameters)
    whole = layer.plan.settings["share"] == "none"
    slopes = np.moveaxis(alpha, -1, 0) if whole else _per_channel(alpha, layer.plan.input)
    return graph.node("PRelu", x, graph.constant(slopes, "alpha"))


def _upsample(graph: Graph, layer: Layer, x: str) -> str:
    sizes = [made / n for made, n in zip(layer.plan.output[:-1], layer.plan.input[:-1], strict=True)]
    scales = graph.constant([1.0, 1.0, *sizes], "scales", np.float32)
    if layer.plan.settings["mode"] == "bilinear":
        words = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    else:
        words = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.node("Resize", x, "", scales, **words)


def _lrn(graph: Graph, layer: Layer, x: str) -> str:
    """ONNX's operator is for pictures, and even sizes look further up where ours look down: one way for all instead."""
    settings, channels, rank = layer.plan.settings, layer.plan.input[-1], len(layer.plan.input) + 1
    size = settings["size"]
    apart = np.arange(channels) - np.arange(channels)[:, None]  # of the channel that is read from the one made
    near = (apart >= -(size // 2)) & (apart <= (size - 1) // 2)
    squares = graph.node("Mul", x, x)
    if rank == 2:
        sums = graph.node("MatMul", squares, graph.constant(near.T * settings["alpha"], "neighbours"))
    else:
        kernel = near.reshape(channels, channels, *(1,) * (rank - 2)) * settings["alpha"]
        sums = graph.node("Conv", squares, graph.constant(kernel, "neighbours"))
    scale = graph.node("Add", sums, graph.constant(settings["k"], "k"))
    return graph.node("Div", x, graph.node("Pow", scale, graph.constant(settings["beta"], "beta")))


def _pad(graph: Graph, layer: Layer, x: str) -> str:
    """Constants by ONNX's operator; copies by their places, since it does not know all ways to copy."""
    settings, windows = layer.plan.settings, layer.plan.windows
    if settings["mode"] == "constant":
        ends = [0, 0, *(each.before for each in windows), 0, 0, *(each.after for each in windows)]
        return graph.node("Pad", x, graph.integers(ends, "amount"), graph.constant(settings["value"], "value"))
    for axis, (window, n) in enumerate(zip(windows, layer.plan.input, strict=False), 2):
        places = np.pad(np.arange(n), (window.before, window.after), settings["mode"])
        x = graph.node("Gather", x, graph.integers(places, "places"), axis=axis)
    return x


_LAYERS: dict[str, Callable[[Graph, Layer, str], str]] = {
    "conv": _conv,
    "depthwise": _conv,
    "separable_conv": _separable,
    "layer_norm": _group_norm,
    "group_norm": _group_norm,
    "prelu": _prelu,
    "upsample": _upsample,
    "conv_transpose": _conv,
    "dense": _dense,
    "flatten": _flatten,
    "batch_norm": _batch_norm,
    "lrn": _lrn,
    "pad": _pad,
    "activation": lambda graph, layer, x: x,
    "pool": pool,
    "global_pool": global_pool,
    "adaptive_pool": adaptive_pool,
}
