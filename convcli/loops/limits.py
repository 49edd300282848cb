"""What this machine does at most: copying, and multiply-adds in the register tile. `convcli bench` compares with it."""

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.networks.product import ROWS, TWO, multiply


@loop
def copy_chunks(source, out):
    """Copy ``source`` (chunks, numbers) to ``out``; arguments are already checked. Each index owns one chunk."""
    for chunk in prange(source.shape[0]):
        out[chunk] = source[chunk]


@loop
def repeat_tile(source, rows, steps, weights, base, lowest, rounds, out):
    """The largest tile over all ``steps``, ``rounds`` times in each row of ``out``, on data of the first-level cache.

    Arguments are already checked; ``base`` has as many zeros as the tile has columns. Each index owns one row of
    ``out``.
    """
    count, width = steps.shape[0] // 2, base.shape[0]
    for part in prange(out.shape[0]):
        for _ in range(rounds):
            multiply(
                None, TWO, ROWS, source, 0, rows, 0, steps, 0, count, weights, 0, True,
                base, 0, False, lowest, out[part], 0, width, ROWS, width,
            )  # fmt: skip
