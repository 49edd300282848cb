"""A network that computes and learns: the layers of a plan, their parameters by name, loss and gradients.

How it is trained (data, epochs, checkpoints) and how its weights get into a file is not here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from math import prod
from typing import Any, NamedTuple

import numpy as np

from convcli.architectures import NetworkPlan, load, plan_network, read_network
from convcli.errors import ModelError, ShapeError, shortened, suggestion
from convcli.geometry import is_integer
from convcli.loops import costs
from convcli.nn.branches import Head
from convcli.nn.build import Builder, split_output
from convcli.nn.fusing import fuse
from convcli.nn.layer import Array, Layer, Parameter, Shape, as_input
from convcli.nn.losses import Loss, class_targets, loss_of_logits, usual_loss
from convcli.nn.normalization import BatchNorm
from convcli.nn.randomness import restore, state_of
from convcli.nn.room import check_batch, check_parameters
from convcli.nn.shaping import Dropout
from convcli.nn.weighted import Weighted
from convcli.ops.arguments import as_array, as_contiguous

_DATA_FORMATS = ("channels_last", "channels_first")


class TrainingStep(NamedTuple):
    """What one batch gave.

    Attributes
    ----------
    loss : float
        The loss with everything that regularizers and heads add: what the gradients are of.
    outputs : ndarray
        (N, ...) the values before the output activation; the largest is the predicted class.
    input_gradient : ndarray or None
        (N, *input), if it was asked for.
    """

    loss: float
    outputs: Array
    input_gradient: Array | None = None


class Model:
    """A network built from its plan, with initial weights from a seed.

    Parameters
    ----------
    plan : NetworkPlan
        From `convcli.architectures.plan_network`.
    seed : int
        The same seed gives the same weights, and draws the same dropouts, to the bit.
    dtype : dtype
        float32, or float64 for checks of gradients.
    heads : bool
        Whether to build the side outputs that only training uses.
    winograd : bool
        Whether 3x3 convolutions in float32 may use Winograd's transforms: twice as fast, with a rounding error of 4e-6
        of a result's largest number where plain sums have 1e-6. float64 never does.
    data_format : str, optional
        ``channels_last`` or ``channels_first``: how batches come and go; as the plan says unless given.

    Attributes
    ----------
    layers : list of Layer
        In the order of computation; the output's softmax or sigmoid is in ``final`` instead.
    ending : str
        The name of the output activation, whichever it is.
    parameters : dict of str to Parameter
        ``conv_1/kernel``; in the order of computation.

    Raises
    ------
    ModelError
        If a layer cannot be trained.

    Examples
    --------
    >>> model = Model.from_layers(["conv:4,kernel=3,relu", "dense:2,softmax"], (5, 5, 1))
    >>> model.parameter_count
    114
    """

    def __init__(
        self, plan: NetworkPlan, *, seed: int = 0, dtype: Any = np.float32, heads: bool = True, winograd: bool = True,
        data_format: str | None = None,
    ) -> None:  # fmt: skip
        if not is_integer(seed) or seed < 0:
            raise ModelError(f"seed: got {seed!r}, expected a whole number of 0 or more")
        self.plan = plan
        self.seed = int(seed)
        self.dtype = np.dtype(dtype)
        self.data_format = data_format or str(plan.spec.extra.get("data_format", _DATA_FORMATS[0]))
        if self.data_format not in _DATA_FORMATS:
            raise ModelError(f"data_format: got {self.data_format!r}, expected {' or '.join(_DATA_FORMATS)}")
        check_parameters(plan, self.dtype.itemsize)
        self._fitting: set[tuple[int, bool]] = set()
        chain = Builder(self.seed, self.dtype, heads=heads).chain(plan.layers)
        self.layers, self.final, self.ending = split_output(chain)
        fuse(self.layers)
        self.parameters: dict[str, Parameter] = {
            f"{layer.name}/{parameter.name}": parameter for layer in self.walk() for parameter in layer.parameters
        }
        for layer in self.walk():
            if isinstance(layer, Weighted):
                layer.winograd = winograd
        self.frozen: frozenset[str] = frozenset()
        self._first = self._first_learning()

    def freeze(self, words: str) -> tuple[str, ...]:
        """Let layers learn no more, nor their running averages change; returns their names.

        Parameters
        ----------
        words : str
            Names with commas between, or patterns as ``conv_*``; of those whose layers have layers inside, all.

        Raises
        ------
        ModelError
            For a word that means no layer with parameters.
        """
        owners = {layer.name: layer for layer in self.walk() if layer.parameters}
        found: dict[str, None] = {}
        for word in filter(None, (each.strip() for each in words.split(","))):
            names = [name for name in owners if fnmatchcase(name, word)]
            if not names:
                near = suggestion(word, tuple(owners))
                raise ModelError(f"freeze: got {shortened(word)}, expected names of layers: {', '.join(owners)}{near}")
            found |= dict.fromkeys(names)
        for name in found:
            layer = owners[name]
            if isinstance(layer, BatchNorm):
                layer.frozen = True
            for parameter in layer.parameters:
                parameter.trainable = False
        self.frozen |= {f"{name}/{each.name}" for name in found for each in owners[name].parameters}
        self._first = self._first_learning()
        return tuple(found)

    def _first_learning(self) -> int:
        """The place of the first layer that learns: back beyond it no gradient is wanted."""
        learning = [
            any(f"{each.name}/{one.name}" not in self.frozen for each in layer.walk() for one in each.parameters)
            for layer in self.layers
        ]
        return learning.index(True) if True in learning else len(self.layers)

    @classmethod
    def from_architecture(cls, source: str, *, input: Sequence[int] | None = None, **others: Any) -> "Model":
        """Build a shipped network (``mnist``) or one from a file, for another input size if one is given."""
        spec = load(source)
        return cls(plan_network(spec if input is None else replace(spec, input=tuple(input))), **others)

    @classmethod
    def from_layers(
        cls, layers: Sequence[str | Mapping[str, Any]], input: Sequence[int], *, name: str = "network",
        data_format: str = "channels_last", **others: Any,
    ) -> "Model":  # fmt: skip
        """Build a network from words and tables: ``["conv:32,relu", {"type": "Conv2D", "filters": 64, ...}]``.

        ``input`` is (*spatial, C) whatever the data format.
        """
        document = {"name": name, "input": list(input), "layers": _plain(layers), "data_format": data_format}
        return cls(plan_network(read_network(document, name)), **others)

    def _repr_html_(self) -> str:
        return self.plan.as_html()

    def walk(self) -> Iterator[Layer]:
        """All layers, those of branches and heads included."""
        for layer in self.layers:
            yield from layer.walk()

    @property
    def heads(self) -> list[Head]:
        """The side outputs."""
        return [layer for layer in self.walk() if isinstance(layer, Head)]

    @property
    def parameter_count(self) -> int:
        """How many numbers the network has, heads left out: the plan's ``params``."""
        aside = {id(each) for head in self.heads for layer in head.walk() for each in layer.parameters}
        return sum(each.count for each in self.parameters.values() if id(each) not in aside)

    def forward(self, x: Any, training: bool = False, *, logits: bool = False) -> Array:
        """The network's outputs (N, ...) for a batch (N, *input); with ``logits`` those before softmax or sigmoid.

        Bytes (uint8) of 0..255 become 0..1, here as in training; all other numbers are taken as they are.

        Raises
        ------
        ShapeError
            If the batch does not have the network's input shape.
        """
        batch = self._batch(x)
        if not len(batch):
            return self._leave(np.empty((0, *self.plan.output), self.dtype))
        values = self._forward(batch, training)
        outputs = values if logits else self.final.forward(values)
        return np.array(self._leave(outputs)) if training or outputs.base is not None else self._leave(outputs)

    def predict(self, x: Any, batch_size: int = 256, *, logits: bool = False) -> Array:
        """`forward`, so many images at a time at most: no more than keep the largest layer's output in the cache."""
        if not is_integer(batch_size) or batch_size < 1:
            raise ModelError(f"batch_size: got {batch_size!r}, expected a whole number of at least 1")
        images = self.check(x)
        largest = max((prod(layer.output) for layer in self.plan.layers), default=1) * self.dtype.itemsize
        batch_size = min(batch_size, max(costs.BATCH_BYTES // largest, costs.FEWEST_IMAGES))
        starts = range(0, max(len(images), 1), batch_size)
        with self._keeping_weights():
            return np.concatenate([self.forward(images[start : start + batch_size], logits=logits) for start in starts])

    @contextmanager
    def _keeping_weights(self) -> Iterator[None]:
        """Meanwhile the weights do not change: what the loops read is made of them once, not for each batch."""
        layers = list(self.walk())
        self._prepare(layers, True)
        try:
            yield
        finally:
            self._prepare(layers, False)

    @staticmethod
    def _prepare(layers: Sequence[Layer], keeps: bool) -> None:
        for layer in layers:
            if isinstance(layer, Weighted):
                layer.kept = {} if keeps else None
            elif isinstance(layer, BatchNorm):
                layer.fold(keeps)

    def loss_and_gradients(
        self, x: Any, labels: Any, loss: Loss | None = None, *, input_gradient: bool = False
    ) -> TrainingStep:
        """Run a batch forward and back; each parameter's ``gradient`` then is that of the loss.

        Parameters
        ----------
        x : array_like
            (N, *input).
        labels : array_like
            Classes (N), or what the loss takes.
        loss : Loss, optional
            Cross-entropy for a network that ends with softmax or sigmoid, else the mean squared error. Heads have the
            same, with their weight.
        input_gradient : bool
            Whether the gradient of the batch itself is wanted.

        Raises
        ------
        ShapeError
            If the batch, or the labels, do not have the right shape.
        ModelError
            If the loss is not for this network's output.
        """
        loss = usual_loss(self.final) if loss is None else loss
        batch = self._batch(x)
        if not len(batch):
            raise ShapeError("x: got a batch of none, expected at least one")
        logits = self._forward(batch, True)
        labels = self.channels_last(labels)
        total, gradient = loss_of_logits(loss, self.final, logits, class_targets(loss, labels, logits))
        for head in self.heads:
            assert head.output is not None
            value, aside = loss_of_logits(loss, head.final, head.output, class_targets(loss, labels, head.output))
            total += head.weight * value
            head.gradient = np.asarray(aside * self.dtype.type(head.weight))
        total += sum(layer.penalty() for layer in self.walk())
        from_input = self._backward(gradient, input_gradient)
        for parameter in self.parameters.values():
            if parameter.regularizer is not None:
                total += parameter.regularizer.penalty(parameter.value)
                np.add(parameter.gradient, parameter.regularizer.gradient(parameter.value), out=parameter.gradient)
        outputs = np.array(self._leave(logits))
        return TrainingStep(total, outputs, None if from_input is None else np.array(self._leave(from_input)))

    def trace(self, x: Any) -> Iterator[tuple[str, Array]]:
        """Each layer's name and output (channels last), one after the other: to look inside, or for the first NaN."""
        values = self._batch(x)
        for layer in self.layers:
            values = layer.alone(values)
            yield layer.name, values
        yield "output", self.final.forward(values)

    def state(self) -> dict[str, Array]:
        """All parameters' numbers by name, copied."""
        return {name: each.value.copy() for name, each in self.parameters.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over what `state` gave, of this network or a twin; heads' numbers may be missing, or left over.

        Raises
        ------
        ModelError
            If a name or a shape is not this network's. Nothing is changed then.
        """
        heads = tuple(f"{plan.name}/" for plan in self.plan.heads)
        missing = [name for name in self.parameters if name not in state and not name.startswith(heads)]
        unknown = [name for name in state if name not in self.parameters and not name.startswith(heads)]
        if missing or unknown:
            which = f"no {missing[0]}" if missing else f"an unknown {unknown[0]}"
            raise ModelError(
                f"weights: got {which}, expected the {len(self.parameters)} arrays of {self.plan.spec.name}"
            )
        for name, parameter in self.parameters.items():
            if name in state and state[name].shape != parameter.value.shape:
                raise ModelError(f"{name}: got shape {state[name].shape}, expected {parameter.value.shape}")
        for name, parameter in self.parameters.items():
            if name in state:
                parameter.assign(np.asarray(state[name]))

    def random_state(self) -> dict[str, Array]:
        """The state of each dropout's generator by the layer's name."""
        return {layer.name: state_of(layer.generator) for layer in self.walk() if isinstance(layer, Dropout)}

    def load_random_state(self, state: Mapping[str, Array]) -> None:
        """Go on drawing where `random_state` was taken."""
        dropouts = {layer.name: layer for layer in self.walk() if isinstance(layer, Dropout)}
        if set(state) != set(dropouts):
            raise ModelError("random state: got the state of another network, expected one for each dropout")
        for name, layer in dropouts.items():
            restore(layer.generator, state[name])

    def channels_last(self, outputs: Any) -> Array:
        """Outputs, or labels with a number for each, as they come and go, with the channels of maps last."""
        array = np.asarray(outputs)
        moved = self.data_format == "channels_first" and array.ndim == len(self.plan.output) + 1 > 2
        return np.moveaxis(array, 1, -1) if moved else array

    def release(self) -> None:
        """Give the memory of all kept buffers back; they are made anew when needed."""
        for layer in self.walk():
            layer.release()

    def _forward(self, x: Array, training: bool) -> Array:
        if (len(x), training) not in self._fitting:
            check_batch(self.plan, len(x), self.dtype.itemsize, training=training)
            self._fitting.add((len(x), training))
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def _backward(self, gradient: Array, to_input: bool) -> Array | None:
        """Back to the first layer that learns, or, if wanted, to the input."""
        end = 0 if to_input else self._first
        for place in range(len(self.layers) - 1, end - 1, -1):
            layer = self.layers[place]
            layer.wants_input_gradient = to_input or place > self._first
            gradient = layer.backward(gradient)
        return gradient if to_input else None

    @property
    def input_shape(self) -> Shape:
        """The shape of one input: (*spatial, C), or (C, *spatial) where the data format is channels_first."""
        size = self.plan.input
        return (size[-1], *size[:-1]) if self.data_format == "channels_first" else size

    def check(self, x: Any) -> Array:
        """A batch as an array; raises `ShapeError` unless it is numbers (N, *input_shape)."""
        array, expected = as_array("x", x), self.input_shape
        if array.shape[1:] != expected or array.ndim != len(expected) + 1 or array.dtype.kind not in "buif":
            fix = "; x[None] makes a batch of one" if array.shape == expected else ""
            fix = "; x[..., None] adds the channel" if (*array.shape[1:], 1) == expected else fix
            sides = ", ".join(map(str, expected))
            raise ShapeError(f"x: got {array.dtype} of shape {array.shape}, expected (N, {sides}){fix}")
        return array

    def _batch(self, x: Any) -> Array:
        """A batch as the layers want it: channels last, C-contiguous, of the model's dtype, bytes as 0..1."""
        array = self.check(x)
        if self.data_format == "channels_first":
            array = np.moveaxis(array, 1, -1)
        dtype = array.dtype if array.dtype == np.uint8 else self.dtype
        return as_input(as_contiguous("x", array, dtype), self.dtype)

    def _leave(self, array: Array) -> Array:
        """Channels back to where the data format has them."""
        return np.moveaxis(array, -1, 1) if self.data_format == "channels_first" and array.ndim > 2 else array


def _plain(value: Any) -> Any:
    """Tuples as lists, which is what files have."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
