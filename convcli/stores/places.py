"""Where a store grows until it is finished, and where its ledger lies: in a folder here, or at an address.

Here all of it grows in a folder beside the target, which gets the target's name. At an address nothing can be renamed:
chunks are written where they will stay, and what says that they are a store (``zarr.json``, ``.zarray`` ...) lies
beside the target with the ledger until all is there. It is copied last, that of the whole last of all: then, and not
before, there is a store of that name.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from convcli import addresses
from convcli.addresses import below, is_address
from convcli.errors import ConvcliError, FileError
from convcli.images.model import shown
from convcli.stores import is_store_there
from convcli.stores.growing import LEDGER, alone, begin_folder, busy, drop_folder, end_folder, growing
from convcli.stores.layered import METADATA
from convcli.stores.writing import check_store_target
from convcli.unfinished import is_left_over, unfinished_name

_LABELS = "labels"
_LEASE = 120.0  # seconds for which who has not said that he still writes is believed
_MOMENT = 0.1  # seconds in which others who also saw that nobody writes have said that they do
_OFTEN = 2.0  # seconds between two writings of a bitmap to an address


Content = bytes | memoryview


class Shelf(Protocol):
    """Where the files of a ledger lie."""

    def read(self, name: str) -> bytes | None:
        """A file, if it is there."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""

    def names(self, begin: str) -> list[str]:
        """The files whose names begin so."""

    def hold(self, name: str, said: str = "") -> Any:
        """A context in which this process alone has a file.

        Where another has it, raises `FileError` with what is ``said``, or waits.
        """

    def begin(self, name: str, content: bytes) -> None:
        """Write all of a file that is held."""

    def change(self, name: str, content: Content, byte: int, *, last: bool = False) -> None:
        """Write one byte of a file that is held, or as much; ``last``: nothing may be put off."""


class Place(Protocol):
    """Where a store grows."""

    @property
    def name(self) -> str:
        """What other processes open: see `convcli.stores.layered.opened`."""

    @property
    def shelf(self) -> Shelf:
        """The ledger's."""

    def begin(self, *, overwrite: bool, goes_on: bool) -> None:
        """Make it, or find it; raises `FileError` for what nobody asked for."""

    def clear(self) -> None:
        """Remove what was written before there was a plan."""

    def is_there(self) -> bool:
        """Whether it still grows."""

    def end(self, *, keeps: str = "") -> None:
        """Give it its name; of the ledger one file may be kept."""

    def drop(self) -> None:
        """Remove all of it."""

    def known(self, name: str) -> bytes | None:
        """A file of the ledger that the target itself has kept."""

    def take_labels(self, source: str) -> None:
        """Copy the labels of another store."""


def place_of(target: str) -> Place:
    """Where the store of a target grows."""
    return _AtAddress(target) if is_address(target) else _Here(Path(target))


class _Folder:
    """A ledger's files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handles: dict[str, int] = {}

    def read(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        part = self._folder / f"{name}.{os.getpid()}"
        part.write_bytes(content)
        part.replace(self._folder / name)

    def names(self, begin: str) -> list[str]:
        return [each.name for each in self._folder.glob(f"{begin}*")]

    @contextmanager
    def hold(self, name: str, said: str = "") -> Iterator[None]:
        with alone(self._folder / name, said) as handle:
            self._handles[name] = handle
            yield

    def begin(self, name: str, content: bytes) -> None:
        handle = self._handles[name]
        if os.fstat(handle).st_size < len(content):
            os.pwrite(handle, content, 0)
            with suppress(AttributeError, OSError):  # a full disk must not stop what is noted later
                os.posix_fallocate(handle, 0, len(content))

    def change(self, name: str, content: Content, byte: int, *, last: bool = False) -> None:
        if not last:
            os.pwrite(self._handles[name], bytes(content[byte : byte + 1]), byte)


class _Here:
    """A folder beside the target."""

    def __init__(self, target: Path) -> None:
        self._target, self._folder = target, growing(target)
        self.name, self.shelf = str(self._folder), _Folder(self._folder / LEDGER)

    def begin(self, *, overwrite: bool, goes_on: bool) -> None:
        begin_folder(self._target, overwrite=overwrite, goes_on=goes_on)

    def clear(self) -> None:
        for path in self._folder.iterdir():
            if path.name != LEDGER:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def is_there(self) -> bool:
        return (self._folder / LEDGER).exists()

    def end(self, *, keeps: str = "") -> None:
        end_folder(self._target, keeps=keeps)

    def drop(self) -> None:
        drop_folder(self._target)

    def known(self, name: str) -> bytes | None:
        return _Folder(self._target / LEDGER).read(name)

    def take_labels(self, source: str) -> None:
        if not is_address(source):
            try:
                shutil.copytree(Path(source) / _LABELS, self._folder / _LABELS, dirs_exist_ok=True)
            except shutil.Error as error:  # it goes on after each file, and tells of all
                ((*_, reason), *more), name = error.args[0], shown(self._target)
                others = f", and {len(more)} more" if more else ""
                raise FileError(f"{name}: a file of labels cannot be copied ({reason}){others}") from error
            return
        for name in addresses.names_below(below(source, _LABELS)):
            path = self._folder / _LABELS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(addresses.read_bytes(below(source, f"{_LABELS}/{name}")))


class _Objects:
    """A ledger's files at an address, where nothing is locked: who writes says so, and when he did so last."""

    def __init__(self, folder: str) -> None:
        self._folder, self._me = folder, unfinished_name()
        self._written: dict[str, float] = {}

    def read(self, name: str) -> bytes | None:
        return self._read(name)

    def write(self, name: str, content: bytes) -> None:
        addresses.write_whole(below(self._folder, name), content, overwrite=True)

    def names(self, begin: str) -> list[str]:
        found = addresses.names_in(self._folder)
        return [name for name in found if name.startswith(begin) and not name.endswith(".held")]

    @contextmanager
    def hold(self, name: str, said: str = "") -> Iterator[None]:
        while self._is_others(name) or self._lost(name):
            if said:
                raise FileError(said)
            time.sleep(1)
        ended = Event()
        saying = Thread(target=self._go_on_saying, args=(name, ended), daemon=True)
        saying.start()
        try:
            yield
        finally:
            ended.set()
            saying.join()
            addresses.remove(below(self._folder, f"{name}.held"))

    def begin(self, name: str, content: bytes) -> None:
        self.write(name, content)

    def change(self, name: str, content: Content, byte: int, *, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._written.get(name, -_OFTEN) >= _OFTEN:
            self.write(name, bytes(content))
            self._written[name] = now

    def _is_others(self, name: str) -> bool:
        said = (self._read(f"{name}.held") or b"").decode().split()
        if len(said) != 2 or said[0] == self._me or is_left_over(said[0]):
            return False
        return time.time() - float(said[1]) < _LEASE

    def _lost(self, name: str) -> bool:
        """Say that a file is held; whether another has said so at the same time, and later."""
        self._say_held(name)
        time.sleep(_MOMENT)
        return self._is_others(name)

    def _go_on_saying(self, name: str, ended: Event) -> None:
        """Say again and again that a file is held: a block, or a look at all of them, may take long."""
        while not ended.wait(_LEASE / 4):
            with suppress(ConvcliError):  # the connection may come back before the others stop believing
                self._say_held(name)

    def _say_held(self, name: str) -> None:
        self.write(f"{name}.held", f"{self._me} {time.time():.1f}".encode())

    def _read(self, name: str) -> bytes | None:
        address = below(self._folder, name)
        return addresses.read_bytes(address) if addresses.exists(address) else None


class _AtAddress:
    """Chunks where they will stay; what makes them a store beside the target, until the end."""

    def __init__(self, target: str) -> None:
        self._target = target.rstrip("/")
        self.name = f"{self._target}.unfinished"
        self.shelf = _Objects(below(self.name, LEDGER))

    def begin(self, *, overwrite: bool, goes_on: bool) -> None:
        check_store_address(self._target, overwrite=overwrite)
        grows, name = bool(self.shelf.names("")), shown(self.name)
        if grows and not goes_on:
            if not overwrite:
                raise FileError(f"{name}: is of a run that did not end; --resume goes on, --overwrite starts anew")
            for each in self.shelf.names("l"):  # bitmaps, and the lock
                with self.shelf.hold(each, busy(self.name)):
                    pass
        if not grows and not is_store_there(self._target) and addresses.names_in(self._target):
            raise FileError(f"{shown(self._target)}: holds other things, expected nothing yet; choose another name")
        if overwrite and not (grows and goes_on):
            self.drop()

    def clear(self) -> None:
        for name in addresses.names_in(self.name):
            if name != LEDGER:
                addresses.remove(below(self.name, name))

    def is_there(self) -> bool:
        return bool(self.shelf.names(""))

    def end(self, *, keeps: str = "") -> None:
        kept = self.shelf.read(keeps) if keeps else None
        if kept is not None:
            addresses.write_whole(below(self._target, f"{LEDGER}/{keeps}"), kept, overwrite=True)
        said = [name for name in addresses.names_below(self.name) if not name.startswith(LEDGER)]
        for name in sorted(said, key=lambda name: (-name.count("/"), METADATA.index(name.rpartition("/")[2]))):
            content = addresses.read_bytes(below(self.name, name))
            addresses.write_whole(below(self._target, name), content, overwrite=True)
        addresses.remove(self.name)

    def drop(self) -> None:
        addresses.remove(self._target)
        addresses.remove(self.name)

    def known(self, name: str) -> bytes | None:
        return _Objects(below(self._target, LEDGER)).read(name)

    def take_labels(self, source: str) -> None:
        if is_address(source):
            names = addresses.names_below(below(source, _LABELS))
        else:
            names = [str(each.relative_to(source)) for each in Path(source, _LABELS).rglob("*") if each.is_file()]
            names = [each.removeprefix(f"{_LABELS}{os.sep}").replace(os.sep, "/") for each in names]
        for name in names:
            whole, is_said = f"{_LABELS}/{name}", name.rpartition("/")[2] in METADATA
            content = (
                addresses.read_bytes(below(source, whole)) if is_address(source) else Path(source, whole).read_bytes()
            )
            addresses.write_whole(below(self.name if is_said else self._target, whole), content, overwrite=True)


def has_labels(source: str) -> bool:
    """Whether a store has labels."""
    if is_address(source):
        return bool(addresses.names_in(below(source, _LABELS)))
    return Path(source, _LABELS).is_dir()


def check_store(target: str, *, overwrite: bool) -> None:
    """Refuse a store's name before any work is done for it; raises `FileError`."""
    if is_address(target):
        check_store_address(target, overwrite=overwrite)
    else:
        check_store_target(Path(target), overwrite=overwrite)


def check_store_address(target: str, *, overwrite: bool) -> None:
    """Refuse an address of a store before any work is done for it; raises `FileError`."""
    addresses.check_writable(target)
    if not addresses.name_of(target).lower().endswith(".zarr"):
        raise FileError(f"{shown(target)}: expected a name that ends in .zarr")
    if not overwrite and is_store_there(target):
        raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite")
