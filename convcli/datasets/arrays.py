"""A data set of arrays: .npz, .npy files side by side, IDX files of one's own, tables of numbers.

- Arrays are samples and targets under names that people use, of one split or several: ``x_train y_train x_test
  y_test``, ``train_images train_labels val_images val_labels``, ``images labels``, ``X y``, ``noisy clean``, in any
  case.
- Rows of a table are a label and numbers: pixels of a square, a series, or features. ``data_train.csv`` has its test
  set in ``data_test.csv`` beside it.
- Samples are (N, ...): what their axes are is decided by `samples`; what the targets are, by `targets`.
- What has the very pixels of a data set that convcli knows by name is that data set, its name and classes too.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from convcli.datasets.bundles import Parts, files_beside, folder_of_arrays, is_npy, npz_bundle, pair_in, read_parts
from convcli.datasets.class_folders import sub_folders
from convcli.datasets.idx import is_idx
from convcli.datasets.known import known_set
from convcli.datasets.model import Array, Dataset, Split
from convcli.datasets.naming import TEST, TRAIN, VALIDATION
from convcli.datasets.reading import AS_IT_IS, Reading
from convcli.datasets.samples import arranged, rule_for, take, told_of_shape
from convcli.datasets.tables import SUFFIXES as TABLES
from convcli.datasets.tables import Columns, find_columns, read_rows, rows_of_parts, says_nothing, without_gaps
from convcli.datasets.targets import Labelled
from convcli.errors import DataError
from convcli.images.model import shown

SUFFIXES = (".npz", ".npy", *TABLES)
_OTHERS = {
    TEST: {"train": ("test",), "training": ("testing", "test")},
    VALIDATION: {"train": ("val", "valid", "validation", "dev"), "training": ("validation", "val", "valid")},
}


def holds_arrays(path: Path) -> bool:
    """Whether a path is a file of arrays, or a folder of such files."""
    if path.is_dir():
        return folder_of_arrays(path) is not None or table_in(path) is not None
    return path.is_file() and (path.suffix.lower() in SUFFIXES or is_idx(path))


def load_arrays(path: Path, reading: Reading = AS_IT_IS) -> Dataset:
    """Read a data set of arrays.

    Parameters
    ----------
    path : Path
        The file or the folder; see above for what it holds.
    reading : Reading
        What is known about it.

    Raises
    ------
    DataError
        One line: no such file, damaged, no known names, other numbers of samples and labels, numbers that are none.
    """
    label = shown(path)
    try:
        parts, plain, notes, columns = _read(path, label, reading)
    except OSError as error:
        raise DataError(f"{label}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    for samples, targets in parts.values():
        counts = [len(each) if each.ndim else 0 for each in (samples, targets)]
        if counts[0] != counts[1] or not counts[0]:
            raise DataError(f"{label}: got {counts[0]:,} images and {counts[1]:,} labels, expected as many of both")
    names = list(parts)
    raw = [parts[name][0] for name in names]
    rule = reading.rule or rule_for(raw, label, _shape(reading, raw[0].shape[1:]), plain=plain)
    made = [take(each, rule, label) for each in raw]
    labelled = Labelled([parts[name][1] for name in names], reading, label, rule.input_shape[:-1], columns)
    splits = {name: Split(*each) for name, each in zip(names, zip(made, labelled.parts, strict=True), strict=True)}
    known = known_set(splits[TRAIN], labelled.classes) if labelled.targets == "classes" else None
    if reading.rule is None and reading.input is None:
        notes += told_of_shape(raw[0].shape[1:], rule)
    name, classes = (path.resolve().name if path.is_dir() else path.stem), labelled.classes
    if known is not None:
        name, classes, rule = known.name, known.classes, reading.rule or known.preprocessing
    test, validation = splits.get(TEST), splits.get(VALIDATION)
    return Dataset(name, splits[TRAIN], test, classes, rule, str(path), notes, validation, labelled.targets)


def table_in(folder: Path) -> Path | None:
    """The table of a folder without others in it that holds ``train.csv``, or no other table."""
    if sub_folders(folder):
        return None
    inside = [each for each in sorted(folder.iterdir()) if each.suffix.lower() in TABLES and each.is_file()]
    train = [each for each in inside if re.search("train", each.stem, re.IGNORECASE)]
    return (train or inside)[0] if len(train or inside) == 1 else None


def _read(path: Path, label: str, reading: Reading) -> tuple[Parts, bool, tuple[str, ...], tuple[str, ...]]:
    """Raw samples and targets of each split, whether samples are features, what is to be said, and labels' names."""
    if path.is_dir():
        bundle = folder_of_arrays(path)
        if bundle is not None:
            return read_parts(bundle, label), False, (), ()
        table = table_in(path)
        assert table is not None
        path, label = table, shown(table)
    if path.suffix.lower() in TABLES:
        return _read_tables(path, label, reading)
    if path.suffix.lower() == ".npz":
        with npz_bundle(path, label) as bundle:
            return read_parts(bundle, label), False, (), ()
    if reading.labels:
        return read_parts(pair_in(path, reading.labels), label), False, (), ()
    bundle = files_beside(path)
    if not bundle:
        kind = "y.npy" if is_npy(path) else "a file of labels"
        raise DataError(f"{label}: holds no labels, and {kind} does not lie beside it; name their file with --labels")
    return read_parts(bundle, label), False, (), ()


def _read_tables(path: Path, label: str, reading: Reading) -> tuple[Parts, bool, tuple[str, ...], tuple[str, ...]]:
    columns = find_columns(path, label, reading.labels)
    if not columns.samples:
        raise DataError(f"{label}: holds no column of numbers beside its labels, expected some, as in 0.5")
    columns, samples, targets, notes = _whole_rows(path, label, columns, reading)
    rows = rows_of_parts(path, label, columns, len(samples))
    if TRAIN not in rows:
        raise DataError(f"{label}: holds no rows to train with, expected the split train beside {', '.join(rows)}")
    parts = {part: (samples[each], targets[each]) for part, each in rows.items()}
    for part, file in _beside(path) if columns.splits is None else ():
        other = find_columns(file, shown(file), reading.labels)
        if replace(other, skipped=0) != replace(columns, skipped=0, lines=None):
            notes += (f"{shown(file)} has other columns than {path.name}, and is left out",)
            continue
        _, samples, targets, told = _whole_rows(file, shown(file), other, reading)
        parts[part] = samples, targets
        notes += (f"{shown(file)} is the {part} set", *told[len(other.note) :])
    return parts, columns.are_features, notes, tuple(columns.names[each] for each in columns.labels)


def _whole_rows(
    path: Path, label: str, columns: Columns, reading: Reading
) -> tuple[Columns, Array, Array, tuple[str, ...]]:
    """The rows of a table that lack no cell, and what is to be said; if strict, others stop everything."""
    try:
        samples, targets = read_rows(path, label, columns)
        texts = targets.reshape(-1).tolist() if targets.dtype.kind == "U" else []
        marks = reading.targets == "marks" or any("|" in each for each in texts)
        gaps, error = any(map(says_nothing, texts)), None
    except DataError as refused:
        gaps, marks, error = True, reading.targets == "marks", refused
    if not gaps:
        return columns, samples, targets, columns.note
    found, told = without_gaps(path, label, columns, marks=marks)
    if told and reading.strict:
        raise DataError(f"{label}: {told}; expected none (--strict)")
    if error is not None and not told:
        raise error
    notes = (*columns.note, *((f"{told}; left out",) if told else ()))
    return found, *read_rows(path, label, found), notes


def _beside(path: Path) -> Iterator[tuple[str, Path]]:
    """The files of the other splits: ``data_test.csv`` beside ``data_train.csv``."""
    for part, words in _OTHERS.items():
        for train, others in words.items():
            pattern = re.compile(rf"(?<![a-z]){train}(?![a-z])", re.IGNORECASE)
            for other in others if pattern.search(path.stem) else ():
                same = [pattern.sub(each, path.stem) + path.suffix for each in (other, other.upper(), other.title())]
                found = next((path.with_name(name) for name in same if path.with_name(name).is_file()), None)
                if found is not None:
                    yield part, found
                    break


def _shape(reading: Reading, size: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of samples of this size where it is known: as was said, or as a network wants rows of numbers."""
    if reading.input is not None:
        return reading.input
    hint = reading.hint
    fits = hint is not None and math.prod(hint) == math.prod(size) and arranged(size, hint) is not None
    return hint if fits else None
