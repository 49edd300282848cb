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

# About how many seconds loops take whose names begin so: what takes longest comes first, so that nobody waits for the
# last one alone.
_SECONDS = {
    "filtering.volumes.": 4.0, "filtering.correlation.correlate_twice": 2.3, "networks.convolution.": 1.9,
    "filtering.means.": 1.9, "filtering.correlation.": 1.5, "filtering.fourier.": 1.5, "filtering.box.": 1.0,
    "networks.winograd.convolve": 1.1, "pooling.extrema.": 0.7, "pooling.sums.": 0.7, "pooling.morphology.": 0.7,
}  # fmt: skip
_FEW_SECONDS = 0.25  # all others
_STARTING = 1.2  # seconds until several processes have begun, and as many of a processor for nothing
_WORTH_IT = 0.78  # of the time that one process takes
# This package, even where another convcli is installed; all else from where it is anyway.
_PROGRAM = f"""
import sys
sys.path.insert(0, sys.argv[1])
import convcli
sys.path.append(sys.path.pop(0))
from {__name__} import serve
serve(int(sys.argv[2]), sys.argv[3])
"""
_INDEX_BYTES = 4


def make_all(
    loops: Iterable[Wanted],
    processes: int,
    on_made: Callable[[Wanted], object],
    on_pulse: Callable[[], object] = lambda: None,
    pulse: float = 1.0,
    level: str = "",
) -> None:
    """Compile and keep loops in so many processes, for a level of processors if one is named.

    ``on_made`` is called in this thread after each, and ``on_pulse`` meanwhile, whenever ``pulse`` seconds have passed.
    What cannot be compiled there is left: whoever needs it does that, or Numba.
    """
    ordered = sorted(loops, key=_seconds, reverse=True)
    if not ordered:
        return
    debugging = os.environ.get("CONVCLI_DEBUG") == "1"
    # In a session of their own: Ctrl-C is heard by us, and then all of them are stopped.
    words = str(Path(__file__).parents[3]), str(min(processes, len(ordered))), level
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, *words],
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


def pays(loops: Iterable[Wanted], processes: int) -> bool:
    """Whether so many processes will be done with these loops so much earlier that it is worth what they cost."""
    alone = [_seconds(loop) for loop in loops]
    return _STARTING + max(*alone, sum(alone) / processes) < _WORTH_IT * sum(alone)


def _seconds(loop: Wanted) -> float:
    return next((seconds for name, seconds in _SECONDS.items() if loop.name.startswith(name)), _FEW_SECONDS)


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


def serve(processes: int, level: str) -> None:
    """What that process does: compile the loops that standard input names, and answer with the number of each."""
    import gc

    from convcli.loops.compiling import compiler, processor

    if level:
        processor.make_for(level)
    loops = [Wanted(*each) for each in json.load(sys.stdin.buffer)]
    compiler.load_numba()
    import_module(f"{__package__}.native").get_ready()
    gc.freeze()  # what all have in common is not looked through again
    numbers, ready = os.pipe()
    os.write(ready, b"".join(index.to_bytes(_INDEX_BYTES, "big") for index in range(len(loops))))
    os.close(ready)
    children = []
    while len(children) < processes - 1 and (child := os.fork()):
        children.append(child)
    _take(numbers, loops)
    for child in children if len(children) == processes - 1 else ():
        os.waitpid(child, 0)
    os._exit(0)  # all is said; to take Numba apart takes a tenth of a second


def _take(numbers: int, loops: list[Wanted]) -> None:
    """Compile what is left of them, one after the other."""
    while taken := os.read(numbers, _INDEX_BYTES):
        index = int.from_bytes(taken, "big")
        loops[index].make()
        os.write(1, f"{index}\n".encode())
