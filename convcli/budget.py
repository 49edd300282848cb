"""What a file or a request may cost, counted before it is spent: bytes of memory, and how often something may occur.

``--max-pixels`` counts pixels. It does not see a pixel of eight bytes, a picture that is made of five thousand scans, a
header of sixty million blanks, or an array that padding makes of a small one. Whoever is about to spend memory or work
that a few bytes can ask for calls `check_memory` or `check_count` first; each refuses in one line with the number, the
limit and, where there is one, the flag. The limits of one format stand in its own module, beside what they count.

The limit of memory is this process's: `limit_memory`, which ``--max-memory`` calls; else the variable
``CONVCLI_MAX_MEMORY``; else half of what the machine has.
"""

import functools
import os
import re
from pathlib import Path

from convcli.errors import ConvcliError

VARIABLE = "CONVCLI_MAX_MEMORY"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([KMGT]?)(I?)B?", re.ASCII | re.IGNORECASE)
_UNKNOWN = 4 * 10**9  # where the machine does not tell
_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

_given: list[int] = []  # the limit that was given, if any


def read_size(text: str) -> int:
    """Bytes in words: ``4G``, ``500M``, ``1.5 GB``, ``2GiB``, or a plain number of bytes.

    Raises `ConvcliError` for anything else, and for less than a million.

    >>> read_size("4G"), read_size("1.5 MB"), read_size("2MiB")
    (4000000000, 1500000, 2097152)
    """
    found = _SIZE.fullmatch(text.strip())
    unit = found[2].upper() if found else ""
    factor = 1024 ** "_KMGT".index(unit) if found and found[3] and unit else _UNITS[unit]
    size = int(float(found[1]) * factor) if found else 0
    if size < 10**6:
        raise ConvcliError(f"memory: got {text[:40]!r}, expected a size of at least 1M, as in 4G or 500M")
    return size


def limit_memory(size: int | None) -> None:
    """Set how many bytes a single step may take; None goes back to the default."""
    _given[:] = [] if size is None else [size]


def memory_limit() -> int:
    """How many bytes a single step may take.

    Raises `ConvcliError` where the environment variable holds no size.
    """
    if _given:
        return _given[0]
    text = os.environ.get(VARIABLE)
    try:
        return read_size(text) if text else machine_memory() // 2
    except ConvcliError as error:
        raise ConvcliError(f"{VARIABLE}: {str(error).removeprefix('memory: ')}") from None


def check_memory(needed: int, what: str, error: type[ConvcliError] = ConvcliError) -> None:
    """Raise ``error`` if more bytes are needed than may be taken; ``what`` begins the message.

    >>> check_memory(10**15, "result: got 10000x10000 cells")
    Traceback (most recent call last):
    convcli.errors.ConvcliError: result: got 10000x10000 cells, which need 1000 TB of memory, expected at most ...
    """
    limit = memory_limit()
    if needed > limit:
        raise error(
            f"{what}, which need {shown_size(needed)} of memory, expected at most {shown_size(limit)}; raise the limit "
            f"with --max-memory {_rounded_up(needed)} if that is meant"
        )


def check_count(got: int, most: int, what: str, fix: str, error: type[ConvcliError] = ConvcliError) -> None:
    """Raise ``error`` if something occurs more often than any real file or request has it.

    The number stands in ``what`` where the last ``{}`` is.

    >>> check_count(100_000, 4096, "table: got {} columns", "split it")
    Traceback (most recent call last):
    convcli.errors.ConvcliError: table: got 100,000 columns, expected at most 4,096; split it
    """
    if got > most:
        before, _, after = what.rpartition("{}")  # not `format`: a file's name may hold braces
        raise error(f"{before}{got:,}{after}, expected at most {most:,}; {fix}")


class Allowance:
    """What many small things may take together: each is spent before it is done.

    >>> room = Allowance(10, "directories: they overlap")
    >>> room.spend(8)
    >>> room.spend(8)
    Traceback (most recent call last):
    convcli.errors.ConvcliError: directories: they overlap
    """

    def __init__(self, most: int, message: str, error: type[ConvcliError] = ConvcliError) -> None:
        self.left = most
        self.message = message
        self.error = error

    def spend(self, amount: int) -> None:
        """Take an amount; raises the error if less than that is left."""
        self.left -= amount
        if self.left < 0:
            raise self.error(self.message)


def shown_size(size: int) -> str:
    """Bytes for people.

    >>> shown_size(8_000_000_000), shown_size(762)
    ('8 GB', '762 bytes')
    """
    for unit in "TGMK":
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.{3 if size < 1000 * _UNITS[unit] else 4}g} {unit}B"
    return f"{size} bytes"


def _rounded_up(size: int) -> str:
    """A size as the option takes it, not less than it is."""
    unit = next((each for each in "TGM" if size >= 10 * _UNITS[each]), "M")
    return f"{-(-size // _UNITS[unit])}{unit}"


@functools.cache
def machine_memory() -> int:
    """The bytes that this machine has, or that the container has in which this runs."""
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return 2 * _UNKNOWN
    for path in _GROUPS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        whole = min(whole, int(text)) if text.isdecimal() else whole
    return whole
