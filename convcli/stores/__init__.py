"""Arrays that are folders of chunks: Zarr and OME-Zarr, read and written a run of planes at a time.

Only this room imports zarr, which is an extra; nothing here is imported by commands that do not meet such a folder.
"""

import re
from pathlib import Path

from convcli.addresses import below, exists, is_address

SUFFIX = ".zarr"
HDF5 = (".h5", ".hdf5", ".he5")
BEHIND = "::"  # the name of an HDF5 file stands the name of a data set in it
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


def is_hdf5_name(name: str) -> bool:
    """Whether a name is that of an HDF5 file, or of a data set in one: ``a.h5``, ``a.h5::/cells/raw``."""
    return not is_address(name) and name.partition(BEHIND)[0].lower().endswith(HDF5)


def file_of(name: str) -> str:
    """The file in which a volume lies: of a data set in one that file, else the name itself."""
    return name.partition(BEHIND)[0] if is_hdf5_name(name) else name


def is_store_folder(folder: Path) -> bool:
    """Whether a folder says that it is Zarr."""
    return any((folder / mark).is_file() for mark in _MARKS)


def is_store_there(address: str) -> bool:
    """Whether there is a store at an address; asks for it."""
    return any(exists(below(address, mark)) for mark in _MARKS)
