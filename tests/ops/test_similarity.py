"""SSIM against its definition in plain loops, and against scikit-image where that is installed."""

import doctest
import math

import numpy as np
import pytest

from convcli.errors import ShapeError
from convcli.ops import similarity
from convcli.ops.similarity import ssim


def naive_ssim(first, second, white):
    """Wang et al. 2004, equation 13, window by window."""
    offsets = range(-5, 6)
    weights = [[math.exp(-(y * y + x * x) / (2 * 1.5**2)) for x in offsets] for y in offsets]
    total = sum(map(sum, weights))
    c1, c2 = (0.01 * white) ** 2, (0.03 * white) ** 2
    found = []
    for y in range(5, len(first) - 5):
        for x in range(5, len(first[0]) - 5):
            triples = [
                (weights[i + 5][j + 5] / total, float(first[y + i][x + j]), float(second[y + i][x + j]))
                for i in offsets
                for j in offsets
            ]
            m1, m2 = sum(w * a for w, a, _ in triples), sum(w * b for w, _, b in triples)
            v1, v2 = sum(w * (a - m1) ** 2 for w, a, _ in triples), sum(w * (b - m2) ** 2 for w, _, b in triples)
            v12 = sum(w * (a - m1) * (b - m2) for w, a, b in triples)
            found.append((2 * m1 * m2 + c1) * (2 * v12 + c2) / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2)))
    return sum(found) / len(found)


@pytest.mark.parametrize("size", [(11, 11), (14, 17)])
def test_the_definition(rng, size):
    first, second = rng.integers(0, 256, size, np.uint8), rng.integers(0, 256, size, np.uint8)
    assert ssim(first, second, 255) == pytest.approx(naive_ssim(first, second, 255), abs=1e-10)


def test_scikit_image_agrees(rng):
    metrics = pytest.importorskip("skimage.metrics")
    first = rng.integers(0, 65536, (40, 50, 3), np.uint16)
    second = np.clip(first + rng.normal(0, 3000, first.shape), 0, 65535).astype(np.uint16)
    expected = metrics.structural_similarity(
        first, second, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=65535
    )
    assert ssim(first, second, 65535) == pytest.approx(expected, abs=1e-9)


def test_bands_do_not_show(rng, monkeypatch):
    first, second = rng.random((40, 20)), rng.random((40, 20))
    whole = ssim(first, second, 1)
    monkeypatch.setattr("convcli.ops.similarity._BAND", 100)
    monkeypatch.setattr("convcli.ops.similarity._FEWEST", 7)
    assert ssim(first, second, 1) == pytest.approx(whole, abs=1e-12)


def test_equal_is_one_and_order_does_not_matter(rng):
    first, second = rng.random((20, 20, 3)), rng.random((20, 20, 3))
    assert ssim(first, first, 1) == 1
    assert ssim(first, second, 1) == ssim(second, first, 1)
    assert math.isnan(ssim(np.full((11, 11), np.nan), np.zeros((11, 11)), 1))


def test_what_cannot_be_compared():
    with pytest.raises(ShapeError, match="at least 11x11"):
        ssim(np.zeros((10, 30)), np.zeros((10, 30)), 255)
    with pytest.raises(ShapeError, match="second"):
        ssim(np.zeros((12, 12)), np.zeros((12, 13)), 255)


def test_the_example():
    assert doctest.testmod(similarity) == (0, 2)
