"""Which files are meant: names, patterns and folders to files, where each lies in its folder, and what is left out."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convcli import addresses
from convcli.addresses import is_address, local_name
from convcli.errors import ConvcliError
from convcli.images import READABLE_SUFFIXES
from convcli.images.folders import endings, left_out_text, walk
from convcli.images.formats import suffix_of
from convcli.jobs.names import Deeper, Names
from convcli.stores import is_store

STREAM = "-"


@dataclass
class Inputs:
    """Files in the order they are worked on.

    Attributes
    ----------
    files : sequence of str
        Each once, under the first name it was found by.
    below : mapping of str to str
        The folder of a file below the folder or pattern that was named; files that lie directly in it are left out.
    left_out : Counter of str
        How many of a kind a folder held besides: ``.txt``, ``folder``, ``hidden file``.
    has_folder : bool
        Whether a folder was named.
    """

    files: Sequence[str]
    below: Any = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    has_folder: bool = False


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
    that each is reported like any other bad file. Addresses are files, patterns and folders as names here are; what
    ends like a file is taken for one.

    Raises `ConvcliError` when a pattern or folder gives nothing.
    """
    found = Inputs([])
    first: dict[str, str] = {}
    for name in map(local_name, inputs):
        if not name:
            raise ConvcliError("input: got an empty name, expected a file, a pattern or a folder")
        files, base = _meant(name, suffixes, found.left_out, recursive=recursive, output=output)
        found.has_folder = found.has_folder or (base is not None and not _has_pattern(name))
        if len(inputs) == 1 and isinstance(files, Names) and not files.has_links:  # there may be millions
            return replace(found, files=files, below=Deeper(files))
        for each in files:
            file = each if each == STREAM or is_address(each) else os.path.realpath(each)
            known = first.setdefault(file, each)
            if known != each and base is not None:
                found.left_out["second name of a file"] += 1
                if _plainness(each) < _plainness(known):
                    first[file] = each
            if first[file] != each:
                continue
            deeper = "." if base is None or not recursive else _deeper(each, base)
            found.below.update({each: deeper} if deeper != "." else {})
    return replace(found, files=list(first.values()))


def _meant(
    name: str, suffixes: Sequence[str], left_out: Counter[str], *, recursive: bool, output: str | None
) -> tuple[Sequence[str], str | None]:
    """The files that one name means, and the folder below which they lie if it is a folder or a pattern."""
    if name == STREAM or is_store(name) or _is_file(name, suffixes):
        return [name], None
    if _has_pattern(name):
        if is_address(name):
            matches, base = addresses.matches(name), addresses.plain_part(name)
        else:
            matches, base = sorted(glob.iglob(name, recursive=True)), _plain_part(name)  # noqa: PTH207 (absolute ones)
        if not matches:
            raise ConvcliError(f"{name}: the pattern matches no file")
        return [each for each in matches if is_address(each) or Path(each).is_file() or is_store(each)], base
    if not _is_folder(name):
        return [name], None
    folder = name if is_address(name) else str(Path(name))
    files = Names(folder, walk(folder, suffixes, left_out, recursive=recursive, output=output))
    if not files:
        raise _empty(name, suffixes, left_out, recursive)
    return files, folder


def _is_file(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a name is a file's; at an address of one that ends like a file, without asking."""
    if is_address(name):
        return not name.endswith("/") and suffix_of(name).lower() in suffixes and not addresses.has_pattern(name)
    return Path(name).is_file()


def _is_folder(name: str) -> bool:
    return addresses.is_folder(name) if is_address(name) else Path(name).is_dir()


def _has_pattern(name: str) -> bool:
    if is_address(name):
        return addresses.has_pattern(name)
    return not Path(name).exists() and glob.has_magic(name)


def _deeper(name: str, base: str) -> str:
    if is_address(name):
        return addresses.deeper(name, base) or "."
    return os.path.relpath(Path(name).parent, base)


def _plainness(name: str) -> tuple[bool, int]:
    """By which of a file's names it is known: rather its own than a link's, rather a short one."""
    return Path(name).is_symlink(), len(name)


def check_apart(target: str, sources: Sequence[str]) -> None:
    """Refuse to write over one of the files that are read, even if it may be replaced; raises `ConvcliError`."""
    if any(source != STREAM and os.path.realpath(source) == os.path.realpath(target) for source in sources):
        raise ConvcliError(f"{target}: is one of the inputs itself, expected another file to write")


def _empty(name: str, suffixes: Sequence[str], left_out: Counter[str], recursive: bool) -> ConvcliError:
    what = "picture" if suffixes is READABLE_SUFFIXES else "signal"
    others = f", but {left_out_text(left_out)}" if left_out else ""
    below = " in it or below" if recursive else ""
    return ConvcliError(f"{name}: holds no {what}{below}{others}, expected files ending in {endings(suffixes)}")


def _plain_part(pattern: str) -> str:
    """The folder that a pattern begins with, before its first star."""
    parts = Path(pattern).parts
    plain = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:plain]))
