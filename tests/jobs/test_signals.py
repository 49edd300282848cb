"""Padding and morphology of signals: files in, files of the same kind out."""

from pathlib import Path

import numpy as np
import pytest
from made_signals import read_recording, write_recording
from scipy import ndimage

from convcli.images.signal_model import Signal
from convcli.jobs.morph import morph_signal, plan_morph
from convcli.jobs.pad import pad_signal, plan_pad


@pytest.fixture
def samples(tmp_path, monkeypatch, rng):
    """A 16-bit stereo WAV, ``voice.wav``, and its samples; the first channel alone is ``voice.npy``."""
    monkeypatch.chdir(tmp_path)
    samples = write_recording("voice.wav", rng, 200)
    np.save("voice.npy", samples[:, 0].astype(np.float64))
    return samples


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
def test_padding_is_numpys(convcli, samples, mode):
    result = convcli("pad", "voice.wav", "--amount", "3,5", "--mode", mode)
    assert (result.code, result.out) == (0, "voice_pad.wav\n"), result.err
    assert np.array_equal(read_recording("voice_pad.wav"), np.pad(samples, ((3, 5), (0, 0)), mode))
    assert convcli("pad", "voice.npy", "--amount", 4, "--mode", mode, "-o", "out.npy").code == 0
    assert np.array_equal(np.load("out.npy"), np.pad(samples[:, 0].astype(float), 4, mode))


def test_a_constant_for_each_channel(convcli, samples):
    assert convcli("pad", "voice.wav", "--amount", 2, "--value=-7,9", "-o", "out.wav").code == 0
    assert read_recording("out.wav")[:2].tolist() == [[-7, 9]] * 2
    result = convcli("pad", "voice.wav", "--amount", 2, "--value", "1,2,3", "-o", "x.wav")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "value: got 3 numbers, expected 1 or 2" in result.err


@pytest.mark.parametrize(
    ("operation", "theirs"),
    [
        ("dilate", ndimage.grey_dilation),
        ("erode", ndimage.grey_erosion),
        ("open", ndimage.grey_opening),
        ("gradient", ndimage.morphological_gradient),
    ],
)
def test_morphology_is_scipys(convcli, samples, operation, theirs):
    result = convcli("morph", operation, "voice.npy", "--size", 5, "--border", "edge", "-o", "out.npy")
    assert result.code == 0, result.err
    expected = theirs(samples[:, 0].astype(float), size=5, mode="nearest")
    assert np.array_equal(np.load("out.npy")[5:-5], expected[5:-5])


def test_an_element_of_one_row(convcli, samples):
    assert convcli("morph", "dilate", "voice.wav", "--element", "1 1 0", "-o", "out.wav").code == 0
    # Dilation lays the element down at every sample: each also reaches the one before it.
    assert np.array_equal(read_recording("out.wav"), np.maximum(samples, np.vstack([samples[1:], samples[-1:]])))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["morph", "open", "voice.wav", "--element", "disk:radius=2"], "element: got 5 rows for a signal"),
        (["morph", "open", "voice.wav", "--size", "3x3"], "size: got 2 numbers for a signal, expected 1"),
        (["pad", "voice.wav", "--amount", "1,2,3"], "expected N or BEFORE,AFTER"),
        (["pad", "voice.wav", "picture.png", "--amount", "1"], "got the signal voice.wav beside picture.png"),
    ],
)
def test_wrong_words_are_one_line(convcli, samples, words, message):
    Path("picture.png").write_bytes(b"")
    result = convcli(*words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_whole_numbers_beyond_53_bits_stay_exact(dtype):
    numbers = np.array([[2**53 + 3], [5], [2**62 + 1]], dtype)
    signal = Signal(numbers, "NPY", lambda *rest: b"")
    padded = pad_signal(signal, plan_pad(1, mode="edge", axes="x")).samples
    assert padded.dtype == dtype
    assert padded[:, 0].tolist() == [2**53 + 3, 2**53 + 3, 5, 2**62 + 1, 2**62 + 1]
    dilated = morph_signal(signal, plan_morph("dilate", size=2, axes="x")).samples[:, 0].tolist()
    assert dilated == [2**53 + 3, 2**62 + 1, 2**62 + 1]
    gradient = morph_signal(signal, plan_morph("gradient", size=3, axes="x")).samples[:, 0].tolist()
    assert gradient == [2**53 - 2, 2**62 - 4, 2**62 - 4]
