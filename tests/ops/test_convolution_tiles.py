"""The register tiles against their naive twin."""

import numpy as np
import pytest

from convcli.loops.compiler import loop
from convcli.loops.product import FOLDED, LANES, ONE, ROWS, TWO, lanes_of, multiply, multiply_twin


@loop(parallel=False)
def run_tile(kind, source, rows, steps, weights, base, add, floor, out, out_rows, valid, stride):
    """A loop around one tile; arguments are already checked."""
    multiply(
        kind, source, 3, rows, 1, steps, 2, len(steps) - 2, weights, 5, stride, base, 1, add, floor,
        out, 7, out_rows, 1, valid,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [ONE, TWO, LANES, FOLDED])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [0, 1, 7])
@pytest.mark.parametrize("valid", [1, ROWS - 1, ROWS])
@pytest.mark.parametrize("add", [False, True])
def test_tile_equals_its_twin(kind, dtype, steps, valid, add):
    rng = np.random.default_rng(kind)
    lanes = lanes_of(dtype)
    width = lanes * (2 if kind == TWO else 1)
    source = rng.standard_normal(500).astype(dtype)
    rows, offsets = rng.integers(0, 200, ROWS + 1), rng.integers(0, 200, steps + 2)
    weights = rng.standard_normal(5 + (steps + 1) * (width + 3)).astype(dtype)
    base = rng.standard_normal(1 + width).astype(dtype)
    places = rng.permutation(ROWS + 1) * (width + 1)
    start = rng.standard_normal(7 + (ROWS + 2) * (width + 1)).astype(dtype)
    got, expected = start.copy(), start.copy()
    floor = dtype(-0.5)
    run_tile(kind, source, rows, offsets, weights, base, add, floor, got, places, valid, width + 3)
    multiply_twin(
        kind, source, 3, rows, 1, offsets, 2, steps, weights, 5, width + 3, base, 1, add, floor,
        expected, 7, places, 1, valid,
    )  # fmt: skip
    np.testing.assert_allclose(
        got, expected, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-5 if dtype == np.float32 else 1e-13
    )
    assert (got != start).sum() <= valid * (1 if kind == FOLDED else width)
