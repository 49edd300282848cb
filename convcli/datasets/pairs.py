"""Pairs of files as a data set: samples, and masks or better pictures to learn, brought to one size together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convcli.datasets.files import Loaded, load_files, told_of_bad
from convcli.datasets.masks import Mask, classes_of, read_mask, scaled, show_classes
from convcli.datasets.model import Array, Dataset, Split
from convcli.datasets.naming import TEST, TRAIN, VALIDATION
from convcli.datasets.paired_folders import Pair
from convcli.datasets.reading import AS_IT_IS, Reading
from convcli.datasets.sample_files import fit
from convcli.datasets.targets import Labelled
from convcli.errors import ConvcliError, DataError

_LOOK = 20  # targets that tell what all are
_MASKS = ("mask", "segment", "seg")
_PICTURES = ("clean", "sharp")  # which black and white ones may be, too: pages, drawings


@dataclass(frozen=True, eq=False)
class _Targets:
    """What is to be said of the pairs at these places."""

    classes: tuple[str, ...]
    values: Array
    used: Array
    notes: tuple[str, ...]


def load_pairs(
    parts: dict[str, list[Pair]], reading: Reading, label: str, *, words: Sequence[str] = (), name: str = "",
    notes: tuple[str, ...] = (),
) -> Dataset:  # fmt: skip
    """Read pairs of files.

    Parameters
    ----------
    parts : dict
        Of each split its pairs.
    reading : Reading
        ``targets`` says whether they are masks or arrays; else names and contents do.
    label : str
        What messages begin with: the folder or the table.
    words : sequence of str
        What the folders of the targets are called.

    Raises
    ------
    DataError
        If none can be used, or masks have one class only, or too many.
    """
    order = [part for part in (TRAIN, VALIDATION, TEST) if part in parts]
    pairs = [pair for part in order for pair in parts[part]]
    loaded = load_files([sample for sample, _ in pairs], replace(reading, labels="", classes=()), label)
    fair = [pairs[place] for place in loaded.used.tolist()]
    masks = reading.targets == "masks" or (reading.targets is None and _are_masks([two for _, two in fair], words))
    made = _masks(fair, loaded, reading, label) if masks else _arrays(fair, loaded, reading, label)
    images, used = loaded.samples[made.used], loaded.used[made.used]
    part_of_each = np.repeat(np.arange(len(order)), [len(parts[part]) for part in order])[used]
    splits = {}
    for place, part in enumerate(order):
        here = np.flatnonzero(part_of_each == place)
        if len(here):
            names = tuple(str(pairs[used[each]][0]) for each in here.tolist())
            splits[part] = Split(images[here], made.values[here], names)
    if TRAIN not in splits:
        raise DataError(f"{label}: of no pair to train with both files can be used, expected some")
    return Dataset(
        name or Path(label).resolve().name, splits[TRAIN], splits.get(TEST), made.classes, loaded.rule, label,
        (*notes, *loaded.notes, *made.notes), splits.get(VALIDATION), "masks" if masks else "arrays",
    )  # fmt: skip


def _are_masks(files: Sequence[Path], words: Sequence[str]) -> bool:
    if any(each in word.lower() for word in words for each in _MASKS):
        return True
    if any(each in word.lower() for word in words for each in _PICTURES):
        return False
    looked: list[Mask] = []
    for path in files[:_LOOK]:
        try:
            looked.append(read_mask(path))
        except (ConvcliError, OSError, MemoryError):
            continue
    return bool(looked) and show_classes(looked)


def _masks(pairs: Sequence[Pair], loaded: Loaded, reading: Reading, label: str) -> _Targets:
    made: list[Mask] = []
    used: list[int] = []
    bad: dict[Path, str] = {}
    changed = 0
    for place, (sample, target) in enumerate(pairs):
        try:
            mask = read_mask(target)
            made.append(mask.moved(_brought(mask.values, sample, loaded)))
            changed += mask.values.shape != loaded.sizes[sample][: mask.values.ndim]
            used.append(place)
        except (ConvcliError, OSError, MemoryError) as error:
            text = " ".join(str(error).split())
            bad[target] = text if text.startswith(str(target)) else f"{target}: {text}"
    what = f"{len(pairs)} {'pictures' if loaded.rule.takes_pictures else 'files'}"
    if bad and (reading.strict or not made):
        raise DataError(told_of_bad(bad, f"{what} cannot be used"))
    classes, values, told = classes_of(made, reading, label)
    told += (told_of_bad(bad, f"{what} are left out"),) if bad else ()
    told += (f"{changed:,} masks have another size than their pictures, and are scaled",) if changed else ()
    return _Targets(classes, values, np.array(used, np.int64), told)


def _brought(values: Array, sample: Path, loaded: Loaded) -> Array:
    """A mask cut and scaled as its sample was; raises `DataError` for one of another form."""
    had, rule = loaded.sizes[sample], loaded.rule
    if not rule.takes_pictures:
        spatial = rule.input_shape[:-1]
        if values.ndim != len(spatial) or values.shape not in (had[: values.ndim], had[-values.ndim :]):
            raise DataError(f"got a mask of {values.shape} for a sample of {had}, expected its spatial sizes")
        return fit(values[..., np.newaxis], (*spatial, 1))[..., 0]
    height, width = values.shape if values.ndim == 2 else (0, 0)
    # Of one form, but for the pixel that rounding takes when a picture is made smaller.
    if not height or abs(height * had[1] - width * had[0]) > max(*had, height, width):
        got = "x".join(map(str, values.shape))
        raise DataError(f"got a mask of {got} for a picture of {had[0]}x{had[1]}, expected the same form")
    return scaled(values, rule.height, rule.width)


def _arrays(pairs: Sequence[Pair], loaded: Loaded, reading: Reading, label: str) -> _Targets:
    """Better pictures, in the channels of the samples; or arrays in their own shape."""
    said = replace(AS_IT_IS, strict=reading.strict, rule=loaded.rule if loaded.rule.takes_pictures else None)
    made = load_files([target for _, target in pairs], said, label)
    if loaded.rule.takes_pictures:
        for place in made.used.tolist():
            one, two = (sizes[path] for sizes, path in zip((loaded.sizes, made.sizes), pairs[place], strict=True))
            if one != two:
                raise DataError(
                    f"{pairs[place][1]}: got {two[0]}x{two[1]} for a picture of {one[0]}x{one[1]}, expected one size"
                )
    targets = Labelled([made.samples], replace(reading, targets="arrays"), label, loaded.rule.input_shape[:-1])
    return _Targets((), targets.parts[0], made.used, made.notes)
