import numpy as np
import pytest

from convcli.loops.compiling.compiler import loop
from convcli.loops.filtering.correlation import Numbers
from convcli.loops.filtering.tile import (
    BLOCK,
    ROW_SLACK,
    ROWS,
    SLACK,
    STRETCH_SLACK,
    STRETCH_VECTORS,
    accumulate,
    accumulate_pixels,
    accumulate_pixels_twin,
    accumulate_row,
    accumulate_row_pixels,
    accumulate_stretches,
    accumulate_stretches_twin,
    accumulate_twin,
)
from convcli.loops.vectors import VECTOR_BYTES


@loop(parallel=False)
def run_tile(ring, starts, weights, masks, lengths, bias, sums, count):
    """The register tile, called as loops call it."""
    accumulate(ring, starts, weights, masks, lengths, bias, sums, count)


@loop(parallel=False)
def run_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
    """The same tile storing pixels."""
    return accumulate_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count, (), count, ())


@loop(parallel=False)
def run_row(ring, starts, weights, masks, lengths, bias, sums, count):
    """The tile of one row."""
    accumulate_row(ring, starts, weights, masks, lengths, bias, sums, count)


@loop(parallel=False)
def run_row_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
    """The tile of one row storing pixels."""
    return accumulate_row_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count)


@loop(parallel=False)
def run_stretches(row, starts, weights, masks, lengths, bias, numbers, out, count, stretch, spacing):
    """The tile whose rows are stretches of one row."""
    return accumulate_stretches(row, starts, weights, masks, lengths, bias, numbers, out, count, stretch, spacing)


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
    assert_as_near_as_rounding(tile[:, :count], twin[:, :count])


def assert_as_near_as_rounding(got, expected):
    """Equal but for what a fused multiply-add rounds less."""
    tolerance = 2e-6 if got.dtype == np.float32 else 1e-14
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=10 * tolerance * np.abs(expected).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("integers", [np.uint8, np.uint16])
def test_a_ring_of_integers_gives_the_bits_of_its_numbers_in_the_type_of_the_sums(rng, dtype, integers):
    count = 2 * SLACK + 7
    ring = rng.integers(0, np.iinfo(integers).max, count + 50 + SLACK, integers, endpoint=True)
    starts, masks, lengths = rng.integers(0, 50, 5), np.array([5, 15, 8], np.int64), np.array([1, 3, 1], np.int64)
    weights = rng.standard_normal((5, ROWS)).astype(dtype)
    whole, converted = np.zeros((2, ROWS, count + SLACK), dtype)
    run_tile(ring, starts, weights, masks, lengths, dtype(0.5), whole, count)
    run_tile(ring.astype(dtype), starts, weights, masks, lengths, dtype(0.5), converted, count)
    np.testing.assert_array_equal(whole[:, :count], converted[:, :count])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_tile_of_one_row_and_its_naive_twin_agree(rng, dtype):
    count = 3 * ROW_SLACK
    ring = rng.uniform(-300, 300, count + 40 + ROW_SLACK).astype(dtype)
    one, starts, weights = np.ones(1, np.int64), rng.integers(0, 40, 6), rng.standard_normal((6, 1)).astype(dtype)
    program = (ring, starts, weights, one, 6 * one, dtype(20))
    tile, twin = np.zeros((2, 1, count + ROW_SLACK), dtype)
    run_row(*program, tile, count - 5)
    accumulate_twin(*program, twin, count - 5)
    assert_as_near_as_rounding(tile[:, : count - 5], twin[:, : count - 5])
    numbers = Numbers(dtype(0), dtype(0), dtype(0), dtype(255), False, True, False)
    got, expected = np.full((2, 1, count + 9), 7, np.uint8)
    assert run_row_pixels(*program, numbers, got, 5, count) == accumulate_pixels_twin(
        *program, numbers, expected, 5, count
    )
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("side_by_side", [True, False])
def test_stretches_of_a_row_and_their_naive_twin_agree(rng, dtype, side_by_side):
    lanes, count = VECTOR_BYTES // np.dtype(dtype).itemsize, 2 * STRETCH_SLACK
    stretch, spacing = (STRETCH_VECTORS * lanes, lanes) if side_by_side else (lanes, ROWS * lanes)
    row = rng.uniform(-300, 300, count + 300 + STRETCH_SLACK).astype(dtype)
    starts, masks, lengths = np.sort(rng.integers(0, 200, 7)), np.array([1, 15, 12]), np.array([2, 4, 1])
    weights = rng.standard_normal((7, ROWS)).astype(dtype)
    numbers = Numbers(dtype(0), dtype(0), dtype(0), dtype(255), False, True, False)
    program = (row, starts, weights, masks, lengths, dtype(20))
    got, expected = np.full((2, count + 9), 7, np.uint8)
    outside = run_stretches(*program, numbers, got, count, stretch, spacing)
    assert outside == accumulate_stretches_twin(*program, numbers, expected, count, stretch, spacing)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("pixels", [np.uint8, np.uint16])
def test_pixels_that_cannot_lie_outside_are_the_same_without_comparing(rng, pixels):
    count, one = 2 * BLOCK, np.ones(1, np.int64)
    ring = rng.integers(0, 255, count, np.uint8)
    program = (ring, np.zeros(1, np.int64), np.array([[1, 0.5, 0.25, 0.1]], np.float32), 15 * one, one, np.float32(0))
    images = np.zeros((2, ROWS, count), pixels)
    for image, inside in zip(images, (True, False), strict=True):
        limits = (np.float32(0), np.float32(0), np.float32(0), np.float32(255))
        assert run_pixels(*program, Numbers(*limits, False, True, inside), image, 0, count) == 0
    np.testing.assert_array_equal(*images)


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
    count, first = -(-105 // BLOCK) * BLOCK, 5
    ring = rng.integers(-high, 2 * high, count).astype(dtype) + dtype(0.5)
    ring[[3, 40, 77]] = np.nan, np.inf, -np.inf
    ring[100:104] = -0.5, 0.5, high + 0.5, 1e30
    one = np.ones(1, np.int64)
    weights = np.array([[1, 0.5, -1, 0]], dtype)
    program = (ring, np.zeros(1, np.int64), weights, one * 7, one, dtype(0))
    numbers = Numbers(dtype(0), dtype(0), dtype(1), dtype(high), fold, True, False)
    got, expected = np.full((2, ROWS, count + 9), 7, pixels)
    outside = run_pixels(*program, numbers, got, first, count)
    assert outside == accumulate_pixels_twin(*program, numbers, expected, first, count)
    np.testing.assert_array_equal(got, expected)
    assert (got[:, :first] == 7).all() and (got[:, first + count :] == 7).all()


@pytest.mark.parametrize(("ring_type", "size"), [(np.uint8, 3), (np.float32, 5)])
def test_a_window_without_zeros_gives_the_bits_of_the_same_entries_in_other_runs(rng, ring_type, size):
    under = [[row for row in range(ROWS) if 0 <= at - row < size] for at in range(ROWS + size - 1)]
    masks = np.repeat([sum(1 << row for row in rows) for rows in under], size)
    weights = rng.standard_normal((len(masks), ROWS)).astype(np.float32) * (masks[:, None] >> np.arange(ROWS) & 1)
    count = 2 * BLOCK
    ring = rng.integers(0, 256, count + 60 + SLACK).astype(ring_type)
    starts, numbers = rng.integers(0, 60, len(masks)), Numbers(*np.float32([0, 0, 0, 255]), False, True, False)
    begins = np.flatnonzero(np.diff(masks, prepend=0))
    results = []
    for runs, lengths in ((masks[begins], np.diff(begins, append=len(masks))), (masks, np.ones_like(masks))):
        pixels = np.zeros((ROWS, count), np.uint8)
        program = (ring, starts, weights.astype(np.float32), runs, lengths, np.float32(100))
        results.append((run_pixels(*program, numbers, pixels, 0, count), pixels))
    assert results[0][0] == results[1][0] > 0
    np.testing.assert_array_equal(results[0][1], results[1][1])
