"""Arrays that are folders of chunks: Zarr and OME-Zarr, read and written a run of planes at a time.

Only this room imports zarr, which is an extra; nothing here is imported by commands that do not meet such a folder.
"""

import re
from pathlib import Path

from convcli.addresses import below, exists, is_address

SUFFIX = ".zarr"
_MARKS = ("zarr.json", ".zarray", ".zgroup")


def is_store(name: str) -> bool:
    """Whether a name is that of a Zarr array or group.

    That is a folder that says so, or nothing yet and ends in .zarr; or an address in whose path some name does.
    """
    if is_address(name):
        return re.search(rf"\{SUFFIX}([/.:?]|$)", name.lower()) is not None
    path = Path(name)
    if path.is_dir():
        return path.suffix.lower() == SUFFIX or is_store_folder(path)
    return path.suffix.lower() == SUFFIX and not path.is_file()


def is_store_folder(folder: Path) -> bool:
    """Whether a folder says that it is Zarr."""
    return any((folder / mark).is_file() for mark in _MARKS)


def is_store_there(address: str) -> bool:
    """Whether there is a store at an address; asks for it."""
    return any(exists(below(address, mark)) for mark in _MARKS)
