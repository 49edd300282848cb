"""The compiled code: the only package that imports numba. Nothing here checks arguments; `convcli.ops` has done so.

A compiled function is a *loop* (a *kernel* is always the weights). Numba is imported, about 0.2 s, when a loop runs of
which no machine code is kept: see `convcli.loops.compiling.kept`. Importing a loop module imports llvmlite, so callers
import it in the function that runs it.
"""
