"""Weights that PyTorch gave names, from a safetensors file, put into a network of ours.

A file of weights says neither which layers there are between them nor in which order they are computed: the network has
to be known. Layers that are called as in the file get those weights; the others get what has their very shapes, in the
order of names as people give them (``layer1.0`` before ``layer1.1``, ``enc`` before ``dec``).
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convcli.architectures.header import read_header
from convcli.errors import ModelError, shortened
from convcli.nn.imported import Array
from convcli.nn.layer import Layer
from convcli.nn.model import Model
from convcli.nn.tensors import read_tensors

_OURS = "convcli-"
# What stands early in a network, and what late, by how people call it.
_EARLY = re.compile(r"enc|down|stem|inc\b|contract|backbone|features|conv_?in", re.IGNORECASE)
_MIDDLE = re.compile(r"mid|bottle|bridge|cent|neck", re.IGNORECASE)
_LATE = re.compile(r"dec|up|expan", re.IGNORECASE)
_LAST = re.compile(r"out|final|head|classif|^fc|last|pred", re.IGNORECASE)
_NAMES = {
    "batch_norm": {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"},
    "layer_norm": {"gamma": "weight", "beta": "bias"},
    "group_norm": {"gamma": "weight", "beta": "bias"},
    "prelu": {"alpha": "weight"},
}
_KERNELS = {"kernel": "weight", "bias": "bias"}


@dataclass(frozen=True)
class Matching:
    """Which layer of ours got the weights of which module; ``doubtful`` are modules that shapes alone do not tell."""

    pairs: tuple[tuple[str, str], ...]
    doubtful: tuple[str, ...] = ()


def read_modules(path: Path) -> dict[str, dict[str, Array]]:
    """The arrays of each module: ``layer1.0.conv1`` has ``weight``; raises `ModelError` for what is no such file."""
    if read_header(path).kind.startswith(_OURS):
        raise ModelError(f"{path}: is convcli's own already, expected a file of another program")
    arrays, _ = read_tensors(path)
    modules: dict[str, dict[str, Array]] = defaultdict(dict)
    for name, array in arrays.items():
        module, _, kind = name.rpartition(".")
        if kind == "num_batches_tracked":
            continue
        modules[module][kind] = array
    return dict(modules)


def fits(model: Model, modules: Mapping[str, Mapping[str, Array]]) -> bool:
    """Whether a network has layers of just these shapes."""
    theirs = sorted(map(_signature, modules.values()))
    return theirs == sorted(_wanted(layer) for layer in _learned(model))


def assign(model: Model, modules: Mapping[str, Mapping[str, Array]], origin: str) -> Matching:
    """Give a network the weights; raises `ModelError` naming the first that has no place, or a layer without any."""
    layers, left = _learned(model), dict(modules)
    chosen: dict[str, str] = {}
    for layer in layers:
        name = layer.name.rpartition("/")[2]
        if name in left and _signature(left[name]) == _wanted(layer):
            chosen[layer.name] = name
            del left[name]
    doubtful: list[str] = []
    waiting: dict[Any, list[str]] = defaultdict(list)
    for name in sorted(left, key=_place):
        waiting[_signature(left[name])].append(name)
    heads = {shape: names for shape, names in waiting.items() if len({_top(each) for each in names}) > 1}
    for names in heads.values():
        doubtful += names
    for layer in layers:
        if layer.name in chosen:
            continue
        names = waiting.get(_wanted(layer), [])
        if not names:
            raise ModelError(
                f"{origin}: holds no weights for {layer.name} ({layer.plan.word}): expected a module of the shapes "
                f"{_shown(_wanted(layer))}"
            )
        chosen[layer.name] = names.pop(0)
    over = [name for names in waiting.values() for name in names]
    if over:
        raise ModelError(
            f"{origin}: {shortened(over[0])} of {_shown(_signature(modules[over[0]]))} has no layer in "
            f"{model.plan.spec.name}, nor have {len(over) - 1} more; expected a network with just these weights"
        )
    for layer in layers:
        _give(model, layer, modules[chosen[layer.name]])
    return Matching(tuple((layer.name, chosen[layer.name]) for layer in layers), tuple(doubtful))


def _learned(model: Model) -> list[Layer]:
    layers = [layer for layer in model.walk() if layer.parameters]
    for layer in layers:
        if layer.plan.type == "separable_conv":
            raise ModelError(
                f"{layer.name}: got a separable_conv, for which PyTorch has two layers, expected depthwise and conv"
            )
    return layers


def _theirs(layer: Layer) -> Mapping[str, str]:
    """Our parameters' names -> theirs."""
    return _NAMES.get(layer.plan.type, _KERNELS)


def _wanted(layer: Layer) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The names and shapes that the weights of a layer have in PyTorch."""
    names, found = _theirs(layer), []
    for parameter in layer.parameters:
        shape = parameter.value.shape
        if parameter.name == "kernel":
            shape = (shape[-1], shape[-2], *shape[:-2])
        found.append((names[parameter.name], shape))
    return tuple(sorted(found))


def _signature(module: Mapping[str, Array]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted((name, array.shape) for name, array in module.items()))


def _shown(signature: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in signature)


def _give(model: Model, layer: Layer, module: Mapping[str, Array]) -> None:
    names, is_dense = _theirs(layer), layer.plan.type == "dense"
    order = _order(model, layer) if len(layer.plan.input) == 1 else None
    for parameter in layer.parameters:
        array = module[names[parameter.name]]
        if order is not None and (parameter.name == "kernel" or (not is_dense and array.shape == order.shape)):
            array = array[..., order]
        if parameter.name == "kernel":
            array = np.moveaxis(array, (0, 1), (-1, -2))
        parameter.assign(np.asarray(array))


def _order(model: Model, layer: Layer) -> Array:
    """Where each number of a row stands that PyTorch flattened with the channels first."""
    before = [each.plan for each in model.walk()]
    place = next(number for number, each in enumerate(before) if each.name == layer.name)
    for each in reversed(before[:place]):
        if each.type == "flatten" and each.output == layer.plan.input and len(each.input) > 1:
            size = (each.input[-1], *each.input[:-1])
            return np.moveaxis(np.arange(np.prod(size)).reshape(size), 0, -1).reshape(-1)
        if each.type == "dense":
            break
    return np.arange(layer.plan.input[0])


def _top(name: str) -> str:
    """What a module's name begins with, without its number."""
    return re.sub(r"[\d_]+$", "", name.partition(".")[0])


def _place(name: str) -> tuple[Any, ...]:
    """By what a name says of early and late, then by its words and numbers."""
    top = name.partition(".")[0]
    ranks = [rank for rank, words in enumerate((_EARLY, _MIDDLE, _LATE, _LAST), 1) if words.search(top)]
    parts = [(0, int(each), "") if each.isdigit() else (1, 0, each) for each in re.findall(r"\d+|[^\d.]+", name)]
    return (ranks[0] if ranks else (0 if not top.isdigit() else 1), parts)
