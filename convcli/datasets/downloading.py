"""Fetching a data set's files: several mirrors in turn, a checksum before use, under their name complete or not at all.

pooch does the transfer, into a file beside the target whose name tells that it is unfinished; it gets its own once the
checksum is right. What a killed process left is removed before the next download into that folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convcli.datasets.places import cache_folder, explain_absence
from convcli.datasets.registry import Entry, RemoteFile
from convcli.errors import DataError
from convcli.unfinished import sweep, unfinished_name

TIMEOUT = 30  # seconds without an answer after which the next mirror is tried
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Reports:
    """What a caller is told while files are fetched; the default is silence.

    Parameters
    ----------
    begins:
        Called once, before the first file, with the data set: the moment to show licence and citation.
    advances:
        Called with a file's name, the bytes so far and the bytes in all.
    fails:
        Called with one sentence when a mirror fails and the next is tried.
    """

    begins: Callable[[Entry], None] = lambda entry: None
    advances: Callable[[str, int, int], None] = lambda name, done, total: None
    fails: Callable[[str], None] = lambda problem: None


class TooLongError(ValueError):
    """A mirror sends more than the file has: whatever it is, it is not the file."""


def download(
    entry: Entry, folder: Path | None = None, reports: Reports | None = None, problems: tuple[str, ...] = ()
) -> Path:
    """Fetch the files of a data set that are not there already, and return their folder.

    Parameters
    ----------
    entry : Entry
        The data set.
    folder : Path, optional
        Where its files go; the default is a folder of its name in the user's cache.
    reports : Reports, optional
        What is called meanwhile.
    problems : tuple of str
        What was passed over before, for the message.

    Returns
    -------
    Path
        The folder; every file in it has the known checksum.

    Raises
    ------
    DataError
        When no mirror gives a file, with each mirror's reason; when the folder cannot be written.
    """
    reports = reports or Reports()
    folder = folder or cache_folder() / entry.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({(error.strerror or str(error)).lower()})") from error
    sweep(folder)
    reports.begins(entry)
    for file in entry.files:
        reasons = []
        for mirror in entry.mirrors:
            reason = _fetch(mirror + file.name, file, folder, reports)
            if reason is None:
                break
            reasons.append(f"{mirror}{file.name}: {reason}")
            reports.fails(reasons[-1])
        else:
            raise explain_absence(entry, None, problems, f"downloading failed ({'; '.join(reasons)})")
    return folder


def _fetch(address: str, file: RemoteFile, folder: Path, reports: Reports) -> str | None:
    """Fetch one file from one mirror; returns why it failed, or None."""
    import pooch
    import requests
    from pooch.hashes import hash_matches

    target, unfinished = folder / file.name, folder / unfinished_name()
    pooch.get_logger().setLevel("WARNING")  # its notes on stderr would come on top of our progress
    downloader = pooch.HTTPDownloader(
        progressbar=_Meter(file, reports),
        chunk_size=_CHUNK,
        timeout=TIMEOUT,
        # Without it a server may unpack the file on the way, and no checksum fits.
        headers={"Accept-Encoding": "identity", "User-Agent": "convcli"},
    )
    try:
        if target.is_file() and hash_matches(target, file.checksum):
            return None
        downloader(address, str(unfinished), None)
        if not hash_matches(unfinished, file.checksum):
            return f"wrong {file.checksum.partition(':')[0]} checksum, the file is damaged or another one"
        unfinished.replace(target)
    except requests.exceptions.HTTPError as error:
        return f"the server answers {error.response.status_code if error.response is not None else 'nothing'}"
    except requests.exceptions.Timeout:
        return f"no answer within {TIMEOUT} s"
    except requests.exceptions.ChunkedEncodingError:
        return "the connection broke off"
    except requests.exceptions.ConnectionError:
        return "no connection"
    except requests.exceptions.RequestException as error:
        return " ".join(str(error).split())[:200]
    except TooLongError as error:
        return str(error)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({(error.strerror or str(error)).lower()})") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return None


class _Meter:
    """What pooch calls a progress bar: counts the bytes of one file and passes them on."""

    def __init__(self, file: RemoteFile, reports: Reports) -> None:
        self.file, self.reports = file, reports
        self.total = file.size  # pooch sets it to what the server says, which may be nothing
        self.done = 0

    def update(self, amount: int) -> None:
        """Count a chunk; refuses to go on far beyond the file's size."""
        self.done += amount
        if self.done > self.file.size + 2 * _CHUNK:
            raise TooLongError(f"sends more than {self.file.size:,} bytes")
        self.reports.advances(self.file.name, min(self.done, self.file.size), self.file.size)

    def reset(self) -> None:
        """pooch ends by setting the bar to zero and to its end at once."""
        self.done = 0

    def close(self) -> None:
        """Nothing is to be closed; pooch asks for it."""
