"""A folder with one sub-folder of samples per class, or a table of files and labels, as a data set.

The rules, all of which the documentation states:

- Which folders are classes and splits is decided by `class_folders`.
- Samples are pictures, or arrays: sounds, series, volumes. What most files are, the data set is; others are foreign.
- The size of pictures is the most common (height, width), of equally common ones the larger; if its longer side exceeds
  256 it is scaled down to that. Other pictures are scaled until they fill it, and what stands over is cut off at both
  sides. Everything is grey if no picture shows a colour, else RGB. What is transparent shows white paper.
- Arrays have their most common shape; others are cut off or filled up with zeros at both ends.
- A sample takes the very way that a single one takes later, and what its reader says of it is a note.
- Files that cannot be used are left out, named and counted; if strict, they are reported, all in one error.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.class_folders import find_classes
from convcli.datasets.model import Array, Dataset, Split
from convcli.datasets.naming import TEST, TRAIN, VALIDATION
from convcli.datasets.picture_files import PictureFiles, usual_size
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.reading import AS_IT_IS, Reading
from convcli.datasets.sample_files import SUFFIXES, Carrier, carrier_of, fit, read_sample, usual_shape
from convcli.datasets.samples import rule_for, take
from convcli.datasets.tables import find_columns, read_files, read_labels
from convcli.datasets.targets import Labelled
from convcli.errors import ConvcliError, DataError
from convcli.images.model import shown

LARGEST = 8_000_000_000  # bytes of all samples together; they are held in memory
_LISTED = 5  # files that a note or an error names
_LOOK = 200  # files that tell what a folder holds


@dataclass(frozen=True, eq=False)
class Loaded:
    """Samples of files: which files could be used, how they were prepared, and what is to be said."""

    samples: Array
    used: Array
    rule: Preprocessing
    notes: tuple[str, ...]


def load_folder(folder: Path, reading: Reading = AS_IT_IS) -> Dataset:
    """Read a folder of classes.

    Parameters
    ----------
    folder : Path
        Its sub-folders are the classes, or splits with the classes inside.
    reading : Reading
        What is known about it: ``size`` and ``channels`` instead of the usual, or a ``rule`` instead of both.

    Raises
    ------
    DataError
        One line: no or one class, files of which none can be used, more than memory holds.
    """
    found = find_classes(folder, SUFFIXES)
    others = found.notes(strict=reading.strict)
    names = [name for name in (TRAIN, VALIDATION, TEST) if name in found.parts]
    files = [labelled for name in names for labelled in found.parts[name]]
    loaded = load_files([path for path, _ in files], reading, str(folder))
    labels = np.array([label for _, label in files], np.int64)[loaded.used]
    part = np.repeat(np.arange(len(names)), [len(found.parts[name]) for name in names])[loaded.used]
    paths = [str(files[place][0]) for place in loaded.used.tolist()]
    splits = {}
    for place, name in enumerate(names):
        here = np.flatnonzero(part == place)  # one run, since files are in the splits' order
        run = slice(here[0], here[-1] + 1) if len(here) else slice(0, 0)
        splits[name] = Split(loaded.samples[run], labels[run], tuple(paths[run]))
    if len(np.unique(splits[TRAIN].labels)) < 2:
        raise DataError(f"{folder}: of one class or none a file can be used, expected two or more")
    name = folder.resolve().name
    notes = (*loaded.notes, *others)
    return Dataset(
        name, splits[TRAIN], splits.get(TEST), found.classes, loaded.rule, str(folder), notes, splits.get(VALIDATION)
    )


def load_list(path: Path, reading: Reading = AS_IT_IS) -> Dataset:
    """Read a table whose rows name a file and say its label."""
    label = shown(path)
    columns = find_columns(path, label, reading.labels)
    files, raw = read_files(path, label, columns), read_labels(path, label, columns)
    loaded = load_files(files, reading, label)
    labelled = Labelled([raw[loaded.used]], reading, label, loaded.rule.input_shape[:-1])
    names = tuple(str(files[place]) for place in loaded.used.tolist())
    split = Split(loaded.samples, labelled.parts[0], names)
    notes = (*columns.note, *loaded.notes)
    return Dataset(
        path.stem, split, None, labelled.classes, loaded.rule, str(path), notes, targets=labelled.targets
    )  # fmt: skip


def load_files(paths: list[Path], reading: Reading, label: str) -> Loaded:
    """The samples of files, prepared as a rule says, or as most of them are."""
    carriers = [carrier_of(path) for path in paths] if reading.rule is None else []
    carrier = _carrier(reading, carriers)
    foreign = {path: f"{path}: is no {carrier}" for path, each in zip(paths, carriers, strict=False) if each != carrier}
    foreign = {} if reading.input is not None else foreign
    fair = [path for path in paths if path not in foreign]
    load = _load_pictures if carrier == "picture" else _load_arrays
    loaded, bad = load(fair, reading, label)
    bad = foreign | bad
    if bad and (reading.strict or len(bad) == len(paths)):
        raise DataError(_told(bad, len(paths), "cannot be read"))
    places = {path: place for place, path in enumerate(paths)}
    used = np.array([places[fair[place]] for place in loaded.used.tolist()], np.int64)
    notes = (*loaded.notes, _told(bad, len(paths), "are left out")) if bad else loaded.notes
    return replace(loaded, used=used, notes=notes)


def _carrier(reading: Reading, carriers: Sequence[Carrier]) -> Carrier:
    if reading.rule is not None:
        return "picture" if reading.rule.takes_pictures else "array"
    if reading.input is not None and (len(reading.input) != 3 or reading.input[2] not in (1, 3)):
        return "array"
    return Counter(carriers).most_common(1)[0][0]


def _load_pictures(paths: list[Path], reading: Reading, label: str) -> tuple[Loaded, dict[Path, str]]:
    pictures = PictureFiles(paths)
    size, channels, rule = reading.size, reading.channels, reading.rule
    if reading.input is not None and rule is None:
        size, channels = (reading.input[0], reading.input[1]), reading.input[2]
    if rule is not None:
        size, channels = (rule.height, rule.width), rule.channels
    if size is None or channels is None:
        sizes, any_colour = pictures.survey()
        size = size or usual_size(sizes or [(1, 1)])
        channels = channels or (3 if any_colour else 1)
    plain = Preprocessing("picture", size[0], size[1], channels)
    _check_size(label, len(paths), (*size, channels), 1)
    images, used = pictures.load(rule or plain)
    return Loaded(images, used, rule or plain, pictures.notes(rule or plain)), pictures.bad


def _load_arrays(paths: list[Path], reading: Reading, label: str) -> tuple[Loaded, dict[Path, str]]:
    samples, used, bad = [], [], {}
    for place, path in enumerate(paths):
        try:
            samples.append(read_sample(path))
            used.append(place)
        except (ConvcliError, OSError, MemoryError) as error:
            bad[path] = " ".join(str(error).split())
    if not samples:
        raise DataError(_told(bad, len(paths), "cannot be read"))
    rule = reading.rule
    shape = rule.input_shape if rule is not None else reading.input or usual_shape(samples)
    _check_size(label, len(samples), shape, samples[0].dtype.itemsize)
    fitted, kept, changed = [], [], 0
    for place, sample in zip(used, samples, strict=True):
        try:
            made = fit(sample, shape)
        except DataError as error:
            bad[paths[place]] = f"{paths[place]}: {error}"
            continue
        changed += made is not sample
        fitted.append(made)
        kept.append(place)
    if not fitted:
        raise DataError(_told(bad, len(paths), "cannot be read"))
    raw = np.stack(fitted)
    rule = rule or rule_for([raw], label, reading.input)
    notes = (
        (f"{changed:,} of {len(paths):,} files have another shape than {shape}: cut off, or filled with zeros",)
        if changed
        else ()
    )
    return Loaded(take(raw, rule, label), np.array(kept, np.int64), rule, notes), bad


def _check_size(label: str, count: int, shape: Sequence[int], itemsize: int) -> None:
    needed = count * int(np.prod(shape, dtype=object)) * itemsize
    size = "x".join(map(str, shape))
    if needed > LARGEST:
        raise DataError(
            f"{label}: {count:,} samples of {size} take {needed / 1e9:.1f} GB, expected "
            f"at most {LARGEST / 1e9:.0f} GB; use fewer or smaller ones"
        )
    check_memory(needed, f"{label}: got {count:,} samples of {size}", DataError)


def _told(bad: dict[Path, str], count: int, what: str) -> str:
    listed = "; ".join(list(bad.values())[:_LISTED])
    more = f"; and {len(bad) - _LISTED} more" if len(bad) > _LISTED else ""
    return f"{len(bad)} of {count} pictures {what}: {listed}{more}"
