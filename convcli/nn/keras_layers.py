"""Keras's layers in ours: one function for each kind, from its configuration and arrays to a table and numbers."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from convcli.errors import ModelError, shortened
from convcli.nn.imported import Array, Graph

ACTIVE = ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Dense")
Table = dict[str, Any]


class Reader(Protocol):
    """What a layer asks of the network that it is read from: `keras_import.Reader`."""

    graph: Graph
    size: tuple[int, ...]

    def lack(self, kind: str, config: Mapping[str, Any], what: str = "") -> ModelError:
        """What is said of a layer that we have no words for."""
        ...

    def is_of_channels(self, axis: Any) -> bool:
        """Whether an axis is that of the channels."""
        ...

    def check_activation(self, word: Any, config: Mapping[str, Any]) -> None:
        """Refuse an activation that we lack."""
        ...


Read = Callable[[Reader, dict[str, Any], list[Array]], tuple[Table, Mapping[str, Array]]]


def is_first(config: Mapping[str, Any]) -> bool:
    """Whether a layer's maps have their channels first."""
    return config.get("data_format") == "channels_first"


def _named(arrays: list[Array], *names: str) -> dict[str, Array]:
    if len(arrays) != len(names):
        raise ValueError(f"got {len(arrays)} arrays of a layer, expected {len(names)}: {', '.join(names)}")
    return dict(zip(names, arrays, strict=True))


def _slid(config: dict[str, Any]) -> Table:
    padding = config["padding"]
    if padding not in ("same", "valid"):
        raise ModelError(f"{config['name']}: got padding {shortened(padding)}, expected same or valid")
    return {
        "kernel_size": _sizes(config["kernel_size"]), "stride": _sizes(config["strides"]), "padding": padding,
        "dilation": _sizes(config.get("dilation_rate", 1)), "use_bias": bool(config["use_bias"]),
    }  # fmt: skip


def _sizes(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _conv(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    names = ("kernel", "bias")[: 1 + bool(config["use_bias"])]
    table = {"type": "conv", "filters": config["filters"], "groups": config.get("groups", 1), **_slid(config)}
    return table, _named(arrays, *names)


def _transposed(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    table = {"type": "conv_transpose", "filters": config["filters"], **_slid(config)}
    given = config.get("output_padding")
    if given is not None:
        extra = _sizes(given) if isinstance(given, list | tuple) else [given] * len(config["kernel_size"])
        if config["padding"] == "same":  # half a kernel is cut off at both ends, whatever the stride
            short = [k % 2 - k + e for k, e in zip(_sizes(config["kernel_size"]), extra, strict=True)]
            table["padding"] = [[max(-(each // 2), 0)] * 2 for each in short]
            extra = [2 * cut[0] + each for cut, each in zip(table["padding"], short, strict=True)]
        table["output_padding"] = extra
    return table, _named(arrays, *("kernel", "bias")[: 1 + bool(config["use_bias"])])


def _alone(kernel: Array) -> Array:
    """(*kernel, C, M) of each channel by itself as (*kernel, 1, C*M)."""
    return kernel.reshape(*kernel.shape[:-2], 1, -1)


def _depthwise(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("kernel", "bias")[: 1 + bool(config["use_bias"])])
    numbers["kernel"] = _alone(numbers["kernel"])
    return {"type": "depthwise", "depth_multiplier": config["depth_multiplier"], **_slid(config)}, numbers


def _separable(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("depthwise_kernel", "kernel", "bias")[: 2 + bool(config["use_bias"])])
    numbers["depthwise_kernel"] = _alone(numbers["depthwise_kernel"])
    table = {"filters": config["filters"], "depth_multiplier": config["depth_multiplier"], **_slid(config)}
    return {"type": "separable_conv", **table}, numbers


def _dense(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("kernel", "bias")[: 1 + bool(config["use_bias"])])
    return {"type": "dense", "units": config["units"], "use_bias": bool(config["use_bias"])}, numbers


def _norm(kind: str, *more: str) -> Read:
    def read(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        axis = config.get("axis", -1)
        if not reader.is_of_channels(axis) or config.get("rms_scaling"):
            raise reader.lack(kind, config, f"axis {axis}")
        words = {"center": bool(config["center"]), "scale": bool(config["scale"]), "epsilon": config["epsilon"]}
        names = [name for name, there in (("gamma", words["scale"]), ("beta", words["center"])) if there]
        table: Table = {"type": kind, **words} | ({"groups": config["groups"]} if kind == "group_norm" else {})
        return table, _named(arrays, *names, *more)

    return read


def _scaled(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    """What brings an input to one scale: a factor and a summand, or a mean and a variance for each channel."""
    count, is_normal = reader.size[-1], "mean" in config
    if reader.graph.values:  # whose channels are not known here
        raise reader.lack(config["name"], config, "a place that is not the first")
    if not is_normal:
        arrays = [np.array(config["scale"]), np.array(config["offset"]), np.zeros(1), np.ones(1)]
    elif config.get("invert") or not reader.is_of_channels(config.get("axis", -1)):
        raise reader.lack("Normalization", config, "other axes than the channels")
    else:
        given = [np.array(config[key]) for key in ("mean", "variance") if config.get(key) is not None]
        mean, variance = given or arrays[:2]
        arrays = [np.ones(1), np.zeros(1), mean, np.maximum(variance, 1e-14)]
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    numbers = {
        name: np.broadcast_to(each.astype(np.float64).reshape(-1), (count,))
        for name, each in zip(names, arrays, strict=True)
    }
    return {"type": "batch_norm", "epsilon": 0.0}, numbers


def _pool(mode: str) -> Read:
    def read(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        keys = {"kernel_size": _sizes(config["pool_size"]), "stride": _sizes(config["strides"])}
        return {"type": "pool", "mode": mode, "padding": config["padding"], **keys}, {}

    return read


def _global(mode: str) -> Read:
    def read(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        if config.get("keepdims"):
            return {"type": "adaptive_pool", "output_size": 1, "mode": mode}, {}
        return {"type": "global_pool", "mode": mode}, {}

    return read


def _activation(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    word = config["activation"]
    reader.check_activation(word, config)
    return {"type": "activation", "activation": word}, {}


def _softmax(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    axis = config.get("axis", -1)
    if not reader.is_of_channels(axis):
        raise reader.lack("Softmax", config, f"axis {axis}")
    return {"type": "activation", "activation": "softmax"}, {}


def _relu(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    highest, slope = config.get("max_value"), config.get("negative_slope") or 0
    if config.get("threshold") or (highest is not None and (highest != 6 or slope)):
        raise reader.lack("ReLU", config, f"max_value {highest}, threshold {config.get('threshold')}")
    word = "relu6" if highest == 6 else f"leaky_relu:{float(slope)!r}" if slope else "relu"
    return {"type": "activation", "activation": word}, {}


def _sloped(name: str, *keys: str) -> Read:
    def read(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        slope = next(config[key] for key in keys if key in config)
        return {"type": "activation", "activation": f"{name}:{float(np.asarray(slope))!r}"}, {}

    return read


def _prelu(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    (alpha,) = arrays
    sides = alpha.shape[:-1]
    if alpha.size == 1:
        return {"type": "prelu", "share": "all"}, {"alpha": alpha.reshape(1)}
    if all(side == 1 for side in sides):
        return {"type": "prelu", "share": "positions"}, {"alpha": alpha.reshape(-1)}
    if 1 in sides:
        raise reader.lack("PReLU", config, f"shared_axes {config['shared_axes']}")
    return {"type": "prelu", "share": "none"}, {"alpha": alpha}


def _upsample(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    mode = config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise reader.lack("UpSampling2D", config, f"interpolation {shortened(mode)}")
    return {"type": "upsample", "size": _sizes(config["size"]), "mode": mode}, {}


def _pad(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    amount = config["padding"]
    pairs = [list(each) if isinstance(each, list | tuple) else each for each in amount]
    one = len(reader.size) == 2 and all(type(each) is int for each in pairs)
    return {"type": "pad", "amount": [pairs] if one else pairs}, {}


def _flatten(reader: Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    return {"type": "flatten"}, {}


READ: dict[str, Read] = {
    "Conv": _conv, "ConvTranspose": _transposed, "DepthwiseConv": _depthwise, "SeparableConv": _separable,
    "Dense": _dense, "Flatten": _flatten, "BatchNormalization": _norm("batch_norm", "moving_mean", "moving_variance"),
    "LayerNormalization": _norm("layer_norm"), "GroupNormalization": _norm("group_norm"), "MaxPooling": _pool("max"),
    "AveragePooling": _pool("average"), "GlobalAveragePooling": _global("average"), "GlobalMaxPooling": _global("max"),
    "Activation": _activation, "ReLU": _relu, "LeakyReLU": _sloped("leaky_relu", "negative_slope", "alpha"),
    "ELU": _sloped("elu", "alpha"), "PReLU": _prelu, "UpSampling": _upsample, "ZeroPadding": _pad,
    "Softmax": _softmax, "Rescaling": _scaled, "Normalization": _scaled,
}  # fmt: skip
