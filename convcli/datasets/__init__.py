"""Data sets: files -> arrays, found, fetched, checked; and pictures from outside brought to the same form.

What loads data sets knows every kind of file; it is imported when it is first asked for (PEP 562).
"""

from typing import TYPE_CHECKING, Any

from convcli.datasets.digit import prepare_digit
from convcli.datasets.downloading import Reports, download
from convcli.datasets.model import Dataset, Split, hold_out, parted, sample
from convcli.datasets.places import cache_folder, glance, search_places
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.registry import ENTRIES, Entry, find_entry

if TYPE_CHECKING:
    from convcli.datasets.loading import fetch, load, named

__all__ = [
    "ENTRIES",
    "Dataset",
    "Entry",
    "Preprocessing",
    "Reports",
    "Split",
    "cache_folder",
    "download",
    "fetch",
    "find_entry",
    "glance",
    "hold_out",
    "load",
    "named",
    "parted",
    "prepare_digit",
    "sample",
    "search_places",
]


def __getattr__(name: str) -> Any:
    if name not in ("fetch", "load", "named"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from convcli.datasets import loading

    return getattr(loading, name)
