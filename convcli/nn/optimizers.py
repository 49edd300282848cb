"""Optimizers: one pass over each parameter per step. Keras's names, formulas and defaults; and averages of weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ModelError
from convcli.nn.layer import Parameter

Array: TypeAlias = NDArray[Any]
Parameters: TypeAlias = Mapping[str, Parameter]


class Optimizer(ABC):
    """What all optimizers share: clipping, decoupled weight decay, constraints, and a state that can be saved.

    Parameters
    ----------
    learning_rate : float
        Of every step that is not told another.
    weight_decay : float
        ``w -= learning_rate * weight_decay * w`` before each step, for kernels only.
    clip_norm : float, optional
        If the norm of all gradients together is larger, they are scaled down to it (Keras's ``global_clipnorm``).
    clip_value : float, optional
        Each number of a gradient is cut off at this size (Keras's ``clipvalue``).

    Source: I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 1 and 2; R. Pascanu,
    T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.
    """

    name = ""
    slots: tuple[str, ...] = ()

    def __init__(
        self, learning_rate: float, *, weight_decay: float = 0.0, clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:  # fmt: skip
        if clip_norm is not None and clip_value is not None:
            raise ModelError("clip_norm: got it with clip_value, expected one of them")
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                raise ModelError(f"{name}: got {value}, expected more than 0")
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.steps = 0
        self._state: dict[str, Array] = {}

    def step(self, parameters: Parameters, learning_rate: float | None = None) -> None:
        """Change all trainable parameters once, by their gradients."""
        rate = self.learning_rate if learning_rate is None else learning_rate
        trained = {name: each for name, each in parameters.items() if each.trainable}
        scale, limit = 1.0, np.inf if self.clip_value is None else self.clip_value
        if self.clip_norm is not None:
            norm = global_norm(trained)
            scale = self.clip_norm / norm if norm > self.clip_norm else 1.0
        self.steps += 1
        for name, parameter in trained.items():
            of = parameter.value.dtype.type
            arrays = tuple(self._slot(f"{name}/{slot}", parameter).reshape(-1) for slot in self.slots)
            _run(
                self.name, parameter.value.reshape(-1), parameter.gradient.reshape(-1), self._arrays(arrays, of),
                (of(scale), of(limit)), of(rate * self.weight_decay if parameter.decays else 0.0),
                tuple(of(number) for number in self._numbers(rate)),
            )  # fmt: skip
            if parameter.constraint is not None:
                parameter.constraint.apply(parameter.value)

    @abstractmethod
    def _numbers(self, rate: float) -> tuple[float, ...]:
        """What the loop is told of this step."""

    def _arrays(self, slots: tuple[Array, ...], of: Any) -> tuple[Array, ...]:
        """The slots as the loop wants them: one that is not in use is a single zero."""
        return slots

    def _slot(self, key: str, parameter: Parameter) -> Array:
        if key not in self._state:
            self._state[key] = np.zeros_like(parameter.value)
        return self._state[key]

    def state(self) -> dict[str, Array]:
        """Everything a checkpoint has to hold, as arrays: the number of steps, and each parameter's running values."""
        return {"steps": np.array(self.steps, np.int64)} | {name: each.copy() for name, each in self._state.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` gave."""
        known = {name.rpartition("/")[2] for name in state} - {"steps"}
        if "steps" not in state or not known <= set(self.slots):
            raise ModelError(
                f"optimizer state: got {', '.join(sorted(known))}, expected steps, {', '.join(self.slots)}"
            )
        self.steps = int(state["steps"])
        self._state = {name: np.array(each) for name, each in state.items() if name != "steps"}


def _run(name: str, *arguments: Any) -> None:
    """The loop of an optimizer, or of an average."""
    from convcli.loops.networks import updates

    getattr(updates, name)(*arguments)


def global_norm(parameters: Parameters) -> float:
    """The norm of all gradients together."""
    squares = (float(np.square(each.gradient, dtype=np.float64).sum()) for each in parameters.values())
    return sqrt(sum(squares))


class SGD(Optimizer):
    """``v = momentum * v - rate * g; w += v``; with ``nesterov`` ``w += momentum * v - rate * g``.

    Source: I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    equations 1 to 4, in the form of Keras.
    """

    name = "sgd"

    def __init__(
        self, learning_rate: float = 0.01, *, momentum: float = 0.0, nesterov: bool = False, **others: Any
    ) -> None:
        super().__init__(learning_rate, **others)
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots = ("velocity",) if momentum else ()

    def _numbers(self, rate: float) -> tuple[float, ...]:
        return rate, self.momentum, float(self.nesterov)

    def _arrays(self, slots: tuple[Array, ...], of: Any) -> tuple[Array, ...]:
        return slots or (np.zeros(1, of),)


class RMSprop(Optimizer):
    """``s = rho * s + (1 - rho) * g**2; w -= rate * g / sqrt(s + epsilon)``, with momentum if wanted.

    Source: T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", Coursera, 2012, in the form of Keras.
    """

    name = "rmsprop"

    def __init__(
        self, learning_rate: float = 1e-3, *, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
        **others: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **others)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.slots = ("square", "velocity") if momentum else ("square",)

    def _numbers(self, rate: float) -> tuple[float, ...]:
        return rate, self.rho, self.momentum, self.epsilon

    def _arrays(self, slots: tuple[Array, ...], of: Any) -> tuple[Array, ...]:
        return slots if len(slots) == 2 else (*slots, np.zeros(1, of))


class Adam(Optimizer):
    """``m += (1 - beta_1) * (g - m); s += (1 - beta_2) * (g**2 - s); w -= rate_t * m / (sqrt(s) + epsilon)``.

    ``rate_t = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)``.

    Source: D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 2, last paragraph.
    """

    name = "adam"
    slots = ("mean", "square")

    def __init__(
        self, learning_rate: float = 1e-3, *, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
        **others: Any,
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, **others)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _numbers(self, rate: float) -> tuple[float, ...]:
        corrected = rate * sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        return corrected, self.beta_1, self.beta_2, self.epsilon


class AdamW(Adam):
    """Adam with weight decay, 0.004 unless said otherwise."""

    def __init__(self, learning_rate: float = 1e-3, *, weight_decay: float = 0.004, **others: Any) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **others)


_OPTIMIZERS: dict[str, type[SGD | RMSprop | Adam]] = {"sgd": SGD, "rmsprop": RMSprop, "adam": Adam, "adamw": AdamW}
_MOMENTS = ("beta_1", "beta_2", "epsilon")
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov"),
    "rmsprop": ("rho", "momentum", "epsilon"),
    "adam": _MOMENTS,
    "adamw": _MOMENTS,
}
LARGEST, SMALLEST = 3e38, 1.2e-38  # of float32, in which a network computes
_SHARED = ("learning_rate", "weight_decay", "clip_norm", "clip_value")
_SHARES = ("momentum", "rho", "beta_1", "beta_2")


def make_optimizer(name: str, **settings: Any) -> Optimizer:
    """An optimizer from its name; raises `ModelError` for an unknown name or setting, or one out of its range."""
    if name not in _OPTIMIZERS:
        raise ModelError(f"optimizer: got {name!r}, expected one of {', '.join(_OPTIMIZERS)}")
    own = SETTINGS[name]
    for key, value in settings.items():
        if key not in (*own, *_SHARED):
            raise ModelError(f"optimizer: {name} has no setting {key!r}, expected {', '.join(own)}")
        if key in _SHARES and not 0 <= value < 1:
            raise ModelError(f"optimizer: got {key}={value:g}, expected 0 or more and less than 1")
        if key == "epsilon" and not SMALLEST <= value <= LARGEST:
            raise ModelError(f"optimizer: got epsilon={value:g}, expected more than 0, and what float32 can hold")
    if settings.get("nesterov") and not settings.get("momentum"):
        raise ModelError("optimizer: got nesterov without momentum, of which it is a form; add momentum=0.9")
    return _OPTIMIZERS[name](**settings)


class WeightAverage:
    """An exponential moving average of all parameters, running averages of normalisations included.

    ``average += (1 - d) * (value - average)`` with ``d = min(decay, (1 + t) / (10 + t))`` after t updates, so that
    the first, random weights are soon forgotten.

    Source: B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the growing decay is
    that of TensorFlow's ``ExponentialMovingAverage``.
    """

    def __init__(self, parameters: Parameters, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ModelError(f"decay: got {decay}, expected 0 or more and less than 1")
        self.decay = decay
        self.updates = 0
        self._parameters = parameters
        self._averages = {name: each.value.copy() for name, each in parameters.items()}

    def update(self) -> None:
        """Take the present weights into the average."""
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, average in self._averages.items():
            value = self._parameters[name].value.reshape(-1)
            _run("approach", average.reshape(-1), value, value.dtype.type(share))

    def swap(self) -> None:
        """Exchange the model's weights and their averages; a second call puts both back."""
        for name, average in self._averages.items():
            value = self._parameters[name].value
            before = value.copy()
            value[...] = average
            average[...] = before

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside ``with average.applied():`` the model has the averaged weights."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def state(self) -> dict[str, Array]:
        """Everything a checkpoint has to hold, as arrays."""
        averages = {name: each.copy() for name, each in self._averages.items()}
        return {"updates": np.array(self.updates, np.int64)} | averages

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` gave."""
        if set(state) != {"updates", *self._averages}:
            raise ModelError("weight average: got the state of another network, expected the same parameters")
        self.updates = int(state["updates"])
        for name, average in self._averages.items():
            if state[name].shape != average.shape:
                raise ModelError(f"weight average: {name} has shape {state[name].shape}, expected {average.shape}")
            average[...] = state[name]
