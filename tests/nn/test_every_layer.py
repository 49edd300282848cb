"""A word of the grammar is a layer everywhere: it has a shape, is built, proven, exported or refused, and drawn."""

import numpy as np
import pytest

from convcli.architectures import NetworkSpec, parse_words, plan_network
from convcli.architectures.vocabulary import KEEP_SHAPE, LAYERS, LEARNING, WITH_BRANCHES, WITH_KERNEL
from convcli.errors import ModelError
from convcli.nn.build import Builder
from convcli.nn.gradcheck import check_layer
from convcli.nn.model import Model
from convcli.nn.torch_weights import _NAMES
from convcli.nn.weights import ModelCard, TrainedModel
from convcli.views import volumes

# Every word in a network for (6, 5, 2) images. A new word belongs here, and the tests say what else it needs.
SAMPLES = {
    "conv": "conv:3,kernel=2,stride=2",
    "conv_transpose": "conv_transpose:3,kernel=2,stride=2",
    "depthwise": "depthwise:3",
    "separable_conv": "separable_conv:3,kernel=2,stride=2,depth_multiplier=2",
    "pool": "pool:2",
    "global_pool": "global_pool:average",
    "adaptive_pool": "adaptive_pool:2,average",
    "flatten": "flatten",
    "dense": "flatten dense:4",
    "dropout": "dropout:0.5",
    "spatial_dropout": "spatial_dropout:0.5",
    "batch_norm": "batch_norm",
    "layer_norm": "conv:4 layer_norm",
    "group_norm": "conv:4 group_norm:2",
    "lrn": "lrn:3",
    "pad": "pad:1",
    "upsample": "upsample:2x3,bilinear",
    "prelu": "prelu:none",
    "activation": "relu",
    "parallel": "[ conv:2,same | pool:3,stride=1,same ]",
    "add": "[ conv:2,same + ]",
    "head": "{ flatten dense:3,softmax } flatten dense:3,softmax",
}
# What ONNX cannot say. None yet: a word that is written here is refused by export, and everything else is exported.
NOT_IN_ONNX = ()


def plan_of(kind):
    return plan_network(NetworkSpec((6, 5, 2), parse_words(SAMPLES[kind])))


def test_no_word_is_forgotten():
    assert set(SAMPLES) == set(LAYERS)
    assert set(_NAMES) == LEARNING - WITH_KERNEL  # whose numbers have names of their own in other programs
    for kind in LAYERS:
        assert kind in [layer.type for layer in plan_of(kind).layers], f"{SAMPLES[kind]} has no {kind}"


@pytest.mark.parametrize("kind", LAYERS)
def test_the_vocabulary_says_what_the_rules_do(kind):
    layer = next(each for each in plan_of(kind).layers if each.type == kind)
    if kind not in WITH_BRANCHES:
        assert (kind in KEEP_SHAPE) <= (layer.output == layer.input) and (kind in LEARNING) == (layer.params > 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_built_as_its_rules_say_and_its_gradients_are_proven(kind):
    plan = plan_of(kind)
    x = np.random.default_rng(1).standard_normal((2, *plan.input))
    for layer in Builder(0, np.float64, heads=False).chain(plan.layers):
        x = layer.forward(x)
        assert x.shape[1:] == layer.plan.output, kind
        assert sum(each.value.size for each in layer.parameters) == layer.plan.params
        checks = check_layer(layer)
        assert checks and all(check.passed for check in checks), checks


@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_exported_or_explicitly_not(kind):
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    from convcli.nn.onnx_model import onnx_model

    model = Model.from_layers([SAMPLES[kind]], (6, 5, 2), seed=1)
    network = TrainedModel(model, ModelCard("made", (), None, 0, {}, {}, ()))
    if kind in NOT_IN_ONNX:
        with pytest.raises(ModelError, match=f"ONNX has no words for a layer of type {kind}"):
            onnx_model(network, None)
        return
    x = np.random.default_rng(3).normal(size=(3, 6, 5, 2)).astype(np.float32)
    (theirs,) = ReferenceEvaluator(onnx_model(network, None)).run(None, {"input": x})
    np.testing.assert_allclose(theirs.reshape(-1), network.predict(x).reshape(-1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_drawn(kind):
    plan = plan_of(kind)
    drawing = volumes.draw(plan)
    assert drawing.startswith("<svg") and drawing.rstrip().endswith("</svg>")
    assert "nan" not in drawing
