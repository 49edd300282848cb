"""Machine code of loops, kept so that a process that only runs them need not import Numba.

Importing Numba and having it look into its own cache takes 0.25 s, more than all else that filters a small picture.
What it finds there in the end is an object file and the name of a function in it. Here the same object is kept once
more, beside the types of the arguments it was compiled for; LLVM links it and ctypes calls it: the same machine code,
so the same bits.

A file is found by a digest of everything its code was made from: the loops' sources, Numba, llvmlite, Python, the
processor, NUMBA_ variables. Whatever is not as expected (other arguments, a Numba whose functions are called in
another way, an unknown symbol, another system) means that nothing is kept or found, and Numba runs the loop as ever.
"""

import ctypes
import hashlib
import json
import os
import sys
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from llvmlite.binding.orcjit import JITLibraryBuilder, create_lljit_compiler

from convcli import __version__
from convcli.loops.cache import likely_place, numba_release

# How numba passes arguments, in the letters of `_C_TYPES`: the fields of an array, before shape and strides.
_ARRAY_FIELDS = ("meminfo", "parent", "nitems", "itemsize", "data", "shape", "strides")
_C_TYPES = {
    "p": ctypes.c_void_p, "q": ctypes.c_int64, "f": ctypes.c_float, "d": ctypes.c_double, "b": ctypes.c_uint8,
    "h": ctypes.c_uint16,
}  # fmt: skip
_LLVM_TYPES = {"i64": "q", "float": "f", "double": "d", "i8": "b", "i16": "h"}
_SCALARS = {
    bool: "b", np.bool_: "b", np.uint8: "b", np.uint16: "h", int: "q", np.int64: "q",
    float: "d", np.float32: "f", np.float64: "d",
}  # fmt: skip
_DONE = (0, -2)  # what numba's functions return: done, and done with None
_LAYERS = {"omp": "np.ufunc.omppool", "workqueue": "np.ufunc.workqueue"}
_THREADING = (
    "do_scheduling_signed", "do_scheduling_unsigned", "allocate_sched", "deallocate_sched", "get_num_threads",
    "set_num_threads", "get_thread_id", "set_parallel_chunksize", "get_parallel_chunksize", "get_sched_size",
)  # fmt: skip


class Arguments:
    """The arguments of a call as numba's functions take them: one number or pointer after the other.

    ``types`` tells one signature from another, ``letters`` is the way they are passed. Raises `TypeError` for what is
    not passed by these means: arrays that are not contiguous, other objects.
    """

    def __init__(self, arguments):
        self.values = []
        types, letters = [], []
        for argument in arguments:
            self._add(argument, types, letters)
        self.types, self.letters = " ".join(types), "".join(letters)

    def _add(self, value, types, letters):
        kind = type(value)
        if kind is np.ndarray:
            flags, dtype = value.flags, value.dtype
            if not (flags.c_contiguous and flags.aligned and dtype.isnative and dtype.kind in "buif"):
                raise TypeError("an array of another layout")
            types.append(f"{dtype.str}[{value.ndim}]{'w' if flags.writeable else 'r'}")
            letters.append("ppqqp" + "qq" * value.ndim)
            data = value.__array_interface__["data"][0]
            self.values += (None, None, value.size, value.itemsize, data, *value.shape, *value.strides)
        elif isinstance(value, tuple):
            types.append(f"{kind.__name__}(")
            for each in value:
                self._add(each, types, letters)
            types.append(")")
        elif kind in _SCALARS:
            if kind is int and not -(1 << 63) <= value < 1 << 63:
                raise TypeError("an integer of more than 64 bits")
            letter = _SCALARS[kind]
            types.append(kind.__name__)
            letters.append(letter)
            self.values.append(float(value) if letter in "fd" else int(value))
        elif value is None:
            types.append("None")
            letters.append("p")
            self.values.append(None)
        else:
            raise TypeError(f"a {kind.__name__}")


@cache
def stamp() -> str | None:
    """A digest of what kept code depends on, its arguments apart; None where none is to be kept or used."""
    if sys.platform != "linux" or sys.implementation.name != "cpython" or Path(".numba_config.yaml").exists():
        return None
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    if settings.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return None
    for name in ("NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR"):
        settings.pop(name, None)
    try:
        processor = f"{llvm.get_process_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    except RuntimeError:
        return None
    versions = (__version__, numba_release(), llvmlite.__version__, sys.version, np.__version__)
    made = hashlib.sha256(repr((versions, processor, sorted(settings.items()))).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        made.update(source.read_bytes())
    return made.hexdigest()[:20]


def has_any() -> bool:
    """Whether something was kept that this process could use."""
    return stamp() is not None and any(_folder().glob(f"*-{stamp()}-*.code"))


def _folder() -> Path:
    return likely_place() / "loops_kept"


def _path(name: str, types: str) -> Path:
    return _folder() / f"{name}-{stamp()}-{hashlib.sha256(types.encode()).hexdigest()[:20]}.code"


def find(name: str, types: str):
    """The kept code of a loop for these types, a function of `Arguments`; None if there is none."""
    if stamp() is None:
        return None
    path = _path(name, types)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        head, code = content.split(b"\n", 1)
        about = json.loads(head)
        if about["types"] != types or about["sha256"] != hashlib.sha256(code).hexdigest():
            raise ValueError("a damaged file")
        address = _linker(about["layer"]).link(code, about["symbol"])
    except (OSError, ValueError, KeyError, ImportError, AttributeError, RuntimeError):
        with suppress(OSError):
            path.unlink()  # so that it can be kept anew
        return None
    kinds = [_C_TYPES[letter] for letter in "pp" + about["letters"]]
    call = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)

    def run(arguments: Arguments) -> None:
        result, error = ctypes.c_void_p(), ctypes.c_void_p()
        # Arguments are checked before loops are called: what is left to go wrong in one is getting memory.
        if call(ctypes.addressof(result), ctypes.addressof(error), *arguments.values) not in _DONE:
            raise MemoryError(f"{name}: not enough memory")

    return run


def keep(name: str, dispatcher, arguments, *, parallel: bool) -> None:
    """Keep what numba has compiled, or found in its cache, for these arguments."""
    if stamp() is None:
        return
    try:
        import numba

        passed = Arguments(arguments)
        path = _path(name, passed.types)
        if path.exists():
            return
        about, code = _about(dispatcher, passed, tuple(numba.typeof(each) for each in arguments), parallel)
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(json.dumps(about).encode() + b"\n" + code)
        unfinished.replace(path)
    except Exception:
        # This looks into numba: if anything there is not as it was when this was written, nothing is kept.
        return


def _about(dispatcher, passed: Arguments, signature, parallel: bool) -> tuple[dict[str, str], bytes]:
    """What there is to know about an overload, and its object code; raises if it is not called in the known way."""
    import numba

    compiled = dispatcher.overloads[signature]
    context, described = compiled.target_context, compiled.fndesc
    function = context.call_conv.get_function_type(described.restype, described.argtypes)
    arrays = context.data_model_manager[numba.types.Array(numba.types.uint8, 1, "C")]
    layer = numba.threading_layer() if parallel else ""
    known = (
        compiled.signature.return_type == numba.types.none
        and str(function.return_type) == "i32"
        and "".join(map(_letter, function.args)) == "pp" + passed.letters
        and tuple(arrays._fields) == _ARRAY_FIELDS
        and (layer in _LAYERS or not parallel)
    )
    if not known:
        raise TypeError("called in another way")
    cached = dispatcher._cache
    (_, form, (code, _)), *_ = cached._cache_file.load(cached._index_key(signature, context.codegen()))
    if form != "object":
        raise TypeError("not kept as an object")
    about = {"types": passed.types, "letters": passed.letters, "symbol": described.llvm_func_name, "layer": layer}
    return about | {"sha256": hashlib.sha256(code).hexdigest()}, code


def _letter(argument) -> str:
    """The letter of an LLVM type."""
    name = str(argument)
    return "p" if name.endswith("*") or name == "ptr" else _LLVM_TYPES[name]


class _Linker:
    """LLVM's linker, with the symbols that numba's machine code refers to: its allocator, its helpers, its threads."""

    def __init__(self, layer: str):
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        self._engine = create_lljit_compiler(machine, suppress_errors=True)
        self._libraries: list[object] = []  # alive as long as their code may run
        helpers, memory = _extension("_helperlib"), _extension("core.runtime._nrt_python")
        memory.memsys_use_cpython_allocator()
        self._symbols = {f"numba_{name}": address for name, address in helpers.c_helpers.items()}
        for name, address in memory.c_helpers.items():
            self._symbols[name if name.startswith("_") else f"NRT_{name}"] = address
        if layer:
            self._threads = _extension(_LAYERS[layer])
            self._symbols |= {name: getattr(self._threads, name) for name in _THREADING}
            self._symbols["numba_parallel_for"] = self._threads.parallel_for
            _call(self._threads.launch_threads, most_threads())
            self.use_threads(_WANTED.get("threads", most_threads()))

    def use_threads(self, threads: int) -> None:
        """Spread loops over this many threads, if that many were started."""
        _call(self._threads.set_num_threads, min(threads, most_threads()))

    def threads(self) -> int:
        """How many threads loops are spread over."""
        return ctypes.CFUNCTYPE(ctypes.c_int)(self._threads.get_num_threads)()

    def link(self, code: bytes, symbol: str) -> int:
        """The address of a function in an object file; raises `RuntimeError` if it needs what nobody has."""
        builder = JITLibraryBuilder().add_current_process().add_object_img(code).export_symbol(symbol)
        for name, address in self._symbols.items():
            builder.import_symbol(name, address)
        library = builder.link(self._engine, f"kept{len(self._libraries)}")
        self._libraries.append(library)
        return library[symbol]


_LINKERS: dict[str, _Linker] = {}
_WANTED: dict[str, int] = {}


def _linker(layer: str) -> _Linker:
    if layer not in _LINKERS:
        _LINKERS[layer] = _Linker(layer)
    return _LINKERS[layer]


def use_threads(threads: int) -> None:
    """Spread kept loops over this many threads."""
    _WANTED["threads"] = threads
    for layer, linker in _LINKERS.items():
        if layer:
            linker.use_threads(threads)


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


def most_threads() -> int:
    """How many threads numba would start."""
    chosen = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else len(os.sched_getaffinity(0))
