"""The command reference, `REFERENCE.md` beside this file, made from the commands themselves.

``python -m convcli.cli.reference`` writes it anew; a test holds that it is up to date.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from convcli.cli import group

PAGE = Path(__file__).with_name("REFERENCE.md")
_HEAD = """# Every command of convcli

What `--help` says, command by command. Made by `python -m convcli.cli.reference`: change the commands, not this page.

"""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and sub-command with the words that call it."""
    yield from _below("convcli", group)


def _below(words: str, parent: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(parent)
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        yield f"{words} {name}", command
        if isinstance(command, click.Group):
            yield from _below(f"{words} {name}", command)


def reference() -> str:
    """The page: each command's help, as markdown, 80 columns wide."""
    parts = []
    for words, command in commands():
        context = click.Context(command, info_name=words, terminal_width=80, help_option_names=["-h", "--help"])
        parts += [f"## `{words}`", "", "```text", command.get_help(context), "```", ""]
    return _HEAD + "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
