"""Which loops something needs, learned without compiling any: as text that says all that a compiler must know.

While `listing` is on, loops that are called note themselves and their arguments' types, and do nothing. A list of them
can be given to other processes, and what each says can be compiled by whoever reads it.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from convcli.errors import ConvcliError
from convcli.loops.compiling import compiler

_PLAIN: dict[str, Any] = {"bool": False, "int": 1, "float": 1.0, "NoneType": None}


class Wanted(NamedTuple):
    """A loop and the types of its arguments."""

    name: str  # as in `filtering.correlation.correlate`
    arguments: str  # JSON: see `_described`

    @property
    def loop(self) -> "compiler.Loop":
        """The loop itself."""
        found = _named(self.name)
        if not isinstance(found, compiler.Loop):
            raise TypeError(f"{self.name}: expected the name of a loop")
        return found

    @property
    def example(self) -> tuple[Any, ...]:
        """Arguments of these types; their values mean nothing."""
        return tuple(map(_example, json.loads(self.arguments)))

    @classmethod
    def of(cls, name: str, arguments: tuple[Any, ...]) -> "Wanted":
        """A loop, by its name, that is to be called with such arguments."""
        return cls(name, json.dumps([_described(argument) for argument in arguments]))

    def make(self) -> bool:
        """Compile it in this process and keep it, unless it is there already; returns whether it is then."""
        return self.loop.make(self.example)


@contextmanager
def listing() -> Iterator[list[Wanted]]:
    """The list of loops that are called meanwhile, each kind of call once, without running or compiling them."""
    found: dict[Wanted, None] = {}
    result: list[Wanted] = []

    def note(name: str, arguments: tuple[Any, ...]) -> None:
        each = Wanted.of(name, arguments)
        if each not in found:
            found[each] = None
            result.append(each)

    with compiler.noting(note):
        yield result


def walked(walk: Callable[[], object]) -> list[Wanted]:
    """The loops that ``walk()`` calls, none of which runs.

    What loops leave undone means nothing, so the walk may end in some error; most have been called by then.
    """
    errors = ConvcliError, ArithmeticError, LookupError, MemoryError, OSError, TypeError, ValueError
    with listing() as found, np.errstate(all="ignore"), suppress(*errors):
        walk()
    return found


def _described(argument: Any) -> Any:
    """The type of an argument as JSON has it.

    An array is ``[dtype, dimensions, whether it can be written]``, a number its type's name, a tuple an object of its
    class's name (empty for a plain one) and what is in it.
    """
    if isinstance(argument, np.ndarray):
        return [argument.dtype.name, argument.ndim, bool(argument.flags.writeable)]
    kind = type(argument)
    if isinstance(argument, tuple):
        if kind is not tuple and not kind.__module__.startswith(compiler.HOME):
            raise TypeError(f"{kind.__name__}: expected a tuple of this package")
        name = "" if kind is tuple else f"{kind.__module__.removeprefix(compiler.HOME)}.{kind.__name__}"
        return {name: [_described(each) for each in argument]}
    return f"numpy.{argument.dtype.name}" if isinstance(argument, np.generic) else kind.__name__


def _example(described: Any) -> Any:
    """An argument of a described type."""
    if isinstance(described, list):
        dtype, dimensions, writeable = described
        array = np.ones((1,) * dimensions, dtype)
        array.flags.writeable = writeable
        return array
    if isinstance(described, dict):
        ((name, within),) = described.items()
        values = tuple(map(_example, within))
        return _named(name)(*values) if name else values
    return _PLAIN[described] if described in _PLAIN else np.dtype(described.removeprefix("numpy.")).type(1)


def _named(name: str) -> Any:
    """What has this name in the loops' package, as in `filtering.correlation.correlate`."""
    module, _, name = name.rpartition(".")
    return getattr(import_module(f"{compiler.HOME}{module}"), name)
