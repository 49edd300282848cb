"""Folders of pairs: pictures beside masks, noisy ones beside clean ones; which file belongs to which.

- Two folders whose names say what they hold, as arrays' names do: ``images`` and ``masks``, ``noisy`` and ``clean``,
  ``inputs`` and ``targets``, ``JPEGImages`` and ``SegmentationClass``. Either lies in ``train``, ``val`` and
  ``test``, or those lie in each of both; or their names say it: ``train_images``. A single folder that holds all is
  gone into.
- A pair has the same name but for the suffix, or but for such words: ``img_7.jpg`` and ``mask_7.png``.
- If fewer than half of the files have a partner, or there are folders of others beside, the folders are classes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convcli.datasets.class_folders import sub_folders
from convcli.datasets.naming import TEST, TRAIN, VALIDATION, part_of, role_of
from convcli.datasets.reading import plain_name
from convcli.errors import DataError
from convcli.images.folders import files_in, left_out_text
from convcli.images.formats import suffix_of

Pair = tuple[Path, Path]
_PARTS = (TRAIN, VALIDATION, TEST)
_WORDS = re.compile(r"[^\W_]+")
_LISTED = 3


@dataclass(frozen=True)
class PairedFolders:
    """Pairs of each split, the names of the folders of their targets, and what is to be said."""

    parts: dict[str, list[Pair]]
    targets: tuple[str, ...]
    notes: tuple[str, ...]


def find_pairs(folder: Path, suffixes: Sequence[str], *, sure: bool, strict: bool) -> PairedFolders | None:
    """The pairs of a folder; None if it has none. ``sure`` is whether nothing else is asked for.

    Raises `DataError` if it has folders of pairs, as is sure, whose files do not go together.
    """
    root, inside = folder, sub_folders(folder)
    while len(inside) == 1 and len(sub_folders(inside[0])) > 1 and part_of(inside[0].name) is None:
        root, inside = inside[0], sub_folders(inside[0])
    places, others = _places(inside, suffixes)
    if any(_holds(each, suffixes) for each in others):
        return None
    splits = {
        part: (places[part, "samples"], places[part, "targets"])
        for part in _PARTS if (part, "samples") in places and (part, "targets") in places
    }  # fmt: skip
    alone = [each for (part, _), each in places.items() if part not in splits]
    if TRAIN not in splits and len(splits) == 1:  # the pairs of a test set alone
        splits = {TRAIN: next(iter(splits.values()))}
    return _paired(root, splits, alone, suffixes, sure=sure, strict=strict) if TRAIN in splits else None


def pairs_of_two(samples: Path, targets: Path, suffixes: Sequence[str], *, strict: bool) -> PairedFolders:
    """The pairs of two folders that were named; raises `DataError` if there are none."""
    found = _paired(samples, {TRAIN: (samples, targets)}, [], suffixes, sure=True, strict=strict)
    assert found is not None
    return found


def _places(inside: Iterable[Path], suffixes: Sequence[str]) -> tuple[dict[tuple[str, str], Path], list[Path]]:
    """The folder of samples and of targets of each split, of several the one with files; and those that are neither."""
    found: dict[tuple[str, str], list[Path]] = {}
    others: list[Path] = []
    for each in inside:
        part, role = part_of(each.name), role_of(each.name)
        below = sub_folders(each) if part is not None or role is not None else []
        if part is not None:
            for one in below:
                inner = role_of(one.name)
                if inner is not None:
                    found.setdefault((part, inner[1]), []).append(one)
                else:
                    others.append(one)
        elif role is not None:
            splits = {part_of(one.name): one for one in below if part_of(one.name)}
            for name, place in (splits or {role[0]: each}).items():
                found.setdefault((str(name), role[1]), []).append(place)
        else:
            others.append(each)
    chosen = {
        key: max(places, key=lambda each: (_holds(each, suffixes), "mask" in each.name.lower()))
        for key, places in found.items()
    }
    return chosen, others


def _paired(
    root: Path, splits: dict[str, tuple[Path, Path]], alone: list[Path], suffixes: Sequence[str], *, sure: bool,
    strict: bool,
) -> PairedFolders | None:  # fmt: skip
    left_out: Counter[str] = Counter()
    parts: dict[str, list[Pair]] = {}
    single: list[Path] = []
    for part, both in splits.items():
        samples, targets = ([Path(each) for each in files_in(one, suffixes, left_out, recursive=True)] for one in both)
        pairs, without = match(samples, targets, *both)
        if 2 * len(pairs) < len(samples) or not pairs:
            if not sure:
                return None
            lone = f"{without[0]} has none" if without else f"{both[0]} holds no file"
            raise DataError(f"{root}: got {len(pairs)} pairs of {_called(both[0])} and {_called(both[1])}: {lone}")
        parts[part] = pairs
        single += without
    notes = [f"{root}: pairs of {_called(one)} and {_called(two)}" for one, two in list(splits.values())[:1]]
    for files, what in ((single, "without a partner left out"), (alone, "of a split without pairs left out")):
        if files:
            named = ", ".join(map(str, files[:_LISTED])) + (", ..." if len(files) > _LISTED else "")
            notes.append(
                f"{len(files)} {'file' if files is single else 'folder'}{'s' * (len(files) > 1)} {what}: {named}"
            )
            if strict and files is single:
                raise DataError(f"{root}: {notes[-1]}; expected none (--strict)")
    if left_out:
        notes.append(f"{root}: left out: {left_out_text(left_out, '')}")
    return PairedFolders(parts, tuple(_called(two) for _, two in splits.values()), tuple(notes))


def match(
    samples: Sequence[Path], targets: Sequence[Path], samples_root: Path, targets_root: Path
) -> tuple[list[Pair], list[Path]]:
    """Which files go together, and those of both sides that have no partner.

    By their names below their folders; if those of most differ, without words such as ``mask``.
    """
    best: tuple[list[Pair], list[Path]] = ([], [*samples, *targets])
    for plain in (_stem, _bare):
        theirs = {plain(each.relative_to(targets_root)): each for each in targets}
        mine = {plain(each.relative_to(samples_root)): each for each in samples}
        if plain is _bare and (len(theirs) < len(targets) or len(mine) < len(samples)):
            break
        pairs = [(each, theirs[key]) for key, each in mine.items() if key in theirs]
        if len(pairs) > len(best[0]):
            used = {path for pair in pairs for path in pair}
            best = pairs, [each for each in (*samples, *targets) if each not in used]
        if 2 * len(pairs) >= len(samples):
            break
    return best


def _stem(path: Path) -> str:
    name = plain_name(path.as_posix())
    return name[: len(name) - len(suffix_of(path))]


def _bare(path: Path) -> str:
    """A name without the words that say what a file is; nothing may be left: ``mask.png``."""
    words = ((word, word.rstrip("0123456789")) for word in _WORDS.findall(_stem(path)))
    kept = [word.lower() if role_of(word) is None else word[len(letters) :] for word, letters in words]
    return "/".join(filter(None, kept))


def _called(folder: Path) -> str:
    """What a folder holds: its name, or that of the one above where its own is a split's."""
    return folder.parent.name if part_of(folder.name) else folder.name


def _holds(folder: Path, suffixes: Sequence[str]) -> bool:
    return bool(files_in(folder, suffixes, Counter(), recursive=True))
