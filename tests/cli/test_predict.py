"""The command `predict`: lines, JSON, many files, bad files, standard input, what was seen."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from drawn_digits import SCENES
from made_models import digits_model
from PIL import Image

from convcli.nn.weights import shipped_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return digits_model(tmp_path_factory.mktemp("model") / "digits.safetensors")


@pytest.fixture
def drawings(tmp_path):
    folder = tmp_path / "drawings"
    folder.mkdir()
    for digit in (0, 1, 7):
        (folder / f"{digit}.png").write_bytes(SCENES["paint program"](digit, np.random.default_rng(digit)))
    return folder


def test_one_line_for_each_picture(convcli, model, drawings):
    result = convcli("predict", drawings, "--model", model)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    document = json.loads(convcli("predict", drawings, "--model", model, "--json").out)
    assert [each["file"] for each in document] == [str(drawings / f"{n}.png") for n in (0, 1, 7)]
    for line, each in zip(lines, document, strict=True):
        assert set(each) == {"file", "label", "probability", "top"}
        assert each["top"][0] == {"label": each["label"], "probability": each["probability"]}
        assert len(each["top"]) == 3
        assert line.startswith(f"{each['file']}: {each['label']} (")
        assert len(line.removeprefix(str(drawings)).split("  ")) == 3
    assert [each["label"] for each in document][::2] == ["0", "7"]


def test_top_globs_and_single_files(convcli, model, drawings):
    one = convcli("predict", drawings / "7.png", "--model", model, "--top", 1)
    assert "  " not in one.out.strip()
    assert len(convcli("predict", f"{drawings}/*.png", "--model", model, "-q").out.splitlines()) == 3
    all_classes = json.loads(convcli("predict", drawings / "7.png", "--model", model, "--top", 50, "--json").out)
    assert len(all_classes[0]["top"]) == 10


def test_bad_files_are_named_at_the_end(convcli, model, drawings):
    (drawings / "5.png").write_bytes(b"no picture")
    Image.new("L", (40, 40), 200).save(drawings / "6.png")
    result = convcli("predict", drawings, "--model", model)
    assert result.code == 1
    assert len(result.out.splitlines()) == 3
    errors = result.err.splitlines()
    assert [line.startswith("Error: ") for line in errors] == [True, True, False]
    assert "5.png" in errors[0]
    assert "6.png: digit picture: no digit found" in errors[1]
    assert errors[2] == "3 of 5 pictures told, 2 failed"
    as_json = convcli("predict", drawings, "--model", model, "--json")
    assert (as_json.code, len(json.loads(as_json.out))) == (1, 3)
    missing = convcli("predict", drawings / "none.png", "--model", model)
    assert (missing.code, missing.out, missing.err.count("\n")) == (1, "", 1)


def test_standard_input(convcli, model, drawings, monkeypatch):
    content = (drawings / "7.png").read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))
    result = convcli("predict", "-", "--model", model, "--json")
    assert (result.code, json.loads(result.out)[0]["file"]) == (0, "-")
    assert json.loads(result.out)[0]["label"] == "7"


def test_what_the_network_saw(convcli, model, drawings, tmp_path):
    seen = tmp_path / "seen.png"
    assert convcli("predict", drawings / "7.png", "--model", model, "--show", seen).code == 0
    with Image.open(seen) as picture:
        assert picture.size == (280, 280)
    refused = convcli("predict", drawings, "--model", model, "--show", seen)
    assert (refused.code, refused.out) == (1, "")
    assert convcli("predict", drawings, "--model", model, "--show", seen, "--overwrite").code == 0
    with Image.open(seen) as picture:
        assert picture.size[0] > 300
    assert convcli("predict", drawings, "--model", model, "--show", "seen.xyz").code == 2


def test_threads_do_not_matter(convcli, model, drawings):
    results = [convcli("predict", drawings, "--model", model, "--json", "--threads", n).out for n in (1, 2)]
    assert results[0] == results[1]


def test_wrong_usage(convcli, model, drawings, tmp_path):
    for arguments in ([], [drawings, "--top", 0], [tmp_path / "drawings" / "*.gif"]):
        assert convcli("predict", *arguments, "--model", model).code == 2
    result = convcli("predict", drawings, "--model", drawings / "0.png")
    assert (result.code, result.err.count("\n")) == (1, 1)


def test_without_a_model_the_one_that_ships_is_used(convcli, drawings):
    result = convcli("predict", drawings / "7.png")
    if shipped_model().is_file():
        assert result.out.startswith(f"{drawings / '7.png'}: 7 (")
    else:
        assert "--model" in result.err
        assert (result.code, result.err.count("\n")) == (1, 1)


def test_what_was_seen_never_replaces_the_picture(convcli, model, drawings):
    before = (drawings / "7.png").read_bytes()
    for inputs in (drawings / "7.png", drawings):
        result = convcli("predict", inputs, "--model", model, "--show", drawings / "7.png", "--overwrite")
        assert result.code == 2 and "is one of the inputs itself" in result.err
    assert (drawings / "7.png").read_bytes() == before
