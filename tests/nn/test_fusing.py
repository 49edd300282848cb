"""Layers that do their neighbours' work give what they would give alone."""

import numpy as np
import pytest

from convcli.nn import Model, model
from convcli.nn.gradcheck import check_model
from convcli.nn.normalization import BatchNorm

CHAINS = [
    ["conv:4,kernel=3", "batch_norm", "relu", "pool:2", "conv:4,kernel=2", "batch_norm", "relu"],
    ["conv:4,kernel=3,relu", "pool:2", "conv:3,kernel=2,relu", "pool:3,stride=1,same"],
    ["conv:4,kernel=3,relu,activity_regularizer=l2:0.1", "pool:2"],
    ["conv:4,kernel=3", "batch_norm,beta_initializer=ones", "relu", "min_pool:2", "relu", "min_pool:2,stride=1"],
    ["batch_norm,scale=no", "relu", "pool:2,stride=2,padding=1", "batch_norm", "pool:2", "relu"],
    ["conv:4,kernel=3", "[ batch_norm relu pool:2 | conv:2,kernel=1,relu pool:2 ]"],
    ["conv:4,kernel=3", "relu", "{ pool:2 dense:3,softmax }", "pool:2"],
]


def compare(chain, dtype, monkeypatch):
    """One step of a model that fuses and of one that does not."""
    words = [*chain, "dense:3,softmax"]
    fused = Model.from_layers(words, (9, 11, 2), dtype=dtype)
    monkeypatch.setattr(model, "fuse", lambda layers: None)
    plain = Model.from_layers(words, (9, 11, 2), dtype=dtype)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((5, 9, 11, 2)), rng.integers(0, 3, 5)
    steps = [each.loss_and_gradients(x, labels, input_gradient=True) for each in (fused, plain)]
    return fused, plain, steps, x


@pytest.mark.parametrize("chain", CHAINS)
def test_fused_layers_learn_what_plain_ones_do(chain, monkeypatch):
    fused, plain, steps, x = compare(chain, np.float64, monkeypatch)
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-13)
    np.testing.assert_allclose(steps[0].input_gradient, steps[1].input_gradient, rtol=0, atol=1e-14)
    assert np.abs(steps[1].input_gradient).max() > 1e-3
    for name, parameter in fused.parameters.items():
        np.testing.assert_allclose(parameter.gradient, plain.parameters[name].gradient, rtol=0, atol=1e-13)
    np.testing.assert_allclose(fused.predict(x), plain.predict(x), rtol=0, atol=1e-14)
    for (name, one), (_, other) in zip(fused.trace(x), plain.trace(x), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("chain", CHAINS[:2])
def test_the_gradients_of_fused_layers_are_proven(chain):
    checks = check_model(Model.from_layers([*chain, "dense:3,softmax"], (9, 11, 2), dtype=np.float64))
    assert all(check.passed for check in checks), checks


def test_something_is_fused():
    network = Model.from_layers([*CHAINS[0], "dense:3,softmax"], (9, 11, 2))
    assert [(each.name, each.relu, each.masked) for each in network.walk() if hasattr(each, "relu")] == [
        ("batch_norm_1", True, True),
        ("batch_norm_2", True, False),
    ]


def test_predicting_folds_normalisation_into_the_weights(rng, monkeypatch):
    words = ["conv:4,kernel=3", "batch_norm", "relu", "conv:3,kernel=2,bias=no,groups=1", "batch_norm,scale=no"]
    network = Model.from_layers([*words, "flatten", "dense:6", "batch_norm", "dense:3,softmax"], (9, 11, 2))
    for parameter in network.parameters.values():  # of a network that has learnt something
        parameter.value[...] = rng.random(parameter.value.shape) + 0.1
    x = rng.standard_normal((7, 9, 11, 2)).astype(np.float32)
    plain = network.forward(x, logits=True)
    passes: list[str] = []
    normalized = BatchNorm._normalized
    monkeypatch.setattr(BatchNorm, "_normalized", lambda self, *given: passes.append("") or normalized(self, *given))
    np.testing.assert_allclose(network.predict(x, 3, logits=True), plain, rtol=2e-5)
    assert passes == []
    np.testing.assert_array_equal(network.forward(x, logits=True), plain)  # as before: nothing stays folded
    assert len(passes) == 3
    network.parameters["batch_norm_1/gamma"].value[0] = 3e38  # what no float32 weight holds is not folded
    network.parameters["batch_norm_1/moving_variance"].value[0] = 0
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(network.predict(x, logits=True), network.forward(x, logits=True))


def test_a_nan_is_seen_through_fused_layers():
    network = Model.from_layers([*CHAINS[0], "dense:3,softmax"], (9, 11, 2))
    network.parameters["batch_norm_1/gamma"].value[1] = np.nan
    step = network.loss_and_gradients(np.ones((2, 9, 11, 2)), np.array([0, 1]))
    assert np.isnan(step.loss)
    bad = [name for name, values in network.trace(np.ones((2, 9, 11, 2))) if not np.isfinite(values).all()]
    assert bad[0] == "batch_norm_1"
