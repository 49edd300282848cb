"""Array functions: check the arguments, ask the geometry, run a loop.

Nothing is imported here, so that a filter does not load what pools; `convcli` itself has every public function. numba
is loaded by the first call of a loop whose machine code was not kept by an earlier process, not before.
"""
