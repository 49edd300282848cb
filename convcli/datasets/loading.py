"""`load`: a data set by its name, a folder of pictures, or a file of arrays; found, fetched, checked, in memory."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.datasets.arrays import SUFFIXES, holds_arrays, load_arrays
from convcli.datasets.downloading import Reports, download
from convcli.datasets.folder import load_folder, load_list
from convcli.datasets.model import Dataset, Split
from convcli.datasets.paired_folders import find_pairs, pairs_of_two
from convcli.datasets.pairs import load_pairs
from convcli.datasets.places import explain_absence, read_folder, read_set
from convcli.datasets.reading import Reading
from convcli.datasets.registry import ENTRIES, Entry, find_entry
from convcli.datasets.sample_files import SUFFIXES as SAMPLES
from convcli.datasets.tables import SUFFIXES as TABLES
from convcli.datasets.tables import names_files
from convcli.errors import DataError, missing, shortened, suggestion


def load(
    source: str | Path,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    reports: Reports | None = None,
    **said: Any,
) -> Dataset:
    """Load a data set whole into memory.

    Parameters
    ----------
    source : str or Path
        ``mnist fashion-mnist kmnist cifar10 digits``, a folder with one sub-folder of samples per class, or files of
        arrays: .npz, .npy, .csv, IDX. A folder that has one of these names is meant by ``./mnist``.
    data_dir : str or Path, optional
        Where to look for data files first; then in CONVCLI_DATA_DIR and in the user's cache.
    offline : bool
        Never download.
    reports : Reports, optional
        What is called while files are downloaded.
    **said
        What `Reading` has: ``labels``, ``input``, ``size``, ``channels``, ``rule``, ``validation``, ``strict`` ...; of
        data sets with a name ``validation`` only.

    Returns
    -------
    Dataset
        Samples (N, ..., C), their targets, class names and preprocessing.

    Raises
    ------
    DataError
        One line: an unknown name; files that are nowhere (which ones to put where), damaged or foreign.

    Examples
    --------
    >>> load("digits").train.images.shape
    (1437, 8, 8, 1)
    """
    reading = Reading(**said)
    entry = find_entry(source) if isinstance(source, str) else None
    if entry is not None and (reading.labels or reading.input):
        word = "labels" if reading.labels else "input"
        raise DataError(f"{word}: got {getattr(reading, word)}, but {entry.name} comes with its own; leave it out")
    found = _load_files(source, reading) if entry is None else _load_entry(entry, data_dir, offline, reports)
    return _with_validation(found, reading) if reading.validation else found


def _load_files(source: str | Path, reading: Reading) -> Dataset:
    """A folder, or files of arrays."""
    path = Path(source)
    if path.is_file() and path.suffix.lower() in TABLES and names_files(path, reading.labels):
        return load_list(path, reading)
    if path.exists() and holds_arrays(path):
        return load_arrays(path, reading)
    if path.is_dir():
        return _load_folder(path, reading)
    if path.is_file():
        raise DataError(f"data set: got {path}, expected a folder, or a file ending in {' '.join(SUFFIXES)}, or IDX")
    if str(source).endswith(("/", os.sep)):
        raise DataError(missing(source))
    near = suggestion(str(source), tuple(ENTRIES))
    known = ", ".join(ENTRIES)
    raise DataError(
        f"data set: got {source}, expected one of {known}, a folder of classes, or a file of arrays: "
        f"{', '.join(SUFFIXES)}, IDX{near}"
    )


def _load_folder(path: Path, reading: Reading) -> Dataset:
    """Pairs of files, where folders are called so and their files go together; else a folder of classes."""
    found, label = None, str(path)
    if reading.labels and Path(reading.labels).is_dir():
        found = pairs_of_two(path, Path(reading.labels), SAMPLES, strict=reading.strict)
    elif reading.targets in (None, "masks", "arrays"):
        found = find_pairs(path, SAMPLES, sure=reading.targets is not None, strict=reading.strict)
    if found is None:
        return load_folder(path, reading)
    return load_pairs(found.parts, reading, label, words=found.targets, notes=found.notes)


def _with_validation(found: Dataset, reading: Reading) -> Dataset:
    """A data set whose validation lies elsewhere, in a folder or a file that is read as the training samples were."""
    column = reading.labels if Path(found.origin).suffix.lower() in TABLES else ""  # else it is the file of labels
    said = replace(
        reading, validation="", labels=column, rule=found.preprocessing, classes=found.classes, targets=found.targets
    )
    other = _load_files(reading.validation, said)
    held = placed(other.train, other.classes, found.classes, reading.validation) if found.classes else other.train
    if held.labels.shape[1:] != found.train.labels.shape[1:]:
        raise DataError(f"{reading.validation}: holds other targets than {found.origin}")
    return replace(found, validation=held, notes=(*found.notes, *other.notes))


def placed(split: Split, classes: tuple[str, ...], among: tuple[str, ...], label: str) -> Split:
    """A split whose labels are places in other classes, which have to hold its own; raises `DataError` if not."""
    if classes == among or (split.labels.ndim > 1 and len(classes) == len(among)):
        return split
    strange = [each for each in classes if each not in among]
    if strange:
        known = ", ".join(among[:10]) + (" ..." if len(among) > 10 else "")
        raise DataError(f"{label}: got the class {shortened(strange[0])}, expected one of {known}")
    places = np.array([among.index(each) for each in classes], np.int64)
    return replace(split, labels=places[split.labels])


def fetch(
    name: str,
    *,
    data_dir: str | Path | None = None,
    target: str | Path | None = None,
    offline: bool = False,
    reports: Reports | None = None,
) -> Path:
    """Make sure that a data set is on this machine, downloading it if need be, and return its folder.

    Parameters
    ----------
    name : str
        Of the registry.
    data_dir : str or Path, optional
        Where to look first.
    target : str or Path, optional
        A folder to download into, in a sub-folder of the data set's name, instead of the user's cache; what lies
        elsewhere is then not looked for.
    offline, reports
        As for `load`.

    Raises
    ------
    DataError
        For an unknown name, or if it can neither be found nor be downloaded.
    """
    entry = named(name)
    if target is not None and not entry.ships:
        if offline:
            raise DataError(f"{entry.name}: got both offline and a folder to download into, expected one of them")
        return download(entry, Path(target) / entry.name, reports)
    found = read_set(entry, data_dir)
    if found.folder is not None:
        return found.folder
    if offline:
        raise explain_absence(entry, data_dir, found.problems, "downloading is forbidden (offline)")
    return download(entry, reports=reports, problems=found.problems)


def named(name: str) -> Entry:
    """The data set of the registry that is called so.

    Raises `DataError` for an unknown name, listing the known.
    """
    entry = find_entry(name)
    if entry is None:
        near = suggestion(name, tuple(ENTRIES))
        raise DataError(f"data set: got {name}, expected one of {', '.join(ENTRIES)}{near}")
    return entry


def _load_entry(entry: Entry, data_dir: str | Path | None, offline: bool, reports: Reports | None) -> Dataset:
    found = read_set(entry, data_dir)
    folder, contents = found.folder, found.value
    if folder is None or contents is None:
        if offline:
            raise explain_absence(entry, data_dir, found.problems, "downloading is forbidden (offline)")
        folder = download(entry, reports=reports, problems=found.problems)
        contents = read_folder(entry, folder)
    train, test, notes = contents
    passed_over = tuple(f"passed over: {each}" for each in found.problems)
    return Dataset(entry.name, train, test, entry.classes, entry.preprocessing, str(folder), (*notes, *passed_over))
