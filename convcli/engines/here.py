"""Work in this process, one item after the other; loops use all of its threads.

What an item leaves to be ended `Later` goes on while the next is worked on.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from convcli.engines import Done, Later, attempt


class Here:
    """This process."""

    workers = 1

    def run(self, act: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Done]:
        """What becomes of each item, in order."""
        begun: Done | None = None
        for item in items:
            done = attempt(act, item)
            if begun is not None:
                yield _ended(act, begun)
            begun = done if isinstance(done.value, Later) else None
            if begun is None:
                yield done
        if begun is not None:
            yield _ended(act, begun)


def _ended(act: Callable[[Any], Any], begun: Done) -> Done:
    return attempt(lambda item: act(item).end(), begun.item, begun.value)
