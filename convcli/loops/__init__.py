"""The compiled code: the only package that imports numba. Nothing here checks arguments; `convcli.ops` has done so.

A compiled function is a *loop* (a *kernel* is always the weights). Importing a loop module imports numba, about 0.2 s,
so callers import it in the function that runs it.
"""
