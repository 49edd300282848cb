"""What a layer is: the one small protocol of the engine, and the arrays a layer learns.

A layer is built for one input shape from its `LayerPlan`. It works on batches: (N, *spatial, C), or (N, values) behind
a flatten. The rules that make buffers safe to keep:

- a layer never writes to an array it is given,
- what ``forward(x, training=True)`` and ``backward`` return belongs to the layer and is good until its next call,
- ``backward`` follows a ``forward(x, training=True)``, whose input has to be unchanged by then.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan
from convcli.errors import ModelError
from convcli.nn.constraints import Constraint
from convcli.nn.regularizers import Regularizer
from convcli.ops.scratch import aligned

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]


@dataclass(eq=False)
class Parameter:
    """One array of a layer with its gradient.

    Attributes
    ----------
    name : str
        ``kernel``, ``bias``, ``gamma``, ``beta``, ``moving_mean``, ``moving_variance``.
    value : ndarray
        Changed in place only, so that views of it stay true.
    trainable : bool
        False for running averages, which the optimizer leaves alone.
    decays : bool
        Whether weight decay applies: to kernels, not to biases nor to a normalisation's numbers.
    mask : ndarray of 0 and 1, optional
        Where connections are: what is masked is zero, has no gradient and is not counted.
    """

    name: str
    value: Array
    _: KW_ONLY
    trainable: bool = True
    decays: bool = False
    regularizer: Regularizer | None = None
    constraint: Constraint | None = None
    mask: Array | None = None
    _gradient: Array | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.mask is not None:
            self.value *= self.mask

    @property
    def gradient(self) -> Array:
        """The gradient of the loss, written anew by each backward pass; made when it is first asked for."""
        if self._gradient is None:
            self._gradient = np.zeros_like(self.value)
        return self._gradient

    @property
    def count(self) -> int:
        """How many numbers it has, masked ones left out."""
        return self.value.size if self.mask is None else int(np.broadcast_to(self.mask, self.value.shape).sum())

    def assign(self, array: Array) -> None:
        """Take over the numbers of another array; raises `ModelError` unless it has the same shape and is real."""
        if array.shape != self.value.shape or array.dtype.kind not in "fiu":
            raise ModelError(
                f"{self.name}: got {array.dtype} of shape {array.shape}, expected numbers of shape {self.value.shape}"
            )
        self.value[...] = array
        if self.mask is not None:
            self.value *= self.mask


def as_input(x: Array, dtype: Any = np.float32) -> Array:
    """What a network takes: floats; bytes of 0..255 become 0..1, all other numbers stay what they are."""
    if x.dtype == np.uint8:
        return np.asarray(np.divide(x, np.dtype(dtype).type(255), dtype=dtype))
    return np.asarray(x, dtype)


class Layer(ABC):
    """One layer: ``output_shape``, ``forward``, ``backward``, ``parameters``, and for branches the layers inside.

    ``wants_input_gradient`` may be set to False on the first layer that learns: nobody needs its input's gradient
    then, and ``backward`` may return its argument.
    """

    def __init__(self, plan: LayerPlan, dtype: Any) -> None:
        self.plan = plan
        self.name = plan.name
        self.dtype = np.dtype(dtype)
        self.parameters: tuple[Parameter, ...] = ()
        self.wants_input_gradient = True
        self._held: dict[str, Array] = {}

    @property
    def output_shape(self) -> Shape:
        """The shape of one output, without N."""
        return self.plan.output

    @property
    def branches(self) -> Sequence[Sequence["Layer"]]:
        """The layers inside, for layers that have branches."""
        return ()

    @abstractmethod
    def forward(self, x: Array, training: bool = False) -> Array:
        """The output (N, *output shape) for an input (N, *input shape)."""

    @abstractmethod
    def backward(self, gradient: Array) -> Array:
        """The gradient of the last training input, given that of its output; fills the parameters' gradients."""

    def alone(self, x: Array) -> Array:
        """The output of this layer, whatever part of its work `convcli.nn.fusing` has given to neighbours."""
        return self.forward(x)

    def penalty(self) -> float:
        """What the layer adds to the loss for its last training output (activity regularizers)."""
        return 0.0

    def walk(self) -> Iterator["Layer"]:
        """The layers inside, then the layer itself: the order of `NetworkPlan.flat`."""
        for branch in self.branches:
            for layer in branch:
                yield from layer.walk()
        yield self

    def hold(self, what: str, shape: Sequence[int], dtype: Any = None) -> Array:
        """A buffer of this shape that is kept for the next call: fresh memory costs more than the arithmetic.

        Its content is undefined. A smaller batch uses the beginning of a larger one's buffer.
        """
        size = prod(shape)
        kept = self._held.get(what)
        if kept is None or kept.size < size:
            kept = self._held[what] = aligned((size,), dtype or self.dtype)
        return kept[:size].reshape(shape)

    def buffer(self, what: str, shape: Sequence[int], training: bool) -> Array:
        """`hold` while training; else a new array, freed as soon as the next layers are through with it."""
        return self.hold(what, shape) if training else aligned(shape, self.dtype)

    def release(self) -> None:
        """Give all kept buffers back."""
        self._held.clear()
