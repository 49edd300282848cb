"""What pictures and arrays show: read, prepared as the network was trained, all through it in batches.

Worker threads decode and prepare; exactly one thread, the caller's, runs the network. One bad file does not stop the
rest.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.datasets.outside import holds_samples, read_samples
from convcli.datasets.pictures import check_values, on_white
from convcli.datasets.samples import are_pictures
from convcli.datasets.strokes import Box
from convcli.errors import ConvcliError, ImageError
from convcli.images import MAX_PIXELS, Image, read
from convcli.images.turns import Turn, Turns
from convcli.jobs.batch import failed
from convcli.jobs.classifier import NOT_FINITE, Classifier, percent
from convcli.jobs.documents import table_text
from convcli.jobs.tasks import STREAM, Task
from convcli.views.grid import enlarged, labelled_grid

See = Callable[[Turn, Classifier, str], list["Prediction"]]

BATCH = 64  # pictures through the network at a time; few enough that results appear while others are being decoded
MOST_SHOWN = 400  # pictures on a sheet
_WORKERS = 4
_COLUMNS = 8
_LARGE = 280  # pixels: the side of one picture shown alone


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one sample shows, or why that is not known.

    Parameters
    ----------
    file:
        As it was named; of a file with many samples with the place of this one: ``x.npy[3]``.
    top:
        Classes and their probabilities, 0..1, the likeliest first; empty if the picture could not be used.
    seen:
        (H, W, C) float32 of 0..1: the picture as the network saw it; None if there is none.
    box:
        Of one of several digits: top, left, bottom and right in the picture.
    shares:
        The probability of each class, in the classes' order.
    error:
        One line, if the picture could not be used.
    warnings:
        About the file.
    """

    file: str
    top: tuple[tuple[str, float], ...] = ()
    seen: NDArray[np.float32] | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    box: Box | None = None
    shares: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; only of a picture that could be used."""
        (label, probability), *_ = self.top
        place = {}
        if self.box is not None:
            top, left, bottom, right = self.box
            place = {"box": {"left": left, "top": top, "width": right - left, "height": bottom - top}}
        return {
            "file": self.file,
            **place,
            "label": label,
            "probability": probability,
            "top": [{"label": each, "probability": share} for each, share in self.top],
        }


def predict(
    classifier: Classifier,
    sources: Sequence[str],
    *,
    top: int = 3,
    batch_size: int = BATCH,
    max_pixels: int = MAX_PIXELS,
    stdin: BinaryIO | None = None,
    each: bool = False,
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[Prediction]:
    """Yield what each picture shows, in order.

    Parameters
    ----------
    classifier : Classifier
        From `load_classifier`.
    sources : sequence of str
        Picture files, or files of arrays; `STREAM` is ``stdin``.
    top : int
        How many classes are told, at most all.
    each : bool
        Whether a picture shows several digits, each of which is told.
    prepare : callable
        Runs once, before the network, while the first pictures are being decoded.

    Raises
    ------
    ConvcliError
        If ``top`` is below 1. Pictures that cannot be used do not raise: their prediction says why.
    """
    if top < 1:
        raise ConvcliError(f"top: got {top}, expected at least 1")
    if each and classifier.rule.kind != "digit":
        raise ConvcliError("each: got a model for whole pictures, expected one for digits, which are looked for")
    arrays = {source for source in sources if source != STREAM and holds_samples(source, classifier.rule)}
    for are_arrays, run in groupby(sources, lambda source: source in arrays):
        if are_arrays:
            for source in run:
                yield from _of_arrays(classifier, source, top, batch_size)
                prepare = _nothing
            continue
        see = partial(_see, max_pixels=max_pixels, stdin=stdin, each=each)
        yield from _of_pictures(classifier, list(run), top, batch_size, see, prepare)
        prepare = _nothing


def _of_arrays(classifier: Classifier, source: str, top: int, batch_size: int) -> Iterator[Prediction]:
    """What each sample of a file shows; one error for all."""
    try:
        samples, many = read_samples(source, classifier.rule)
    except (ConvcliError, OSError, MemoryError) as error:
        yield Prediction(source, error=failed(Task(source, STREAM), error).error)
        return
    for start in range(0, len(samples), batch_size):
        part = classifier.rule.scaled(samples[start : start + batch_size])
        names = [f"{source}[{start + place}]" if many else source for place in range(len(part))]
        told = _classify(classifier, [Prediction(name, seen=one) for name, one in zip(names, part, strict=True)], top)
        is_shown = are_pictures(samples)
        yield from (one if is_shown else replace(one, seen=None) for one in told)


def _of_pictures(
    classifier: Classifier, sources: Sequence[str], top: int, batch_size: int, see: See, prepare: Callable[[], None]
) -> Iterator[Prediction]:
    waiting = deque(sources)
    reading: deque[tuple[str, Future[list[Prediction]]]] = deque()
    turns = Turns()
    with ThreadPoolExecutor(min(_WORKERS, max(len(sources), 1)), thread_name_prefix="decode") as workers:
        try:
            while waiting or reading:
                # Prepared pictures are small, so a whole further batch may be waiting.
                while waiting and len(reading) < 2 * batch_size:
                    source = waiting.popleft()
                    reading.append((source, workers.submit(see, turns.next(), classifier, source)))
                prepare()
                prepare = _nothing
                batch = [reading.popleft() for _ in range(min(batch_size, len(reading)))]
                yield from _classify(classifier, [one for each in batch for one in _outcome(*each)], top)
        finally:
            turns.end()
            workers.shutdown(cancel_futures=True)


def seen_picture(predictions: Sequence[Prediction]) -> Image:
    """What the network saw: one picture enlarged, or a sheet of several with what they were taken for.

    A sheet shows the first 400.

    Raises `ConvcliError` if no picture could be used.
    """
    good = [each for each in predictions if each.seen is not None][:MOST_SHOWN]
    if not good:
        raise ConvcliError("show: no picture could be used, so there is nothing to show")
    pictures = [each.seen for each in good if each.seen is not None]
    if len(good) == 1:
        return Image(enlarged(pictures[0], _LARGE))
    names = _names([each.file for each in good])
    captions = [(f"{each.top[0][0]}  {percent(each.top[0][1])}", name) for each, name in zip(good, names, strict=True)]
    return Image(labelled_grid(pictures, captions, columns=_COLUMNS, side=112))


def boxed_pictures(predictions: Sequence[Prediction], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Pictures with a box around each digit that was found, and what it was taken for; several one below the other.

    Raises `ConvcliError` if no picture could be used.
    """
    from convcli.views.boxes import boxed, stacked

    found: dict[str, list[tuple[Box, str]]] = {}
    for each in predictions:
        if each.box is not None and each.top and each.file != STREAM and len(found) < MOST_SHOWN:
            found.setdefault(each.file, []).append((each.box, each.top[0][0]))
    if not found:
        raise ConvcliError("show: no picture could be used, so there is nothing to show")
    return Image(stacked([boxed(on_white(read(file, max_pixels=max_pixels)), boxes) for file, boxes in found.items()]))


def table_of(predictions: Sequence[Prediction], classes: Sequence[str]) -> bytes:
    """A table of what was told: file, box of several digits, label, probability, and the probability of each class."""
    return table_text(*rows_of(predictions, classes, boxes=any(each.box is not None for each in predictions)))


def rows_of(
    predictions: Sequence[Prediction], classes: Sequence[str], *, boxes: bool
) -> tuple[list[str], list[list[Any]]]:
    """The names of a table's columns, and its rows."""
    corners = ["left", "top", "width", "height"] if boxes else []
    rows = [
        [each.file, *each.as_dict().get("box", {}).values(), *each.top[0], *each.shares]
        for each in predictions
        if each.top
    ]
    return ["file", *corners, "label", "probability", *classes], rows


def _nothing() -> None:
    pass


def _see(
    turn: Turn, classifier: Classifier, source: str, *, max_pixels: int, stdin: BinaryIO | None, each: bool
) -> list[Prediction]:
    """One picture as the network takes it, or each of its digits, and what there is to say about its file."""
    try:
        if source == STREAM and stdin is None:
            raise ImageError("is not open")
        image = turn.run(read, stdin if source == STREAM and stdin is not None else source, max_pixels=max_pixels)
        if each:
            from convcli.datasets.several import find_digits

            said = (*image.warnings, *check_values(image))
            return [
                Prediction(source, seen=classifier.rule.scaled(one.pixels), warnings=said, box=one.box)
                for one in find_digits(image, classifier.rule)
            ]
        pixels, warnings = classifier.prepare(image)
    finally:
        turn.close()
    return [Prediction(source, seen=classifier.rule.scaled(pixels), warnings=warnings)]


def _outcome(source: str, future: "Future[list[Prediction]]") -> list[Prediction]:
    try:
        return future.result()
    except Exception as error:
        return [Prediction(source, error=failed(Task(source, STREAM), error).error)]


def _classify(classifier: Classifier, batch: Sequence[Prediction], top: int) -> Iterator[Prediction]:
    """Fill in what the pictures show that could be prepared."""
    pictures = [each.seen for each in batch if each.seen is not None]
    rows: Iterator[NDArray[Any]] = iter(())
    if pictures:
        rows = iter(classifier.outputs(np.stack(pictures)))
    for each in batch:
        if each.seen is None:
            yield each
            continue
        logits = next(rows)
        if not np.isfinite(logits).all():
            yield Prediction(each.file, error=f"{each.file}: {NOT_FINITE.format('it')}")
            continue
        (shares,) = classifier.probabilities(logits[None])
        order = np.argsort(-shares, kind="stable")[:top]
        best = tuple((classifier.classes[place], float(shares[place])) for place in order)
        yield Prediction(each.file, best, each.seen, "", each.warnings, each.box, tuple(shares.tolist()))


def _names(files: Sequence[str]) -> list[str]:
    """Names below the folder that all files are in, so that pictures of one name in two folders differ."""
    whole = [None if each == STREAM else Path(each).absolute() for each in files]
    base = os.path.commonpath([each.parent for each in whole if each] or [Path()])
    return ["stdin" if each is None else os.path.relpath(each, base).replace(os.sep, "/") for each in whole]
