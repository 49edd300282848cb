"""Small layers without weights: pad, flatten, dropout, and an activation by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.nn.activations import make_activation
from convcli.nn.layer import Array, Layer


class Pad(Layer):
    """Cells around the edges: a value, or copies of the input as in `numpy.pad`."""

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self._widths = [(window.before, window.after) for window in plan.windows]
        self._mode, self._value = plan.settings["mode"], plan.settings["value"]
        self._sources: Sequence[Array] = ()
        if self._mode != "constant":
            self._sources = [np.pad(np.arange(n), widths, self._mode)
                             for n, widths in zip(plan.input, self._widths, strict=False)]  # fmt: skip

    def forward(self, x: Array, training: bool = False) -> Array:
        """The padded input."""
        widths = [(0, 0), *self._widths, (0, 0)]
        if self._mode == "constant":
            return np.pad(x, widths, constant_values=self._value)
        return np.pad(x, widths, self._mode)

    def backward(self, gradient: Array) -> Array:
        """The inner part; a cell that was copied to the border gets the border's gradient too, axis by axis."""
        for axis, ((before, _), n) in enumerate(zip(self._widths, self.plan.input, strict=False), 1):
            lines = np.moveaxis(gradient, axis, 0)
            inner = lines[before : before + n]
            if self._mode != "constant":
                inner = inner.copy()
                for place, source in enumerate(self._sources[axis - 1]):
                    if not before <= place < before + n:
                        inner[source] += lines[place]
            gradient = np.moveaxis(inner, 0, axis)
        return np.ascontiguousarray(gradient)


class Flatten(Layer):
    """All values of an image in one row: a view, nothing is moved."""

    def forward(self, x: Array, training: bool = False) -> Array:
        """(N, values)."""
        return x.reshape(len(x), -1)

    def backward(self, gradient: Array) -> Array:
        """The same numbers in the input's shape."""
        return gradient.reshape(len(gradient), *self.plan.input)


class Dropout(Layer):
    """While training, each value is silenced with a chance of ``rate`` and the others are divided by ``1 - rate``.

    ``frozen`` lets everything pass while training too. ``generator`` is where the chances come from; its state is part
    of a checkpoint (see `convcli.nn.randomness`).

    Source: N. Srivastava et al., "Dropout", JMLR 15, 2014, section 4, with the scaling moved to training (section 10).
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype)
        self.generator = generator
        self.frozen = False
        self._factors: Array | None = None

    def forward(self, x: Array, training: bool = False) -> Array:
        """The input itself, unless training."""
        rate = self.plan.settings["rate"]
        if not training:
            return x
        if not rate or self.frozen:
            self._factors = None
            return x
        # float32 draws whatever the dtype: a float64 model drops what its float32 twin does.
        draws = self.hold("draws", x.shape, np.float32)
        self.generator.random(out=draws, dtype=np.float32)
        self._factors = self.hold("factors", x.shape)
        np.multiply(draws >= rate, self.dtype.type(1 / (1 - rate)), out=self._factors)
        return np.multiply(x, self._factors, out=self.hold("output", x.shape))

    def backward(self, gradient: Array) -> Array:
        """The gradient where values passed, scaled as they were."""
        if self._factors is None:
            return gradient
        return np.multiply(gradient, self._factors, out=self.hold("input gradient", gradient.shape))


class ActivationLayer(Layer):
    """An activation that is a layer by itself.

    ``idle`` and ``masked`` are set by `convcli.nn.fusing`: whether the layer before does all of its work, and whether
    the layer behind does the gradient's.
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self.activation = make_activation(plan.settings["activation"])
        self.idle = self.masked = False
        self._input = self._output = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """The activated numbers."""
        if self.idle:
            return x
        output = self.activation.forward(x)
        if training:
            self._input, self._output = x, output
        return output

    def alone(self, x: Array) -> Array:
        """See `Layer`."""
        return self.activation.forward(x)

    def backward(self, gradient: Array) -> Array:
        """Through the activation's slope."""
        if self.idle or self.masked:
            return gradient
        out = self.hold("input gradient", gradient.shape)
        return self.activation.backward(gradient, self._input, self._output, out)
