"""The instructions that the sides of `convcli bench` may use: what limits each of them, and which it did limit.

A limit is told by variables that each library reads when it is loaded. OpenCV and torch are asked afterwards what they
use; of the others nobody can tell.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class InstructionSet:
    """``level`` is ours, one of `convcli.loops.compiling.processor.LEVELS`; ``beyond`` is what OpenCV has besides."""

    level: str
    torch: str
    onednn: str
    mkl: str
    openblas: str
    ipp: str
    beyond: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        """What to set before any library is loaded."""
        return {
            "CONVCLI_PROCESSOR": self.level,
            "ATEN_CPU_CAPABILITY": self.torch,
            "ONEDNN_MAX_CPU_ISA": self.onednn,
            "MKL_ENABLE_INSTRUCTIONS": self.mkl,
            "OPENBLAS_CORETYPE": self.openblas,
            "OPENCV_IPP": self.ipp,
            "OPENCV_CPU_DISABLE": ",".join(self.beyond),
        }


_AVX512 = ("AVX512-COMMON", "AVX512-SKX", "AVX512-CNL", "AVX512-CLX", "AVX512-ICL")
INSTRUCTION_SETS = {
    "avx2": InstructionSet("x86-64-v3", "avx2", "AVX2", "AVX2", "Haswell", "avx2", _AVX512),
    "sse4": InstructionSet(
        "x86-64-v2", "default", "SSE41", "SSE4_2", "Nehalem", "sse42", (*_AVX512, "AVX2", "FMA3", "FP16", "AVX")
    ),
}


def unlimited(chosen: InstructionSet, peers: Iterable[str]) -> list[str]:
    """The keys of those peers of which it is not known that they keep to the limit."""
    kept = {"opencv": _opencv_keeps, "torch": _torch_keeps}
    return [key for key in peers if key not in kept or not kept[key](chosen)]


def _opencv_keeps(chosen: InstructionSet) -> bool:
    import cv2

    # Compiled in are those without a mark, then come those chosen at run time: `*`, with `?` after it where unused.
    words = cv2.getCPUFeaturesLine().split()
    return not {word.lstrip("*") for word in words} & set(chosen.beyond)


def _torch_keeps(chosen: InstructionSet) -> bool:
    import torch

    return bool(torch.backends.cpu.get_cpu_capability().lower() == chosen.torch)
