"""`convcli saliency` as people type it."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_models import conv_model
from PIL import Image


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    layers = ["conv:6,kernel=3,relu", "pool:2", "flatten", "dense:2,softmax"]
    conv_model("m.safetensors", layers, (8, 8, 1), ("yes", "no"))
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save("p.png")


def test_a_picture_beside_the_picture(convcli):
    result = convcli("saliency", "m.safetensors", "p.png")
    assert (result.code, result.out) == (0, "p_saliency.png\n"), result.err
    with Image.open("p_saliency.png") as image:
        assert image.width <= 1400
    words = ["--method", "gradcam", "--class", "no", "--layer", "pool_1", "-o", "x.png", "--json"]
    document = json.loads(convcli("saliency", "m.safetensors", "p.png", *words).out)
    assert (document["class"], document["output"]) == ("no", "x.png")
    assert [each["method"] for each in document["maps"]] == ["gradcam"]
    assert document["maps"][0]["minimum"] >= 0


def test_a_picture_from_standard_input(convcli, monkeypatch):
    stream = io.BytesIO(Path("p.png").read_bytes())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
    result = convcli("saliency", "m.safetensors", "-", "--json")
    assert result.code == 0, result.err
    piped = json.loads(result.out)
    named = json.loads(convcli("saliency", "m.safetensors", "p.png", "--json").out)
    assert (piped["file"], piped["output"]) == ("-", "stdin_saliency.png")
    assert Path("stdin_saliency.png").is_file()
    assert piped | {"file": "", "output": ""} == named | {"file": "", "output": ""}


def test_what_is_no_number_is_no_picture(convcli):
    pixels = np.zeros((8, 8), np.float32)
    pixels[3, 3] = np.nan
    np.save("n.npy", pixels)
    result = convcli("saliency", "m.safetensors", "n.npy")
    assert (result.code, result.out) == (1, "")
    assert "NaN or infinite pixels" in result.err
    assert not Path("n_saliency.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["m.safetensors", "p.png", "--class", "maybe"], 1, "expected one of yes, no"),
        (["m.safetensors", "p.png", "--method", "magic"], 2, "magic"),
        (["m.safetensors", "none.png"], 1, "none.png: no such file"),
        (["none.safetensors", "p.png"], 1, "none.safetensors"),
        (["m.safetensors", "p.png", "--patch", "9"], 1, "patch: got 9x9"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, words, code, message):
    result = convcli("saliency", *words)
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["m.safetensors", "p.png"]
