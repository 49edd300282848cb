"""Filtering signals: means, echoes, and which samples columns that were kept belong to."""

import numpy as np
import pytest

from convcli.errors import ConvcliError, KernelError
from convcli.images.signal_model import Signal
from convcli.jobs.filter import plan_filter
from convcli.jobs.filter_signal import filter_signal


def signal(samples, **words):
    array = np.asarray(samples, words.pop("dtype", np.float64))
    return Signal(array.reshape(len(array), -1), words.pop("format", "NPY"), lambda *rest: b"", **words)


def filtered(samples, *specs, words=None, **options):
    return filter_signal(signal(samples, **(words or {})), plan_filter(specs, axes="x", **options))


def test_a_moving_average_is_numpys(rng):
    series = rng.standard_normal((50, 2))
    got = filtered(series, "box:size=9", padding="valid").samples
    expected = np.stack([np.convolve(column, np.ones(9) / 9, "valid") for column in series.T], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_a_mean_is_divided_once():
    assert filtered([2.5, 4.5, 2.0], "box:size=3", padding="valid").samples.tolist() == [[3.0]]
    assert filtered([2.5, 4.5, 2.0], "1/3 1/3 1/3", padding="valid", scale=2, bias=1).samples.tolist() == [[7.0]]


@pytest.mark.parametrize(
    ("spec", "row"),
    [
        ("binomial:size=5", [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]),
        ("laplacian", [1, -2, 1]),
        ("sharpen", [-1, 3, -1]),
        ("sobel-x", [-4, 0, 4]),
        ("1 2 3 4", [1, 2, 3, 4]),
        ("1; 2; 3", [1, 2, 3]),
    ],
)
def test_kernels_act_as_on_a_picture_whose_rows_are_the_signal(rng, spec, row):
    series = rng.standard_normal(30)
    got = filtered(series, spec, padding="valid").samples[:, 0]
    np.testing.assert_allclose(got, np.correlate(series, row, "valid"), rtol=1e-12, atol=1e-13)


def test_gaussian_along_time(rng):
    series = rng.standard_normal(40)
    taps = np.exp(-0.5 * (np.arange(-8, 9) / 2) ** 2)
    got = filtered(series, "gaussian:sigma=2", padding="valid").samples[:, 0]
    np.testing.assert_allclose(got, np.convolve(series, taps / taps.sum(), "valid"), rtol=1e-12)


def test_an_echo(rng):
    sound = rng.integers(-9000, 9000, (100, 2))
    words = {"format": "WAV", "limits": (-32768.0, 32767.0)}
    got = filtered(sound, "1 0.5", dilation=30, convolve=True, padding="full", border="constant", words=words).samples
    expected = np.zeros((130, 2))
    expected[:100] += sound
    expected[30:] += sound / 2
    np.testing.assert_array_equal(got, np.rint(expected))


def test_integers_saturate_and_the_share_is_told():
    words = {"format": "WAV", "limits": (-128.0, 127.0)}
    got = filtered([100.0, -100.0, 3.0, 0.0], "1", scale=2, words=words)
    assert got.samples[:, 0].tolist() == [127, -128, 6, 0]
    assert got.clipped == 0.5
    assert got.details["range"] == "clip"


def test_ranges(rng):
    sound = np.array([0.5, -0.75])
    floats = {"format": "WAV", "full_scale": 1.0}
    assert filtered(sound, "2", words=floats).samples[:, 0].tolist() == [1, -1.5]
    assert filtered(sound, "2", words=floats, range="clip").samples[:, 0].tolist() == [1, -1]
    assert filtered(sound, "2", range="abs").samples[:, 0].tolist() == [1, 1.5]
    with pytest.raises(ConvcliError, match="got clip for NPY, which has no limits"):
        filtered(sound, "2", range="clip")
    with pytest.raises(ConvcliError, match="got raw for a WAV of integers"):
        filtered(sound, "2", range="raw", words={"format": "WAV", "limits": (-128.0, 127.0)})


def test_channels_are_summed(rng):
    sound = rng.standard_normal((20, 3))
    np.testing.assert_allclose(filtered(sound, "1", channels="sum").samples[:, 0], sound.sum(1), rtol=1e-12)


@pytest.mark.parametrize(
    ("specs", "options", "positions"),
    [
        (["1 1 1"], {}, [0, 1, 2, 3, 4, 5]),
        (["1 1 1"], {"padding": "valid"}, [1, 2, 3, 4]),
        (["1 1 1", "1 1 1"], {"padding": "valid"}, [2, 3]),
        (["1 1 1"], {"padding": "full"}, [-1, 0, 1, 2, 3, 4, 5, 6]),
        (["1 1"], {"padding": "valid"}, [0, 1, 2, 3, 4]),
        (["1 1 1"], {"stride": 2, "padding": "valid"}, [1, 3]),
        (["1 1 1"], {"dilation": 2, "padding": 1}, [1, 2, 3, 4]),
    ],
)
def test_samples_stand_at_their_windows_anchors(specs, options, positions):
    got = filtered(np.arange(6.0), *specs, **options)
    assert got.positions.tolist() == positions
    assert len(got.samples) == len(positions)


def test_float32_stays_float32(rng):
    assert filtered(rng.random(9), "box", words={"dtype": np.float32}).samples.dtype == np.float32


@pytest.mark.parametrize(
    ("spec", "options", "error", "message"),
    [
        ("1 2; 3 4", {}, KernelError, "got 2x2 weights, expected one row for a signal"),
        ("sobel-y", {}, KernelError, "every weight is zero along a signal"),
        ("box3d", {}, KernelError, "expected a 1-D one for a signal"),
        ("box", {"range": "minmax"}, ConvcliError, "range: got minmax for a signal, expected auto"),
        ("box", {"depth": "8"}, ConvcliError, "depth: got 8 for a signal"),
        ("box", {"alpha": "drop"}, ConvcliError, "alpha: got drop for a signal"),
        ("box", {"linear": True}, ConvcliError, "leave --linear out"),
        ("box", {"stride": (1, 2)}, ConvcliError, "stride: got 2 numbers for a signal, expected 1"),
        ("box", {"padding": (1, 2)}, ConvcliError, "padding: got 2 numbers for a signal, expected 1"),
    ],
)
def test_words_that_make_no_sense_are_refused(spec, options, error, message):
    with pytest.raises(error, match=message):
        plan_filter([spec], axes="x", **options)


LARGE = 2**53 + 3


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize(
    ("specs", "options", "expected"),
    [
        (["identity"], {}, [LARGE, 5, 2**62 + 7, 1]),
        (["1 0 0"], {"border": "edge"}, [LARGE, LARGE, 5, 2**62 + 7]),
        (["1 0 0", "0 0 1"], {"border": "constant", "border_value": 9}, [LARGE, 5, 2**62 + 7, 9]),
        (["1 0"], {"stride": 2, "padding": "valid"}, [LARGE, 2**62 + 7]),
    ],
)
def test_whole_numbers_beyond_53_bits_are_moved_exactly(dtype, specs, options, expected):
    got = filtered([LARGE, 5, 2**62 + 7, 1], *specs, words={"dtype": dtype}, **options).samples
    assert got.dtype == dtype
    assert got[:, 0].tolist() == expected


def test_negative_whole_numbers_beyond_53_bits_too():
    numbers = [-LARGE, -(2**63), 2**63 - 1, -1]
    assert filtered(numbers, "identity", words={"dtype": "int64"}).samples[:, 0].tolist() == numbers


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("box", {}),
        ("2", {}),
        ("1 1", {}),
        ("sobel-x", {}),
        ("1", {"scale": 2}),
        ("1", {"bias": 1}),
        ("1", {"activation": "relu"}),
        ("1", {"range": "abs"}),
        ("1", {"channels": "sum"}),
        ("0 0 1", {"border": "constant", "border_value": 0.5}),
    ],
)
def test_what_would_round_whole_numbers_is_refused(spec, options):
    with pytest.raises(ConvcliError, match=r"got int64 values beyond 2\*\*53 with .*, which would round them"):
        filtered([LARGE, 5, 2**62 + 7, 1], spec, words={"dtype": "int64"}, **options)
