"""Files of one sample each, read in one way: which can be used, in which shape, and what is to be said of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.model import Array
from convcli.datasets.picture_files import PictureFiles, usual_size
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.reading import Reading
from convcli.datasets.sample_files import Carrier, carrier_of, fit, read_sample, usual_shape
from convcli.datasets.samples import rule_for, take
from convcli.errors import ConvcliError, DataError

LARGEST = 8_000_000_000  # bytes of all samples together; they are held in memory
_LISTED = 5  # files that a note or an error names


@dataclass(frozen=True, eq=False)
class Loaded:
    """Samples of files: which files could be used, how they were prepared, and what is to be said.

    ``sizes`` are the shapes that the files had, of pictures height and width.
    """

    samples: Array
    used: Array
    rule: Preprocessing
    notes: tuple[str, ...]
    sizes: dict[Path, tuple[int, ...]] = field(default_factory=dict)


def load_files(paths: list[Path], reading: Reading, label: str) -> Loaded:
    """The samples of files, prepared as a rule says, or as most of them are."""
    carriers = [carrier_of(path) for path in paths] if reading.rule is None else []
    carrier = _carrier(reading, carriers)
    foreign = {path: f"{path}: is no {carrier}" for path, each in zip(paths, carriers, strict=False) if each != carrier}
    foreign = {} if reading.input is not None else foreign
    where = np.array([place for place, path in enumerate(paths) if path not in foreign], np.int64)
    fair = [paths[place] for place in where.tolist()]
    load = _load_pictures if carrier == "picture" else _load_arrays
    loaded, bad = load(fair, reading, label)
    bad = foreign | bad
    what = "pictures" if carrier == "picture" else "files"
    if bad and (reading.strict or len(bad) == len(paths)):
        raise DataError(told_of_bad(bad, f"{len(paths)} {what} cannot be read"))
    used = where[loaded.used]  # by places: a table may name a file twice
    notes = (*loaded.notes, told_of_bad(bad, f"{len(paths)} {what} are left out")) if bad else loaded.notes
    return replace(loaded, used=used, notes=notes)


def _carrier(reading: Reading, carriers: Sequence[Carrier]) -> Carrier:
    if reading.rule is not None:
        return "picture" if reading.rule.takes_pictures else "array"
    if reading.input is not None and (len(reading.input) != 3 or reading.input[2] not in (1, 3)):
        return "array"
    return Counter(carriers).most_common(1)[0][0]


def _load_pictures(paths: list[Path], reading: Reading, label: str) -> tuple[Loaded, dict[Path, str]]:
    pictures = PictureFiles(paths)
    size, channels, rule = reading.size, reading.channels, reading.rule
    if reading.input is not None and rule is None:
        size, channels = (reading.input[0], reading.input[1]), reading.input[2]
    if rule is not None:
        size, channels = (rule.height, rule.width), rule.channels
    if size is None or channels is None:
        sizes, any_colour = pictures.survey()
        size = size or usual_size(sizes or [(1, 1)])
        channels = channels or (3 if any_colour else 1)
    plain = Preprocessing("picture", size[0], size[1], channels)
    _check_size(label, len(paths), (*size, channels), 1)
    images, used = pictures.load(rule or plain, reading.elsewhere if rule is not None else None)
    told = pictures.notes(rule or plain)
    return Loaded(images, used, rule or plain, told, dict(pictures.sizes)), pictures.bad


def _load_arrays(paths: list[Path], reading: Reading, label: str) -> tuple[Loaded, dict[Path, str]]:
    samples, used, bad = [], [], {}
    for place, path in enumerate(paths):
        try:
            samples.append(read_sample(path))
            used.append(place)
        except (ConvcliError, OSError, MemoryError) as error:
            bad[path] = " ".join(str(error).split())
    if not samples:
        raise DataError(told_of_bad(bad, f"{len(paths)} files cannot be read"))
    rule = reading.rule
    shape = rule.input_shape if rule is not None else reading.input or usual_shape(samples)
    _check_size(label, len(samples), shape, samples[0].dtype.itemsize)
    fitted, kept, changed = [], [], 0
    for place, sample in zip(used, samples, strict=True):
        try:
            made = fit(sample, shape)
        except DataError as error:
            bad[paths[place]] = f"{paths[place]}: {error}"
            continue
        changed += made is not sample
        fitted.append(made)
        kept.append(place)
    if not fitted:
        raise DataError(told_of_bad(bad, f"{len(paths)} files cannot be read"))
    raw = np.stack(fitted)
    rule = rule or rule_for([raw], label, reading.input)
    notes = (
        (f"{changed:,} of {len(paths):,} files have another shape than {shape}: cut off, or filled with zeros",)
        if changed
        else ()
    )
    sizes = {paths[place]: sample.shape for place, sample in zip(used, samples, strict=True)}
    return Loaded(take(raw, rule, label), np.array(kept, np.int64), rule, notes, sizes), bad


def _check_size(label: str, count: int, shape: Sequence[int], itemsize: int) -> None:
    needed = count * int(np.prod(shape, dtype=object)) * itemsize
    size = "x".join(map(str, shape))
    if needed > LARGEST:
        raise DataError(
            f"{label}: {count:,} samples of {size} take {needed / 1e9:.1f} GB, expected "
            f"at most {LARGEST / 1e9:.0f} GB; use fewer or smaller ones"
        )
    check_memory(needed, f"{label}: got {count:,} samples of {size}", DataError)


def told_of_bad(bad: dict[Path, str], what: str) -> str:
    """Which files of ``what`` (``9 pictures are left out``) are of no use, and why; the first few by name."""
    listed = "; ".join(list(bad.values())[:_LISTED])
    more = f"; and {len(bad) - _LISTED} more" if len(bad) > _LISTED else ""
    return f"{len(bad)} of {what}: {listed}{more}"
