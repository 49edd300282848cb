"""The table and the numbers of a plan: within 80 columns, and adding up."""

import pytest

from convcli.architectures import NetworkSpec, load, parse_words, plan_network, shipped
from convcli.views.networks import details, leftover, report, table


def plan(words, *size):
    return plan_network(NetworkSpec(size, parse_words(words)))


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("expand", [False, True])
def test_tables_fit_80_columns(name, expand):
    network = plan_network(load(name))
    lines = table(network, expand=expand)
    assert max(map(len, lines)) <= 80
    assert f"parameters       {network.params:,}" in "\n".join(lines)


def test_long_names_are_cut_to_80_columns():
    lines = table(plan(f"conv:64,name={'n' * 60} pool:3x2x2,name={'m' * 60}", 33, 333, 333, 3))
    assert max(map(len, lines)) <= 80
    assert any("n~  " in line for line in lines)


def test_memory_has_units_for_anything():
    text = "\n".join(table(plan("conv:1000000 dense:1000000000", 100_000, 100_000, 999_999)))
    assert "EiB" in text and "PiB" in text


@pytest.mark.parametrize("name", shipped())
def test_the_layers_of_a_report_add_up(name):
    network = plan_network(load(name))
    document = report(network)
    assert document["params"] == sum(layer["params"] for layer in document["layers"])
    assert document["macs"] == sum(layer["macs"] for layer in document["layers"])
    assert document["output"] == document["layers"][-1]["output"]


def test_report_of_heads():
    document = report(plan_network(load("googlenet")))
    assert (document["params"], document["params_with_heads"]) == (6_998_552, 13_378_280)
    assert [head["params"] for head in document["heads"]] == [3_188_840, 3_190_888]
    assert sum(layer["params"] for layer in document["heads"][0]["layers"]) == 3_188_840


def test_memory_of_mnist():
    document = report(plan_network(load("mnist")))
    outputs = 28 * 28 + 26 * 26 * 32 + 13 * 13 * 32 + 11 * 11 * 64 + 25 * 64 + 9 * 64 + 64 + 10
    assert document["activation_bytes"] == 4 * outputs
    assert document["weight_bytes"] == 4 * 93_322


def test_expanded_rows_show_the_branches():
    lines = table(plan("[ conv:2,same | conv:3,same relu ],name=block { dense:2 }", 8, 8, 1), expand=True)
    names = [line.split()[0:2] for line in lines]
    assert ["block", "(parallel)"] in names and ["1:", "conv_1"] in names and ["2:", "relu_1"] in names
    assert any("head_1 (head)" in line or (line.startswith("head_1") and "(642)" in line) for line in lines)


def test_details_carry_the_numbers():
    (layer,) = plan("conv:4", 7, 7, 3).layers
    assert details(layer) == [
        "height, width    (7 - 3 + 0)/1 + 1 = 5",
        "parameters       (3*3*3 + 1)*4 = 112",
        "multiply-adds    5*5*4 * 3*3*3 = 2,700",
        "receptive field  3x3",
        "leftover         none",
    ]
    (layer,) = plan("pool:2", 9, 8, 1).layers
    assert details(layer)[:2] == [
        "height           floor((9 - 2 + 0)/2) + 1 = 4",
        "width            (8 - 2 + 0)/2 + 1 = 4",
    ]
    (layer,) = plan("pad:2", 32, 32, 3).layers
    assert details(layer)[0] == "height, width    32 + 2 + 2 = 36"


@pytest.mark.parametrize(
    "words",
    [
        "conv:4",
        "conv:6,groups=3,bias=no",
        "depthwise:3",
        "conv_transpose:6,groups=3,stride=2",
        "conv:4,kernel=3x5,stride=2x3",
    ],
)
def test_the_formulas_of_counts_are_true(words):
    (layer,) = plan(words, 12, 13, 3).layers
    for line, value in zip(details(layer)[-4:-2] if "transpose" not in words else details(layer)[-3:-1],
                           (layer.params, layer.macs), strict=True):  # fmt: skip
        left, right = line[17:].split(" = ")
        assert eval(left) == int(right.replace(",", "")) == value


def test_leftovers_are_counted_in_pixels():
    (layer,) = plan("pool:2", 5, 5, 1).layers
    assert leftover(layer) == "9 of 25 pixels (height 1 of 5, width 1 of 5)"
    (layer,) = plan("conv1d:1,stride=4,kernel=2", 10, 1).layers
    assert leftover(layer) == "4 of 10 samples (length 4 of 10)"
    (layer,) = plan("pool:2", 4, 4, 1).layers
    assert leftover(layer) == ""
