"""Plans: shapes, counts and receptive fields of chains and branches; layers that do not fit say what would."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.architectures import GrammarError, NetworkSpec, parse_words, plan_network
from convcli.errors import ShapeError
from convcli.geometry import ReceptiveField, Window


def plan(words, *size):
    return plan_network(NetworkSpec(size, parse_words(words)))


@pytest.mark.parametrize(
    ("words", "size", "output", "params"),
    [
        ("conv:4", (7, 7, 3), (5, 5, 4), 112),
        ("conv:2,padding=1,stride=2", (5, 5, 3), (3, 3, 2), 56),
        ("conv:6,kernel=5", (32, 32, 3), (28, 28, 6), 456),
        ("conv:4", (100, 8), (98, 4), 100),
        ("conv:2,kernel=3", (16, 32, 32, 1), (14, 30, 30, 2), 56),
        ("conv:4,groups=2,bias=no", (8, 8, 4), (6, 6, 4), 72),
        ("conv:4,dilation=2", (7, 7, 1), (3, 3, 4), 40),
        ("conv:4,padding=0:1", (7, 7, 1), (6, 6, 4), 40),
        ("conv:4,padding=full", (7, 7, 1), (9, 9, 4), 40),
        ("conv_transpose:3,stride=2", (4, 4, 8), (9, 9, 3), 219),
        ("conv_transpose:3,stride=2,same", (4, 4, 8), (8, 8, 3), 219),
        ("conv_transpose:3,stride=2,padding=1,output_padding=1", (4, 4, 8), (8, 8, 3), 219),
        ("conv_transpose:4,groups=2", (4, 4, 8), (6, 6, 4), 148),
        ("depthwise:3", (8, 8, 5), (6, 6, 5), 50),
        ("depthwise:3,depth_multiplier=2,bias=no", (8, 8, 5), (6, 6, 10), 90),
        ("pool:2", (5, 5, 3), (2, 2, 3), 0),
        ("pool:2,ceil", (5, 5, 3), (3, 3, 3), 0),
        ("pool:3,stride=2,same", (5, 6, 3), (3, 3, 3), 0),
        ("pool:2x3,padding=1x0", (4, 6, 1), (3, 2, 1), 0),
        ("pool:2,full", (4, 4, 1), (3, 3, 1), 0),
        ("global_pool", (5, 5, 3), (3,), 0),
        ("adaptive_pool:7", (13, 20, 3), (7, 7, 3), 0),
        ("adaptive_pool:2x9,average", (13, 5, 3), (2, 9, 3), 0),
        ("adaptive_average_pool3d:2", (5, 6, 7, 1), (2, 2, 2, 1), 0),
        ("conv:4 adaptive_pool:3 dense:2", (12, 11, 1), (2,), 40 + 74),
        ("flatten", (5, 5, 3), (75,), 0),
        ("dense:500", (200, 200, 1), (500,), 20_000_500),
        ("dense:10", (784,), (10,), 7850),
        ("dense:10,bias=no", (784,), (10,), 7840),
        ("batch_norm", (5, 5, 3), (5, 5, 3), 12),
        ("batch_norm,center=no", (5, 5, 3), (5, 5, 3), 9),
        ("lrn", (5, 5, 3), (5, 5, 3), 0),
        ("pad:1", (32, 32, 3), (34, 34, 3), 0),
        ("pad:2", (32, 32, 3), (36, 36, 3), 0),
        ("pad:0:1x2:3", (32, 32, 3), (33, 37, 3), 0),
        ("softmax", (10,), (10,), 0),
        ("[ conv:8 | conv:4 conv:2,same ]", (9, 9, 1), (7, 7, 10), 80 + 40 + 74),
        ("[ conv:3,same + ]", (9, 9, 3), (9, 9, 3), 84),
        ("[ dense:3 | dense:4 ]", (9,), (7,), 30 + 40),
        ("[ [ conv:1 | conv:2 ] | conv:3 ]", (9, 9, 1), (7, 7, 6), 60),
        ("{ dense:3 } conv:1", (4, 4, 1), (2, 2, 1), 10),
    ],
)
def test_shapes_and_parameters(words, size, output, params):
    got = plan(words, *size)
    assert (got.output, got.params) == (output, params)
    assert got.params == sum(layer.params for layer in got.flat())


def test_multiply_adds():
    assert plan("conv:4", 7, 7, 3).macs == 5 * 5 * 4 * 27 == 2700
    assert plan("conv:4,groups=2", 8, 8, 4).macs == 36 * 4 * 9 * 2
    assert plan("conv_transpose:3,stride=2", 4, 4, 8).macs == 16 * 8 * 9 * 3
    assert plan("dense:500", 200, 200, 1).macs == 20_000_000
    assert plan("pool:2 relu flatten batch_norm", 8, 8, 3).macs == 0


def test_dense_is_told_to_flatten_first():
    assert [layer.type for layer in plan("conv:2 dense:3", 4, 4, 1).layers] == ["conv", "flatten", "dense"]


def test_names_are_unique_and_say_where():
    words = (
        "conv:2 conv:2,name=conv_2 conv:2 relu [ conv:2,same | conv:2,same ],name=block [ conv:4,same + ] { dense:1 }"
    )
    names = [layer.name for layer in plan(words, 12, 12, 1).flat(heads=True)]
    assert len(set(names)) == len(names)
    assert names[:5] == ["conv_1", "conv_2", "conv_3", "relu_1", "block/1/conv_1"]
    assert "head_1/dense_1" in names and "add_1/1/conv_1" in names
    with pytest.raises(GrammarError, match="two layers are named 'a'"):
        plan("relu,name=a relu,name=a", 4)


def test_settings_are_complete_and_windows_resolved():
    (layer,) = plan("conv:8,same,stride=2", 224, 224, 3).layers
    assert layer.windows == (Window(3, 2, 0, 1), Window(3, 2, 0, 1))
    assert {"kernel_initializer", "bias_constraint", "activity_regularizer", "use_bias"} <= set(layer.settings)
    assert str(layer.settings["kernel_initializer"]) == "glorot_uniform"


def test_receptive_fields():
    fields = [layer.field[0].size for layer in plan("conv:1 conv:1 pool:2 conv:1,dilation=2", 40, 40, 1).layers]
    assert fields == [3, 5, 6, 14]
    assert plan("relu", 8, 8, 1).layers[0].field == (ReceptiveField(), ReceptiveField())
    assert [axis.size for axis in plan("conv:1,kernel=3x5", 9, 9, 1).layers[0].field] == [3, 5]
    branches = plan("[ conv:1,same | conv:1,kernel=7,same ]", 9, 9, 1).layers[0]
    assert branches.field[0] == ReceptiveField(7, 1, -3)


def test_a_dense_layer_sees_what_reaches_it():
    """mnist's last poolings drop a row: 26 of 28 pixels per axis reach the dense layers; padding never counts."""
    words = "conv:1 pool:2 conv:1 pool:2 conv:1 dense:1"
    assert [axis.size for axis in plan(words, 28, 28, 1).layers[-1].field] == [26, 26]
    assert [axis.size for axis in plan("conv:1,kernel=9,same dense:1", 8, 8, 1).layers[-1].field] == [8, 8]
    assert [axis.size for axis in plan("dense:3 dense:2", 100).layers[-1].field] == [100]
    assert [axis.size for axis in plan("relu", 100).layers[-1].field] == [1]


@given(
    st.lists(
        st.sampled_from(["conv:2", "conv:3,same", "conv:2,stride=2", "pool:2", "pool:3,stride=1", "relu"]), max_size=4
    ),
    st.integers(90, 99),
)
def test_the_field_of_the_last_layer_against_walking_back(words, n):
    """Input cells that one output cell of a 1-D chain depends on, by marking them one tap at a time."""
    got = plan(" ".join(["linear", *words]), n, 1)
    cells = {0}
    for layer in reversed(got.layers):
        for window in layer.windows:
            cells = {window.stride * cell + tap - window.before for cell in cells for tap in range(window.kernel_size)}
    field = got.layers[-1].field[0]
    assert (field.start, field.size) == (min(cells), max(cells) - min(cells) + 1)


def test_activations_count_outputs_once():
    got = plan("conv:2 flatten dense:3", 4, 4, 1)
    assert got.activations == 16 + prod((2, 2, 2)) + 3


def test_heads_are_left_out_of_the_totals():
    got = plan("conv:1 { conv:5 dense:2 } conv:1", 9, 9, 1)
    (head,) = got.heads
    assert got.params == 20
    assert head.all_params == 50 + 5 * 25 * 2 + 2
    assert head.params == 0 and head.output == head.input


def test_connections_after_lenet():
    table = "connections"
    spec = parse_words("conv:2,kernel=3")[0]
    layer = type(spec)(spec.type, {**spec.settings, table: ((0, 1), (2,))})
    got = plan_network(NetworkSpec((5, 5, 3), (layer,)))
    assert (got.params, got.macs) == (3 * 9 + 2, 9 * 9 * 3)
    for wrong in (((0, 1),), ((0, 1), (3,))):
        with pytest.raises(ShapeError, match="connections: got"):
            plan_network(NetworkSpec((5, 5, 3), (type(spec)(spec.type, {**spec.settings, table: wrong}),)))


@pytest.mark.parametrize(
    ("words", "size", "message"),
    [
        (
            "conv:32 pool:2 conv:64,kernel=20",
            (28, 28, 1),
            "layer 3 (conv:64,kernel=20): got 13x13x32 with height 13, expected at least 20 for kernel_size=20; "
            "try kernel_size=13 or padding=4",
        ),
        ("conv:1,kernel=3,dilation=4", (8, 9, 1), "(9 cells with dilation 4); try kernel_size=2 or padding=1"),
        ("pool:5,padding=1", (2, 2, 1), "height 2 + 2 of padding, expected at least 5"),
        ("pool:2,padding=2", (8, 8, 1), "a window would see padding only"),
        ("conv:4,groups=3", (8, 8, 3), "groups: got 3, expected a divisor of the 4 filters; try groups=1"),
        ("conv:4,groups=2", (8, 8, 3), "groups: got 2, expected a divisor of the 3 input channels"),
        ("flatten conv:3", (8, 8, 1), "layer 2 (conv:3): got a row of 64 values, expected spatial axes"),
        ("conv3d:3", (8, 8, 1), "with 2 spatial axes, expected 3 for conv3d; say conv2d"),
        ("conv:3,kernel=3x3x3", (8, 8, 1), "kernel_size: got 3 values"),
        ("[ conv:3 | conv:3,kernel=5 ]", (8, 8, 1), "branch 2 gives 4x4x3, expected 6x6 as in branch 1"),
        ("[ conv:3 | conv:3 | conv:3,stride=2 ],name=a", (8, 8, 1), "layer 1 (a): branch 3 gives 3x3x3"),
        ("[ conv:3 + conv:4 ]", (8, 8, 1), "end both with as many filters, 3 or 4"),
        ("[ conv:3 | flatten ]", (8, 8, 1), "flatten all branches or none"),
        (
            "[ relu | conv:3 conv:3,kernel=9 ]",
            (8, 8, 1),
            "layer 1 (parallel), branch 2, layer 2 (conv:3,kernel=9): got",
        ),
        ("conv_transpose:1,stride=2,output_padding=2", (8, 8, 1), "output_padding: got 2, expected"),
        (
            "conv_transpose:1,padding=9",
            (4, 4, 1),
            "padding cuts 18 of 6 cells of height, expected at most 5; try padding=2",
        ),
        ("pad:1x2x3", (4, 4, 1), "padding: got"),
    ],
)
def test_what_does_not_fit_says_what_would(words, size, message):
    with pytest.raises(ShapeError) as caught:
        plan(words, *size)
    assert message in str(caught.value)
    assert str(caught.value).startswith("layer ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words", ["conv:1,kernel=20", "conv:1,kernel=6,dilation=3", "pool:15", "conv_transpose:1,padding=9"]
)
def test_the_fix_fits(words):
    with pytest.raises(ShapeError) as caught:
        plan(words, 4, 1)
    fixes = str(caught.value).split("try ")[1].split(" or ")
    for fix in fixes:
        key = fix.split("=")[0]
        rest = [part for part in words.split(",") if not part.startswith(key.removesuffix("_size"))]
        fixed = f"pool:{fix.split('=')[1]}" if rest == ["pool:15"] and key == "kernel_size" else ",".join([*rest, fix])
        assert plan(fixed, 4, 1).output[0] >= 1
