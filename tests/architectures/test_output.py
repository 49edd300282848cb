"""Where the output comes from: softmax and sigmoid are found wherever they stand, applied once, or refused."""

import numpy as np
import pytest

from convcli.architectures import load, parse_words, plan_network
from convcli.architectures.fitting import fitted, with_padded_windows
from convcli.architectures.grammar import NetworkSpec
from convcli.architectures.output import find_output
from convcli.errors import ModelError
from convcli.nn.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from convcli.nn.model import Model
from convcli.nn.scoring import loss_for


def plan(words, size=(4, 4, 2)):
    return plan_network(NetworkSpec(size, parse_words(words)))


@pytest.mark.parametrize(
    ("words", "activation", "loss"),
    [
        ("dense:3,softmax", "softmax", SoftmaxCrossEntropy),
        ("dense:3 softmax", "softmax", SoftmaxCrossEntropy),
        ("dense:3,softmax flatten", "softmax", SoftmaxCrossEntropy),
        ("conv:3,kernel=4,softmax flatten", "softmax", SoftmaxCrossEntropy),
        ("conv:3,kernel=4,softmax global_pool", "softmax", SoftmaxCrossEntropy),
        ("conv:3,kernel=4,softmax linear dropout:0", "softmax", SoftmaxCrossEntropy),
        ("conv:3,softmax", "softmax", SoftmaxCrossEntropy),
        ("dense:3,softmax { dense:3,softmax }", "softmax", SoftmaxCrossEntropy),
        ("dense:3,relu softmax", "softmax", SoftmaxCrossEntropy),
        ("conv:1,sigmoid flatten", "sigmoid", BinaryCrossEntropy),
        ("conv:1 sigmoid flatten", "sigmoid", BinaryCrossEntropy),
        ("dense:3,tanh", "tanh", MeanSquaredError),
        ("dense:3 tanh dropout:0.2", "tanh", MeanSquaredError),
        ("conv:3,tanh global_pool", "tanh", MeanSquaredError),
        ("dense:3,relu", "relu", MeanSquaredError),
        ("conv:3,relu global_pool", "linear", SoftmaxCrossEntropy),
        ("dense:3,softmax batch_norm", "linear", SoftmaxCrossEntropy),
        ("dense:3", "linear", SoftmaxCrossEntropy),
        ("dense:1", "linear", MeanSquaredError),
        ("conv:3", "linear", MeanSquaredError),
    ],
)
def test_the_output_is_found(words, activation, loss):
    assert find_output(plan(words).layers).activation == activation
    model = Model(plan(words))
    assert model.ending == activation and isinstance(loss_for(model), loss)
    x = np.random.default_rng(0).random((5, 4, 4, 2))
    logits = model.forward(x, logits=True)
    # Once, and only once.
    assert np.array_equal(model.forward(x), model.final.forward(logits))
    if activation == "softmax":
        assert np.allclose(model.forward(x).sum(axis=-1), 1) and not np.allclose(logits.sum(axis=-1), 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("dense:3,softmax dropout:0.1", "dropout_1: got dropout behind the softmax of dense_1"),
        ("dense:3 sigmoid dropout:0.5", "dropout_1: got dropout behind the sigmoid of sigmoid_1"),
        ("conv:3,softmax flatten", "flatten_1: got flatten behind the softmax of conv_1"),
        ("conv:3,softmax global_pool", "global_pool_1: got global_pool behind the softmax"),
        ("conv:3,softmax pool:2", "pool_1: got pool behind the softmax"),
        ("conv:3,sigmoid adaptive_pool:1 flatten", "adaptive_pool_1: got adaptive_pool behind the sigmoid"),
        ("dense:3,softmax relu", "relu_1: got activation behind the softmax"),
        ("dense:3,softmax tanh", "tanh_1: got activation behind the softmax"),
        ("dense:3,softmax softmax", "softmax_1: got softmax behind the softmax of dense_1, expected one"),
        ("dense:3,sigmoid softmax", "softmax_1: got softmax behind the sigmoid of dense_1, expected one"),
        ("conv:3,softmax lrn", "lrn_1: got lrn behind"),
        ("[ dense:2,softmax | dense:2 ]", "parallel_1: got softmax at the end of a branch"),
        ("[ dense:2 sigmoid flatten + dense:2 ]", "add_1: got sigmoid at the end of a branch"),
        ("{ dense:2,softmax dropout:0.3 } dense:2", "got dropout behind the softmax"),
    ],
)
def test_what_would_be_applied_twice_is_refused(words, message):
    with pytest.raises(ModelError) as raised:
        Model(plan(words))
    assert message in str(raised.value) and "expected" in str(raised.value)


def test_networks_are_fitted_whatever_follows_their_classes():
    for words in ("dense:7,softmax flatten", "dense:7 softmax", "dense:7 softmax dropout:0", "dense:1,sigmoid flatten"):
        made = fitted(NetworkSpec((4, 4, 2), parse_words(words)), (4, 4, 2), 3)
        assert made.output == (3,) and find_output(made.layers).activation == "softmax"
    single = fitted(NetworkSpec((4, 4, 2), parse_words("dense:1 sigmoid flatten")), (4, 4, 2), 2)
    assert single.output == (1,)


@pytest.mark.parametrize("size", [(3, 60), (4, 4), (60, 3), (1, 9), (1, 1)])
@pytest.mark.parametrize("name", ["pictures", "deep"])
def test_padded_windows_fit_every_picture(name, size):
    assert fitted(with_padded_windows(load(name)), (*size, 3), 4).output == (4,)
