"""`convcli pool`, `pad` and `morph` as people type them. Pixels are tests/jobs/test_colours.py's."""

import json

import numpy as np
import pytest
from PIL import Image

import convcli as library

LECTURE = np.array([[2, 3, 1, 9], [4, 7, 3, 5], [8, 2, 2, 2], [1, 3, 4, 5]], np.uint8)


@pytest.fixture
def photo(tmp_path, monkeypatch, rng):
    """A small PNG beside which outputs go, and its pixels."""
    monkeypatch.chdir(tmp_path)
    pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png", dpi=(100, 100))
    return pixels


def pixels_of(name):
    with Image.open(name) as image:
        return np.asarray(image)


def test_the_lecture(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("lecture.npy", LECTURE)
    assert convcli("pool", "lecture.npy", "--size", 2, "-o", "max.npy").out == "max.npy\n"
    assert np.load("max.npy").squeeze().tolist() == [[7, 9], [8, 5]]
    convcli("pool", "lecture.npy", "--size", 2, "--mode", "average", "--depth", "float", "-o", "average.npy")
    assert np.allclose(np.load("average.npy").squeeze() * 255, [[4, 4.5], [3.5, 3.25]])
    np.save("zeros.npy", np.ones((32, 32, 3), np.uint8))
    convcli("pad", "zeros.npy", "--amount", 1, "-o", "one.npy")
    convcli("pad", "zeros.npy", "--amount", 2, "-o", "two.npy")
    assert np.load("one.npy").shape == (34, 34, 3)
    assert np.load("two.npy").shape == (36, 36, 3)


@pytest.mark.parametrize(
    ("words", "target", "expected"),
    [
        (["pool", "--size", "2"], "photo_max-pool.png", lambda p: library.pool2d(p, 2)),
        (
            ["pool", "--size", "2x3", "--mode", "min", "--stride", "1", "--padding", "same", "--ceil"],
            "photo_min-pool.png",
            lambda p: library.pool2d(p, (2, 3), mode="min", stride=1, padding="same", ceil_mode=True),
        ),
        (
            ["pool", "--global", "--mode", "median"],
            "photo_median-pool.png",
            lambda p: library.pool2d(p, "global", mode="median"),
        ),
        (
            ["pool", "--adaptive", "7x40", "--mode", "median"],
            "photo_median-pool.png",
            lambda p: library.adaptive_pool2d(p, (7, 40), mode="median"),
        ),
        (["pad", "--amount", "3"], "photo_pad.png", lambda p: library.pad2d(p, 3)),
        (
            ["pad", "--amount", "1,2", "--value", "7,8,9"],
            "photo_pad.png",
            lambda p: library.pad2d(p, (1, 2), value=(7, 8, 9)),
        ),
        (
            ["pad", "--amount", "1,2,3,4", "--mode", "reflect"],
            "photo_pad.png",
            lambda p: library.pad2d(p, ((1, 3), (4, 2)), mode="reflect"),
        ),
        (["morph", "dilate", "--size", "3"], "photo_dilate.png", lambda p: library.morph2d(p, "dilate", size=3)),
        (
            ["morph", "tophat", "--element", "disk:radius=3", "--border", "edge"],
            "photo_tophat.png",
            lambda p: library.morph2d(p, "tophat", element="disk:radius=3", border="edge"),
        ),
    ],
)
def test_each_command_does_what_its_function_does(convcli, photo, words, target, expected):
    result = convcli(*words, "photo.png")
    assert (result.code, result.out, result.err) == (0, f"{target}\n", "")
    assert np.array_equal(pixels_of(target), expected(photo))
    spread = {"2": (50, 50), "--global": (100 / 30, 100 / 20), "--adaptive": (100 * 40 / 30, 100 * 7 / 20)}
    dpi = next((spread[word] for word in words if word in spread and words[0] == "pool"), (100, 100))
    with Image.open(target) as image:
        assert image.info["dpi"] == pytest.approx(dpi, abs=0.1)
    again = convcli(*words, "photo.png")
    assert again.code == 1
    assert "--overwrite" in again.err
    assert convcli(*words, "photo.png", "--overwrite").code == 0


def test_json_and_many_inputs(convcli, photo):
    Image.fromarray(photo[::-1]).save("second.png")
    result = convcli("morph", "erode", "photo.png", "second.png", "missing.png", "--size", 3, "-o", "out/", "--json")
    assert result.code == 1
    document = json.loads(result.out)
    assert [each["output"] for each in document["files"]] == ["out/photo_erode.png", "out/second_erode.png"]
    assert document["files"][0]["operation"] == "erode"
    assert document["files"][0]["shape"] == [20, 30, 3]
    assert document["errors"][0]["input"] == "missing.png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pool"], "got none of --size, --global, --adaptive"),
        (["pool", "--size", "2", "--global"], "got --size and --global of"),
        (["pool", "--adaptive", "2", "--size", "2"], "got --size and --adaptive of"),
        (["pool", "--adaptive", "2", "--stride", "2"], "stride: got (2,) with adaptive windows"),
        (["pool", "--adaptive", "2", "--padding", "same"], "padding: got 'same' with adaptive windows"),
        (["pool", "--adaptive", "2", "--mode", "average", "--count-include-pad"], "they have no padding"),
        (["pool", "--adaptive", "2x2x2"], "adaptive: got 3 numbers for a picture"),
        (["pool", "--size", "0"], "size"),
        (["pool", "--size", "2", "--count-include-pad"], "count_include_pad"),
        (["pool", "--global", "--stride", "2"], "stride: got"),
        (["pad", "--amount", "1,2,3"], "amount: got '1,2,3'"),
        (["pad", "--amount", "-1"], "amount"),
        (["pad", "--amount", "1", "--value", "redd"], "value: got 'redd'"),
        (["pad"], "--amount"),
        (["morph", "dilate", "--size", "3", "--element", "cross"], "both"),
        (["morph", "dilate", "--element", "star"], "element: got 'star'"),
        (["morph", "grow", "--size", "3"], "'grow'"),
        (["morph", "dilat"], "'blackhat'; did you mean 'dilate'? (see: convcli morph --help)"),
        (["morph", "dilate", "--element", "dsk:radius=2"], "element: got 'dsk:radius=2'; did you mean 'disk'?"),
        (["pool", "--size", "2", "--mode", "avrage"], "'stochastic'; did you mean 'average'?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(convcli, photo, words, message):
    result = convcli(*words, "photo.png")
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


@pytest.mark.parametrize("words", [["pool", "--size", "21"], ["pad", "--amount", "1", "--value", "256"]])
def test_what_does_not_fit_the_picture_is_exit_1(convcli, photo, words):
    result = convcli(*words, "photo.png", "-o", "never.png")
    assert result.code == 1
    assert result.err.startswith("Error: photo.png: ")
    assert result.err.count("\n") == 1


def test_a_frame_of_a_colour_whatever_the_depth(convcli, tmp_path):
    deep, plain = np.zeros((4, 5, 3), np.uint16), np.zeros((4, 5, 4), np.uint8)
    library.write(tmp_path / "deep.png", deep)
    library.write(tmp_path / "alpha.png", plain)
    library.write(tmp_path / "grey.png", plain[..., 0])
    np.save(tmp_path / "signed.npy", plain[..., 0].astype(np.int16))
    words = ["--amount", "1", "--value"]
    for name, colour, expected in (
        ("deep", "white", [65535] * 3),
        ("deep", "#f00", [65535, 0, 0]),
        ("alpha", "white", [255] * 4),
        ("grey", "white", 255),
    ):
        output = ("-o", tmp_path / "o.png", "--overwrite")
        assert convcli("pad", tmp_path / f"{name}.png", *words, colour, *output).code == 0
        np.testing.assert_array_equal(library.read(tmp_path / "o.png")[0, 0], expected)
    assert "got a colour for a grey picture" in convcli("pad", tmp_path / "grey.png", *words, "red").err
    assert "whose white nobody knows" in convcli("pad", tmp_path / "signed.npy", *words, "white").err
    assert "colours are for pictures" in convcli("pad", tmp_path / "grey.png", "--axes", "zyx", *words, "white").err
