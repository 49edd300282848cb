"""Which files are meant: names, patterns and folders to files, where each lies in its folder, and what is left out."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convcli.errors import ConvcliError
from convcli.images import READABLE_SUFFIXES
from convcli.images.folders import files_in, left_out_text
from convcli.stores import is_store

STREAM = "-"


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
            files, base = files_in(path, suffixes, found.left_out, recursive=recursive, output=output), name
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
            file = each if each == STREAM else os.path.realpath(each)
            known = first.setdefault(file, each)
            if known != each and base is not None:
                found.left_out["second name of a file"] += 1
                if _plainness(each) < _plainness(known):
                    first[file] = each
            if first[file] != each:
                continue
            deeper = "." if base is None or not recursive else os.path.relpath(Path(each).parent, base)
            found.below.update({each: deeper} if deeper != "." else {})
    found.files[:] = first.values()
    return found


def _plainness(name: str) -> tuple[bool, int]:
    """By which of a file's names it is known: rather its own than a link's, rather a short one."""
    return Path(name).is_symlink(), len(name)


def check_apart(target: str, sources: Sequence[str]) -> None:
    """Refuse to write a sheet of pictures over one of them; raises `ConvcliError`."""
    if any(source != STREAM and os.path.realpath(source) == os.path.realpath(target) for source in sources):
        raise ConvcliError(f"{target}: is one of the pictures itself, expected another file to write")


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
