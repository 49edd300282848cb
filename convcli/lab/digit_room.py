"""The room of digits: a drawing through a network, every layer's maps, any number of them taken apart."""

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from starlette.responses import Response

from convcli.errors import ImageError, ModelError, shortened
from convcli.jobs.classifier import SHIPPED, Classifier, load_classifier
from convcli.jobs.features import MOST_MAPS, LayerMaps, look_inside
from convcli.jobs.saliency import METHODS, saliency
from convcli.jobs.unit import unit_of
from convcli.lab import asking, commands
from convcli.lab.asking import Words, WordsError
from convcli.lab.pictures import MOST_PIXELS

_MOST_VALUES = 1_000_000  # of all maps that are sent
_KEPT = 6


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture that a page has shown to a network."""

    data: bytes
    name: str
    model: str
    pixels: "np.ndarray[Any, Any]"


class DigitRoom:
    """What the page asks of networks. ``models`` are those that were named, and the one that was trained last."""

    def __init__(self, model: str | None) -> None:
        self._models: dict[str, Classifier] = {}
        self._named = model or SHIPPED
        self._drawings: OrderedDict[str, Drawing] = OrderedDict()

    def add(self, name: str, classifier: Classifier) -> None:
        """Let pages choose a network that was just trained."""
        self._models[name] = classifier
        for key in [key for key, each in self._drawings.items() if each.model == name]:
            del self._drawings[key]

    def models(self) -> list[dict[str, Any]]:
        """What there is to choose from."""
        self._model(self._named)
        return [
            {
                "name": name,
                "network": each.trained.model.plan.spec.name,
                "data": each.trained.card.name,
                "classes": each.classes,
                "input": list(each.trained.model.plan.input),
                "drawn": each.rule.height <= 64 and each.rule.channels == 1,
            }
            for name, each in self._models.items()
        ]

    def look(self, data: bytes, name: str, model: str) -> Response:
        """What the network says of a picture, what it sees, and the maps of all layers."""
        classifier = self._model(model)
        source = io.BytesIO(data)
        try:
            features = look_inside(classifier, source, maps=_maps_for(classifier), max_pixels=MOST_PIXELS)
        except ImageError as error:
            raise ImageError(str(error).replace("standard input: ", "").replace("<stream>", name)) from None
        key = self._keep(data, name, model or self._named, features.seen.pixels)
        given = [] if model in ("", SHIPPED) and self._named == SHIPPED else ["--model", model or self._named]
        told = {
            "key": key,
            "classes": classifier.classes,
            "top": features.seen.top(len(classifier.classes)),
            "warnings": features.seen.warnings,
            "layers": [_told(each) for each in features.layers],
            "network": features.network,
            "command": commands.line("predict", name, *given),
        }
        return asking.framed(told, features.seen.pixels, *(each.values.astype(np.float32) for each in features.layers))

    def unit(self, words: Words) -> Response:
        """One number of one layer, taken apart."""
        drawing = self._drawing(words)
        place = words.get("place", [])
        if not isinstance(place, list) or len(place) > 3 or not all(type(each) is int for each in place):
            raise WordsError(f"place: got {shortened(place)}, expected row and column")
        channel = asking.whole(words, "channel", 0, 0, 10**7)
        found = unit_of(self._model(drawing.model), drawing.pixels, asking.text(words, "layer"), tuple(place), channel)
        arrays = [found.inputs] + ([] if found.weights is None else [found.weights])
        return asking.framed(found.as_dict(), *(np.asarray(each, np.float32) for each in arrays))

    def saliency(self, words: Words) -> Response:
        """What in the picture speaks for a class."""
        drawing = self._drawing(words)
        method = asking.text(words, "method", "gradient")
        if method not in METHODS:
            raise WordsError(f"method: got {method[:40]!r}, expected one of {', '.join(METHODS)}")
        label = asking.text(words, "class") or None
        classifier = self._model(drawing.model)
        found = saliency(classifier, io.BytesIO(drawing.data), method=method, class_name=label, max_pixels=MOST_PIXELS)
        (one,) = found.maps
        line = commands.line(
            "saliency", drawing.model, drawing.name, options={"method": method, "class": label}, usual={"method": "all"}
        )
        told = {**one.as_dict(), "about": one.about, "class": classifier.classes[found.place], "command": line}
        return asking.framed(told, one.values.astype(np.float32))

    def _model(self, name: str) -> Classifier:
        name = name or self._named
        if name not in self._models:
            if name != self._named:
                raise ModelError(
                    f"model: got {shortened(name)}, expected one that the lab was started with or has trained"
                )
            self._models[name] = load_classifier(name)
        return self._models[name]

    def _keep(self, data: bytes, name: str, model: str, pixels: "np.ndarray[Any, Any]") -> str:
        key = hashlib.sha256(data + model.encode()).hexdigest()[:24]
        self._drawings[key] = Drawing(data, name, model, pixels)
        self._drawings.move_to_end(key)
        while len(self._drawings) > _KEPT:
            self._drawings.popitem(last=False)
        return key

    def _drawing(self, words: Words) -> Drawing:
        key = asking.text(words, "key")
        if key not in self._drawings:
            raise ImageError("drawing: is not here any more, expected the latest one; draw again")
        self._drawings.move_to_end(key)
        return self._drawings[key]


def _maps_for(classifier: Classifier) -> int:
    """How many maps of each layer are sent: as many as a page can bear."""
    shapes = [each.output for each in classifier.trained.model.plan.layers if len(each.output) == 3]
    most = MOST_MAPS
    while most > 1 and sum(prod(shape[:2]) * min(shape[2], most) for shape in shapes) > _MOST_VALUES:
        most //= 2
    return most


def _told(layer: LayerMaps) -> Mapping[str, Any]:
    return {**layer.as_dict(), "remark": layer.remark}
