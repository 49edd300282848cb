"""Labelled pictures in an engine's processes: opened and prepared there, and sent to the network there."""

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

from convcli.datasets.picture_files import PictureFiles, Run
from convcli.datasets.preprocessing import Preprocessing
from convcli.engines import Engine
from convcli.errors import DataError, ModelError
from convcli.jobs.classifier import Array, Classifier
from convcli.jobs.predict_many import loaded
from convcli.jobs.spread import DEAD, Flight, Group, pictures_per_task


def opened_on(paths: Sequence[Path], rule: Preprocessing, engine: Engine) -> Iterator[Run]:
    """Picture files as `PictureFiles.load` opens them.

    Those come last whose processes died: each is tried once more by itself. Raises `DataError` where it is in vain.
    """
    each = pictures_per_task(len(paths), engine.workers)
    dead = yield from _opened(paths, rule, engine, each, range(0, len(paths), each))
    alone = [place for first in dead for place in range(first, min(first + each, len(paths)))]
    dead = yield from _opened(paths, rule, engine, 1, alone)
    if dead:
        raise DataError(f"{paths[dead[0]]}: {DEAD}")


def _opened(
    paths: Sequence[Path], rule: Preprocessing, engine: Engine, each: int, starts: Sequence[int]
) -> Generator[Run, None, list[int]]:
    """So many paths from each start on; returns the starts of those whose processes died."""
    groups = (Group(first, [path.absolute() for path in paths[first : first + each]], None) for first in starts)
    flight = Flight(engine, partial(_open, rule))
    for group, done in flight.run(groups):
        if done.error is not None:
            raise done.error
        yield group.number, *done.value
    return [group.number for group in flight.dead]


def _open(rule: Preprocessing, paths: list[Path]) -> tuple[PictureFiles, Array, Array]:
    files = PictureFiles(paths)
    return files, *files.load(rule)


def logits_on(classifier: Classifier, images: Array, batch_size: int, engine: Engine) -> Iterator[Array]:
    """As `Classifier.logits`, batch by batch; the images are sent there."""
    starts = range(0, len(images), batch_size)
    groups = (Group(number, images[start : start + batch_size], None) for number, start in enumerate(starts))
    flight = Flight(engine, partial(_logits, str(classifier.path.absolute())))
    for _, done in flight.run(groups):
        if done.error is not None:
            raise done.error
        yield done.value
        if flight.dead:
            break
    if flight.dead:
        raise ModelError(f"{classifier.path}: {DEAD.replace('it', 'its pictures')}; try with fewer: --batch-size")


def _logits(model: str, images: Array) -> Array:
    return next(loaded(model).logits(images, len(images)))
