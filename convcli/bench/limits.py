"""The machine's own limits, measured in the run they are compared with: copy bandwidth and multiply-adds a second."""

import timeit
from collections.abc import Callable

import numpy as np

from convcli.bench.model import Limits
from convcli.loops.limits import copy_chunks, repeat_tile
from convcli.loops.networks.product import ROWS, lanes_of

_PARTS = 16  # per thread, so that a busy core holds nobody up
_STEPS = 64  # of the tile: weights and input then stay in the first-level cache
_TRIALS = 9


def measure_limits(threads: int, *, quick: bool = False) -> Limits:
    """The best of some trials with the threads that loops have now; float32. Under a second.

    Copying is counted as bytes read and written, between arrays of 128 MB; multiply-adds are those of the register
    tile that convolution layers run on, with everything in the first-level cache.
    """
    source = np.ones((_PARTS * threads, (1 << (18 if quick else 25)) // (_PARTS * threads)), np.float32)
    out = np.zeros_like(source)
    copied = 2 * source.nbytes / _best(lambda: copy_chunks(source, out))

    width = 2 * lanes_of(np.float32)
    rows = np.stack((np.arange(ROWS) * _STEPS, np.arange(ROWS)), axis=-1).reshape(-1)
    steps = np.repeat(np.arange(_STEPS), 2)
    numbers, weights = np.ones(ROWS * _STEPS, np.float32), np.ones(_STEPS * width, np.float32)
    nothing, sums = np.zeros(width, np.float32), np.empty((_PARTS * threads, ROWS * width), np.float32)
    rounds = 20 if quick else 2000
    lowest = np.float32(-np.inf)
    seconds = _best(lambda: repeat_tile(numbers, rows, steps, weights, nothing, lowest, rounds, sums))
    return Limits(copied, sums.size * _STEPS * rounds / seconds)


def _best(run: Callable[[], None]) -> float:
    run()
    return min(timeit.repeat(run, number=1, repeat=_TRIALS))
