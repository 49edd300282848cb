"""The bar of a command that goes through many things, on a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(unit: str = "", *, hidden: bool, elapsed: bool = False) -> Iterator[Callable[..., None]]:
    """A bar on stderr, on a terminal, until the block ends; yields what is told how many are done, and of how many.

    The bar says in which ``unit`` they are counted; without one, a third word of each call stands behind it. It tells
    the time that is left, or has ``elapsed``. Fewer done than before are the next volume's: it starts anew.
    """
    if hidden or not sys.stderr.isatty():
        yield lambda done, total, what="": None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    words: list[ProgressColumn] = [TimeElapsedColumn() if elapsed else TimeRemainingColumn()]
    # [red] in a name is no colour.
    words.insert(0 if unit else 1, TextColumn(unit or "{task.description}", markup=bool(unit)))
    columns = (BarColumn(), MofNCompleteColumn(), *words)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None)

        def advance(done: int, total: int, what: str = "") -> None:
            if done < progress.tasks[0].completed:
                progress.reset(bar)
            progress.update(bar, completed=done, total=total, description=what)

        yield advance
