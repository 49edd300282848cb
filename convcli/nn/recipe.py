"""How a network is trained: a recipe's numbers, checked. What is done with them is in `training`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite, nan
from typing import Any

from convcli.errors import ModelError
from convcli.nn.optimizers import LARGEST, SMALLEST, Optimizer, make_optimizer
from convcli.nn.schedules import Schedule, make_schedule
from convcli.nn.tasks import check_task
from convcli.ops.augmentation import Augmentation

KEPT = ("best", "last")  # epochs
SELECTED = ("loss", "accuracy")


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but the network and the data.

    Parameters
    ----------
    epochs : int
        How often each image is seen.
    batch_size : int
        Images a step; the last batch of an epoch may be smaller.
    optimizer : str
        A name, and its settings if any: ``"sgd:momentum=0.9,nesterov=1"``.
    learning_rate : float, optional
        The schedule's highest; None is the optimizer's own.
    schedule : str
        ``constant``, ``step``, ``cosine`` or ``one_cycle``.
    warm_up : float, optional
        Epochs of the way up: a straight one before the schedule, or the first part of ``one_cycle``. None is the
        schedule's own: three tenths of ``one_cycle``, else none.
    weight_decay : float, optional
        Of kernels, decoupled from the gradient; None is the optimizer's own: 0.004 of adamw, else none.
    label_smoothing : float
        The share of each target that is spread over all classes.
    clip_norm : float
        The largest norm of all gradients together; 0 for any.
    average : float
        Decay of the moving average of the weights, which is what is kept then; 0 for none.
    augment : str
        Words of `Augmentation`: ``"shift=2,rotation=10"``; empty for none.
    keep : str
        Whose weights are kept where images are held out: those of the ``best`` epoch, with the lowest validation loss,
        or the ``last``, averaged if so. A handful of images is better not asked to choose.
    patience : int
        Stop after so many epochs without a lower validation loss; 0 for never.
    select : str
        What the best epoch is known by: its held-out ``loss``, or its ``accuracy``.
    freeze : str
        Names of layers that do not learn, with commas between; ``conv_*`` is all that begin so.
    class_weight : str
        ``balanced``, or weights of classes by their places: ``0=2,3=0.5``; empty for all alike.
    seed : int
        Of initial weights, order of images, augmentation and dropout.
    task : str
        What is learned, of `convcli.nn.tasks`.
    loss : str
        One of the task's; empty for the usual one.

    Raises
    ------
    ModelError
        Naming the first value that is wrong.

    Examples
    --------
    >>> Recipe(epochs=3, optimizer="sgd:momentum=0.9", learning_rate=0.1).optimizer_settings()
    ('sgd', {'momentum': 0.9})
    """

    epochs: int = 5
    batch_size: int = 64
    optimizer: str = "rmsprop"
    learning_rate: float | None = None
    schedule: str = "constant"
    warm_up: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    clip_norm: float = 0.0
    average: float = 0.0
    augment: str = ""
    keep: str = "best"
    patience: int = 0
    select: str = "loss"
    freeze: str = ""
    class_weight: str = ""
    seed: int = 0
    task: str = "classify"
    loss: str = ""

    def __post_init__(self) -> None:
        for name, (kinds, holds, expected) in _EXPECTED.items():
            value = getattr(self, name)
            right = isinstance(value, kinds) and not isinstance(value, bool)
            if not right or (isinstance(value, int | float) and not abs(value) <= LARGEST) or not holds(value):
                raise ModelError(f"{name}: got {value!r}, expected {expected}")
        if self.warm_up is not None and self.warm_up >= self.epochs:
            raise ModelError(
                f"warm_up: got {self.warm_up:g} epochs of {self.epochs}, expected fewer: the schedule would never begin"
            )
        if self.patience and self.keep != "best":
            raise ModelError(f"patience: got {self.patience} with keep {self.keep}, expected keep best to wait for")
        check_task(self.task, self.loss)
        self.make_optimizer()
        self.make_schedule(1)
        moves, words = self.augmentation(), self.augment.lower().replace("-", "_")
        for name, other in (("elastic_sigma", "elastic"), ("stretch", "scale")):
            if name in words and getattr(moves, name) and not getattr(moves, other):
                raise ModelError(f"augment: got {name} without {other}, so that it does nothing; add {other}=...")

    def optimizer_settings(self) -> tuple[str, dict[str, Any]]:
        """The optimizer's name and its own settings."""
        name, _, rest = self.optimizer.partition(":")
        settings: dict[str, Any] = {}
        for word in filter(None, rest.split(",")):
            key, value = _setting(word)
            if key in settings:
                raise ModelError(f"optimizer: got {key} twice, expected it once")
            if key in ("learning_rate", "weight_decay", "clip_norm"):
                raise ModelError(f"optimizer: got {key} among its settings; it has an option of its own")
            settings[key] = value
        return name.strip().lower(), settings

    def make_optimizer(self) -> Optimizer:
        """A new optimizer."""
        name, settings = self.optimizer_settings()
        if self.learning_rate is not None:
            settings["learning_rate"] = self.learning_rate
        if self.weight_decay is not None:
            settings["weight_decay"] = self.weight_decay
        return make_optimizer(name, **settings, clip_norm=self.clip_norm or None)

    def make_schedule(self, steps_per_epoch: int) -> Schedule:
        """The learning rate of each step."""
        rate = self.make_optimizer().learning_rate
        warm_up = None if self.warm_up is None else round(self.warm_up * steps_per_epoch)
        if self.warm_up:
            warm_up = max(warm_up or 0, 1)  # so small a share of an epoch is a step at least
        return make_schedule(self.schedule, rate, self.epochs * steps_per_epoch, warm_up=warm_up)

    def augmentation(self) -> Augmentation:
        """What is done to the images of each batch."""
        return Augmentation.from_words(self.augment)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint; `from_dict` reads them back."""
        return asdict(self)

    def told(self) -> dict[str, Any]:
        """Plain values for people and a model's metadata: where nothing was given, what the optimizer used instead."""
        used = self.make_optimizer()
        return asdict(self) | {"learning_rate": used.learning_rate, "weight_decay": used.weight_decay}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Read what `as_dict` wrote; raises `ModelError` for anything else."""
        known = {each.name for each in fields(cls)}
        for name in values:
            if name not in known:
                raise ModelError(f"recipe: got an unknown {name!r}, expected {', '.join(sorted(known))}")
        return cls(**values)


def _setting(word: str) -> tuple[str, Any]:
    """``momentum=0.9`` or ``nesterov``, read."""
    key, equals, value = (each.strip() for each in word.partition("="))
    if key == "nesterov":
        if value not in ("", "0", "1"):
            raise ModelError(f"optimizer: got {word!r}, expected nesterov, nesterov=1 or nesterov=0")
        return key, value != "0"
    try:
        number = float(value) if equals else nan
    except ValueError:
        number = nan
    if not isfinite(number):
        raise ModelError(f"optimizer: got {word!r}, expected name=number")
    return key, number


_COUNT = (int, lambda value: 1 <= value <= 1_000_000, "a whole number of at least 1")
_SHARE = ((int, float), lambda value: 0 <= value < 1, "0 or more and less than 1")
_AMOUNT = ((int, float), lambda value: value >= 0, "a finite number of 0 or more")
_OPTIONAL = ((int, float, type(None)), lambda value: value is None or value >= 0, "a finite number of 0 or more")
_WORDS = (str, lambda value: True, "text")
_EXPECTED: dict[str, tuple[Any, Any, str]] = {
    "epochs": _COUNT,
    "batch_size": _COUNT,
    "optimizer": _WORDS,
    "learning_rate": (
        (int, float, type(None)),
        lambda value: value is None or value >= SMALLEST,
        "more than 0, and a number that float32 can hold",
    ),
    "schedule": _WORDS,
    "warm_up": _OPTIONAL,
    "weight_decay": _OPTIONAL,
    "label_smoothing": _SHARE,
    "clip_norm": _AMOUNT,
    "average": _SHARE,
    "augment": _WORDS,
    "keep": (str, lambda value: value in KEPT, " or ".join(KEPT)),
    "patience": (int, lambda value: value >= 0, "a whole number of 0 or more"),
    "select": (str, lambda value: value in SELECTED, " or ".join(SELECTED)),
    "freeze": _WORDS,
    "class_weight": _WORDS,
    "task": _WORDS,
    "loss": _WORDS,
    "seed": (int, lambda value: 0 <= value < 2**63, "a whole number of 0 or more"),
}
