"""Descriptions from files, also hostile ones: one line each, nothing read that need not be."""

import json
import struct

import pytest

from convcli.architectures import load, plan_network, write_text
from convcli.errors import ModelError


def safetensors(path, header, *, length=None, tail=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + tail)
    return str(path)


def test_a_weights_file_carries_its_network(tmp_path):
    spec = load("lenet5")
    header = {
        "C1/kernel": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "__metadata__": {"architecture": write_text(spec)},
    }
    path = safetensors(tmp_path / "model.safetensors", header, tail=b"\0" * 4)
    assert plan_network(load(path)).params == 61_706


def test_toml_text_in_a_weights_file(tmp_path):
    header = {"__metadata__": {"architecture": 'input = [4]\nlayers = ["dense:2"]'}}
    assert plan_network(load(safetensors(tmp_path / "m.safetensors", header))).params == 10


@pytest.mark.parametrize(
    ("header", "length", "message"),
    [
        (b"", None, "is not a safetensors file"),
        (b"{}", 2**63, "is not a safetensors file"),
        (b"{}", 3, "is not a safetensors file"),
        (b"nonsense", None, "is not a safetensors file"),
        (b"[" * 200_000, None, "is not a safetensors file"),
        (b'{"a":' * 100_000, None, "is not readable as JSON"),
        (b"\xff\xfe\xfd", None, "is not a safetensors file"),
        (b"{\xff\xfe\xfd", None, "is not readable as JSON"),
        (b"[]", None, "is not a safetensors file"),
        ({}, None, "has no architecture"),
        ({"__metadata__": []}, None, "__metadata__: got [], expected a table of texts"),
        ({"__metadata__": {"architecture": 3}}, None, "__metadata__: got {'architecture': 3}"),
        ({"weight": {"shape": "large"}}, None, "tensor 'weight': got {'shape': 'large'}, expected a shape"),
        ({"__metadata__": {"architecture": "{"}}, None, "architecture: is not readable as JSON"),
        ({"__metadata__": {"architecture": "= 3"}}, None, "architecture: is not readable as TOML"),
        ({"__metadata__": {"architecture": '{"input": [1]}'}}, None, "layers is missing"),
        (b'{"a": ' + b"9" * 5000 + b"}", None, "is not readable as JSON"),
    ],
)
def test_hostile_weights_files(tmp_path, header, length, message):
    path = safetensors(tmp_path / "bad.safetensors", header, length=length)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("content", [b"", b"\x01\x02", b"\x00" * 8])
def test_truncated_weights_files(tmp_path, content):
    path = tmp_path / "short.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a safetensors file"):
        load(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "input is missing"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"layers = [", "is not readable as TOML"),
        (b"a = " + b"[" * 50_000, "is not readable as TOML"),
        (b"a = " + b"9" * 5000, "got a word or number of 5,000 characters, expected at most 1,000"),
        (b"{", "is not readable as JSON"),
        (b"#" * 1_000_001, "longer than 1,000,000 bytes"),
        (b"a." * 500 + b"a = 1", "a key of more than 200 dotted parts"),
        (b"input = [1]\nlayers = [" + b"[" * 100 + b"]" * 100 + b"]", "layer 1: got"),
    ],
)
def test_hostile_descriptions(tmp_path, content, message):
    path = tmp_path / "net.toml"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_deep_branches_are_refused(tmp_path):
    inner = {"type": "dense", "units": 1}
    for _ in range(300):
        inner = {"type": "parallel", "branches": [[inner], []]}
    path = tmp_path / "deep.json"
    path.write_text(json.dumps({"input": [4], "layers": [inner]}))
    with pytest.raises(ModelError, match="nested more than 8 deep"):
        load(str(path))


@pytest.mark.parametrize(("name", "found"), [("LeNet-5", "lenet5"), ("VGG_16", "vgg16"), ("cats_dogs", "cats-dogs")])
def test_names_are_found_however_they_are_written(name, found):
    assert load(name).name == found


def test_an_unknown_name_suggests_one():
    with pytest.raises(ModelError, match=r"got 'lenet', expected one of alexnet.*did you mean 'lenet5'"):
        load("lenet")
    with pytest.raises(FileNotFoundError):
        load("nowhere/net.toml")
