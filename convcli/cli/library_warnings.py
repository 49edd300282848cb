"""Warnings that libraries raise through Python: one line each like convcli's own, and none under -q."""

import warnings
from typing import Any

import click


class Teller:
    """Shows warnings as long as they are wanted; Python's own way is two lines with a path and a line of source."""

    def __init__(self) -> None:
        self.is_quiet = False

    def begin(self) -> None:
        """Take over for one run of the command line, which has not said -q yet."""
        self.is_quiet = False
        warnings.showwarning = self.show

    def show(self, message: Any, *_: Any, **__: Any) -> None:
        """Take what `warnings.showwarning` takes: the warning, its category and its place."""
        if not self.is_quiet:
            click.echo(f"Warning: {' '.join(str(message).split())}", err=True)


TELLER = Teller()
