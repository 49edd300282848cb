"""``--recipe``: words of a command from a file, as if they had been typed."""

from typing import Any

import click

from convcli.cli.completing import KERNEL, Completed
from convcli.cli.options import usage
from convcli.errors import ConvcliError, KernelError, suggestion
from convcli.jobs.recipes import Recipe, find_recipe, names
from convcli.kernels import parse_kernel

# What a recipe does not say: which files, where to, and how a run goes.
_OF_A_RUN = {
    "inputs", "recipe", "output", "overwrite", "skip_existing", "recursive", "watch", "preview", "threads", "as_json",
    "quiet", "max_pixels", "stack",
}  # fmt: skip

RECIPE = Completed("NAME|FILE", names)


def _take(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Let a recipe's words be the defaults of those that are not on the command line; its name is what is kept."""
    if value is None:
        return None
    recipe = usage(lambda: find_recipe(value))
    ctx.default_map = {**(ctx.default_map or {}), **usage(lambda: words_of(recipe, ctx))}
    return str(recipe.name)


option = click.option(
    "--recipe", type=RECIPE, is_eager=True, callback=_take,
    help="Words from a file of yours; what is typed beside it replaces them. See convcli recipe list.",
)  # fmt: skip


def words_of(recipe: Recipe, ctx: click.Context) -> dict[str, Any]:
    """The values of a command's options by their parameters' names; raises `ConvcliError` for what it does not take."""
    known = {
        name.removeprefix("--"): parameter
        for parameter in ctx.command.params
        for name in parameter.opts
        if name.startswith("--") and parameter.name not in _OF_A_RUN
    }
    values: dict[str, Any] = {}
    for key, value in recipe.words.items():
        where = f"recipe {recipe.name}: {key}"
        parameter = known.get(key.replace("_", "-"))
        if parameter is None:
            near = suggestion(key.replace("_", "-"), known) or f", expected some of {', '.join(sorted(known))}"
            raise ConvcliError(f"recipe {recipe.name}: got the word {key!r}{near}")
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        if is_flag != isinstance(value, bool):
            got = f"{str(value).lower() if isinstance(value, bool) else repr(value)}"
            raise ConvcliError(f"{where}: got {got}, expected {'true or false' if is_flag else 'a text or a number'}")
        if parameter.multiple:
            value = value if isinstance(value, list) else [value]
        elif isinstance(value, list):
            value = ",".join(value)
        try:
            parameter.type_cast_value(ctx, value)
            for spec in value if parameter.type is KERNEL else ():
                parse_kernel(spec)
        except click.BadParameter as error:
            raise ConvcliError(f"{where}: {error.message}") from error
        except KernelError as error:
            raise ConvcliError(f"recipe {recipe.name}: {error}") from error
        values[str(parameter.name)] = value
    return values
