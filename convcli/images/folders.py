"""What lies in a folder: files that end as they should, and what else there is, counted by kind."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from convcli.images.formats import suffix_of

_MOST_KINDS = 6  # of files left out that are named; the others are counted together
_PLURALS = {
    "file without a suffix": "files without a suffix",
    "folder of results": "folders of results",
    "link to a folder": "links to folders",
    "result of an earlier run": "results of an earlier run",
    "second name of a file": "second names of files",
}


def files_in(
    folder: Path,
    suffixes: Sequence[str],
    left_out: Counter[str],
    *,
    recursive: bool = False,
    output: str | None = None,
) -> list[str]:
    """The files of a folder that end in one of these and are not hidden, in order; counts what else is in it.

    With ``recursive`` those in folders below too, but for a folder that is the ``output``. Links to folders are not
    followed.
    """
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
                files += files_in(entry, suffixes, left_out, recursive=recursive, output=output)
        elif not entry.is_file():
            left_out["broken link" if entry.is_symlink() else "special file"] += 1
        elif suffix_of(entry).lower() in suffixes:
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


def left_out_text(kinds: Counter[str], hint: str = " (--recursive looks into folders)") -> str:
    """What was left out as a list for people: ``3 .txt, 2 folders``, with a hint if there are folders.

    >>> left_out_text(Counter({"folder": 1, ".txt": 3}))
    '3 .txt, 1 folder (--recursive looks into folders)'
    """
    common = kinds.most_common(_MOST_KINDS)
    words = [f"{count} {kind if kind.startswith('.') or count == 1 else _PLURALS.get(kind, kind + 's')}"
             for kind, count in common]  # fmt: skip
    others = sum(kinds.values()) - sum(count for _, count in common)
    words += [f"{others} other{'s' * (others > 1)}"] if others else []
    return ", ".join(words) + (hint if kinds["folder"] else "")
