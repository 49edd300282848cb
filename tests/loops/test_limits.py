"""What the machine's limits are measured with does what it says: a copy, and that many multiply-adds."""

import numpy as np

from convcli.bench.limits import measure_limits
from convcli.loops.limits import copy_chunks, repeat_tile
from convcli.loops.networks.product import ROWS, lanes_of


def test_every_chunk_is_copied(rng):
    source = rng.standard_normal((5, 7)).astype(np.float32)
    out = np.zeros_like(source)
    copy_chunks(source, out)
    np.testing.assert_array_equal(out, source)


def test_every_row_of_every_part_has_its_sums(rng):
    count, width = 6, 2 * lanes_of(np.float32)
    source = rng.integers(-3, 4, ROWS * count).astype(np.float32)
    weights = rng.integers(-3, 4, (count, width)).astype(np.float32)
    rows = np.stack((np.arange(ROWS) * count, np.arange(ROWS)), axis=-1).reshape(-1)
    steps, out = np.repeat(np.arange(count), 2), np.zeros((3, ROWS * width), np.float32)
    repeat_tile(source, rows, steps, weights.reshape(-1), np.zeros(width, np.float32), np.float32(-np.inf), 2, out)
    expected = source.reshape(ROWS, count) @ weights
    for part in out:
        np.testing.assert_array_equal(part.reshape(ROWS, width), expected)


def test_limits_are_positive():
    limits = measure_limits(1, quick=True)
    assert limits.bytes > 0 and limits.multiply_adds > 0
