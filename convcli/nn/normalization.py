"""Layers that normalise: over the batch, over groups of channels, and over neighbouring channels."""

from typing import Any

import numpy as np

from convcli.architectures import LayerPlan
from convcli.nn.initializers import initial
from convcli.nn.layer import Array, Layer, Parameter
from convcli.nn.weighted import Weighted
from convcli.ops.words import read_only

# Runs of pixels that are summed by themselves: never the number of threads.
_CHUNKS = 16


class BatchNorm(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, each channel by itself.

    While training, mean and variance are the batch's, over N and all positions; afterwards they are running averages,
    ``moving = momentum * moving + (1 - momentum) * batch's``.

    ``frozen`` keeps the running averages for training too: the gradient is then that of what inference computes.
    ``relu``, ``masked`` and ``source`` are set by `convcli.nn.fusing`: whether it does the ReLU behind it in its own
    passes, whether the gradient it gets has gone through that ReLU already, and which layer before it can do all of it
    when a network predicts.

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
        self.relu = self.masked = self.frozen = self._folded = False
        self.source: Weighted | None = None
        self._input = self._slope = self._start = np.empty(0, self.dtype)
        self._mean = self._inverse = np.empty(0)

    def forward(self, x: Array, training: bool = False) -> Array:
        """One pass for the sums while training, one for the values."""
        return x if self._folded and not training else self._normalized(x, training, self.relu)

    def fold(self, folded: bool) -> None:
        """Have ``source`` compute what comes out here, for as long as no weights change; or no longer."""
        if self.source is None:
            return
        slope, start = self._line(*self._moving())
        self._folded = folded and self.source.fold(slope, start, self.relu)
        if not self._folded:
            self.source.folded = None

    def alone(self, x: Array) -> Array:
        """See `Layer`."""
        return self._normalized(x, False, False)

    def _normalized(self, x: Array, training: bool, relu: bool) -> Array:
        from convcli.loops.networks.channels import channel_lines

        if training and not self.frozen:
            total, squares = self._sums(x)
            count = x.size // x.shape[-1]
            mean = total / count
            variance = np.maximum(squares / count - mean * mean, 0)
            keep = self.plan.settings["momentum"]
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.value[...] = keep * moving.value.astype(np.float64) + (1 - keep) * value
        else:
            mean, variance = self._moving()
        slope, start = map(self._run, self._line(mean, variance))
        out = self.buffer("output", x.shape, training)
        channel_lines(read_only(x.reshape(-1)), slope, start, self._floor(relu), out.reshape(-1))
        if training:
            self._input, self._mean, self._slope, self._start = x, mean, slope, start
            self._inverse = self._inverse_of(variance)
        return out

    def _moving(self) -> tuple[Array, Array]:
        """The running averages in float64."""
        return self.moving_mean.value.astype(np.float64), self.moving_variance.value.astype(np.float64)

    def _inverse_of(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + self.plan.settings["epsilon"]))

    def _line(self, mean: Array, variance: Array) -> tuple[Array, Array]:
        """Slope and start of each channel's values."""
        inverse = self._inverse_of(variance)
        slope = inverse if self.gamma is None else inverse * self.gamma.value
        return slope, -mean * slope if self.beta is None else self.beta.value - mean * slope

    def backward(self, gradient: Array) -> Array:
        """The input's gradient is a line in the output's gradient and in the input, for each channel."""
        from convcli.loops.networks.channels import gradient_lines

        total, products = self._sums(self._input, gradient)
        along = (products - self._mean * total) * self._inverse
        if self.gamma is not None:
            self.gamma.gradient[...] = along
        if self.beta is not None:
            self.beta.gradient[...] = total
        slope = self._inverse if self.gamma is None else self._inverse * self.gamma.value
        count = gradient.size // gradient.shape[-1]
        # Frozen, mean and variance do not depend on the input.
        tilt = -slope * self._inverse * along / count * (not self.frozen)
        shift = -slope * total / count * (not self.frozen) - tilt * self._mean
        out = self.hold("input gradient", gradient.shape)
        gradient_lines(
            read_only(gradient.reshape(-1)), read_only(self._input.reshape(-1)), self._slope, self._start,
            self._floor(self.relu and not self.masked), self._run(tilt), self._run(shift), out.reshape(-1),
        )  # fmt: skip
        return out

    def _floor(self, relu: bool) -> Any:
        """What values are not below."""
        return self.dtype.type(0 if relu else -np.inf)

    def _run(self, each: Array) -> Array:
        """What there is for each channel, for a run of pixels."""
        from convcli.loops.costs import RUN

        repeated = np.empty((max(RUN // len(each), 1), len(each)), self.dtype)
        repeated[:] = each
        return repeated.reshape(-1)

    def _sums(self, x: Array, gradient: Array | None = None) -> tuple[Array, Array]:
        """Float64 sums of each channel of ``x`` and its squares, or of the output's gradient and that times ``x``."""
        from convcli.loops.costs import RUN
        from convcli.loops.networks.channels import channel_sums, gradient_sums

        channels = x.shape[-1]
        run = max(RUN // channels, 1) * channels
        values = read_only(x.reshape(-1))
        partial = self.hold("sums", (min(_CHUNKS, -(-x.size // run)), 2, run), np.float64)
        if gradient is None:
            channel_sums(values, partial)
        else:
            floor = self._floor(self.relu and not self.masked)
            gradient_sums(read_only(gradient.reshape(-1)), values, self._slope, self._start, floor, partial)
        first, second = partial.sum(axis=0).reshape(2, -1, channels).sum(axis=1)
        return first, second


class GroupNorm(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance of a group of numbers.

    For ``layer_norm`` a group is the channels of one position, as in Keras; for ``group_norm`` all positions of some
    neighbouring channels. Training and inference do the same.

    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, equation 3; Y. Wu, K. He, "Group
    Normalization", ECCV 2018, equations 1, 2 and 7.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype)
        settings, channels = plan.settings, (plan.input[-1],)
        self.gamma = self.beta = None
        if settings["scale"]:
            self.gamma = Parameter("gamma", initial(settings["gamma_initializer"], channels, generator).astype(dtype))
        if settings["center"]:
            self.beta = Parameter("beta", initial(settings["beta_initializer"], channels, generator).astype(dtype))
        self.parameters = tuple(each for each in (self.gamma, self.beta) if each is not None)
        self._even = np.empty(0, self.dtype)
        self._inverse = np.empty(0)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Means in float64; each image by itself."""
        grouped = self._grouped(x)
        mean = grouped.mean(axis=(1, 3), keepdims=True, dtype=np.float64)
        even = grouped - mean.astype(self.dtype)
        variance = np.square(even).mean(axis=(1, 3), keepdims=True, dtype=np.float64)
        inverse = (1 / np.sqrt(variance + self.plan.settings["epsilon"])).astype(self.dtype)
        even *= inverse
        if training:
            self._even, self._inverse = even, inverse
        out = even.reshape(x.shape)
        if self.gamma is not None:
            out = out * self.gamma.value
        return np.asarray(out if self.beta is None else out + self.beta.value)

    def backward(self, gradient: Array) -> Array:
        """What is common to a group, and what goes along with its numbers, has no effect on them."""
        even, rows = self._even, gradient.reshape(-1, gradient.shape[-1])
        if self.gamma is not None:
            products = rows * even.reshape(rows.shape)
            self.gamma.gradient[...] = products.sum(axis=0, dtype=np.float64)
            gradient = gradient * self.gamma.value
        if self.beta is not None:
            self.beta.gradient[...] = rows.sum(axis=0, dtype=np.float64)
        given = self._grouped(gradient)
        common = given.mean(axis=(1, 3), keepdims=True, dtype=np.float64).astype(self.dtype)
        along = (given * even).mean(axis=(1, 3), keepdims=True, dtype=np.float64).astype(self.dtype)
        return np.asarray((given - common - even * along) * self._inverse).reshape(gradient.shape)

    def _grouped(self, x: Array) -> Array:
        """(images, positions, groups, channels of a group); positions count as images where each has its own mean."""
        channels, settings = x.shape[-1], self.plan.settings
        if "groups" not in settings:
            return x.reshape(-1, 1, 1, channels)
        return x.reshape(len(x), -1, settings["groups"], channels // settings["groups"])


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
