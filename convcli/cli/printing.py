"""Where everything that commands print goes through, so that no file's name or content can speak to the terminal.

Messages and tables show control characters escaped: `say`, `show`. A path that is a command's result stands alone on
its line for other programs to read: `show_result` escapes it on a terminal only, as GNU ls does. Drawings that move the
cursor on purpose (bars, previews, animations) are their modules' own.
"""

import os
import sys
from dataclasses import dataclass, field

import click

from convcli.errors import kind_of, printable, share_in


def say(*lines: object) -> None:
    """Print a message on stderr."""
    for line in lines:
        click.echo(printable(line), err=True)


def show_live(line: object) -> None:
    """Put a line on stderr in the place of the last one; an empty one takes it away. For a terminal."""
    click.echo(f"\r\x1b[K{printable(line)}", err=True, nl=False)


def show(*lines: object) -> None:
    """Print lines on stdout."""
    for line in lines:
        _print(printable(line))


def _print(text: str | bytes) -> None:
    try:
        click.echo(text)
    except OSError as error:
        error.filename = "standard output"  # a full disk does not say whose it is
        raise


def show_result(result: object) -> None:
    """Print a path, or JSON, on stdout: for a pipe exactly as it is, even if it is not UTF-8."""
    text = str(result)
    if sys.stdout is not None and sys.stdout.isatty():
        _print(printable(text))
    else:
        _print(text if text.isprintable() else os.fsencode(text))


@dataclass
class Warnings:
    """What there is to say about each of many files: once for each kind, with one file and how many more.

    That file is the first, or of sentences that begin with a share (``3.1% of the values``) the one with the largest.
    """

    files: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def add(self, file: str, warning: str) -> None:
        """Remember a warning."""
        kind = kind_of(warning)
        told, sentence, count = self.files.get(kind, (file, warning, 0))
        if share_in(warning) > share_in(sentence):
            told, sentence = file, warning
        self.files[kind] = told, sentence, count + 1

    def say(self) -> None:
        """Print them, a line each."""
        for file, warning, count in self.files.values():
            more = f" (alike in {count - 1} more file{'s' * (count > 2)})" if count > 1 else ""
            if count > 1 and share_in(warning):
                more = f" (the largest share; less in {count - 1} more file{'s' * (count > 2)})"
            say(f"Warning: {file}: {warning}{more}")
