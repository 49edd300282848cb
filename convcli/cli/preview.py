"""``--preview``: before and after, drawn in the terminal on stderr or written as one picture.

stdout keeps the results alone, so that a pipe gets the same bytes with and without a preview.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from convcli.cli.options import WrongUsage, usage
from convcli.cli.printing import say
from convcli.errors import printable
from convcli.images import Image, check_target, format_of, write
from convcli.jobs.tasks import STREAM, Task

WAYS = ("auto", "blocks", "256", "sixel", "kitty")
_NAME = "--preview"
_MOST_COLUMNS = 160
_PIXELS = 290  # of the longer side of each picture, where the terminal draws pixels: both fit 80 columns of 8
_KITTY_PROGRAMS = ("wezterm", "ghostty")
_KITTY_TERMS = ("xterm-kitty", "xterm-ghostty")

option = click.option(
    _NAME, "preview", metavar="[=HOW]",
    help="Show before and after in the terminal, on stderr. HOW: blocks, 256, sixel or kitty instead of what the "
    "terminal is known for; or a file, --preview=side.png, for both side by side.",
)  # fmt: skip


class PreviewCommand(click.Command):
    """A command with ``--preview`` or ``--preview=HOW``; a word that follows after a blank is an input."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare ``--preview`` the word ``auto``; tell who forgot the equals sign."""
        end = args.index("--") if "--" in args else len(args)
        read = list(args)
        for place in range(end):
            if args[place] != _NAME:
                continue
            read[place] = f"{_NAME}=auto"
            following = args[place + 1] if place + 1 < end else ""
            if following in WAYS or (following.lower().endswith(".png") and not Path(following).exists()):
                raise WrongUsage(f"{_NAME}: got {following} after a blank, expected {_NAME}={following}")
        return super().parse_args(ctx, read)


def watcher(
    how: str, tasks: Sequence[Task], name: str, *, overwrite: bool, quiet: bool = False
) -> Callable[[Task, Image, Image], None]:
    """What is to be called with each picture before and after; ``name`` says what was done to it.

    Raises `WrongUsage` for a HOW that is none, and `ConvcliError` for a file that cannot be written.
    """
    if how not in WAYS:
        return _to_file(how, tasks, name, overwrite=overwrite)
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if how == "auto" and not terminal:
        if not quiet:
            say(f"Warning: {_NAME}: stderr is no terminal; {_NAME}=side.png writes a picture")
        return lambda task, before, after: None
    way = best_way(os.environ) if how == "auto" else how
    size = shutil.get_terminal_size((80, 24))
    columns = min(max(size.columns, 20), _MOST_COLUMNS) if terminal else 80

    def show(task: Task, before: Image, after: Image) -> None:
        click.echo(
            drawn(way, before, after, _labels(task, name), columns, max(size.lines - 2, 6)), err=True, color=True
        )

    return show


def best_way(environment: Mapping[str, str]) -> str:
    """What a terminal is known to understand, by what it says of itself; half blocks when in doubt.

    >>> best_way({"TERM": "xterm-kitty"}), best_way({"TERM": "xterm-256color"}), best_way({"COLORTERM": "truecolor"})
    ('kitty', '256', 'blocks')
    """
    term, program = environment.get("TERM", "").lower(), environment.get("TERM_PROGRAM", "").lower()
    # A multiplexer swallows graphics, whatever the terminal around it can do.
    if not environment.get("TMUX") and not environment.get("STY") and not term.startswith(("screen", "tmux")):
        if environment.get("KITTY_WINDOW_ID") or term in _KITTY_TERMS or program in _KITTY_PROGRAMS:
            return "kitty"
        if "sixel" in term or term.split("-")[0] in ("foot", "mlterm"):
            return "sixel"
    true_colour = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or term.endswith("-direct")
    return "blocks" if true_colour else "256"


def drawn(way: str, before: Image, after: Image, labels: tuple[str, str], columns: int, rows: int) -> str:
    """Before and after as what is written to the terminal."""
    from convcli.views.preview import as_blocks, as_kitty, as_sixel, side_by_side

    if way in ("blocks", "256"):
        return as_blocks(before, after, labels, columns=columns, rows=rows, true_colour=way == "blocks")
    pixels = side_by_side(before, after, labels, side=_PIXELS)
    return as_kitty(pixels, min(columns, 80)) if way == "kitty" else as_sixel(pixels)


def _to_file(target: str, tasks: Sequence[Task], name: str, *, overwrite: bool) -> Callable[[Task, Image, Image], None]:
    if not Path(target).suffix:
        raise WrongUsage(f"{_NAME}: got {target!r}, expected {', '.join(WAYS)}, or a file as in {_NAME}=side.png")
    usage(lambda: format_of(target))
    if len(tasks) > 1:
        raise WrongUsage(f"{_NAME}: got the one file {target} for {len(tasks)} inputs, expected one input")
    others = [each for task in tasks for each in (task.source, task.target) if each != STREAM]
    if any(os.path.realpath(each) == os.path.realpath(target) for each in others):
        raise WrongUsage(f"{_NAME}: {target} is the input or the output too; choose another name")
    check_target(Path(target), overwrite=overwrite)

    def save(task: Task, before: Image, after: Image) -> None:
        from convcli.views.preview import side_by_side

        write(Image(side_by_side(before, after, _labels(task, name))), target, overwrite=overwrite)

    return save


def _labels(task: Task, name: str) -> tuple[str, str]:
    source = "standard input" if task.source == STREAM else Path(task.source).name
    return printable(f"before: {source}"), printable(f"after: {name}")
