"""From plans to layers: one line for each kind of the grammar."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.architectures.output import find_output
from convcli.errors import ModelError
from convcli.nn.activations import LINEAR, Activation
from convcli.nn.branches import Add, Head, Parallel
from convcli.nn.layer import Layer
from convcli.nn.normalization import BatchNorm, GroupNorm, LocalResponseNorm
from convcli.nn.pooling import GlobalPool, make_pool
from convcli.nn.randomness import generator_for
from convcli.nn.shaping import ActivationLayer, Dropout, Flatten, Pad, PReLU, Upsample
from convcli.nn.weighted import Conv, ConvTranspose, Dense, SeparableConv, Weighted

# Kinds whose layers draw random numbers, each from a generator of its own.
_DRAWING: dict[str, Callable[[LayerPlan, Any, np.random.Generator], Layer]] = {
    "conv": Conv,
    "depthwise": Conv,
    "conv_transpose": ConvTranspose,
    "separable_conv": SeparableConv,
    "dense": Dense,
    "batch_norm": BatchNorm,
    "layer_norm": GroupNorm,
    "group_norm": GroupNorm,
    "dropout": Dropout,
    "spatial_dropout": Dropout,
    "prelu": PReLU,
}
_PLAIN: dict[str, Callable[[LayerPlan, Any], Layer]] = {
    "global_pool": GlobalPool,
    "flatten": Flatten,
    "lrn": LocalResponseNorm,
    "pad": Pad,
    "upsample": Upsample,
    "activation": ActivationLayer,
}


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
            layers, final, _ = split_output(self.chain(plan.branches[0]))
            return Head(plan, self._dtype, layers, final)
        if plan.type in _DRAWING:
            self._place += 1
            return _DRAWING[plan.type](plan, self._dtype, generator_for(self._seed, self._place))
        return (
            make_pool(plan, self._dtype)
            if plan.type in ("pool", "adaptive_pool")
            else _PLAIN[plan.type](plan, self._dtype)
        )


def split_output(layers: list[Layer]) -> tuple[list[Layer], Activation, str]:
    """Take the output's softmax or sigmoid off its layer: the layers then give logits, and the loss has the rest.

    Also returns the name of the output activation, whichever it is.
    """
    output = find_output([layer.plan for layer in layers])
    for layer in layers if output.layer is not None else ():
        if layer.plan is not output.layer:
            continue
        if isinstance(layer, ActivationLayer):
            return [each for each in layers if each is not layer], layer.activation, output.activation
        assert isinstance(layer, Weighted)
        if layer.activity is not None:
            raise ModelError(
                f"{layer.name}: got activity_regularizer with a final {output.activation}, expected none: its loss "
                "works on the values before; regularize the kernel, or an earlier layer"
            )
        final, layer.activation = layer.activation, LINEAR
        return layers, final, output.activation
    return layers, LINEAR, output.activation
