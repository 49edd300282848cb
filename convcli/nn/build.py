"""From plans to layers: one line for each kind of the grammar."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.errors import ModelError
from convcli.nn.activations import LINEAR, Activation
from convcli.nn.branches import Add, Head, Parallel
from convcli.nn.layer import Layer
from convcli.nn.normalization import BatchNorm, LocalResponseNorm
from convcli.nn.pooling import GlobalPool, make_pool
from convcli.nn.randomness import generator_for
from convcli.nn.shaping import ActivationLayer, Dropout, Flatten, Pad
from convcli.nn.weighted import Conv, ConvTranspose, Dense, Weighted

# Kinds whose layers draw random numbers, each from a generator of its own.
_DRAWING: dict[str, type[Conv | ConvTranspose | Dense | BatchNorm | Dropout]] = {
    "conv": Conv,
    "depthwise": Conv,
    "conv_transpose": ConvTranspose,
    "dense": Dense,
    "batch_norm": BatchNorm,
    "dropout": Dropout,
}
_PLAIN: dict[str, type[GlobalPool | Flatten | LocalResponseNorm | Pad | ActivationLayer]] = {
    "global_pool": GlobalPool,
    "flatten": Flatten,
    "lrn": LocalResponseNorm,
    "pad": Pad,
    "activation": ActivationLayer,
}
# Output activations that belong to a loss: their gradient together is simple and safe from overflow.
_FUSED = ("softmax", "sigmoid")


class Builder:
    """Builds layers one after the other; a layer's random numbers depend on the seed and on its place in the plan."""

    def __init__(self, seed: int, dtype: Any, *, heads: bool = True) -> None:
        self._seed = seed
        self._dtype = np.dtype(dtype)
        self._heads = heads
        self._place = 0

    def chain(self, plans: Sequence[LayerPlan]) -> list[Layer]:
        """The layers of plans in a row; heads are left out, and their places stay empty, unless wanted."""
        layers = [self.layer(plan) for plan in plans]
        return [layer for layer in layers if self._heads or not isinstance(layer, Head)]

    def layer(self, plan: LayerPlan) -> Layer:
        """One layer, with those inside."""
        if plan.type in ("parallel", "add"):
            branches = [self.chain(branch) for branch in plan.branches]
            return (Parallel if plan.type == "parallel" else Add)(plan, self._dtype, branches)
        if plan.type == "head":
            if not self._heads:
                self._place += sum(each.type in _DRAWING for each in plan.flat(heads=True))
                return Head(plan, self._dtype, [], LINEAR)
            layers, final = split_output(self.chain(plan.branches[0]))
            return Head(plan, self._dtype, layers, final)
        if plan.type in _DRAWING:
            self._place += 1
            return _DRAWING[plan.type](plan, self._dtype, generator_for(self._seed, self._place))
        return (
            make_pool(plan, self._dtype)
            if plan.type in ("pool", "adaptive_pool")
            else _PLAIN[plan.type](plan, self._dtype)
        )


def split_output(layers: list[Layer]) -> tuple[list[Layer], Activation]:
    """Take a final softmax or sigmoid off the last layer: the layers then give logits, and the loss has the rest."""
    last = layers[-1] if layers else None
    if isinstance(last, ActivationLayer) and last.activation.name in _FUSED:
        return layers[:-1], last.activation
    if isinstance(last, Weighted) and last.activation.name in _FUSED:
        if last.activity is not None:
            raise ModelError(
                f"{last.name}: got activity_regularizer with a final {last.activation.name}, expected none: its loss "
                "works on the values before; regularize the kernel, or an earlier layer"
            )
        final, last.activation = last.activation, LINEAR
        return layers, final
    return layers, LINEAR
