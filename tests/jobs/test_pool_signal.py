"""Pooling of signals: files in, files of the same kind out."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_signals import read_recording, write_recording

import convcli as library
from convcli.errors import ConvcliError
from convcli.images.signal_model import Signal
from convcli.jobs.pool import plan_pool, pool_signal


@pytest.fixture
def samples(tmp_path, monkeypatch, rng):
    """A 16-bit stereo WAV of 1000 samples, and its samples."""
    monkeypatch.chdir(tmp_path)
    return write_recording("voice.wav", rng, 1000)


@pytest.mark.parametrize("mode", ["max", "average", "median"])
def test_a_wav(convcli, samples, mode):
    result = convcli("pool", "voice.wav", "--size", 4, "--mode", mode)
    assert (result.code, result.out) == (0, f"voice_{mode}-pool.wav\n"), result.err
    pooled = read_recording(f"voice_{mode}-pool.wav", rate=2000)
    assert np.array_equal(pooled, np.rint(library.pool1d(samples[None], 4, mode=mode)[0]))


def test_windows_that_share_a_wav_out(convcli, samples):
    result = convcli("pool", "voice.wav", "--adaptive", 300, "-o", "short.wav")
    assert result.code == 0, result.err
    pooled = read_recording("short.wav", rate=2400)
    assert np.array_equal(pooled, library.adaptive_pool1d(samples[None], 300)[0])


def test_norms_are_clipped_and_said_so(convcli, samples):
    result = convcli("pool", "voice.wav", "--size", 4, "--mode", "lp", "--json", "-o", "norm.wav")
    assert result.code == 0
    assert "were clipped" in result.err
    assert json.loads(result.out)["files"][0]["clipped"] > 0.1
    assert read_recording("norm.wav", rate=2000).max() == 32767


def test_a_moving_average_of_a_table(convcli, samples):
    rows = "\n".join(f"2024-01-{day:02d},{day * day}" for day in range(1, 11))
    Path("prices.csv").write_text(f"date,price\n{rows}\n")
    result = convcli("pool", "prices.csv", "--size", 3, "--stride", 1, "--mode", "average", "-o", "mean.csv")
    assert result.code == 0, result.err
    lines = Path("mean.csv").read_text().splitlines()
    assert lines[0] == "date,price"
    assert [line.split(",")[0] for line in lines[1:]] == [f"2024-01-{day:02d}" for day in range(2, 10)]
    means = [float(line.split(",")[1]) for line in lines[1:]]
    assert np.allclose(means, np.convolve(np.arange(1, 11) ** 2, np.ones(3) / 3, "valid"))


@pytest.mark.parametrize(
    "words", [["--padding", "same", "--stride", "2"], ["--padding", "1"], ["--ceil"], ["--global"]]
)
def test_an_array_with_other_words(convcli, samples, words):
    signal = np.linspace(0, 1, 11)
    np.save("signal.npy", signal)
    size = [] if words == ["--global"] else ["--size", "3"]
    result = convcli("pool", "signal.npy", *size, *words, "-o", "out.npy")
    assert result.code == 0, result.err
    keywords = {"--padding": {"padding": words[-1]}, "--ceil": {"ceil_mode": True}, "--global": {}}[words[0]]
    keywords = {"padding": "same", "stride": 2} if "same" in words else keywords
    keywords = {"padding": 1} if words == ["--padding", "1"] else keywords
    expected = library.pool1d(signal[None, :, None], 3 if size else "global", **keywords)
    assert np.array_equal(np.load("out.npy"), expected[0, :, 0])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--size", "2x2"], 2, "size: got 2 numbers for a signal"),
        (["--size", "2", "--alpha", "drop"], 2, "alpha: got drop for a signal"),
        (["--size", "2", "--format", "png"], 2, "format: got png"),
        (["--size", "1001", "-o", "out.wav"], 1, "size: spans 1001"),
    ],
)
def test_errors(convcli, samples, words, code, message):
    result = convcli("pool", "voice.wav", *words)
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("mode", ["max", "min", "median", "average", "weighted", "lp"])
def test_whole_numbers_beyond_53_bits_are_chosen_exactly_or_refused(mode):
    numbers = np.array([[2**53 + 3], [2**53 + 1], [5], [2**62 + 1]], np.int64)
    signal, plan = Signal(numbers, "NPY", lambda *rest: b""), plan_pool(2, mode=mode, axes="x")
    if mode in ("average", "weighted", "lp"):
        with pytest.raises(ConvcliError, match=rf"int64 values beyond 2\*\*53 with {mode}-pool"):
            pool_signal(signal, plan)
        return
    expected = {"max": [2**53 + 3, 2**62 + 1], "min": [2**53 + 1, 5], "median": [2**53 + 1, 5]}[mode]
    assert pool_signal(signal, plan).samples[:, 0].tolist() == expected
