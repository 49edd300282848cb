"""CIFAR-10's binary version: records of one byte label and 3072 bytes picture, in six files or their archive.

A picture is stored as its red plane, its green plane and its blue plane, 32x32 each, row by row.
Source: A. Krizhevsky, The CIFAR-10 dataset, section "Binary version".
"""

import hashlib
import tarfile
import zlib
from pathlib import Path

import numpy as np

from convcli.datasets.model import Split
from convcli.datasets.registry import Entry
from convcli.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
BATCHES = (*TRAINING, TEST)
FILES = len(BATCHES)
_RECORD = 1 + 3 * 32 * 32
_LONGEST_ARCHIVE = 400_000_000  # bytes; it has 170,052,171
_LONGEST = 10_000 * _RECORD  # bytes of a batch as distributed; smaller ones are welcome, for instance in tests


def missing(entry: Entry, folder: Path) -> tuple[str, ...]:
    """Which of the six batches a folder does not hold; none if it holds the archive."""
    return () if (folder / ARCHIVE).is_file() else tuple(each for each in BATCHES if not (folder / each).is_file())


def check(entry: Entry, folder: Path) -> None:
    """Nothing can be told in a moment about 170 MB: what is called so is taken for it until it is read."""


def read(entry: Entry, folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Both splits of the data set in a folder, and what is to be said about the files.

    The archive must have the known checksum. Unpacked batches are taken by their form, since no checksum of them has
    been published; they may hold fewer records than the real ones.

    Raises `DataError` in one line for a foreign, truncated or damaged file.
    """
    notes: tuple[str, ...] = ()
    if all((folder / name).is_file() for name in BATCHES):
        batches = {name: _load(folder / name) for name in BATCHES}
        notes = (f"{folder}: taken by its form; no checksum of unpacked CIFAR-10 batches has been published",)
    else:
        batches = read_archive(folder / ARCHIVE, entry.files[0].checksum)
    splits = [[parse_batch(batches[name], f"{folder}: {name}") for name in names] for names in (TRAINING, (TEST,))]
    train, test = (
        Split(np.concatenate([each.images for each in parts]), np.concatenate([each.labels for each in parts]))
        for parts in splits
    )
    return train, test, notes


def read_archive(path: Path, checksum: str) -> dict[str, bytes]:
    """The six batches in the archive, read in memory: nothing that it names is ever written to the disk.

    Raises `DataError` for an archive with another checksum, a damaged one, or one that lacks a batch.
    """
    kind, _, expected = checksum.partition(":")
    batches: dict[str, bytes] = {}
    try:
        if path.stat().st_size > _LONGEST_ARCHIVE:
            raise DataError(
                f"{path}: holds more than {_LONGEST_ARCHIVE:,} bytes, expected at most that; fetch it again"
            )
        with path.open("rb") as stream:
            got = hashlib.file_digest(stream, kind).hexdigest()
            if got != expected:
                raise DataError(f"{path}: got {kind} {got}, expected {expected}; it is damaged or another file")
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:gz") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in BATCHES and name not in batches and member.isreg() and member.size <= _LONGEST:
                        content = archive.extractfile(member)
                        batches[name] = content.read() if content else b""
    except (EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{path}: is a truncated or damaged archive; fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    missing = [name for name in BATCHES if name not in batches]
    if missing:
        raise DataError(f"{path}: lacks {missing[0]}, expected CIFAR-10's binary version (not the Python one)")
    return batches


def parse_batch(content: bytes, name: str) -> Split:
    """Turn one batch into images (N, 32, 32, 3) and labels.

    Raises `DataError`, beginning with ``name``, for a length that is no whole number of records, or a label above 9.
    """
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{name}: got {len(content):,} bytes, expected a multiple of {_RECORD} (label and 32x32x3 values); "
            "it is truncated or another file"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        raise DataError(f"{name}: got the label {labels.max()}, expected 0 to 9; it is damaged or another file")
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), labels)


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LONGEST + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    if len(content) > _LONGEST:
        raise DataError(f"{path}: holds more than {_LONGEST:,} bytes, expected at most 10,000 records")
    return content
