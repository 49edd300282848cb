"""`convcli filters` as people type it."""

import json
from pathlib import Path

import pytest
from made_models import conv_model
from PIL import Image


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conv_model("m.safetensors", ["conv:6,kernel=3", "flatten", "dense:2,softmax"], (8, 8, 1), "ab")


def test_a_picture_beside_the_model(convcli):
    result = convcli("filters", "m.safetensors")
    assert (result.code, result.out) == (0, "m_filters.png\n"), result.err
    with Image.open("m_filters.png") as image:
        assert image.mode == "RGB"
    assert convcli("filters", "m.safetensors").code == 1
    document = json.loads(convcli("filters", "m.safetensors", "-o", "x.png", "--filters", 3, "--json").out)
    assert {key: document[key] for key in ("layer", "shape", "filters", "inputs")} == {
        "layer": "conv_1", "shape": [3, 3, 1, 6], "filters": 3, "inputs": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["m.safetensors", "--layer", "conv_2"], 1, "expected one of conv_1"),
        (["none.safetensors"], 1, "none.safetensors"),
        (["m.safetensors", "-o", "x.svg"], 2, "x.svg"),
        (["m.safetensors", "--filters", "0"], 2, "--filters"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, words, code, message):
    result = convcli("filters", *words)
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["m.safetensors"]
