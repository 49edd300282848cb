"""`convcli receptive` as people type it."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from made_models import digits_model
from PIL import Image


def test_the_table(convcli):
    result = convcli("receptive", "lenet5", "--layer", "S4", "--unit", "0,1")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "a unit of S4 (row 0, column 1 of 5x5) sees 16x16 of the input's 32x32 pixels"
    assert lines[2].split() == ["layer", "output", "unit", "field", "step", "rows", "columns"]
    assert lines[-1].split() == ["S4", "5x5x16", "0,1", "16x16", "4", "0..15", "4..19"]
    assert max(map(len, lines)) <= 80


def test_a_chain_of_layers(convcli):
    result = convcli("receptive", "--input", "32x32x1", "conv:8", "conv:8", "conv:8")
    assert result.out.startswith("a unit of conv_3 (row 13, column 13 of 26x26) sees 7x7 of the input's 32x32 pixels\n")
    for words, code, message in [
        (["conv:8", "conv:8"], 1, "input: got none, expected the size that the layers are given: --input 32x32x1"),
        (["--input", "9x9x1", "conv:8", "pol:2"], 2, "layer 2 (pol:2): unknown layer 'pol'; did you mean 'pool'?"),
    ]:
        result = convcli("receptive", *words)
        assert (result.code, result.out) == (code, "") and message in result.err


def test_fields_wider_than_the_input(convcli):
    result = convcli("receptive", "googlenet")
    assert result.out.splitlines()[0].endswith(
        "sees 224x224 of the input's 224x224 pixels; with padding its field is 715x715"
    )
    assert max(map(len, result.out.splitlines()[1:])) <= 80


def test_the_trained_model_that_comes_with_convcli(convcli):
    for command in ("receptive", "summary"):
        result = convcli(command, "shipped")
        assert (result.code, result.err) == (0, "")
        assert "conv_5" in result.out
        assert max(map(len, result.out.splitlines())) <= 80


def test_json(convcli):
    document = json.loads(convcli("receptive", "vgg16", "--input", "64x64", "--layer", "pool_2", "--json").out)
    assert (document["input"], document["field"], document["unit"]) == ([64, 64, 3], [16, 16], [8, 8])
    assert [each["name"] for each in document["layers"]][-1] == "pool_2"
    assert document["layers"][-1]["inside"] == document["layers"][-1]["spans"] == [[26, 41], [26, 41]]


def test_a_drawing_is_no_output_in_json(convcli, tmp_path):
    told = json.loads(convcli("receptive", "mnist", "-o", tmp_path / "f.svg", "--json").out)
    assert told["drawing"] == str(tmp_path / "f.svg") and "output" not in told


def test_drawings(convcli, tmp_path, monkeypatch):
    target = tmp_path / "field.png"
    assert convcli("receptive", "mnist", "-o", target).out.splitlines()[-1] == str(target)
    assert convcli("receptive", "mnist", "-o", target).code == 1
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(photo)
    result = convcli("receptive", "mnist", "-o", tmp_path / "over.svg", "--image", photo)
    assert result.code == 0
    assert "data:image/png" in (tmp_path / "over.svg").read_text()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(photo.read_bytes())))
    assert convcli("receptive", "mnist", "-o", tmp_path / "piped.svg", "--image", "-").code == 0
    assert (tmp_path / "piped.svg").read_text() == (tmp_path / "over.svg").read_text()


def test_a_model_that_has_no_map(convcli, tmp_path):
    result = convcli("receptive", digits_model(tmp_path / "digits.safetensors"))
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "no layer with a map" in result.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["lenet"], 2, "did you mean 'lenet5'?"),
        (["lenet5", "--unit", "a,b"], 2, "--unit"),
        (["lenet5", "--unit", "9,9"], 1, "1x1, from 0"),
        (["lenet5", "--layer", "x"], 1, "expected one of C1"),
        (["lenet5", "--image", "a.png"], 2, "--image without -o"),
        (["lenet5", "-o", "a.gif"], 2, "a.gif"),
        (["lenet5", "-o", "a.png", "--image", "none.png"], 1, "no such file"),
        (["none.toml"], 1, "none.toml"),
    ],
)
def test_errors_are_one_line(convcli, tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    result = convcli("receptive", *words)
    assert (result.code, result.out, result.err.count("\n")) == (code, "", 1)
    assert message in result.err
