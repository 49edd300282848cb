"""Machine code of loops, kept so that a process that only runs them need not import Numba.

Importing Numba and compiling takes seconds, more than all else that filters a small picture. What comes of it is an
object file, and in it the name of a function that takes Python objects. It is kept beside the types of the arguments
it was compiled for; LLVM links it and Python calls it as it calls any function written in C. The process that compiled
it does the same: the same machine code, so the same bits.

A file is found by a digest of everything its code was made from: the loops' sources, Numba, llvmlite, Python, the
processor, NUMBA_ variables; and believed if its own digest is right and nobody else could have written it. Whatever is
not as expected (other arguments, a Numba that was never tried, an unknown symbol, another system) means that nothing is
kept or found, and Numba runs the loop as ever.
"""

import builtins
import ctypes
import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast

import llvmlite.binding as llvm
import numpy as np
from llvmlite.binding.orcjit import JITLibraryBuilder, create_lljit_compiler

from convcli.loops.compiling import prebuilt
from convcli.loops.compiling.cache import is_ours, likely_place, numba_version, tell
from convcli.loops.compiling.processor import processor

_SCALARS = {bool, int, float, type(None)} | {np.dtype(code).type for code in "?bhilBHILfd"}
_FLAGS = 0x1 | 0x100 | 0x400  # numpy's of an array: contiguous, aligned, writeable
_LAYERS = {"omp": "np.ufunc.omppool", "workqueue": "np.ufunc.workqueue"}
_THREADING = ("get_num_threads", "set_num_threads")
_TRIED = ("0.68",)  # releases of Numba whose inside this was tried with


def types_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """What tells one signature from another; it has a `repr` that does, too."""
    types: list[Any] = []
    for each in arguments:
        kind = type(each)
        if kind is np.ndarray:
            dtype = each.dtype
            if dtype.byteorder == "<":
                dtype = dtype.newbyteorder("=")  # one word for one type
            types.append((dtype, each.ndim, each.flags.num & _FLAGS))
        elif isinstance(each, tuple):
            within = tuple(map(type, each))
            types.append((kind, within if _SCALARS.issuperset(within) else types_of(each)))
        else:
            types.append(kind)
    return tuple(types)


def _is_known(each: Any) -> bool:
    """Whether an argument is one of those that loops take: contiguous arrays, numbers, tuples of them."""
    if isinstance(each, tuple):
        return all(map(_is_known, each))
    if type(each) is np.ndarray:
        return each.flags.c_contiguous and each.flags.aligned and each.dtype.isnative and each.dtype.kind in "buif"
    return type(each) in _SCALARS


@cache
def stamp() -> str | None:
    """A digest of what kept code depends on, its arguments apart; None where none is to be kept or used."""
    return None if why_not() else prebuilt.stamp_for(processor())


@cache
def why_not() -> str:
    """Why no machine code is to be kept or used here, in words; empty where it is."""
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        return "machine code is kept on Linux and by CPython only"
    if not allowed():
        return "CONVCLI_KEPT is 0"
    if numba_version().rpartition(".")[0] not in _TRIED:
        return f"Numba {numba_version()} was not tried, {' and '.join(_TRIED)} were"
    threads = os.environ.get("NUMBA_NUM_THREADS", "")
    if threads and not (threads.isdecimal() and int(threads)):
        return "NUMBA_NUM_THREADS is no number of threads"  # numba's to refuse, or to warn about
    if Path(".numba_config.yaml").exists() or os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "Numba is configured to compile in another way, or not at all"
    if not _layers():
        return "Numba's threading layer is none of those that were tried"
    try:
        processor()
    except RuntimeError:
        return "LLVM does not know this processor"
    return ""


def allowed() -> bool:
    """Whether machine code may be kept at all: `CONVCLI_KEPT` is not 0."""
    return os.environ.get("CONVCLI_KEPT", "") != "0"


def takes(arguments: tuple[Any, ...]) -> bool:
    """Whether these are arguments of loops that are compiled, kept and run without Numba."""
    return stamp() is not None and all(map(_is_known, arguments))


def count() -> int:
    """How many loops were kept in the cache that this process could use."""
    return 0 if stamp() is None else sum(1 for _ in _folder().glob(f"*-{stamp()}-*.code"))


def _folder() -> Path:
    return likely_place() / "loops_kept"


def _path(name: str, types: str) -> Path:
    return _folder() / f"{name}-{stamp()}-{_short(types)}.code"


def _short(types: str) -> str:
    return hashlib.sha256(types.encode()).hexdigest()[:20]


def has(name: str, arguments: tuple[Any, ...]) -> bool:
    """Whether there is a file of kept code, or of prebuilt, for these arguments."""
    types = repr(types_of(arguments))
    prepared = (path for path, _ in prebuilt.paths(name, _short(types)))
    return any(path.is_file() for path in (_path(name, types), *prepared))


@contextmanager
def turn(name: str, arguments: tuple[Any, ...]) -> Iterator[None]:
    """Wait until no other process compiles this loop for these arguments, and let others wait meanwhile."""
    path = _path(name, repr(types_of(arguments)))
    with ExitStack() as stack:
        with suppress(OSError, ImportError):  # no place, or one that knows no locks: then both compile
            import fcntl

            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if is_ours(path.parent.stat()):
                lock = path.with_suffix(".lock")
                file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
                stack.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX)
                stack.callback(lock.unlink, missing_ok=True)
        yield


def find(name: str, arguments: tuple[Any, ...]) -> Callable[..., Any] | None:
    """The kept code of a loop for arguments that it takes; None if there is none. One thread at a time may ask."""
    types = repr(types_of(arguments))
    own = _path(name, types)
    if _others_write(own.parent):
        tell(f"{own.parent}: others can write there, so its code is not run; NUMBA_CACHE_DIR names another folder")
    else:
        run = _read(name, own, types, str(stamp()))
        if run is not None:
            return run
    for path, made in prebuilt.paths(name, _short(types)):
        run = _read(name, path, types, made)
        if run is not None:
            return run
    return None


def _others_write(folder: Path) -> bool:
    with suppress(OSError):  # then there is nothing to be read
        return not is_ours(folder.stat())
    return False


def _read(name: str, path: Path, types: str, made: str) -> Callable[..., Any] | None:
    """The loop in a file of this stamp; None if there is no such file, or it is not as it should be."""
    came_along = path.parent == prebuilt.PLACE  # whoever can write there can change this source as well
    try:
        with path.open("rb") as file:
            if not (came_along or is_ours(os.fstat(file.fileno()))):
                raise ValueError("somebody else's file")
            digest, kept = file.read().split(b"\n", 1)
        if digest != _digest(kept):
            raise ValueError("a damaged file")
        head, code = kept.split(b"\n", 1)
        about = json.loads(head)
        if (about.pop("types"), about.pop("stamp")) != (types, made):
            raise ValueError("another loop's file")
        if not all((about["symbol"], about["environment"])):
            raise ValueError("a file without names")
        return _linker().link(name, code, **about)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, ImportError, AttributeError, RuntimeError):
        tell(f"{path}: damaged, so the loop is compiled anew")
        if not came_along:
            with suppress(OSError):  # so that it can be kept anew
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return None


def link(name: str, code: bytes, **about: Any) -> Callable[..., Any]:
    """Make a function of what was compiled."""
    return _linker().link(name, code, **about)


def keep(name: str, arguments: tuple[Any, ...], code: bytes, **about: Any) -> bool:
    """Keep what was compiled for these arguments, if there is a place; returns whether there was."""
    types = repr(types_of(arguments))
    kept = json.dumps({"types": types, "stamp": stamp()} | about).encode() + b"\n" + code
    path = _path(name, types)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    with suppress(OSError):  # a full disk, no permission
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if is_ours(path.parent.stat()):
            try:
                unfinished.touch(mode=0o644)
                unfinished.write_bytes(_digest(kept) + b"\n" + kept)
                unfinished.replace(path)
                _sweep(path.parent)
                return True
            finally:
                unfinished.unlink(missing_ok=True)  # a full disk, Ctrl-C
    return False


def _sweep(folder: Path) -> None:
    """Delete what processes that are gone have not finished."""
    for file in folder.glob("*.code.*-*"):
        process = file.suffix[1:].partition("-")[0]
        if process.isdecimal() and not Path("/proc", process).exists():
            file.unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


class _Linker:
    """LLVM's linker, with the symbols that numba's machine code refers to: its allocator, its helpers, its threads."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        self._engine = create_lljit_compiler(machine, suppress_errors=True)
        self._libraries: list[object] = []  # alive as long as their code may run
        helpers, memory = _extension("_helperlib"), _extension("core.runtime._nrt_python")
        self._functions = _extension("_dynfunc")
        memory.memsys_use_cpython_allocator()
        # Numba means the exception itself by this name, C a pointer to it.
        exceptions = (each for each in vars(builtins).values() if isinstance(each, type))
        self._symbols = {f"PyExc_{each.__name__}": id(each) for each in exceptions if issubclass(each, BaseException)}
        for extension in (helpers, self._functions):
            self._symbols |= {f"numba_{name}": address for name, address in extension.c_helpers.items()}
        for name, address in memory.c_helpers.items():
            self._symbols[name if name.startswith("_") else f"NRT_{name}"] = address
        self.layer = ""
        self.started = 0  # threads; there are never more

    def start_threads(self) -> None:
        """Start the threads that parallel loops are spread over, once."""
        if self.started:
            return
        self.layer, self._threads = _first_layer()
        self._symbols |= {name: getattr(self._threads, name) for name in _THREADING}
        self._symbols["numba_parallel_for"] = self._threads.parallel_for
        wanted, self.started = thread_count(), most_threads()
        _call(self._threads.launch_threads, self.started)
        _THREADS["started"] = self.started
        self.use_threads(wanted)

    def use_threads(self, threads: int) -> None:
        """Spread loops over this many threads, if that many were started."""
        _call(self._threads.set_num_threads, min(threads, self.started))

    def threads(self) -> int:
        """How many threads loops are spread over."""
        return ctypes.CFUNCTYPE(ctypes.c_int)(self._threads.get_num_threads)()

    def link(self, name: str, code: bytes, symbol: str, environment: str, parallel: bool) -> Callable[..., Any]:
        """A function in an object file; raises `RuntimeError` if it needs what nobody has."""
        if parallel:
            self.start_threads()
        builder = JITLibraryBuilder().add_current_process().add_object_img(code)
        builder.export_symbol(symbol).export_symbol(environment)
        for known, address in self._symbols.items():
            builder.import_symbol(known, address)
        library = builder.link(self._engine, f"kept{len(self._libraries)}")
        self._libraries.append(library)
        # Numba's functions want to know where the Python objects are that they use; ours use none.
        objects = self._functions.Environment({})
        ctypes.c_void_p.from_address(library[environment]).value = id(objects)
        made = self._functions.make_function(
            sys.modules[__name__], name, "a kept loop", library[symbol], objects, (library,)
        )
        return cast(Callable[..., Any], made)


@cache
def _linker() -> _Linker:
    return _Linker()


_THREADS: dict[str, int] = {}  # wanted, and started


def use_threads(threads: int) -> None:
    """Spread loops over this many threads."""
    _THREADS["wanted"] = threads
    if threads_started():
        _linker().use_threads(threads)


def thread_count() -> int:
    """How many threads loops are spread over."""
    most = most_threads()
    return min(_THREADS.get("wanted", most), most)


def layer() -> str:
    """What runs the threads; starts them."""
    _linker().start_threads()
    return _linker().layer


def _layers() -> list[str]:
    """Which of Numba's threading layers may be used, the best first."""
    chosen = os.environ.get("NUMBA_THREADING_LAYER", "default")
    if chosen in _LAYERS:
        return [chosen]
    return list(_LAYERS) if chosen == "default" else ["omp"] if chosen == "threadsafe" else []


def _first_layer() -> tuple[str, Any]:
    """The first of them that this Numba has, and this system (OpenMP needs a library): its name and its module."""
    for name in _layers():
        with suppress(ImportError):
            return name, _extension(_LAYERS[name])
    raise ImportError("a threading layer")


def _extension(name: str):
    """One of numba's extension modules, without numba: found where numba's own import would find it."""
    spec = find_spec("numba")
    if spec is None or spec.origin is None:
        raise ImportError("numba")
    path = Path(spec.origin).parent / (name.replace(".", "/") + EXTENSION_SUFFIXES[0])
    full = f"numba.{name}"
    own = spec_from_file_location(full, path, loader=ExtensionFileLoader(full, str(path)))
    if own is None or own.loader is None:
        raise ImportError(full)
    module = module_from_spec(own)
    own.loader.exec_module(module)
    sys.modules.pop(full, None)  # numba, should it be imported after all, is to find everything as it expects it
    return module


def _call(address: int, number: int) -> None:
    ctypes.CFUNCTYPE(None, ctypes.c_int)(address)(number)


def threads_started() -> int:
    """How many threads there are for kept loops; 0 until the first that needs any."""
    return _THREADS.get("started", 0)


def most_threads() -> int:
    """How many threads there are, or how many numba would start."""
    started = threads_started()
    if started:
        return started
    chosen = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else len(os.sched_getaffinity(0))
