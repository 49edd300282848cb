"""Raw labels as what a network is to say: classes, numbers, marks, masks or whole arrays; guessed from the labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from convcli.datasets.model import Array, Targets
from convcli.datasets.reading import Reading, plain_name
from convcli.datasets.samples import are_pixels
from convcli.errors import DataError, shortened

KINDS: tuple[Targets, ...] = get_args(Targets)
_MOST_CLASSES = 10_000
_MOST_OF_A_MASK = 256
_FEW = 20  # whole numbers that are classes however few the samples are
_SHARE = 10  # samples of each class, at least, of more
_BETWEEN = ("|", ";", ",")  # of marks in one text
_SPARSE = 2  # classes that numbers leave out, at most, for each that they name


class Labelled:
    """The targets of each split, and what they mean."""

    def __init__(
        self, raw: Sequence[Array], reading: Reading, label: str, spatial: tuple[int, ...], names: Sequence[str] = ()
    ) -> None:
        """``spatial`` are the sizes of a sample without its channels, ``names`` those of several columns of labels."""
        self.label = label
        parts = [_flat(each) for each in raw]
        if reading.targets in (None, "marks") and _are_lists(parts, sure=reading.targets == "marks"):
            names, parts = _lists(parts, label, reading.classes)
            reading = replace(reading, targets="marks")
        self.targets: Targets = reading.targets or _guess(parts, label, spatial)
        self.classes: tuple[str, ...] = ()
        if self.targets == "classes":
            self.classes, self.parts = _classes(parts, label, reading.classes)
        elif self.targets == "numbers":
            self.parts = [_numbers(each, label) for each in parts]
            self.classes = tuple(names) if len(names) == self.parts[0].shape[1] > 1 else ()
        elif self.targets == "marks":
            self.parts = [_marks(each, label) for each in parts]
            count = self.parts[0].shape[1]
            self.classes = tuple(names) if len(names) == count else reading.classes or tuple(map(str, range(count)))
        elif self.targets == "masks":
            self.classes, self.parts = _masks(
                [_one_plane(each, spatial) for each in parts], spatial, label, reading.classes
            )
        else:
            self.parts = [_arrays(_channels_last(each, spatial), label) for each in parts]
        if len({each.shape[1:] for each in self.parts}) > 1:
            raise DataError(f"{label}: got labels of several shapes, expected one")


def _flat(raw: Array) -> Array:
    """Texts in one form, columns of one without their second axis, numpy's numbers in the machine's order."""
    if raw.dtype.kind == "S":
        raw = np.char.decode(raw, "utf-8", "replace")
    if raw.dtype.kind == "U":
        raw = np.array([plain_name(each) for each in raw.reshape(-1).tolist()], str).reshape(raw.shape)
    return raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw


def _guess(parts: list[Array], label: str, spatial: tuple[int, ...]) -> Targets:
    first = parts[0]
    if len({each.dtype.kind == "U" for each in parts}) > 1:
        raise DataError(f"{label}: got labels of {first.dtype} and of {parts[1].dtype}, expected one kind")
    if first.dtype.kind not in "iufbU" or not first.ndim:
        raise DataError(f"{label}: got labels of shape {first.shape} and type {first.dtype}, expected one each")
    if all(each.ndim == 1 or _is_one_hot(each) for each in parts):
        plain = np.concatenate([each if each.ndim == 1 else each.argmax(axis=1) for each in parts])
        return "classes" if plain.dtype.kind == "U" or first.ndim == 2 or _name_classes(plain) else "numbers"
    if first.dtype.kind == "U":
        raise DataError(f"{label}: got texts of shape {first.shape}, expected one label each")
    if first.ndim == 2:
        binary = all(np.isin(each, (0, 1)).all() for each in parts)
        if not binary or not any(each.any() for each in parts):
            return "numbers"
        return "marks"
    planes = [_one_plane(each, spatial) for each in parts]
    of_floats = any(each.dtype.kind == "f" for each in planes)
    if of_floats and planes[0].shape[1:] != spatial:
        return "arrays"
    values = np.unique(planes[0])
    return "masks" if len(values) <= _FEW and not (of_floats and (values % 1).any()) else "arrays"


def _are_lists(parts: list[Array], *, sure: bool) -> bool:
    """Whether labels are texts that name several marks each."""
    texts = all(each.dtype.kind == "U" and each.ndim == 1 for each in parts)
    return texts and (sure or any(_BETWEEN[0] in word for each in parts for word in each.tolist()))


def _lists(parts: list[Array], label: str, known: tuple[str, ...]) -> tuple[tuple[str, ...], list[Array]]:
    """The marks that texts name, with ``|``, else ``;`` or a comma between them, and which hold for each sample."""
    words = [each.tolist() for each in parts]
    between = next((sign for sign in _BETWEEN if any(sign in word for each in words for word in each)), _BETWEEN[0])
    lists = [[[one.strip() for one in word.split(between) if one.strip()] for word in each] for each in words]
    said = sorted({one for each in lists for some in each for one in some})
    names = known or tuple(said)
    strange = next((one for one in said if one not in names), None)
    if strange is not None or len(names) > _MOST_CLASSES or not names:
        got = f"{len(names):,} marks" if strange is None else f"the mark {shortened(strange)}"
        raise DataError(f"{label}: got {got}, expected {', '.join(known[:10]) or f'1 to {_MOST_CLASSES:,}'}")
    places = {name: place for place, name in enumerate(names)}
    made = [np.zeros((len(each), len(names)), np.float32) for each in lists]
    for rows, each in zip(made, lists, strict=True):
        for row, some in zip(rows, each, strict=True):
            row[[places[one] for one in some]] = 1
    return names, list(made)


def _is_one_hot(raw: Array) -> bool:
    """Whether labels are a row of classes for each sample, one of which is 1 and the others 0."""
    return (
        raw.ndim == 2 and raw.dtype.kind in "iufb" and bool(np.isin(raw, (0, 1)).all() and (raw.sum(axis=1) == 1).all())
    )


def _name_classes(every: Array) -> bool:
    """Whether numbers are names of classes: whole, and either few or of many samples each."""
    if every.dtype.kind == "b":
        return True
    if not np.isfinite(every).all():
        return True  # and refused there
    if every.dtype.kind == "f" and (every % 1).any():
        return False
    count = len(np.unique(every))
    return count <= _FEW or count * _SHARE <= len(every)


def _classes(parts: list[Array], label: str, known: tuple[str, ...]) -> tuple[tuple[str, ...], list[Array]]:
    """The classes, and each sample's: whole numbers stand for themselves, texts in order of the alphabet."""
    least = max(each.shape[1] if each.ndim == 2 else 0 for each in parts)
    plain = [each.argmax(axis=1) if each.ndim == 2 else each for each in parts]
    if plain[0].ndim != 1:
        raise DataError(f"{label}: got labels of shape {plain[0].shape}, expected one for each image")
    every = np.concatenate(plain)
    values = np.unique(every)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(f"{label}: got labels that are NaN or infinite, expected a class for each sample")
    if len(values) < 2 and not known:
        raise DataError(f"{label}: got one class, {shortened(str(values[0]))}, expected two or more")
    if values.dtype.kind == "U":
        classes = tuple(str(value) for value in values)
    else:
        if (values % 1).any():
            raise DataError(f"{label}: got labels from {values[0]} to {values[-1]}, expected whole numbers from 0 on")
        if values[0] >= 0 and values[-1] + 1 <= max((_SPARSE + 1) * len(values), len(known), least):
            values = np.arange(max(int(values[-1]) + 1, least))
        classes = tuple(str(int(value)) for value in values)
    if len(classes) > _MOST_CLASSES:
        raise DataError(f"{label}: got {len(classes):,} classes, expected at most {_MOST_CLASSES:,}")
    return classes, [np.searchsorted(values, each).astype(np.int64) for each in plain]


def _numbers(raw: Array, label: str) -> Array:
    made = _finite(raw, label)
    if made.ndim > 2:
        raise DataError(f"{label}: got labels of shape {raw.shape}, expected one number each, or a row of them")
    return made.reshape(len(made), -1)


def _marks(raw: Array, label: str) -> Array:
    made = _numbers(raw, label)
    if not np.isin(made, (0, 1)).all():
        raise DataError(f"{label}: got marks from {made.min():g} to {made.max():g}, expected 0 and 1")
    return made


def _masks(
    parts: list[Array], spatial: tuple[int, ...], label: str, known: tuple[str, ...]
) -> tuple[tuple[str, ...], list[Array]]:
    values = np.unique(np.concatenate([np.unique(each) for each in parts]))
    if parts[0].shape[1:] != spatial:
        raise DataError(f"{label}: got masks of {parts[0].shape[1:]} for samples of {spatial}, expected one size")
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all() or len(values) > _MOST_OF_A_MASK:
        raise DataError(f"{label}: got masks of {len(values):,} values, expected at most {_MOST_OF_A_MASK} classes")
    if known:
        places = _places_of(values, known, label)
        return known, [places[np.searchsorted(values, each)] for each in parts]
    if values[0] >= 0 and values[-1] < (_SPARSE + 1) * len(values) and not (values % 1).any():
        values = np.arange(int(values[-1]) + 1)
    classes = tuple(f"{value:g}" for value in values)
    if len(classes) < 2:
        raise DataError(f"{label}: got masks of one class, {classes[0]}, expected two or more")
    return classes, [np.searchsorted(values, each).astype(np.uint8) for each in parts]


def _one_plane(raw: Array, spatial: tuple[int, ...]) -> Array:
    """Masks without an axis of channels: one channel is left out, and of a row of 0 and one 1 for each class its place.

    Whatever else has channels keeps them.
    """
    raw = _channels_last(raw, spatial)
    if raw.shape[1:-1] != spatial or raw.ndim != len(spatial) + 2:
        return raw
    if raw.shape[-1] == 1:
        return raw[..., 0]
    one_hot = np.isin(raw, (0, 1)).all() and (raw.sum(axis=-1) == 1).all()
    return raw.argmax(axis=-1) if one_hot else raw


def _places_of(values: Array, known: tuple[str, ...], label: str) -> Array:
    """Of each value of a mask the place among known classes: of the one that is called so, else the value itself.

    A file may show some of the classes only, so what its values are to each other says nothing.
    """
    names = [f"{value:g}" for value in values]
    if all(name in known for name in names):
        return np.array([known.index(name) for name in names], np.uint8)
    strange = next((name for name in names if not name.isdecimal() or int(name) >= len(known)), None)
    if strange is not None:
        raise DataError(f"{label}: got masks with the value {strange}, expected one of {', '.join(known[:10])}")
    return values.astype(np.uint8)


def _channels_last(raw: Array, spatial: tuple[int, ...]) -> Array:
    """Arrays with their channels behind what is spatial, if they had them before."""
    first = raw.ndim == len(spatial) + 2 and raw.shape[2:] == spatial and raw.shape[1:-1] != spatial
    return np.moveaxis(raw, 1, -1) if first else raw


def _arrays(raw: Array, label: str) -> Array:
    if raw.ndim < 3:
        raise DataError(f"{label}: got targets of shape {raw.shape}, expected arrays such as pictures")
    made = _finite(raw, label)
    if raw.dtype.kind == "b" or not are_pixels(raw) or (raw.dtype.kind == "f" and made.max() <= 1):
        return made if raw.ndim > 3 else made[..., np.newaxis]
    return (made if raw.ndim > 3 else made[..., np.newaxis]) / np.float32(255)


def _finite(raw: Array, label: str) -> Array:
    if raw.dtype.kind not in "iufb":
        raise DataError(f"{label}: got labels of {raw.dtype}, expected numbers")
    made = raw.astype(np.float32)
    if not np.isfinite(made).all():
        raise DataError(f"{label}: got labels that are NaN or infinite, expected finite ones")
    return made
