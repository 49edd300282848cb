"""The processor that loops are made for: the one they run on, or a level that many processors reach.

Whatever depends on the processor asks here: the width of tiles, the compiler, and the stamp on kept code.
"""

import os
from functools import cache
from typing import NamedTuple

import llvmlite.binding as llvm

from convcli.loops.compiling.cache import tell

_WIDER = {"avx", "avx512f"}  # vectors: arrays are laid out for those of the machine, so code must have the same
_V2 = "cx16 popcnt sahf sse3 sse4.1 sse4.2 ssse3"
_V3 = f"{_V2} avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave"
# What a processor of each level has, in LLVM's words. A level is the names' own: code made for x86-64-v4 may use all of
# it and nothing else.
LEVELS = {
    "x86-64-v4": frozenset(f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl".split()),
    "x86-64-v3": frozenset(_V3.split()),
    "x86-64-v2": frozenset(_V2.split()),
    "arm64": frozenset(["neon"]),
}


class Processor(NamedTuple):
    """What code is made for."""

    name: str  # LLVM's, or a level's
    features: frozenset[str]
    told: str  # the same as LLVM's compiler is told: those present and those absent

    @property
    def llvm_name(self) -> str:
        """The name that LLVM's compiler knows."""
        return "generic" if self.name == "arm64" else self.name


_CHOSEN: list[str] = []


def make_for(level: str) -> None:
    """Compile for this level from now on, whatever this machine is; before any loop's module is imported."""
    _CHOSEN[:] = [level]
    processor.cache_clear()


@cache
def processor() -> Processor:
    """What loops are made for: a level that was asked for (`CONVCLI_PROCESSOR` among those), or this machine."""
    if _CHOSEN:
        return at_level(_CHOSEN[0])
    wanted = os.environ.get("CONVCLI_PROCESSOR", "")
    if wanted and not _runs(wanted):
        able = ", ".join(filter(_runs, LEVELS)) or "none"
        tell(f"CONVCLI_PROCESSOR: got {wanted!r}, expected a level that this processor has: {able}; not used")
    return at_level(wanted) if _runs(wanted) else here()


@cache
def here() -> Processor:
    """This machine's processor. Raises `RuntimeError` where LLVM does not know it."""
    features = llvm.get_host_cpu_features()
    present = {name for name, there in features.items() if there}
    if "arm64" in levels():
        present |= LEVELS["arm64"]  # not every system lists what all of them have
    return Processor(llvm.get_host_cpu_name(), frozenset(present), features.flatten())


def at_level(level: str) -> Processor:
    """A processor that has what this level promises, and no more."""
    return Processor(level, LEVELS[level], "+neon" if level == "arm64" else "")


def level_here() -> Processor | None:
    """The level whose code is used on this machine: the highest it has, if its vectors are as wide as the machine's."""
    level = next(filter(_runs, LEVELS), None)
    return at_level(level) if level and here().features & _WIDER == LEVELS[level] & _WIDER else None


def levels() -> list[str]:
    """The levels of machines of this kind, the highest first, whether or not this one reaches them."""
    kind = llvm.get_process_triple().partition("-")[0].replace("aarch64", "arm64").replace("_", "-")
    return [level for level in LEVELS if level.startswith(kind)]


def _runs(level: str) -> bool:
    return level in levels() and LEVELS[level] <= here().features
