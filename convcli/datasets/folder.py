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

from dataclasses import replace
from pathlib import Path

import numpy as np

from convcli.datasets.class_folders import find_classes
from convcli.datasets.files import load_files
from convcli.datasets.model import Array, Dataset, Split
from convcli.datasets.naming import TEST, TRAIN, VALIDATION
from convcli.datasets.pairs import load_pairs
from convcli.datasets.reading import AS_IT_IS, Reading
from convcli.datasets.sample_files import SUFFIXES
from convcli.datasets.tables import find_columns, read_files, read_labels, rows_of_parts, without_gaps
from convcli.datasets.targets import Labelled
from convcli.errors import DataError
from convcli.images.formats import suffix_of
from convcli.images.model import shown

_LOOK = 20  # labels that tell whether they name files


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
    columns, notes = find_columns(path, label, reading.labels), tuple[str, ...]()
    raw = read_labels(path, label, columns)
    if raw.dtype.kind == "U" and not np.char.str_len(raw).all() and reading.targets != "marks":
        columns, told = without_gaps(path, label, replace(columns, samples=()), marks=False)
        if reading.strict:
            raise DataError(f"{label}: {told}; expected none (--strict)")
        raw, notes = read_labels(path, label, columns), (f"{told}; left out",)
    files = read_files(path, label, columns)
    if _names_samples(path, raw):
        targets = [path.parent / each for each in raw.tolist()]
        parts = {
            part: [(files[row], targets[row]) for row in rows.tolist()]
            for part, rows in rows_of_parts(path, label, columns, len(files)).items()
        }
        names = tuple(columns.names[each] for each in columns.labels)
        return load_pairs(parts, reading, label, words=names, name=path.stem, notes=(*columns.note, *notes))
    loaded = load_files(files, reading, label)
    rows = {
        part: np.flatnonzero(np.isin(loaded.used, each))
        for part, each in rows_of_parts(path, label, columns, len(files)).items()
    }
    if not len(rows.get(TRAIN, ())):
        raise DataError(f"{label}: holds no file to train with, expected rows of the split train")
    labelled = Labelled(
        [raw[loaded.used[each]] for each in rows.values()], reading, label, loaded.rule.input_shape[:-1]
    )
    splits = {
        part: Split(loaded.samples[each], targets, tuple(str(files[place]) for place in loaded.used[each].tolist()))
        for (part, each), targets in zip(rows.items(), labelled.parts, strict=True) if len(each)
    }  # fmt: skip
    notes = (*columns.note, *notes, *loaded.notes)
    return Dataset(
        path.stem, splits[TRAIN], splits.get(TEST), labelled.classes, loaded.rule, str(path), notes,
        splits.get(VALIDATION), labelled.targets,
    )  # fmt: skip


def _names_samples(table: Path, labels: Array) -> bool:
    """Whether labels are names of files: of masks, or of pictures to learn."""
    if labels.dtype.kind != "U" or labels.ndim > 1:
        return False
    return all(
        suffix_of(each).lower() in SUFFIXES and (table.parent / each).is_file() for each in labels[:_LOOK].tolist()
    )
