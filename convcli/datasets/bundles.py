"""Arrays under names, wherever they lie: in an .npz, in .npy files side by side, in IDX files. Nothing is unpickled."""

import contextlib
import tokenize
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.idx import is_idx, read_idx
from convcli.datasets.model import Array
from convcli.datasets.naming import TRAIN, pairs_of, part_of, role_of
from convcli.errors import DataError
from convcli.images.npz import DAMAGED

# Reads an array when it is wanted, by its name.
Bundle = Mapping[str, Callable[[], Array]]
Parts = dict[str, tuple[Array, Array]]
_REFUSED = (ValueError, OverflowError, MemoryError, EOFError, SyntaxError, tokenize.TokenError)


def read_parts(bundle: Bundle, label: str) -> Parts:
    """Samples and targets of each split that a bundle holds."""
    return {part: (bundle[pair.samples](), bundle[pair.targets]()) for part, pair in pairs_of(bundle, label).items()}


@contextlib.contextmanager
def npz_bundle(path: Path, label: str) -> Iterator[Bundle]:
    """The arrays of an .npz."""
    try:
        with zipfile.ZipFile(path) as archive:
            names: dict[str, str] = {}
            for name in sorted(archive.namelist(), key=lambda each: each.count("/")):  # what lies deeper hides nothing
                if name.endswith(".npy"):
                    names.setdefault(Path(name).name.removesuffix(".npy"), name)
            yield {name: _member(archive, inside, label) for name, inside in names.items()}
    except (*DAMAGED, RuntimeError) as error:  # the last one: encrypted
        raise DataError(f"{label}: cannot be read as .npz ({' '.join(str(error).split()) or 'cut off'})") from error


def _member(archive: zipfile.ZipFile, name: str, label: str) -> Callable[[], Array]:
    def read() -> Array:
        info = archive.getinfo(name)
        check_memory(2 * info.file_size, f"{label}: its {name}", DataError)
        with archive.open(name) as stream:
            try:
                return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
            except _REFUSED as error:  # what its header makes of numpy
                fix = "; save texts as numpy.array(labels, str)" if "Object arrays" in str(error) else ""
                said = " ".join(str(error).split())[:120]
                raise DataError(f"{label}: its {name} cannot be read ({said}){fix}") from error

    return read


def read_npy(path: Path) -> Array:
    """The array of an .npy file, mapped into memory: what is not looked at is not read."""
    try:
        return np.lib.format.open_memmap(path, mode="r").view(np.ndarray)
    except _REFUSED as error:
        raise DataError(f"{path}: cannot be read as .npy ({' '.join(str(error).split())[:120]})") from error


def files_beside(path: Path) -> Bundle:
    """A file of samples with its labels, and those of other splits, by their names; empty if its labels are not there.

    What lies beside a test set is its labels only.
    """
    same = is_npy if is_npy(path) else is_idx
    files = {_stem(each): each for each in sorted(path.parent.iterdir()) if each.is_file() and same(each)}
    mine = role_of(_stem(path))
    if mine is None or mine[1] != "samples":
        return {}
    roles = {name: role for name in files if (role := role_of(name)) is not None}
    fair = {
        name: _reader(files[name]) for name, role in roles.items()
        if name == _stem(path) or (role != mine and (mine[0] == TRAIN or role[0] == mine[0]))
    }  # fmt: skip
    return fair if (mine[0], "targets") in map(role_of, fair) else {}


def pair_in(path: Path, labels: str) -> Bundle:
    """A file of samples and the one of its targets."""
    targets = next((each for each in (Path(labels), path.parent / labels) if each.is_file()), None)
    if targets is None:
        raise DataError(f"{labels}: no such file, expected the labels of {path}")
    return {"images": _reader(path), "labels": _reader(targets)}


def folder_of_arrays(folder: Path) -> Bundle | None:
    """The files of a folder whose names say which arrays they are, in it or in folders named after splits."""
    found: dict[str, Callable[[], Array]] = {}
    for place in (folder, *(each for each in sorted(folder.iterdir()) if each.is_dir() and part_of(each.name))):
        for each in sorted(place.iterdir()):
            if each.is_file() and (is_npy(each) or is_idx(each)):
                found[_stem(each) if place == folder else f"{place.name}_{_stem(each)}"] = _reader(each)
    roles = {role for _, role in filter(None, map(role_of, found))}
    return found if roles == {"samples", "targets"} else None


def is_npy(path: Path) -> bool:
    """Whether a file is called .npy."""
    return path.suffix.lower() == ".npy"


def _reader(path: Path) -> Callable[[], Array]:
    return lambda: read_npy(path) if is_npy(path) else read_idx(path)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".npy")
