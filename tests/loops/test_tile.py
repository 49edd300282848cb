import numpy as np
import pytest

from convcli.loops.compiler import loop
from convcli.loops.correlation import Numbers
from convcli.loops.tile import ROWS, SLACK, accumulate, accumulate_pixels, accumulate_pixels_twin, accumulate_twin


@loop(parallel=False)
def run_tile(ring, starts, weights, masks, lengths, bias, sums, count):
    """The register tile, called as loops call it."""
    accumulate(ring, starts, weights, masks, lengths, bias, sums, count)


@loop(parallel=False)
def run_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
    """The same tile storing pixels."""
    return accumulate_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, SLACK - 1, SLACK, SLACK + 1, 5 * SLACK + 3])
def test_the_tile_and_its_naive_twin_agree(rng, dtype, count):
    masks = np.array([1, 15, 6, 9, 2, 8], np.int64)
    lengths = np.array([2, 5, 1, 3, 1, 2], np.int64)
    entries = int(lengths.sum())
    ring = rng.standard_normal(count + 300 + SLACK).astype(dtype)
    starts = rng.integers(0, 300, entries)
    weights = rng.standard_normal((entries, ROWS)).astype(dtype)
    tile, twin = np.zeros((2, ROWS, count + SLACK), dtype)
    run_tile(ring, starts, weights, masks, lengths, dtype(0.5), tile, count)
    accumulate_twin(ring, starts, weights, masks, lengths, dtype(0.5), twin, count)
    tolerance = 2e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(tile[:, :count], twin[:, :count], rtol=tolerance, atol=10 * tolerance)


def test_a_program_without_entries_gives_the_bias():
    nothing = np.zeros(0, np.int64)
    sums = np.zeros((ROWS, 2 * SLACK), np.float32)
    run_tile(
        np.zeros(SLACK, np.float32), nothing, np.zeros((0, ROWS), np.float32), nothing, nothing, np.float32(3), sums, 5
    )
    assert (sums[:, :5] == 3).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("pixels", "high"), [(np.uint8, 255), (np.uint8, 200), (np.uint16, 65535)])
@pytest.mark.parametrize("fold", [False, True])
def test_pixels_are_rounded_clipped_and_counted_as_by_the_twin(rng, dtype, pixels, high, fold):
    count, first = 3 * SLACK, 5
    ring = rng.integers(-high, 2 * high, count).astype(dtype) + dtype(0.5)
    ring[[3, 40, 77]] = np.nan, np.inf, -np.inf
    ring[100:104] = -0.5, 0.5, high + 0.5, 1e30
    one = np.ones(1, np.int64)
    weights = np.array([[1, 0.5, -1, 0]], dtype)
    program = (ring, np.zeros(1, np.int64), weights, one * 7, one, dtype(0))
    numbers = Numbers(dtype(0), dtype(0), dtype(1), dtype(high), fold, True)
    got, expected = np.full((2, ROWS, count + 9), 7, pixels)
    outside = run_pixels(*program, numbers, got, first, count)
    assert outside == accumulate_pixels_twin(*program, numbers, expected, first, count)
    np.testing.assert_array_equal(got, expected)
    assert (got[:, :first] == 7).all() and (got[:, first + count :] == 7).all()
