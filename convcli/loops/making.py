"""Compiling several loops at once, in processes of their own that are given one after the other.

The processes compile and keep, and answer with a line; what they kept is found by whoever waits for it. They can be
stopped at any moment: a file is kept whole or not at all.
"""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from convcli.loops.wanted import Wanted

# What takes longest, so that nobody waits for the last one alone.
_LONG = (
    "volumes.correlate_volume",
    "correlation.correlate_twice",
    "convolution.",
    "means.",
    "correlation.",
    "fourier.",
)
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from convcli.loops.making import serve; serve()"


def make_all(
    loops: Iterable[Wanted],
    processes: int,
    on_made: Callable[[Wanted], object],
    on_pulse: Callable[[], object] = lambda: None,
    pulse: float = 1.0,
) -> None:
    """Compile and keep loops in so many processes.

    ``on_made`` is called in this thread after each, and ``on_pulse`` meanwhile, whenever ``pulse`` seconds have passed.
    What cannot be compiled there is left: whoever needs it does that, or Numba.
    """
    waiting = deque(sorted(loops, key=_place))
    made: SimpleQueue[Wanted] = SimpleQueue()
    count = len(waiting)
    workers = [_Worker(waiting, made) for _ in range(min(processes, count))]
    try:
        while count:
            try:
                on_made(made.get(timeout=pulse))
                count -= 1
            except Empty:
                on_pulse()
    finally:
        for worker in workers:
            worker.stop()


def cores() -> int:
    """How many processes may compile at a time: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _place(loop: Wanted) -> int:
    return next((place for place, name in enumerate(_LONG) if loop.name.startswith(name)), len(_LONG))


class _Worker:
    """One process, and the thread that gives it work and hears its answers."""

    def __init__(self, waiting: deque[Wanted], made: SimpleQueue[Wanted]) -> None:
        self.waiting, self.made = waiting, made
        root = str(Path(__file__).parents[2])
        debugging = os.environ.get("CONVCLI_DEBUG") == "1"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debugging else subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is heard by us, and then they are stopped
        )
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        while self.waiting:
            try:
                loop = self.waiting.popleft()
            except IndexError:
                return
            try:
                self.process.stdin.write(json.dumps(loop).encode() + b"\n")
                self.process.stdin.flush()
                self.process.stdout.readline()
            except (OSError, ValueError):  # it has ended, or was stopped
                pass
            self.made.put(loop)

    def stop(self) -> None:
        """End it, in the middle of whatever it does."""
        self.waiting.clear()
        self.process.kill()
        self.process.wait()
        self.thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # something was still to be written
                pipe.close()  # type: ignore[union-attr]


def serve() -> None:
    """What such a process does: compile each loop that a line on standard input names, and answer."""
    import gc

    gc.set_threshold(100_000, 50, 50)
    for line in sys.stdin.buffer:
        made = Wanted(*json.loads(line)).make()
        sys.stdout.write(f"{json.dumps(made)}\n")
        sys.stdout.flush()
