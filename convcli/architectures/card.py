"""What a model file tells about its model: classes, preparation of images, how it was made, how good it is.

Standard library only, so that `convcli summary` shows it at once. The weights are not here.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NoReturn

from convcli import __version__
from convcli.architectures.header import parse_json
from convcli.errors import ModelError, shortened

MOST_CLASSES = 100_000
LONGEST_NAME = 400
_DEEPEST = 20


@dataclass(frozen=True)
class ModelCard:
    """What stands in a model file beside network and weights.

    Attributes
    ----------
    name : str
        The data set's name: ``mnist``, or a folder's.
    classes : tuple of str
        Their names in the order of the network's outputs; empty for a network that does not classify.
    preprocessing : Mapping or None
        How a picture becomes the network's input: `convcli.datasets.Preprocessing.as_dict`.
    seed : int
        Of the training.
    recipe : Mapping
        How it was made: preset, epochs, batch size, optimizer, and under ``command`` the command line.
    metrics : Mapping of str to float
        ``test_accuracy`` and others, shares of 1.
    history : tuple of Mapping of str to float
        For each epoch ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``seconds`` and
        ``images_per_second``.
    version : str
        Of the convcli that wrote it.

    Examples
    --------
    >>> card = ModelCard("pets", ("cat", "dog"), None, 0, {"epochs": 5}, {"test_accuracy": 0.9}, ())
    >>> card_of(card_text(card), "pets") == card
    True
    """

    name: str
    classes: tuple[str, ...]
    preprocessing: Mapping[str, Any] | None
    seed: int
    recipe: Mapping[str, Any]
    metrics: Mapping[str, float]
    history: tuple[Mapping[str, float], ...]
    version: str = __version__

    @property
    def scores(self) -> list[tuple[str, str]]:
        """What was measured, in words and of what: ``("test accuracy", "99.35%")``."""
        return [(measure_in_words(name), number_in_words(name, value)) for name, value in self.metrics.items()]

    @property
    def label_smoothing(self) -> float:
        """The share of each target that training losses (no others) have spread over all classes."""
        share = self.recipe.get("label_smoothing")
        return float(share) if isinstance(share, int | float) and 0 < share < 1 else 0.0


_OF_WHAT = {
    "val_": "held-out ",
    "test_": "test ",
    "loss": "training loss",
    "accuracy": "training accuracy",
    "seconds": "training time",
}


def measure_in_words(name: str) -> str:
    """A measure's name in words that say of what: ``val_loss`` is that of held-out images.

    >>> measure_in_words("val_accuracy"), measure_in_words("loss"), measure_in_words("learning_rate")
    ('held-out accuracy', 'training loss', 'learning rate')
    """
    for start, words in _OF_WHAT.items():
        if name.startswith(start):
            name = words + name.removeprefix(start)
            break
    return name.replace("_", " ")


def number_in_words(name: str, value: float | None) -> str:
    """A measure's value: accuracies in percent, a dash for none."""
    if value is None:
        return "-"
    return f"{value:.2%}" if name.endswith("accuracy") else f"{value:.4g}{' s' * (name == 'seconds')}"


def card_text(card: ModelCard) -> str:
    """The card as JSON. Numbers that are missing or not finite (a loss that overflowed) are left out.

    Raises
    ------
    ModelError
        If a field holds what a file cannot.
    """
    document = {key: getattr(card, key) for key in _READERS}
    document["metrics"] = _written_numbers(card.metrics)
    document["history"] = [_written_numbers(row) for row in card.history]
    try:
        text = json.dumps(document, default=_as_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"model card: {error}; expected texts, finite numbers, lists and tables") from None
    card_of(text, "model card")
    return text


def card_of(text: str, origin: str) -> ModelCard:
    """Read a card's JSON; ``origin`` names the file in messages. Control characters in texts become U+FFFD.

    Raises
    ------
    ModelError
        One line that names the first field that is wrong.
    """
    document = parse_json(text, origin)
    missing = [key for key in _READERS if key not in document]
    if missing:
        raise ModelError(f"{origin}: {missing[0]} is missing, expected the card that convcli train writes")
    fields: dict[str, Any] = {key: read(document[key], f"{origin}: {key}") for key, read in _READERS.items()}
    return ModelCard(**fields)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        _fail(where, value, f"a text of at most {LONGEST_NAME} characters")
    return _printable(value)


def _classes(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_CLASSES:
        _fail(where, value, f"a list of at most {MOST_CLASSES:,} names")
    return tuple(_text(each, where) for each in value)


def _seed(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value < 2**128:
        _fail(where, value, "a whole number of 0 or more")
    return value


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _fail(where, value, "a table of keys")
    read: dict[str, Any] = _plain(value, where, 0)
    return read


def _numbers(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        _fail(where, value, "a table of numbers")
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not _is_finite(number):
            _fail(f"{where}: {shortened(key)}", number, "a finite number")
    return {_printable(key): number for key, number in value.items()}


def _history(value: object, where: str) -> tuple[dict[str, float], ...]:
    if not isinstance(value, list):
        _fail(where, value, "a list with a table for each epoch")
    return tuple(_numbers(row, f"{where}, row {place}") for place, row in enumerate(value))


# In the order of the fields.
_READERS = {
    "name": _text,
    "classes": _classes,
    "preprocessing": lambda value, where: None if value is None else _table(value, where),
    "seed": _seed,
    "recipe": _table,
    "metrics": _numbers,
    "history": _history,
    "version": _text,
}


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ModelError(f"{where}: is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        return {_printable(key): _plain(each, where, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, where, depth + 1) for each in value]
    if isinstance(value, int | float) and not _is_finite(value):
        _fail(where, value, "finite numbers")
    return _printable(value) if isinstance(value, str) else value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number with hundreds of digits
        return False


def _printable(text: str) -> str:
    """A terminal must not obey what a file says."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def _written_numbers(row: Mapping[str, Any]) -> dict[str, float]:
    numbers = {key: _as_plain(value) for key, value in row.items() if value is not None}
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def _as_plain(value: Any) -> Any:
    """numpy's numbers, paths and other mappings as JSON has them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bool | Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"got {type(value).__name__} {shortened(value)}")


def _fail(where: str, value: object, expected: str) -> NoReturn:
    raise ModelError(f"{where}: got {shortened(value)}, expected {expected}")
