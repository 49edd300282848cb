"""A folder with one sub-folder of pictures per class, as a data set.

The rules, all of which the documentation states:

- Classes are the sub-folders, sorted by name; hidden files and folders are left out, and so are files whose suffix is
  not a picture's; a note counts them by kind. Pictures lie directly in their class's folder. If the folder holds
  exactly ``train`` and ``test``, each with the same sub-folders, these are the two splits.
- The size is the most common (height, width), of equally common ones the larger; if its longer side exceeds 256 it is
  scaled down to that. Other pictures are scaled until they fill it, and what stands over is cut off at both sides.
- Everything is grey if no picture shows a colour, else RGB. What is transparent shows white paper.
- A picture takes the very way that `Preprocessing` takes a single one, and what its reader says of it is a note.
- Every picture that cannot be used is reported, all in one error.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.model import Bytes, Dataset, Split
from convcli.datasets.pictures import check_values, is_grey, on_white
from convcli.datasets.preprocessing import Prepared, Preprocessing
from convcli.datasets.reading import AS_IT_IS, Reading
from convcli.errors import ConvcliError, DataError, kind_of
from convcli.images import READABLE_SUFFIXES, Image, read
from convcli.images.folders import files_in, left_out_text
from convcli.images.turns import Turn, Turns

LONGEST_SIDE = 256
LARGEST = 8_000_000_000  # bytes of all pictures together; they are held in memory
_KEPT = 1_000_000_000  # bytes of decoded pictures kept between the two passes, so that few are decoded twice
_WORKERS = 4
_LISTED = 5  # unreadable files that an error names

Labelled = tuple[Path, int]


def load_folder(folder: Path, reading: Reading = AS_IT_IS) -> Dataset:
    """Read a folder of classes.

    Parameters
    ----------
    folder : Path
        Its sub-folders are the classes, or ``train`` and ``test`` with the classes inside.
    reading : Reading
        What is known about it: ``size`` and ``channels`` instead of the usual, or a ``rule`` instead of both.

    Raises
    ------
    DataError
        One line: no or one class, a class without pictures, pictures that cannot be read, more than memory holds.
    """
    parts, classes, left_out = _find_parts(folder)
    files = [labelled for part in parts for labelled in part]
    pictures = _Pictures([path for path, _ in files])
    size, channels, rule = reading.size, reading.channels, reading.rule
    if rule is not None:
        size, channels = (rule.height, rule.width), rule.channels
    if size is None or channels is None:
        sizes, any_colour = pictures.survey()
        size = size or usual_size(sizes)
        channels = channels or (3 if any_colour else 1)
    plain = Preprocessing("picture", size[0], size[1], channels)
    needed = len(files) * size[0] * size[1] * channels
    if needed > LARGEST:
        raise DataError(
            f"{folder}: {len(files):,} pictures of {size[0]}x{size[1]}x{channels} take {needed / 1e9:.1f} GB, expected "
            f"at most {LARGEST / 1e9:.0f} GB; use fewer or smaller pictures"
        )
    check_memory(needed, f"{folder}: got {len(files):,} pictures of {size[0]}x{size[1]}x{channels}", DataError)
    images = pictures.load(rule or plain)
    labels = np.array([label for _, label in files], np.int64)
    count = len(parts[0])
    train = Split(images[:count], labels[:count])
    test = Split(images[count:], labels[count:]) if len(parts) == 2 else None
    rule = rule or plain
    notes = (f"{folder}: left out: {left_out_text(left_out, '')}",) if left_out else ()
    return Dataset(folder.resolve().name, train, test, classes, rule, str(folder), (*pictures.notes(rule), *notes))


def usual_size(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The most common (height, width), of equally common ones the larger, scaled down to `LONGEST_SIDE`.

    >>> usual_size([(30, 20), (30, 20), (40, 40)]), usual_size([(3000, 2000)])
    ((30, 20), (256, 171))
    """
    counted = Counter(sizes)
    height, width = max(counted, key=lambda size: (counted[size], size[0] * size[1], size))
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _find_parts(folder: Path) -> tuple[list[list[Labelled]], tuple[str, ...], Counter[str]]:
    """The files of each split with their labels, the classes, and what is left out."""
    inside = _sub_folders(folder)
    if {each.name for each in inside} == {"train", "test"}:
        names = [tuple(each.name for each in _sub_folders(folder / part)) for part in ("train", "test")]
        if names[0] != names[1]:
            odd = sorted(set(names[0]) ^ set(names[1]))
            raise DataError(f"{folder}: the class {odd[0]} is in one of train and test only, expected the same classes")
        classes, roots = names[0], [folder / "train", folder / "test"]
    else:
        classes, roots = tuple(each.name for each in inside), [folder]
    for name in classes:
        if not name.isprintable():
            raise DataError(f"{folder}: got a class named {name!r}, expected characters that can be printed; rename it")
    if len(classes) < 2:
        got = f"one class, {classes[0]}" if classes else "no sub-folder"
        raise DataError(f"{folder}: got {got}, expected a sub-folder of pictures for each of two or more classes")
    left_out: Counter[str] = Counter()
    for place in dict.fromkeys((folder, *roots)):
        files_in(place, (), left_out)
    del left_out["folder"]  # the classes, and the splits
    parts = [
        [(path, label) for label, name in enumerate(classes) for path in _pictures_in(root / name, left_out)]
        for root in roots
    ]
    return parts, classes, left_out


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _pictures_in(folder: Path, left_out: Counter[str]) -> list[Path]:
    found = [Path(each) for each in files_in(folder, READABLE_SUFFIXES, left_out)]
    if not found:
        raise DataError(f"{folder}: holds no picture, expected files ending in {' '.join(READABLE_SUFFIXES)}")
    return found


_Opening = tuple[Path, Turn, "Future[Prepared]"]


class _Pictures:
    """Picture files that are gone through twice: for their sizes and colours, then for their pixels."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.kept: dict[Path, Bytes] = {}
        self.sizes: dict[Path, tuple[int, int]] = {}
        self.warnings: dict[str, list[Path]] = {}

    def survey(self) -> tuple[list[tuple[int, int]], bool]:
        """The size of each picture, and whether any shows a colour."""
        sizes = []
        any_colour = False
        room = _KEPT
        for path, pixels in zip(self.paths, self._each(_flat), strict=True):
            sizes.append((pixels.shape[0], pixels.shape[1]))
            any_colour = any_colour or not is_grey(pixels)
            if pixels.nbytes <= room:
                self.kept[path] = pixels
                room -= pixels.nbytes
        return sizes, any_colour

    def load(self, rule: Preprocessing) -> Bytes:
        """All pictures as (N, height, width, channels)."""
        images = np.empty((len(self.paths), rule.height, rule.width, rule.channels), np.uint8)
        for place, pixels in enumerate(self._each(rule.prepare, rule.shaped)):
            images[place] = pixels
        return images

    def notes(self, rule: Preprocessing) -> tuple[str, ...]:
        """What the readers said, each kind of sentence once, and how much was cut off."""
        kinds: dict[str, list[tuple[Path, str]]] = {}
        for text, paths in self.warnings.items():
            kinds.setdefault(kind_of(text), []).extend((path, text) for path in set(paths))
        told = [
            f"{min(said)[0]}: {min(said)[1]}" + (f" (so have {len(said) - 1} more files)" if len(said) > 1 else "")
            for said in kinds.values()
        ]
        cut = {path: share for path in self.paths if (share := rule.cut_off(*self.sizes[path]))}
        if cut:
            worst = max(cut, key=lambda path: cut[path])
            told.append(
                f"{len(cut):,} of {len(self.paths):,} pictures have another shape than {rule.height}x{rule.width}: "
                f"what stands over is cut off, the most, {cut[worst]:.0%}, of {worst}"
            )
        return tuple(told)

    def _each(
        self, prepare: Callable[[Image], Prepared], finish: Callable[[Bytes], Bytes] | None = None
    ) -> Iterator[Bytes]:
        """Every picture in order, decoded by several threads; raises one `DataError` about all that fail.

        What was kept from a first pass is finished instead of decoded again.
        """
        problems: list[str] = []
        turns = Turns()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode") as workers:
            try:
                # A few ahead at a time: results that wait are whole pictures.
                step = 4 * _WORKERS
                for start in range(0, len(self.paths), step):
                    batch: deque[_Opening] = deque()
                    for path in self.paths[start : start + step]:
                        turn = turns.next()
                        batch.append((path, turn, workers.submit(turn.run, self._open, path, prepare, finish)))
                    yield from self._in_turn(batch, problems)
            finally:
                turns.end()
        if problems:
            more = f"; and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
            listed = "; ".join(problems[:_LISTED])
            raise DataError(f"{len(problems)} of {len(self.paths)} pictures cannot be read: {listed}{more}")

    def _in_turn(self, batch: "deque[_Opening]", problems: list[str]) -> Iterator[Bytes]:
        while batch:
            path, turn, future = batch.popleft()
            try:
                pixels, warnings = future.result()
                for text in warnings:
                    self.warnings.setdefault(text, []).append(path)
                if not problems:
                    yield pixels
            except (ConvcliError, OSError, MemoryError) as error:
                problems.append(" ".join(str(error).split()))
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


def _flat(image: Image) -> Prepared:
    """A picture on white paper, in its own size and colours."""
    return Prepared(on_white(image), (*image.warnings, *check_values(image)))
