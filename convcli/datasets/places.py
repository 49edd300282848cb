"""Where data files lie: the folder that was named, CONVCLI_DATA_DIR, the user's cache; and how they get there."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from convcli.datasets import cifar, idx_set
from convcli.datasets.model import Split
from convcli.datasets.registry import SHIPPED, Entry
from convcli.errors import DataError

VARIABLE = "CONVCLI_DATA_DIR"

Contents = tuple[Split, Split, tuple[str, ...]]
Value = TypeVar("Value")


class Format(Protocol):
    """A module that knows one format of data sets, which has so many files."""

    FILES: int

    def missing(self, entry: Entry, folder: Path) -> tuple[str, ...]:
        """The names of the files that a folder does not hold; none if the data set is here."""

    def check(self, entry: Entry, folder: Path) -> None:
        """Raise `DataError` if a look that takes a moment shows that they are not this data set's."""

    def read(self, entry: Entry, folder: Path) -> Contents:
        """Both splits and notes; raises `DataError`."""


_FORMATS: dict[str, Format] = {"idx": idx_set, "cifar": cifar}


@dataclass(frozen=True)
class Found(Generic[Value]):
    """Where a data set lies and what was made of it; ``problems`` says what was passed over, one sentence each."""

    folder: Path | None
    value: Value | None
    problems: tuple[str, ...] = ()


def cache_folder() -> Path:
    """The folder in the user's cache that downloads go to; it need not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("convcli") / "data"


def search_places(data_dir: str | Path | None = None) -> list[Path]:
    """The folders that are searched, in turn.

    Raises `DataError` if ``data_dir`` is no folder: it was named, so it is a slip.
    """
    places = []
    if data_dir is not None:
        if not Path(data_dir).is_dir():
            raise DataError(f"data folder: got {data_dir}, which is no folder, expected one with data files")
        places.append(Path(data_dir))
    if os.environ.get(VARIABLE):
        places.append(Path(os.environ[VARIABLE]))
    places.append(cache_folder())
    return list(dict.fromkeys(places))


def candidates(entry: Entry, places: list[Path]) -> Iterator[Path]:
    """The folders in which a data set's files may lie directly: its own sub-folders first, then the places."""
    for place in places:
        for name in (entry.name, *entry.folders):
            yield place / name
        yield place


def first_good(entry: Entry, data_dir: str | Path | None, attempt: Callable[[Path], Value]) -> Found[Value]:
    """Try each folder that holds files of a data set's names until one passes; `attempt` refuses with `DataError`."""
    if entry.ships:
        folder = SHIPPED / entry.name
        return Found(folder, attempt(folder))
    problems: list[str] = []
    for folder in candidates(entry, search_places(data_dir)):
        lacking = _FORMATS[entry.format].missing(entry, folder)
        if lacking:
            if len(lacking) < _FORMATS[entry.format].FILES and folder.is_dir():
                problems.append(f"{folder}: has no {', '.join(lacking)}, expected it beside the others")
            continue
        try:
            return Found(folder, attempt(folder), tuple(problems))
        except idx_set.OtherSetError as error:
            if folder.name == entry.name:
                problems.append(str(error))
        except DataError as error:
            problems.append(str(error))
    return Found(None, None, tuple(problems))


def glance(entry: Entry, data_dir: str | Path | None = None) -> Found[None]:
    """Where a data set lies, as far as can be told in a moment."""
    return first_good(entry, data_dir, lambda folder: _FORMATS[entry.format].check(entry, folder))


def read_set(entry: Entry, data_dir: str | Path | None = None) -> Found[Contents]:
    """A data set's splits and the folder they were read from, checksums compared; nothing if it lies nowhere."""
    return first_good(entry, data_dir, lambda folder: read_folder(entry, folder))


def read_folder(entry: Entry, folder: Path) -> Contents:
    """Both splits of the data set in a folder, and what is to be said about its files.

    Raises `DataError` in one line for a foreign, truncated or damaged file.
    """
    return _FORMATS[entry.format].read(entry, folder)


def explain_absence(entry: Entry, data_dir: str | Path | None, problems: tuple[str, ...], why: str) -> DataError:
    """The error for a data set that lies nowhere: which files are wanted, and where to put them."""
    places = search_places(data_dir)
    names = ", ".join(file.name for file in entry.files)
    passed_over = "".join(f"; passed over: {each}" for each in problems)
    return DataError(
        f"{entry.name}: not found in {', '.join(map(str, places))}{passed_over}; {why}; "
        f"put {names} (from {entry.mirrors[-1]}) into {places[0] / entry.name}"
    )
