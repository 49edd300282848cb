"""Files appear under their name complete or not at all: written beside it, then renamed."""

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from convcli.errors import FileError, as_address, shown
from convcli.unfinished import sweep, unfinished_name


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a hidden temporary file that becomes ``target`` when the block ends well, and vanishes when it does not.

    Without ``overwrite`` an existing target is refused, at the start and again, without a gap, at the end: a hard link
    fails if the name was taken meanwhile. A symbolic link is followed: the file it names is replaced, the link stays.

    Raises `FileError` for a target that exists, is a folder, or lies in a folder that is missing or not writable.
    """
    final = _resolve(target)
    check_target(target, overwrite=overwrite)
    _sweep_once(final.parent.absolute())
    part = final.with_name(unfinished_name())
    descriptor = _create(part, target)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # the rename must not reach the disk before the content does
        if overwrite:
            with contextlib.suppress(OSError):
                part.chmod(final.stat().st_mode & 0o7777)
            part.replace(final)
        else:
            _claim(part, final, target)
    except OSError as error:
        raise FileError(f"{shown(target)}: cannot be written ({_reason(error)})") from error
    finally:
        part.unlink(missing_ok=True)


def write_whole(target: Path, content: bytes | str, *, overwrite: bool) -> None:
    """Write a file by `replacing`; a text as UTF-8, with halves of surrogate pairs spelled out."""
    with replacing(target, overwrite=overwrite) as stream:
        stream.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target before any work is done for it.

    Parameters
    ----------
    target:
        The file that is going to be written.
    overwrite:
        Whether it may exist already.

    Raises
    ------
    FileError
        If it exists, is protected, a folder or a device, or lies in a folder that does not exist.
    """
    final = _resolve(target)
    try:
        exists, has_folder = os.path.lexists(final), final.parent.is_dir()
        is_folder, is_file = final.is_dir(), final.is_file()
        may_write = not exists or os.access(final, os.W_OK)
    except (OSError, ValueError) as error:
        raise FileError(f"{shown(target)}: cannot be written ({_reason(error)})") from error
    if is_folder:
        raise FileError(f"{shown(target)}: is a folder, expected a file name")
    if exists and not is_file:  # a device or a pipe would be replaced by a file
        raise FileError(f"{shown(target)}: is not a regular file; use - for standard output")
    if exists and not overwrite:
        raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite")
    if not may_write:
        raise FileError(f"{shown(target)}: is write-protected; choose another name or change its permissions")
    if not has_folder:
        _refuse_address(target)
        raise FileError(f"{shown(target)}: its folder {shown(final.parent)} does not exist; create it first")


def make_folder(target: Path) -> None:
    """Make the folder of a result, with those above it, unless it is there; raises `FileError`."""
    if not target.parent.is_dir():
        _refuse_address(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise FileError(f"{shown(target)}: its folder cannot be made ({_reason(error)})") from error


def _refuse_address(target: Path) -> None:
    """What writes files here alone would make a folder called ``s3:``."""
    if address := as_address(target):
        raise FileError(f"{shown(address)}: is an address, to which pictures and .zarr are written; name a file here")


def check_folder(target: Path) -> None:
    """Refuse a target whose folder takes no files, by trying: permissions alone do not tell.

    Raises `FileError`; nothing is left behind.
    """
    part = _resolve(target).with_name(unfinished_name())
    os.close(_create(part, target))
    part.unlink()


@functools.lru_cache(maxsize=1000)
def _sweep_once(folder: Path) -> None:
    """Remove what killed processes left, before this process first writes into a folder."""
    sweep(folder)


def _create(part: Path, target: Path) -> int:
    """The descriptor of a new file. O_EXCL and mode 0o666: never somebody else's, and permissions follow the umask."""
    try:
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except (OSError, ValueError) as error:
        raise FileError(
            f"{shown(target)}: cannot be written ({_reason(error)}); choose a folder you may write to"
        ) from error


def _resolve(target: Path) -> Path:
    try:
        if "\0" in str(target):
            raise ValueError("a zero byte in its name")
        os.fsencode(target)
        return target.resolve() if target.is_symlink() else target
    except (OSError, RuntimeError, ValueError) as error:
        raise FileError(f"{shown(target)}: cannot be written ({_reason(error)})") from error


def _claim(part: Path, final: Path, target: Path) -> None:
    try:
        os.link(part, final)
    except FileExistsError as error:
        raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite") from error
    except OSError:
        # Some file systems have no hard links: claim the name first, so that nobody else's file is replaced.
        try:
            os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError as error:
            raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite") from error
        try:
            part.replace(final)
        except BaseException:
            final.unlink(missing_ok=True)
            raise


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
