"""Raw frames from standard input to standard output: each as the picture alone would be, cut-off ones named."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import convcli
from convcli.cli import run as command_line

FRAMES = np.random.default_rng(2).integers(0, 256, (4, 12, 17, 3), dtype=np.uint8)


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Call the command line with such standard input."""

    def call(data, *words):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = command_line(list(words))
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        return SimpleNamespace(returncode=code, stdout=captured.out, stderr=captured.err)

    return call


def test_frames_one_after_the_other(run):
    done = run(FRAMES.tobytes(), "filter", "-", "-k", "box", "--format", "rawvideo", "--size", "17x12")
    assert done.returncode == 0 and done.stderr.decode().endswith("4 frames: 17x12 rgb24 to 17x12 rgb24\n")
    got = np.frombuffer(done.stdout, np.uint8).reshape(FRAMES.shape)
    for each, before in zip(got, FRAMES, strict=True):
        np.testing.assert_array_equal(each, convcli.filter(before, "box"))


def test_a_last_frame_that_is_cut_off(run):
    words = ("pad", "-", "--amount", "1", "--format", "rawvideo", "--frame-size", "17x12", "-q")
    done = run(FRAMES.tobytes()[:-5], *words)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "Error: standard input: frame 4 is cut off: got 607 of 612 bytes, expected whole frames of 17x12 rgb24; "
        "check --frame-size and --pix-fmt\n"
    )
    got = np.frombuffer(done.stdout, np.uint8).reshape(3, 14, 19, 3)  # all before it are there
    np.testing.assert_array_equal(got[:, 1:-1, 1:-1], FRAMES[:3])
    assert run(b"", *words).returncode == 1


@pytest.mark.parametrize(("pixels", "channels", "dtype"), [("gray", 1, "<u1"), ("rgba64le", 4, "<u2")])
def test_pool_and_morph_in_other_pixels(run, pixels, channels, dtype):
    frames = np.random.default_rng(3).integers(0, 256, (2, 8, 6, channels)).astype(dtype)
    frames[..., -1] = 200
    like = ("--format", "rawvideo", "--frame-size", "6x8", "--pix-fmt", pixels)
    done = run(frames.tobytes(), "pool", "-", "--size", "2", *like)
    got = np.frombuffer(done.stdout, dtype).reshape(2, 4, 3, channels)
    if channels == 1:
        np.testing.assert_array_equal(got, frames.reshape(2, 4, 2, 3, 2, 1).max(axis=(2, 4)))
    assert done.stderr.decode().endswith(f"2 frames: 6x8 {pixels} to 3x4 {pixels}\n") and (got[..., -1] == 200).all()
    assert len(run(frames.tobytes(), "morph", "dilate", "-", "--size", "3", *like).stdout) == frames.nbytes


def test_channels_that_change_are_told(run):
    words = ("-k", "box", "--channels", "gray", "--format", "rawvideo", "--size", "17x12")
    done = run(FRAMES.tobytes(), "filter", "-", *words)
    assert done.stderr.decode().endswith("4 frames: 17x12 rgb24 to 17x12 gray\n") and len(done.stdout) == 4 * 12 * 17


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-",), "without the size of its frames, expected --frame-size WxH"),
        (("a.png", "--size", "4x4"), "got a file with --format rawvideo, expected - for standard input"),
        (("-", "--size", "4"), "got '4', expected WIDTHxHEIGHT as in 640x480"),
        (("-", "--size", "4x4", "--axes", "x"), "axes: got x with --format rawvideo"),
        (("-", "--size", "4x4", "--json"), "got --json with --format rawvideo"),
        (("-", "--size", "90000x90000"), "got 90000x90000 = 8100000000 pixels"),
    ],
)
def test_words_that_do_not_go_together(run, words, message):
    done = run(b"", "filter", *words, "-k", "1 2 1", "--format", "rawvideo")
    assert done.returncode in (1, 2) and message in done.stderr.decode()
    assert (done.stdout == b"") == ("--json" not in words)


def test_a_size_without_frames(run):
    done = run(b"", "filter", "-", "-k", "box", "--size", "4x4")
    assert done.returncode == 2 and "without --format rawvideo" in done.stderr.decode()
