"""Memory that decoders share: the limit of memory is the process's, however many pictures are decoded at once.

Pictures get turns in the order in which they will be asked for. `convcli.images.model.check_size` takes what a picture
needs, with its result, as soon as its header is read: it waits until all earlier ones have taken theirs, and then until
it fits beside them. So a picture waits for earlier ones only, which never wait for later ones.
"""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from convcli.budget import memory_limit

_Words = ParamSpec("_Words")
_Result = TypeVar("_Result")

_this_thread = threading.local()


class Turns:
    """What the pictures of one batch hold together."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[Turn] = []  # all that are not over, in order
        self.is_over = False

    def next(self) -> "Turn":
        """The turn of the next picture."""
        turn = Turn(self)
        with self.changed:
            self.waiting.append(turn)
        return turn

    def end(self) -> None:
        """Nobody waits any longer: the batch is given up, or done."""
        with self.changed:
            self.is_over = True
            self.changed.notify_all()


class Turn:
    """What one picture holds."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.held = 0
        self.has_taken = False

    def run(self, function: Callable[_Words, _Result], *words: _Words.args, **named: _Words.kwargs) -> _Result:
        """Call a function that reads the picture; what it takes is held until `close`."""
        _this_thread.turn = self
        try:
            return function(*words, **named)
        finally:
            _this_thread.turn = None
            self.take(0)

    def take(self, needed: int) -> None:
        """Hold this many bytes; the first time, wait until there is room for them."""
        with self.turns.changed:
            if not self.has_taken:
                self.turns.changed.wait_for(lambda: self.turns.is_over or self._fits(needed))
            self.has_taken = True
            self.held = max(self.held, needed)
            self.turns.changed.notify_all()

    def close(self, *_: object) -> None:
        """The picture is no longer in memory; may be called when a future is done."""
        with self.turns.changed:
            if self in self.turns.waiting:
                self.turns.waiting.remove(self)
            self.has_taken = True
            self.turns.changed.notify_all()

    def _fits(self, needed: int) -> bool:
        waiting = self.turns.waiting
        earlier = waiting[: waiting.index(self)]
        return all(each.has_taken for each in earlier) and sum(each.held for each in earlier) + needed <= memory_limit()


def take(needed: int) -> None:
    """Hold memory for the picture that this thread reads, if it has a turn."""
    turn: Turn | None = getattr(_this_thread, "turn", None)
    if turn is not None:
        turn.take(needed)
