"""Files at addresses that fsspec reads, such as ``s3://bucket/a.png``: names, folders, reading, writing.

A file is written whole or not at all: where storing is one request it is that one, elsewhere it gets a hidden name
first and is moved then. Only this module and `convcli.stores` import fsspec, which is an extra.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from convcli.errors import ConvcliError, FileError, ImageError, shown
from convcli.extras import install
from convcli.unfinished import unfinished_name

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(//|:.*://)")
# What stands before a path, the path, and what stands behind it: ``zip://``, ``a/b.png``, ``::s3://bucket/c.zip``.
_FORM = re.compile(r"((?:[\w+.-]+::)*[\w+.-]+://)(.*?)(::.*)?", re.DOTALL)
_HERE = ("file://", "local://")
_WEB = ("http://", "https://")
_READ_ONLY = ("http", "https", "zip", "tar", "libarchive", "github", "gitlab", "git", "data", "jar", "reference")
# Storing is one request there, which gives all of a file its name or does nothing.
_STORED_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"}
_ALIASES = {"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs"}
# What systems call that which changes with a file, the surest first.
_VERSIONS = ("ETag", "etag", "CRC", "LastModified", "last_modified", "updated", "modified", "mtime", "created")
_TRIES, _WAIT = 3, 0.2  # of what the network refuses, and seconds before the second
# Systems that threads may share, by what stands around the path, and its host: fsspec itself makes one for each thread,
# and one of S3 takes a third of a second.
_SHARED: dict[tuple[str, str, str], tuple[tuple[int, ...], Any]] = {}
_FEW = 3  # files of one folder that are asked for one by one, before all of it is listed


def is_address(name: str) -> bool:
    """Whether a name is an address: ``s3://bucket/a.zarr``, ``zip://a.png::b.zip``."""
    return ":" in name and _SCHEME.match(name) is not None


def local_name(name: str) -> str:
    """The same, but of a file here its plain name.

    >>> local_name("file:///data/a.png"), local_name("s3://data/a.png")
    ('/data/a.png', 's3://data/a.png')
    """
    begin = next((each for each in _HERE if name.lower().startswith(each)), None)
    return name if begin is None or "::" in name else name[len(begin) :]


def name_of(address: str) -> str:
    """The last part of an address's path, as a file here would be called.

    >>> name_of("zip://shots/a.png::s3://bucket/b.zip"), name_of("https://host/a%20b.png?key=1")
    ('a.png', 'a b.png')
    """
    begin, path, _ = _parts(address)
    last = path.rstrip("/").rpartition("/")[2]
    return unquote(last) if begin.lower().endswith(_WEB) else last


def folder_of(address: str) -> str:
    """The address of the folder that a file lies in."""
    begin, path, end = _parts(address)
    return begin + path.rstrip("/").rpartition("/")[0] + end


def below(folder: str, name: str) -> str:
    """The address of what lies in a folder, or deeper.

    >>> below("s3://bucket/raw/", "x/a.png"), below("zip://::b.zip", "a.png")
    ('s3://bucket/raw/x/a.png', 'zip://a.png::b.zip')
    """
    begin, path, end = _parts(folder)
    return f"{begin}{path.rstrip('/')}/{name}{end}" if path.rstrip("/") else f"{begin}{name}{end}"


def absolute(address: str) -> str:
    """The same for processes that run in other folders: a file here that it ends with is named from the root."""
    begin, path, end = _parts(address)
    last = end.rpartition("::")[2]
    if not last or "?" in end or is_address(last):
        return address
    return begin + path + end.removesuffix(last) + str(Path(last).absolute())


def lies_at(address: str) -> str:
    """The same for all addresses of one place, which may be written in several ways.

    >>> lies_at("s3a://bucket/a.zarr/"), lies_at("memory:///a.zarr")
    ('s3://bucket/a.zarr', 'memory://a.zarr')
    """
    begin, path, end = _parts(address)
    scheme = begin.removesuffix("://").lower()
    return f"{_ALIASES.get(scheme, scheme)}://{path.strip('/')}{end}"


def has_pattern(address: str) -> bool:
    """Whether an address's path is a pattern of several files."""
    begin, path, _ = _parts(address)
    return any(each in path for each in ("*[" if begin.lower().endswith(_WEB) else "*?["))


def plain_part(pattern: str) -> str:
    """The folder that a pattern begins with, before its first star.

    >>> plain_part("s3://bucket/raw/*/a.png")
    's3://bucket/raw'
    """
    begin, path, end = _parts(pattern)
    return begin + re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0] + end


def deeper(address: str, folder: str) -> str:
    """In which folder below another one a file lies: ``x/y``; nothing if it lies directly in it.

    >>> deeper("s3://bucket/raw/x/a.png", "s3://bucket/raw/")
    'x'
    """
    path = _parts(address)[1].rpartition("/")[0]
    return path.removeprefix(_parts(folder)[1].rstrip("/")).strip("/")


def matches(pattern: str) -> list[str]:
    """The addresses of the files that a pattern names, in order of name."""
    begin, _, end = _parts(pattern)
    system, path = _system(pattern)
    with _asking(pattern):
        found = sorted(system.glob(path, detail=True).items())
    plain = [name for name, known in found if known["type"] == "file" and "/." not in f"/{name}"]  # as shells do
    return [_whole(begin, name, end) for name in plain]


def is_folder(address: str) -> bool:
    """Whether an address is one of a folder; asks for it."""
    system, path = _system(address)
    with _asking(address):
        return bool(system.isdir(path))


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """What lies in a folder: names, and whether each is a folder itself."""
    system, path = _system(folder)
    with _asking(folder):
        system.invalidate_cache()  # others write as well
        found = system.ls(path, detail=True)
    top = path.strip("/")
    for each in found:
        whole = each["name"].rstrip("/")
        if whole.strip("/") != top:  # where folders are names of nothing, they may list themselves
            yield whole.rpartition("/")[2], each["type"] == "directory"


def names_in(folder: str) -> list[str]:
    """The names of what lies in a folder; none if there is no such folder."""
    return [name for name, _ in _listed(folder)]


def names_below(folder: str) -> list[str]:
    """The files in a folder and below it, each named from there; none if there is no such folder."""
    found = []
    for name, is_folder in _listed(folder):
        inner = names_below(below(folder, name)) if is_folder else []
        found += [f"{name}/{each}" for each in inner] if is_folder else [name]
    return found


def versions_below(folder: str, most: int) -> list[str]:
    """What tells the first files below a folder from what they were before: tags, or times; nothing where none are had.

    Where each folder is a page of its own, as on the web, nothing is asked.
    """
    found: list[str] = []
    if _parts(folder)[0].lower().endswith(_WEB):
        return found
    system, path = _system(folder)
    with _asking(folder):
        system.invalidate_cache()  # others write as well
        for _, _, files in system.walk(path, detail=True):
            for each in files.values():
                known = next((each[word] for word in _VERSIONS if each.get(word) is not None), None)
                found.append(f"{each['name']} {known} {each.get('size')}")
            if len(found) >= most:
                break
    return sorted(found)[:most]


def exists(address: str) -> bool:
    """Whether there is a file; asks for it."""
    system, path = _system(address)
    with _asking(address):
        system.invalidate_cache()  # others write as well
        # To tell a folder from nothing, memory looks at the names of all that it holds.
        return bool(system.isfile(path) if address.lower().startswith("memory://") else system.exists(path))


class Present:
    """Which files are there: of folders that are asked about often all names are asked for at once, and kept."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._known: dict[str, frozenset[str]] = {}

    def __contains__(self, address: str) -> bool:
        folder = folder_of(address)
        self._asked[folder] = self._asked.get(folder, 0) + 1
        if folder not in self._known and self._asked[folder] > _FEW:
            names: frozenset[str] = frozenset()
            with suppress(FileNotFoundError):
                names = frozenset(name for name, is_folder in _listed(folder) if not is_folder)
            self._known = {folder: names}
        known = self._known.get(folder)
        return exists(address) if known is None else _parts(address)[1].rpartition("/")[2] in known


def _listed(folder: str) -> list[tuple[str, bool]]:
    try:
        return list(entries(folder))
    except ImageError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return []
        raise


def read_bytes(address: str) -> bytes:
    """All of a file; raises `ImageError` in one line. What the network refuses is asked for again."""
    system, path = _system(address)
    with _asking(address):
        return bytes(_patiently(lambda: system.cat_file(path)))


def _patiently(ask: Callable[[], Any]) -> Any:
    """What is asked for, again and again where the network refuses it."""
    for tries in range(1, _TRIES):
        try:
            return ask()
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except OSError:
            time.sleep(_WAIT * tries)
    return ask()


def check_writable(address: str) -> None:
    """Refuse, before any work is done, what nothing can be written to: `FileError`."""
    scheme = address.partition(":")[0].lower()
    if "::" in address:
        raise FileError(f"{shown(address)}: is a chain of addresses, which are read only; write to a single one")
    if scheme in _READ_ONLY:
        raise FileError(f"{shown(address)}: addresses of {scheme} are read only; choose another output with -o")


def check_target(address: str, *, overwrite: bool, present: Present | None = None) -> None:
    """Refuse a target before any work is done for it: `FileError`."""
    check_writable(address)
    if not overwrite and (exists(address) if present is None else address in present):
        raise FileError(f"{shown(address)}: already exists; choose another name or add --overwrite")


def write_whole(address: str, content: bytes, *, overwrite: bool) -> None:
    """Write a file, which appears whole or not at all; raises `FileError`.

    Where no request says "only if it is not there", what appears between the look and the writing is replaced.
    """
    check_target(address, overwrite=overwrite)
    system, path = _system(address)
    with _asking(address, FileError, "written"):
        if stores_at_once(address):
            _patiently(lambda: system.pipe_file(path, content))
            return
        folder = path.rpartition("/")[0]
        part = f"{folder}/{unfinished_name()}"
        system.makedirs(folder, exist_ok=True)
        try:
            system.pipe_file(part, content)
            system.mv(part, path)
        finally:
            with suppress(Exception):  # it has been moved, or the connection is gone
                if system.exists(part):
                    system.rm_file(part)


def stores_at_once(address: str) -> bool:
    """Whether storing a file there is one request; such places have no folders either, and cannot rename."""
    return address.partition(":")[0].lower() in _STORED_AT_ONCE


def remove(address: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    system, path = _system(address)
    with _asking(address, FileError, "removed"):
        if system.exists(path):
            system.rm(path, recursive=True)


def _parts(address: str) -> tuple[str, str, str]:
    found = _FORM.fullmatch(address)
    if found is None:
        raise ImageError(f"{shown(address)}: is no address, expected such as s3://bucket/a.png or zip://a.png::b.zip")
    begin, path, end = found[1], found[2], found[3] or ""
    if begin.lower().endswith(_WEB):
        path, mark, query = path.partition("?")
        end = mark + query + end
    return begin, path, end


def _whole(begin: str, path: str, end: str) -> str:
    """An address of a path as file systems tell it, some with its beginning."""
    return path + end if is_address(path) else begin + path.lstrip("/") + end


def _system(address: str) -> tuple[Any, str]:
    """The file system behind an address, and the path in it."""
    begin, path, end = _parts(address)
    place = begin, path.partition("/")[0] if end == "" else "", end
    stamp, (known, system) = _stamp(end), _SHARED.get(place, (None, None))
    if system is not None and known == stamp:
        with _asking(address):
            return system, str(system._strip_protocol(begin + path))
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ConvcliError(f"{shown(address)}: is an address, which needs an extra; {install('scale')}") from None
    with _asking(address):
        system, path = url_to_fs(address)
    if system.async_impl or place[0] in ("memory://", "zip://"):
        _SHARED[place] = stamp, system
    return system, str(path)


def _stamp(end: str) -> tuple[int, ...]:
    """What tells whether the archive here that an address ends with is still the same file."""
    last = end.rpartition("::")[2]
    if not last or "?" in end or is_address(last):
        return ()
    try:
        found = Path(last).stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def _asking(address: str, kind: Any = ImageError, what: str = "read") -> Iterator[None]:
    """Turn whatever the library behind an address raises (of credentials, connections, names) into one line."""
    name = shown(address)
    try:
        yield
    except ConvcliError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{name}: no such file or folder") from error
    except ImportError as error:
        raise ConvcliError(f"{name}: needs another library ({_reason(error)})") from None
    except Exception as error:
        raise kind(f"{name}: cannot be {what} ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
