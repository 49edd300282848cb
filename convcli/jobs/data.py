"""What is known about data sets by name, where they lie on this machine, and fetching them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convcli.datasets import ENTRIES, Entry, Reports, fetch, glance, named
from convcli.datasets.places import explain_absence, read_set


@dataclass(frozen=True)
class DataReport:
    """One data set; ``folder`` is None where it would have to be downloaded.

    ``problems`` says what was passed over while looking for it.
    """

    entry: Entry
    folder: Path | None
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        entry = self.entry
        rule = entry.preprocessing
        return {
            "name": entry.name,
            "title": entry.title,
            "image": [rule.height, rule.width, rule.channels],
            "train": entry.counts[0],
            "test": entry.counts[1],
            "classes": list(entry.classes),
            "folder": None if self.folder is None else str(self.folder),
            "ships": entry.ships,
            "files": [file.name for file in entry.files],
            "download_bytes": 0 if entry.ships else entry.download_size,
            "licence": entry.licence,
            "citation": entry.citation,
            "home": entry.home,
            "problems": list(self.problems),
        }


def list_data(data_dir: str | None = None) -> list[DataReport]:
    """Every data set with a name, and where it lies as far as a glance tells.

    Raises `DataError` if ``data_dir`` is no folder.
    """
    reports = []
    for entry in ENTRIES.values():
        found = glance(entry, data_dir)
        reports.append(DataReport(entry, found.folder, found.problems))
    return reports


def find_data(name: str, data_dir: str | None = None) -> DataReport:
    """Where one data set lies, its checksums compared.

    Raises `DataError` for an unknown name, or for one that lies nowhere: which files to put where.
    """
    entry = named(name)
    found = read_set(entry, data_dir)
    if found.folder is None:
        why = f"download it with: convcli data fetch {entry.name}"
        raise explain_absence(entry, data_dir, found.problems, why)
    return DataReport(entry, found.folder, found.problems)


def fetch_data(
    name: str,
    *,
    data_dir: str | None = None,
    target: str | None = None,
    offline: bool = False,
    reports: Reports | None = None,
) -> DataReport:
    """Have one data set on this machine, downloading it if it lies nowhere.

    Raises `DataError` if that fails.
    """
    folder = fetch(name, data_dir=data_dir, target=target, offline=offline, reports=reports)
    return DataReport(named(name), folder)
