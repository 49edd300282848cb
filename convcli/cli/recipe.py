"""`convcli recipe`: list recipes; show one."""

import shlex
from typing import Any

import click

from convcli.cli import Commands, options
from convcli.cli.printing import say, show, show_result
from convcli.cli.recipes import RECIPE, words_of
from convcli.errors import printable
from convcli.jobs.documents import json_text
from convcli.jobs.recipes import Recipe, find_recipe, folder, recipes

_NAME = 18  # columns of names


@click.group(cls=Commands)
def command() -> None:
    """List recipes: kernels and options of convcli filter under a name.

    A recipe is a TOML file of the words that one would type. Put your own into the folder recipes of convcli's folder
    in your configuration (~/.config/convcli/recipes on Linux; recipe list prints it):

    \b
      description = "Soft skin, sharp eyes"
      kernel = ["bilateral:sigma=4,sigma_color=22", "unsharp:sigma=1,amount=0.5"]
      border = "edge"
      linear = true

    \b
    Examples:
      convcli recipe list
      convcli recipe show soft-portrait
      convcli filter photo.jpg --recipe soft-portrait
    """


@command.command("list")
@options.as_json
def list_command(as_json: bool) -> None:
    """Print every recipe: yours, and those that come with convcli.

    \b
    Examples:
      convcli recipe list
      convcli recipe list --json
    """
    found = list(recipes())
    good = [each for each in found if isinstance(each, Recipe)]
    wrong = [str(each) for each in found if not isinstance(each, Recipe)]
    if as_json:
        show_result(
            json_text({"folder": str(folder()), "recipes": [_document(each) for each in good], "errors": wrong})
        )
        return
    for recipe in good:
        whose = "" if recipe.is_shipped else " (yours)"
        show(f"{recipe.name:{_NAME}} {recipe.description}{whose}")
    show("", f"Yours lie in {folder()}")
    for error in wrong:
        say(f"Warning: {error}")


@command.command("show")
@click.argument("name", metavar="NAME|FILE", type=RECIPE)
@options.as_json
def show_command(name: str, as_json: bool) -> None:
    """Show one recipe: its words, and the command that they stand for.

    \b
    Examples:
      convcli recipe show soft-portrait
      convcli recipe show mine.toml --json
    """
    recipe: Recipe = options.usage(lambda: find_recipe(name))
    line = options.usage(lambda: _as_command(recipe))
    if as_json:
        show_result(json_text(_document(recipe) | {"command": line}))
        return
    show(recipe.name)
    show(*[recipe.description] * bool(recipe.description), "")
    for key, value in recipe.words.items():
        for each in value if isinstance(value, list) else [value]:
            show(f"{key:12}{str(each).lower() if isinstance(each, bool) else each}")
    show(f"{'file':12}{recipe.path}", "", line)


def _document(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "description": recipe.description,
        "words": recipe.words,
        "file": str(recipe.path),
        "shipped": recipe.is_shipped,
    }


def _as_command(recipe: Recipe) -> str:
    """What one would type; raises `ConvcliError` for words that convcli filter does not take."""
    from convcli.cli.filter import command as filter_command

    with click.Context(filter_command) as ctx:
        values = words_of(recipe, ctx)
    typed = ["convcli", "filter", "PHOTO"]
    for parameter in filter_command.params:
        value = values.get(str(parameter.name))
        longest = max(parameter.opts, key=len)
        if value is True:
            typed.append(longest)
        elif isinstance(value, list):
            typed += [word for each in value for word in (min(parameter.opts, key=len), each)]
        elif value not in (None, False):
            typed += [longest, str(value)]
    return printable(" ".join(map(shlex.quote, typed)))
