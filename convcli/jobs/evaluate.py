"""How good a model is on labelled pictures: accuracy, loss, every class by itself, what is taken for what."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.architectures import shape_text
from convcli.architectures.card import ModelCard
from convcli.datasets import Dataset, Reports, Split, find_entry, parted, sample
from convcli.datasets.loading import placed
from convcli.datasets.samples import are_pictures
from convcli.errors import DataError, shortened
from convcli.images import Image
from convcli.jobs.classifier import Classifier, percent
from convcli.jobs.documents import named
from convcli.jobs.measures import Answers, f1_of
from convcli.jobs.task import load_for
from convcli.nn.losses import class_targets, loss_of_logits
from convcli.nn.scoring import loss_for
from convcli.views.grid import labelled_grid

SPLITS = ("test", "held-out", "train")
# All of a split, some of it, and what else has to be said.
_SPLITS_IN_WORDS = {
    "test": ("the test set", "images of the test set", ""),
    "held-out": ("held-out images", "held-out images", ", not learned from"),
    "train": ("the training set", "images of the training set", ""),
    "all": ("all images", "images", ""),
    "mixed": ("all images", "images", ", some of which may have been learned from"),
}
MOST_SHOWN = 60  # mistakes in a gallery
_COLUMNS = 10


@dataclass(frozen=True)
class ClassScore:
    """One class: how many pictures show it, and two shares.

    ``precision``: of the pictures taken for it, those that show it; None if there are none. ``recall``: of the pictures
    that show it, those taken for it; None if there are none. ``f1``: their harmonic mean.
    """

    label: str
    count: int
    precision: float | None
    recall: float | None
    f1: float | None = None


@dataclass(frozen=True)
class Mistake:
    """A picture taken for another class. Places are those in ``images`` and in the classes; probabilities 0..1."""

    place: int
    true: int
    predicted: int
    probability: float
    true_probability: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out.

    Parameters
    ----------
    data, split:
        What the model was tried on. Beside `SPLITS` there is ``all``, of a folder without a test set that the model was
        not trained on, and ``mixed``, of one that has changed since the model was.
    images:
        (N, ..., C), as the network saw them.
    loss:
        The mean over the pictures.
    confusion:
        (K, K) int64: row the true class, column the class it was taken for.
    mistakes:
        Worst first: the less probable the truth seemed, the worse.
    notes:
        What the reader should know about the data.
    whole:
        How many pictures the split has, if it was not used whole; else 0.
    answers:
        The probabilities of each class for each picture.
    """

    data: str
    split: str
    classes: tuple[str, ...]
    images: NDArray[Any]
    loss: float
    confusion: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...] = ()
    whole: int = 0
    answers: Answers | None = None

    @property
    def count(self) -> int:
        """How many pictures there were."""
        return len(self.images)

    @property
    def part(self) -> str:
        """The split in words: ``the test set``, ``50 of 360 images of the test set``."""
        return part_in_words(self.split, self.count, self.whole)

    @property
    def measured_on(self) -> str:
        """What all the numbers are of, in words: ``the test set of digits``."""
        return f"{self.part} of {self.data}{_SPLITS_IN_WORDS[self.split][2]}"

    @property
    def accuracy(self) -> float:
        """The share of pictures that were taken for what they show."""
        return float(np.trace(self.confusion)) / self.count

    @property
    def per_class(self) -> tuple[ClassScore, ...]:
        """Each class by itself."""
        right = np.diag(self.confusion).tolist()
        shown, taken = self.confusion.sum(axis=1).tolist(), self.confusion.sum(axis=0).tolist()
        precisions = [right[k] / taken[k] if taken[k] else None for k in range(len(shown))]
        recalls = [right[k] / shown[k] if shown[k] else None for k in range(len(shown))]
        return tuple(
            ClassScore(label, shown[k], precisions[k], recalls[k], f1_of(precisions[k] or 0.0, recalls[k]))
            for k, label in enumerate(self.classes)
        )

    @property
    def f1(self) -> float:
        """The mean of F1 over the classes that occur."""
        return float(np.mean([each.f1 for each in self.per_class if each.f1 is not None]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **named(self, "data", "split"),
            "images": self.count,
            **named(self, "accuracy", "loss", "f1"),
            **(self.answers.as_dict() if self.answers else {}),
            "wrong": len(self.mistakes),
            "classes": self.classes,
            "per_class": [vars(each) for each in self.per_class],
            "confusion": self.confusion.tolist(),
        }


def load_data(
    classifier: Classifier,
    data: str | None = None,
    *,
    data_dir: str | None = None,
    offline: bool = False,
    reports: Reports | None = None,
    said: Mapping[str, Any] | None = None,
) -> Dataset:
    """The data set a model is tried on: the one it was trained on, or another with the same classes and size.

    Labels become places in the model's classes. Pictures of a folder are prepared as the model's card says.

    Parameters
    ----------
    data : str, optional
        A data set's name or a folder of classes; without it, the name in the model's card, which may be that of a
        folder or of a file here.
    said : Mapping, optional
        What else is said about it: ``labels``, ``input``, ``strict`` and ``elsewhere`` of
        `convcli.datasets.reading.Reading`.

    Raises
    ------
    DataError
        If the data set cannot be had, or does not fit the model.
    """
    name = classifier.trained.card.name
    source = name if data is None else data
    entry = find_entry(source)
    if entry is not None:  # before it is downloaded
        rule = entry.preprocessing
        _check_fit(classifier, entry.name, entry.classes, (rule.height, rule.width, rule.channels))
    elif data is None and not Path(source).exists():
        raise DataError(
            f"data: the model was trained on the folder {source}; say where it lies with --data FOLDER|FILE"
        )
    found = load_for(
        classifier.task, source, data_dir=data_dir, offline=offline, reports=reports, rule=classifier.rule,
        classes=classifier.classes, **(said or {}),
    )  # fmt: skip
    _check_fit(classifier, found.name, found.classes, found.shape)
    train, test, validation = (
        part and placed(part, found.classes, classifier.classes, "data")
        for part in (found.train, found.test, found.validation)
    )
    assert train is not None
    return replace(found, train=train, test=test, validation=validation, classes=classifier.classes)


def part_in_words(split: str, count: int, whole: int) -> str:
    """A split, or so many of its images, in words."""
    every, some, _ = _SPLITS_IN_WORDS[split]
    return f"{count:,} of {whole:,} {some}" if whole else every


def choose_split(dataset: Dataset, card: ModelCard, split: str | None = None) -> tuple[Split, str]:
    """The pictures to try a model on, and which these are: of the test set where there is one.

    Else they are those that the model's training held out of these very pictures; or all, if it was not trained on
    them, or held none out.

    Raises `DataError` for a split that is not there.
    """
    if split == "test" and dataset.test is None:
        raise DataError(
            f"split: got test, but {dataset.name} has no test split; leave --split away to use what there is"
        )
    if dataset.test is not None and split != "held-out":
        chosen, name = (dataset.train, "train") if split == "train" else (dataset.test, "test")
    else:
        learned, held, name = _parts(dataset, card)
        if split == "held-out" and held is None:
            raise DataError(f"split: got held-out, but the model's training held out no image of {dataset.name}")
        chosen, name = (learned, name) if split == "train" or held is None else (held, "held-out")
    return chosen, name


def _parts(dataset: Dataset, card: ModelCard) -> tuple[Split, Split | None, str]:
    """Training images: those that a model has learned from, and those that were held out; or all, and what they are."""
    amount, limit, digest = (card.recipe.get(key) for key in ("held_out", "limit", "digest"))
    is_older = digest is None and dataset.name == card.name  # a card that does not tell the images
    if not is_older and digest != dataset.digest:
        return dataset.train, None, "mixed" if dataset.name == card.name else "all"
    if is_older or not isinstance(amount, int | float) or type(limit) is not int:
        return dataset.train, None, "train"
    learned, held = parted(dataset.train, amount, limit)
    return learned, held if len(held) else dataset.validation, "train"


def evaluate(
    classifier: Classifier,
    dataset: Dataset,
    *,
    split: str | None = None,
    limit: int | None = None,
    batch_size: int = 256,
    on_progress: Callable[[int, int], None] | None = None,
    logits_of: Callable[[NDArray[Any], int], Iterator[NDArray[Any]]] | None = None,
) -> Evaluation:
    """Let a model classify labelled pictures and compare.

    Parameters
    ----------
    classifier : Classifier
        From `load_classifier`.
    dataset : Dataset
        From `load_data`.
    split : {"test", "held-out", "train"}, optional
        See `choose_split`.
    limit : int, optional
        Use so many of its pictures, of each class its share.
    batch_size : int
        Pictures that go through the network at a time.
    on_progress : callable, optional
        Called with the number of pictures done, and of all, after each batch.
    logits_of : callable, optional
        What runs the network instead of this process, as `Classifier.logits` does.

    Raises
    ------
    DataError
        If there is no such split.
    """
    every, name = choose_split(dataset, classifier.trained.card, split)
    pictures = every if limit is None else sample(every, limit)
    model = classifier.trained.model
    loss, total, done = loss_for(model), 0.0, 0
    count, classes = len(pictures), len(classifier.classes)
    shares, taken = np.empty((count, classes), np.float64), np.empty(count, np.int64)
    for logits in (logits_of or classifier.logits)(pictures.images, batch_size):
        here = slice(done, done + len(logits))
        targets = class_targets(loss, pictures.labels[here], logits)
        total += loss_of_logits(loss, model.final, logits, targets)[0] * len(logits)
        # Of the logits: probabilities near 1 may round to the same number.
        taken[here] = logits.argmax(axis=1) if logits.shape[1] > 1 else logits[:, 0] > 0
        shares[here] = classifier.probabilities(logits)
        done += len(logits)
        if on_progress is not None:
            on_progress(done, count)
    confusion = np.bincount(pictures.labels * classes + taken, minlength=classes**2).reshape(classes, classes)
    return Evaluation(
        dataset.name, name, classifier.classes, pictures.images, total / count, confusion,
        _mistakes(pictures.labels, taken, shares), dataset.notes, len(every) if len(pictures) < len(every) else 0,
        Answers(pictures.labels, taken, shares, pictures.names),
    )  # fmt: skip


def gallery(evaluation: Evaluation) -> Image:
    """The worst mistakes as one picture: what the network saw, what it is, what it was taken for, how surely.

    Raises `DataError` if there are none.
    """
    if not are_pictures(evaluation.images):
        raise DataError(
            f"gallery: the model takes {shape_text(evaluation.images.shape[1:])}, expected a model for pictures"
        )
    if not evaluation.mistakes:
        raise DataError("gallery: there is no mistake to show")
    shown = evaluation.mistakes[:MOST_SHOWN]
    names, wrong = evaluation.classes, len(evaluation.mistakes)
    captions = [(f"is {names[one.true]}", f"said {names[one.predicted]}", percent(one.probability)) for one in shown]
    title = f"{wrong:,} wrong of {evaluation.count:,}: {evaluation.measured_on}; the worst first"
    pictures = [evaluation.images[each.place] for each in shown]
    return Image(labelled_grid(pictures, captions, columns=_COLUMNS, title=title))


def most_confused(evaluation: Evaluation, most: int = 10) -> list[tuple[str, str, int]]:
    """The commonest kinds of mistake: the true class, the predicted one, how often."""
    counts = evaluation.confusion.copy()
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(evaluation.classes)) for place in order]
    names = evaluation.classes
    return [(names[true], names[taken], int(counts[true, taken])) for true, taken in pairs if counts[true, taken]]


def _check_fit(classifier: Classifier, name: str, classes: Sequence[str], size: tuple[int, ...]) -> None:
    strange = [each for each in classes if each not in classifier.classes]
    if strange:
        known = ", ".join(classifier.classes[:10]) + (" ..." if len(classifier.classes) > 10 else "")
        raise DataError(
            f"data: got {name} with the class {shortened(strange[0])}, expected the model's "
            f"{len(classifier.classes)} classes: {known}"
        )
    wanted = classifier.trained.model.plan.input
    if size != wanted:
        raise DataError(
            f"data: got {name} with pictures of {shape_text(size)}, expected the model's {shape_text(wanted)}; it was "
            f"trained on {classifier.trained.card.name}"
        )


def _mistakes(labels: NDArray[np.int64], taken: NDArray[np.int64], shares: NDArray[np.float64]) -> tuple[Mistake, ...]:
    truth = shares[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(taken != labels)
    order = wrong[np.argsort(truth[wrong], kind="stable")]
    return tuple(
        Mistake(int(n), int(labels[n]), int(taken[n]), float(shares[n, taken[n]]), float(truth[n])) for n in order
    )
