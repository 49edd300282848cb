"""How loops are run: one decorator, the number of threads, and when Numba is imported, which is late.

A process that finds the machine code of all loops it runs in `kept` never imports Numba; what is missing there `native`
compiles. So nothing here or in a module of loops touches Numba before something is compiled: `Late`, `intrinsic` and
`prange` stand for what is Numba's until then.
"""

import builtins
import functools
import gc
import os
import sys
import threading
from collections.abc import Hashable
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import FunctionType

from convcli.loops.compiling import kept, waiting
from convcli.loops.compiling.cache import tell
from convcli.loops.compiling.processor import here
from convcli.loops.compiling.processor import processor as made_for

# How long a thread of GNU's OpenMP spins before it sleeps, unless the user has said so. Its own answer, milliseconds,
# lets idle threads eat the time of the busy ones as soon as another program wants a core: with two such programs on two
# cores a training step took 82 ms with 30,000 turns, 18 with 3,000 and 14 with 1,000; alone 6.3, 6.7 and 7.4 ms, since
# a sleeping thread is slow to wake. Read when the first loop runs.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

# What LLVM may do to our arithmetic. `contract` fuses a*b+c (measured: 1.6x on the filter loops); `nsz` lets it ignore
# the sign of zero. `nnan`, `ninf` and `reassoc` stay off: NaN tests keep working and the bits do not depend on how a
# row was cut into vectors.
_ARITHMETIC = {"contract", "nsz"}

HOME = "convcli.loops."  # where loops have their names from

_SETTINGS: dict[str, object] = {}  # what is asked for before Numba is there: threads, notify, forgo


@functools.cache
def load_numba():
    """Import Numba once it is needed, and tell it what was asked for until then."""
    import numba

    if made_for() != here():
        numba.config.CPU_NAME, numba.config.CPU_FEATURES = made_for().llvm_name, made_for().told
    if "threads" in _SETTINGS:
        numba.set_num_threads(min(_SETTINGS["threads"], numba.config.NUMBA_NUM_THREADS))
    if "notify" in _SETTINGS:
        _announce(_SETTINGS["notify"])
    _SETTINGS["loaded"] = True
    return numba


class Late:
    """A module that is imported when something of it is used."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return getattr(import_module(self._name), attribute)


class _Prange:
    """Numba's prange, as far as it is needed without Numba: a range."""

    def __call__(self, *arguments):
        return range(*arguments)

    def real(self):
        """Numba's own."""
        return load_numba().prange


prange = _Prange()


class intrinsic:  # noqa: N801 (stands for numba's decorator)
    """A function that writes instructions: numba.extending.intrinsic, late."""

    def __init__(self, function):
        self._function = function

    @functools.cached_property
    def _made(self):
        load_numba()
        return import_module("numba.extending").intrinsic(self._function)

    def real(self):
        """What Numba makes of it."""
        return self._made


_MAKING = threading.RLock()  # several threads may be the first to call a loop
_NOTING: dict = {}  # of a thread: what hears of its calls instead of the loops


@contextmanager
def noting(note):
    """Meanwhile loops that this thread calls are not run: ``note(name, arguments)`` is called instead."""
    before = _NOTING.get(threading.get_ident())
    _NOTING[threading.get_ident()] = note
    try:
        yield
    finally:
        _NOTING[threading.get_ident()] = before
        if before is None:
            del _NOTING[threading.get_ident()]


class Loop:
    """A function that runs as machine code: kept from an earlier process, or compiled now."""

    def __init__(self, function, options, *, written=False, placed=False):
        functools.update_wrapper(self, function)
        self._function, self.options = function, options
        self.written = written  # nearly all its instructions are those of an `intrinsic`
        self.placed = placed  # in the loops that call it
        # Kept by the sources of the loops' package, so loops from elsewhere are not.
        ours = function.__module__.startswith(HOME)
        self._name = f"{function.__module__.removeprefix(HOME)}.{function.__name__}" if ours else ""
        self._made: dict = {}  # types of arguments -> what runs them

    def with_real_names(self, real, words=None):
        """The function, in which what it calls by name is ``real(stand_in)`` where that is a stand-in of ours.

        ``words`` has replacements for other things that are named.
        """
        function, words = self._function, words or {}
        names = dict(function.__globals__)
        for name in function.__code__.co_names:
            named = names.get(name, getattr(builtins, name, None))
            if isinstance(named, _STAND_INS):
                names[name] = real(named)
            elif isinstance(named, Hashable) and named in words:
                names[name] = words[named]
        own = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        return functools.update_wrapper(own, function)

    @functools.cached_property
    def _dispatcher(self):
        if _SETTINGS.get("forgo"):
            _forgo_linear_algebra()
        function = self.with_real_names(lambda stand_in: stand_in.real())
        numba = load_numba()
        if not (self.options["cache"] and _numba_may_keep()):
            return numba.njit(function, **self.options | {"cache": False})
        with import_module(f"{__package__}.fallback").kept_by_numba(numba.config) as keeps:
            return numba.njit(function, **self.options | {"cache": keeps})

    def real(self):
        """Numba's dispatcher."""
        return self._dispatcher

    @property
    def py_func(self):
        """The function as Python."""
        return self._function

    def __call__(self, *arguments):
        """Run the loop; arguments are checked by whoever calls. Raises `MemoryError` if it finds no room."""
        if _NOTING and threading.get_ident() in _NOTING:
            for name, argument in zip(self._function.__code__.co_varnames, arguments, strict=False):
                if name == "out":
                    argument[...] = 0  # callers may look into it
            if self._name:
                _NOTING[threading.get_ident()](self._name, arguments)
            return None
        run = self._made.get(kept.types_of(arguments)) or self.prepare(arguments)
        try:
            return run(*arguments)
        except (MemoryError, ImportError, SystemError) as error:
            # Kept code imports Numba to make its exception, for which there may be no room either. From the threads of
            # Numba's own loops it comes as a SystemError.
            if isinstance(error, SystemError) and not isinstance(error.__cause__, MemoryError | ImportError):
                raise
            raise MemoryError("not enough memory for what a loop keeps beside its pictures") from error

    def prepare(self, arguments):
        """Find or compile what runs the loop for arguments of these types, without running it; returns it."""
        types = kept.types_of(arguments)
        with _MAKING:
            return self._made.get(types) or self._made.setdefault(types, self._make(arguments))

    def _make(self, arguments):
        """What runs the loop for such arguments: kept code, code compiled now and kept, or Numba's dispatcher."""
        if not kept.takes(arguments):
            if not kept.why_not():
                tell(f"{self.__name__} was given arguments that no kept code takes: Numba compiles it, each time")
            return self._dispatcher
        run = kept.find(self._name, arguments) if self._name else None
        if run is None and self._name:
            waiting.compile_beside(self._name, arguments)
            run = kept.find(self._name, arguments)
        if run is not None:
            return run
        try:
            with self._turn(arguments):
                run = kept.find(self._name, arguments) if self._name else None
                return run or self._link(arguments, waiting.compile_here(lambda: self._compiled(arguments)))
        except Exception as error:
            # This looks into Numba: if anything there is not as it was when this was written, Numba does it all itself.
            if os.environ.get("CONVCLI_DEBUG") == "1":
                raise
            tell(f"{self.__name__} could not be compiled to be kept ({type(error).__name__}): Numba does it, each time")
            return self._dispatcher

    def make(self, arguments) -> bool:
        """Compile the loop for arguments of these types and keep that, unless it is kept; returns whether it is."""
        if not self._name or not kept.takes(arguments):
            return False
        with self._turn(arguments):
            return kept.has(self._name, arguments) or kept.keep(self._name, arguments, **self._compiled(arguments))

    def _turn(self, arguments):
        return kept.turn(self._name, arguments) if self._name else nullcontext()

    def _compiled(self, arguments):
        with _seldom_collecting():
            load_numba()
            native = import_module(f"{__package__}.native").compile_loop(self, arguments)
        return native._asdict() | {"parallel": self.options["parallel"]}

    def _link(self, arguments, about):
        run = kept.link(self.__name__, **about)
        if self._name:
            kept.keep(self._name, arguments, **about)
        return run

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._dispatcher, name)


@contextmanager
def _seldom_collecting():
    """Look for garbage seldom: among all of Numba's functions that was a twelfth of the time that compiling took."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _numba_may_keep() -> bool:
    """Whether Numba keeps what it compiles itself: where we do not."""
    return kept.allowed() and kept.stamp() is None


_STAND_INS = (Loop, intrinsic, _Prange)


def loop(function=None, *, parallel=True):
    """Compile a function on its first call for each set of argument types, and keep the machine code.

    Parallel over its `prange`; `parallel=False` for helpers and for loops that own no index. Signatures are lazy: an
    eager one compiles at import and refuses read-only arrays.
    """
    if function is None:
        return lambda inner: loop(inner, parallel=parallel)
    return Loop(function, {"parallel": parallel, "cache": True, "fastmath": _ARITHMETIC, "nogil": True})


def inner_loop(function=None, *, placed=False):
    """A loop that only other loops call and that does no arithmetic of its own: around an `intrinsic`.

    ``placed``: its code is put where it is called, once all else is optimised; else it is there once and called.
    """
    if function is None:
        return lambda inner: inner_loop(inner, placed=placed)
    options = {"parallel": False, "cache": False} | ({"fastmath": _ARITHMETIC} if placed else {})
    return Loop(function, options, written=True, placed=placed)


def runs_python() -> bool:
    """Whether Numba was told (`NUMBA_DISABLE_JIT`) to compile nothing, so that loops run as Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def set_threads(threads: int) -> None:
    """Use this many threads in loops from now on; results do not depend on it, to the bit."""
    _SETTINGS["threads"] = threads
    kept.use_threads(threads)
    if _SETTINGS.get("loaded"):
        numba = load_numba()
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


def thread_count() -> int:
    """How many threads loops are spread over now."""
    return kept.thread_count() if kept.stamp() is not None else load_numba().get_num_threads()


def forgo_linear_algebra() -> None:
    """Spare the process the import of scipy.linalg (0.1 s), which numba does only to learn whether it has a BLAS.

    Our loops need none; others' might, so this is for processes that are ours: the command line's.
    """
    _SETTINGS["forgo"] = True


def _forgo_linear_algebra() -> None:
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        import numba.np.arraymath  # noqa: F401
    except ImportError:
        pass
    finally:
        del sys.modules["scipy.linalg"]


def threads() -> dict[str, str]:
    """How loops are spread over threads: how many they use, how many they could, and what runs them."""
    if kept.stamp() is not None:
        layer = kept.layer()
        return {"loops use": str(thread_count()), "at most": str(kept.most_threads()), "layer": layer}
    numba = load_numba()

    @numba.njit(parallel=True)
    def nothing(n):
        total = 0
        for i in numba.prange(n):
            total += i
        return total

    nothing(4)
    return {
        "loops use": str(numba.get_num_threads()),
        "at most": str(numba.config.NUMBA_NUM_THREADS),
        "layer": numba.threading_layer(),
    }


def processor() -> dict[str, str]:
    """The processor that loops are made for, and which of the instructions that matter to them it has."""
    name, features, _ = made_for()
    present = [each for each in ("sse4.2", "avx", "avx2", "fma", "avx512f", "neon", "sve") if each in features]
    return {"processor": name, "features": " ".join(present) or "none known"}


def on_compiling(tell) -> None:
    """Have ``tell(state)`` called while loops are compiled; what is asked for later in the process is ignored.

    The state is a `waiting.Compiling`. Where Numba compiles by itself it is told once that this begins.
    """
    waiting.on_compiling(tell)
    if "notify" not in _SETTINGS:
        _SETTINGS["notify"] = lambda: tell(waiting.Compiling(total=0))
        if _SETTINGS.get("loaded"):
            _announce(_SETTINGS["notify"])


def _announce(notify) -> None:
    """Register ``notify`` with Numba; it is called when something is really compiled, not when the cache has it."""
    if kept.stamp() is not None:
        return
    from numba.core import event

    class Notice(event.Listener):
        waiting = True

        def on_start(self, event):
            if self.waiting:
                self.waiting = False
                notify()

        def on_end(self, event):
            pass

    event.register("numba:compile", Notice())
