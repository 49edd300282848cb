"""Compiling a loop to one object file: Numba's front end, one module, LLVM's optimiser once.

Numba makes machine code of each function by itself, with wrappers for Python and C, and then of each that calls it,
which contains it again: of what filters a picture five times in all. Here the functions that a loop is made of stay
*pieces*: what Numba's front end made of them, as it is. They are linked into one module, in which only the way in from
Python can be seen from outside; that module is optimised and becomes machine code, once.

This looks into Numba, so `kept` names the versions it was tried with; with others Numba does all itself.
"""

import copy
import functools
from contextlib import contextmanager, suppress
from typing import NamedTuple

import llvmlite.binding as llvm
from numba import typeof
from numba.core import target_extension, typed_passes, types, untyped_passes
from numba.core.compiler import CompilerBase, Flags
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager, _pass_registry
from numba.core.errors import NumbaError
from numba.core.itanium_mangler import prepend_namespace
from numba.core.postproc import PostProcessor
from numba.core.registry import CPUDispatcher
from numba.core.transforms import canonicalize_cfg

from convcli.loops.compiling import compiler
from convcli.loops.compiling.driver import driver, share_of
from convcli.loops.compiling.pieces import NAME, TARGET, Here, Piece, codegen
from convcli.loops.compiling.words import WORDS


class Native(NamedTuple):
    """An object file and the names in it: of the function for Python, and of where that expects its environment."""

    code: bytes
    symbol: str
    environment: str


class _Part(CPUDispatcher):
    """A function that loops call; compiled for types alone, not for each number that a caller writes down."""

    targetdescr = TARGET
    written = placed = False

    def get_call_template(self, args, kws):
        return super().get_call_template(tuple(map(types.unliteral, args)), kws)

    def add_overload(self, cres):
        cres.library.written = self.written
        if self.placed:
            name = cres.fndesc.llvm_func_name
            cres.library._final_module.get_function(name).add_function_attribute("alwaysinline")
        super().add_overload(cres)


_BARE = {"nopython": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "boundscheck": None}


def _part_of_numba(**options):
    """What makes a part of a function that Numba has for a word of Python or numpy."""
    return lambda function: _Part(function, targetoptions=options | _BARE)


target_extension.dispatcher_registry[Here] = _Part
target_extension.jit_registry[Here] = _part_of_numba

# Of Numba's passes those that our functions need: they contain no closures, no `with` and nothing to unroll.
_PASSES = (
    untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants, untyped_passes.DeadBranchPrune, untyped_passes.GenericRewrites,
    untyped_passes.ReconstructSSA, typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis,
    typed_passes.NopythonRewrites, typed_passes.IRLegalization, typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)  # fmt: skip


class _Flags(Flags):
    """How a function is compiled, compared by what was set: Numba goes through all there is, for every look-up."""

    def values(self):
        return self._values


class _PassManager(PassManager):
    """Runs passes without Numba's checks after each."""

    def _runPass(self, index, each, state):  # noqa: N802
        each.analysis = self._analysis
        for run in (each.run_initialization, each.run_pass, each.run_finalizer):
            run(state)
        if _pass_registry.get(type(each)).mutates_CFG:
            state.func_ir.blocks = canonicalize_cfg(state.func_ir.blocks)


class _Counting(CompilerBase):
    """Numba's compiler with those passes."""

    def define_pipelines(self):
        passes = _PassManager("loop")
        for each in _PASSES:
            passes.add_pass(each, each._name)
        passes.finalize()
        return [passes]


class _Borrowing(_Counting):
    """Compiles a function without counting references to arrays, where it only uses what its caller holds.

    A third of what Numba writes down for a function is about that. One that makes arrays, or returns any, counts.
    """

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        counting, borrowing = _Flags(flags), _Flags(flags)
        counting.nrt, borrowing.nrt = True, False
        self._counting = (typingctx, targetctx, library, args, return_type, counting, locals)
        super().__init__(typingctx, targetctx, library, args, return_type, borrowing, locals)

    def compile_extra(self, func):
        if not _MAKERS.intersection(func.__code__.co_names):
            with suppress(NumbaError):
                compiled = super().compile_extra(func)
                model = compiled.target_context.data_model_manager[compiled.signature.return_type]
                if not model.contains_nrt_meminfo():
                    return compiled
        return _Counting(*self._counting).compile_extra(func)


_MAKERS = {"empty", "empty_like", "full", "zeros"}


@functools.cache
def _part(loop, spread=False):
    """Numba's dispatcher for a loop; ``spread``: for one that goes along a share of its range."""

    def real(stand_in):
        if isinstance(stand_in, compiler.Loop):
            return _part(stand_in)
        if stand_in is compiler.prange:
            return share_of if spread else range
        return stand_in.real()

    options = {name: value for name, value in loop.options.items() if name not in ("parallel", "cache")}
    options["error_model"] = "numpy"  # nothing is raised where a number is divided by zero: less code
    part = _Part(loop.with_real_names(real, WORDS), targetoptions=options | _BARE, pipeline_class=_Borrowing)
    part.written, part.placed = loop.written, loop.placed
    return part


def get_ready():
    """Load what compiling any loop needs, for whoever is going to be several processes."""
    with target_extension.target_override(NAME):  # else all of what Numba knows is loaded
        TARGET.target_context.refresh()


@global_compiler_lock
def compile_loop(loop, arguments) -> Native:
    """Compile a loop for arguments of these types; raises whatever Numba or LLVM raise."""
    with target_extension.target_override(NAME), _lives_when_asked():
        return _compiled(loop, arguments)


@contextmanager
def _lives_when_asked():
    """Meanwhile Numba finds out how long variables live where it writes that down, not after each of seven steps.

    Only what loops are not (generators, what is lifted or spread over threads by Numba) needs it besides.
    """
    whole = PostProcessor.run

    def run(self, emit_dels=False, extend_lifetimes=False):
        if emit_dels or self.func_ir.is_generator:
            whole(self, emit_dels, extend_lifetimes)
        else:
            self.func_ir.blocks = canonicalize_cfg(self.func_ir.blocks)
            self.func_ir.generator_info = None

    PostProcessor.run = run
    try:
        yield
    finally:
        PostProcessor.run = whole


def _compiled(loop, arguments) -> Native:
    spread = loop.options["parallel"]
    kinds = tuple(map(typeof, arguments))
    part = _part(loop, spread)
    context = TARGET.target_context
    part.compile(kinds)
    compiled = part.overloads[kinds]
    returned = compiled.signature.return_type
    if not (returned == types.none or isinstance(returned, types.Number | types.Boolean)):
        raise TypeError("what it returns is not made by numbers alone")
    way_in, outside = compiled.fndesc, Piece(codegen(), f"{loop.__name__} from outside")
    if spread:
        way_in = copy.copy(compiled.fndesc)
        way_in.mangled_name = prepend_namespace(way_in.mangled_name, ns="parallel")
        outside.add_ir_module(driver(context, compiled.fndesc, way_in.llvm_func_name))
    nogil = loop.options.get("nogil", False)
    context.create_cpython_wrapper(outside, way_in, compiled.environment, compiled.call_helper, release_gil=nogil)
    code = _machine_code(outside, compiled, way_in.llvm_cpython_wrapper_name)
    return Native(code, way_in.llvm_cpython_wrapper_name, context.get_env_name(way_in))


def _machine_code(outside, compiled, symbol) -> bytes:
    """The object file of a function and all it calls, with a way in from outside, the one name that others see.

    What is written instruction by instruction is left out of what LLVM's optimiser goes through, and needs no more than
    some tidying. Inlined into a loop's other code it took longer to optimise than all the rest together.
    """
    body = Piece(codegen(), "body")
    body.add_linking_library(compiled.library)
    written = [piece for piece in body.called() if isinstance(piece, Piece) and piece.written]
    body.take_in(piece for piece in body.called() if piece not in written)
    body.show_only(compiled.fndesc.llvm_func_name)
    body._final_module.data_layout = outside._final_module.data_layout = codegen()._data_layout
    body._optimize_final_module()

    for piece in written:
        outside.add_linking_library(piece)
    outside.take_in(outside.called())
    outside._final_module.link_in(body._final_module)
    outside.show_only(symbol)
    tidy = llvm.create_new_module_pass_manager()
    tidy.add_always_inliner_pass()
    tidy.add_global_dead_code_eliminate_pass()
    tidy.add_sroa_pass()
    tidy.add_instruction_combine_pass()
    tidy.add_simplify_cfg_pass()
    tidy.run(outside._final_module, codegen()._pass_builder())
    outside._verify_declare_only_symbols()
    return codegen()._tm.emit_object(outside._final_module)
