"""The data sets that convcli knows by name: what `registry.toml` says of each. No reading of data."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convcli.datasets.preprocessing import Preprocessing


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Parameters
    ----------
    name:
        As distributed.
    size:
        Bytes as distributed.
    checksum:
        ``"md5:..."`` or ``"sha256:..."`` of the file as distributed.
    shape:
        Of the array inside, for IDX files.
    content_md5:
        Of the unpacked content, where it is known.
    """

    name: str
    size: int
    checksum: str
    shape: tuple[int, ...] = ()
    content_md5: str = ""

    @property
    def content_size(self) -> int:
        """Bytes of an IDX file once unpacked."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


@dataclass(frozen=True)
class Entry:
    """One data set.

    Parameters
    ----------
    name, title:
        What one types, and what it is.
    format:
        ``"idx"``: four files, images and labels of the training and of the test split. ``"cifar"``: one archive.
    files:
        In the order that the format reads them.
    mirrors:
        Addresses that a file's name is appended to, tried in turn. Empty for a data set that ships with convcli.
    folders:
        Where else than in a folder of its name the files may lie: as another library lays them out.
    counts:
        Images of the training and of the test split.
    """

    name: str
    title: str
    format: Literal["idx", "cifar"]
    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    counts: tuple[int, int]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    licence: str
    citation: str
    home: str

    @property
    def ships(self) -> bool:
        """Whether it comes with the package."""
        return not self.mirrors

    @property
    def download_size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


SHIPPED = Path(__file__).parent  # a data set that ships lies in the folder of its name here


def _entry(name: str, told: dict[str, Any]) -> Entry:
    files = tuple(RemoteFile(**each | {"shape": tuple(each.get("shape", ()))}) for each in told["files"])
    listed = {key: tuple(told[key]) for key in ("mirrors", "folders", "counts", "classes")}
    return Entry(name=name, **told | listed | {"files": files, "preprocessing": Preprocessing(**told["preprocessing"])})


_TOLD = tomllib.loads((SHIPPED / "registry.toml").read_text(encoding="utf-8"))
ENTRIES = {name: _entry(name, told) for name, told in _TOLD.items()}


def find_entry(name: str) -> Entry | None:
    """The data set that a word means: ``Fashion_MNIST`` is ``fashion-mnist``, ``cifar-10`` is ``cifar10``."""
    plain = _plain(name)
    return next((entry for key, entry in ENTRIES.items() if _plain(key) == plain), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
