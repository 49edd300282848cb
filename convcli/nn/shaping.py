"""Small layers: pad, flatten, upsample, dropout, an activation by itself, and one whose slope is learnt."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.architectures.rules import slope_shape
from convcli.nn.activations import make_activation
from convcli.nn.initializers import initial
from convcli.nn.layer import Array, Layer, Parameter


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


class Upsample(Layer):
    """Each cell repeated, or for ``bilinear`` the line between neighbouring cells' middles, constant beyond the last.

    Along one axis, output cell ``size * i + phase`` lies ``(phase + 1/2) / size - 1/2`` cells from input cell i: so
    each phase is one weighted sum of the input and of its neighbour before or behind. (Keras's, and PyTorch's with
    ``align_corners=False``.)
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self._sizes = tuple(made // n for made, n in zip(plan.output[:-1], plan.input[:-1], strict=True))
        self._even = plan.settings["mode"] == "bilinear"

    def forward(self, x: Array, training: bool = False) -> Array:
        """Axis by axis."""
        for axis, size in enumerate(self._sizes, 1):
            out = np.empty((*x.shape[: axis + 1], size, *x.shape[axis + 1 :]), self.dtype)
            places = np.arange(x.shape[axis])
            for phase, share, step in self._phases(size):
                near = np.take(x, np.clip(places + step, 0, places[-1]), axis) if share else x
                np.moveaxis(out, axis + 1, 0)[phase] = (1 - share) * x + share * near if share else x
            x = out.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
        return x

    def backward(self, gradient: Array) -> Array:
        """Each input cell gathers its shares of all phases."""
        for axis, size in reversed(list(enumerate(self._sizes, 1))):
            parts = gradient.reshape(*gradient.shape[:axis], -1, size, *gradient.shape[axis + 1 :])
            total = np.zeros((*parts.shape[: axis + 1], *parts.shape[axis + 2 :]), self.dtype)
            lines = np.moveaxis(total, axis, 0)
            for phase, share, step in self._phases(size):
                part = np.moveaxis(parts, (axis, axis + 1), (0, 1))[:, phase]
                lines += (1 - share) * part if share else part
                if share:
                    here, there, end = ((slice(-1), slice(1, None), -1), (slice(1, None), slice(-1), 0))[step < 0]
                    lines[there] += share * part[here]
                    lines[end] += share * part[end]
            gradient = total
        return gradient

    def _phases(self, size: int) -> Iterator[tuple[int, Any, int]]:
        """Each phase with the share that the neighbour has, and on which side that is."""
        for phase in range(size):
            away = ((phase + 0.5) / size - 0.5) if self._even else 0.0
            yield phase, self.dtype.type(abs(away)), 1 if away > 0 else -1


class PReLU(Layer):
    """``x`` above 0, ``alpha * x`` below, with an alpha that is learnt.

    ``share`` says whose alphas are the same: ``positions`` (each channel has one), ``all``, or ``none``.

    Source: K. He et al., "Delving Deep into Rectifiers", ICCV 2015, section 2.1.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype)
        shape = slope_shape(plan.input, plan.settings["share"])
        self.alpha = Parameter("alpha", initial(plan.settings["alpha_initializer"], shape, generator).astype(dtype))
        self.parameters = (self.alpha,)
        self._input = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """The bent numbers."""
        if training:
            self._input = x
        return np.where(x > 0, x, self.alpha.value * x)

    def backward(self, gradient: Array) -> Array:
        """Each alpha has the sum of what was below 0 and bent by it."""
        x = self._input
        bent = np.where(x > 0, self.dtype.type(0), gradient * x)
        kept = self.alpha.value.ndim if self.plan.settings["share"] != "all" else 0
        self.alpha.gradient[...] = bent.sum(axis=tuple(range(bent.ndim - kept)), dtype=np.float64)
        return np.where(x > 0, gradient, gradient * self.alpha.value)


class Dropout(Layer):
    """While training, each value is silenced with a chance of ``rate`` and the others are divided by ``1 - rate``.

    ``spatial_dropout`` silences each channel of an image as a whole.

    ``frozen`` lets everything pass while training too. ``generator`` is where the chances come from; its state is part
    of a checkpoint (see `convcli.nn.randomness`).

    Source: N. Srivastava et al., "Dropout", JMLR 15, 2014, section 4, with the scaling moved to training (section 10);
    J. Tompson et al., "Efficient Object Localization Using Convolutional Networks", CVPR 2015, section 3.2 (spatial).
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype)
        self.generator = generator
        self.frozen = False
        whole = plan.type == "spatial_dropout"
        self._chances = (*(1 for _ in plan.input[:-1]), plan.input[-1]) if whole else plan.input
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
        shape = (len(x), *self._chances)
        draws = self.hold("draws", shape, np.float32)
        self.generator.random(out=draws, dtype=np.float32)
        self._factors = self.hold("factors", shape)
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
