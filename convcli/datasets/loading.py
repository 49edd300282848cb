"""`load`: a data set by its name, a folder of pictures, or a file of arrays; found, fetched, checked, in memory."""

import os
from pathlib import Path

from convcli.datasets.arrays import SUFFIXES, load_arrays
from convcli.datasets.downloading import Reports, download
from convcli.datasets.folder import load_folder
from convcli.datasets.model import Dataset
from convcli.datasets.places import explain_absence, read_folder, read_set
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.registry import ENTRIES, Entry, find_entry
from convcli.errors import DataError, missing, suggestion


def load(
    source: str | Path,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    rule: Preprocessing | None = None,
    reports: Reports | None = None,
) -> Dataset:
    """Load a data set whole into memory.

    Parameters
    ----------
    source : str or Path
        ``mnist fashion-mnist kmnist cifar10 digits``, a folder with one sub-folder of pictures per class, or an .npz or
        .csv file of images and labels. A folder that has one of these names is meant by ``./mnist``.
    data_dir : str or Path, optional
        Where to look for data files first; then in CONVCLI_DATA_DIR and in the user's cache.
    offline : bool
        Never download.
    size, channels : optional
        For folders: height and width, and 1 or 3, where the network that will see the pictures has decided already.
    rule : Preprocessing, optional
        For folders: how that network wants its pictures, instead of size and channels.
    reports : Reports, optional
        What is called while files are downloaded.

    Returns
    -------
    Dataset
        uint8 images (N, H, W, C), int64 labels, class names and preprocessing.

    Raises
    ------
    DataError
        One line: an unknown name; files that are nowhere (which ones to put where), damaged or foreign.

    Examples
    --------
    >>> load("digits").train.images.shape
    (1437, 8, 8, 1)
    """
    entry = find_entry(source) if isinstance(source, str) else None
    if entry is not None:
        return _load_entry(entry, data_dir, offline, reports)
    folder = Path(source)
    if folder.suffix.lower() in SUFFIXES and folder.is_file():
        return load_arrays(folder, rule)
    if not folder.is_dir():
        if str(source).endswith(("/", os.sep)):
            raise DataError(missing(source))
        known = ", ".join(ENTRIES)
        near = suggestion(str(source), tuple(ENTRIES))
        raise DataError(
            f"data set: got {source}, expected one of {known}, a folder of classes, or an .npz or .csv{near}"
        )
    return load_folder(folder, size=size, channels=channels, rule=rule)


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
