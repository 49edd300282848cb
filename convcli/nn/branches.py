"""Layers that hold other layers: side by side and concatenated, side by side and added, and heads."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.nn.activations import Activation
from convcli.nn.layer import Array, Layer


def run_forward(layers: Sequence[Layer], x: Array, training: bool) -> Array:
    """One layer after the other; without any, the input itself."""
    for layer in layers:
        x = layer.forward(x, training)
    return x


def run_backward(layers: Sequence[Layer], gradient: Array) -> Array:
    """The gradients, from the last layer to the first."""
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    return gradient


class _Branched(Layer):
    def __init__(self, plan: LayerPlan, dtype: Any, branches: Sequence[Sequence[Layer]]) -> None:
        super().__init__(plan, dtype)
        self._branches = branches

    @property
    def branches(self) -> Sequence[Sequence[Layer]]:
        """The layers of each branch; a branch without layers is the input itself."""
        return self._branches

    def _gather(self, gradients: Sequence[Array]) -> Array:
        """The gradient of an input that went into several branches: the sum, in their order."""
        total = [(branch, part) for branch, part in zip(self._branches, gradients, strict=True)]
        first = run_backward(total[0][0], total[0][1])
        out = self.hold("input gradient", first.shape)
        out[...] = first
        for branch, part in total[1:]:
            out += run_backward(branch, part)
        return out


class Parallel(_Branched):
    """Branches whose channels are concatenated: GoogLeNet's inception."""

    def forward(self, x: Array, training: bool = False) -> Array:
        """All branches' channels, in their order."""
        outputs = [run_forward(branch, x, training) for branch in self._branches]
        out = self.buffer("output", (len(x), *self.output_shape), training)
        return np.concatenate(outputs, axis=-1, out=out)

    def backward(self, gradient: Array) -> Array:
        """Each branch gets the gradient of its channels."""
        widths = [plans[-1].output[-1] if plans else self.plan.input[-1] for plans in self.plan.branches]
        ends = np.cumsum(widths)
        parts = [gradient[..., end - width : end] for end, width in zip(ends, widths, strict=True)]
        return self._gather([np.ascontiguousarray(part) for part in parts])


class Add(_Branched):
    """Branches whose values are added: a residual connection, if one of them is empty."""

    def forward(self, x: Array, training: bool = False) -> Array:
        """The sum of all branches."""
        out = self.buffer("output", (len(x), *self.output_shape), training)
        out[...] = run_forward(self._branches[0], x, training)
        for branch in self._branches[1:]:
            out += run_forward(branch, x, training)
        return out

    def backward(self, gradient: Array) -> Array:
        """Each branch gets the whole gradient."""
        return self._gather([gradient] * len(self._branches))


class Head(_Branched):
    """A side output for training: the input passes, and in training goes through the head's own layers too.

    Attributes
    ----------
    final : Activation
        The head's output activation, which belongs to its loss.
    weight : float
        What its loss counts.
    output, gradient : ndarray or None
        What its layers gave for the last training input, and, set by whoever computed its loss before ``backward``, the
        gradient of that; None if there is no loss.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, layers: Sequence[Layer], final: Activation) -> None:
        super().__init__(plan, dtype, [layers])
        self.final = final
        self.weight = float(plan.settings["weight"])
        self.output: Array | None = None
        self.gradient: Array | None = None

    def forward(self, x: Array, training: bool = False) -> Array:
        """The input itself."""
        self.gradient = None
        self.output = run_forward(self._branches[0], x, True) if training else None
        return x

    def backward(self, gradient: Array) -> Array:
        """The gradient that comes back through the network, plus the head's."""
        if self.gradient is None:
            return gradient
        aside = run_backward(self._branches[0], self.gradient)
        return np.add(gradient, aside, out=self.hold("input gradient", gradient.shape))
