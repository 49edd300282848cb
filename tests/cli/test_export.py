"""`convcli export` as a user runs it."""

import doctest
import json
import sys

import numpy as np
import pytest

from convcli.extras import install
from convcli.jobs import export as job
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model

onnx = pytest.importorskip("onnx")


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Model.from_layers(["conv:2,kernel=3,relu", "pool:2", "dense:3,softmax"], (6, 5, 1), seed=1)
    save_model("small.safetensors", model, ModelCard("shapes", ("a", "b", "c"), None, 1, {}, {}, ()))
    return model


def test_a_model_goes_out(convcli, saved):
    from onnx.reference import ReferenceEvaluator

    result = convcli("export", "small.safetensors")
    assert (result.code, result.out, result.err) == (0, "small.onnx\n", "")
    x = np.random.default_rng(0).random((4, 6, 5, 1), dtype=np.float32)
    [theirs] = ReferenceEvaluator(onnx.load("small.onnx")).run(None, {"input": x})
    assert np.abs(theirs - saved.predict(x)).max() < 1e-6
    again = convcli("export", "small.safetensors")
    assert again.code == 1 and "small.onnx: already exists; choose another name or add --overwrite" in again.err
    assert convcli("export", "small.safetensors", "--overwrite").code == 0


def test_json_and_layout(convcli, saved):
    result = convcli("export", "small.safetensors", "-o", "other.onnx", "--layout", "nchw", "--json")
    document = json.loads(result.out)
    assert document["path"] == "other.onnx" and document["layout"] == "nchw" and document["opset"] == 17
    assert (document["input"], document["output"]) == ([1, 6, 5], [3])
    assert document["params"] >= saved.parameter_count and document["operators"] > 3


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["missing.safetensors"], 1, "missing.safetensors: no such file"),
        (["small.safetensors", "-o", "small.pb"], 1, "small.pb: got the suffix '.pb', expected a name that ends in"),
        (["small.safetensors", "-o", "nowhere/small.onnx"], 1, "its folder nowhere does not exist"),
        (["small.safetensors", "--layout", "hwc"], 2, "--layout"),
        (["words.safetensors"], 1, "words.safetensors: is not a safetensors file but text"),
        ([], 2, "MODEL"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(convcli, saved, tmp_path, words, code, message):
    (tmp_path / "words.safetensors").write_text("not a model")
    result = convcli("export", *words)
    assert (result.code, result.out) == (code, "")
    assert message in result.err and result.err.count("\n") == 1
    assert not list(tmp_path.glob("*.onnx"))


def test_a_missing_library_is_named(convcli, saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = convcli("export", "small.safetensors")
    assert result.code == 1 and install("onnx") in result.err and result.err.count("\n") == 1


def test_the_example_runs():
    result = doctest.testmod(job)
    assert result.attempted and not result.failed
