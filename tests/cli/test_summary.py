"""`convcli summary` as a user runs it."""

import json
import re
import shlex
import subprocess
import sys

import pytest

from convcli import __version__
from convcli.architectures import shipped
from convcli.cli import run
from convcli.cli.summary import command
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model


@pytest.fixture
def convcli(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        code = run(["summary", *arguments])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


def test_the_lectures_table(convcli):
    code, out, err = convcli("cats-dogs")
    assert (code, err) == (0, "")
    for number in ("896", "18,496", "73,856", "147,584", "6272", "3,211,776", "513", "3,453,121"):
        assert number in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mnist", 93_322),
        ("lenet5", 61_706),
        ("alexnet", 60_965_224),
        ("vgg16", 138_357_544),
        ("googlenet", 6_998_552),
        ("cats-dogs", 3_453_121),
    ],
)
def test_parameters_by_command(convcli, name, params):
    code, out, _ = convcli(name)
    assert code == 0 and f"{params:,}" in out
    code, out, _ = convcli(name, "--json")
    document = json.loads(out)
    assert document["params"] == params == sum(layer["params"] for layer in document["layers"])
    assert {"name", "type", "output", "params", "macs", "receptive_field"} == set(document["layers"][0])


def test_without_a_name_all_are_listed(convcli):
    for arguments in ([], ["--list"]):
        code, out, _ = convcli(*arguments)
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()] == list(shipped())
        assert max(map(len, out.splitlines())) <= 80
    listed = json.loads(convcli("--list", "--json")[1])
    assert {entry["name"]: entry["params"] for entry in listed}["mnist"] == 93_322


def test_heads_are_counted_with_and_without(convcli):
    out = convcli("googlenet")[1]
    assert "parameters       6,998,552" in out and "with heads       13,378,280 parameters" in out


def test_expand_lists_branches(convcli):
    short, long = convcli("googlenet")[1], convcli("googlenet", "--expand")[1]
    assert "4: pool_1" in long and "4: pool_1" not in short


def test_a_file(convcli, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('input = [8, 8, 1]\nlayers = ["conv:2,relu", "[ conv:2,same | conv:3,same ]", "dense:2"]')
    code, out, _ = convcli(str(path))
    assert code == 0 and "6x6x5" in out
    code, out, _ = convcli(str(path), "--input", "10x10", "--json")
    assert json.loads(out)["input"] == [10, 10, 1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("lenet", 2, "did you mean 'lenet5'?"),
        ("nosuch", 2, "got 'nosuch', expected one of alexnet"),
        ("nowhere/net.toml", 1, "nowhere/net.toml: no such file: there is no folder nowhere"),
        ("lenet5 --input 3x3", 1, "layer 1 (conv:6,kernel=5,tanh,name=C1)"),
        ("lenet5 --input 3", 1, "as many numbers as in 32x32x1"),
        ("lenet5 --input 0x3", 2, "got '0x3'"),
        ("--input 3x3", 2, "name a network"),
        ("lenet5 --list", 2, "--list goes with --json only"),
        ("lenet5 --plot net.jpg", 1, "expected a name that ends in .svg"),
    ],
)
def test_errors(convcli, arguments, code, message):
    got, out, err = convcli(*arguments.split())
    assert (got, out) == (code, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert message in err


def test_a_wrong_file_is_failed_work(convcli, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('input = [8, 8, 1]\nlayers = ["cnv:2"]')
    code, _, err = convcli(str(path))
    assert code == 1 and "layer 1 (cnv:2): unknown layer 'cnv'; did you mean 'conv'?" in err


def saved(path):
    model = Model.from_layers(["conv:2,relu", "dense:3,softmax"], (8, 8, 1))
    recipe = {"command": "convcli train shapes --epochs 2"}
    history = ({"epoch": 1, "loss": 1.25}, {"epoch": 2, "loss": 0.5})
    metrics = {"test_accuracy": 0.875, "test_loss": 0.25}
    save_model(path, model, ModelCard("shapes", ("circle", "square", "star"), None, 7, recipe, metrics, history))


def test_a_model_tells_how_it_was_made(convcli, tmp_path):
    path = tmp_path / "shapes.safetensors"
    saved(path)
    code, out, _ = convcli(str(path))
    assert code == 0 and "parameters       239 " in out
    assert "trained on       shapes: 3 classes (circle, square, star)" in out
    assert "measured         test accuracy 87.50%, test loss 0.25" in out
    assert f"how              2 epochs, seed 7, convcli {__version__}" in out
    assert "command          convcli train shapes --epochs 2" in out
    document = json.loads(convcli(str(path), "--json")[1])
    assert document["params"] == 239
    assert document["card"]["classes"] == ["circle", "square", "star"]
    assert document["card"]["metrics"] == {"test_accuracy": 0.875, "test_loss": 0.25}
    assert len(document["card"]["history"]) == 2
    assert "card" not in json.loads(convcli("mnist", "--json")[1])


def test_a_summary_of_a_model_loads_no_arrays(tmp_path):
    saved(tmp_path / "shapes.safetensors")
    command = [sys.executable, "-X", "importtime", "-m", "convcli", "summary", "shapes.safetensors"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "239" in result.stdout
    assert not [line for line in result.stderr.splitlines() if re.search(r"\| +(numpy|numba|safetensors)$", line)]


def test_plot(convcli, tmp_path):
    target = tmp_path / "net.svg"
    code, out, _ = convcli("googlenet", "--plot", str(target))
    assert code == 0 and str(target) in out and target.read_text().startswith("<svg")
    assert convcli("googlenet", "--plot", str(target))[0] == 1
    assert convcli("googlenet", "--plot", str(target), "--overwrite")[0] == 0


def test_help_and_its_examples(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-network.toml").write_text('input = [8, 8, 3]\nlayers = ["conv:2"]')
    code, out, _ = convcli("--help")
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    examples = [
        shlex.split(line)[2:] for line in command.help.splitlines() if line.strip().startswith("convcli summary")
    ]
    saved(tmp_path / "mnist.safetensors")
    assert len(examples) == 6
    for example in examples:
        assert convcli(*example)[0] == 0
