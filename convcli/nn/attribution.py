"""Where a network looks: the gradient of a class's score, Grad-CAM, and what covering parts of the picture does.

The gradients are those of inference: batch normalisation keeps its running averages, dropout drops nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy as np

from convcli.architectures import LayerPlan
from convcli.architectures.vocabulary import KEEP_SHAPE, WITH_KERNEL
from convcli.errors import ModelError, ShapeError
from convcli.geometry import ReceptiveField
from convcli.nn.layer import Array
from convcli.nn.model import Model

_CONVOLUTIONS = WITH_KERNEL - {"dense"}
_POINTWISE = KEEP_SHAPE - {"lrn"}  # what belongs to the convolution before it
# Cells along the shorter side of maps that show a place. On MNIST, maps of 10x10 and of 24x24 cells have twice as much
# of their mass on the digit as chance has, those of 8x8 a fifth more, and those of 2x2 none.
FINE, FEW = 10, 4
_MOST_PATCHES = 40_000
_BATCH = 64
# What a layer does differently in training, or for its neighbours, and what it is to be here.
_AS_IN_INFERENCE = {
    "frozen": True, "activity": None, "relu": False, "idle": False, "masks": False, "masked": False,
    "wants_input_gradient": True,
}  # fmt: skip


class ScoreGradient(NamedTuple):
    """The gradient of a class's score, the logit.

    Attributes
    ----------
    input : ndarray
        (H, W, C): of the picture.
    maps, of_maps : ndarray or None
        (h, w, K): the output of the layer that was asked for, and the gradient of that.
    """

    input: Array
    maps: Array | None
    of_maps: Array | None


def score_gradient(model: Model, image: Array, place: int, layer: str | None = None) -> ScoreGradient:
    """The gradient of the score of class ``place``, before softmax or sigmoid, for one picture.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification
    Models and Saliency Maps", ICLR workshop 2014, section 3.

    Parameters
    ----------
    model : Model
        With logits (1, K), or one logit that is positive for the second of two classes.
    image : ndarray
        (H, W, C), channels last whatever the model's data format.
    place : int
        The class.
    layer : str, optional
        A layer of the main chain whose output and its gradient are wanted too.

    Examples
    --------
    >>> model = Model.from_layers(["flatten", "dense:2,softmax"], (1, 2, 1))
    >>> weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> model.load_state({"dense_1/kernel": weights, "dense_1/bias": np.zeros(2)})
    >>> score_gradient(model, np.zeros((1, 2, 1)), 1).input.ravel().tolist()
    [2.0, 4.0]
    """
    values = np.ascontiguousarray(image[None], model.dtype)
    maps = of_maps = None
    with _inference_gradients(model):
        for each in model.layers:
            values = each.forward(values, True)
            if each.name == layer:
                maps = values[0].copy()
        gradient = np.zeros_like(values)
        if gradient.shape == (1, 1):
            gradient[:] = 1 if place else -1
        else:
            gradient[0, place] = 1
        for each in reversed(model.layers):
            if each.name == layer:
                of_maps = gradient[0].copy()
            gradient = each.backward(gradient)
    return ScoreGradient(gradient[0].copy(), maps, of_maps)


def grad_cam(maps: Array, of_maps: Array) -> Array:
    """``relu(sum over k of a_k * maps[k])`` with ``a_k`` the mean of the gradient of map k: (h, w).

    Source: R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    ICCV 2017, equations 1 and 2.

    >>> grad_cam(np.array([[[1.0, 1.0], [0.0, 2.0]]]), np.array([[[2.0, -1.0], [2.0, -1.0]]])).tolist()
    [[1.0, 0.0]]
    """
    return np.asarray(np.maximum((maps * of_maps.mean(axis=(0, 1))).sum(axis=-1), 0))


def has_maps(model: Model) -> bool:
    """Whether Grad-CAM has a layer to weigh: a convolution's maps of more than a single place."""
    return bool(_convolved(model))


def grad_cam_layer(model: Model, name: str | None = None) -> LayerPlan:
    """The layer whose maps Grad-CAM weighs: the named one, or the first of `grad_cam_layers`.

    Raises `ModelError` for a layer of the main chain that has no maps, or a network without any.
    """
    if name is None:
        return grad_cam_layers(model)[0]
    spatial = _spatial(model)
    for plan in spatial:
        if plan.name == name:
            return plan
    listed = ", ".join(plan.name for plan in spatial) or "none, for it has no maps"
    raise ModelError(f"layer: got {name!r}, expected one with maps: {listed}")


def grad_cam_layers(model: Model) -> tuple[LayerPlan, ...]:
    """Convolutions, each with what belongs to it, that are worth weighing: the last of them first.

    That is where maps have `FINE` cells a side. Where a mean over all places follows, `FEW` are enough: a mean gradient
    is the right weight there, but not for a layer whose every place has weights of its own. If none has as many, those
    with the most cells come first.

    Raises `ModelError` for a network without convolutional maps.
    """
    found = _convolved(model)
    if not found:
        raise ModelError("Grad-CAM: got a network without convolutional maps, expected one with; try --method gradient")
    layers = model.plan.layers
    least = {place: FEW if _is_averaged(layers[place + 1 :]) else FINE for place in found}
    fine = [layers[place] for place in found if min(layers[place].output[:2]) >= least[place]]
    return tuple(fine or sorted((layers[place] for place in found), key=lambda plan: -prod(plan.output[:2])))


def _spatial(model: Model) -> list[LayerPlan]:
    """The layers with maps of more than a single place; an output activation may be none of the model's layers."""
    computed = {layer.name for layer in model.layers}
    return [plan for plan in model.plan.layers
            if len(plan.output) == 3 and prod(plan.output[:2]) > 1 and plan.name in computed]  # fmt: skip


def _convolved(model: Model) -> list[int]:
    """Where convolutions with maps end, together with the pointwise layers that belong to them: the last one first."""
    layers, spatial = model.plan.layers, _spatial(model)
    found = []
    for place, plan in enumerate(layers):
        if plan in spatial and any(each.type in _CONVOLUTIONS for each in plan.flat()):
            last = place
            while last + 1 < len(layers) and layers[last + 1].type in _POINTWISE and layers[last + 1] in spatial:
                last += 1
            found.append(last)
    return found[::-1]


def _is_averaged(layers: Sequence[LayerPlan]) -> bool:
    """Whether what follows is a mean over all places."""
    following = next((each for each in layers if each.type not in _POINTWISE), None)
    if following is None or following.settings.get("mode") != "average":
        return False
    return prod(following.output[:-1]) == 1


def over_input(values: Array, fields: tuple[ReceptiveField, ...], size: tuple[int, int]) -> Array:
    """Stretch a map (h, w) over the input (H, W): each of its cells lies on the middle of its receptive field.

    Between the middles it is linear, beyond the outermost ones constant.

    >>> over_input(np.array([[0.0, 1.0]]), (ReceptiveField(), ReceptiveField(2, 2, 0)), (1, 4)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    """
    rows, columns = (_shares(count, n, field) for count, n, field in zip(values.shape, size, fields, strict=True))
    return np.asarray(rows @ values @ columns.T)


def occlusion(scores: Callable[[Array], Array], image: Array, patch: tuple[int, int], step: int, fill: Array) -> Array:
    """How far a score falls when a patch of the picture is covered: for each pixel the mean over patches on it.

    Source: M. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2.

    Parameters
    ----------
    scores : callable
        (N, H, W, C) pictures to (N,) scores.
    image : ndarray
        (H, W, C).
    patch : (int, int)
        Rows and columns that are covered.
    step : int
        Pixels from patch to patch; the last one always ends with the picture.
    fill : ndarray
        (C,) what patches are filled with.

    Returns
    -------
    ndarray
        (H, W) float64: positive where the picture speaks for the class.

    Raises
    ------
    ShapeError
        If the patch is larger than the picture, or there would be too many.
    """
    height, width = image.shape[:2]
    if not (1 <= patch[0] <= height and 1 <= patch[1] <= width) or step < 1:
        raise ShapeError(f"patch: got {patch[0]}x{patch[1]}, step {step}, expected at most {height}x{width}, step 1+")
    tops, lefts = (_starts(n, size, step) for n, size in zip((height, width), patch, strict=True))
    if len(tops) * len(lefts) > _MOST_PATCHES:
        count = len(tops) * len(lefts)
        raise ShapeError(f"patch: got {count:,} places to cover, expected at most {_MOST_PATCHES:,}; use a larger step")
    places = [(top, left) for top in tops for left in lefts]
    whole = float(scores(image[None])[0])
    total, covers = np.zeros((height, width)), np.zeros((height, width))
    for first in range(0, len(places), _BATCH):
        here = places[first : first + _BATCH]
        batch = np.repeat(image[None], len(here), axis=0)
        for covered, (top, left) in zip(batch, here, strict=True):
            covered[top : top + patch[0], left : left + patch[1]] = fill
        for score, (top, left) in zip(scores(batch), here, strict=True):
            under = np.s_[top : top + patch[0], left : left + patch[1]]
            total[under] += whole - float(score)
            covers[under] += 1
    return np.asarray(total / np.maximum(covers, 1))


def log_odds(logits: Array, place: int) -> Array:
    """``log(p / (1 - p))`` of class ``place`` from logits (N, K), or (N, 1): (N,) float64; it does not saturate.

    >>> log_odds(np.array([[0.0, 0.0, 0.0]]), 1).round(4).tolist()
    [-0.6931]
    """
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        return logits[:, 0] if place else -logits[:, 0]
    others = np.delete(logits, place, axis=1)
    return np.asarray(logits[:, place] - np.logaddexp.reduce(others, axis=1))


@contextmanager
def _inference_gradients(model: Model) -> Iterator[None]:
    """Layers whose backward passes are the gradients of what inference computes, each doing its own work only."""
    before: list[tuple[Any, dict[str, Any]]] = []
    for layer in model.walk():
        kept = {name: vars(layer)[name] for name in _AS_IN_INFERENCE if name in vars(layer)}
        before.append((layer, kept))
        for name in kept:
            setattr(layer, name, _AS_IN_INFERENCE[name])
    try:
        yield
    finally:
        for layer, kept in before:
            for name, value in kept.items():
                setattr(layer, name, value)


def _starts(n: int, size: int, step: int) -> list[int]:
    starts = list(range(0, n - size + 1, step))
    return starts if starts[-1] == n - size else [*starts, n - size]


def _shares(count: int, n: int, field: ReceptiveField) -> Array:
    """(n, count): how much of each cell's value each input position gets."""
    middle = field.start + (field.size - 1) / 2
    place = np.clip((np.arange(n) - middle) / float(field.jump), 0, count - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(count)), 0))
