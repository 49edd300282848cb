"""Work in this process, one item after the other; loops use all of its threads."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from convcli.engines import Done, attempt


class Here:
    """This process."""

    workers = 1

    def run(self, act: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Done]:
        """What becomes of each item, in order."""
        for item in items:
            yield attempt(act, item)
