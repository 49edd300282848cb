"""Activations and their gradients. Keras's names and defaults; the forward functions are those of pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import Named
from convcli.ops import responses
from convcli.ops.words import read_only

Array: TypeAlias = NDArray[Any]

GATES = {"swish": "sigmoid", "hard_swish": "hard_sigmoid"}  # by which a number itself is weighed
_DEFAULTS = {"leaky_relu": 0.2, "elu": 1.0}


@dataclass(frozen=True)
class Activation:
    """A function of each number, or for ``softmax`` of the channels of each position.

    ``argument`` is ``negative_slope`` of ``leaky_relu`` and ``alpha`` of ``elu``. The slope is 0.2 unless given, that
    of Keras's function, as a layer too, where Keras's layer ``LeakyReLU`` has 0.3.
    """

    name: str = "linear"
    argument: float = 0.0

    def forward(self, x: Array) -> Array:
        """The activated numbers: a new array, or ``x`` itself for ``linear``."""
        if self.name == "leaky_relu":
            return np.where(x >= 0, x, x * x.dtype.type(self.argument))
        if self.name == "elu":
            return np.where(x > 0, x, x.dtype.type(self.argument) * np.expm1(np.minimum(x, 0)))
        return responses.ACTIVATIONS[self.name](x)

    def backward(self, gradient: Array, x: Array, y: Array, out: Array) -> Array:
        """The gradient of ``x`` into ``out``, given that of ``y = forward(x)``; ``relu`` looks at ``y`` only.

        All are C-contiguous. For ``linear`` it is the gradient itself.
        """
        if self.name == "linear":
            return gradient
        if self.name == "softmax":
            np.multiply(gradient, y, out=out)
            np.subtract(gradient, out.sum(axis=-1, keepdims=True), out=out)
            return np.multiply(out, y, out=out)
        if self.name in ("relu", "gelu"):
            _in_loop(self.name, gradient, y if self.name == "relu" else x, out)
            return out
        return np.multiply(gradient, _SLOPES[self.name](x, y, x.dtype.type(self.argument)), out=out)


def _in_loop(name: str, gradient: Array, values: Array, out: Array) -> None:
    from convcli.loops.networks import activations

    flat = (read_only(gradient.reshape(-1)), read_only(values.reshape(-1)), out.reshape(-1))
    (activations.relu_gradient if name == "relu" else activations.gelu_gradient)(*flat)


_SELU_FLOOR: float = responses.SELU_SCALE * responses.SELU_ALPHA

# The derivative from input x, output y and the argument; relu and gelu are loops.
_SLOPES: dict[str, Callable[[Array, Array, Any], Array]] = {
    "leaky_relu": lambda x, y, slope: np.where(x >= 0, x.dtype.type(1), slope),
    "elu": lambda x, y, alpha: np.where(x > 0, x.dtype.type(1), y + alpha),
    "sigmoid": lambda x, y, _: y * (1 - y),
    "tanh": lambda x, y, _: 1 - y * y,
    "swish": lambda x, y, _: _swish_slope(x, y),
    "selu": lambda x, y, _: np.where(x > 0, x.dtype.type(responses.SELU_SCALE), y + x.dtype.type(_SELU_FLOOR)),
    "hard_sigmoid": lambda x, y, _: ((x > -3) & (x < 3)) * x.dtype.type(1 / 6),
    "relu6": lambda x, y, _: ((x > 0) & (x < 6)).astype(x.dtype),
    "hard_swish": lambda x, y, _: np.where(x < 3, (x > -3) * (x / 3 + x.dtype.type(0.5)), x.dtype.type(1)),
    "softplus": lambda x, y, _: responses.ACTIVATIONS["sigmoid"](x),
}


def _swish_slope(x: Array, y: Array) -> Array:
    gate = responses.ACTIVATIONS["sigmoid"](x)
    return np.asarray(gate + y * (1 - gate))


LINEAR, RELU, SOFTMAX = Activation(), Activation("relu"), Activation("softmax")


def make_activation(named: Named) -> Activation:
    """An activation from its name in the grammar, with Keras's defaults."""
    given = [value for _, value in named.arguments]
    return Activation(named.name, given[0] if given else _DEFAULTS.get(named.name, 0.0))
