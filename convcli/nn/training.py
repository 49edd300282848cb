"""Training: epochs of batches, validation, averaged and best weights, and a state that goes on to the bit.

What random numbers a batch draws depends on the seed, its epoch and its place alone, so that a training that was
stopped between any two batches goes on as if it had not been. Files, printing and data sets are not here.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from convcli.errors import ModelError
from convcli.nn.class_weights import class_weights, weighted
from convcli.nn.layer import Array, as_input
from convcli.nn.losses import count_right
from convcli.nn.model import Model
from convcli.nn.optimizers import WeightAverage
from convcli.nn.randomness import generator_for
from convcli.nn.recipe import Recipe
from convcli.nn.restoring import check_arrays, check_below, check_numbers
from convcli.nn.room import check_batch
from convcli.nn.scoring import Examples, Score, loss_for, score_of
from convcli.nn.tasks import TASKS
from convcli.ops.augmentation_pairs import augment_pairs

__all__ = ["DivergedError", "Epoch", "Examples", "Listener", "Progress", "Score", "Training", "as_input", "first_bad",
           "loss_for", "score_of"]  # fmt: skip

# Places of the random streams; layers have small numbers for theirs.
_ORDER, _AUGMENT = 1_000_001, 1_000_002
_FEW = 64  # images that a look takes
_ADVICE = "try a lower learning rate, or --clip-norm 1"


@dataclass(frozen=True)
class Epoch:
    """One line of the history; rates are images per second of training, validation left out.

    ``loss`` and ``accuracy`` are of the training set while it was learned from: augmented, with dropout and the
    recipe's label smoothing, by weights that were changing. ``val_loss`` and ``val_accuracy`` are of held-out images as
    they are, without label smoothing, by the epoch's last (or averaged) weights. Accuracies are None where nothing is
    classified.
    """

    epoch: int
    loss: float
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float
    images_per_second: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; what a task measures of held-out images beside accuracy is ``val_mae`` and so on."""
        values = asdict(self)
        return values | {f"val_{name}": value for name, value in values.pop("metrics").items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Epoch":
        """Read what `as_dict` gave."""
        own = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        others = {name.removeprefix("val_"): value for name, value in values.items() if name not in own}
        return cls(**own, metrics=others)


@dataclass
class Progress:
    """Where a training stands: batches done of the present epoch, and their sums; ``seconds`` of the epoch so far."""

    epoch: int = 0
    batch: int = 0
    seen: int = 0
    loss: float = 0.0
    right: int = 0
    seconds: float = 0.0


@dataclass
class Listener:
    """What a training tells while it runs, and whether it is asked to stop after the batch at hand."""

    batch_ends: Callable[["Training"], None] = lambda training: None
    epoch_ends: Callable[["Training"], None] = lambda training: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass
class _Best:
    loss: float = float("inf")
    epoch: int = 0
    state: dict[str, Array] = field(default_factory=dict)


class DivergedError(ModelError):
    """A loss or a weight is no number any more; the message names the first layer where that shows."""


class Training:
    """A network on its way through a recipe.

    Parameters
    ----------
    model : Model
        Trained in place.
    recipe : Recipe
        How.
    train : Examples
        What is learned from.
    validation : Examples, optional
        What is never learned from: the epoch with its lowest loss is the one whose weights `finish` leaves, if the
        recipe keeps the best.

    Raises
    ------
    ShapeError
        If inputs or labels are no finite numbers, not as many, or there are none.

    Examples
    --------
    >>> model = Model.from_layers(["flatten", "dense:2,softmax"], (1, 1, 1))
    >>> train = Examples(np.array([0.0, 1.0], np.float32).reshape(2, 1, 1, 1), np.array([0, 1]))
    >>> training = Training(model, Recipe(epochs=200, optimizer="sgd", learning_rate=1.0), train)
    >>> training.run()
    True
    >>> training.history[-1].accuracy
    1.0
    """

    def __init__(self, model: Model, recipe: Recipe, train: Examples, validation: Examples | None = None) -> None:
        train = train.checked("train")
        validation = None if validation is None else validation.checked("validation")
        check_batch(model.plan, min(recipe.batch_size, len(train.x)), model.dtype.itemsize, training=True)
        model.freeze(recipe.freeze)
        self.model = model
        self.recipe = recipe
        self.train = train
        self.validation = validation
        self.optimizer = recipe.make_optimizer()
        self.steps_per_epoch = -(-len(train.x) // recipe.batch_size)
        self.schedule = recipe.make_schedule(self.steps_per_epoch)
        self.loss = loss_for(model, recipe.label_smoothing, task=recipe.task, name=recipe.loss)
        if recipe.class_weight:
            self.loss = weighted(self.loss, self._class_weights())
        self.unit: Any = 1.0  # what 1 of the labels' numbers stands for where they are told
        self._answers = 0  # of each image
        changing = {name: each for name, each in model.parameters.items() if name not in model.frozen}
        self.average = WeightAverage(changing, recipe.average) if recipe.average else None
        self.progress = Progress()
        self.history: list[Epoch] = []
        self.best = _Best()
        self._augmentation = recipe.augmentation()
        if not self._augmentation.is_nothing:
            first = model.data_format == "channels_first"
            shape = train.x.shape[1:]
            self._augmentation.check_samples((*shape[1:], shape[0]) if first else shape)

    def _class_weights(self) -> tuple[float, ...]:
        labels, classes = self.train.labels, max(self.model.plan.output[-1], 2)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ModelError(f"class_weight: got labels of shape {labels.shape}, expected a class for each sample")
        return class_weights(self.recipe.class_weight, labels, classes)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience ended."""
        patience = self.recipe.patience
        waited = patience and self.best.epoch and self.progress.epoch - self.best.epoch >= patience
        return self.progress.epoch >= self.recipe.epochs or bool(waited)

    # What is not finite is looked for, and found by its layer; numpy's warnings would say less.
    @np.errstate(all="ignore")
    def run(self, listener: Listener | None = None) -> bool:
        """Train up to the end, or up to where the listener wants to stop; returns whether it is the end.

        Raises
        ------
        DivergedError
            If a loss, or what an epoch made of the weights, is infinite or no number.
        """
        listener = listener or Listener()
        while not self.finished:
            if not self._epoch(listener):
                return False
            listener.epoch_ends(self)
            if listener.should_stop() and not self.finished:
                return False
        return True

    @np.errstate(all="ignore")
    def finish(self) -> None:
        """Leave the model with the weights to keep: those of the best epoch, else the averaged, else the last.

        Raises `DivergedError` if those are of no use.
        """
        if self.best.state:
            self.model.load_state(self.best.state)
        elif self.average is not None:
            self.average.swap()
        self._look()

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Everything `load_state` needs to go on to the bit: arrays by name, and plain values.

        Raises `DivergedError` if a number is not finite: nothing could go on from there.
        """
        arrays = _prefixed("model", self.model.state()) | _prefixed("optimizer", self.optimizer.state())
        arrays |= _prefixed("random", self.model.random_state())
        if self.average is not None:
            arrays |= _prefixed("average", self.average.state())
        arrays |= _prefixed("best", self.best.state)
        self._check_finite(arrays)
        numbers = {
            "progress": asdict(self.progress),
            "history": [each.as_dict() for each in self.history],
            "best": {"loss": self.best.loss if self.best.state else None, "epoch": self.best.epoch},
            "examples": [len(self.train.x), 0 if self.validation is None else len(self.validation.x)],
        }
        return arrays, numbers

    def load_state(self, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> None:
        """Take over what `state` gave.

        Raises `ModelError` if it is another training's, or not a training's at all; the training is of no use then.
        """
        try:
            here = [len(self.train.x), 0 if self.validation is None else len(self.validation.x)]
            if list(numbers["examples"]) != here:
                raise ModelError(
                    f"checkpoint: was made with {numbers['examples'][0]} images and {numbers['examples'][1]} held out, "
                    f"got {here[0]} and {here[1]}; expected the same data"
                )
            progress = Progress(**numbers["progress"])
            history = [Epoch.from_dict(row) for row in numbers["history"]]
            best = _Best(float("inf"), numbers["best"]["epoch"], _within("best", arrays))
            if best.state:
                best.loss = numbers["best"]["loss"]
            self._check_numbers(progress, history, best)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"checkpoint: its values cannot be read ({error}), expected those of a training") from None
        check_arrays(arrays, self._expected(arrays))
        self.model.load_state(_within("model", arrays))
        self.optimizer.load_state(_within("optimizer", arrays))
        self.model.load_random_state(_within("random", arrays))
        if self.average is not None:
            self.average.load_state(_within("average", arrays))
        self.progress, self.history, self.best = progress, history, best

    def _check_numbers(self, progress: Progress, history: list[Epoch], best: _Best) -> None:
        """Refuse numbers that no training of this recipe and these data could have."""
        check_numbers(asdict(progress), counts=("epoch", "batch", "seen", "right"))
        for row in history:
            check_numbers(row.as_dict(), counts=("epoch",), optional=("accuracy", "val_loss", "val_accuracy"))
        check_numbers({"best epoch": best.epoch}, counts=("best epoch",))
        if best.state:
            check_numbers({"best loss": best.loss}, counts=())
        check_below("epoch", progress.epoch, self.recipe.epochs)
        check_below("batch", progress.batch, self.steps_per_epoch - 1)
        check_below("seen", progress.seen, len(self.train.x))
        check_below("best epoch", best.epoch, len(history))
        if len(history) != progress.epoch or bool(best.state) != bool(best.epoch):
            raise ModelError(
                f"checkpoint: got {len(history)} lines of history, expected {progress.epoch} and a best one"
            )

    def _expected(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays of the names, shapes and types that a checkpoint has to have, whatever their numbers."""
        expected = self.state()[0]
        if any(name.startswith("best/") for name in arrays):
            expected |= _prefixed("best", self.model.state())
        if arrays.get("optimizer/steps", np.zeros(())).any():  # no running values before the first step
            trained = {name: each.value for name, each in self.model.parameters.items() if each.trainable}
            for slot in self.optimizer.slots:
                expected |= {f"optimizer/{name}/{slot}": value for name, value in trained.items()}
        return expected

    def _epoch(self, listener: Listener) -> bool:
        order = _shuffled(len(self.train.x), generator_for(self.recipe.seed, _ORDER, self.progress.epoch))
        while self.progress.batch < self.steps_per_epoch:
            begun = perf_counter()
            self._step(order)
            self.progress.seconds += perf_counter() - begun
            listener.batch_ends(self)
            if self.progress.batch < self.steps_per_epoch and listener.should_stop():
                return False
        self._close_epoch()
        return True

    def _step(self, order: Array) -> None:
        at, size = self.progress, self.recipe.batch_size
        indices = order[at.batch * size : (at.batch + 1) * size]
        x, labels = self.train.batch(indices), self.train.labels[indices]
        if not self._augmentation.is_nothing:
            x, labels = self._augmented(x, labels, generator_for(self.recipe.seed, _AUGMENT, at.epoch, at.batch))
        step = self.model.loss_and_gradients(x, labels, self.loss)
        if not isfinite(step.loss):
            raise DivergedError(self._explain(step.loss, x))
        self.optimizer.step(self.model.parameters, self.schedule(at.epoch * self.steps_per_epoch + at.batch))
        if self.average is not None:
            self.average.update()
        at.batch += 1
        at.seen += len(indices)
        at.loss += step.loss * len(indices)
        right, answers = 0, 0
        if "accuracy" in TASKS[self.recipe.task].metrics:
            right, answers = count_right(self.loss, *map(self.model.channels_last, (step.outputs, labels)))
        at.right += right
        self._answers = answers // len(indices)

    def _augmented(self, x: Array, labels: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """A batch changed at random; what is learned of each place is moved along."""
        are_arrays = labels.ndim == x.ndim
        answers = labels if are_arrays or self.recipe.task == "segment" else None
        if self.model.data_format == "channels_last":
            x, answers = augment_pairs(x, answers, self._augmentation, generator)
        else:
            answers = np.moveaxis(answers, 1, -1) if answers is not None and are_arrays else answers
            x, answers = augment_pairs(np.moveaxis(x, 1, -1), answers, self._augmentation, generator)
            x, answers = (
                np.moveaxis(x, -1, 1),
                np.moveaxis(answers, -1, 1) if are_arrays and answers is not None else answers,
            )
        return x, labels if answers is None else answers

    def _close_epoch(self) -> None:
        at, score = self.progress, None
        self._look()
        if self.validation is not None:
            with nullcontext() if self.average is None else self.average.applied():
                score = self._validate(at.epoch + 1)
        last = (at.epoch + 1) * self.steps_per_epoch - 1
        self.history.append(
            Epoch(
                epoch=at.epoch + 1,
                loss=at.loss / at.seen,
                accuracy=at.right / (at.seen * self._answers) if self._answers else None,
                val_loss=score and score.loss,
                val_accuracy=score and score.accuracy,
                learning_rate=self.schedule(last),
                seconds=round(at.seconds, 3),
                images_per_second=round(at.seen / max(at.seconds, 1e-9), 1),
                metrics=score.metrics if score else {},
            )
        )
        self.progress = Progress(epoch=at.epoch + 1)

    def score(self, examples: Examples) -> Score:
        """How good the model is on some examples, by the recipe's loss and its task's measures."""
        return score_of(self.model, examples, task=self.recipe.task, loss_name=self.recipe.loss, unit=self.unit)

    def _validate(self, epoch: int) -> Score:
        assert self.validation is not None
        score = self.score(self.validation)
        self._require(score, "held-out")
        if self.recipe.keep == "best" and self._is_better(score):
            self.best = _Best(score.loss, epoch, self.model.state())
        return score

    def _is_better(self, score: Score) -> bool:
        """Whether an epoch is better than the best before: by its loss, or by its accuracy and then by its loss."""
        before = self.history[self.best.epoch - 1].val_accuracy if self.best.state else None
        if self.recipe.select == "loss" or score.accuracy is None or before is None:
            return score.loss < self.best.loss
        return (score.accuracy, -score.loss) > (before, -self.best.loss)

    def _look(self) -> None:
        """At the weights as they stand, which no step has tried yet: they, and a loss, have to be finite."""
        self._check_finite({name: each.value for name, each in self.model.parameters.items()})
        few = Examples(self.train.x[:_FEW], self.train.labels[:_FEW])
        self._require(self.score(few), "training")

    def _require(self, score: Score, which: str) -> None:
        if not isfinite(score.loss):
            epoch = self.progress.epoch + bool(self.progress.seen)
            raise DivergedError(f"the loss on {which} images became {score.loss} after epoch {epoch}; {_ADVICE}")

    def _check_finite(self, arrays: Mapping[str, Array]) -> None:
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                name = name.removeprefix("model/")
                raise DivergedError(
                    f"{name} became infinite or no number in epoch {self.progress.epoch + 1}; {_ADVICE}"
                )

    def _explain(self, loss: float, x: Array) -> str:
        at = self.progress
        where = f"epoch {at.epoch + 1}, step {at.batch + 1} of {self.steps_per_epoch}"
        rate = self.schedule(at.epoch * self.steps_per_epoch + at.batch)
        return (
            f"the loss became {loss} in {where}: {first_bad(self.model, x)} is the first that is not finite; "
            f"try a lower learning rate (now {rate:.3g}), or --clip-norm 1"
        )


def first_bad(model: Model, x: Array) -> str:
    """The first place, in the order of computation, with a number that is not finite."""
    if not np.isfinite(x).all():
        return "the input"
    values = dict.fromkeys(layer.name for layer in model.layers)
    weights = {
        layer.name: [f"{each.name}/{array.name}" for each in layer.walk() for array in each.parameters
                     if not np.isfinite(array.value).all()]
        for layer in model.layers
    }  # fmt: skip
    for name, output in model.trace(x):
        if weights.get(name):
            return f"{weights[name][0]} (weights)"
        if name in values and not np.isfinite(output).all():
            return f"the output of {name}"
    return "the loss itself"


def _shuffled(count: int, generator: np.random.Generator) -> Array:
    """All places once, in an order that raw numbers give: those stay the same in every numpy release."""
    return np.argsort(generator.bit_generator.random_raw(count), kind="stable")


def _prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _within(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    start = f"{prefix}/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
