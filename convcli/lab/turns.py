"""Who may use the loops, and when: one at a time, a newer wish instead of an older, and a training in between.

A page asks more often than answers can be made, as while a weight is dragged. Of each lane (a tab's room) only the
newest wish waits; the one before it is refused. Loops are called by one thread at a time, whoever it is: requests by
the worker here, a training by its own thread, which steps back between two batches for whoever waits.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from convcli.errors import ConvcliError

Result = TypeVar("Result")
MOST_WAITING = 32


class SupersededError(ConvcliError):
    """A newer wish of the same tab has taken this one's place."""


class BusyError(ConvcliError):
    """Too many wait already."""


class Gate:
    """The right to call loops: one thread has it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._asking = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have it, as soon as whoever has it gives way."""
        with self._counting:
            self._asking += 1
        self._lock.acquire()
        with self._counting:
            self._asking -= 1
        try:
            yield
        finally:
            self._lock.release()

    def step_back(self, until: Callable[[], bool] = lambda: True) -> None:
        """Give it away to whoever waits, and while a condition does not hold; then have it again."""
        self._lock.release()
        try:
            while self._asking or not until():
                time.sleep(0.002)
        finally:
            self._lock.acquire()


class Turns:
    """The requests' turns: made for one event loop, with one worker thread."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="lab")
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._is_running = False

    async def run(self, lane: str, work: Callable[[], Result]) -> Result:
        """Do some work when its turn comes.

        Raises
        ------
        SupersededError
            If the same lane asks for something newer first.
        BusyError
            If too many lanes wait.
        """
        if lane not in self._waiting and len(self._waiting) >= MOST_WAITING:
            raise BusyError(f"the lab is busy: {MOST_WAITING} requests wait already; try again in a moment")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        older = self._waiting.get(lane)
        self._waiting[lane] = mine  # in the older one's place
        if older is not None and not older.done():
            older.set_exception(SupersededError("a newer request of the same tab came first"))
        self._call_next()
        try:
            await mine
            return await asyncio.get_running_loop().run_in_executor(self._worker, self._with_gate, work)
        finally:
            if self._waiting.get(lane) is mine:  # given up while it waited
                del self._waiting[lane]
            elif mine.done() and not mine.cancelled() and mine.exception() is None:
                self._is_running = False
                self._call_next()

    def _with_gate(self, work: Callable[[], Result]) -> Result:
        with self._gate.held():
            return work()

    def _call_next(self) -> None:
        while self._waiting and not self._is_running:
            next_one = self._waiting.pop(next(iter(self._waiting)))
            if not next_one.done():
                self._is_running = True
                next_one.set_result(None)

    def close(self) -> None:
        """Let the worker end."""
        self._worker.shutdown(wait=False, cancel_futures=True)
