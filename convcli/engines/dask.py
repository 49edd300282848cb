"""Work in the processes of a Dask cluster: one of this machine, or one that is there already.

The scheduler holds a few items for each thread, however many there are; what a dead process had begun is begun again.
"""

import itertools
import logging
import queue
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import Any

from convcli.engines import TRIES, Done, EngineError, attempt
from convcli.errors import ConvcliError, shortened
from convcli.extras import needed

PATIENCE = 120.0  # seconds without any worker
_CONNECT = 20.0
_DEATHS = 2  # of processes that work on an item, before it is set aside, and again when it is tried alone
_AHEAD = 2  # items for each thread: one that is worked on, and one that waits
_LOUD = ("distributed", "tornado", "asyncio")  # whose logs say what a line of ours says
_GLANCE = 2.0  # seconds between looks at who is there

# What results depend on, by name; with a number of threads, loops are made ready for them.
Prepare = Callable[..., dict[str, str]]


@contextmanager
def dask_engine(
    workers: int, address: str, prepare: Prepare, tell: Callable[[str], object], *, patience: float = PATIENCE
) -> Iterator["Dask"]:
    """An engine of so many processes of this machine, or of the cluster at an address, until the block ends.

    Raises `ConvcliError` in one line where distributed is missing, nobody answers, or a worker has other versions.
    """
    distributed, config = _libraries()
    with ExitStack() as stack:
        stack.enter_context(config.set({"distributed.comm.timeouts.connect": f"{_CONNECT}s"}))
        stack.enter_context(_hushed())
        if address:
            client = stack.enter_context(_connected(distributed, address))
        else:
            cluster = stack.enter_context(_local(distributed, workers))
            client = stack.enter_context(distributed.Client(cluster, set_as_default=False))
        engine = Dask(client, prepare, patience)
        tell(f"{engine.workers} workers; dashboard: {client.dashboard_link or 'none'}")
        yield engine


class Dask:
    """The workers of a client; all of them are like this process."""

    def __init__(self, client: Any, prepare: Prepare, patience: float = PATIENCE) -> None:
        self._client, self._prepare, self._patience = client, prepare, patience
        self._expected = prepare()
        self._seen = time.monotonic()
        self.workers = 0
        while not self._glance():
            time.sleep(0.1)
        self._check()

    def run(self, act: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Done]:
        """What becomes of each item, as it is done.

        An item whose processes die again and again is set aside and tried once more when nothing else is worked on,
        since it may have been another's fault; if they die then, it is given up.
        """
        suspects: list[Any] = []
        for each in self._flight(act, iter(items), None):
            if each.killed:
                suspects.append(each.item)
            else:
                yield each
        yield from self._flight(act, iter(suspects), 1)

    def _flight(self, act: Callable[[Any], Any], items: Iterator[Any], most: int | None) -> Iterator[Done]:
        work = partial(_work, self._prepare, self._expected, act)
        name, numbers = f"convcli-{secrets.token_hex(4)}", itertools.count()
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        flying: dict[str, tuple[Any, Any]] = {}
        self._seen = looked = time.monotonic()
        try:
            while True:
                for item in itertools.islice(items, max((most or _AHEAD * self.workers) - len(flying), 0)):
                    future = self._client.submit(work, item, key=f"{name}-{next(numbers)}", pure=False)
                    flying[future.key] = future, item
                    future.add_done_callback(ended.put)
                if not flying:
                    return
                with suppress(queue.Empty):
                    future = ended.get(timeout=_GLANCE)
                    _, item = flying.pop(future.key)
                    if future.status == "lost":  # with the process that had it, which died before it was fetched
                        items = itertools.chain((item,), items)
                    else:
                        yield _done(future, item)
                if time.monotonic() - looked > _GLANCE:
                    self._glance()
                    looked = time.monotonic()
        finally:
            with suppress(Exception):  # the cluster may be gone, and what is going on says so
                self._client.cancel([future for future, _ in flying.values()], force=True)

    def _glance(self) -> int:
        """How many threads there are now; raises `EngineError` where there has been none for long."""
        try:
            known = self._client.nthreads()
        except (OSError, RuntimeError, ValueError, TypeError, TimeoutError) as error:
            raise _lost(error) from None
        if known:
            self._seen, self.workers = time.monotonic(), sum(known.values())
        elif time.monotonic() - self._seen > self._patience:
            raise EngineError(
                f"workers: there has been none for {self._patience:.0f} seconds; start some, then --resume goes on"
            )
        return len(known)

    def _check(self) -> None:
        """Refuse workers of other versions before any work is done; those that come later are asked as they begin."""
        try:
            found = self._client.run(_asked, self._prepare)
        except ImportError as error:
            raise EngineError(f"workers: {error}; install the same convcli, with its extra scale, on each") from None
        except (OSError, RuntimeError) as error:
            raise _lost(error) from None
        for address, got in found.items():
            _compare(self._expected, got, address)


def _done(future: Any, item: Any) -> Done:
    if future.status == "finished":
        try:
            done: Done = future.result()
        except OSError as closed:  # what the work itself raises is in what it returns
            raise _lost(closed) from None
        return done
    if future.status == "cancelled":
        raise _lost(None)
    error = future.exception()
    if isinstance(error, EngineError):
        raise error
    if type(error).__name__ == "KilledWorker":
        return Done(item, killed=True)
    if isinstance(error, ConvcliError | OSError | MemoryError):
        return Done(item, error=error)
    raise error


# ---- in the workers


_READY: list[dict[str, str]] = []
_GATE = threading.Lock()


def _work(prepare: Prepare, expected: dict[str, str], act: Callable[[Any], Any], item: Any) -> Done:
    from distributed import get_worker

    worker = get_worker()
    _compare(expected, _asked(prepare, worker), worker.address)
    return attempt(act, item)


def _asked(prepare: Prepare, dask_worker: Any) -> dict[str, str]:
    """What this process is, which gets ready for loops first."""
    with _GATE:
        if not _READY:
            _READY.append(prepare(dask_worker.state.nthreads))
    return _READY[0]


def _compare(expected: dict[str, str], got: dict[str, str], address: str) -> None:
    for name, wanted in expected.items():
        if got.get(name) != wanted:
            raise EngineError(
                f"worker {address}: got {name} {got.get(name)}, expected {wanted} as here: results would differ in "
                "their last bits; install the same, on processors of one kind"
            )


# ---- clusters


def _libraries() -> tuple[Any, Any]:
    problem = "workers: need dask and distributed; "
    dask = needed("dask", "scale", problem, ConvcliError)
    return needed("distributed", "scale", problem, ConvcliError), dask.config


@contextmanager
def _local(distributed: Any, workers: int) -> Iterator[Any]:
    """Processes of one thread each, begun anew for ever: without `adapt` a second death leaves one less."""
    words: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    import dask

    with (
        _without_main(),
        dask.config.set({"distributed.scheduler.allowed-failures": _DEATHS - 1}),
        ExitStack() as stack,
    ):
        # Ctrl-C is for this process alone: threads and processes that begin now inherit what is blocked. The tracker of
        # resources, which each new process asks for, would unblock it when it begins itself.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            made = _begun(lambda: distributed.LocalCluster(n_workers=workers, silence_logs=logging.CRITICAL, **words))
            cluster = stack.enter_context(made)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        cluster.adapt(minimum=workers, maximum=workers, interval="1s")
        yield cluster


def _begun(begin: Callable[[], Any]) -> Any:
    """A cluster, which is begun anew where a process of it dies before it has begun; raises `EngineError` at last."""
    for _ in range(TRIES - 1):
        with suppress(RuntimeError, OSError):
            return begin()
    try:
        return begin()
    except (RuntimeError, OSError) as error:
        raise EngineError(f"workers: their processes die as they begin ({error}); look at memory and limits") from None


@contextmanager
def _without_main() -> Iterator[None]:
    """Let new processes not run the script that began this one: all that they need is in modules."""
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
    try:
        main.__spec__ = None
        vars(main).pop("__file__", None)
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise EngineError(
            f"cluster: nobody answers at {shortened(address)} ({reason}), expected a scheduler as in tcp://host:8786"
        ) from None
    with client:
        yield client


@contextmanager
def _hushed() -> Iterator[None]:
    """Leave out what the libraries log of dead workers: who needs to know is told in a line."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _LOUD]
    loggers = [logging.getLogger(name) for name in sorted({*_LOUD, *names})]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _lost(error: BaseException | None) -> EngineError:
    reason = f" ({' '.join(str(error).split())[:120]})" if error is not None and str(error) else ""
    return EngineError(f"cluster: the scheduler is gone{reason}; start one, then --resume goes on")
