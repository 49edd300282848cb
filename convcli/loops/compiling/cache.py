"""Where compiled loops are kept, and looking after that place; what is in it is Numba's and `kept`'s.

The cache is never allowed to be fatal: without a writable place loops are compiled for this process alone.
"""

import os
import re
import shutil
import stat
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from convcli import __version__

_OURS = ("*.nb[ic]*", "*.code*", "*.lock")  # *.code.*: what a process that was killed has not finished


@cache
def numba_release() -> str:
    """What Numba says about its release, read without importing it (0.15 s); it holds the version."""
    spec = find_spec("numba")
    if spec is not None and spec.origin is not None:
        with suppress(OSError):
            return Path(spec.origin).with_name("_version.py").read_text()
    import numba

    return f'"version": "{numba.__version__}"'


def numba_version() -> str:
    """Numba's version, as 0.68.1."""
    found = re.search(r'"version": "([^"]+)"', numba_release())
    if found:
        return found[1]
    import numba

    return numba.__version__


@cache
def tell(line: str) -> None:
    """Tell the user, once, what is wrong with a place for loops, which is no reason to stop."""
    import logging

    logging.getLogger("convcli").warning(line)


def likely_place() -> Path:
    """The folder for compiled loops if it can be written, which nobody has tried yet.

    `NUMBA_CACHE_DIR` wins; otherwise the user's cache folder, by convcli's, numba's and Python's version, since Numba
    does not notice when a function in another file has changed.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return user_cache_path("convcli") / "loops" / f"{__version__}-numba{numba_version()}-{python}"


def cache_place() -> tuple[Path | None, str]:
    """The folder for compiled loops and why it is that one; None where no folder can be written."""
    place = likely_place()
    if _writable(place):
        return place, "NUMBA_CACHE_DIR" if os.environ.get("NUMBA_CACHE_DIR") else "the user's cache folder"
    return None, f"{place} cannot be written: loops are compiled anew by each process (set NUMBA_CACHE_DIR)"


def is_ours(status: os.stat_result) -> bool:
    """Whether only this user, or root, can have written there: code from elsewhere is not run."""
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _writable(place: Path) -> bool:
    import tempfile

    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def clear_cache() -> int:
    """Delete the compiled loops of every convcli version; returns the number of files deleted."""
    root, mine = _files()
    for file in mine:
        file.unlink(missing_ok=True)
    if root is not None and not os.environ.get("NUMBA_CACHE_DIR"):
        shutil.rmtree(root, ignore_errors=True)
    return len(mine)


def cache_size() -> tuple[int, int]:
    """The number of compiled files of every convcli version, and their bytes."""
    sizes = []
    for file in _files()[1]:
        with suppress(FileNotFoundError):  # another process has just finished it
            sizes.append(file.stat().st_size)
    return len(sizes), sum(sizes)


def _files() -> tuple[Path | None, list[Path]]:
    """The folder of every version's loops, and what is ours in it."""
    place, _ = cache_place()
    if place is None:
        return None, []
    root = place if os.environ.get("NUMBA_CACHE_DIR") else place.parent
    return root, [file for pattern in _OURS for file in root.rglob(pattern) if _is_ours(file, root)]


def _is_ours(file: Path, root: Path) -> bool:
    # NUMBA_CACHE_DIR may be shared with other programs.
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return root.name != "" and (not chosen or file.relative_to(root).parts[0].startswith("loops_"))
