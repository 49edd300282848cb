"""Large pictures are encoded in bands of rows, several at a time: where to cut, and the threads that share the work.

Where a picture is cut depends on its size alone, so that a file is the same whatever the number of threads.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = threading.Lock()
_pool: "ThreadPoolExecutor | None" = None
_threads: int | None = None


def limit_threads(threads: int | None) -> None:
    """Let `spread` use this many threads; None for as many as the process has cores."""
    global _pool, _threads
    with _lock:
        if threads != _threads:
            _pool, _threads = None, threads  # threads at work finish what they have, and end with the old pool


def cut(height: int, rows: int) -> list[tuple[int, int]]:
    """The (first, last + 1) rows of bands of ``rows`` rows; the last one may be lower.

    >>> cut(70, 32)
    [(0, 32), (32, 64), (64, 70)]
    """
    return [(start, min(start + rows, height)) for start in range(0, height, rows)]


def spread(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results of ``work`` for each item, in order, each as soon as it is there; what it raises is raised here.

    All callers share the threads: a batch that encodes several pictures at once does not start more of them. So
    ``work`` must not wait for `spread` itself, and is worth it only if it releases the GIL for most of its time.
    """
    waiting = list(items)
    pool = _shared_pool() if len(waiting) > 1 else None
    return map(work, waiting) if pool is None else pool.map(work, waiting)


def _shared_pool() -> "ThreadPoolExecutor | None":
    from concurrent.futures import ThreadPoolExecutor

    global _pool
    with _lock:
        threads = _threads or _cores()
        if threads > 1 and _pool is None:
            _pool = ThreadPoolExecutor(threads, thread_name_prefix="bands")
        return _pool if threads > 1 else None


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
    return len(affinity(0)) if affinity else os.cpu_count() or 1
