"""Stores that take long to be written: a folder beside the target until all is there, which survives what kills us.

``out.zarr.unfinished`` has its ledger in a folder ``.convcli``, which goes before the name does.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from convcli.addresses import is_address
from convcli.errors import FileError
from convcli.images.model import shown
from convcli.stores.layered import UNFINISHED, as_of_system, opened
from convcli.stores.quick import drop_ends, quick
from convcli.stores.writing import check_store_target
from convcli.unfinished import sweep, unfinished_name

LEDGER = ".convcli"


def growing(target: Path) -> Path:
    """The folder in which a store grows."""
    target = target.resolve()  # through a link, as files are written
    return target.with_name(f"{target.name}{UNFINISHED}")


def begin_folder(target: Path, *, overwrite: bool, goes_on: bool) -> Path:
    """The folder of a target, made or found; raises `FileError` where there is one that nobody asked for.

    ``goes_on`` allows one that is there; ``overwrite`` alone removes it.
    """
    check_store_target(target, overwrite=overwrite)
    folder = growing(target)
    if not folder.parent.is_dir():
        raise FileError(f"{shown(target)}: its folder {shown(folder.parent)} does not exist; create it first")
    sweep(folder.parent)
    if folder.exists() and not goes_on:
        if not overwrite:
            raise FileError(f"{shown(folder)}: is of a run that did not end; --resume goes on, --overwrite starts anew")
        for path in (folder / LEDGER).glob("l*"):  # bitmaps, and the lock
            with alone(path, busy(folder)):
                pass
        shutil.rmtree(folder)
    try:
        folder.mkdir(exist_ok=goes_on)
    except FileExistsError:  # made since we looked
        raise FileError(busy(folder)) from None
    (folder / LEDGER).mkdir(exist_ok=True)
    return folder


def busy(folder: Path | str) -> str:
    """What is said where another process writes."""
    return f"{shown(folder)}: another process writes it; wait for it, or end it"


def end_folder(target: Path, *, keeps: str = "") -> None:
    """Give what has grown its name, in place of what has it; raises `FileError`, and then all is as before.

    Of the ledger one file may be kept.
    """
    folder, target = growing(target), target.resolve()
    before = target.parent / unfinished_name()
    try:
        with of_target(target):
            for path in (folder / LEDGER).iterdir():
                if path.name != keeps:
                    path.unlink()
            if not keeps:
                (folder / LEDGER).rmdir()
            if target.exists():
                target.rename(before)
            folder.rename(target)
    finally:
        if before.exists() and not target.exists():  # an error, or an interrupt, between the two names
            before.rename(target)
        shutil.rmtree(before, ignore_errors=True)


@contextmanager
def of_target(target: Path | str) -> Iterator[None]:
    """Let what the system refuses be said of the target."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"{shown(target)}: cannot be written ({reason})") from error


def drop_folder(target: Path) -> None:
    """Remove what has grown."""
    shutil.rmtree(growing(target), ignore_errors=True)


@contextmanager
def alone(path: Path, said: str = "") -> Iterator[int]:
    """A file that one process at a time may hold, until it ends however it ends.

    Where another has it, raises `FileError` with what is ``said``, or waits.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0))
    try:
        with suppress(ImportError):  # elsewhere nobody is kept away
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if said else 0))
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise FileError(said) from None
        yield handle
    finally:
        os.close(handle)


def open_region_target(folder: str, path: str) -> Any:
    """An array that is there already, for whole chunks to be written into."""
    import zarr

    if is_address(folder):
        return zarr.open(opened(folder), path=path or None, mode="r+", config={"write_empty_chunks": True})
    # `zarr.open` heeds the configuration for arrays that exist; `zarr.open_array` does not.
    return quick(zarr.open(f"{folder}/{path}" if path else folder, mode="r+", config={"write_empty_chunks": True}))


def write_region(array: Any, ranges: Sequence[range], voxels: Any) -> None:
    """Write a box, which is whole chunks."""
    with as_of_system(array):
        drop_ends(array, ranges)
        whole = np.ascontiguousarray(voxels.reshape([len(each) for each in ranges]))
        array[tuple(slice(each.start, each.stop) for each in ranges)] = whole
