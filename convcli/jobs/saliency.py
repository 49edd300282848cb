"""Where a trained network looks in one picture: gradient, Grad-CAM and occlusion, over the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import LayerPlan, shape_text
from convcli.errors import ConvcliError
from convcli.images import MAX_PIXELS, Image
from convcli.jobs.classifier import Classifier, Seen, class_named, see
from convcli.nn.attribution import (
    grad_cam,
    grad_cam_layer,
    grad_cam_layers,
    has_maps,
    log_odds,
    occlusion,
    over_input,
    score_gradient,
)
from convcli.nn.model import Model
from convcli.views.saliency import draw_saliency

METHODS = ("gradient", "gradcam", "occlusion")
_PATCHES = 7  # patches that lie along a picture, side by side, if no size is given


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """One method's answer.

    Parameters
    ----------
    method:
        One of `METHODS`.
    values:
        (H, W) float: positive where the picture speaks for the class; negative where it speaks against it.
    about:
        Lines for people.
    """

    method: str
    values: NDArray[Any]
    about: tuple[str, ...]

    @property
    def peak(self) -> tuple[int, int]:
        """Row and column of the largest magnitude."""
        row, column = np.unravel_index(int(np.abs(self.values).argmax()), self.values.shape)
        return int(row), int(column)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "method": self.method,
            "minimum": float(self.values.min()),
            "maximum": float(self.values.max()),
            "peak": list(self.peak),
        }


@dataclass(frozen=True, eq=False)
class Saliency:
    """A picture, a class, and what speaks for it."""

    seen: Seen
    place: int
    maps: tuple[SaliencyMap, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "file": self.seen.file,
            "class": self.seen.classes[self.place],
            "probability": float(self.seen.shares[self.place]),
            "label": self.seen.classes[self.seen.best],
            "maps": [each.as_dict() for each in self.maps],
        }


def saliency(
    classifier: Classifier,
    source: str | BinaryIO,
    *,
    method: str = "all",
    class_name: str | None = None,
    layer: str | None = None,
    patch: int | None = None,
    step: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Saliency:
    """Find what in a picture speaks for a class.

    Parameters
    ----------
    classifier : Classifier
        From `convcli.jobs.classifier.load_classifier`.
    source : str or binary stream
        A picture file.
    method : str
        One of `METHODS`, or ``all``; ``all`` leaves Grad-CAM out for a network without maps.
    class_name : str, optional
        The class; without it, the likeliest one.
    layer : str, optional
        For Grad-CAM: a layer with maps; without it, the last convolution whose maps are fine enough to show places and
        in which something speaks for the class.
    patch, step : int, optional
        For occlusion: the side of what is covered, a seventh of the picture's if it is not given, and the pixels from
        one place to the next, half of it.

    Raises
    ------
    ConvcliError
        For an unknown method, class or layer, or a patch that does not fit.
    """
    if method not in (*METHODS, "all"):
        raise ConvcliError(f"method: got {method!r}, expected all, {', '.join(METHODS)}")
    for name, value, owner in (("layer", layer, "gradcam"), ("patch", patch, "occlusion"), ("step", step, "occlusion")):
        if value is not None and method not in ("all", owner):
            raise ConvcliError(f"{name}: got {value} with method {method}, which has none, expected method {owner}")
    wanted: tuple[str, ...] = METHODS if method == "all" else (method,)
    model = classifier.trained.model
    if method == "all" and layer is None and not has_maps(model):
        wanted = ("gradient", "occlusion")
    layers = _layers(model, layer) if "gradcam" in wanted else ()
    given = None if class_name is None else class_named(classifier, class_name)
    seen = see(classifier, source, max_pixels=max_pixels)
    place = seen.best if given is None else given
    maps = []
    for each in wanted:
        if each == "gradient":
            about = ("gradient of the class's score", "orange: brighter would raise it; blue: lower it")
            gradient = score_gradient(model, seen.pixels, place).input
            maps.append(SaliencyMap(each, _strongest_channel(gradient), about))
        elif each == "gradcam":
            maps.append(_weighed(model, seen, place, layers))
        else:
            maps.append(_occluded(classifier, seen, place, patch, step))
    return Saliency(seen, place, tuple(maps))


def draw(found: Saliency) -> Image:
    """The picture, and each map over it, side by side."""
    seen = found.seen
    told = [f"the class: {seen.told(found.place)}"]
    if seen.best != found.place:
        told.append(f"the network says: {seen.told(seen.best)}")
    maps = [(each.method, each.values, each.about) for each in found.maps]
    return Image(
        draw_saliency(
            seen.pixels, maps, title=f"What speaks for {seen.classes[found.place]} in {seen.title}", notes=told
        )
    )


def _layers(model: Model, name: str | None) -> tuple[LayerPlan, ...]:
    return grad_cam_layers(model) if name is None else (grad_cam_layer(model, name),)


def _weighed(model: Model, seen: Seen, place: int, layers: Sequence[LayerPlan]) -> SaliencyMap:
    """Grad-CAM of the first layer in which something speaks for the class, or of the first of all."""
    weighed = []
    for layer in layers:
        gradients = score_gradient(model, seen.pixels, place, layer.name)
        assert gradients.maps is not None
        assert gradients.of_maps is not None
        weighed.append((layer, grad_cam(gradients.maps, gradients.of_maps)))
        if weighed[-1][1].any():
            break
    chosen, values = weighed[-1] if weighed[-1][1].any() else weighed[0]
    meaning = "orange: what speaks for the class" if values.any() else "nothing there speaks for the class"
    about = (f"layer {chosen.name}, {shape_text(chosen.output)}", meaning)
    height, width, _ = seen.pixels.shape
    return SaliencyMap("gradcam", over_input(values, chosen.field, (height, width)), about)


def _occluded(classifier: Classifier, seen: Seen, place: int, patch: int | None, step: int | None) -> SaliencyMap:
    height, width, _ = seen.pixels.shape
    sides = (patch or max(round(height / _PATCHES), 1), patch or max(round(width / _PATCHES), 1))
    pace = step or max(min(sides) // 2, 1)

    def scores(images: NDArray[Any]) -> NDArray[Any]:
        (logits,) = classifier.logits(images, len(images))
        return log_odds(logits, place)

    # What most of the picture is: paper, or the sky.
    fill = np.median(seen.pixels, axis=(0, 1))
    values = occlusion(scores, seen.pixels, sides, pace, fill)
    about = (f"the class's log odds fall when {sides[0]}x{sides[1]} pixels", "are covered: orange; rise: blue")
    return SaliencyMap("occlusion", values, about)


def _strongest_channel(gradient: NDArray[Any]) -> NDArray[Any]:
    """(H, W): of each pixel, the channel whose gradient is largest."""
    strongest = np.abs(gradient).argmax(axis=-1)[..., None]
    return np.asarray(np.take_along_axis(gradient, strongest, axis=-1)[..., 0])
