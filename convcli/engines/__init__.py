"""Where work is done: items go in, and what becomes of them comes out, here or in many processes.

Nothing here knows what is worked on. Only `convcli.engines.dask` imports distributed, which is an extra.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from convcli.errors import ConvcliError

TRIES = 3  # of what the system refuses


class EngineError(ConvcliError):
    """The work cannot go on: no workers, or the scheduler is gone."""


@dataclass(frozen=True)
class Done:
    """What became of an item: a value, or an error, or the death of as many processes as may be lost for it."""

    item: Any
    value: Any = None
    error: Exception | None = None
    killed: bool = False


class Engine(Protocol):
    """Something that works on items, ``workers`` of them at a time."""

    workers: int

    def run(self, act: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Done]:
        """What becomes of each item, as it is done; the items are asked for as there is room for them."""


@dataclass(frozen=True)
class Later:
    """What is returned while some of the work goes on in another thread: `end` waits for it and has the value."""

    end: Callable[[], Any]


def attempt(act: Callable[[Any], Any], item: Any, begun: Later | None = None) -> Done:
    """Work on an item, or end what was begun of it.

    What the system refuses is tried again, from the beginning; what is wrong with the item is not.
    """
    for tries in range(TRIES):
        try:
            return Done(item, begun.end() if begun and not tries else act(item))
        except (ConvcliError, MemoryError) as error:
            return Done(item, error=error)
        except OSError as error:
            if tries == TRIES - 1 or is_final(error):
                return Done(item, error=error)
    raise AssertionError


def is_final(error: Exception | None) -> bool:
    """Whether an error is none of the item's but of where all write: a full disk, or one that may not be written."""
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
