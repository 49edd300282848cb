"""`convcli help`: a command's help by its name, and all of them as man pages."""

from pathlib import Path
from textwrap import dedent

import click

from convcli import __version__
from convcli.atomic import write_whole
from convcli.cli import COMMANDS, group
from convcli.cli.completing import Completed
from convcli.cli.options import WrongUsage
from convcli.cli.printing import show, show_result


@click.command()
@click.argument("words", metavar="[COMMAND]...", nargs=-1, type=Completed("COMMAND", lambda: COMMANDS))
@click.option("--man", "folder", metavar="FOLDER", help="Write every command's help as man pages into this folder.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], folder: str | None) -> None:
    """Show the help of a command; write all of them as man pages.

    Without COMMAND the commands are listed.

    \b
    Examples:
      convcli help filter
      convcli help kernel show
      convcli help --man ~/.local/share/man/man1
    """
    if folder is not None:
        if words:
            raise click.UsageError("--man: got a command with it, expected it alone: it writes the pages of all")
        for page in write_pages(Path(folder)):
            show_result(page)
        return
    context = ctx.parent
    assert context is not None
    for word in words:
        parent = context.command
        if not isinstance(parent, click.Group):
            raise WrongUsage(f"help: got {word!r} after {context.command_path}, which has no commands of its own")
        name, found, _ = parent.resolve_command(context, [word])
        assert found is not None
        context = click.Context(found, parent=context, info_name=name)
    show(*context.get_help().splitlines())


def write_pages(folder: Path) -> list[Path]:
    """A page in section 1 for convcli and one for every command, in a folder that is made if it is not there."""
    from convcli.cli.reference import commands

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for words, each in (("convcli", group), *commands()):
        page = folder / f"{words.replace(' ', '-')}.1"
        write_whole(page, man_page(words, each), overwrite=True)
        written.append(page)
    return written


def man_page(words: str, command: click.Command) -> str:
    """A command's help as roff: its text as it stands on a terminal of 80 columns, below a man page's headings."""
    context = click.Context(command, info_name=words, terminal_width=80, help_option_names=["-h", "--help"])
    usage, _, text = command.get_help(context).partition("\n\n")
    line = command.get_short_help_str(200)
    name = words.replace(" ", "-")
    return "\n".join(
        [
            f'.TH "{name.upper()}" "1" "" "convcli {__version__}" "convcli"',
            *(".SH NAME", f"{_roff(name)} \\- {_roff(line)}"),
            *(".SH SYNOPSIS", ".nf", _roff(usage.removeprefix("Usage: ")), ".fi"),
            *(".SH DESCRIPTION", ".nf", _roff(dedent(text)), ".fi"),
            "",
        ]
    )


def _roff(text: str) -> str:
    """A text whose backslashes, dashes and leading dots mean themselves."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in plain.split("\n"))
