"""A network that Keras saved (.keras, or a whole .h5) as ours: its configuration is read, never executed.

A ``.keras`` file is a zip of ``config.json`` (the layers and what each is called on) and ``model.weights.h5`` (their
arrays). Lambdas, and layers of other packages, are named and refused.

Source: https://keras.io/api/models/model_saving_apis, and the arrays' names as Keras writes them: a layer is called by
its class in small letters, and counted from its second on.
"""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory
from convcli.errors import ConvcliError, ModelError, shortened
from convcli.extras import needed
from convcli.nn.imported import INPUT, Array, Graph, build
from convcli.nn.model import Model

_MOST_BYTES = 2_000_000_000
# What a damaged file, or another than Keras's, comes to.
_DAMAGED = (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, RuntimeError,
            zipfile.BadZipFile)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Layers that are nothing at all once a network is trained.
_PASSING = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout",
            "ActivityRegularization", "Identity", "AlphaDropout")  # fmt: skip
_ACTIVATIONS = {
    "linear", "relu", "elu", "gelu", "sigmoid", "tanh", "softmax", "swish", "silu", "selu", "hard_sigmoid", "relu6",
    "leaky_relu",
}  # fmt: skip


def read_keras(path: Path) -> Model:
    """The model of a Keras file.

    Raises
    ------
    ModelError
        If ``h5py`` is not installed, the file is none of Keras's, or holds what we have no words for: it is named.
    """
    h5py = needed("h5py", "keras", "import: the h5py library is not installed; ", ModelError)
    try:
        if path.suffix.lower() == ".keras":
            config, content, version = _parts(path)
            with h5py.File(io.BytesIO(content), "r") as file:
                return _Reader(path, config, lambda key: _by_class(file, key), version).model()
        with path.open("rb") as stream:
            if stream.read(8) != _HDF5:
                raise ModelError(f"{path}: is no HDF5 file, expected one that Keras saved")
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None or "model_weights" not in file:
                raise ModelError(f"{path}: holds weights but no network, expected a whole model; save it as .keras")
            config, version = _json(text, path), file.attrs.get("keras_version", "")
            version = version.decode() if isinstance(version, bytes) else str(version)
            return _Reader(path, config, lambda key: _by_name(file, key), version).model()
    except ConvcliError:
        raise
    except _DAMAGED as error:
        if not path.is_file():
            raise
        reason = shortened(str(error)) if str(error) else type(error).__name__
        raise ModelError(f"{path}: is not readable as a Keras model ({reason})") from None


def _parts(path: Path) -> tuple[Any, bytes, str]:
    """Configuration, weights and Keras's version of a .keras file."""
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path}: is no zip file, expected what Keras saves as .keras")
    with zipfile.ZipFile(path) as archive:
        for name in ("config.json", "model.weights.h5"):
            if name not in archive.namelist():
                raise ModelError(f"{path}: holds no {name}, expected what Keras saves as .keras")
            if archive.getinfo(name).file_size > _MOST_BYTES:
                raise ModelError(f"{path}: {name}: is larger than {_MOST_BYTES:,} bytes")
            check_memory(2 * archive.getinfo(name).file_size, f"{path}: its {name}", ModelError)
        told = json.loads(archive.read("metadata.json")) if "metadata.json" in archive.namelist() else {}
        version = str(told.get("keras_version", ""))
        return _json(archive.read("config.json"), path), archive.read("model.weights.h5"), version


def _json(text: str | bytes, path: Path) -> Any:
    document = json.loads(text)
    if not isinstance(document, dict) or "class_name" not in document or "config" not in document:
        raise ModelError(f"{path}: its configuration is no model's")
    return document


def _by_class(file: Any, key: tuple[str, str]) -> list[Array]:
    """The arrays of a layer that is called by its class."""
    group = file.get(f"layers/{key[0]}/vars") or file.get(f"_layer_checkpoint_dependencies/{key[0]}/vars")
    return [] if group is None else [_array(file, group, str(place)) for place in range(len(group))]


def _by_name(file: Any, key: tuple[str, str]) -> list[Array]:
    """The arrays of a layer in an older file, by the layer's own name."""
    group = file["model_weights"].get(key[1])
    if group is None:
        return []
    names = [each.decode() if isinstance(each, bytes) else str(each) for each in group.attrs.get("weight_names", [])]
    return [_array(file, group, name) for name in names]


def _array(file: Any, group: Any, name: str) -> Array:
    """An array that lies in the file itself: links may lead anywhere, and sizes may be claimed."""
    import h5py

    if h5py.h5o.get_info(group.id).fileno != h5py.h5o.get_info(file.id).fileno:
        raise ModelError(f"weights: {shortened(group.name)} is a link, expected what the file itself holds")
    *folders, last = name.split("/")
    for each in folders:
        if not isinstance(group.get(each, getlink=True), h5py.HardLink):
            raise ModelError(f"weights: {shortened(name)} is a link, expected an array")
        group = group[each]
    found = group[last] if isinstance(group.get(last, getlink=True), h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise ModelError(f"weights: {shortened(name)} is a link, expected an array")
    check_memory(found.size * 8, f"weights: got {found.size:,} numbers in {shortened(name)}", ModelError)
    return np.asarray(found)


class _Reader:
    def __init__(
        self, path: Path, document: Any, arrays: Callable[[tuple[str, str]], list[Array]], version: str = ""
    ) -> None:
        self.version = version
        self.path = path
        self.config = document["config"]
        self.sequential = document["class_name"] == "Sequential"
        if document["class_name"] not in ("Sequential", "Functional", "Model"):
            raise ModelError(
                f"{path}: holds a {shortened(document['class_name'])}, expected a Sequential or a Functional model"
            )
        self.arrays = arrays
        self.graph = Graph()
        self.values: dict[str, str] = {}
        self.flat: set[str] = set()
        self.size: tuple[int, ...] = ()
        self.rank = 0  # of the values that a layer takes, without N
        self._classes: Counter[str] = Counter()

    def model(self) -> Model:
        """All layers, in the order in which they are saved."""
        last = INPUT
        for layer in self.config["layers"]:
            kind, config = str(layer["class_name"]), layer["config"]
            key = self._key(kind), str(config["name"])
            if kind == "InputLayer":
                self._input(config, key[1])
                continue
            if not self.size:
                self._input(config, "")
            sources = [last] if self.sequential else [self.values[name] for name in self._called_on(layer)]
            last = self._layer(kind, config, sources, self.arrays(key))
            self.values[key[1]] = last
        if not self.sequential:
            last = self.values[_names(self.config["output_layers"], self.path)]
        return build(self.graph, last, self.size, str(self.config.get("name", "network")), str(self.path))

    def _key(self, kind: str) -> str:
        """How Keras calls a layer in a weights file: ``conv2d``, then ``conv2d_1``."""
        plain = re.sub(r"\W+", "", kind)
        plain = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", plain)
        plain = re.sub("([a-z])([A-Z])", r"\1_\2", plain).lower()
        self._classes[plain] += 1
        return plain if self._classes[plain] == 1 else f"{plain}_{self._classes[plain] - 1}"

    def _input(self, config: Mapping[str, Any], name: str) -> None:
        shape = config.get("batch_shape") or config.get("batch_input_shape") or self.config.get("build_input_shape")
        sizes = tuple((shape or (None,))[1:])
        if self.size or not sizes or any(type(each) is not int for each in sizes):
            raise ModelError(f"{self.path}: got inputs of {shape}, expected one input of a certain size")
        self.size = sizes
        self.values[name] = INPUT
        if len(sizes) == 1:
            self.flat.add(INPUT)

    def _called_on(self, layer: Any) -> list[str]:
        """The names of the layers whose outputs a layer takes."""
        nodes = layer.get("inbound_nodes") or []
        if len(nodes) != 1:
            raise ModelError(
                f"{self.path}: calls {shortened(layer['config']['name'])} {len(nodes)} times, expected once"
            )
        found: list[str] = []

        def look(part: Any) -> None:
            if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
                found.append(str(part["config"]["keras_history"][0]))
            elif isinstance(part, list) and len(part) >= 3 and isinstance(part[0], str) and type(part[1]) is int:
                found.append(part[0])
            elif isinstance(part, list | tuple):
                for each in part:
                    look(each)

        look(nodes[0]["args"] if isinstance(nodes[0], dict) else nodes[0])
        return found

    def lack(self, kind: str, config: Mapping[str, Any], what: str = "") -> ModelError:
        """What is said of a layer that we have no words for."""
        name = shortened(config.get("name", kind))
        return ModelError(f"{self.path}: holds {kind} ({name}){f' with {what}' if what else ''}, which convcli lacks")

    def _layer(self, kind: str, config: dict[str, Any], sources: list[str], arrays: list[Array]) -> str:
        if kind in _PASSING:
            return sources[0]
        if kind in ("Add", "Concatenate"):
            if kind == "Concatenate" and config.get("axis", -1) not in (-1, len(self.size)):
                raise self.lack(kind, config, f"axis {config['axis']}")
            return self.graph.join("add" if kind == "Add" else "parallel", sources)
        if config.get("data_format") == "channels_first":
            raise self.lack(kind, config, "channels_first")
        plain = re.sub(r"[123]D", "", kind)
        read = _READ.get(plain)
        if read is None or len(sources) != 1:
            raise self.lack(kind, config)
        flat = sources[0] in self.flat
        self.rank = 1 if flat else len(self.size)
        if plain == "Dense" and not flat:
            raise self.lack(kind, config, "maps, whose places it treats alike")
        table, numbers = read(self, config, arrays)
        made = self.graph.layer(sources[0], table.pop("type"), numbers, **table)
        if not config.get("keepdims") and (flat or plain == "Flatten" or plain.startswith("Global")):
            self.flat.add(made)
        activation = config.get("activation")
        if plain != "Activation" and plain in _ACTIVE and activation not in (None, "linear"):
            made = self._activated(made, activation, config)
        return made

    def check_activation(self, word: Any, config: Mapping[str, Any]) -> None:
        """Refuse an activation that we lack; Keras 2 had a steeper hard sigmoid."""
        is_older = word == "hard_sigmoid" and self.version.startswith("2.")
        if word not in _ACTIVATIONS or is_older:
            raise self.lack(f"the activation {shortened(word)}", config, "the slope of Keras 2" if is_older else "")

    def _activated(self, source: str, activation: Any, config: Mapping[str, Any]) -> str:
        word = activation if isinstance(activation, str) else str(activation.get("class_name", "")).lower()
        if isinstance(activation, dict) and activation.get("config"):
            raise self.lack(f"the activation {shortened(word)}", config)
        self.check_activation(word, config)
        made = self.graph.layer(source, "activation", activation=word)
        if source in self.flat:
            self.flat.add(made)
        return made


_ACTIVE = ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Dense")
Table = dict[str, Any]
Read = Callable[[_Reader, dict[str, Any], list[Array]], tuple[Table, Mapping[str, Array]]]


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


def _conv(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    names = ("kernel", "bias")[: 1 + bool(config["use_bias"])]
    table = {"type": "conv", "filters": config["filters"], "groups": config.get("groups", 1), **_slid(config)}
    return table, _named(arrays, *names)


def _transposed(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
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


def _depthwise(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("kernel", "bias")[: 1 + bool(config["use_bias"])])
    numbers["kernel"] = _alone(numbers["kernel"])
    return {"type": "depthwise", "depth_multiplier": config["depth_multiplier"], **_slid(config)}, numbers


def _separable(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("depthwise_kernel", "kernel", "bias")[: 2 + bool(config["use_bias"])])
    numbers["depthwise_kernel"] = _alone(numbers["depthwise_kernel"])
    table = {"filters": config["filters"], "depth_multiplier": config["depth_multiplier"], **_slid(config)}
    return {"type": "separable_conv", **table}, numbers


def _dense(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    numbers = _named(arrays, *("kernel", "bias")[: 1 + bool(config["use_bias"])])
    return {"type": "dense", "units": config["units"], "use_bias": bool(config["use_bias"])}, numbers


def _norm(kind: str, *more: str) -> Read:
    def read(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        axis = config.get("axis", -1)
        last = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        if last not in (-1, reader.rank) or config.get("rms_scaling"):
            raise reader.lack(kind, config, f"axis {axis}")
        words = {"center": bool(config["center"]), "scale": bool(config["scale"]), "epsilon": config["epsilon"]}
        names = [name for name, there in (("gamma", words["scale"]), ("beta", words["center"])) if there]
        table: Table = {"type": kind, **words} | ({"groups": config["groups"]} if kind == "group_norm" else {})
        return table, _named(arrays, *names, *more)

    return read


def _pool(mode: str) -> Read:
    def read(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        keys = {"kernel_size": _sizes(config["pool_size"]), "stride": _sizes(config["strides"])}
        return {"type": "pool", "mode": mode, "padding": config["padding"], **keys}, {}

    return read


def _global(mode: str) -> Read:
    def read(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        if config.get("keepdims"):
            return {"type": "adaptive_pool", "output_size": 1, "mode": mode}, {}
        return {"type": "global_pool", "mode": mode}, {}

    return read


def _activation(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    word = config["activation"]
    reader.check_activation(word, config)
    return {"type": "activation", "activation": word}, {}


def _softmax(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    axis = config.get("axis", -1)
    if axis not in (-1, reader.rank):
        raise reader.lack("Softmax", config, f"axis {axis}")
    return {"type": "activation", "activation": "softmax"}, {}


def _relu(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    highest, slope = config.get("max_value"), config.get("negative_slope") or 0
    if config.get("threshold") or (highest is not None and (highest != 6 or slope)):
        raise reader.lack("ReLU", config, f"max_value {highest}, threshold {config.get('threshold')}")
    word = "relu6" if highest == 6 else f"leaky_relu:{float(slope)!r}" if slope else "relu"
    return {"type": "activation", "activation": word}, {}


def _sloped(name: str, *keys: str) -> Read:
    def read(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
        slope = next(config[key] for key in keys if key in config)
        return {"type": "activation", "activation": f"{name}:{float(np.asarray(slope))!r}"}, {}

    return read


def _prelu(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    (alpha,) = arrays
    sides = alpha.shape[:-1]
    if alpha.size == 1:
        return {"type": "prelu", "share": "all"}, {"alpha": alpha.reshape(1)}
    if all(side == 1 for side in sides):
        return {"type": "prelu", "share": "positions"}, {"alpha": alpha.reshape(-1)}
    if 1 in sides:
        raise reader.lack("PReLU", config, f"shared_axes {config['shared_axes']}")
    return {"type": "prelu", "share": "none"}, {"alpha": alpha}


def _upsample(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    mode = config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise reader.lack("UpSampling2D", config, f"interpolation {shortened(mode)}")
    return {"type": "upsample", "size": _sizes(config["size"]), "mode": mode}, {}


def _pad(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    amount = config["padding"]
    pairs = [list(each) if isinstance(each, list | tuple) else each for each in amount]
    one = len(reader.size) == 2 and all(type(each) is int for each in pairs)
    return {"type": "pad", "amount": [pairs] if one else pairs}, {}


def _flatten(reader: _Reader, config: dict[str, Any], arrays: list[Array]) -> tuple[Table, Mapping[str, Array]]:
    return {"type": "flatten"}, {}


_READ: dict[str, Read] = {
    "Conv": _conv, "ConvTranspose": _transposed, "DepthwiseConv": _depthwise, "SeparableConv": _separable,
    "Dense": _dense, "Flatten": _flatten, "BatchNormalization": _norm("batch_norm", "moving_mean", "moving_variance"),
    "LayerNormalization": _norm("layer_norm"), "GroupNormalization": _norm("group_norm"), "MaxPooling": _pool("max"),
    "AveragePooling": _pool("average"), "GlobalAveragePooling": _global("average"), "GlobalMaxPooling": _global("max"),
    "Activation": _activation, "ReLU": _relu, "LeakyReLU": _sloped("leaky_relu", "negative_slope", "alpha"),
    "ELU": _sloped("elu", "alpha"), "PReLU": _prelu, "UpSampling": _upsample, "ZeroPadding": _pad,
    "Softmax": _softmax,
}  # fmt: skip


def _names(value: Any, path: Path) -> str:
    """The layer that a model's only output is of."""
    while isinstance(value, list | tuple) and len(value) == 1 and not isinstance(value[0], str):
        value = value[0]
    if not isinstance(value, list | tuple) or not value or not isinstance(value[0], str):
        raise ModelError(f"{path}: got several outputs, expected one")
    return value[0]
