"""Networks in ONNX compute what they compute here, by onnx's own reference evaluator."""

import json
import re
import sys

import numpy as np
import pytest

from convcli.errors import ModelError
from convcli.extras import install
from convcli.nn.model import Model
from convcli.nn.onnx_model import IR_VERSION, OPSET, onnx_model, require_onnx
from convcli.nn.weights import ModelCard, TrainedModel

onnx = pytest.importorskip("onnx")


def trained(layers, size, **others):
    """A network whose numbers are all different, those of batch normalisation too."""
    model = Model.from_layers(layers, size, **others)
    generator = np.random.default_rng(2)
    for name, parameter in model.parameters.items():
        low, high = (0.5, 1.5) if name.endswith("variance") else (-0.7, 0.7)
        parameter.assign(generator.uniform(low, high, parameter.value.shape))
    return TrainedModel(model, ModelCard("made", (), None, 0, {}, {}, ()))


def without_groups(proto):
    """Transposed convolutions of each group by itself: onnx's reference evaluator (1.23) mistakes those with groups."""
    from onnx import helper, numpy_helper

    graph = proto.graph
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = []
    for node in graph.node:
        words = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        groups = words.pop("group", 1)
        if node.op_type != "ConvTranspose" or groups == 1:
            nodes.append(node)
            continue
        parts = [[f"{node.name}/{kind}{group}" for group in range(groups)] for kind in "xwbo"]
        nodes.append(helper.make_node("Split", node.input[:1], parts[0], axis=1))
        for places, name in zip(parts[1:3], node.input[1:], strict=True):
            pieces = zip(places, np.split(arrays[name], groups), strict=True)
            graph.initializer.extend(numpy_helper.from_array(piece, place) for place, piece in pieces)
        nodes += [helper.make_node("ConvTranspose", each[:3], each[3:], **words) for each in zip(*parts, strict=True)]
        nodes.append(helper.make_node("Concat", parts[3], node.output, axis=1))
    del graph.node[:]
    graph.node.extend(nodes)
    return proto


def difference(network, layout=None):
    """The largest difference between the reference evaluator and ours, relative to the largest value."""
    from onnx.reference import ReferenceEvaluator

    proto = onnx_model(network, layout)
    onnx.checker.check_model(proto, full_check=True)
    x = np.random.default_rng(3).normal(size=(3, *network.input_shape)).astype(network.model.dtype)
    ours = network.model.forward(x)
    given = x if layout is None else np.moveaxis(x, -1, 1)
    theirs = ReferenceEvaluator(without_groups(proto)).run(None, {"input": given})[0]
    theirs = theirs if layout is None or theirs.ndim < 3 else np.moveaxis(theirs, 1, -1)
    assert theirs.shape == ours.shape and theirs.dtype == ours.dtype
    return float(np.abs(theirs - ours).max() / max(np.abs(ours).max(), 1e-3))


LAYERS = [
    ("conv:5,kernel=3", (9, 3)),
    ("conv:4,kernel=3x2,stride=2x1,same", (7, 6, 3)),
    ("conv:6,kernel=3,groups=3,dilation=2,padding=2:1", (8, 9, 3)),
    ("conv:4,kernel=2,padding=0:1x2:0,bias=no", (5, 6, 2)),
    ("conv:3,kernel=2x3x2,padding=full", (4, 5, 4, 2)),
    ("conv:4,kernel=2,same,stride=2", (5, 6, 5, 1)),
    ("depthwise:3,depth_multiplier=2,same", (6, 5, 3)),
    ("conv_transpose:4,kernel=3,stride=2", (4, 3)),
    ("conv_transpose:4,kernel=3,stride=2,same", (4, 5, 3)),
    ("conv_transpose:6,kernel=3x2,stride=3x2,groups=2,padding=1:0,output_padding=1", (4, 5, 4)),
    ("conv_transpose:2,kernel=3,dilation=2", (4, 5, 2)),
    ("conv_transpose:2,kernel=2,stride=2", (3, 3, 2, 2)),
    ("pool:2", (9, 2)),
    ("pool:3,stride=2,same", (7, 6, 2)),
    ("pool:2x3,stride=2,padding=1:0,ceil", (7, 8, 2)),
    ("pool:2,dilation=3,padding=2", (9, 8, 2)),
    ("pool:2,dilation=3,padding=3", (9, 8, 2)),
    ("pool:3,padding=full", (5, 6, 2)),
    ("pool:2,mode=min,ceil", (5, 6, 2)),
    ("pool:2,ceil", (5, 6, 4, 2)),
    ("average_pool:3,stride=2,same", (8, 7, 3)),
    ("average_pool:3,stride=2,ceil", (8, 7, 3)),
    ("average_pool:3,stride=2,padding=1,count_include_pad", (7, 8, 3)),
    ("average_pool:3,stride=2,padding=1,ceil,count_include_pad", (8, 8, 3)),
    ("average_pool:2,dilation=2,padding=1", (7, 8, 3)),
    ("average_pool:2,stride=2,ceil", (5, 4, 5, 2)),
    ("average_pool:3,stride=2,padding=1", (9, 2)),
    ("weighted_pool:3,stride=2", (8, 7, 3)),
    ("weighted_pool:3,same,stride=1", (8, 7, 3)),
    ("weighted_pool:2,ceil,padding=1,count_include_pad", (4, 5, 5, 2)),
    ("lp_pool:2,p=3", (6, 6, 2)),
    ("lp_pool:3,p=2,stride=2,ceil", (8, 8, 2)),
    ("global_average_pool", (5, 4, 3)),
    ("global_max_pool", (5, 4, 3, 2)),
    ("global_pool:min", (5, 3)),
    ("adaptive_max_pool:3", (7, 8, 2)),
    ("adaptive_average_pool:3x2", (7, 8, 2)),
    ("adaptive_pool:2,mode=weighted", (7, 8, 5, 2)),
    ("adaptive_pool:3,mode=lp,p=2", (7, 2)),
    ("adaptive_pool:2,mode=min", (5, 6, 2)),
    ("flatten", (3, 4, 2)),
    ("flatten", (3, 1)),
    ("dense:4", (6,)),
    ("dense:4,bias=no", (2, 3, 2)),
    ("batch_norm", (5, 4, 3)),
    ("batch_norm,scale=no,center=no,epsilon=0.1", (5, 3)),
    ("batch_norm", (7,)),
    ("lrn:5,alpha=0.3", (4, 3, 7)),
    ("lrn:4,alpha=0.3", (4, 3, 7)),
    ("lrn:3,alpha=0.3,beta=0.5,k=1", (4, 7)),
    ("lrn:3,alpha=0.3", (7,)),
    ("lrn:2,alpha=0.3", (3, 2, 2, 4)),
    ("pad:2", (4, 5, 2)),
    ("pad:1:2,value=0.5", (4, 2)),
    ("pad:2,mode=edge", (4, 5, 2)),
    ("pad:3,mode=reflect", (4, 5, 2)),
    ("pad:2x3,mode=symmetric", (4, 5, 2)),
    ("pad:1,mode=wrap", (4, 5, 3, 2)),
    *((each, (4, 3)) for each in ("relu", "leaky_relu", "leaky_relu:0.4", "elu", "elu:0.5", "gelu", "sigmoid", "tanh")),
    ("softmax", (3, 4, 5)),
    ("dropout:0.5 linear", (4, 3)),
    ("[ conv:2,same | pool:3,stride=1,same conv:3,kernel=1,relu ]", (6, 5, 2)),
    ("[ conv:2,same + ]", (6, 5, 2)),
    ("[ conv:2,same,gelu + [ conv:1,same | conv:1,kernel=1 ] + ]", (6, 5, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "size"), LAYERS)
def test_every_layer_computes_the_same(layer, size):
    assert difference(trained([layer], size)) < 2e-6
    assert difference(trained([layer], size), "nchw") < 2e-6


WHOLE = ["conv:4,kernel=3,relu", "batch_norm", "{ dense:3,softmax }", "pool:2", "dropout:0.5", "flatten",
         "dense:6,gelu", "dense:3,softmax"]  # fmt: skip


def test_a_whole_network_in_both_precisions():
    assert difference(trained(WHOLE, (9, 8, 2))) < 2e-6
    assert difference(trained(WHOLE, (9, 8, 2), dtype=np.float64)) < 1e-7  # ONNX's epsilon is a float32


def test_channels_first_networks_stay_channels_first():
    network = trained(["conv:4,kernel=3", "flatten", "dense:3,softmax"], (6, 5, 2), data_format="channels_first")
    assert difference(network) < 2e-6
    [end] = onnx_model(network).graph.input
    assert [each.dim_value or each.dim_param for each in end.type.tensor_type.shape.dim] == ["N", 2, 6, 5]


def test_a_table_of_connections():
    layer = {"type": "conv", "filters": 2, "kernel_size": 3, "connections": [[0, 2], [1]]}
    assert difference(trained([layer], (5, 6, 3))) < 2e-6


def test_what_the_file_tells():
    card = ModelCard("made", ("a", "b", "ü"), {"kind": "picture"}, 5, {"epochs": 1}, {"test_accuracy": 0.5}, ())
    proto = onnx_model(TrainedModel(trained(WHOLE, (9, 8, 2)).model, card))
    told = {each.key: each.value for each in proto.metadata_props}
    assert json.loads(told["classes"]) == ["a", "b", "ü"]
    assert json.loads(told["preprocessing"]) == {"kind": "picture"}
    assert json.loads(told["convcli"])["seed"] == 5
    assert json.loads(told["architecture"])["input"] == [9, 8, 2]
    assert told["layout"] == "nhwc"
    assert (proto.ir_version, proto.opset_import[0].version, proto.producer_name) == (IR_VERSION, OPSET, "convcli")
    names = [node.name for node in proto.graph.node]
    assert len(names) == len(set(names)) and not [name for name in names if "dropout" in name or "head" in name]


def test_the_same_model_gives_the_same_bytes():
    first, second = (onnx_model(trained(WHOLE, (9, 8, 2))).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_wrong_layouts_and_a_missing_library(monkeypatch):
    with pytest.raises(ModelError, match="layout: got 'nwhc', expected nhwc or nchw"):
        onnx_model(trained(["relu"], (3, 2)), "nwhc")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=re.escape(f"the onnx library is not installed; {install('onnx')}")):
        require_onnx()


@pytest.mark.parametrize(
    "layers",
    [
        ["flatten", "dense:1,sigmoid"],
        ["dense:2"],
        ["dense:2,tanh"],
        ["dense:2,softmax", "flatten"],
        ["dense:2,softmax"],
    ],
)
def test_classes_have_the_probabilities_of_predict(layers):
    model = trained(layers, (3, 4, 1)).model
    made = TrainedModel(model, ModelCard("made", ("a", "b"), None, 0, {}, {}, ()))
    x = np.random.default_rng(0).random((3, 3, 4, 1)).astype(np.float32)
    (outputs,) = onnx.reference.ReferenceEvaluator(onnx_model(made)).run(None, {"input": x})
    assert outputs.shape == (3, 2) and np.allclose(outputs.sum(axis=1), 1)
    assert np.allclose(outputs, made.predict(x), atol=1e-6)
    assert onnx_model(made).graph.output[0].type.tensor_type.shape.dim[1].dim_value == 2
