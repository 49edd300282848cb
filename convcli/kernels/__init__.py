"""The kernel library: weights by name, by matrix, or from a file. numpy only; nothing here is compiled.

A SPEC such as ``gaussian:sigma=2``, ``"0 -1 0; -1 5 -1; 0 -1 0"`` or ``mine.csv`` is read by `parse_kernel`; the
grammar is written down in `convcli.kernels.spec`. What can be known about weights (separable? uniform?) is in
`convcli.kernels.analysis`.
"""

from convcli.kernels.entry import Entry, Kernel
from convcli.kernels.library import ALIASES, LIBRARY
from convcli.kernels.spec import flipped, kernel, normalized, parse_kernel

__all__ = ["ALIASES", "LIBRARY", "Entry", "Kernel", "flipped", "kernel", "normalized", "parse_kernel"]
