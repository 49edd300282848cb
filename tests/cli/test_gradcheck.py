"""`convcli gradcheck`."""

import json

import pytest


def test_a_layer(convcli):
    result = convcli("gradcheck", "conv:2,kernel=2,stride=2", "--input", "5x5x2")
    assert result.code == 0 and result.err == ""
    lines = result.out.splitlines()
    assert lines[1].startswith("conv:2,kernel=2,stride=2") and [line.split()[-1] for line in lines[1:4]] == ["ok"] * 3
    assert lines[-1].startswith("all 3 gradients are right; largest error ")


def test_a_network_as_json(convcli, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text('input = [6, 6, 1]\nlayers = ["conv:2,relu", "pool:2", "dense:3,softmax"]\n')
    result = convcli("gradcheck", file, "--json", "--seed", 3, "--input", "7x7")
    document = json.loads(result.out)
    assert result.code == 0 and document["passed"] is True and document["largest_error"] < 1e-6
    assert [(each["layer"], each["array"]) for each in document["checks"]] == [
        ("input", "input"), ("conv_1", "kernel"), ("conv_1", "bias"), ("dense_1", "kernel"), ("dense_1", "bias"),
    ]  # fmt: skip


def test_a_failure_is_exit_1(convcli):
    result = convcli("gradcheck", "dense:2,relu,bias_initializer=constant:-1000", "--input", "4")
    assert result.code == 1
    assert "all zero" in result.out and "3 of 3 failed" in result.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["conv"], 2, "conv needs filters"),
        (["nonsense"], 2, "unknown layer 'nonsense'"),
        (["missing.toml"], 1, "missing.toml: no such file"),
        (["median_pool"], 1, "a network cannot train it"),
        (["pool:9", "--input", "3x3x1"], 1, "expected at least 9"),
    ],
)
def test_what_cannot_be_checked(convcli, words, code, message):
    result = convcli("gradcheck", *words)
    assert (result.code, result.out) == (code, "")
    assert message in result.err and result.err.count("\n") == 1


def test_every_kind_of_layer_is_proven(convcli):
    result = convcli("gradcheck")
    assert result.code == 0 and "all 91 gradients are right" in result.out
