"""The pages made from the code itself: `REFERENCE.md` beside this file, every command, `API.md`, every function, and
`SCALE.md`, what large work costs.

``python -m convcli.cli.reference`` writes them anew; a test holds that they are up to date.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

import convcli
from convcli.cli import group
from convcli.ops import signatures

PAGE = Path(__file__).with_name("REFERENCE.md")
API_PAGE = Path(convcli.__file__).with_name("API.md")
SCALE_PAGE = Path(convcli.__file__).with_name("SCALE.md")
_HEAD = """# Every command of convcli

What `--help` says, command by command. Made by `python -m convcli.cli.reference`: change the commands, not this page.

"""
_API_HEAD = """# convcli from Python

Every name of `import convcli`, as `help` shows it. The examples are run by the tests. Made by
`python -m convcli.cli.reference`: change the docstrings, not this page.

`import convcli` loads neither numpy nor numba; a function is imported when it is first asked for. Arguments are checked
and every error is one line, a `ConvcliError`.

"""
_WIDTH = 100


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
    """The page of commands: each one's help, as markdown, 80 columns wide."""
    parts = []
    for words, command in commands():
        context = click.Context(command, info_name=words, terminal_width=80, help_option_names=["-h", "--help"])
        parts += [f"## `{words}`", "", "```text", command.get_help(context), "```", ""]
    return _HEAD + "\n".join(parts)


def api() -> str:
    """The page of functions: signature and docstring of each public name, module by module, then the words of types."""
    parts = [_API_HEAD]
    for home, names in (*convcli._HOMES.items(), ("convcli.errors", _errors())):
        parts.append(f"## {(import_module(home).__doc__ or '').splitlines()[0].rstrip('.')}\n\n")
        for name in names:
            thing = getattr(convcli, name)
            parts.append(f"### `convcli.{name}`\n\n```python\n{_signature(thing)}\n```\n\n")
            parts.append(f"```text\n{inspect.getdoc(thing)}\n```\n\n")
            parts += [_member(name, *each) for each in _members(thing)]
    parts.append("## The words of signatures\n\n")
    for name in ("BorderWord", "PoolMode", "OperationWord"):
        parts.append(f"- `{name}`: {', '.join(f'`{word}`' for word in get_args(getattr(signatures, name)))}\n")
    for kind in (signatures.FilterWords, signatures.ExplainWords):
        names = ", ".join(f"`{each}`" for each in get_type_hints(kind))
        parts.append(f"- `{kind.__name__}`: {names}\n")
    parts.append("- `OutsideWord`: `none`, or a `BorderWord`\n")
    return "".join(parts)


def scale() -> str:
    """The page of what goes beyond one machine, with its tables."""
    from convcli.jobs.paper_plan import page

    return "\n".join(page()) + "\n"


def _errors() -> list[str]:
    return [name for name in convcli.__all__ if name.endswith("Error")]


def _members(thing: Any) -> Iterator[tuple[str, Any]]:
    """A class's own public methods and properties."""
    if inspect.isclass(thing):
        for name, member in vars(thing).items():
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                yield name, member


def _member(owner: str, name: str, member: Any) -> str:
    what = name if isinstance(member, property) else _signature(member)
    return f"#### `{owner}.{name}`\n\n```python\n{what}\n```\n\n```text\n{inspect.getdoc(member)}\n```\n\n"


def _signature(thing: Any) -> str:
    """A function as its source declares it; Python's own text has types written out over many lines."""
    if inspect.isclass(thing):
        return f"class {thing.__name__}({', '.join(base.__name__ for base in thing.__bases__ if base is not object)})"
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(thing))).body
    assert isinstance(node, ast.FunctionDef)
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = list(_arguments(node.args))
    line = f"{node.name}({', '.join(arguments)}){returned}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{node.name}(", *(f"    {each}," for each in arguments), f"){returned}"])


def _arguments(given: ast.arguments) -> Iterator[str]:
    """Each argument with its type and default, and the bare star before those that have to be named."""
    named = [*zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    missing = [None] * (len(given.args) - len(given.defaults))
    for argument, default in zip(given.args, [*missing, *given.defaults], strict=True):
        yield _argument(argument, default)
    if given.vararg:
        yield f"*{_argument(given.vararg, None)}"
    elif named:
        yield "*"
    for argument, default in named:
        yield _argument(argument, default)
    if given.kwarg:
        yield f"**{_argument(given.kwarg, None)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    return argument.arg + kind + (f" = {ast.unparse(default)}" if default is not None else "")


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    API_PAGE.write_text(api(), encoding="utf-8")
    SCALE_PAGE.write_text(scale(), encoding="utf-8")
