"""Means of boxes of 8-bit pixels against sums of integers and a rounding done in integers."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from convcli.loops.compiling.compiler import set_threads
from convcli.loops.filtering.means import MOST_ROWS, division_by
from convcli.ops.borders import BORDERS
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import plan_correlation
from convcli.ops.stacks import correlate_stack
from convcli.ops.sums import Border, Store

SIZES = [(1, 3), (2, 2), (3, 3), (4, 4), (5, 5), (3, 7), (6, 6), (8, 1), (9, 9), (2, 11), (12, 12), (15, 15), (16, 16)]
SIZES += [(17, 17), (3, 40), (40, 3), (31, 30), (64, 64), (101, 101), (127, 127), (128, 3), (130, 5)]


def blur(image, size, border="reflect", value=0.0, **words):
    """Our mean of a box, 8 bits to 8 bits, and how many numbers lay outside."""
    weights = np.full(size, 1 / (size[0] * size[1]))
    windows = correlation_windows(image.shape[:2], size, padding="same")
    store = Store(np.uint8, 0, 255)
    plan = plan_correlation(weights, np.uint8)
    result, outside = correlate_stack(image[None, None], plan, windows, Border(border, value), store=store, **words)
    return result[0, 0], outside


def exact(image, size, border="reflect", value=0):
    """The same by integers: quotient and remainder, halves to even."""
    pads = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in size]
    words = {"constant_values": value} if border == "constant" else {}
    padded = np.pad(image.astype(np.int64), [*pads, (0, 0)], mode=border, **words)
    sums = sliding_window_view(sliding_window_view(padded, size[0], 0).sum(-1), size[1], 1).sum(-1)
    n = size[0] * size[1]
    quotient, twice = sums // n, 2 * (sums % n)
    return quotient + ((twice > n) | ((twice == n) & (quotient % 2 == 1)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_means_are_exact(rng, size, channels):
    image = rng.integers(0, 256, (37, 150, channels), np.uint8)
    result, outside = blur(image, size)
    np.testing.assert_array_equal(result, exact(image, size))
    assert outside == 0


@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (40, 7, 1), (5, 90, 2)])
@pytest.mark.parametrize("size", [(3, 3), (4, 6), (7, 7), (33, 35)])
def test_means_are_exact_beyond_every_border(rng, border, shape, size):
    image = rng.integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(blur(image, size, border, 77)[0], exact(image, size, border, 77))


@pytest.mark.parametrize("size", [(5, 5), (16, 16), (31, 31), (127, 127)])
def test_white_stays_white_and_steps_do_not_overflow(size):
    image = np.zeros((150, 300, 3), np.uint8)
    image[:, 100:] = 255
    np.testing.assert_array_equal(blur(image, size)[0], exact(image, size))


def test_every_sum_is_divided_exactly():
    for n in [*range(1, 40), 64, 100, 225, 256, 1023, 1024, 9999, 10201, 10404, 16129, 16383]:
        division = division_by(n)
        if division is None:
            continue
        sums = np.arange(255 * n + 1)
        got = np.rint((sums.astype(np.float32) * division.factor + division.grid) - division.grid)
        quotient, twice = sums // n, 2 * (sums % n)
        np.testing.assert_array_equal(got, quotient + ((twice > n) | ((twice == n) & (quotient % 2 == 1))), str(n))
    assert division_by(127 * 127) is not None
    assert division_by(128 * 128) is None


@pytest.mark.every_processor
def test_wide_images_are_cut_into_tiles_and_threads_do_not_matter(rng):
    image = rng.integers(0, 256, (20, 24000, 3), np.uint8)
    expected = exact(image, (5, 9))
    for threads in (1, 10**6):  # as many as there are
        set_threads(threads)
        np.testing.assert_array_equal(blur(image, (5, 9))[0], expected)


@pytest.mark.parametrize(
    ("size", "border", "value", "words"),
    [
        ((3, 3), "constant", 0.5, {}),  # no integer beyond the border
        ((9, 9), "constant", 300, {}),  # not 8 bits
        ((3, 3), "reflect", 0, {"scale": 2.0}),  # no mean
        ((9, 9), "reflect", 0, {"bias": 3.0}),
        ((MOST_ROWS + 2, 3), "edge", 0, {}),
    ],
)
def test_what_is_no_mean_takes_another_way(rng, size, border, value, words):
    image = rng.integers(0, 256, (23, 31, 3), np.uint8)
    pads = [((k - 1) // 2, k - 1 - (k - 1) // 2) for k in size]
    padded = np.pad(
        image.astype(float),
        [*pads, (0, 0)],
        mode=border,
        **({"constant_values": value} if border == "constant" else {}),
    )
    mean = sliding_window_view(padded, size, (0, 1)).mean((-1, -2))
    expected = np.clip(mean * words.get("scale", 1) + words.get("bias", 0), 0, 255)
    result, _ = blur(image, size, border, value, **words)
    assert np.abs(result - expected).max() < 0.501
