"""What a loop is compiled in: pieces of code that are not machine code yet, and as much of Numba as makes those.

Numba calls that a target. Ours is its own for this processor, with other libraries for code, and with no more of what
it knows than loops need.
"""

import functools
import operator

from numba.core import target_extension, types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.cpu import CPUContext
from numba.core.registry import CPUTarget, cpu_target
from numba.core.runtime import rtsys
from numba.core.targetconfig import ConfigStack
from numba.core.typing import Context, mathdecl, npydecl
from numba.cpython import builtins, iterators, mathimpl, numbers, rangeobj, slicing, tupleobj  # noqa: F401
from numba.np import arrayobj, npyimpl  # noqa: F401

from convcli.loops.compiling import elements


class Piece(CPUCodeLibrary):
    """A function as Numba's front end made it, neither optimised nor made into machine code; and those it calls."""

    written = False  # nearly all its instructions are those of an `intrinsic`

    def add_llvm_module(self, ll_module):
        """Take in a module as it is."""
        self._final_module.link_in(ll_module)

    def add_linking_library(self, library):
        """Remember a library that this one calls."""
        self._linking_libraries.append(library)

    def finalize(self):
        """Nothing: nobody runs this."""
        self._finalized = True

    def get_pointer_to_function(self, name):
        """None: there is no machine code."""
        return 0

    def called(self, found=None):
        """All libraries that this one calls, directly or not."""
        found = {} if found is None else found
        for library in self._linking_libraries:
            if library not in found:
                found[library] = None
                if isinstance(library, Piece):
                    library.called(found)
        return found

    def take_in(self, libraries):
        """Take in what is in these libraries."""
        # Of Numba's own libraries only what is asked for by then is linked.
        for library in sorted(libraries, key=lambda each: not isinstance(each, Piece)):
            own = library._final_module if isinstance(library, Piece) else library._get_module_for_linking()
            self._final_module.link_in(own, preserve=True)

    def show_only(self, *names):
        """Let others see these functions alone."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.name not in names:
                function.linkage = "internal"

    def _get_module_for_linking(self):
        # Should Numba, on behalf of others, come to use what was a piece of ours.
        if self._shared_module is None:
            self.take_in(self.called())
            super()._get_module_for_linking()
        return self._shared_module


class Pieces(JITCPUCodegen):
    """How Numba makes code while a loop of ours is compiled."""

    _library_class = Piece

    def set_env(self, env_name, env):
        """Nothing: there is no machine code yet that could hold it."""

    def _pass_builder(self, **kwargs):
        return super()._pass_builder(**{"opt": _LEVEL} | kwargs)


# At 3 LLVM copies loops for each value of a flag in them: half as much code again, for nothing that could be measured.
_LEVEL = 2


class _Typing(Context):
    """What Numba knows about types, of that what loops need: to load everything takes as long as compiling a loop."""

    def __init__(self):
        self._resolved = {}
        super().__init__()

    def resolve_function_type(self, func, args, kws):
        """The signature of a call, found once for the same types: Numba tries a dozen for every sum of two numbers."""
        flags = ConfigStack.top_or_none()
        key = func, args, flags is not None and flags.nrt
        if kws or not (func is operator.getitem or isinstance(func, types.Function)):
            return super().resolve_function_type(func, args, kws)
        if key not in self._resolved:
            self._resolved[key] = super().resolve_function_type(func, args, kws)
        return self._resolved[key]

    def load_additional_registries(self):
        for declarations in (mathdecl, npydecl):
            self.install_registry(declarations.registry)


class _Target(CPUContext):
    """What Numba knows about instructions, of that what loops need."""

    def init(self):
        super().init()
        self._internal_codegen = Pieces(self.target_name)

    def load_additional_registries(self):
        for implementations in (mathimpl, npyimpl, elements):
            self.install_registry(implementations.registry)


class _Loops(CPUTarget):
    """Numba's target of code for this processor, with those."""

    @functools.cached_property
    def _toplevel_target_context(self):
        # What all of Numba shares is not to consist of pieces.
        rtsys.initialize(cpu_target.target_context)
        return _Target(self.typing_context, self._target_name)

    @functools.cached_property
    def _toplevel_typing_context(self):
        return _Typing()


class Here(target_extension.CPU):
    """The target's name to Numba."""


NAME = "convcli"
target_extension.target_registry[NAME] = Here
TARGET = _Loops(NAME)


def codegen():
    """What makes pieces."""
    return TARGET.target_context.codegen()
