"""Soon."""

from convcli.kernels.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
