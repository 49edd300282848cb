"""Kernels that are a few separable ones added up: the same numbers as tap by tap, in fewer multiply-adds."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.geometry import windows_of
from convcli.ops.borders import BORDERS
from convcli.ops.plan import as_taps, plan_correlation, sums_dtype
from convcli.ops.stacks import correlate_stack
from convcli.ops.sums import Border, Store

SPECS = ("unsharp:sigma=2", "unsharp:sigma=1,amount=3", "dog:sigma=1,sigma2=2", "log:sigma=2", "gabor:gamma=1,theta=30")


def both_ways(source, weights, border, store, **words):
    """A stack (N, D, H, W, C) filtered by the plan, which must be a sum, and tap by tap."""
    plan = plan_correlation(weights, source.dtype)
    assert plan.method == "sum"
    windows = windows_of(source.shape[2:4], weights.shape, **words)
    ways = (plan, as_taps(plan))
    return [correlate_stack(source, way, windows, border, store=store, scale=0.75, bias=3) for way in ways]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    channels=st.integers(1, 4),
    spec=st.sampled_from(SPECS),
    border=st.sampled_from(sorted(BORDERS)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
)
def test_it_is_the_same_as_tap_by_tap(seed, size, channels, spec, border, stride, dilation):
    image = np.random.default_rng(seed).standard_normal((2, 1, *size, channels))
    words = {"padding": "same", "stride": stride, "dilation": dilation}
    (got, _), (wanted, _) = both_ways(image, convcli.kernel(spec), Border(border, 2.5), Store(np.float64), **words)
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_integer_pixels_differ_where_a_sum_lies_between_two(rng, dtype, channels, spec):
    most = np.iinfo(dtype).max
    image = rng.integers(0, most + 1, (1, 1, 90, 333, channels), dtype)
    store = Store(dtype, 0, most)
    (got, outside), (wanted, outside_wanted) = both_ways(
        image, convcli.kernel(spec), Border("reflect"), store, padding="same"
    )
    different = got != wanted
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= 1
    assert different.mean() < 1e-3
    assert abs(outside - outside_wanted) <= 3


@pytest.mark.parametrize("spec", SPECS)
def test_it_is_as_exact_as_scipy_in_float64(rng, spec):
    image, weights = rng.integers(0, 256, (70, 80), np.uint8), convcli.kernel(spec)
    wanted = scipy.ndimage.correlate(image.astype(np.float64), weights, mode="mirror")
    got = convcli.correlate2d(image, weights, padding="same", border="reflect")
    assert np.abs(got - wanted).max() <= 2e-6 * 255 * np.abs(weights).sum()


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_what_it_is_tap_by_tap(rng, strange):
    image, weights = rng.random((1, 1, 40, 40, 1), np.float32), convcli.kernel("unsharp:sigma=2")
    image[0, 0, 20, 20] = strange
    (got, _), (wanted, _) = both_ways(image, weights, Border("edge"), Store(np.float32), padding="same")
    np.testing.assert_array_equal(got, wanted)
    clean = np.delete(image, 20, axis=2)
    (got, _), (wanted, _) = both_ways(clean, weights, Border("constant", strange), Store(np.float32), padding="same")
    np.testing.assert_array_equal(got, wanted)
    assert not np.isfinite(got[0, 0, 0, 0])


def test_kernels_whose_sums_are_exact_are_not_taken_apart(rng):
    """A sum of 8-bit pixels that lies right between two pixels is rounded to the even one only if it is exact."""
    weights = np.outer([1, 2, 3, 4, 3, 2, 1], [1, 1, 2, 2, 2, 1, 1]) + np.outer(
        [1, 0, 2, 1, 2, 0, 1], [3, 1, 1, 0, 1, 1, 3]
    )
    assert plan_correlation(weights / 64).method == "taps"
    assert plan_correlation(weights / 63).method == "sum"


def test_sums_of_16_bits_are_made_in_float64_where_they_would_be_off():
    plan = plan_correlation(convcli.kernel("unsharp:sigma=5,amount=8"), np.uint16)
    assert plan.method == "sum"
    assert plan.magnitude == pytest.approx(np.abs(plan.weights).sum(), rel=0.2)
    assert sums_dtype(np.uint16, plan, whole=True) == np.float64


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_what_is_no_number_in_one_plane_changes_no_bit_of_the_others(rng, strange):
    volume, kernel = rng.random((5, 30, 31), np.float32), convcli.kernel("log:sigma=2")
    clean = convcli.correlate3d(volume, kernel[None], padding=((1, 1), 8, 8))
    volume[3, 15, 15] = strange
    got = convcli.correlate3d(volume, kernel[None], padding=((1, 1), 8, 8))
    assert not np.isfinite(got[4]).all()
    assert (np.delete(got, 4, axis=0) == np.delete(clean, 4, axis=0)).all()
    slab = np.ascontiguousarray(volume[None, 2:4, :, :, None])
    windows = windows_of((2, 30, 31), (1, *kernel.shape), padding=(0, 8, 8))
    border = Border("constant", planes=np.array([1, 0, -1]))
    plan = plan_correlation(kernel, np.float32)
    part, _ = correlate_stack(slab, plan, windows, border, store=Store(np.float32))
    np.testing.assert_array_equal(part[0, :, :, :, 0], [got[4], got[3], got[0]])
    images = convcli.correlate2d(volume[..., None], kernel, padding=8)
    np.testing.assert_array_equal(images[..., 0], got[1:6])
