"""A data set of four IDX files in a folder: finding them, telling them apart by content, reading them.

MNIST and Fashion-MNIST use the same file names, so a name proves nothing: a file is accepted for its checksum, or,
where only the packed file's checksum is known, for lying unpacked in a folder named after the data set.
"""

import hashlib
from pathlib import Path

import numpy as np

from convcli.datasets.idx import GZIP, parse_idx, read_bytes
from convcli.datasets.model import Bytes, Split
from convcli.datasets.registry import ENTRIES, Entry, RemoteFile
from convcli.errors import DataError

FILES = 4


class OtherSetError(DataError):
    """A file of the right name that belongs to another data set: nothing to worry about where several lie together."""


def missing(entry: Entry, folder: Path) -> tuple[str, ...]:
    """Which of the four files a folder does not hold, packed or not."""
    return tuple(file.name for file in entry.files if not _find(file, folder))


def check(entry: Entry, folder: Path) -> None:
    """Raise `DataError` if the labels, which are read in a moment, are not this data set's."""
    for file in entry.files:
        if len(file.shape) == 1:
            _read(entry, file, folder)


def read(entry: Entry, folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Both splits of the data set in a folder, and what is to be said about the files.

    Raises `DataError` in one line for a foreign, truncated or damaged file.
    """
    arrays, proven = zip(*(_read(entry, file, folder) for file in entry.files), strict=True)
    train_images, train_labels, test_images, test_labels = arrays
    train = Split(train_images[..., np.newaxis], train_labels.astype(np.int64))
    test = Split(test_images[..., np.newaxis], test_labels.astype(np.int64))
    for labels in (train.labels, test.labels):
        if labels.max() >= len(entry.classes):
            raise DataError(f"{folder}: got the label {labels.max()}, expected 0 to {len(entry.classes) - 1}")
    notes = () if all(proven) else (f"{folder}: taken by its form; checksums are known of packed files only",)
    return train, test, notes


def _find(file: RemoteFile, folder: Path) -> list[Path]:
    """The file under the names it goes by: packed or not, with a dash or a dot before ``idx``."""
    plain = file.name.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    candidates = (folder / name for name in (plain, file.name, dotted, f"{dotted}.gz"))
    return [path for path in candidates if path.is_file()]


def _read(entry: Entry, file: RemoteFile, folder: Path) -> tuple[Bytes, bool]:
    """The array in a file, and whether a checksum proves that it is the right one."""
    first_error = DataError(f"{folder / file.name}: no such file")
    for number, path in enumerate(_find(file, folder)):
        try:
            return _read_one(entry, file, path)
        except DataError as error:
            first_error = first_error if number else error
    raise first_error


def _read_one(entry: Entry, file: RemoteFile, path: Path) -> tuple[Bytes, bool]:
    folder = path.parent
    content = read_bytes(path, max(file.content_size, 1 << 20))
    array = parse_idx(content, str(path), file.shape)
    if _is_known(file, path, content):
        return array, True
    owner = _owner(path, content)
    own_folder = folder.name == entry.name or folder.as_posix().endswith(entry.folders)
    if owner is not None:
        raise OtherSetError(
            f"{path}: is {owner}'s by its checksum, expected {entry.name}'s; move it to a folder {owner}"
        )
    if file.content_md5:
        raise DataError(f"{path}: has another checksum than {entry.name}'s, it is damaged or changed; get a fresh copy")
    if not own_folder:
        raise DataError(f"{path}: has no known checksum; if it is {entry.name}'s, put it into a folder {entry.name}")
    return array, False


def _is_known(file: RemoteFile, path: Path, content: bytes) -> bool:
    if file.content_md5:
        return _md5(content) == file.content_md5
    return _file_checksum(path, file.checksum) == file.checksum


def _owner(path: Path, content: bytes) -> str | None:
    """The data set that a file is known to belong to."""
    md5 = _md5(content)
    packed = _file_checksum(path, "md5:")
    for entry in ENTRIES.values():
        if any(md5 == file.content_md5 or packed == file.checksum for file in entry.files):
            return entry.name
    return None


def _file_checksum(path: Path, like: str) -> str:
    """The checksum of a packed file, of the kind that ``like`` is; of an unpacked one none is known."""
    with path.open("rb") as stream:
        if stream.read(2) != GZIP:
            return ""
        stream.seek(0)
        kind = like.partition(":")[0]
        return f"{kind}:{hashlib.file_digest(stream, kind).hexdigest()}"


def _md5(content: bytes) -> str:
    # It recognises files, it guards no secret; some systems forbid md5 for anything else.
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
