"""Arrays from outside that a network is asked about: files of one sample or of many, taken as training took its own."""

import zipfile
from pathlib import Path

from convcli.datasets.bundles import npz_bundle, read_npy
from convcli.datasets.idx import is_idx, read_idx
from convcli.datasets.model import Array
from convcli.datasets.naming import TEST, TRAIN, VALIDATION, role_of
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.sample_files import SOUNDS, carrier_of, fit, read_sample
from convcli.datasets.samples import arranged, take
from convcli.datasets.tables import SUFFIXES as TABLES
from convcli.datasets.tables import find_columns, first_width, read_numbers
from convcli.errors import DataError
from convcli.images.model import shown
from convcli.images.npy import read_header
from convcli.images.npz import DAMAGED

SUFFIXES = (".npz", ".npy", *SOUNDS, *TABLES)


def holds_samples(name: str, rule: Preprocessing) -> bool:
    """Whether a file holds arrays that a network takes as they are, and no picture that is prepared for it."""
    path = Path(name)
    suffix = path.suffix.lower()
    if not path.is_file():
        return False
    if not rule.takes_pictures or suffix in TABLES or is_idx(path):
        return True
    if suffix == ".npy":
        try:
            with path.open("rb") as stream:
                shape = tuple(read_header(stream).shape)
        except (OSError, ValueError, DataError):
            return False
        return len(shape) > 1 and arranged(shape[1:], rule.input_shape) is not None
    return suffix == ".npz" and zipfile.is_zipfile(path) and len(_names_in(path)) > 1


def read_samples(name: str, rule: Preprocessing) -> tuple[Array, bool]:
    """The samples of a file (N, *input), and whether it holds many; raises `DataError` for another shape."""
    path, label = Path(name), shown(name)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        raw = _rows(path, label, rule)
    elif suffix == ".npz":
        with npz_bundle(path, label) as bundle:
            raw = bundle[_meant(list(bundle), label)]()
    elif suffix == ".npy":
        raw = read_npy(path)
    elif is_idx(path):
        raw = read_idx(path)
    elif carrier_of(path) == "picture":
        raise DataError(f"{label}: is a picture, expected arrays such as the model was trained on, as .npy")
    else:
        raw = read_sample(path)
    if raw.ndim > 1 and arranged(raw.shape[1:], rule.input_shape) is not None:
        return take(raw, rule, label), True
    if arranged(raw.shape, rule.input_shape) is None:
        try:
            raw = fit(raw, rule.input_shape) if suffix in SOUNDS or suffix not in SUFFIXES else raw
        except DataError as error:
            raise DataError(f"{label}: {error}") from error
    return take(raw[None], rule, label), False


def _rows(path: Path, label: str, rule: Preprocessing) -> Array:
    """The rows of a table, without the labels if it has some."""
    width, needed = first_width(path, label), 1
    for side in rule.input_shape:
        needed *= side
    if width == needed:
        return read_numbers(path, label)
    columns = find_columns(path, label)
    if len(columns.samples) != needed:
        raise DataError(f"{label}: got rows of {width} columns, expected {needed}, or {needed + 1} with a label")
    return read_numbers(path, label, columns)


def _names_in(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [Path(name).stem for name in archive.namelist() if name.endswith(".npy")]
    except DAMAGED:  # who reads it tells
        return []


def _meant(names: list[str], label: str) -> str:
    """The array of samples: the only one, or that of the test set, or another's."""
    if len(names) == 1:
        return names[0]
    found = {role[0]: name for name in sorted(names, reverse=True) if (role := role_of(name)) and role[1] == "samples"}
    for part in (TEST, VALIDATION, TRAIN):
        if part in found:
            return found[part]
    raise DataError(f"{label}: holds {', '.join(sorted(names)[:8]) or 'no array'}; expected x, images or x_test")
