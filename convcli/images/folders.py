"""What lies in a folder: files that end as they should, and what else there is, counted by kind."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convcli.addresses import below, entries, is_address
from convcli.images.formats import suffix_of

_MOST_KINDS = 6  # of files left out that are named; the others are counted together
_MOST_ENDINGS = 10  # that are named
_PLURALS = {
    "file without a suffix": "files without a suffix",
    "folder of results": "folders of results",
    "link to a folder": "links to folders",
    "result of an earlier run": "results of an earlier run",
    "second name of a file": "second names of files",
}


@dataclass(frozen=True)
class Found:
    """The files of one folder: ``place`` is the folder, ``deeper`` where it lies below the one that was asked about."""

    place: str
    deeper: str
    names: list[str]
    has_links: bool


def walk(
    folder: str,
    suffixes: Sequence[str],
    left_out: Counter[str],
    *,
    recursive: bool = False,
    output: str | None = None,
    deeper: str = "",
) -> Iterator[Found]:
    """A folder, here or at an address: its files that end in one of these and are not hidden, in order of name.

    With ``recursive`` the folders in it follow, but for one that is the ``output``. Links to folders are not followed.
    What else there is is counted.
    """
    join = below if is_address(folder) else os.path.join
    folder = "" if folder == "." else folder  # names that the user would write
    names, folders, has_links = list[str](), list[str](), False
    known = set(suffixes)
    inside = _at_address(folder, output) if is_address(folder) else _here(folder, output, left_out)
    for name, kind in sorted(inside, key=lambda each: ("folder" in each[1], each[0])):
        if name.startswith("."):
            left_out["hidden folder" if "folder" in kind else "hidden file"] += 1
        elif kind in ("file", "link"):
            if suffix_of(name).lower() in known:
                names.append(name)
                has_links = has_links or kind == "link"
            else:
                left_out[Path(name).suffix.lower() or "file without a suffix"] += 1
        elif "folder" in kind and not recursive:
            left_out["folder"] += 1
        elif kind == "folder":
            folders.append(name)
        else:
            left_out[kind] += 1
    yield Found(folder, deeper, names, has_links)
    for name in folders:
        further = f"{deeper}/{name}" if deeper else name
        yield from walk(join(folder, name), suffixes, left_out, recursive=recursive, output=output, deeper=further)


def files_in(folder: Path, suffixes: Sequence[str], left_out: Counter[str], *, recursive: bool = False) -> list[str]:
    """The files of a folder as `walk` finds them, folder by folder."""
    found = walk(str(folder), suffixes, left_out, recursive=recursive)
    return [os.path.join(each.place, name) for each in found for name in each.names]  # noqa: PTH118 (there may be many)


def _here(folder: str, output: str | None, left_out: Counter[str]) -> Iterator[tuple[str, str]]:
    """What is in a folder: names and of what kind each is."""
    results = os.path.realpath(output) if output and not is_address(output) else None
    try:
        inside = os.scandir(folder or ".")
    except PermissionError:
        left_out["unreadable folder"] += 1
        return
    with inside:
        for entry in inside:
            is_link = entry.is_symlink()
            if is_link and not os.path.exists(entry.path):  # noqa: PTH110 (which entries ask of links that go round, too)
                yield entry.name, "broken link"
            elif entry.is_file():
                yield entry.name, "link" if is_link else "file"
            elif not entry.is_dir():
                yield entry.name, "special file"
            elif is_link:
                yield entry.name, "link to a folder"
            else:
                is_ours = results is not None and os.path.realpath(entry.path) == results
                yield entry.name, "folder of results" if is_ours else "folder"


def _at_address(folder: str, output: str | None) -> Iterator[tuple[str, str]]:
    results = output.rstrip("/") if output else None
    for name, is_folder in entries(folder):
        if "::" in name:  # which would begin another address
            yield name, "special file"
        elif is_folder:
            yield name, "folder of results" if below(folder, name) == results else "folder"
        else:
            yield name, "file"


def endings(suffixes: Sequence[str]) -> str:
    """The endings that are looked for, as an error has them: of many the first few.

    >>> endings([".wav", ".csv"]), endings([f".{each}" for each in range(20)])
    ('.wav .csv', '.0 .1 .2 .3 .4 .5 .6 .7 .8 .9 and 10 more')
    """
    more = len(suffixes) - _MOST_ENDINGS
    return " ".join(suffixes[:_MOST_ENDINGS]) + (f" and {more} more" if more > 0 else "")


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
