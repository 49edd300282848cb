"""Layers with a kernel and a bias: convolution, its transpose, and dense. The arithmetic is that of `convcli.ops`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.architectures import LayerPlan, Named
from convcli.geometry import TransposedWindow, Window
from convcli.nn.activations import LINEAR, make_activation
from convcli.nn.constraints import make_constraint
from convcli.nn.initializers import initial
from convcli.nn.layer import Array, Layer, Parameter, Shape
from convcli.nn.regularizers import make_regularizer
from convcli.ops.convolution_passes import (
    Kept,
    conv_bias_gradient,
    conv_forward,
    conv_input_gradient,
    conv_weight_gradient,
)


class Weighted(Layer):
    """What they share: parameters, regularizers, constraints, the activation and its gradient.

    A ReLU is done in the pass that computes the values; any other activation is a pass of its own.

    ``winograd`` (True) lets float32 convolutions of 3x3 with stride 1 use Winograd's transforms where those are faster:
    the error, against a result's largest number, grows from 1e-6 to 4e-6, and a NaN reaches up to three pixels further.
    ``kept`` is a dictionary while the weights do not change, in which they stay as the loops read them.
    ``folded`` are kernel, bias and whether there is a ReLU, of this layer and the batch normalisation behind it.
    ``masked`` is set by `convcli.nn.fusing`: whether the gradient has gone through the ReLU when it comes; and so is
    ``sums_elsewhere``: whether the bias has its gradient then.
    """

    def __init__(
        self, plan: LayerPlan, dtype: Any, generator: np.random.Generator, kernel: Shape, *, filter_axis: int = -1,
        mask: Array | None = None,
    ) -> None:  # fmt: skip
        super().__init__(plan, dtype)
        self.activation = make_activation(plan.settings["activation"])
        self.activity = make_regularizer(plan.settings["activity_regularizer"])
        self.winograd = True
        self.masked = self.sums_elsewhere = False
        self.kept: Kept | None = None
        self.folded: tuple[Array, Array, bool] | None = None
        self.kernel = self._parameter("kernel", kernel, filter_axis, generator, mask)
        self.bias = None
        if plan.settings["use_bias"]:
            self.bias = self._parameter("bias", (plan.output[-1],), 0, generator, None)
        self.parameters = (self.kernel,) if self.bias is None else (self.kernel, self.bias)
        self._input = self._linear = self._output = np.empty(0, self.dtype)

    def _parameter(
        self, name: str, shape: Shape, filter_axis: int, generator: np.random.Generator, mask: Array | None
    ) -> Parameter:
        settings = self.plan.settings
        return Parameter(
            name,
            initial(settings[f"{name}_initializer"], shape, generator).astype(self.dtype),
            decays=name == "kernel",
            regularizer=make_regularizer(settings[f"{name}_regularizer"]),
            constraint=make_constraint(settings[f"{name}_constraint"], len(shape), filter_axis),
            mask=mask,
        )

    @abstractmethod
    def apply(self, x: Array, relu: bool, out: Array) -> None:
        """Weights and bias, and if wanted ReLU, into ``out`` (N, *output shape)."""

    @abstractmethod
    def input_gradient(self, gradient: Array, out: Array) -> None:
        """The gradient of the input into ``out`` (N, *input shape), given that of the values before the activation."""

    @abstractmethod
    def kernel_gradient(self, x: Array, gradient: Array, out: Array) -> None:
        """The gradient of the kernel into ``out``."""

    def forward(self, x: Array, training: bool = False) -> Array:
        """Weights, bias, activation."""
        relu = self.folded[2] if self.folded and not training else self.activation.name == "relu"
        linear = self.buffer("linear", (len(x), *self.output_shape), training)
        self.apply(x, relu, linear)
        output = linear if relu or self.activation is LINEAR else self.activation.forward(linear)
        if training:
            self._input, self._linear, self._output = x, linear, output
        return output

    def fold(self, slope: Array, start: Array, relu: bool) -> bool:
        """Take over what follows, a line for each filter and perhaps a ReLU; False where numbers do not allow it."""
        kernel = self.kernel.value * slope.astype(self.dtype)
        bias = (start if self.bias is None else self.bias.value * slope + start).astype(self.dtype)
        finite = bool(np.isfinite(kernel).all() and np.isfinite(bias).all())
        self.folded = (kernel, bias, relu) if finite else None
        return finite

    @property
    def _weights(self) -> tuple[Array, Array | None]:
        """Kernel and bias that are applied."""
        if self.folded:
            return self.folded[:2]
        return self.kernel.value, None if self.bias is None else self.bias.value

    def backward(self, gradient: Array) -> Array:
        """Through the activation to kernel, bias and input."""
        if self.activity is not None:
            # Keras divides what activities cost by the batch size.
            gradient = gradient + self.activity.gradient(self._output) / self.dtype.type(len(gradient))
        if self.activation.name != "linear" and not self.masked:
            out = self.hold("before activation", gradient.shape)
            gradient = self.activation.backward(gradient, self._linear, self._output, out)
        self.kernel_gradient(self._input, gradient, self.kernel.gradient)
        if self.kernel.mask is not None:
            np.multiply(self.kernel.gradient, self.kernel.mask, out=self.kernel.gradient)
        if self.bias is not None and not self.sums_elsewhere:
            self.bias.gradient[...] = conv_bias_gradient(gradient)
        if not self.wants_input_gradient:
            return gradient
        result = self.hold("input gradient", self._input.shape)
        self.input_gradient(gradient, result)
        return result

    def penalty(self) -> float:
        """The activity regularizer's, for one image of the batch on average."""
        return self.activity.penalty(self._output) / len(self._output) if self.activity is not None else 0.0


class Conv(Weighted):
    """Convolution over one, two or three axes; with groups, depthwise, or with a table of connections.

    The kernel is (*kernel size, C/groups, O). A table of connections is a mask on it: ``mask[c, o]`` is 1 where filter
    ``o`` sees channel ``c``.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        self._windows: Sequence[Window] = [window for window in plan.windows if isinstance(window, Window)]
        channels, filters = plan.input[-1] // plan.groups, plan.output[-1]
        mask = None
        if plan.settings.get("connections"):
            mask = np.zeros((channels, filters), dtype)
            for filter, seen in enumerate(plan.settings["connections"]):
                mask[list(seen), filter] = 1
        kernel = (*(window.kernel_size for window in self._windows), channels, filters)
        super().__init__(plan, dtype, generator, kernel, mask=mask)

    def apply(self, x: Array, relu: bool, out: Array) -> None:
        """See `Weighted`."""
        conv_forward(
            x, *self._weights, self._windows, self.plan.groups, relu=relu, winograd=self.winograd,
            kept=self.kept, out=out,
        )  # fmt: skip

    def input_gradient(self, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_input_gradient(
            gradient, self.kernel.value, out.shape[1:-1], self._windows, self.plan.groups, winograd=self.winograd,
            out=out,
        )  # fmt: skip

    def kernel_gradient(self, x: Array, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_weight_gradient(x, gradient, self._windows, self.plan.groups, winograd=self.winograd, out=out)


class SeparableConv(Weighted):
    """Each channel's own convolution without a bias, then one with kernel size 1: Keras's ``SeparableConv2D``.

    ``kernel`` is the second's, ``depthwise_kernel`` the first's; ``kernel_...`` settings are of both.

    Source: F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017, section 1.
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        channels, alone = plan.input[-1], {"use_bias": False, "activation": Named("linear"), "connections": None}
        between = (*plan.output[:-1], channels * plan.settings["depth_multiplier"])
        first = {**plan.settings, **alone, "activity_regularizer": None}
        self._depthwise = Conv(replace(plan, output=between, groups=channels, settings=first), dtype, generator)
        self._ones = (Window(1),) * len(plan.windows)
        super().__init__(plan, dtype, generator, (*(1,) * len(plan.windows), between[-1], plan.output[-1]))
        self._depthwise.kernel.name = "depthwise_kernel"
        self.parameters = (self._depthwise.kernel, *self.parameters)
        self._between = np.empty(0, self.dtype)

    def forward(self, x: Array, training: bool = False) -> Array:
        """One after the other."""
        if (self._depthwise.kept is None) != (self.kept is None):
            self._depthwise.kept = None if self.kept is None else {}
        self._between = self._depthwise.forward(x, training)
        return super().forward(x, training)

    def apply(self, x: Array, relu: bool, out: Array) -> None:
        """See `Weighted`."""
        bias = None if self.bias is None else self.bias.value
        conv_forward(self._between, self.kernel.value, bias, self._ones, relu=relu, kept=self.kept, out=out)

    def kernel_gradient(self, x: Array, gradient: Array, out: Array) -> None:
        """Of both kernels."""
        conv_weight_gradient(self._between, gradient, self._ones, out=out)
        between = self.hold("between", self._between.shape)
        conv_input_gradient(gradient, self.kernel.value, between.shape[1:-1], self._ones, out=between)
        self._depthwise.kernel_gradient(x, between, self._depthwise.kernel.gradient)

    def input_gradient(self, gradient: Array, out: Array) -> None:
        """See `Weighted`; `kernel_gradient` has been asked before."""
        between = self.hold("between", self._between.shape)
        self._depthwise.input_gradient(between, out)


class ConvTranspose(Weighted):
    """Transposed convolution: the input gradient of the convolution with its windows.

    The kernel has that convolution's layout: (*kernel size, O/groups, C).
    """

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        self._windows = [window.transposed for window in plan.windows if isinstance(window, TransposedWindow)]
        sizes = (window.kernel_size for window in self._windows)
        kernel = (*sizes, plan.output[-1] // plan.groups, plan.input[-1])
        super().__init__(plan, dtype, generator, kernel, filter_axis=-2)

    def apply(self, x: Array, relu: bool, out: Array) -> None:
        """See `Weighted`."""
        bias = None if self.bias is None else self.bias.value
        conv_input_gradient(
            x, self.kernel.value, out.shape[1:-1], self._windows, self.plan.groups, bias=bias, relu=relu, out=out
        )

    def input_gradient(self, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_forward(gradient, self.kernel.value, None, self._windows, self.plan.groups, sizes=out.shape[1:-1], out=out)

    def kernel_gradient(self, x: Array, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_weight_gradient(gradient, x, self._windows, self.plan.groups, out=out)


class Dense(Weighted):
    """Every value to each unit: a convolution with kernel size 1 over a series whose N steps are the batch.

    Not a library's matrix product: the bits of one depend on its own number of threads.
    """

    _WINDOW = (Window(1),)

    def __init__(self, plan: LayerPlan, dtype: Any, generator: np.random.Generator) -> None:
        super().__init__(plan, dtype, generator, (plan.input[-1], plan.output[-1]))

    def apply(self, x: Array, relu: bool, out: Array) -> None:
        """See `Weighted`."""
        kernel, bias = self._weights
        conv_forward(x[None], kernel[None], bias, self._WINDOW, relu=relu, kept=self.kept, out=out[None])

    def input_gradient(self, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_input_gradient(gradient[None], self.kernel.value[None], (len(out),), self._WINDOW, out=out[None])

    def kernel_gradient(self, x: Array, gradient: Array, out: Array) -> None:
        """See `Weighted`."""
        conv_weight_gradient(x[None], gradient[None], self._WINDOW, out=out[None])
