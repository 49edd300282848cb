"""Warnings that libraries raise through Python: one line each like convcli's own, and none under -q."""

import warnings
from typing import Any

from convcli.cli.printing import say


class Teller:
    """Shows warnings as long as they are wanted; Python's own way is two lines with a path and a line of source."""

    def __init__(self) -> None:
        self.is_quiet = False
        self.said: set[str] = set()

    def begin(self) -> None:
        """Take over for one run of the command line, which has not said -q yet."""
        self.is_quiet = False
        self.said.clear()
        warnings.showwarning = self.show

    def show(self, message: Any, *_: Any, **__: Any) -> None:
        """Take what `warnings.showwarning` takes: the warning, its category and its place."""
        text = " ".join(str(message).split())
        if not self.is_quiet and text not in self.said:  # Python counts by place, and a file is opened in several
            self.said.add(text)
            say(f"Warning: {text}")


TELLER = Teller()
