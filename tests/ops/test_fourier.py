"""Large kernels on 8-bit pixels by Fourier transforms: the numbers of the sums tap by tap, but where they tie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.geometry import Window, windows_of
from convcli.jobs.kernel import describe
from convcli.ops.borders import BORDERS
from convcli.ops.plan import CorrelationPlan, plan_correlation
from convcli.ops.stacks import choose_way, correlate_stack
from convcli.ops.sums import Border, Correlation, Store


def both_ways(pixels, weights, border, *, store=None, dilation=1, **words):
    """A stack (N, D, H, W, C) of uint8 by transforms and tap by tap."""
    store = store or Store(np.uint8, 0, 255)
    windows = windows_of(pixels.shape[2:4], weights.shape, padding="same", dilation=dilation)
    return [
        correlate_stack(pixels, taps(weights), windows, border, store=store, way=way, **words)
        for way in ("fourier", "taps")
    ]


def taps(weights):
    return CorrelationPlan("taps", weights[None], (), int(np.count_nonzero(weights)), "")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 150), st.integers(1, 150), st.integers(1, 4)),
    kernel_size=st.tuples(st.integers(1, 40), st.integers(2, 40)),
    dilation=st.integers(1, 2),
    border=st.sampled_from(sorted(BORDERS)),
    fold=st.booleans(),
)
def test_it_is_the_same_as_tap_by_tap(seed, sizes, kernel_size, dilation, border, fold):
    numbers = np.random.default_rng(seed)
    pixels, weights = numbers.integers(0, 256, sizes, np.uint8), numbers.standard_normal(kernel_size)
    weights /= np.abs(weights).sum()
    words = {"scale": 2.0, "bias": 3.0}
    (got, outside), (wanted, outside_wanted) = both_ways(
        pixels, weights, Border(border, 7), store=Store(np.uint8, 0, 255, fold), dilation=dilation, **words
    )
    windows = windows_of(pixels.shape[2:4], weights.shape, padding="same", dilation=dilation)
    exact, _ = correlate_stack(
        pixels, taps(weights), windows, Border(border, 7), store=Store(np.float64), way="taps", **words
    )
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= 1
    nearly_ties = np.abs(exact % 1 - 0.5) < 1e-3
    assert nearly_ties[got != wanted].all()
    assert abs(outside - outside_wanted) <= nearly_ties.sum()


def test_it_is_within_rounding_of_float64(rng):
    pixels, weights = rng.integers(0, 256, (1, 1, 300, 280, 3), np.uint8), rng.random((31, 31))
    weights /= weights.sum()
    (got, _), _ = both_ways(pixels, weights, Border("reflect"))
    windows = windows_of((300, 280), (31, 31), padding="same")
    plan = plan_correlation(weights, np.float64)
    exact, _ = correlate_stack(pixels.astype(np.float64), plan, windows, Border("reflect"), store=Store(np.float64))
    assert np.abs(got - exact).max() < 0.5 + 2e-4


@pytest.mark.parametrize(
    "words", [{"scale": 0.5}, {"scale": -1.5, "bias": 300.0}, {"bias": 0.5}, {"scale": 0.1, "bias": 2}]
)
@pytest.mark.parametrize("border", [Border("reflect"), Border("wrap")])
def test_sums_right_between_two_pixels_all_become_the_same(rng, words, border):
    """Of areas of one value, and along an edge under a kernel of even size that is its own mirror image."""
    odd, even = rng.random((31, 31)), rng.random((32, 32))
    odd, even = odd / odd.sum(), (even + even[:, ::-1]) / (2 * even.sum())
    for value in range(0, 256, 15):
        pixels = np.full((1, 1, 90, 137, 1), value, np.uint8)
        (got, _), _ = both_ways(pixels, odd, border, **words)
        assert len(np.unique(got)) == 1
    pixels[..., 68:, :] = 0
    (got, _), _ = both_ways(pixels, even, border, **words)
    assert (got == got[:, :, :1]).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_bits_do_not_depend_on_threads_planes_and_slabs(rng, threads):
    from convcli.loops.compiling.compiler import set_threads, thread_count

    pixels, weights = rng.integers(0, 256, (1, 4, 90, 200, 3), np.uint8), rng.standard_normal((21, 25))
    weights /= np.abs(weights).sum()
    before = thread_count()
    try:
        (whole, _), _ = both_ways(pixels, weights, Border("edge"), bias=100.0)
        set_threads(threads)
        (again, _), _ = both_ways(pixels, weights, Border("edge"), bias=100.0)
    finally:
        set_threads(before)
    np.testing.assert_array_equal(whole, again)
    windows = (Window(1), *windows_of((90, 200), weights.shape, padding="same"))
    border, store = Border("edge", planes=np.array([1, 0])), Store(np.uint8, 0, 255)
    slab, _ = correlate_stack(pixels[:, 2:], taps(weights), windows, border, store=store, bias=100.0, way="fourier")
    np.testing.assert_array_equal(slab, whole[:, [3, 2]])


def way_of(pixels, weights, *, stride=1, border=None, scale=1.0):
    """How pixels (N, D, H, W, C) are correlated into pixels."""
    windows = (Window(1), *windows_of(pixels.shape[2:4], weights.shape, padding="same", stride=stride))
    plan, store = plan_correlation(weights, pixels.dtype), Store(pixels.dtype, 0, 255)
    return choose_way(Correlation(pixels, plan, windows, border or Border("edge"), store, scale))[1]


def test_when_it_pays():
    def pays(size, weights, *, dtype=np.uint8, **words):
        return way_of(np.zeros((1, 1, *size, 3), dtype), weights, **words) == "fourier"

    large, small = np.random.default_rng(1).random((31, 31)) / 480, np.random.default_rng(1).random((9, 9)) / 40
    assert pays((2000, 3000), large)
    assert not pays((2000, 3000), small)
    assert not pays((20, 20), large), "a block would be mostly waste"
    assert not pays((2000, 3000), large, dtype=np.uint16)
    assert not pays((2000, 3000), large, stride=2)
    assert not pays((2000, 3000), large, scale=1e5), "rounding errors would be seen"
    assert not pays((2000, 3000), np.rint(large * 1e5)), "sums of integers are exact tap by tap"
    assert not pays((9000, 9000), np.random.default_rng(1).random((1, 2000)) / 1000), "no block is that wide"


def test_a_border_of_nan_is_left_to_the_taps():
    pixels, weights = np.zeros((1, 1, 900, 900, 1), np.uint8), np.random.default_rng(1).random((31, 31)) / 480
    assert way_of(pixels, weights, border=Border("constant", 255.0)) == "fourier"
    assert way_of(pixels, weights, border=Border("constant", np.nan)) != "fourier"


def test_kernel_show_speaks_of_transforms_where_they_are_made(rng):
    def speaks(spec):
        (choice,), (sentence,) = describe(spec).choices, describe(spec).plans
        assert ("faster, by Fourier" in sentence) == (choice.way == "fourier")
        return choice.way == "fourier"

    def made(weights):
        return way_of(np.empty((1, 1, 4000, 6000, 1), np.uint8), weights) == "fourier"

    specs = ("disk:radius=20", "log:sigma=20", "motion:length=400,angle=33", "disk:radius=600", "box3d", "gaussian")
    assert [speaks(spec) for spec in specs] == [True, True, False, False, False, False]
    assert [made(convcli.kernel(spec)) for spec in specs[:4]] == [True, True, False, False]
    heavy = rng.random((21, 21))
    assert not made(heavy), "rounding errors would be seen"
    assert made(heavy / heavy.sum())
