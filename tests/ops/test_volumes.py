"""Separable kernels on volumes: right in every geometry, and the same bits however the work is cut."""

import numba
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ShapeError
from convcli.geometry import Window
from convcli.loops import costs
from convcli.ops import volumes
from convcli.ops.borders import BORDERS
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import CorrelationPlan
from convcli.ops.stacks import choose_way, correlate_stack
from convcli.ops.sums import Border, Correlation, Store


def naive(volume, factors, windows, border, value):
    """One plane-row-column volume (D, H, W), padded cell by cell, as a sum over taps of shifted volumes, in float64."""
    padded = volume.astype(np.float64)
    for axis, window in enumerate(windows):
        n = volume.shape[axis]
        at = [reference.source_position(i, n, border) for i in range(-window.before, n + window.after)]
        lines = [padded.take(i, axis) if i is not None else np.full_like(padded.take(0, axis), value) for i in at]
        padded = np.stack(lines, axis)
    out = np.zeros([w.output(n) for w, n in zip(windows, volume.shape, strict=True)])
    for tap in np.ndindex(*(len(factor) for factor in factors)):
        weight = np.prod([factor[i] for factor, i in zip(factors, tap, strict=True)])
        first = [i * w.dilation for i, w in zip(tap, windows, strict=True)]
        steps = zip(first, windows, out.shape, strict=True)
        if weight != 0:
            out += weight * padded[tuple(slice(i, i + (n - 1) * w.stride + 1, w.stride) for i, w, n in steps)]
    return out


def separable(factors):
    """A plan of three passes, whatever they cost."""
    weights = np.multiply.outer(np.multiply.outer(factors[0], factors[1]), factors[2])
    return CorrelationPlan("separable", weights, tuple(factors), sum(map(len, factors)), "")


@st.composite
def cases(draw):
    def integers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(3))

    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = (draw(st.integers(2, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    factors = [np.where(numbers.random(n) < 0.2, 0.0, numbers.standard_normal(n)) for n in sizes]
    shape = (draw(st.integers(1, 2)), *integers(1, 14), draw(st.sampled_from([1, 1, 2, 3])))
    dtype = draw(st.sampled_from([np.uint8, np.float32, np.float64]))
    volume = (numbers.random(shape) * 255).astype(dtype)
    words = {
        "stride": integers(1, 4),
        "dilation": integers(1, 4),
        "padding": draw(st.sampled_from(["same", "full", "valid", 3, ((0, 2), (3, 1), (2, 0))])),
    }
    return volume, factors, words, draw(st.sampled_from(sorted(BORDERS))), draw(st.sampled_from([0.0, 7.0, 2.5, -3.0]))


@settings(max_examples=200)
@given(cases())
def test_three_passes_are_the_naive_reference(case):
    volume, factors, words, border, value = case
    plan = separable(factors)
    try:
        windows = correlation_windows(volume.shape[1:4], plan.weights.shape, **words)
    except ShapeError:
        return  # no window fits
    planes = [
        [naive(image[..., c], factors, windows, border, value) for c in range(image.shape[-1])] for image in volume
    ]
    expected = np.stack([np.stack(each, -1) for each in planes])
    store = Store(volume.dtype, 0, 255, fold=True) if volume.dtype == np.uint8 else Store(volume.dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volumes, "fits", lambda *_: True)
        got, outside = correlate_stack(volume, plan, windows, Border(border, value), store=store)
    scale = np.abs(plan.weights).sum() * 255
    tolerance = scale * (1e-14 if volume.dtype == np.float64 else 1e-6)
    if store.fold:
        expected, tolerance = np.clip(np.abs(expected), 0, 255), tolerance + 0.5
    else:
        assert outside == 0
    np.testing.assert_allclose(got, expected, atol=tolerance, rtol=0)


def results(volume, words):
    """Of three kernels: everything that could differ."""
    found = []
    for factors in (
        [np.array([1.0, 4, 6, 4, 1]) / 16] * 3,
        [np.array([1.0, 0, -1]), np.array([1.0, 2, 1]), np.array([1.0, 2, 1])],
        [np.arange(1.0, 8) / 28] * 3,
    ):
        plan = separable(factors)
        windows = correlation_windows(volume.shape[1:4], plan.weights.shape, padding="same", **words)
        # Each pair of kinds of pixels costs seconds to compile.
        store = Store(volume.dtype) if volume.dtype.kind == "f" else Store(volume.dtype, 3, 200, fold=True)
        pixels, outside = correlate_stack(volume, plan, windows, Border("reflect"), store=store, scale=1.25, bias=-2.0)
        found.append((pixels.tobytes(), outside))
    return found


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("words", [{}, {"stride": (2, 3, 2)}, {"dilation": (3, 1, 2)}])
def test_the_bits_do_not_depend_on_the_cut(rng, monkeypatch, dtype, words):
    volume = (rng.random((1, 21, 30, 150, 2)) * 255).astype(dtype)
    expected = results(volume, words)
    for held, least, row_cost, parts in ((1, 16, 0, 1000), (100_000, 64, 0, 7), (100_000, 64, 10**9, 1)):
        monkeypatch.setattr(costs, "VOLUME_BYTES", held)
        monkeypatch.setattr(costs, "VOLUME_LEAST_COLUMNS", least)
        monkeypatch.setattr(costs, "VOLUME_ROW_NUMBERS", row_cost)
        monkeypatch.setattr(costs, "PARTS", parts)
        assert results(volume, words) == expected


@pytest.mark.every_processor
def test_the_bits_do_not_depend_on_the_number_of_threads(rng):
    volume = rng.random((1, 40, 50, 60, 1)).astype(np.float32)
    before = numba.get_num_threads()
    found = []
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            found.append(results(volume, {}))
    finally:
        numba.set_num_threads(before)
    assert all(each == found[0] for each in found)


def test_integer_sums_are_exact_rounded_and_counted(rng):
    volume = rng.integers(0, 256, (1, 9, 14, 70, 3), np.uint8)
    factors = [np.array([1.0, 2, 1]), np.array([1.0, 0, -1]), np.array([1.0, 2, 1])]
    windows = correlation_windows(volume.shape[1:4], (3, 3, 3), padding="same")
    exact = np.stack([naive(volume[0, ..., c], factors, windows, "edge", 0) for c in range(3)], -1)
    store = Store(np.uint8, 0, 255, fold=True)
    got, outside = correlate_stack(volume, separable(factors), windows, Border("edge"), store=store)
    np.testing.assert_array_equal(got[0], np.minimum(np.abs(exact), 255))
    assert outside == (np.abs(exact) > 255).sum()


def test_a_weight_of_zero_does_not_look(rng):
    volume = rng.random((1, 7, 7, 7, 1))
    volume[0, 3, 3, 3] = np.nan
    factors = [np.array([1.0, 0, -1]), np.array([1.0, 0, 2]), np.array([3.0, 0, 1])]
    windows = correlation_windows((7, 7, 7), (3, 3, 3), padding="same")
    got, _ = correlate_stack(volume, separable(factors), windows, Border(), store=Store(np.float64))
    assert np.isnan(got).sum() == 8
    assert not np.isnan(got[0, 3]).any()


def test_a_window_too_large_to_hold_goes_the_other_way(rng):
    volume = rng.random((6, 7, 8))
    weights = convcli.kernel("gaussian3d:sigma=1,size=5")
    windows = correlation_windows(volume.shape, weights.shape, padding="same", dilation=(1, 2000, 2000))
    assert not fits(windows, volume.shape[1:])
    got = convcli.correlate3d(volume, weights, padding="same", dilation=(1, 2000, 2000))
    middle = np.zeros_like(weights)
    middle[:, 2, 2] = weights[:, 2, 2]
    np.testing.assert_allclose(got, convcli.correlate3d(volume, middle, padding="same"), rtol=1e-12)


def both_ways(volume, factors, border, **words):
    """A volume (D, H, W, C) in parts that fit the cache, and with a volume of sums along depth."""
    windows = correlation_windows(volume.shape[:3], [len(each) for each in factors], padding="same", **words)
    return [
        correlate_stack(volume[None], separable(factors), windows, border, store=Store(volume.dtype), way=way)[0]
        for way in ("volume", "depth first")
    ]


def test_both_ways_agree(rng):
    volume, factor = rng.random((12, 30, 31, 2)).astype(np.float32), np.array([1.0, 2, 1]) / 4
    got, expected = both_ways(volume, [factor] * 3, Border("constant", 2.0), stride=(1, 2, 1))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def fits(windows, sizes=(192, 192), channels=1, dtype=np.float32):
    """Whether a kernel of that many taps along each axis goes part by part."""
    plan = separable([np.ones(window.kernel_size) for window in windows])
    source = np.empty((1, 192, *sizes, channels), dtype)
    return choose_way(Correlation(source, plan, windows, Border(), Store(dtype)))[1] == "volume"


def test_what_fits_does_not_depend_on_the_depth():
    same = Window(7, before=3, after=3)
    assert fits((same, same, same))
    assert fits((Window(7, stride=7), same, same))  # as a slab's planes lie
    wide = Window(5, before=2 * 10**5, after=2 * 10**5, dilation=10**5)
    assert not fits((Window(5), wide, wide), channels=3)


def spread(size, dilation=1):
    return (Window(size, 1, size // 2 * dilation, size // 2 * dilation, dilation),) * 3


def test_parts_that_would_mostly_sum_what_their_neighbours_sum_do_not_fit():
    assert fits(spread(41))
    assert not fits(spread(121))
    assert fits(spread(7, dilation=4))
    assert not fits(spread(7, dilation=15))
    assert not fits(spread(41), sizes=(20, 20))  # padding is the larger part


def test_infinity_beyond_the_border_is_infinity_minus_infinity_where_weights_differ_in_sign(rng):
    volume, factors = rng.random((6, 7, 8, 1)), [np.array([2.0, 0, -1]), np.ones(3), np.ones(3)]
    got, expected = both_ways(volume, factors, Border("constant", np.inf))
    assert np.isnan(expected[0, 1:-1, 0]).all()
    np.testing.assert_allclose(got, expected, rtol=1e-12)
