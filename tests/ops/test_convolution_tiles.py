"""The register tiles against their naive twin."""

import numpy as np
import pytest
from tables import each_of

from convcli.loops.compiling.compiler import loop
from convcli.loops.costs import STRIP_PIXELS
from convcli.loops.networks.depthwise import depths_of, strip, strip_twin
from convcli.loops.networks.product import FEW_ROWS, FOLDED, LANES, ONE, ROWS, TWO, lanes_of, multiply, multiply_twin


@loop(parallel=False)
def run_tile(lanewise, kind, height, source, rows, steps, count, weights, packed, base, add, floor, out, valid, wanted):
    """A loop around one tile; arguments are already checked."""
    multiply(
        lanewise, kind, height, source, 3, rows, 1, steps, 2, count, weights, 5, packed, base, 1, add, floor,
        out, 7, 2, valid, wanted,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [ONE, TWO, LANES, FOLDED])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_of("count", [0, 1, 7])
@each_of("height, valid", [(ROWS, 1), (ROWS, ROWS - 1), (ROWS, ROWS), (FEW_ROWS, 2), (FEW_ROWS, FEW_ROWS)])
@each_of("add", [False, True])
@each_of("missing", [0, 1, 3])
def test_tile_equals_its_twin(kind, dtype, count, height, valid, add, missing):
    rng = np.random.default_rng(kind)
    lanes = lanes_of(dtype)
    width = lanes * (2 if kind == TWO else 1)
    wanted = 1 if kind == FOLDED else max(width - missing, 1)
    source, weights = rng.standard_normal((2, 200 * width + 2000)).astype(dtype)
    rows, steps = rng.integers(0, 200, (ROWS + 1, 2)), rng.integers(0, 200, (count + 2, 2))
    rows[:, 1] = rng.permutation(ROWS + 1) * width
    base = rng.standard_normal(1 + width).astype(dtype)
    start = rng.standard_normal(7 + (ROWS + 2) * 2 * width).astype(dtype)
    got, expected = start.copy(), start.copy()
    lanewise = None if kind in (ONE, TWO) else True
    packed = lanewise if dtype == np.float32 else None if lanewise else True
    tables, low = (rows.ravel(), steps.ravel()), dtype(-0.5)
    arguments = (lanewise, kind, height, source, *tables, count, weights, packed, base, add, low)
    run_tile(*arguments, got, valid, wanted)
    multiply_twin(
        lanewise, kind, height, source, 3, tables[0], 1, tables[1], 2, count, weights, 5, packed, base, 1, add, low,
        expected, 7, 2, valid, wanted,
    )  # fmt: skip
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    assert (got != start).sum() <= valid * wanted


@loop(parallel=False)
def run_strip(source, step, pixels, taps, count, weights, bias, floor, out, out_step, wanted, depth):
    """A loop around one strip; arguments are already checked."""
    strip(source, 3, step, 200, pixels, taps, count, weights, 5, bias, 1, floor, out, 7, out_step, wanted, depth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_of("count", [0, 1, 9])
@each_of("pixels", [1, STRIP_PIXELS - 1, STRIP_PIXELS, 2 * STRIP_PIXELS + 3])
@each_of("missing", [0, 1])
@each_of("depth", [1, 2, 4])
def test_strip_equals_its_twin(dtype, count, pixels, missing, depth):
    rng = np.random.default_rng(pixels)
    lanes = lanes_of(dtype)
    if depth not in (1, *depths_of(lanes)):
        return
    wanted = lanes - depth * missing
    source, weights = rng.standard_normal((2, 3000)).astype(dtype)
    taps, bias = rng.integers(0, 200, 2 * count + 2), rng.standard_normal(1 + lanes).astype(dtype)
    start = rng.standard_normal(7 + pixels * (lanes + 2)).astype(dtype)
    got, expected = start.copy(), start.copy()
    run_strip(source, 40, pixels, taps, count, weights, bias, dtype(-0.5), got, lanes + 2, wanted, depth)
    strip_twin(
        source, 3, 40, 200, pixels, taps, count, weights, 5, bias, 1, dtype(-0.5), expected, 7, lanes + 2, wanted, depth
    )  # fmt: skip
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    assert (got != start).sum() == pixels * wanted
