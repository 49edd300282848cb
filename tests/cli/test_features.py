"""`convcli features` as people type it."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_models import conv_model
from PIL import Image


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A model and a picture."""
    monkeypatch.chdir(tmp_path)
    conv_model("m.safetensors", ["conv:6,kernel=3,relu", "pool:2", "flatten", "dense:2,softmax"], (8, 8, 1), "ab")
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save("p.png")
    return tmp_path


def test_a_picture_beside_the_picture(convcli, folder):
    result = convcli("features", "m.safetensors", "p.png")
    assert (result.code, result.out) == (0, "p_features.png\n"), result.err
    with Image.open("p_features.png") as image:
        assert image.mode == "RGB"
        assert image.width <= 1400
    assert convcli("features", "m.safetensors", "p.png").code == 1
    document = json.loads(convcli("features", "m.safetensors", "p.png", "--overwrite", "--json", "--maps", 2).out)
    assert [each["name"] for each in document["layers"]] == ["conv_1", "pool_1", "dense_1"]
    assert document["layers"][0]["shown"] == 2
    assert document["output"] == "p_features.png"


def test_a_picture_from_standard_input(convcli, monkeypatch, folder):
    stream = io.BytesIO(Path("p.png").read_bytes())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
    result = convcli("features", "m.safetensors", "-", "--json")
    assert result.code == 0, result.err
    piped = json.loads(result.out)
    named = json.loads(convcli("features", "m.safetensors", "p.png", "--json").out)
    assert (piped["file"], piped["output"]) == ("-", "stdin_features.png")
    assert Path("stdin_features.png").is_file()
    assert piped | {"file": "", "output": ""} == named | {"file": "", "output": ""}


def test_what_is_no_number_is_no_picture(convcli, folder, monkeypatch):
    pixels = np.zeros((8, 8), np.float32)
    pixels[3, 3] = np.nan
    np.save("n.npy", pixels)
    result = convcli("features", "m.safetensors", "n.npy")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: n.npy: picture: got NaN or infinite pixels")
    assert not Path("n_features.png").exists()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(Path("n.npy").read_bytes())))
    piped = convcli("features", "m.safetensors", "-")
    assert piped.err.startswith("Error: standard input: picture: got NaN or infinite pixels")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["m.safetensors", "p.png", "--layers", "conv_7"], 1, "layers: got 'conv_7'"),
        (["m.safetensors", "none.png"], 1, "none.png: no such file"),
        (["none.safetensors", "p.png"], 1, "none.safetensors"),
        (["m.safetensors", "p.png", "--maps", "0"], 2, "maps"),
        (["m.safetensors", "p.png", "-o", "x.txt"], 2, "x.txt"),
        (["p.png", "p.png"], 1, "p.png"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, folder, words, code, message):
    result = convcli("features", *words)
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["m.safetensors", "p.png"]
