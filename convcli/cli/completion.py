"""`convcli completion`: what teaches a shell our commands and names."""

import os
from pathlib import Path

import click

from convcli.atomic import write_whole
from convcli.cli import group
from convcli.cli.completing import VARIABLE
from convcli.cli.printing import say, show_result

SHELLS = ("bash", "zsh", "fish")
# Bash takes a colon for the end of a word, and would complete gaussian:si as if it were si.
_ONE_WORD = "\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it where the shell looks for it, and print that place.")
def command(shell: str, install: bool) -> None:
    """Teach your shell the commands, kernels, networks and data sets.

    Prints the lines that make it complete them, and options and files. --install writes them into the folder of your
    own completions: ~/.local/share/bash-completion/completions, ~/.local/share/zsh/site-functions or
    ~/.config/fish/completions.

    \b
    Examples:
      convcli completion bash --install
      source <(convcli completion bash)
      convcli completion fish > ~/.config/fish/completions/convcli.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(group, {}, "convcli", VARIABLE).source() + (_ONE_WORD if shell == "bash" else "")
    if not install:
        show_result(script.rstrip("\n"))
        return
    place = place_of(shell)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, script, overwrite=True)
    show_result(place)
    if shell == "zsh":
        say(f"if it is not done yet, put this into ~/.zshrc before compinit: fpath+=({place.parent})")


def place_of(shell: str) -> Path:
    """The file that a shell reads when convcli is completed for the first time."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion/completions/convcli",
        "zsh": data / "zsh/site-functions/_convcli",
        "fish": config / "fish/completions/convcli.fish",
    }[shell]
