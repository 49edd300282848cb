"""JSON without surprises: numbers are numbers, keys are words, and one word means one thing in every document."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_models import digits_model
from PIL import Image

# Texts that may consist of digits: names of classes, files and versions.
NAMES = {"label", "class", "file", "input", "name", "version", "versions", "classes", "title", "spec", "parameters"}

COMMANDS = [
    "filter in.png -k sobel -o f.png",
    "pool in.png --size 2 -o p.png",
    "pad in.png --amount 2 -o a.png",
    "morph open in.png --size 3 -o m.png",
    "filter in.csv -k box:size=3 -o s.csv",
    "gallery in.png -k box -o g.png",
    "compare in.png in.png",
    "explain in.png -k sobel-x --region 2:9,4:12 -o e.html",
    "explain --matrix 1,2;3,4 -k 1 -o x.html",
    "animate --input 4x5 -o a.gif",
    "toeplitz --input 4 -k 1,2",
    "equivariance in.png -k box",
    "kernel list",
    "kernel show gaussian",
    "kernel show sobel",
    "shape --input 7x7x3 --filters 4",
    "summary lenet5",
    "summary",
    "summary trained.safetensors",
    "receptive lenet5 -o r.svg",
    "gradcheck flatten dense:3 --input 4x4x1",
    "train digits --limit 60 --epochs 1 --validation 10 -o t.safetensors --log l.json",
    "evaluate trained.safetensors --limit 40",
    "predict in.png --model trained.safetensors",
    "filters trained.safetensors -o w.png",
    "report trained.safetensors --limit 40 -o r.html",
    "data list",
    "cache info",
    "doctor",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    digits_model(folder / "trained.safetensors")
    strokes = np.full((40, 40, 3), 255, np.uint8)
    strokes[8:32, 18:22] = 0
    Image.fromarray(strokes).save(folder / "in.png")
    Path(folder, "in.csv").write_text("a,b\n1,2\n3,5\n4,4\n")
    return folder


def walk(value, keys=()):
    """Every key with what stands under it, and the keys above."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from walk(each, (*keys, key))
    elif isinstance(value, list):
        for each in value:
            yield from walk(each, keys)
    else:
        yield keys, value


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.parametrize("command", COMMANDS)
def test_documents(convcli, place, monkeypatch, command):
    monkeypatch.chdir(place)
    result = convcli(*[each.replace(",", " ") if ";" in each or each == "1,2" else each for each in command.split()],
                     "--json", *(["--overwrite"] if " -o " in command else []))  # fmt: skip
    assert result.code == 0, result.err
    document = json.loads(result.out, parse_constant=refuse)
    for keys, value in walk(document):
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*|\.[a-z]+|[a-z-]+|C\d|F\d", key) for key in keys), keys
        if isinstance(value, str) and not NAMES & set(keys):
            assert not re.fullmatch(r"[-+]?[\d.]+(e-?\d+)?%?|nan|inf|\d+x\d+|\d+,\d+.*", value), (keys, value)
        if keys and keys[-1] in ("params", "macs", "images", "best_epoch", "row", "column", "height", "width"):
            assert isinstance(value, int | None), (keys, value)
        if keys and keys[-1] == "classes":
            assert isinstance(value, str), (keys, value)
        if (
            keys
            and keys[0] != "recipe"
            and keys[-1] in ("accuracy", "loss", "probability", "seconds", "test_accuracy", "val_loss")
        ):
            assert isinstance(value, float | int | None), (keys, value)
    first = document[0] if isinstance(document, list) else document
    shapes = [key for key in ("input", "output", "shape", "input_shape") if isinstance(first.get(key), list)]
    files = [key for key in ("input", "output") if isinstance(first.get(key), str)]
    # Inputs and outputs are files or shapes, never one of each.
    assert not (files and {"input", "output"} & set(shapes)), (files, shapes)


def test_a_history_in_a_file_is_that_of_the_document(convcli, place, monkeypatch):
    monkeypatch.chdir(place)
    words = ("--limit", "60", "--epochs", "2", "-o", "h.safetensors", "--log", "h.json", "--json", "--overwrite")
    told = json.loads(convcli("train", "digits", *words).out)
    assert json.loads(Path("h.json").read_text()) == told["history"]
    card = json.loads(convcli("summary", "h.safetensors", "--json").out)["card"]
    rows = [{key: value for key, value in row.items() if value is not None} for row in told["history"]]
    assert card["history"] == rows and card["metrics"]["test_accuracy"] == told["test_accuracy"]
    assert {key: card["recipe"][key] for key in told["recipe"]} == told["recipe"]
