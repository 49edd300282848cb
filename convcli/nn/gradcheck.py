"""Gradients against finite differences, in float64: the proof that backward is the derivative of forward.

For a random cotangent c and random directions d, ``(L(v + h*d) - L(v - h*d)) / 2h`` has to equal ``gradient . d``,
where ``L = sum(c * forward(v))`` for a layer and the loss for a network. A direction touches every number at once, so
that a single wrong one shows. Gradients that are all zero prove nothing and fail.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from convcli.nn.layer import Array, Layer
from convcli.nn.losses import Huber, Loss, MeanAbsoluteError, MeanSquaredError, usual_loss
from convcli.nn.model import Model
from convcli.nn.randomness import restore, state_of
from convcli.nn.shaping import Dropout

# (layer, array) -> value, its gradient, its mask.
Gradients: TypeAlias = dict[tuple[str, str], tuple[Array, Array, Array | None]]

_OF_A_LAYER, _OF_A_NETWORK = 1e-6, 1e-5  # the largest error that is allowed
_DIRECTIONS = 3
# A step across the kink of a ReLU or of a maximum measures nothing: shorter ones follow, to where rounding begins.
_STEPS = (1e-5, 1e-6, 1e-7)
# What is smaller than this share of the largest gradient is rounding: of a bias before a batch normalisation, say.
_ZERO = 1e-9


@dataclass(frozen=True)
class Check:
    """One array's gradient, checked.

    Attributes
    ----------
    layer, array : str
        ``conv_1``, ``kernel``; the input's array is ``input``.
    error : float
        The largest difference along a direction, relative to the gradient's norm.
    norm : float
        The gradient's norm.
    verdict : str
        ``ok``, ``wrong``, or ``all zero``.
    """

    layer: str
    array: str
    error: float
    norm: float
    verdict: str

    @property
    def passed(self) -> bool:
        """Whether the gradient is proven."""
        return self.verdict == "ok"


def check_layer(layer: Layer, *, seed: int = 0, batch: int = 2) -> list[Check]:
    """Check the gradients of a layer's input and of all its parameters, for a random input.

    The layer has to be float64. Layers inside it are checked with it.
    """
    generator = np.random.default_rng(seed)
    value = generator.standard_normal((batch, *layer.plan.input))
    repeat = _repeatable(layer)
    cotangent = generator.standard_normal(layer.forward(value, training=True).shape)

    def loss() -> float:
        repeat()
        total = float((layer.forward(value, training=True) * cotangent).sum())
        return total + sum(each.penalty() for each in layer.walk())

    loss()
    gradients: Gradients = {(layer.name, "input"): (value, np.array(layer.backward(cotangent)), None)}
    gradients |= _parameters(layer)
    return list(_checks(gradients, loss, generator, _OF_A_LAYER, zero_may_be=False))


def check_model(model: Model, *, seed: int = 0, batch: int = 2, loss: Loss | None = None) -> list[Check]:
    """Check the gradients of a network's loss: of its input and of every parameter, heads and regularizers included.

    Inputs and labels are random. A parameter whose gradient is zero passes if the differences are zero too: a bias
    before a batch normalisation changes nothing.
    """
    generator = np.random.default_rng(seed)
    loss = usual_loss(model.final) if loss is None else loss
    size = model.plan.input
    first = model.data_format == "channels_first" and len(size) > 1
    x = generator.standard_normal((batch, *((size[-1], *size[:-1]) if first else size)))
    labels = _made_labels(model, batch, loss, generator)
    repeats = [_repeatable(layer) for layer in model.layers]

    def measure() -> float:
        for repeat in repeats:
            repeat()
        return model.loss_and_gradients(x, labels, loss).loss

    for repeat in repeats:
        repeat()
    step = model.loss_and_gradients(x, labels, loss, input_gradient=True)
    assert step.input_gradient is not None
    gradients: Gradients = {("input", "input"): (x, step.input_gradient, None)}
    for layer in model.walk():
        gradients |= _parameters(layer, inside=False)
    return list(_checks(gradients, measure, generator, _OF_A_NETWORK, zero_may_be=True))


def _parameters(layer: Layer, inside: bool = True) -> Gradients:
    """Value, gradient and mask of a layer's trainable parameters, and of those inside it."""
    return {
        (each.name, parameter.name): (parameter.value, parameter.gradient.copy(), parameter.mask)
        for each in (layer.walk() if inside else (layer,))
        for parameter in each.parameters
        if parameter.trainable
    }


def _checks(
    gradients: Gradients, loss: Callable[[], float], generator: np.random.Generator, tolerance: float, zero_may_be: bool
) -> Iterator[Check]:
    largest = max(float(np.linalg.norm(gradient)) for _, gradient, _ in gradients.values())
    for (layer, array), (value, gradient, mask) in gradients.items():
        norm = float(np.linalg.norm(gradient))
        zero = not norm > _ZERO * largest
        scale = largest if zero else norm
        error = max(_error(value, gradient, mask, loss, generator, scale, tolerance) for _ in range(_DIRECTIONS))
        verdict = "ok" if error <= tolerance else "wrong"
        if largest == 0 or (zero and not zero_may_be):
            verdict = "all zero"
        yield Check(layer, array, error, norm, verdict)


def _error(
    value: Array, gradient: Array, mask: Array | None, loss: Callable[[], float], generator: np.random.Generator,
    scale: float, tolerance: float,
) -> float:  # fmt: skip
    """The difference along one direction, relative to the gradient's norm; with the best of a few lengths of step."""
    direction = generator.standard_normal(value.shape)
    if mask is not None:
        direction *= mask
    expected = float((gradient * direction).sum())
    before, best = value.copy(), np.inf
    for length in _STEPS:
        np.add(before, length * direction, out=value)
        above = loss()
        np.subtract(before, length * direction, out=value)
        below = loss()
        value[...] = before
        error = abs((above - below) / (2 * length) - expected) / (scale or 1.0)
        # NaN is no agreement.
        best = min(best, error if error == error else np.inf)
        if best <= tolerance:
            break
    return best


def _repeatable(layer: Layer) -> Callable[[], None]:
    """A function that brings all dropouts inside back to where they are now."""
    states = [(each.generator, state_of(each.generator)) for each in layer.walk() if isinstance(each, Dropout)]

    def repeat() -> None:
        for generator, state in states:
            restore(generator, state)

    return repeat


def _made_labels(model: Model, batch: int, loss: Loss, generator: np.random.Generator) -> Array:
    output: tuple[int, ...] = model.plan.output
    if isinstance(loss, MeanSquaredError | MeanAbsoluteError | Huber):
        values: Any = generator.standard_normal((batch, *output))
        first = model.data_format == "channels_first" and values.ndim > 2
        return np.asarray(np.moveaxis(values, -1, 1) if first else values)
    if loss.fused == "sigmoid":
        return np.asarray(generator.integers(0, 2, (batch, *output)))
    return np.asarray(generator.integers(0, output[-1], (batch, *output[:-1])))
