"""The grammar of layers: words, tables and JSON mean the same; what is wrong gets one line."""

import json
import tomllib

import pytest

from convcli.architectures import (
    GrammarError,
    Named,
    NetworkSpec,
    document_of,
    grammar,
    parse_words,
    plan_network,
    read_network,
    read_text,
    write_text,
)
from convcli.architectures.vocabulary import KNOWN_WORDS, LAYERS, find_layer


def only(words):
    (layer,) = parse_words(words)
    return layer


def plans(words, size=(28, 28, 4)):
    plan = plan_network(NetworkSpec(size, parse_words(words)))
    return [(each.type, each.output, each.windows, dict(each.settings), each.params) for each in plan.flat()]


@pytest.mark.parametrize(
    ("word", "typed", "settings"),
    [
        ("conv:32", "conv", {"filters": 32}),
        ("conv:32,kernel=3x5,relu,same", "conv", {"filters": 32, "kernel_size": (3, 5), "padding": "same"}),
        ("Conv2D:32,strides=2,dilation_rate=3", "conv", {"stride": 2, "dilation": 3}),
        ("conv:8,padding=0:1", "conv", {"padding": ((0, 1),)}),
        ("conv:8,padding=0:1x2:3", "conv", {"padding": ((0, 1), (2, 3))}),
        ("conv:8,padding=1x2", "conv", {"padding": (1, 2)}),
        ("conv:8,bias=no", "conv", {"use_bias": False}),
        ("conv:8,leaky_relu:0.2", "conv", {"activation": Named("leaky_relu", (("negative_slope", 0.2),))}),
        (
            "conv:8,kernel_initializer=random_normal:stddev=0.05,kernel_regularizer=l1_l2:0.1:0.2",
            "conv",
            {
                "kernel_initializer": Named("random_normal", (("stddev", 0.05),)),
                "kernel_regularizer": Named("l1_l2", (("l1", 0.1), ("l2", 0.2))),
            },
        ),
        ("dense:10,kernel_constraint=max_norm:2,bias_regularizer=none", "dense", {"bias_regularizer": None}),
        ("pool:2", "pool", {"kernel_size": 2}),
        ("pool:3,average,ceil,stride=2", "pool", {"mode": "average", "ceil_mode": True, "stride": 2}),
        ("average_pool:2", "pool", {"mode": "average", "kernel_size": 2}),
        ("MaxPooling2D:2,count_include_pad", "pool", {"mode": "max", "count_include_pad": True}),
        ("weighted_pool:3", "pool", {"mode": "weighted"}),
        ("lp_pool:3,p=3", "pool", {"mode": "lp", "p": 3.0}),
        ("global_pool", "global_pool", {}),
        ("adaptive_pool:7x5,average", "adaptive_pool", {"output_size": (7, 5), "mode": "average"}),
        ("AdaptiveAvgPool2d:7", "adaptive_pool", {"output_size": 7, "mode": "average"}),
        ("GlobalMaxPooling2D", "global_pool", {"mode": "max"}),
        ("Conv2DTranspose:4,output_padding=1,stride=2", "conv_transpose", {"output_padding": 1}),
        ("depthwise:5,depth_multiplier=2", "depthwise", {"kernel_size": 5, "depth_multiplier": 2}),
        ("BatchNormalization", "batch_norm", {}),
        ("zero_pad:1", "pad", {"amount": 1}),
        ("pad:0:1x2:3,mode=reflect", "pad", {"amount": ((0, 1), (2, 3)), "mode": "reflect"}),
        ("pad:1,value=-1.5", "pad", {"value": -1.5}),
        ("relu", "activation", {"activation": Named("relu")}),
        ("elu:0.5", "activation", {"activation": Named("elu", (("alpha", 0.5),))}),
        ("activation:tanh", "activation", {"activation": Named("tanh")}),
        ("lrn:5,alpha=0.0001,beta=0.75,k=2", "lrn", {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}),
        ("dropout:0.25", "dropout", {"rate": 0.25}),
        ("softmax", "activation", {"activation": Named("softmax")}),
    ],
)
def test_words(word, typed, settings):
    layer = only(word)
    assert layer.type == typed
    assert settings.items() <= dict(layer.settings).items()


def test_every_known_word_is_found():
    assert all(find_layer(word) for word in KNOWN_WORDS)
    assert find_layer("conv2d") == ("conv", {}, 2)
    assert find_layer("dense2d") is None


def test_brackets_may_be_one_shell_word_or_many():
    spread = parse_words(["[", "conv:8", "|", "conv:4", "conv:2", "]", "relu"])
    assert parse_words("[conv:8|conv:4 conv:2]relu") == spread
    assert [layer.type for layer in spread] == ["parallel", "activation"]
    assert [[each.word for each in branch] for branch in spread[0].branches] == [["conv:8"], ["conv:4", "conv:2"]]


def test_plus_adds_and_an_empty_branch_is_the_input():
    layer = only("[ conv:8,same relu + ],name=block")
    assert (layer.type, layer.name, layer.branches[1]) == ("add", "block", ())


def test_braces_are_a_head():
    layer = only("{ pool:2 dense:3 },weight=0.5")
    assert (layer.type, layer.settings, len(layer.branches[0])) == ("head", {"weight": 0.5}, 2)


def test_tables_mean_what_words_mean():
    text = """
    input = [28, 28, 4]
    [[layers]]
    type = "conv"
    filters = 32
    kernel_size = [3, 5]
    padding = [[0, 1], [2, 3]]
    activation = "leaky_relu:0.2"
    kernel_regularizer = {name = "l2", l2 = 0.001}
    use_bias = false
    [[layers]]
    type = "parallel"
    name = "block"
    branches = [
        ["conv:8,kernel=1"],
        [{type = "max_pool", kernel_size = 3, stride = 1, padding = "same"}, "conv:4,same"],
    ]
    [[layers]]
    type = "add"
    branches = [["conv:12,same"], []]
    [[layers]]
    type = "head"
    layers = ["dense:3"]
    """
    spec = read_text(text, "test")
    words = (
        "conv:32,kernel=3x5,padding=0:1x2:3,leaky_relu:0.2,kernel_regularizer=l2:0.001,bias=no "
        "[ conv:8,kernel=1 | pool:3,stride=1,same,max conv:4,same ],name=block [ conv:12,same + ] { dense:3 }"
    )
    got = plan_network(spec)
    expected = plan_network(NetworkSpec((28, 28, 4), parse_words(words)))
    assert [
        (each.name, each.type, each.output, each.params, each.windows, dict(each.settings))
        for each in got.flat(heads=True)
    ] == [
        (each.name, each.type, each.output, each.params, each.windows, dict(each.settings))
        for each in expected.flat(heads=True)
    ]


def test_json_text_reads_back_the_same_network():
    words = "conv2d:8,kernel=3x5,padding=0:1,elu:0.5,name=first"
    spec = NetworkSpec(
        (28, 28, 4),
        parse_words(f"{words} [ conv:8,same + conv:8,same,kernel_constraint=max_norm:2 ] {{ dense:2 }} dense:10"),
        name="mine",
        extra={"classes": ["a", "b"], "preprocessing": {"scale": 255}, "data_format": "channels_first"},
    )
    again = read_text(write_text(spec), "text")
    assert json.loads(write_text(again)) == json.loads(write_text(spec)) == document_of(spec)
    assert (again.name, again.extra) == (spec.name, spec.extra)
    first, second = plan_network(spec), plan_network(again)
    assert [(each.name, each.settings, each.output) for each in first.flat()] == [
        (each.name, each.settings, each.output) for each in second.flat()
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cnv:3", "layer 1 (cnv:3): unknown layer 'cnv'; did you mean 'conv'?"),
        ("relu convv2d:3", "layer 2 (convv2d:3): unknown layer"),
        ("conv", "layer 1 (conv): conv needs filters, as in conv:32"),
        ("conv:0", "filters: got '0', expected a whole number from 1"),
        ("conv:1000000000000000000000000000000", "expected a whole number from 1 to 1,000,000,000"),
        ("conv:-3", "filters: got '-3'"),
        ("conv:3,kernel=0", "kernel_size: got '0'"),
        ("conv:3,kernel=1x2x3x4", "one per axis"),
        ("conv:3,padding=sam", "padding: got 'sam', expected valid, same, full"),
        ("conv:3,padding=1:2:3", "padding: got '1:2:3'"),
        ("conv:3,strid=2", "conv has no key 'strid'; did you mean 'stride'?"),
        ("conv:3,kernal=2", "did you mean 'kernel'?"),
        ("conv:3,reluu", "got 'reluu'; did you mean 'relu'?"),
        ("conv:3,5", "did you mean kernel_size=5?"),
        ("conv:3,kernel=3,kernel_size=5", "got kernel_size twice"),
        ("conv:3,activation=rel", "did you mean 'relu'?"),
        ("conv:3,kernel_initializer=he_norma", "did you mean 'he_normal'?"),
        ("conv:3,kernel_regularizer=l2:x", "expected l2 with l2=NUMBER"),
        ("conv:3,kernel_regularizer=l2:1:2", "expected l2 with l2=NUMBER"),
        ("conv:3,kernel_regularizer=l2:-1", "expected l2 with l2 of 0 or more"),
        ("conv:3,kernel_constraint=max_norm:-1", "expected max_norm with max_value of 0 or more"),
        ("conv:3,kernel_initializer=random_normal:stddev=-1", "expected random_normal with stddev of 0 or more"),
        ("conv:3,data_format=channels_first", 'write data_format = "channels_first" above its layers'),
        ("conv:3,use_bias=maybe", "use_bias: got 'maybe', expected yes or no"),
        ("conv:3,name=a/b", "name: got 'a/b'"),
        ("dropout:1", "rate: got '1', expected a number of at least 0 and less than 1"),
        ("dropout:nan", "rate: got 'nan'"),
        ("dropout:1e999", "rate: got '1e999'"),
        ("flatten:3", "flatten takes no value"),
        ("parallel", "written with brackets"),
        ("[ conv:3 ]", "needs two branches"),
        ("[ conv:3 | conv:4", "'[' has no matching ']'"),
        ("[ conv:3 | conv:4 }", "'[' has no matching ']'"),
        ("conv:3 ]", "got ']' outside brackets"),
        ("conv:3 | conv:4", "got '|' outside brackets"),
        ("[ conv:3 | conv:4 + conv:5 ]", "got both | (concatenate) and + (add)"),
        ("{ }", "a head needs a layer"),
        ("[ conv:3 | relu pol:4 ]", "layer 1, branch 2, layer 2 (pol:4): unknown layer 'pol'"),
        ("[" * 50, "nested more than 8 deep"),
        (",", "unknown layer ''"),
        (":3", "unknown layer ''"),
        ("relu " * 20_000, "expected at most 10,000"),
    ],
)
def test_wrong_words_are_one_clear_line(words, message):
    with pytest.raises(GrammarError) as caught:
        parse_words(words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers = ['relu']", "input is missing"),
        ("input = [1]", "layers is missing"),
        ("input = [1]\nlayers = []", "layers: got []"),
        ("input = [1]\nlayers = 3", "layers: got 3"),
        ("input = [0]\nlayers = ['relu']", "input: got [0]"),
        ("input = [1.5]\nlayers = ['relu']", "input: got [1.5]"),
        ("input = [true]\nlayers = ['relu']", "input: got [True]"),
        ("input = [1]\nlayers = ['relu']\nlayer = 3", "unknown key 'layer'; did you mean 'layers'?"),
        ("input = [1]\nlayers = [3]", "layer 1: got 3, expected a table"),
        ("input = [1]\nlayers = ['']", "layer 1: got ''"),
        ("input = [1]\nlayers = ['relu', 'rellu']", "layer 2 (rellu): unknown layer"),
        ("input = [1]\nlayers = [{units = 3}]", "a table without type"),
        ("input = [1]\nlayers = [{type = 'dense', units = true}]", "units: got True"),
        ("input = [1]\nlayers = [{type = 'dense', units = 1.5}]", "units: got 1.5"),
        ("input = [1]\nlayers = [{type = 'dense', branches = []}]", "dense has no branches"),
        ("input = [1]\nlayers = [{type = 'parallel', branches = 3}]", "got 3, expected branches ="),
        ("input = [1]\nlayers = [{type = 'parallel'}]", "got None, expected branches ="),
        ("input = [1]\nlayers = [{type = 'head', layers = [3]}]", "layer 1, branch 1, layer 1: got 3"),
        ("input = [1]\nlayers = [{type = 'dense', units = 3, name = 4}]", "name: got 4"),
        ("input = [8, 8, 1]\nlayers = [{type = 'conv', filters = 1, connections = [[0, 0]]}]", "connections: got"),
        ("input = [8, 8, 1]\nlayers = [{type = 'conv', filters = 1, connections = [[]]}]", "connections: got"),
    ],
)
def test_wrong_files_are_one_clear_line(text, message):
    with pytest.raises(GrammarError) as caught:
        read_network(tomllib.loads(text), "net.toml")
    assert str(caught.value).startswith("net.toml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_of_a_file_cannot_steer_a_terminal():
    spec = read_text('input = [4]\nlayers = ["relu"]\ntitle = "a\\u001b[31mb\\nc"\nname = "\\u0000"', "x")
    assert spec.title == "a [31mb c"
    assert spec.name.isprintable()


def test_the_help_names_every_layer_and_key():
    text = grammar()
    for name, layer in LAYERS.items():
        if name in ("parallel", "add", "head"):
            continue
        assert f"  {name}" in text
        for key in layer.keys:
            assert key in text or key.upper() in text or key == "connections", key
    assert max(map(len, text.splitlines())) <= 78


def test_examples_of_the_help_can_be_typed():
    for words in ("[ conv:64,kernel=1 | conv:32,same ]", "[ conv:4,same + ]", "{ dense:3 }", "leaky_relu:0.2"):
        assert plans(words)
