"""Where a network's output comes from: the activation behind which nothing computes any more.

Softmax and sigmoid belong to a loss that works on the values before them. They have to be found wherever they stand,
or they would be applied twice: in the network and in the loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from convcli.architectures.plan import LayerPlan
from convcli.architectures.vocabulary import LEARNING
from convcli.errors import ModelError

OF_A_LOSS = ("softmax", "sigmoid")
_POOLING = ("pool", "global_pool", "adaptive_pool")


@dataclass(frozen=True)
class Output:
    """The output activation's name, and the layer that it is of; None if that is no softmax or sigmoid."""

    activation: str = "linear"
    layer: LayerPlan | None = None


def find_output(layers: Sequence[LayerPlan]) -> Output:
    """The output activation of a chain of layers.

    Flatten, dropout, heads and, for ``tanh``, pooling behind it do not change whose output it is.

    Raises
    ------
    ModelError
        If something behind a softmax or sigmoid changes its numbers, or there are two of them.
    """
    found = _last(layers)
    if found.layer is None:
        return found
    place = next(number for number, each in enumerate(layers) if each is found.layer)
    for behind in layers[place + 1 :]:
        if not _passes(behind, found.activation):
            raise ModelError(
                f"{behind.name}: got {behind.type} behind the {found.activation} of {found.layer.name}, expected "
                f"nothing that computes: the loss works on the values before the {found.activation}; put {behind.name} "
                "before it"
            )
    if found.layer.type == "activation" and (before := _last(layers[:place])).layer is not None:
        raise ModelError(
            f"{found.layer.name}: got {found.activation} behind the {before.activation} of {before.layer.name}, "
            "expected one of them: together they never come near 0 or 1; leave one out"
        )
    return found


def _last(layers: Sequence[LayerPlan]) -> Output:
    """The last activation behind the last layer that learns, that layer's own included."""
    pooled, other = False, "linear"
    for layer in reversed(layers):
        if layer.type in ("parallel", "add"):
            _check_branches(layer)
            break
        named = layer.settings.get("activation")
        name = "linear" if named is None else str(named.name)
        if name in OF_A_LOSS:
            return Output(name, layer)
        if other == "linear" and (name == "tanh" or not pooled):
            other = name
        if layer.type in LEARNING:
            break
        pooled = pooled or layer.type in _POOLING
    return Output(other)


def _passes(layer: LayerPlan, activation: str) -> bool:
    """Whether a layer leaves the numbers of an output activation what they are."""
    alone = prod(layer.input[:-1]) == 1
    if layer.type == "flatten":
        return alone or activation != "softmax"
    if layer.type in ("dropout", "spatial_dropout"):
        return not layer.settings["rate"]
    if layer.type == "activation":
        return str(layer.settings["activation"].name) == "linear"
    return layer.type == "head" or (layer.type == "global_pool" and alone)


def _check_branches(layer: LayerPlan) -> None:
    for branch in layer.branches:
        found = _last(branch)
        if found.layer is not None:
            raise ModelError(
                f"{layer.name}: got {found.activation} at the end of a branch ({found.layer.name}), expected it "
                f"behind the branches: the loss works on the values before it; write {found.activation} after the "
                "bracket"
            )
