"""The command reference in the README, made from the commands themselves.

``python -m convcli.cli.reference README.md`` writes it anew between its two marks; a test holds that it is up to date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from convcli.cli import group

BEGIN = "<!-- reference: python -m convcli.cli.reference README.md -->"
END = "<!-- end of reference -->"


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
    """Each command's help, as markdown, 80 columns wide."""
    parts = []
    for words, command in commands():
        context = click.Context(command, info_name=words, terminal_width=80, help_option_names=["-h", "--help"])
        parts += [f"### `{words}`", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def with_reference(text: str) -> str:
    """A README's text with the reference between its marks made anew."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(with_reference(readme.read_text(encoding="utf-8")), encoding="utf-8")
