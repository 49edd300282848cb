"""`convcli equivariance` as people type it."""

import json

import numpy as np
import pytest
from made_models import digits_model
from PIL import Image


@pytest.fixture
def photo(tmp_path, monkeypatch, rng):
    """photo.png in the working folder."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).save("photo.png")


def test_a_kernel(convcli, photo):
    result = convcli("equivariance", "photo.png", "-k", "sobel-x")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[2].split()[:4] == ["sobel-x", "3,5", "0", "0"]
    assert "1.5,2.5 -> " in lines[3]
    assert max(map(len, lines)) <= 80
    document = json.loads(convcli("equivariance", "photo.png", "-k", "-1 0 1", "--shift", "-2,4", "--json").out)
    assert document["shift"] == [-2, 4]
    assert [step["interior"]["largest"] for step in document["steps"]] == [0, 0, 0]
    assert document["steps"][1]["wanted"] == [-1, 2]


def test_a_picture(convcli, photo):
    result = convcli("equivariance", "photo.png", "-k", "box", "-o", "shift.png")
    assert result.out.splitlines()[-1] == "shift.png"
    with Image.open("shift.png") as picture:
        assert picture.height > 600
    again = convcli("equivariance", "photo.png", "-k", "box", "-o", "shift.png")
    assert (again.code, again.out) == (1, "")


def test_a_model(convcli, photo, tmp_path):
    model = digits_model(tmp_path / "digits.safetensors")
    drawn = np.full((40, 40), 255, np.uint8)
    drawn[8:32, 18:22] = 0
    Image.fromarray(drawn).save("one.png")
    result = convcli("equivariance", "one.png", "--model", model, "--shift", "1,0")
    assert result.code == 0
    assert "dense_1" in result.out
    assert "stays" in result.out
    # A network of rows of values only has no map to draw, but inputs.
    assert convcli("equivariance", "one.png", "--model", model, "--shift", "1,0", "-o", "m.png").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["photo.png"], 2, "neither -k nor --model"),
        (["photo.png", "-k", "box", "--model", "m"], 2, "both -k and --model"),
        (["photo.png", "-k", "nothing"], 2, "nothing"),
        (["photo.png", "-k", "canny"], 2, "canny"),
        (["photo.png", "-k", "box", "--shift", "3"], 2, "got '3'"),
        (["photo.png", "-k", "box", "--shift", "30,0"], 1, "30 rows"),
        (["photo.png", "-k", "box", "-o", "x.txt"], 2, "x.txt"),
        (["photo.png", "--model", "none.safetensors"], 1, "none.safetensors"),
        (["none.png", "-k", "box"], 1, "no such file"),
    ],
)
def test_errors_are_one_line(convcli, photo, words, code, message):
    result = convcli("equivariance", *words)
    assert (result.code, result.out, result.err.count("\n")) == (code, "", 1)
    assert message in result.err
