"""A trained model as commands use it: its classes, how pictures are prepared, its outputs; a picture as it is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import shape_text
from convcli.architectures.files import resolved
from convcli.datasets import Preprocessing
from convcli.datasets.preprocessing import Prepared
from convcli.errors import DataError, ModelError, shortened
from convcli.images import MAX_PIXELS, Image, read
from convcli.jobs.tasks import STREAM, about
from convcli.nn.model import Model
from convcli.nn.tasks import TASKS
from convcli.nn.weights import TrainedModel, load_model, shipped_model

Array = NDArray[Any]

SHIPPED = "shipped"
NOT_FINITE = (
    "the network's outputs for {} are infinite or no numbers, expected finite ones: its weights are too large; train "
    "it again with a smaller --lr"
)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model that tells classes of pictures apart.

    Parameters
    ----------
    path:
        Its file.
    trained:
        Network, weights and card.
    rule:
        How a picture from outside becomes the network's input.
    """

    path: Path
    trained: TrainedModel
    rule: Preprocessing

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the network's outputs."""
        return self.trained.classes

    @property
    def task(self) -> str:
        """What it was trained to do, of `convcli.nn.tasks`."""
        return task_told(self.trained)

    def prepare(self, image: Image) -> Prepared:
        """A picture as its rule prepares it, and what there is to say of that."""
        pixels, warnings = self.rule.prepare(image)
        if cut := self.rule.cut_off(*image.pixels.shape[:2]):
            size = f"{self.rule.height}x{self.rule.width}"
            warnings += (f"{cut:.1%} of it is cut off, since it is scaled to fill the network's {size}",)
        return Prepared(pixels, warnings)

    def logits(self, images: Array, batch_size: int) -> Iterator[Array]:
        """What (N, H, W, C) images, bytes or floats of 0..1, give before the output activation, batch by batch.

        Raises `ModelError` for outputs that are not finite: what is made of them would mean nothing.
        """
        for start in range(0, len(images), batch_size):
            logits = self.outputs(images[start : start + batch_size])
            bad = int(np.count_nonzero(~np.isfinite(logits).all(axis=-1)))
            if bad:
                raise ModelError(f"{self.path}: {NOT_FINITE.format(f'{bad:,} of {len(logits):,} pictures')}")
            yield logits

    def outputs(self, images: Array) -> Array:
        """What (N, H, W, C) images, bytes or floats of 0..1, give before the output activation, finite or not."""
        from convcli.loops.compiling.waiting import foreseen

        model, batch = self.trained.model, self.batch(images)

        def walk() -> None:  # with a network of its own: layers keep what they made of their weights
            Model(model.plan, data_format=model.data_format).forward(batch, logits=True)

        with np.errstate(all="ignore"), foreseen(model.plan.spec.name, walk):
            return model.forward(batch, logits=True)

    def batch(self, images: Array) -> Array:
        """Samples (N, ..., C), bytes or floats, as the network takes them: floats, in its data format."""
        batch = self.rule.scaled(images) if images.dtype == np.uint8 else images
        return np.moveaxis(batch, -1, 1) if self.trained.model.data_format == "channels_first" else batch

    def probabilities(self, logits: Array) -> Array:
        """(N, K): the share of each class, as `TrainedModel.predict` gives it."""
        return self.trained.of_each_class(self.trained.model.final.forward(logits))


def task_told(trained: TrainedModel) -> str:
    """What a model was trained to do: as its card says, else classify."""
    task = trained.card.recipe.get("task", "classify")
    return task if task in TASKS else "classify"


def load_classifier(path: str | Path | None = None, *, pictures: bool = True, any_task: bool = False) -> Classifier:
    """Read a model file; without a name, or for ``shipped``, the MNIST model that comes with convcli.

    Parameters
    ----------
    path : str or Path, optional
        The file.
    pictures : bool
        Whether it has to take pictures; other models take series, volumes or features.
    any_task : bool
        Whether it may do something else than tell classes apart.

    Raises
    ------
    ModelError
        For a file that is no model, or a model that does not take pictures or does not tell classes apart.
    OSError
        If the file cannot be opened.
    """
    if path is None and not shipped_model().is_file():
        raise ModelError(
            f"no model named, and the one that comes with convcli is missing ({shipped_model()}); give --model"
        )
    path = model_file(SHIPPED if path is None else path)
    trained = load_model(path)
    if any_task and task_told(trained) != "classify":
        return Classifier(path, trained, _rule_of(trained, path, pictures=False))
    return classifier_of(trained, path, pictures=pictures)


def classifier_of(trained: TrainedModel, path: Path, *, pictures: bool = True) -> Classifier:
    """A model from a file as a classifier; raises `ModelError` if it does not tell classes (of pictures) apart."""
    if task_told(trained) != "classify":
        raise ModelError(
            f"{path}: is a model to {task_told(trained)}, expected one that tells classes apart; convcli predict and "
            "evaluate take it"
        )
    if len(trained.classes) < 2 or len(trained.model.plan.output) != 1:
        raise ModelError(f"{path}: is a model without classes, expected one that convcli train wrote")
    return Classifier(path, trained, _rule_of(trained, path, pictures=pictures))


def model_file(name: str | Path) -> Path:
    """The file of a model: ``shipped`` is the one that comes with convcli, unless a file here has that name.

    Raises `ModelError` for an empty name.
    """
    if not str(name):
        raise ModelError("model: got an empty name, expected a .safetensors file")
    return Path(resolved(str(name)))


def percent(probability: float) -> str:
    """A probability as people read it: ``99.8%``, never a rounded 100.0% or 0.0% that is not quite so.

    >>> percent(0.998), percent(0.99999), percent(0.00001), percent(1.0)
    ('99.8%', '>99.9%', '<0.1%', '100.0%')
    """
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return "<0.1%" if 0 < probability < 0.0005 else f"{probability:.1%}"


def _rule_of(trained: TrainedModel, path: Path, *, pictures: bool) -> Preprocessing:
    size = trained.model.plan.input
    if pictures and (len(size) != 3 or size[2] not in (1, 3)):
        raise ModelError(f"{path}: takes {shape_text(size)}, expected a model for pictures of 1 or 3 channels")
    if trained.card.preprocessing is None:
        if len(size) == 3 and size[2] in (1, 3):
            return Preprocessing("picture", size[0], size[1], size[2])
        return Preprocessing.of_arrays(size, "numbers")
    try:
        rule = Preprocessing.from_dict(trained.card.preprocessing)
    except DataError as error:
        raise ModelError(f"{path}: card: {error}") from None
    if pictures and not rule.takes_pictures:
        raise ModelError(f"{path}: was trained on arrays of {shape_text(size)}, expected a model for pictures")
    made = rule.input_shape
    if made != size:
        raise ModelError(f"{path}: card: prepares pictures of {shape_text(made)}, expected {shape_text(size)}")
    return rule


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture as a network sees it, and what the network says.

    Parameters
    ----------
    file:
        As it was named; `STREAM` is standard input.
    pixels:
        (H, W, C) float32 of 0..1.
    logits:
        (K,) before the output activation.
    shares:
        (K,) the probability of each class.
    classes:
        Their names.
    warnings:
        About the file.
    """

    file: str
    pixels: NDArray[np.float32]
    logits: Array
    shares: Array
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The file's name without its folders."""
        return "standard input" if self.file == STREAM else self.file.replace("\\", "/").rpartition("/")[2]

    @property
    def best(self) -> int:
        """The likeliest class."""
        return int(self.shares.argmax())

    def told(self, place: int) -> str:
        """A class with its probability: ``7 (99.8%)``."""
        return f"{self.classes[place]} ({percent(float(self.shares[place]))})"

    def top(self, most: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes and their probabilities."""
        order = np.argsort(-self.shares, kind="stable")[:most]
        return [(self.classes[place], float(self.shares[place])) for place in order]


def see(classifier: Classifier, source: str | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> Seen:
    """Read a picture, prepare it as the model's training pictures were, and classify it.

    Raises
    ------
    ConvcliError, OSError
        If the file cannot be read, or shows nothing the model could use.
    """
    image = read(source, max_pixels=max_pixels)
    with about(source if isinstance(source, str) else STREAM):
        prepared, warnings = classifier.prepare(image)
    pixels = classifier.rule.scaled(prepared)
    (logits,) = classifier.logits(pixels[None], 1)
    shares = classifier.probabilities(logits)[0]
    return Seen(
        source if isinstance(source, str) else STREAM,
        pixels,
        logits[0],
        shares,
        classifier.classes,
        warnings,
    )


def class_named(classifier: Classifier, name: str) -> int:
    """The place of a class; raises `ModelError` with the classes there are."""
    if name not in classifier.classes:
        names = ", ".join(classifier.classes[:20]) + (" ..." if len(classifier.classes) > 20 else "")
        raise ModelError(f"class: got {shortened(name)}, expected one of {names}")
    return classifier.classes.index(name)
