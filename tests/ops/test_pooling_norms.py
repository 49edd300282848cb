"""Norms whose powers leave the range of float64: exact all the same, along any axes, in any dtype and window."""

import math

import numpy as np
import pytest

import convcli

POOL = {1: convcli.pool1d, 2: convcli.pool2d, 3: convcli.pool3d}


def norm(values, p):
    """The p-norm by logarithms: nothing here overflows before the norm does."""
    logs = [p * math.log(abs(value)) for value in values if value]
    if not logs:
        return 0.0
    most = max(logs)
    return math.exp((most + math.log(math.fsum(math.exp(each - most) for each in logs))) / p)


def expected(array, size, stride, before, p):
    """Norms of windows of one size along the axes of an array without channels."""
    counts = [(n + 2 * before - size) // stride + 1 for n in array.shape]
    out = np.empty(counts)
    for cell in np.ndindex(*counts):
        window = tuple(slice(max(i * stride - before, 0), i * stride - before + size) for i in cell)
        out[cell] = norm(array[window].reshape(-1).tolist(), p)
    return out


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [("uint8", 255), ("uint16", 65535), ("int64", 2**50), ("float32", 1e30), ("float32", 1e-30), ("float32", 1),
     ("float64", 1e250), ("float64", 1e-250)],
)  # fmt: skip
@pytest.mark.parametrize("p", [2, 3, 31.5, 100, 5000])
@pytest.mark.parametrize("words", [{}, {"stride": 1, "padding": 1}])
def test_norms_are_exact_in_any_range(rng, axes, dtype, scale, p, words):
    array = (rng.random((5, 4, 6)[:axes]) * scale).astype(dtype)
    array.reshape(-1)[:2] = 0
    given = array[None, :, None] if axes == 1 else array
    got = POOL[axes](given, 2, mode="lp", p=p, **words)
    want = expected(array, 2, words.get("stride", 2), words.get("padding", 0), p)
    np.testing.assert_allclose(got.reshape(want.shape), want, rtol=3e-7 if got.dtype == np.float32 else 1e-12)


def test_each_window_has_its_own_scale():
    image = np.array([[64000, 3, 1, 2], [5, 7, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], np.uint16)
    np.testing.assert_allclose(convcli.pool2d(image, 2, mode="lp", p=100), [[64000, 2], [0, 1]], rtol=1e-6)
    large = np.array([[1e200, 1.0], [2e-200, 0.0]])
    assert convcli.pool2d(large, (2, 1), mode="lp").tolist() == [[1e200, 1.0]]
    assert convcli.pool2d(large, (1, 2), mode="lp").tolist() == [[1e200], [2e-200]]


@pytest.mark.parametrize("p", [0.5, 2, 300])
def test_nan_and_infinity_stay_in_their_windows(p):
    image = np.array([[np.nan, 1, np.inf, 3, 1e5, 0, 0, 0], [1, np.inf, 2, -np.inf, 0, 0, 0, 0]])
    got = convcli.pool2d(image, 2, mode="lp", p=p)[0]
    assert np.isnan(got[0])
    assert got[1] == np.inf
    np.testing.assert_allclose(got[2:], [1e5, 0])


@pytest.mark.parametrize("size", ["global", 3])
def test_windows_that_differ(rng, size):
    image = rng.random((7, 8, 2)) * 1e5
    got = convcli.pool2d(image, "global", mode="lp", p=90) if size == "global" else convcli.adaptive_pool2d(
        image, size, mode="lp", p=90
    )  # fmt: skip
    count = 1 if size == "global" else size
    for y, x, channel in np.ndindex(count, count, 2):
        rows = slice(y * 7 // count, -(-(y + 1) * 7 // count))
        columns = slice(x * 8 // count, -(-(x + 1) * 8 // count))
        np.testing.assert_allclose(got[y, x, channel], norm(image[rows, columns, channel].reshape(-1), 90), rtol=1e-12)


def test_dilated_windows_and_those_over_the_end(rng):
    row = rng.random(9) * 1e5
    got = convcli.pool1d(row[None, :, None], 2, mode="lp", p=80, stride=3, dilation=2, ceil_mode=True)[0, :, 0]
    want = [norm(row[[i, i + 2]] if i + 2 < 9 else row[[i]], 80) for i in (0, 3, 6)]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_tiny_exponent_overflows_only_where_the_norm_does():
    assert convcli.pool2d(np.ones((2, 2)), 2, mode="lp", p=0.001).tolist() == [[np.inf]]  # 4 ** 1000
    assert convcli.pool2d(np.array([[3.0, 0.0]]), (1, 2), mode="lp", p=0.001)[0, 0] == pytest.approx(3)
