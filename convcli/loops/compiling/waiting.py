"""While loops are compiled that somebody waits for: what is told, what is compiled beside, and that it can be stopped.

Whoever is about to run several loops may say so (`foreseen`): when the first of them is missing, all that will be are
found by a walk through the same code that runs none (`wanted`), and compiled by several processes.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeVar

from convcli.loops.compiling import kept

T = TypeVar("T")
_PULSE = 0.5  # seconds between two looks at the clock


@dataclass(frozen=True)
class Compiling:
    """How far it is: loops done of those known to be missing, seconds so far; for what, if that was said."""

    what: str = ""
    done: int = 0
    total: int = 1
    seconds: float = 0.0
    over: bool = False


@dataclass
class _Foreseen:
    what: str
    walk: Callable[[], object]
    total: int = 0  # of missing loops; 0 until somebody looked
    done: int = 0
    seconds: float = 0.0


class _Ahead(threading.local):
    """What the calls under way in a thread have said."""

    def __init__(self) -> None:
        self.of: list[_Foreseen] = []


_AHEAD = _Ahead()
_LISTENERS: list[Callable[[Compiling], object]] = []


def on_compiling(tell: Callable[[Compiling], object]) -> None:
    """Have ``tell`` called while loops are compiled, about twice a second; later listeners of a process are ignored."""
    if not _LISTENERS:
        _LISTENERS.append(tell)


@contextmanager
def foreseen(what: str, walk: Callable[[], object]) -> Iterator[None]:
    """Meanwhile loops are about to be called as ``walk()`` would call them; it is run if one of them is missing."""
    _AHEAD.of.append(_Foreseen(what, walk))
    try:
        yield
    finally:
        _AHEAD.of.pop()


def compile_beside(name: str, arguments: tuple[Any, ...]) -> None:
    """Compile what is missing together with this loop in several processes, if there are enough of both."""
    if not _AHEAD.of or _AHEAD.of[-1].total:
        return
    ahead = _AHEAD.of[-1]
    making, wanted = (import_module(f"{__package__}.{module}") for module in ("making", "wanted"))  # they call loops
    missing = dict.fromkeys([wanted.Wanted.of(name, arguments), *_missing(ahead.walk)])
    ahead.total = len(missing)
    processes = min(making.cores(), len(missing) // 2)
    if processes < 2 or not making.pays(missing, processes):
        return
    with _told(ahead) as told:
        making.make_all(missing, processes, lambda _: told(1), lambda: told(0), _PULSE)


def compile_here(work: Callable[[], T]) -> T:
    """The result of ``work()``, which compiles one loop and cannot be stopped, so that waiting for it can."""
    with _told(_AHEAD.of[-1] if _AHEAD.of else _Foreseen("", lambda: None, 1)) as told:
        if threading.current_thread() is not threading.main_thread():
            return work()
        ended = threading.Event()
        result: list[T] = []
        problem: list[BaseException] = []

        def run() -> None:
            try:
                result.append(work())
            except BaseException as error:
                problem.append(error)
            finally:
                ended.set()

        threading.Thread(target=run, daemon=True).start()
        while not ended.wait(_PULSE):
            told(0)
        told(1)
        if problem:
            raise problem[0]
        return result[0]


def _missing(walk: Callable[[], object]) -> list[Any]:
    walked = import_module(f"{__package__}.wanted").walked
    return [each for each in walked(walk) if not kept.has(each.name, each.example)]


@contextmanager
def _told(ahead: _Foreseen) -> Iterator[Callable[[int], None]]:
    """Tell how far it is; what is yielded is called with how many loops more are done. Ctrl-C stops at once."""
    started, before = time.perf_counter(), ahead.seconds

    def told(more: int) -> None:
        ahead.done += more
        ahead.seconds = before + time.perf_counter() - started
        ahead.total = max(ahead.total, ahead.done)
        _tell(Compiling(ahead.what, ahead.done, ahead.total, ahead.seconds))

    with _interruptible():
        told(0)
        try:
            yield told
        finally:
            _tell(replace(Compiling(ahead.what, ahead.done, ahead.total, ahead.seconds), over=True))


def _tell(state: Compiling) -> None:
    for tell in _LISTENERS:
        tell(state)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises, whatever whoever waits has made of it: nothing of theirs is under way now."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or usual is signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
