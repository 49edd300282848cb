"""Layers that normalise: over the batch, and over neighbouring channels."""

from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.nn.initializers import initial
from convcli.nn.layer import Array, Layer, Parameter
from convcli.ops.words import read_only

# Runs of pixels that are summed by themselves: never the number of threads.
_CHUNKS = 16


class BatchNorm(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, each channel by itself.

    While training, mean and variance are the batch's, over N and all positions; afterwards they are running averages,
    ``moving = momentum * moving + (1 - momentum) * batch's``.

    Source: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015, algorithms 1 and 2; the running averages, of the
    biased variance, are Keras's.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype)
        settings, channels = plan.settings, (plan.input[-1],)
        gamma = initial(settings["gamma_initializer"], channels, generator).astype(self.dtype)
        beta = initial(settings["beta_initializer"], channels, generator).astype(self.dtype)
        self.gamma = Parameter("gamma", gamma) if settings["scale"] else None
        self.beta = Parameter("beta", beta) if settings["center"] else None
        self.moving_mean = Parameter("moving_mean", np.zeros(channels, self.dtype), trainable=False)
        self.moving_variance = Parameter("moving_variance", np.ones(channels, self.dtype), trainable=False)
        learnt = tuple(each for each in (self.gamma, self.beta) if each is not None)
        self.parameters = (*learnt, self.moving_mean, self.moving_variance)
        self._input = np.empty(0, self.dtype)
        self._mean = self._inverse = np.empty(0)

    def forward(self, x: Array, training: bool = False) -> Array:
        """One pass for the sums while training, one for the values."""
        if training:
            total, squares = _sums(x, x)
            count = x.size // x.shape[-1]
            mean = total / count
            variance = np.maximum(squares / count - mean * mean, 0)
            keep = self.plan.settings["momentum"]
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.value[...] = keep * moving.value.astype(np.float64) + (1 - keep) * value
        else:
            mean, variance = (each.value.astype(np.float64) for each in (self.moving_mean, self.moving_variance))
        inverse = 1 / np.sqrt(variance + self.plan.settings["epsilon"])
        slope = inverse if self.gamma is None else inverse * self.gamma.value
        start = -mean * slope if self.beta is None else self.beta.value - mean * slope
        out = self.buffer("output", x.shape, training)
        _lines(x, x, slope, np.zeros_like(slope), start, out)
        if training:
            self._input, self._mean, self._inverse = x, mean, inverse
        return out

    def backward(self, gradient: Array) -> Array:
        """The input's gradient is a line in the output's gradient and in the input, for each channel."""
        total, products = _sums(gradient, self._input)
        along = (products - self._mean * total) * self._inverse
        if self.gamma is not None:
            self.gamma.gradient[...] = along
        if self.beta is not None:
            self.beta.gradient[...] = total
        slope = self._inverse if self.gamma is None else self._inverse * self.gamma.value
        count = gradient.size // gradient.shape[-1]
        tilt = -slope * self._inverse * along / count
        out = self.hold("input gradient", gradient.shape)
        _lines(gradient, self._input, slope, tilt, -slope * total / count - tilt * self._mean, out)
        return out


def _sums(first: Array, second: Array) -> tuple[Array, Array]:
    """Sums over all but the channels of ``first`` and of ``first * second``, in float64."""
    from convcli.loops.channels import channel_sums

    one, two = (read_only(each.reshape(-1, each.shape[-1])) for each in (first, second))
    partial = np.empty((min(_CHUNKS, len(one)), 2, one.shape[1]))
    channel_sums(one, two, partial)
    total, products = partial.sum(axis=0)
    return total, products


def _lines(first: Array, second: Array, slope: Array, other_slope: Array, start: Array, out: Array) -> None:
    from convcli.loops.channels import channel_lines

    one, two = (read_only(each.reshape(-1, each.shape[-1])) for each in (first, second))
    numbers = (each.astype(out.dtype) for each in (slope, other_slope, start))
    channel_lines(one, two, *numbers, out.reshape(-1, out.shape[-1]))


class LocalResponseNorm(Layer):
    """``x / (k + alpha * sum of x**2 over size neighbouring channels)**beta``, at each position.

    Channel i's neighbours are ``i - size // 2`` to ``i + (size - 1) // 2``, as far as they exist.

    Source: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
    NIPS 2012, section 3.3; ``alpha`` is the paper's, not divided by the size as PyTorch's is.
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        super().__init__(plan, dtype)
        self._input = self._scale = self._power = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Squares, their sums, and a power."""
        settings, before = self.plan.settings, self.plan.settings["size"] // 2
        scale = self.dtype.type(settings["k"]) + self.dtype.type(settings["alpha"]) * self._neighbours(x * x, before)
        power = scale ** self.dtype.type(-settings["beta"])
        if training:
            self._input, self._scale, self._power = x, scale, power
        return np.asarray(x * power)

    def backward(self, gradient: Array) -> Array:
        """``g * s**-beta - 2 * alpha * beta * x * sum(g * x * s**(-beta-1))``, over the windows around it."""
        settings = self.plan.settings
        direct = gradient * self._power
        after = (settings["size"] - 1) // 2
        shared = self._neighbours(direct * self._input / self._scale, after)
        return np.asarray(direct - self.dtype.type(2 * settings["alpha"] * settings["beta"]) * self._input * shared)

    def _neighbours(self, values: Array, before: int) -> Array:
        """Sums over ``size`` channels from ``before`` below each."""
        size, channels = self.plan.settings["size"], values.shape[-1]
        total = np.zeros_like(values)
        for shift in range(-before, size - before):
            low, high = max(-shift, 0), min(channels - shift, channels)
            if low < high:
                total[..., low:high] += values[..., low + shift : high + shift]
        return total
