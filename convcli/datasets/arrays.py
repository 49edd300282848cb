"""A data set in one file: the arrays of an .npz, or a .csv whose rows are pictures. Nothing is ever unpickled.

- An .npz holds images and labels under names that people use, of one split or two: ``x_train y_train x_test y_test``,
  ``train_images train_labels test_images test_labels``, ``images labels``, ``X y``, ``data target``; in any case.
- Rows of a .csv are labels and pixels. The labels are the column called label, class, target, digit or y, else the
  first.
- Images are (N, H, W), (N, H, W, C) with 1 or 3 channels, or (N, H*W) of squares; whole numbers 0..255, or floats 0..1
  that are such numbers divided by 255. Labels are whole numbers, texts, or one row of classes for each image (one-hot).
- What has the very pixels of a data set that convcli knows by name is that data set, its name and classes too.
"""

import csv
import hashlib
import itertools
import math
import struct
import tokenize
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.model import Bytes, Dataset, Labels, Split
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.registry import ENTRIES, Entry
from convcli.errors import DataError, shortened
from convcli.images.model import shown
from convcli.images.npz import DAMAGED

SUFFIXES = (".npz", ".csv")
_PAIRS = (
    (("x_train", "y_train"), ("x_test", "y_test")),
    (("train_images", "train_labels"), ("test_images", "test_labels")),
    (("train_x", "train_y"), ("test_x", "test_y")),
    (("x", "y"), None),
    (("images", "labels"), None),
    (("data", "target"), None),
    (("data", "labels"), None),
)  # fmt: skip
_LABELS = ("label", "labels", "class", "target", "digit", "y")
_MOST_CLASSES = 10_000
_LOOK = 20  # rows that tell what a table's columns are
_BYTES_A_NUMBER = 12  # of a table while it is read

Raw = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[Raw, Raw]


def load_arrays(path: Path, rule: Preprocessing | None = None) -> Dataset:
    """Read a data set from an .npz or .csv file.

    Parameters
    ----------
    path : Path
        The file; see above for what it holds.
    rule : Preprocessing, optional
        How the network that will see the images wants them, whose size they must have.

    Raises
    ------
    DataError
        One line: no such file, damaged, no known names, other numbers of images and labels, values that are no pixels.
    """
    label = shown(path)
    try:
        pairs = _read_npz(path, label) if path.suffix.lower() == ".npz" else [_read_csv(path, label)]
    except OSError as error:
        raise DataError(f"{label}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    images = [_as_images(each[0], label) for each in pairs]
    for one, (_, other) in zip(images, pairs, strict=True):
        if len(one) != len(other) or not len(one):
            raise DataError(f"{label}: got {len(one):,} images and {len(other):,} labels, expected as many of both")
    classes, labels = _as_labels([each[1] for each in pairs], label)
    if any(one.shape[1:] != images[0].shape[1:] for one in images):
        raise DataError(f"{label}: got images of {images[0].shape[1:]} and {images[1].shape[1:]}, expected one size")
    splits = [Split(one, other) for one, other in zip(images, labels, strict=True)]
    known = _known(splits, classes)
    if known is not None:
        name, classes, wanted = known.name, known.classes, known.preprocessing
    else:
        name, wanted = path.stem, Preprocessing("picture", *images[0].shape[1:])
    size = (wanted.height, wanted.width, wanted.channels)
    if rule is not None and size != (rule.height, rule.width, rule.channels):
        expected = f"{rule.height}x{rule.width}x{rule.channels}"
        raise DataError(f"{label}: got images of {size[0]}x{size[1]}x{size[2]}, expected {expected}, as the model does")
    return Dataset(name, splits[0], splits[1] if len(splits) > 1 else None, classes, rule or wanted, str(path))


def _read_npz(path: Path, label: str) -> list[Pair]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = {Path(name).stem.lower(): name for name in archive.namelist() if name.endswith(".npy")}
            wanted = _named(found, label)
            return [(_member(archive, found[x], label), _member(archive, found[y], label)) for x, y in wanted]
    except (*DAMAGED, RuntimeError) as error:  # the last one: encrypted
        raise DataError(f"{label}: cannot be read as .npz ({' '.join(str(error).split()) or 'cut off'})") from error


def _named(found: Mapping[str, str], label: str) -> list[tuple[str, str]]:
    """The names of images and labels, of one split or two."""
    for train, test in _PAIRS:
        if all(name in found for name in train):
            return [train, test] if test and all(name in found for name in test) else [train]
    got = ", ".join(sorted(found)[:8]) or "no array"
    raise DataError(f"{label}: holds {got}; expected x_train and y_train, images and labels, or X and y")


def _member(archive: zipfile.ZipFile, name: str, label: str) -> Raw:
    info = archive.getinfo(name)
    check_memory(2 * info.file_size, f"{label}: its {name}", DataError)
    with archive.open(name) as stream:
        try:
            return np.lib.format.read_array(stream, allow_pickle=False)
        except (ValueError, OverflowError, MemoryError, tokenize.TokenError) as error:  # what its header makes of numpy
            raise DataError(f"{label}: its {name} cannot be read ({' '.join(str(error).split())[:120]})") from error


def _read_csv(path: Path, label: str) -> Pair:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        try:
            first = list(itertools.islice(csv.reader(stream), _LOOK))
        except csv.Error as error:
            raise DataError(f"{label}: expected rows of a label and pixels ({error})") from error
    if not first or len(first[0]) < 2:
        raise DataError(f"{label}: got {len(first[0]) if first else 0} columns, expected a label and pixels")
    names = [cell.strip().lower() for cell in first[0]]
    has_header = not all(_is_number(cell) for cell in names[1:])
    if sum(map(bool, first)) == has_header:
        raise DataError(f"{label}: got names of {len(names)} columns and no row, expected a label and pixels")
    column = next((names.index(name) for name in _LABELS if has_header and name in names), 0)
    others = [index for index in range(len(names)) if index != column]
    check_memory(_BYTES_A_NUMBER * path.stat().st_size // 2, f"{label}: got {path.stat().st_size:,} bytes", DataError)
    words: dict[str, Any] = {"delimiter": ",", "skiprows": int(has_header), "encoding": "utf-8-sig", "comments": None}
    try:
        pixels = np.loadtxt(path, np.float32, usecols=others, ndmin=2, **words)
        labels = np.loadtxt(path, str, usecols=[column], ndmin=1, **words)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise DataError(
            f"{label}: expected rows of a label and pixels ({' '.join(str(error).split())[:120]})"
        ) from error
    if all(map(_is_number, labels[:_LOOK].tolist())):
        try:
            labels = labels.astype(np.float64)
        except ValueError as error:
            raise DataError(f"{label}: got labels that are partly numbers ({error})") from error
    return pixels, labels


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _as_images(raw: Raw, label: str) -> Bytes:
    shape = raw.shape
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        if side * side != shape[1] or side < 2:
            raise DataError(
                f"{label}: got rows of {shape[1]} numbers, expected the pixels of squares, such as 784 = 28x28"
            )
        shape = (shape[0], side, side)
    shape = (*shape, 1) if len(shape) == 3 else shape
    if len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape[1:]:
        raise DataError(f"{label}: got images of shape {raw.shape}, expected (N, H, W) or (N, H, W, C), C 1 or 3")
    return np.ascontiguousarray(_as_bytes(raw, label).reshape(shape))


def _as_bytes(raw: Raw, label: str) -> Bytes:
    if raw.dtype == np.uint8 or not raw.size:
        return raw.astype(np.uint8, copy=False)
    if raw.dtype.kind not in "iufb":
        raise DataError(f"{label}: got images of {raw.dtype}, expected numbers")
    low, high = raw.min(), raw.max()
    if not (low >= 0 and high <= 255):
        raise DataError(f"{label}: got pixels from {low:g} to {high:g}, expected 0..255, or 0..1")
    scale = 255 if raw.dtype.kind == "b" or (raw.dtype.kind == "f" and high <= 1) else 1
    scaled = raw * np.float64(scale)
    pixels = np.rint(scaled).astype(np.uint8)
    if np.abs(scaled - pixels).max() > 1e-3:
        raise DataError(f"{label}: got pixels between whole numbers, expected 0..255, or 0..1 in steps of 1/255")
    return pixels


def _as_labels(raw: list[Raw], label: str) -> tuple[tuple[str, ...], list[Labels]]:
    """The classes, and each image's: whole numbers stand for themselves, texts in order of the alphabet."""
    found = [_plain_labels(each, label) for each in raw]
    if len({each.dtype.kind == "U" for each in found}) > 1:
        raise DataError(f"{label}: got labels of {found[0].dtype} and of {found[1].dtype}, expected one kind")
    every = np.concatenate(found)
    values = np.unique(every)
    if values.dtype.kind == "U":
        classes = tuple(str(value) for value in values)
    else:
        if not (values[0] >= 0 and values[-1] < _MOST_CLASSES) or (values % 1).any():
            raise DataError(f"{label}: got labels from {values[0]} to {values[-1]}, expected whole numbers from 0 on")
        classes = tuple(str(value) for value in range(int(values[-1]) + 1))
        values = np.arange(len(classes))
    if len(classes) < 2:
        raise DataError(f"{label}: got one class, {shortened(classes[0])}, expected two or more")
    if len(classes) > _MOST_CLASSES:
        raise DataError(f"{label}: got {len(classes):,} classes, expected at most {_MOST_CLASSES:,}")
    return classes, [np.searchsorted(values, each).astype(np.int64) for each in found]


def _plain_labels(raw: Raw, label: str) -> Raw:
    if raw.dtype.kind == "S":
        raw = np.char.decode(raw, "utf-8", "replace")
    if raw.ndim == 2 and raw.shape[1] == 1:
        return raw[:, 0]
    if raw.ndim == 2 and raw.dtype.kind in "iufb" and (raw.sum(axis=1) == 1).all() and raw.max() == 1:
        return np.asarray(raw.argmax(axis=1))
    if raw.ndim != 1 or raw.dtype.kind not in "iufbU":
        raise DataError(f"{label}: got labels of shape {raw.shape} and type {raw.dtype}, expected one for each image")
    return raw


def _known(splits: list[Split], classes: tuple[str, ...]) -> Entry | None:
    """The data set of the registry whose training images and labels these are."""
    train = splits[0]
    if train.images.shape[3] != 1:
        return None
    images, labels = train.images[..., 0], train.labels.astype(np.uint8)
    for entry in ENTRIES.values():
        if len(entry.files) != 4 or entry.files[0].shape != images.shape or len(entry.classes) < len(classes):
            continue
        digests = [file.content_md5 for file in entry.files[:2]]
        if digests == [_idx_digest(images), _idx_digest(labels)]:
            return entry
    return None


def _idx_digest(array: Bytes) -> str:
    """The checksum of the IDX file that holds this array."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    made = hashlib.md5(head, usedforsecurity=False)
    made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()
