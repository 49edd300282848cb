"""What the shell completes: names from our lists, and files."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from convcli.addresses import local_name
from convcli.cli.library_warnings import TELLER
from convcli.cli.options import ParamType
from convcli.cli.printing import say
from convcli.errors import ConvcliError

# Command line completion is click's; it runs convcli with this variable set.
VARIABLE = "_CONVCLI_COMPLETE"


class Completed(ParamType):
    """A text that is taken as it stands, of which the shell knows beginnings: names of a list, and files."""

    def __init__(self, name: str, names: Callable[[], Iterable[str]] = tuple) -> None:
        self.name, self.names = name, names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The names that begin so; where none does, files."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]
        return found if found else [CompletionItem(incomplete, type="file")]


def _kernels() -> Iterable[str]:
    from convcli.kernels.library import LIBRARY

    return LIBRARY


class _Spec(Completed):
    """A kernel's SPEC: behind the colon of a name its parameters are completed."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The names, or the parameters, that begin so."""
        from click.shell_completion import CompletionItem

        from convcli.kernels.library import ALIASES, LIBRARY

        name, colon, rest = incomplete.partition(":")
        entry = LIBRARY.get(ALIASES.get(name, name))
        if not colon or entry is None:
            return super().shell_complete(ctx, param, incomplete)
        before, comma, last = rest.rpartition(",")
        beginnings = [f"{name}:{before}{comma}{each.name}=" for each in entry.parameters if each.name.startswith(last)]
        return [CompletionItem(each) for each in beginnings]


def _elements() -> Iterable[str]:
    from convcli.ops.elements import ELEMENTS

    return ELEMENTS


def _networks() -> Iterable[str]:
    from convcli.architectures.files import shipped

    return ("shipped", *shipped())


def _data() -> Iterable[str]:
    from convcli.datasets.registry import ENTRIES

    return ENTRIES


class _Kernel(_Spec):
    """A kernel; a lone whole number is one, though perhaps not the one that was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is, with a note on what a number means."""
        if isinstance(value, str) and re.fullmatch("[2-9]|[1-9][0-9]{1,3}", value.strip()) and not TELLER.is_quiet:
            sized = f"{value}x{value}"
            say(f"Note: the kernel {value} is one weight, which multiplies; one of {sized} has a name: box:{value}")
        return str(super().convert(value, param, ctx))


class _Axes(Completed):
    """A word for axes, of which the usual ones are completed."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as files' axes are read, or fail with what was expected."""
        from convcli.images.volume_axes import read_axes

        try:
            return read_axes(value)
        except ConvcliError as error:
            self.fail(str(error).removeprefix("axes: "), param, ctx)


class _File(Completed):
    """A file, a folder or an address; one of a file here (``file://``) is its name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name."""
        return local_name(str(super().convert(value, param, ctx)))


AXES = _Axes("AXES", lambda: ("yx", "zyx", "tzyx", "zcyx", "czyx", "tzcyx", "yxc", "x"))
FILE = _File("FILE")
KERNEL = _Kernel("SPEC", _kernels)
KERNEL_OR_SIZE = _Spec("SPEC", _kernels)
ELEMENT = Completed("SPEC", _elements)
MODEL = Completed("MODEL", lambda: ("shipped",))
NETWORK = Completed("NETWORK", _networks)
DATA = Completed("DATASET|FOLDER", _data)
