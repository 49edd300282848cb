"""Picture files of a data set: gone through once for their sizes and colours, once for their pixels, by threads."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from convcli.datasets.model import Array, Bytes
from convcli.datasets.pictures import check_values, is_grey, on_white
from convcli.datasets.preprocessing import Prepared, Preprocessing
from convcli.errors import ConvcliError, DataError, kind_of
from convcli.images import Image, read
from convcli.images.turns import Turn, Turns

LONGEST_SIDE = 256
_KEPT = 1_000_000_000  # bytes of decoded pictures kept between the two passes, so that few are decoded twice
_WORKERS = 4


def usual_size(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The most common (height, width), of equally common ones the larger, scaled down to `LONGEST_SIDE`.

    >>> usual_size([(30, 20), (30, 20), (40, 40)]), usual_size([(3000, 2000)])
    ((30, 20), (256, 171))
    """
    counted = Counter(sizes)
    height, width = max(counted, key=lambda size: (counted[size], size[0] * size[1], size))
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


_Opening = tuple[Path, Turn, "Future[Prepared]"]


class PictureFiles:
    """Picture files that are gone through twice: for their sizes and colours, then for their pixels."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.bad: dict[Path, str] = {}
        self.kept: dict[Path, Bytes] = {}
        self.sizes: dict[Path, tuple[int, int]] = {}
        self.warnings: dict[str, list[Path]] = {}

    def survey(self) -> tuple[list[tuple[int, int]], bool]:
        """The size of each picture, and whether any shows a colour."""
        sizes = []
        any_colour = False
        room = _KEPT
        for path, pixels in self._each(_flat):
            sizes.append((pixels.shape[0], pixels.shape[1]))
            any_colour = any_colour or not is_grey(pixels)
            if pixels.nbytes <= room:
                self.kept[path] = pixels
                room -= pixels.nbytes
        return sizes, any_colour

    def load(self, rule: Preprocessing, elsewhere: "Elsewhere | None" = None) -> tuple[Bytes, Array]:
        """Pictures (N, height, width, channels), and the places among the paths of those that could be used."""
        if elsewhere is not None:
            return self._join(rule, elsewhere(self.paths, rule))
        places: dict[Path, deque[int]] = {}  # of which a table may name one twice
        for place, path in enumerate(self.paths):
            places.setdefault(path, deque()).append(place)
        images = np.empty((len(self.paths), rule.height, rule.width, rule.channels), np.uint8)
        used: list[int] = []
        for path, pixels in self._each(rule.prepare, rule.shaped):
            images[len(used)] = pixels
            used.append(places[path].popleft())
        return images[: len(used)], np.array(used, np.int64)

    def _join(self, rule: Preprocessing, runs: Iterable["Run"]) -> tuple[Bytes, Array]:
        images = np.empty((len(self.paths), rule.height, rule.width, rule.channels), np.uint8)
        is_good = np.zeros(len(self.paths), np.bool_)
        for first, files, pixels, used in runs:
            names = dict(zip(files.paths, self.paths[first : first + len(files.paths)], strict=True))
            images[first + used], is_good[first + used] = pixels, True
            self.sizes |= {names[path]: size for path, size in files.sizes.items()}
            self.bad |= {names[path]: text.replace(str(path), str(names[path])) for path, text in files.bad.items()}
            for text, paths in files.warnings.items():
                self.warnings.setdefault(text, []).extend(names[path] for path in paths)
        return images if is_good.all() else images[is_good], np.flatnonzero(is_good)

    def notes(self, rule: Preprocessing) -> tuple[str, ...]:
        """What the readers said, each kind of sentence once, and how much was cut off."""
        kinds: dict[str, list[tuple[Path, str]]] = {}
        for text, paths in self.warnings.items():
            kinds.setdefault(kind_of(text), []).extend((path, text) for path in set(paths))
        told = [
            f"{min(said)[0]}: {min(said)[1]}" + (f" (so have {len(said) - 1} more files)" if len(said) > 1 else "")
            for said in kinds.values()
        ]
        cut = {path: share for path in self.sizes if (share := rule.cut_off(*self.sizes[path]))}
        if cut:
            worst = max(cut, key=lambda path: cut[path])
            told.append(
                f"{len(cut):,} of {len(self.paths):,} pictures have another shape than {rule.height}x{rule.width}: "
                f"what stands over is cut off, the most, {cut[worst]:.0%}, of {worst}"
            )
        return tuple(told)

    def _each(
        self, prepare: Callable[[Image], Prepared], finish: Callable[[Bytes], Bytes] | None = None
    ) -> Iterator[tuple[Path, Bytes]]:
        """Every picture that can be used, in order, decoded by several threads; the others become ``bad``.

        What was kept from a first pass is finished instead of decoded again.
        """
        paths = [path for path in self.paths if path not in self.bad]
        turns = Turns()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as workers:
            try:
                # A few ahead at a time: results that wait are whole pictures.
                step = 4 * _WORKERS
                for start in range(0, len(paths), step):
                    batch: deque[_Opening] = deque()
                    for path in paths[start : start + step]:
                        turn = turns.next()
                        batch.append((path, turn, workers.submit(turn.run, self._open, path, prepare, finish)))
                    yield from self._in_turn(batch)
            finally:
                turns.end()

    def _in_turn(self, batch: "deque[_Opening]") -> Iterator[tuple[Path, Bytes]]:
        while batch:
            path, turn, future = batch.popleft()
            try:
                pixels, warnings = future.result()
                for text in warnings:
                    self.warnings.setdefault(text, []).append(path)
                yield path, pixels
            except (ConvcliError, OSError, MemoryError) as error:
                self.bad[path] = " ".join(str(error).split())
            finally:
                turn.close()

    def _open(
        self, path: Path, prepare: Callable[[Image], Prepared], finish: Callable[[Bytes], Bytes] | None
    ) -> Prepared:
        pixels = self.kept.get(path)
        if pixels is not None and finish is not None:
            return Prepared(finish(pixels), ())
        image = read(path)
        self.sizes[path] = image.pixels.shape[0], image.pixels.shape[1]
        try:
            return prepare(image)
        except ConvcliError as error:
            raise DataError(f"{path}: {error}") from error


# Neighbours among paths that were loaded by another process, perhaps under other names: the place of the first one, and
# what `PictureFiles.load` gave there.
Run = tuple[int, PictureFiles, Bytes, Array]
Elsewhere = Callable[[Sequence[Path], Preprocessing], Iterable[Run]]


def _flat(image: Image) -> Prepared:
    """A picture on white paper, in its own size and colours."""
    return Prepared(on_white(image), (*image.warnings, *check_values(image)))
