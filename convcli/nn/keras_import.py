"""A network that Keras saved (.keras, or a whole .h5) as ours: its configuration is read, never executed.

A ``.keras`` file is a zip of ``config.json`` (the layers and what each is called on) and ``model.weights.h5`` (their
arrays). Lambdas, and layers of other packages, are named and refused.

Source: https://keras.io/api/models/model_saving_apis, and the arrays' names as Keras writes them: a layer is called by
its class in small letters, and counted from its second on.
"""

import io
import json
import lzma
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory
from convcli.errors import ConvcliError, ModelError, shortened
from convcli.extras import needed
from convcli.nn.imported import INPUT, Array, Graph, build
from convcli.nn.keras_layers import ACTIVE, READ, is_first
from convcli.nn.model import Model

_MOST_BYTES = 2_000_000_000
# What a damaged file, or another than Keras's, comes to.
_DAMAGED = (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, RuntimeError,
            EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Layers that are nothing at all once a network is trained.
_PASSING = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise", "GaussianDropout",
            "ActivityRegularization", "Identity", "AlphaDropout", "RandomFlip", "RandomRotation", "RandomZoom",
            "RandomTranslation", "RandomContrast", "RandomBrightness")  # fmt: skip
_OF_AXES = ("PReLU",)  # which have no data format, and mean axes by their places
_ACTIVATIONS = {
    "linear", "relu", "elu", "gelu", "sigmoid", "tanh", "softmax", "swish", "silu", "selu", "hard_sigmoid", "relu6",
    "leaky_relu", "hard_swish", "hard_silu", "softplus",
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
                return Reader(path, config, lambda key: _by_class(file, key), version).model()
        with path.open("rb") as stream:
            if stream.read(8) != _HDF5:
                raise ModelError(f"{path}: is no HDF5 file, expected one that Keras saved")
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None or "model_weights" not in file:
                raise ModelError(f"{path}: holds weights but no network, expected a whole model; save it as .keras")
            config, version = _json(text, path), file.attrs.get("keras_version", "")
            version = version.decode() if isinstance(version, bytes) else str(version)
            return Reader(path, config, lambda key: _by_name(file, key), version).model()
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


class Reader:
    """A network being read: its layers, and what has been made of them so far."""

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
        self.is_first = any(is_first(each["config"]) for each in self.config["layers"])  # its channels, of all maps
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
        self.size = (*sizes[1:], sizes[0]) if self.is_first else sizes
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
        flat = bool(sources) and sources[0] in self.flat
        self.rank = 1 if flat else len(self.size)
        if kind in ("Add", "Concatenate"):
            if kind == "Concatenate" and not self.is_of_channels(config.get("axis", -1)):
                raise self.lack(kind, config, f"axis {config['axis']}")
            return self.graph.join("add" if kind == "Add" else "parallel", sources)
        if self.is_first and not flat and not is_first(config) and ("data_format" in config or kind in _OF_AXES):
            raise self.lack(kind, config, "channels last among channels first")
        plain = re.sub(r"[123]D", "", kind)
        read = READ.get(plain)
        if read is None or len(sources) != 1:
            raise self.lack(kind, config)
        if plain == "Dense" and not flat:
            raise self.lack(kind, config, "maps, whose places it treats alike")
        table, numbers = read(self, config, arrays)
        made = self.graph.layer(sources[0], table.pop("type"), numbers, **table)
        if not config.get("keepdims") and (flat or plain == "Flatten" or plain.startswith("Global")):
            self.flat.add(made)
        activation = config.get("activation")
        if plain != "Activation" and plain in ACTIVE and activation not in (None, "linear"):
            made = self._activated(made, activation, config)
        return made

    def is_of_channels(self, axis: Any) -> bool:
        """Whether an axis is that of the channels, or of flat values; as a list of one, too."""
        only = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        channels = 1 if self.is_first or self.rank == 1 else self.rank
        return only in (channels, channels - self.rank - 1)

    def check_activation(self, word: Any, config: Mapping[str, Any]) -> None:
        """Refuse an activation that we lack; Keras 2 had a steeper hard sigmoid."""
        if word == "softmax" and self.is_first and self.rank > 1:
            raise self.lack("the activation softmax", config, "channels first, which is along the last spatial axis")
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


def _names(value: Any, path: Path) -> str:
    """The layer that a model's only output is of."""
    while isinstance(value, list | tuple) and len(value) == 1 and not isinstance(value[0], str):
        value = value[0]
    if not isinstance(value, list | tuple) or not value or not isinstance(value[0], str):
        raise ModelError(f"{path}: got several outputs, expected one")
    return value[0]
