"""Compiling several loops at once, in processes that share what they load.

One process is started, loads Numba and becomes as many as are wanted; these take one loop after the other, compile and
keep it, and answer with a line. What they kept is found by whoever waits for it. They can be stopped at any moment: a
file is kept whole or not at all.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from convcli.loops.compiling.wanted import Wanted

# What takes longest, so that nobody waits for the last one alone.
_LONG = (
    "filtering.volumes.", "filtering.correlation.correlate_twice", "networks.convolution.", "filtering.means.",
    "filtering.correlation.", "filtering.fourier.",
)  # fmt: skip
_PROGRAM = f"import sys; sys.path.append(sys.argv[1]); from {__name__} import serve; serve(int(sys.argv[2]))"
_INDEX_BYTES = 4


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
    ordered = sorted(loops, key=_place)
    if not ordered:
        return
    debugging = os.environ.get("CONVCLI_DEBUG") == "1"
    # In a session of their own: Ctrl-C is heard by us, and then all of them are stopped.
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[3]), str(min(processes, len(ordered)))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None if debugging else subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        made: SimpleQueue[Wanted | None] = SimpleQueue()
        hearing = threading.Thread(target=_hear, args=(process.stdout, ordered, made), daemon=True)
        hearing.start()
        try:
            with suppress(OSError):  # it has ended already
                process.stdin.write(json.dumps(ordered).encode())
                process.stdin.close()
            _wait(made, on_made, on_pulse, pulse)
        finally:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            hearing.join()


def cores() -> int:
    """How many processes may compile at a time: the cores this process may use, 1 where it cannot become several."""
    if not hasattr(os, "fork"):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _place(loop: Wanted) -> int:
    return next((place for place, name in enumerate(_LONG) if loop.name.startswith(name)), len(_LONG))


def _hear(answers: IO[bytes], loops: list[Wanted], made: SimpleQueue[Wanted | None]) -> None:
    for line in answers:
        made.put(loops[int(line)])
    made.put(None)


def _wait(
    made: SimpleQueue[Wanted | None],
    on_made: Callable[[Wanted], object],
    on_pulse: Callable[[], object],
    pulse: float,
) -> None:
    while True:
        try:
            loop = made.get(timeout=pulse)
        except Empty:
            on_pulse()
            continue
        if loop is None:
            return
        on_made(loop)


def serve(processes: int) -> None:
    """What that process does: compile the loops that standard input names, and answer with the number of each."""
    import gc

    from convcli.loops.compiling import compiler

    loops = [Wanted(*each) for each in json.load(sys.stdin.buffer)]
    compiler.load_numba()
    import_module("convcli.loops.compiling.pieces").TARGET.target_context.refresh()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    numbers, ready = os.pipe()
    os.write(ready, b"".join(index.to_bytes(_INDEX_BYTES, "big") for index in range(len(loops))))
    os.close(ready)
    children = []
    while len(children) < processes - 1 and (child := os.fork()):
        children.append(child)
    _take(numbers, loops)
    for child in children if len(children) == processes - 1 else ():
        os.waitpid(child, 0)


def _take(numbers: int, loops: list[Wanted]) -> None:
    """Compile what is left of them, one after the other."""
    while taken := os.read(numbers, _INDEX_BYTES):
        index = int.from_bytes(taken, "big")
        loops[index].make()
        os.write(1, f"{index}\n".encode())
