"""What Numba keeps where it compiles by itself: its files are read only if they are as they were written.

Numba believes whatever it finds: a damaged index makes every later run fail, damaged code ends the process. So beside
each of its files lies a digest, written when the process that compiled ends. Files without one, or with another, are
deleted before Numba looks, and their loops are compiled anew.
"""

import atexit
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from convcli.loops.compiling.cache import cache_place, is_ours, tell

_DIGEST = ".sha256"


@contextmanager
def kept_by_numba(config) -> Iterator[bool]:
    """Meanwhile Numba keeps what is compiled in a folder of ours, if there is one; yields whether there is."""
    folder = _folder()
    before = config.CACHE_DIR
    if folder is not None:
        config.CACHE_DIR = str(folder)
    try:
        yield folder is not None
    finally:
        config.CACHE_DIR = before


@cache
def _folder() -> Path | None:
    """The folder, in which all is as it was written; None where there is none that nobody else can write."""
    place, _ = cache_place()
    if place is None:
        return None
    folder = place / "loops_numba"
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        if os.name == "posix" and not is_ours(folder.stat()):
            tell(f"{folder}: others can write there, so Numba keeps nothing; NUMBA_CACHE_DIR names another folder")
            return None
        _remove_damaged(folder)
    except OSError:  # a file in its place, one that cannot be removed
        return None
    atexit.register(_write_digests, folder, time.time())
    return folder


def _remove_damaged(folder: Path) -> None:
    for file in folder.rglob("*.nb[ic]"):
        beside = file.with_name(file.name + _DIGEST)
        if file.is_file() and beside.is_file() and beside.read_text(errors="replace") == _digest(file):
            continue
        if beside.exists() or not file.is_file():
            tell(f"{file}: damaged, so the loop is compiled anew")
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)


def _write_digests(folder: Path, since: float) -> None:
    """Beside all files that were written since then."""
    with suppress(OSError):
        for file in folder.rglob("*.nb[ic]"):
            if file.stat().st_mtime >= since - 1:  # file systems may count in seconds
                beside = file.with_name(file.name + _DIGEST)
                unfinished = beside.with_name(f"{beside.name}.{os.getpid()}")
                unfinished.write_text(_digest(file))
                unfinished.replace(beside)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
