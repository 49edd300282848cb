"""Folders of classes: which splits and classes there are, which files show them, and what is left out.

- Classes are the sub-folders, sorted by name in its composed Unicode form; their files may lie in folders below them.
- Sub-folders called train and test, val, valid or validation are splits, with the classes inside; what else lies
  beside two of them is left out and named. Without a split called train all are classes. A single folder that holds
  all the others is gone into.
- Hidden files, ``__MACOSX`` and files of other kinds are counted; classes without files, and classes that the training
  set does not have, are named.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convcli.datasets.naming import TRAIN, part_of
from convcli.datasets.reading import plain_name
from convcli.errors import DataError
from convcli.images.folders import endings, files_in, left_out_text

_OF_SYSTEMS = ("__macosx", "@eadir", "lost+found")
_LISTED = 5


@dataclass
class ClassFolders:
    """What a folder of classes holds.

    Parameters
    ----------
    root:
        The folder that holds splits or classes: the one that was named, or one in it.
    classes:
        Their names.
    parts:
        Of each split the files and the places of their classes.
    empty:
        Folders of classes without files.
    strange:
        Folders of classes that the training set does not have.
    beside:
        Folders that lie beside splits and are none.
    """

    root: Path
    classes: tuple[str, ...]
    parts: dict[str, list[tuple[Path, int]]]
    left_out: Counter[str] = field(default_factory=Counter)
    empty: list[Path] = field(default_factory=list)
    strange: list[Path] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)

    def notes(self, *, strict: bool) -> tuple[str, ...]:
        """What was left out; raises `DataError` instead if nothing may be but files of other kinds."""
        told = [f"{self.root}: left out: {left_out_text(self.left_out, '')}"] if self.left_out else []
        for folders, kind, what in (
            (self.empty, "class", "without samples"),
            (self.strange, "class", "that the training set does not have"),
            (self.beside, "folder", "beside the splits"),
        ):
            if not folders:
                continue
            names = ", ".join(map(str, folders[:_LISTED])) + (", ..." if len(folders) > _LISTED else "")
            many = f"{kind}{'es' if kind == 'class' else 's'}" if len(folders) > 1 else kind
            told.append(f"{len(folders)} {many} {what} left out: {names}")
            if strict:
                raise DataError(f"{self.root}: {told[-1]}; expected none (--strict)")
        return tuple(told)


def find_classes(folder: Path, suffixes: Sequence[str]) -> ClassFolders:
    """Look through a folder of classes; raises `DataError` if there are not two classes with files."""
    root, inside = folder, sub_folders(folder)
    while len(inside) == 1 and len(sub_folders(inside[0])) > 1 and part_of(inside[0].name) is None:
        root, inside = inside[0], sub_folders(inside[0])
    named = [(part_of(each.name), each) for each in inside]
    splits = {part for part, _ in named if part}
    if splits and TRAIN not in splits and len(named) > 1 and all(part for part, _ in named):
        names = " and ".join(each.name for _, each in named)
        raise DataError(f"{root}: holds {names} but no train, expected a folder train beside them")
    are_splits = TRAIN in splits and (len(splits) > 1 or all(part for part, _ in named))
    roots = {part: each for part, each in named if part} if are_splits else {TRAIN: root}
    found = ClassFolders(root, (), {}, beside=[each for part, each in named if are_splits and not part])
    _count_others(found, dict.fromkeys((folder, root, *roots.values())))
    files = {part: _files_of_classes(place, suffixes, found) for part, place in roots.items()}
    found.classes = tuple(sorted(files[TRAIN]))
    if len(found.classes) < 2:
        raise _too_few(found, roots[TRAIN], suffixes)
    for part, by_class in files.items():
        found.strange += [by_class[name][0].parent for name in sorted(set(by_class) - set(found.classes))]
        found.parts[part] = [
            (path, place) for place, name in enumerate(found.classes) for path in by_class.get(name, ())
        ]
        if not found.parts[part]:
            raise DataError(f"{roots[part]}: holds no class of {roots[TRAIN]}, expected the same classes")
    return found


def sub_folders(folder: Path) -> list[Path]:
    """The folders in a folder, but hidden ones and those of systems."""
    return sorted(
        each for each in folder.iterdir()
        if each.is_dir() and not each.name.startswith(".") and each.name.lower() not in _OF_SYSTEMS
    )  # fmt: skip


def _files_of_classes(root: Path, suffixes: Sequence[str], found: ClassFolders) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for each in sub_folders(root):
        name = plain_name(each.name)
        if not name.isprintable():
            raise DataError(f"{root}: got a class named {name!r}, expected characters that can be printed; rename it")
        inside = [Path(path) for path in files_in(each, suffixes, found.left_out, recursive=True)]
        if inside:
            files.setdefault(name, []).extend(inside)
        else:
            found.empty.append(each)
    return files


def _count_others(found: ClassFolders, places: dict[Path, None]) -> None:
    """What lies beside classes and splits; of folders those of systems only."""
    for place in places:
        files_in(place, (), found.left_out)
    del found.left_out["folder"]  # the classes, and the splits
    systems = sum(each.is_dir() and each.name.lower() in _OF_SYSTEMS for place in places for each in place.iterdir())
    if systems:
        found.left_out["folder of another system"] += systems


def _too_few(found: ClassFolders, root: Path, suffixes: Sequence[str]) -> DataError:
    names = [*found.classes, *(each.name for each in found.empty)]
    if found.empty and len(names) > 1:
        return DataError(
            f"{found.empty[0]}: holds no picture, nor an array, expected files ending in {endings(suffixes)}"
        )
    got = f"one class, {names[0]}" if names else "no sub-folder"
    return DataError(f"{root}: got {got}, expected a sub-folder of pictures for each of two or more classes")
