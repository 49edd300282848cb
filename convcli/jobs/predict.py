"""What pictures show: read, prepared as the network was trained, all through it in batches.

Worker threads decode and prepare; exactly one thread, the caller's, runs the network. One bad file does not stop the
rest.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ConvcliError, ImageError
from convcli.images import MAX_PIXELS, Image, read
from convcli.images.turns import Turn, Turns
from convcli.jobs.batch import failed
from convcli.jobs.classifier import NOT_FINITE, Classifier, percent
from convcli.jobs.tasks import STREAM, Task
from convcli.views.grid import enlarged, labelled_grid

BATCH = 64  # pictures through the network at a time; few enough that results appear while others are being decoded
MOST_SHOWN = 400  # pictures on a sheet
_WORKERS = 4
_COLUMNS = 8
_LARGE = 280  # pixels: the side of one picture shown alone


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one picture shows, or why that is not known.

    Parameters
    ----------
    file:
        As it was named.
    top:
        Classes and their probabilities, 0..1, the likeliest first; empty if the picture could not be used.
    seen:
        (H, W, C) float32 of 0..1: the picture as the network saw it; None if there is none.
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; only of a picture that could be used."""
        (label, probability), *_ = self.top
        return {
            "file": self.file,
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
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[Prediction]:
    """Yield what each picture shows, in order.

    Parameters
    ----------
    classifier : Classifier
        From `load_classifier`.
    sources : sequence of str
        Picture files; `STREAM` is ``stdin``.
    top : int
        How many classes are told, at most all.
    prepare : callable
        Runs once, before the network, while the first pictures are being decoded.

    Raises
    ------
    ConvcliError
        If ``top`` is below 1. Pictures that cannot be used do not raise: their prediction says why.
    """
    if top < 1:
        raise ConvcliError(f"top: got {top}, expected at least 1")
    waiting = deque(sources)
    reading: deque[tuple[str, Future[tuple[NDArray[np.float32], tuple[str, ...]]]]] = deque()
    turns = Turns()
    with ThreadPoolExecutor(min(_WORKERS, max(len(sources), 1)), thread_name_prefix="decode") as workers:
        try:
            while waiting or reading:
                # Prepared pictures are small, so a whole further batch may be waiting.
                while waiting and len(reading) < 2 * batch_size:
                    source = waiting.popleft()
                    reading.append((source, workers.submit(_see, turns.next(), classifier, source, max_pixels, stdin)))
                prepare()
                prepare = _nothing
                batch = [reading.popleft() for _ in range(min(batch_size, len(reading)))]
                yield from _classify(classifier, [_outcome(*each) for each in batch], top)
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


def _nothing() -> None:
    pass


def _see(
    turn: Turn, classifier: Classifier, source: str, max_pixels: int, stdin: BinaryIO | None
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """One picture as the network takes it, and what there is to say about its file."""
    try:
        if source == STREAM and stdin is None:
            raise ImageError("is not open")
        image = turn.run(read, stdin if source == STREAM and stdin is not None else source, max_pixels=max_pixels)
        pixels, warnings = classifier.prepare(image)
    finally:
        turn.close()
    return classifier.rule.scaled(pixels), warnings


def _outcome(source: str, future: "Future[tuple[NDArray[np.float32], tuple[str, ...]]]") -> Prediction:
    try:
        seen, warnings = future.result()
    except Exception as error:
        return Prediction(source, error=failed(Task(source, STREAM), error).error)
    return Prediction(source, seen=seen, warnings=warnings)


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
        yield Prediction(each.file, best, each.seen, "", each.warnings)


def _names(files: Sequence[str]) -> list[str]:
    """Names below the folder that all files are in, so that pictures of one name in two folders differ."""
    whole = [None if each == STREAM else Path(each).absolute() for each in files]
    base = os.path.commonpath([each.parent for each in whole if each] or [Path()])
    return ["stdin" if each is None else os.path.relpath(each, base).replace(os.sep, "/") for each in whole]
