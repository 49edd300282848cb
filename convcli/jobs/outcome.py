"""How good a network is that does not tell classes apart: of all samples, of each class or number, of each sample.

What is measured of each sample stands in a table; the worst are shown as pictures, truth and answer side by side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.datasets import Dataset, Split, sample
from convcli.images import Image
from convcli.jobs.classifier import Classifier
from convcli.jobs.documents import table_text
from convcli.jobs.evaluate import choose_split, part_in_words
from convcli.jobs.measures import f1_of
from convcli.nn.scoring import Examples, Score, score_of
from convcli.nn.tasks import class_overlaps, decibels
from convcli.views.grid import labelled_grid

Array = NDArray[Any]
Part = dict[str, Any]

MOST_SHOWN = 24  # samples in a gallery
_SURE = 0.5
_GAP = 2  # pixels between pictures side by side


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out.

    Parameters
    ----------
    task, data, split:
        What the network does, on what it was tried, and on which part, as `convcli.jobs.evaluate.choose_split` says.
    score:
        Loss and measures of all samples together.
    samples:
        What it was tried on.
    columns, rows:
        Of a table with what was measured of each sample.
    parts:
        The same of each class, mark or number: ``name`` and measures, shares of 1 or numbers.
    order:
        The samples, the worst first.
    confusion:
        Of masks (K, K) pixels: row the true class, column the said one.
    notes:
        What the reader should know about the data.
    whole:
        How many samples the split has, if it was not used whole; else 0.
    """

    task: str
    data: str
    split: str
    classes: tuple[str, ...]
    score: Score
    samples: Split
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    parts: tuple[Part, ...]
    order: NDArray[np.int64]
    confusion: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    whole: int = 0

    @property
    def count(self) -> int:
        """How many samples there were."""
        return len(self.samples)

    @property
    def part(self) -> str:
        """The split in words."""
        return part_in_words(self.split, self.count, self.whole)

    @property
    def metrics(self) -> dict[str, float]:
        """All measures but the loss, by name."""
        return dict(self.score.metrics) | ({} if self.score.accuracy is None else {"accuracy": self.score.accuracy})

    def names(self, place: int) -> str:
        """What a sample is called: its file, else its place."""
        return self.samples.names[place] if self.samples.names else str(place)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        about = {"task": self.task, "data": self.data, "split": self.split, "images": self.count}
        told = about | self.metrics | {"loss": self.score.loss, "parts": list(self.parts)}
        if self.confusion is not None:
            told |= {"classes": self.classes, "confusion": self.confusion.tolist()}
        return told

    def as_table(self) -> bytes:
        """A row for each sample: its file or place, and what was measured of it."""
        head = ["file" if self.samples.names else "place", *self.columns]
        return table_text(head, ([self.names(place), *row] for place, row in enumerate(self.rows)))


def measure(
    classifier: Classifier, dataset: Dataset, *, split: str | None = None, limit: int | None = None,
    batch_size: int = 64, on_progress: Callable[[int, int], None] | None = None,
) -> Outcome:  # fmt: skip
    """Let a network answer samples whose truth is known, and compare.

    Raises `DataError` if there is no such split, or its answers have another shape.
    """
    every, name = choose_split(dataset, classifier.trained.card, split)
    chosen = every if limit is None else sample(every, limit)
    model, recipe = classifier.trained.model, classifier.trained.card.recipe
    model.data_format = "channels_last"
    of_each = _Each(classifier.task, _names_of(classifier, dataset, chosen))
    done = 0

    def watch(x: Array, outputs: Array, labels: Array) -> None:
        nonlocal done
        of_each.add(x, outputs, labels)
        done += len(x)
        if on_progress is not None:
            on_progress(done, len(chosen))

    score = score_of(
        model, Examples(chosen.images, chosen.labels), batch_size, task=classifier.task,
        loss_name=str(recipe.get("loss", "")), watch=watch,
    )  # fmt: skip
    order = np.argsort(-np.array(of_each.badness), kind="stable")
    return Outcome(
        classifier.task, dataset.name, name, classifier.classes, score, chosen, of_each.columns, tuple(of_each.rows),
        tuple(of_each.parts()), order, of_each.pairs, dataset.notes, len(every) if len(chosen) < len(every) else 0,
    )  # fmt: skip


def _names_of(classifier: Classifier, dataset: Dataset, chosen: Split) -> tuple[str, ...]:
    """Of classes and marks, or of numbers where there are several."""
    if classifier.task in ("segment", "multi-label"):
        return classifier.classes
    count = chosen.labels.shape[1] if chosen.labels.ndim == 2 else 1
    return dataset.classes if len(dataset.classes) == count else tuple(str(place + 1) for place in range(count))


class _Each:
    """What is measured sample by sample, and of it by class, mark or number."""

    def __init__(self, task: str, names: tuple[str, ...]) -> None:
        self.task, self.names = task, names
        self.rows: list[tuple[Any, ...]] = []
        self.badness: list[float] = []
        self.columns: tuple[str, ...] = ()
        self.pairs: NDArray[np.int64] | None = None
        self._said: list[Array] = []
        self._true: list[Array] = []

    def add(self, x: Array, outputs: Array, labels: Array) -> None:
        """A batch: what went in, what came out behind the activation, and the truth."""
        if self.task == "segment":
            self._masks(outputs, labels)
        elif labels.ndim == 2:
            self._rows(outputs, labels)
        else:
            self._arrays(x, outputs, labels)

    def _masks(self, outputs: Array, labels: Array) -> None:
        count = max(outputs.shape[-1], 2)
        self.columns = ("iou", "accuracy", *(f"iou {name}" for name in self.names))
        self.pairs = np.zeros((count, count), np.int64) if self.pairs is None else self.pairs
        for said, true in zip(places_of(outputs), labels, strict=True):
            pairs = np.bincount(true.reshape(-1).astype(np.int64) * count + said.reshape(-1), minlength=count**2)
            pairs = pairs.reshape(count, count)
            self.pairs += pairs
            overlaps = class_overlaps(pairs)
            told = ["" if np.isnan(each) else float(each) for each in overlaps]
            overlap = float(np.nanmean(overlaps))
            self.rows.append((overlap, float(np.trace(pairs) / pairs.sum()), *told[: len(self.names)]))
            self.badness.append(-overlap)

    def _rows(self, outputs: Array, labels: Array) -> None:
        """Numbers, or marks with their chances."""
        words = ("true", "said") if self.task == "regress" else ("true", "chance")
        several = len(self.names) > 1 or self.task == "multi-label"
        self.columns = tuple(f"{word} {name}" if several else word for name in self.names for word in words)
        self.columns += ("error",) if self.task == "regress" else ("wrong",)
        self._said.append(np.asarray(outputs, np.float64))
        self._true.append(np.asarray(labels, np.float64))
        for said, true in zip(self._said[-1], self._true[-1], strict=True):
            wrong = np.abs(said - true).mean() if self.task == "regress" else ((said > _SURE) != (true > _SURE)).sum()
            pairs = np.stack([true, said], axis=1).reshape(-1).tolist()
            self.rows.append((*pairs, wrong.item()))
            self.badness.append(float(np.abs(said - true).mean()))

    def _arrays(self, x: Array, outputs: Array, labels: Array) -> None:
        error = (outputs - labels.astype(np.float64)).reshape(len(labels), -1)
        if self.task == "denoise":
            after = decibels(outputs, labels)
            before = decibels(x, labels) if x.shape == labels.shape else np.full(len(labels), np.nan)
            self.columns = ("psnr before", "psnr", "gain")
            self.rows += zip(before.tolist(), after.tolist(), (after - before).tolist(), strict=True)
            self.badness += (-after).tolist()
            return
        self.columns = ("mae", "rmse")
        found = np.abs(error).mean(axis=1), np.sqrt(np.square(error).mean(axis=1))
        self.rows += zip(*(each.tolist() for each in found), strict=True)
        self.badness += found[0].tolist()

    def parts(self) -> list[Part]:
        """Of each class, mark or number what was measured."""
        if self.pairs is not None:
            return _of_classes(self.pairs, self.names)
        if not self._said:
            return []
        said, true = np.concatenate(self._said), np.concatenate(self._true)
        make = _of_number if self.task == "regress" else _of_mark
        return [make(name, *each) for name, *each in zip(self.names, said.T, true.T, strict=True)]


def places_of(outputs: Array) -> Array:
    """The class at each place of outputs (N, ..., K), of one channel whether it is above a half."""
    places: Array = outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs[..., 0] > _SURE).astype(np.int64)
    return places


def _of_classes(pairs: NDArray[np.int64], names: Sequence[str]) -> list[Part]:
    both, true, said = np.diag(pairs).tolist(), pairs.sum(axis=1).tolist(), pairs.sum(axis=0).tolist()
    overlaps = [None if np.isnan(each) else float(each) for each in class_overlaps(pairs)]
    return [
        {"name": name, "pixels": true[k], "iou": overlaps[k], **_shares(both[k], true[k], said[k])}
        for k, name in enumerate(names)
    ]


def _of_mark(name: str, said: Array, true: Array) -> Part:
    held, told = true > _SURE, said > _SURE
    both = int((held & told).sum())
    shares = _shares(both, int(held.sum()), int(told.sum()))
    return {"name": name, "count": int(held.sum()), **shares, "f1": f1_of(shares["precision"] or 0.0, shares["recall"])}


def _of_number(name: str, said: Array, true: Array) -> Part:
    error, apart = said - true, float(np.square(true - true.mean()).sum())
    explained = 1 - float(np.square(error).sum()) / apart if apart > 1e-12 * float(np.square(true).sum()) else None
    mean = float(true.mean())
    return {"name": name, "mean": mean, "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt(np.square(error).mean())), "r2": explained}  # fmt: skip


def _shares(both: int, true: int, said: int) -> dict[str, float | None]:
    return {"precision": both / said if said else None, "recall": both / true if true else None}


@dataclass(frozen=True, eq=False)
class Shown:
    """A sample as pictures side by side: what went in, the truth, and what was said; and what was measured of it."""

    pixels: NDArray[np.uint8]
    name: str
    measured: str


def worst(classifier: Classifier, outcome: Outcome, most: int = MOST_SHOWN) -> list[Shown]:
    """The worst samples as pictures; of volumes the middle plane; none of what is no picture."""
    if outcome.samples.labels.ndim < 3 or outcome.samples.images.ndim not in (4, 5):
        return []
    found = []
    for place in outcome.order[:most].tolist():
        x, truth = outcome.samples.images[place : place + 1], outcome.samples.labels[place : place + 1]
        said = np.asarray(classifier.trained.model.predict(x))
        if outcome.task == "segment":
            said = places_of(said)
            scale = 1 / max(len(outcome.classes) - 1, 1)
            said, truth = said[..., np.newaxis] * scale, truth[..., np.newaxis] * scale
        pictures = [_picture(each[0]) for each in (x, truth, said)]
        if len({each.shape[:1] for each in pictures}) > 1:
            return []
        gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
        row = np.concatenate([pictures[0], gap, pictures[1], gap, pictures[2]], axis=1)
        words = [f"{name} {value:.4g}" for name, value in zip(outcome.columns, outcome.rows[place], strict=True)
                 if name in ("iou", "psnr", "gain", "mae")]  # fmt: skip
        found.append(Shown(row, outcome.names(place), ", ".join(words)))
    return found


def gallery(classifier: Classifier, outcome: Outcome) -> Image | None:
    """The worst samples as one picture, if they are pictures."""
    shown = worst(classifier, outcome)
    if not shown:
        return None
    captions = [(each.measured, each.name.replace("\\", "/").rpartition("/")[2]) for each in shown]
    title = f"sample, truth, answer: the worst of {outcome.count:,}, {outcome.part} of {outcome.data}"
    return Image(labelled_grid([each.pixels for each in shown], captions, columns=3, title=title, side=240))


def _picture(values: Array) -> NDArray[np.uint8]:
    """One sample (H, W, C), or the middle plane of (D, H, W, C), as RGB bytes."""
    plane = values[len(values) // 2] if values.ndim == 4 else values
    plane = plane if plane.shape[-1] in (1, 3) else plane.mean(axis=-1, keepdims=True)
    if plane.dtype != np.uint8:
        low, high = min(float(plane.min()), 0.0), max(float(plane.max()), 1.0)
        plane = np.rint((plane - low) / (high - low) * 255).astype(np.uint8)
    return plane if plane.shape[-1] == 3 else plane.repeat(3, axis=-1)
