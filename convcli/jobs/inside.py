"""What the commands that look inside a model share: a picture as it is seen, a class by name, a name for the output."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.architectures.values import shortened
from convcli.errors import ImageError, ModelError
from convcli.images import MAX_PIXELS, read
from convcli.jobs.batch import STREAM
from convcli.jobs.classifier import Classifier, percent

Array = NDArray[Any]


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
    prepared, warnings = classifier.rule.prepare(image)
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


def beside(file: str, word: str, suffix: str = ".png") -> str:
    """Where a result goes that was not given a name: ``photo_features.png`` beside ``photo.jpg``."""
    path = Path("stdin" if file == STREAM else file)
    if not path.name:
        raise ImageError(f"got {shortened(file)} as a picture, expected the name of a file")
    return str(path.with_name(f"{path.stem}_{word}{suffix}"))
