"""Which files are meant: names, patterns and folders to files, where each lies in its folder, and what is left out."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convcli.errors import ConvcliError
from convcli.images import READABLE_SUFFIXES
from convcli.stores import is_store

STREAM = "-"
_MOST_KINDS = 6  # of files left out that are named; the others are counted together
_PLURALS = {
    "file without a suffix": "files without a suffix",
    "folder of results": "folders of results",
    "link to a folder": "links to folders",
    "result of an earlier run": "results of an earlier run",
}


@dataclass(frozen=True)
class Inputs:
    """Files in the order they are worked on.

    Attributes
    ----------
    files : list of str
        Each once, under the first name it was found by.
    below : dict of str to str
        The folder of a file below the folder or pattern that was named; files that lie directly in it are left out.
    left_out : Counter of str
        How many of a kind a folder held besides: ``.txt``, ``folder``, ``hidden file``.
    """

    files: list[str]
    below: dict[str, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def find_inputs(inputs: Sequence[str], suffixes: Sequence[str] = READABLE_SUFFIXES) -> list[str]:
    """The files of `search`, of folders what is directly in them."""
    return search(inputs, suffixes).files


def search(
    inputs: Sequence[str],
    suffixes: Sequence[str] = READABLE_SUFFIXES,
    *,
    recursive: bool = False,
    output: str | None = None,
) -> Inputs:
    """Files, glob patterns and folders to files.

    Of folders those are found that end in one of ``suffixes`` (of pictures, if nothing else is said) and are not
    hidden, in order of name; with ``recursive`` those in folders below too, but for a folder that is the ``output``.
    Links to folders are not followed; a Zarr store counts as a file. Names that do not exist stay as they are, so
    that each is reported like any other bad file.

    Raises `ConvcliError` when a pattern or folder gives nothing.
    """
    found = Inputs([])
    first: dict[str, str] = {}
    for name in inputs:
        if not name:
            raise ConvcliError("input: got an empty name, expected a file, a pattern or a folder")
        path, base = Path(name), None
        if name == STREAM or path.is_file() or is_store(name):
            files = [name]
        elif path.is_dir():
            files, base = _inside(path, suffixes, recursive, output, found.left_out), name
            if not files:
                raise _empty(name, suffixes, found.left_out, recursive)
        elif not path.exists() and glob.has_magic(name):
            matches = sorted(glob.iglob(name, recursive=True))  # noqa: PTH207 (patterns may be absolute)
            if not matches:
                raise ConvcliError(f"{name}: the pattern matches no file")
            files, base = [each for each in matches if Path(each).is_file() or is_store(each)], _plain_part(name)
        else:
            files = [name]
        for each in files:
            if first.setdefault(each if each == STREAM else os.path.realpath(each), each) != each:
                continue
            deeper = "." if base is None or not recursive else os.path.relpath(Path(each).parent, base)
            found.below.update({each: deeper} if deeper != "." else {})
    found.files[:] = first.values()
    return found


def check_apart(target: str, sources: Sequence[str]) -> None:
    """Refuse to write a sheet of pictures over one of them; raises `ConvcliError`."""
    if any(source != STREAM and os.path.realpath(source) == os.path.realpath(target) for source in sources):
        raise ConvcliError(f"{target}: is one of the pictures itself, expected another file to write")


def left_out_text(kinds: Counter[str]) -> str:
    """What was left out as a list for people: ``3 .txt, 2 folders``; nothing if nothing was.

    >>> left_out_text(Counter({"folder": 1, ".txt": 3}))
    '3 .txt, 1 folder (--recursive looks into folders)'
    """
    common = kinds.most_common(_MOST_KINDS)
    words = [f"{count} {kind if kind.startswith('.') or count == 1 else _PLURALS.get(kind, kind + 's')}"
             for kind, count in common]  # fmt: skip
    others = sum(kinds.values()) - sum(count for _, count in common)
    words += [f"{others} other{'s' * (others > 1)}"] if others else []
    return ", ".join(words) + (" (--recursive looks into folders)" if kinds["folder"] else "")


def _inside(
    folder: Path, suffixes: Sequence[str], recursive: bool, output: str | None, left_out: Counter[str]
) -> list[str]:
    """The files of a folder in order; counts what else is in it."""
    results = os.path.realpath(output) if output else None
    files: list[str] = []
    for entry in _entries(folder, left_out):
        if entry.name.startswith("."):
            left_out["hidden file" if entry.is_file() else "hidden folder"] += 1
        elif entry.is_dir():
            if not recursive:
                left_out["folder"] += 1
            elif entry.is_symlink():
                left_out["link to a folder"] += 1
            elif os.path.realpath(entry) == results:
                left_out["folder of results"] += 1
            else:
                files += _inside(entry, suffixes, recursive, output, left_out)
        elif not entry.is_file():
            left_out["broken link" if entry.is_symlink() else "special file"] += 1
        elif entry.suffix.lower() in suffixes:
            files.append(str(entry))
        else:
            left_out[entry.suffix.lower() or "file without a suffix"] += 1
    return files


def _entries(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    """What is in a folder, files before folders, each in order of name."""
    try:
        inside = sorted(folder.iterdir())
    except PermissionError:
        left_out["unreadable folder"] += 1
        return
    yield from sorted(inside, key=Path.is_dir)


def _empty(name: str, suffixes: Sequence[str], left_out: Counter[str], recursive: bool) -> ConvcliError:
    what = "picture" if suffixes is READABLE_SUFFIXES else "signal"
    others = f", but {left_out_text(left_out)}" if left_out else ""
    below = " in it or below" if recursive else ""
    return ConvcliError(f"{name}: holds no {what}{below}{others}, expected files ending in {' '.join(suffixes)}")


def _plain_part(pattern: str) -> str:
    """The folder that a pattern begins with, before its first star."""
    parts = Path(pattern).parts
    plain = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:plain]))
