"""Data sets: files -> arrays, found, fetched, checked; and pictures from outside brought to the same form."""

from convcli.datasets.digit import prepare_digit
from convcli.datasets.downloading import Reports, download
from convcli.datasets.loading import fetch, load, named
from convcli.datasets.model import Dataset, Split, hold_out, parted, sample
from convcli.datasets.places import cache_folder, glance, search_places
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.registry import ENTRIES, Entry, find_entry

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
