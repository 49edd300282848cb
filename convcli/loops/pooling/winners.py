"""The larger or smaller of numbers, one by one and run by run: what extrema of windows are made of.

NaN wins over everything: a comparison is written so that a NaN on either side stays. Where an argument ``smallest`` is
None the largest values are wanted: that case alone is then compiled, in half the time.
"""

from convcli.loops.compiling.compiler import loop


@loop(parallel=False)
def winner(a, b, smallest):
    """The larger (or smaller) of two numbers; NaN if either is; arguments are already checked."""
    # One machine instruction, which gives b if either is NaN, and a correction where a is.
    best = (a if a > b else b) if smallest is None else (a if a < b else b)
    return a if a != a else best


@loop(parallel=False)
def combine(target, first, second, smallest):
    """The winners of two runs of numbers into a third (n); arguments are already checked."""
    for i in range(target.shape[0]):
        target[i] = winner(first[i], second[i], smallest)


@loop(parallel=False)
def take(target, other, smallest):
    """`combine` of ``target`` (n) with another run, in place: vectorised only if seen to be one; checked."""
    for i in range(target.shape[0]):
        target[i] = winner(target[i], other[i], smallest)
