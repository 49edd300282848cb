import numpy as np
import pytest

from convcli.loops.compiling.compiler import loop
from convcli.loops.filtering.fourier import _backward, _forward
from convcli.loops.filtering.fourier_vectors import (
    LANES,
    RADIX,
    butterfly_backward,
    butterfly_forward,
    butterfly_twin,
    frequencies,
    transpose,
    transpose_twin,
    twiddles,
)


@loop(parallel=False)
def run_butterfly(forward, re, im, at, step, factors, t):
    """The vector instructions, called as loops call them."""
    if forward:
        butterfly_forward(re, im, at, step, factors, t)
    else:
        butterfly_backward(re, im, at, step, factors, t)


@loop(parallel=False)
def run_transpose(source, at, stride, out, out_at, out_stride):
    """The transposition, called as loops call it."""
    transpose(source, at, stride, out, out_at, out_stride)


@pytest.mark.parametrize("forward", [True, False])
def test_a_butterfly_is_its_naive_twin(rng, forward):
    step = LANES + 3
    re, im = (rng.standard_normal(RADIX * step + 5).astype(np.float32) for _ in range(2))
    factors = rng.standard_normal(9).astype(np.float32)
    expected = re.copy(), im.copy()
    butterfly_twin(forward, *expected, 2, step, factors, 3)
    run_butterfly(forward, re, im, 2, step, factors, 3)
    np.testing.assert_allclose(re, expected[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(im, expected[1], rtol=1e-5, atol=1e-5)
    between = np.delete(np.arange(re.size), np.add.outer(2 + step * np.arange(RADIX), np.arange(LANES)).ravel())
    assert (re[between] == expected[0][between]).all(), "numbers that are no part of it were written"


def test_a_transposition_is_its_naive_twin(rng):
    source = rng.random(1 + LANES * (LANES + 2)).astype(np.float32)
    out, expected = np.zeros((2, 3 + LANES * (LANES + 1)), np.float32)
    run_transpose(source, 1, LANES + 2, out, 3, LANES + 1)
    transpose_twin(source, 1, LANES + 2, expected, 3, LANES + 1)
    np.testing.assert_array_equal(out, expected)
    assert out.any()


@pytest.mark.parametrize("size", [4, 16, 64, 256, 1024])
def test_all_butterflies_are_a_fourier_transform(rng, size):
    given = rng.standard_normal((size, LANES)) + 1j * rng.standard_normal((size, LANES))
    re, im = (np.ascontiguousarray(part, np.float32).reshape(-1) for part in (given.real, given.imag))
    _forward(re, im, 0, LANES, size, twiddles(size))
    wanted = np.fft.fft(given, axis=0)[frequencies(size)]
    np.testing.assert_allclose((re + 1j * im).reshape(size, LANES), wanted, atol=2e-6 * np.abs(wanted).max())
    _backward(re, im, 0, LANES, size, twiddles(size))
    np.testing.assert_allclose((re + 1j * im).reshape(size, LANES) / size, given, atol=1e-5)
