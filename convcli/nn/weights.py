"""Trained models in files: `save_model`, `load_model`, and what one does with a loaded one.

A model file is safetensors: the parameters by name, and as texts beside them the network (``architecture``), the card
(``convcli``) and the ``format``. Heads, which only training uses, and the optimizer's state are not in it; checkpoints
are elsewhere.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convcli.architectures import LayerPlan, NetworkPlan, plan_network, read_text, write_text
from convcli.architectures.card import ModelCard, card_of, card_text
from convcli.architectures.files import SHIPPED_MODEL, resolved
from convcli.architectures.header import MODEL_FORMAT, WRITTEN, read_header, require_model
from convcli.architectures.output import find_output
from convcli.architectures.rules import slope_shape
from convcli.errors import ModelError, ShapeError, shortened
from convcli.nn.activations import SOFTMAX
from convcli.nn.layer import Array, Shape
from convcli.nn.model import Model
from convcli.nn.tensors import read_tensors, write_tensors

__all__ = ["ModelCard", "TrainedModel", "load_model", "parameter_shapes", "save_model", "shipped_model"]

# What is set up for each window of a pooling layer, and for each value of one image: beyond this, a file lies.
_MOST_TAPS = 100_000_000
_MOST_VALUES = 4_000_000_000
_LARGEST = 2.0  # of an image whose values are 0 to 1, with room for what augmentation overshoots


@dataclass(eq=False, repr=False)
class TrainedModel:
    """A model from a file.

    Attributes
    ----------
    model : Model
        The network with its weights.
    card : ModelCard
        Classes, preparation of images, how it was made, how good it is.

    Examples
    --------
    >>> model = Model.from_layers(["dense:2,softmax"], (4,))
    >>> trained = TrainedModel(model, ModelCard("tiny", ("no", "yes"), None, 0, {}, {}, ()))
    >>> trained.input_shape, trained.classes
    ((4,), ('no', 'yes'))
    """

    model: Model
    card: ModelCard

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, in the order of `predict`'s columns."""
        return self.card.classes

    @property
    def input_shape(self) -> Shape:
        """The shape of one image: (H, W, C), or (C, H, W) for a network whose data format is channels_first."""
        return self.model.input_shape

    def predict(self, x: npt.ArrayLike, batch_size: int = 256) -> Array:
        """The probability of each class for each image.

        Parameters
        ----------
        x : array_like
            (N, *input_shape): uint8 of 0 to 255, which is divided by 255, or floats as the network was trained: 0 to 1.
        batch_size : int
            How many images go through the network at a time.

        Returns
        -------
        ndarray
            (N, K), or (N, *output) for a network that does not classify.

        Raises
        ------
        ShapeError
            If ``x`` has another shape or type, or numbers that are not finite.
        """
        images = self.model.check(x)
        self._check(images)
        return self.of_each_class(self.model.predict(images, batch_size))

    @property
    def is_single(self) -> bool:
        """Whether one sigmoid tells two classes apart."""
        return _is_single(self.model.plan, self.classes)

    @property
    def makes_shares(self) -> bool:
        """Whether its outputs are no probabilities of its classes, and softmax makes them some."""
        classifies = self.card.recipe.get("task", "classify") == "classify" and len(self.classes) > 1
        return classifies and len(self.model.plan.output) == 1 and self.model.final.name == "linear"

    def of_each_class(self, outputs: Array) -> Array:
        """One column for each class, a probability: what `predict`, the commands and an exported model give.

        A single sigmoid's output is the second class's, the first has the rest; what is no probability goes through
        softmax.
        """
        if self.is_single:
            return np.concatenate([1 - outputs, outputs], axis=-1)
        return SOFTMAX.forward(outputs) if self.makes_shares else outputs

    def _check(self, images: Array) -> None:
        if images.dtype != np.uint8 and images.dtype.kind != "f":
            raise ShapeError(f"x: got {images.dtype}, expected uint8 of 0 to 255, or floats of 0 to 1")
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            raise ShapeError("x: got NaN or infinite numbers, expected finite ones")
        # Bytes that became floats on the way: the network would answer, and be wrong.
        of_pixels = self.card.preprocessing is not None and self.card.preprocessing.get("values", "bytes") == "bytes"
        if of_pixels and images.dtype.kind == "f" and images.size and images.max() > _LARGEST:
            raise ShapeError(f"x: got values up to {images.max():.4g}, expected 0 to 1; divide by 255, or give uint8")

    def __repr__(self) -> str:
        return f"TrainedModel({self.model.plan.spec.name} on {self.card.name}, {len(self.classes)} classes)"

    def _repr_html_(self) -> str:
        """What a notebook shows: the layers, what it was trained on, and how good it is."""
        names = f": {', '.join(map(str, self.classes[:10]))}{', ...' * (len(self.classes) > 10)}" * bool(self.classes)
        trained = f"trained on {self.card.name}, {len(self.classes)} classes{names}"
        return self.model.plan.as_html([trained, ", ".join(map(" ".join, self.card.scores))])


def save_model(path: str | Path, model: Model, card: ModelCard, *, overwrite: bool = False) -> None:
    """Write a model into a safetensors file; the same model and card give the same bytes.

    Parameters
    ----------
    path : str or Path
        The file; it appears complete or not at all.
    model : Model
        Its heads' weights are left out.
    card : ModelCard
        What stands beside the weights.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    ModelError
        If the file exists or cannot be written, a weight is not finite, or the card does not fit the model.
    """
    wanted = parameter_shapes(model.plan)
    arrays = {name: model.parameters[name].value for name in wanted}
    _check_finite(arrays, "weights")
    _check_classes(card, model.plan, "model card")
    metadata = {"format": MODEL_FORMAT, "architecture": write_text(model.plan.spec), "convcli": card_text(card)}
    write_tensors(Path(path), arrays, metadata, overwrite=overwrite)


def load_model(path: str | Path) -> TrainedModel:
    """Read a model that `convcli train` or `save_model` wrote.

    The network is planned and compared with the file's tensors before any memory is taken for it. float16 and bfloat16
    weights become float32; a file with float64 weights gives a float64 model. A weight that is not finite is refused.

    Parameters
    ----------
    path : str or Path
        The file; ``"shipped"`` is the MNIST model that comes with convcli, unless a file here has that name.

    Raises
    ------
    ModelError
        One line: the file, what is wrong with it, and what was expected. Nothing is ever unpickled.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "tiny.safetensors"
    >>> untrained = Model.from_layers(["dense:2,kernel_initializer=zeros,softmax"], (4,))
    >>> save_model(path, untrained, ModelCard("tiny", ("no", "yes"), None, 0, {}, {}, ()))
    >>> load_model(path).predict(np.ones((1, 4)))
    array([[0.5, 0.5]], dtype=float32)
    >>> load_model("shipped").input_shape
    (28, 28, 1)
    """
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise ModelError(f"path: got {path!r:.80}, expected a file's name")
    path = Path(resolved(os.fspath(path)))
    header = read_header(path)
    require_model(header, path)
    missing = [key for key in ("architecture", "convcli") if key not in header.metadata]
    if missing:
        raise ModelError(f"{path}: has no {missing[0]} in its metadata, expected {WRITTEN}")
    card = card_of(header.metadata["convcli"], f"{path}: card")
    spec = read_text(header.metadata["architecture"], f"{path}: architecture")
    with _naming(path):
        plan = plan_network(spec)
    _check_shapes(header.shapes, parameter_shapes(plan), f"{path}: weights")
    _check_work(plan, path)
    _check_classes(card, plan, f"{path}: card")
    arrays, _ = read_tensors(path)
    kinds = {array.dtype for array in arrays.values()}
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ModelError(f"{path}: {name}: got {array.dtype}, expected floats")
    _check_finite(arrays, f"{path}: weights")
    with _naming(path):
        model = Model(plan, seed=card.seed, dtype=np.result_type(np.float32, *kinds), heads=False)
    model.load_state(arrays)
    return TrainedModel(model, card)


def shipped_model() -> Path:
    """Where the MNIST model lies that comes with convcli."""
    return SHIPPED_MODEL


def parameter_shapes(plan: NetworkPlan) -> dict[str, Shape]:
    """The parameters' names and shapes, heads left out, in the order of computation, without building the network.

    Examples
    --------
    >>> from convcli.architectures import load
    >>> parameter_shapes(plan_network(load("mnist")))["conv_1/kernel"]
    (3, 3, 1, 32)
    """
    shapes: dict[str, Shape] = {}
    for layer in plan.flat():
        shapes |= {f"{layer.name}/{name}": shape for name, shape in _shapes_of(layer).items()}
    return shapes


def _shapes_of(layer: LayerPlan) -> dict[str, Shape]:
    channels, filters = layer.input[-1], layer.output[-1]
    kernel = tuple(window.kernel_size for window in layer.windows)
    first: dict[str, Shape] = {}
    if layer.type == "batch_norm":
        learnt = [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.settings[key]]
        return dict.fromkeys((*learnt, "moving_mean", "moving_variance"), (channels,))
    if layer.type in ("layer_norm", "group_norm"):
        return {name: (channels,) for name, key in (("gamma", "scale"), ("beta", "center")) if layer.settings[key]}
    if layer.type == "prelu":
        return {"alpha": slope_shape(layer.input, layer.settings["share"])}
    shape: Shape
    if layer.type == "separable_conv":
        multiplier = layer.settings["depth_multiplier"]
        first = {"depthwise_kernel": (*kernel, 1, channels * multiplier)}
        shape = (*(1,) * len(kernel), channels * multiplier, filters)
    elif layer.type in ("conv", "depthwise"):
        shape = (*kernel, channels // layer.groups, filters)
    elif layer.type == "conv_transpose":
        shape = (*kernel, filters // layer.groups, channels)
    elif layer.type == "dense":
        shape = (channels, filters)
    else:
        return {}
    return first | {"kernel": shape} | ({"bias": (filters,)} if layer.settings["use_bias"] else {})


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of a network say which file it is from."""
    try:
        yield
    except (ModelError, ShapeError) as error:
        raise ModelError(f"{path}: architecture: {str(error)[:400]}") from None


def _check_shapes(got: Mapping[str, Shape], expected: Mapping[str, Shape], where: str) -> None:
    for name, shape in expected.items():
        if name not in got:
            raise ModelError(f"{where}: got no {name}, expected the {len(expected)} arrays of its architecture")
        if got[name] != shape:
            raise ModelError(f"{where}: {name}: got shape {shortened(got[name])}, expected {shape}")
    for name in got:
        if name not in expected:
            raise ModelError(
                f"{where}: got an unknown {shortened(name)}, expected the {len(expected)} arrays of its architecture"
            )


def _check_work(plan: NetworkPlan, path: Path) -> None:
    """Refuse sizes that no weights speak for: an input, pooling windows or neighbourhoods of absurd extent."""
    taps = sum(
        window.output(n) * window.kernel_size + n
        for layer in plan.flat() if layer.type in ("pool", "pad")
        for window, n in zip(layer.windows, layer.input, strict=False)
    )  # fmt: skip
    taps += sum(
        sum(layer.input[:-1]) + sum(layer.output[:-1]) for layer in plan.flat() if layer.type == "adaptive_pool"
    )
    taps += sum(layer.settings["size"] for layer in plan.flat() if layer.type == "lrn")
    if taps > _MOST_TAPS or plan.activations > _MOST_VALUES:
        raise ModelError(
            f"{path}: architecture: got {plan.activations:,} values for one input and {taps:,} window cells, expected "
            f"at most {_MOST_VALUES:,} and {_MOST_TAPS:,}"
        )


def _check_classes(card: ModelCard, plan: NetworkPlan, where: str) -> None:
    outputs = plan.output[-1]
    if card.classes and len(card.classes) != outputs and not _is_single(plan, card.classes):
        raise ModelError(f"{where}: classes: got {len(card.classes)} names, expected {outputs}, one for each output")


def _is_single(plan: NetworkPlan, classes: Sequence[str]) -> bool:
    """Whether one sigmoid tells two classes apart."""
    return plan.output == (1,) and len(classes) == 2 and find_output(plan.layers).activation == "sigmoid"


def _check_finite(arrays: Mapping[str, Array], where: str) -> None:
    for name, array in arrays.items():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad:
            raise ModelError(
                f"{where}: {name}: got {bad:,} of {array.size:,} numbers that are NaN or infinite, expected finite "
                "ones; its training went wrong: train again with a smaller --lr"
            )
