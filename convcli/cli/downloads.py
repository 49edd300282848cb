"""What a command shows while data files are fetched, and the options that say where data lie and how to read them."""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from convcli.cli import options
from convcli.cli.printing import say

if TYPE_CHECKING:
    from convcli.datasets import Entry, Reports

data_dir = click.option(
    "--data-dir", metavar="DIR", help="Look for data files here first; then in CONVCLI_DATA_DIR, then in the cache."
)
offline = click.option("--offline", is_flag=True, help="Never download; if files are missing, say which go where.")


def _shape(text: Any) -> tuple[int, ...]:
    """``28x28x1``: spatial sizes, then channels."""
    if isinstance(text, tuple):
        return text
    if not re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8}){0,3}", str(text).strip().lower()):
        raise ValueError(f"got {text!r}, expected sizes and channels, as in 28x28x1, 128x3 or 16x16x16x1")
    return tuple(map(int, str(text).strip().lower().split("x")))


# What is said about data that their files do not say.
of_own_data = options.chained(
    click.option(
        "--labels", metavar="COLUMN|FILE",
        help="Of a table the labels' column, by name or number; of x.npy the file of its labels.",
    ),
    click.option("--input", type=options.Read("HxWxC", _shape), help="The shape of a sample, where files do not tell."),
    click.option("--strict", is_flag=True, help="Stop at a file that cannot be used, instead of leaving it out."),
)  # fmt: skip
# What a command takes that works on data and writes something.
work_on_data = options.chained(
    data_dir, offline, options.overwrite, options.threads, options.max_memory, options.as_json, options.quiet
)


@contextlib.contextmanager
def reporting(*, quiet: bool = False) -> "Iterator[Reports]":
    """Yield the reports for `datasets.load`: licence and citation on stderr, and a bar if that is a terminal."""
    from convcli.datasets import Reports

    with contextlib.ExitStack() as stack:

        def begin(entry: "Entry") -> None:
            say(f"downloading {entry.name}: {entry.download_size / 1e6:.0f} MB from {entry.mirrors[0]}")
            say(f"licence: {entry.licence}")
            say(f"please cite: {entry.citation}")
            if sys.stderr.isatty() and not quiet:
                advance.append(stack.enter_context(_Bar()))

        # The bar appears with the download: most often the files are here already.
        advance: list[_Bar] = []
        yield Reports(
            begins=begin,
            advances=lambda name, done, total: advance[0].show(name, done, total) if advance else None,
            fails=lambda problem: None if quiet else say(f"Warning: {problem}"),
        )


class _Bar:
    """One bar per file on stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.tasks: dict[str, int] = {}

    def __enter__(self) -> "_Bar":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def show(self, name: str, done: int, total: int) -> None:
        """Set the bar of a file to this many bytes."""
        from rich.progress import TaskID

        if name not in self.tasks:
            self.tasks[name] = int(self.progress.add_task(name, total=total))
        self.progress.update(TaskID(self.tasks[name]), completed=done, total=total)
