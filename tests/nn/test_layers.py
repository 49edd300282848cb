"""Every kind of layer: its gradients against finite differences, what it computes, and what it promises."""

import numpy as np
import pytest

from convcli.architectures import NetworkSpec, parse_words, plan_network
from convcli.errors import ModelError
from convcli.nn.build import Builder
from convcli.nn.gradcheck import check_layer


def build(words, size, dtype=np.float64, seed=0):
    """The layers of some words for an input size."""
    plan = plan_network(NetworkSpec(tuple(size), parse_words(words)))
    return Builder(seed, dtype).chain(plan.layers)


def layer(words, size, dtype=np.float64):
    """The only layer of some words."""
    (only,) = build(words, size, dtype)
    return only


PROVEN = [
    # convolution: stride, padding, dilation, groups, odd and even kernels, remainders, one to three axes
    ("conv:3,kernel=3x2,stride=2x1,same", (7, 6, 4)),
    ("conv:4,kernel=3,dilation=2,padding=2,groups=2,stride=2,tanh", (7, 6, 4)),
    ("conv:6,kernel=4,padding=full,stride=3,gelu", (8, 5, 2)),
    ("conv:6,kernel=2x3x2,padding=0:1x1x0,sigmoid,activity_regularizer=l1_l2:0.1:0.2", (5, 3, 4, 2)),
    ("conv:3,kernel=4,stride=3,dilation=2,padding=3:1,elu:0.7", (11, 4)),
    ("conv:3,kernel=1,use_bias=no,leaky_relu", (4, 4, 5)),
    ("depthwise:3,depth_multiplier=2,softmax", (7, 6, 4)),
    ("conv_transpose:4,kernel=3,stride=2,same,groups=2,relu", (4, 5, 2)),
    ("conv_transpose:3,kernel=2,stride=3,padding=1:0x0:1,output_padding=1", (4, 5, 2)),
    ("conv_transpose:2,kernel=4,stride=2,dilation=2", (5, 3)),
    ("conv_transpose:2,kernel=2,padding=1", (3, 3, 4, 2)),
    # pooling
    ("pool:2", (7, 6, 4)),
    ("pool:3,stride=2,same,dilation=2", (9, 8, 2)),
    ("pool:3,stride=2,ceil", (7, 8, 2)),
    ("pool:2x1x3,stride=1", (5, 4, 5, 3)),
    ("min_pool:2x3", (7, 6, 4)),
    ("average_pool:3,stride=2,same,count_include_pad", (7, 6, 4)),
    ("average_pool:3,ceil", (10, 3)),
    ("weighted_pool:3,stride=1,padding=1", (7, 6, 4)),
    ("weighted_pool:2,stride=3", (5, 5, 5, 2)),
    ("lp_pool:2,p=3", (7, 6, 4)),
    ("adaptive_average_pool:3x2", (7, 6, 4)),
    ("adaptive_max_pool:3", (7, 8, 2)),
    ("adaptive_pool:5,min", (3, 2)),
    ("adaptive_pool:2x1x3,average", (5, 4, 4, 2)),
    ("adaptive_pool:2x4,weighted", (5, 5, 2)),
    ("adaptive_pool:3,mode=lp,p=3", (7, 5, 2)),
    ("global_average_pool", (5, 4, 3)),
    ("global_max_pool", (5, 4, 3)),
    ("global_pool:min", (5, 3)),
    # the others
    ("separable_conv:3,kernel=2x3x2,stride=2,depth_multiplier=2,same,selu", (3, 4, 5, 2)),
    ("separable_conv:3,dilation=2,bias=no,hard_sigmoid,activity_regularizer=l2", (7, 3)),
    ("layer_norm", (6,)),
    ("layer_norm,center=no", (3, 4, 2, 5)),
    ("group_norm:3,scale=no", (4, 6)),
    ("upsample:3x1x2,bilinear", (3, 2, 1, 2)),
    ("upsample:4,bilinear", (1, 3)),
    ("prelu:all", (7,)),
    ("spatial_dropout:0.4", (5, 5, 6)),
    ("dense:5,leaky_relu:0.3", (7,)),
    ("dense:17,relu,activity_regularizer=l2", (33,)),
    ("batch_norm", (5, 4, 3)),
    ("batch_norm,center=no,scale=no", (4,)),
    ("lrn:5,alpha=0.3", (3, 4, 7)),
    ("lrn:4,alpha=0.3,k=1,beta=0.5", (3, 4, 3)),
    ("dropout:0.4", (5, 5, 2)),
    ("pad:1x2,mode=reflect", (5, 5, 2)),
    ("pad:0:2,mode=wrap", (5, 2)),
    ("pad:1,mode=edge", (5, 4, 3, 2)),
    ("pad:2,mode=symmetric", (5, 5, 2)),
    ("zero_pad:1", (5, 5, 2)),
    ("gelu", (5, 2)),
    ("softmax", (5, 5, 3)),
    ("[ conv:3,same | pool:3,stride=1,same conv:2,kernel=1 | ]", (5, 4, 3)),
    ("[ conv:3,same,relu batch_norm + ]", (5, 4, 3)),
]


@pytest.mark.parametrize(("words", "size"), PROVEN)
def test_gradients_are_proven(words, size):
    for each in build(words, size):
        checks = check_layer(each)
        assert all(check.passed for check in checks), checks


@pytest.mark.parametrize("mode", ["max", "average", "min", "weighted", "lp"])
def test_adaptive_pooling_is_the_operation(mode):
    from convcli import adaptive_pool2d

    x = np.random.default_rng(1).standard_normal((2, 7, 9, 3))
    pooled = layer(f"adaptive_pool:3x10,{mode}", (7, 9, 3)).forward(x)
    np.testing.assert_allclose(pooled, adaptive_pool2d(x, (3, 10), mode=mode), rtol=1e-12)


def test_the_check_fails_for_a_wrong_gradient():
    wrong = layer("conv:3,kernel=3", (5, 5, 2))
    backward = wrong.backward

    def one_number_off(gradient):
        result = backward(gradient)
        wrong.kernel.gradient[0, 0, 0, 0] *= 1.01
        return result

    wrong.backward = one_number_off
    assert [check.verdict for check in check_layer(wrong)] == ["ok", "wrong", "ok"]


def test_the_check_fails_for_gradients_that_are_all_zero():
    dead = layer("conv:3,kernel=3,relu,bias_initializer=constant:-1000", (5, 5, 2))
    assert {check.verdict for check in check_layer(dead)} == {"all zero"}


def test_a_table_of_connections_is_a_mask():
    from convcli.architectures.grammar import read_network

    conv = {"type": "conv", "filters": 3, "kernel_size": 2, "connections": [[0], [0, 1], [1, 2]]}
    plan = plan_network(read_network({"input": [5, 5, 3], "layers": [conv]}, "test"))
    (connected,) = Builder(0, np.float64).chain(plan.layers)
    assert sum(each.count for each in connected.parameters) == plan.params == 2 * 2 * 5 + 3
    assert all(check.passed for check in check_layer(connected))
    x = np.random.default_rng(0).standard_normal((1, 5, 5, 3))
    before = connected.forward(x).copy()
    x[..., 2] += 1
    assert np.array_equal(connected.forward(x)[..., :2], before[..., :2])
    connected.kernel.assign(np.ones(connected.kernel.value.shape))
    assert connected.kernel.value[..., 2, 0].max() == 0


@pytest.mark.parametrize("words", ["pool:2", "pool:3,stride=1,same", "min_pool:2", "global_max_pool"])
def test_of_equal_values_the_first_has_the_whole_gradient(words):
    tied = layer(words, (4, 4, 2), np.float32)
    x = np.ones((1, 4, 4, 2), np.float32)
    out = tied.forward(x, training=True)
    gradient = tied.backward(np.ones_like(out))
    assert gradient.sum() == out.size
    if words.endswith("pool:2"):
        assert (gradient[0, ::2, ::2] == 1).all()
        assert gradient[0, 1::2].max() == gradient[0, :, 1::2].max() == 0
    if words == "global_max_pool":
        assert gradient[0, 0, 0].tolist() == [1, 1]


@pytest.mark.parametrize("words", ["pool:3,stride=2,padding=1", "min_pool:2,ceil", "pool:2,dilation=2,same"])
def test_pooling_while_training_gives_what_pooling_gives(words, rng):
    from convcli import pool2d

    pool = layer(words, (7, 6, 5), np.float32)
    x = rng.standard_normal((3, 7, 6, 5)).astype(np.float32)
    x[1, 2, 3, 4] = np.nan
    keys = {"padding": 0} | {"pool:3,stride=2,padding=1": {"size": 3, "stride": 2, "padding": 1},
            "min_pool:2,ceil": {"size": 2, "mode": "min", "ceil_mode": True},
            "pool:2,dilation=2,same": {"size": 2, "dilation": 2, "padding": "same"}}[words]  # fmt: skip
    expected = pool2d(x, **keys)
    np.testing.assert_array_equal(pool.forward(x, training=True), expected)
    np.testing.assert_array_equal(pool.forward(x), expected)


def test_modes_without_a_gradient_are_refused():
    with pytest.raises(ModelError, match=r"pool_1: got mode 'median', expected max"):
        build("median_pool:3", (9, 9, 1))


def test_dropout_keeps_the_mean_and_can_be_repeated(rng):
    from convcli.nn.randomness import restore, state_of

    dropout = layer("dropout:0.3", (100, 100, 1), np.float32)
    x = np.ones((2, 100, 100, 1), np.float32)
    assert dropout.forward(x) is x
    state = state_of(dropout.generator)
    first = dropout.forward(x, training=True).copy()
    assert first.mean() == pytest.approx(1, abs=0.02)
    assert (first == 0).mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(dropout.backward(x), first)
    assert not np.array_equal(dropout.forward(x, training=True), first)
    restore(dropout.generator, state)
    np.testing.assert_array_equal(dropout.forward(x, training=True), first)
    assert layer("dropout:0", (3, 3, 1)).forward(x, training=True) is x


def test_batch_norm_averages_as_keras_does(rng):
    norm = layer("batch_norm,momentum=0.9", (4, 4, 3))
    x = rng.standard_normal((8, 4, 4, 3)) * 3 + 5
    out = norm.forward(x, training=True)
    np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=(0, 1, 2)), x.var(axis=(0, 1, 2)) / (x.var(axis=(0, 1, 2)) + 1e-3))
    np.testing.assert_allclose(norm.moving_mean.value, 0.1 * x.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(norm.moving_variance.value, 0.9 + 0.1 * x.var(axis=(0, 1, 2)))
    expected = (x - norm.moving_mean.value) / np.sqrt(norm.moving_variance.value + 1e-3)
    np.testing.assert_allclose(norm.forward(x), expected)
    assert [each.name for each in norm.parameters if each.trainable] == ["gamma", "beta"]
    assert not any(each.decays for each in norm.parameters)


def test_local_response_normalisation_is_alexnets(rng):
    lrn = layer("lrn:5,alpha=0.1,beta=0.75,k=2", (2, 2, 8))
    x = rng.standard_normal((1, 2, 2, 8))
    expected = x.copy()
    for i in range(8):
        scale = 2 + 0.1 * (x[..., max(i - 2, 0) : i + 3] ** 2).sum(axis=-1)
        expected[..., i] /= scale**0.75
    np.testing.assert_allclose(lrn.forward(x), expected)


def test_layers_never_write_to_what_they_are_given(rng):
    for words, size in PROVEN:
        for each in build(words, size)[:1]:
            x = rng.standard_normal((2, *size))
            before = x.copy()
            out = each.forward(x, training=True)
            gradient = rng.standard_normal(out.shape)
            kept = gradient.copy()
            each.backward(gradient)
            np.testing.assert_array_equal(x, before)
            np.testing.assert_array_equal(gradient, kept)


def test_smaller_batches_use_the_same_buffers(rng):
    conv = layer("conv:3,kernel=3,relu", (6, 6, 2), np.float32)
    x = rng.standard_normal((5, 6, 6, 2)).astype(np.float32)
    whole = conv.forward(x, training=True).copy()
    np.testing.assert_array_equal(conv.forward(x[:2], training=True), whole[:2])
    assert np.shares_memory(conv.forward(x[:2], training=True), conv.forward(x, training=True))
    assert not np.shares_memory(conv.forward(x), conv.forward(x))


@pytest.mark.parametrize("words", ["relu", "gelu"])
def test_large_activations_have_the_gradients_of_small_ones(words, rng):
    x = rng.standard_normal((2, 100, 100, 1))
    cotangent = rng.standard_normal(x.shape)
    large, small = layer(words, (100, 100, 1)), layer(words, (100, 100, 1))
    large.forward(x, training=True)
    whole = large.backward(cotangent)
    for n in range(2):
        small.forward(x[n : n + 1], training=True)
        np.testing.assert_array_equal(small.backward(cotangent[n : n + 1])[0], whole[n])


@pytest.mark.parametrize("words", ["pool:2", "min_pool:2", "pool:3,stride=2"])
def test_pooling_gives_the_same_bits_whether_it_remembers_or_not(words):
    numbers = np.random.default_rng(7)
    x = numbers.choice(np.array([-1, -0.0, 0.0, 1, 2, np.nan, np.inf, -np.inf], np.float32), (3, 9, 8, 5))
    pooling = layer(words, x.shape[1:], np.float32)
    forgotten = pooling.forward(x).copy()
    remembered = pooling.forward(x, training=True)
    assert forgotten.tobytes() == remembered.tobytes()
    assert np.isnan(forgotten).any()


def test_a_prediction_in_parts_is_that_of_the_whole(rng):
    from convcli.nn import Model

    model = Model.from_layers(["conv:3,relu", "pool:2", "dense:2,softmax"], (100, 120, 1))
    x = rng.random((70, 100, 120, 1), np.float32)
    np.testing.assert_allclose(model.predict(x), model.forward(x), atol=1e-6)
    np.testing.assert_allclose(model.predict(x, 9), model.forward(x), atol=1e-6)


@pytest.mark.parametrize(
    "words", ["lp_pool:2,p=40", "lp_pool:3,p=40,stride=2,padding=1", "adaptive_pool:2,mode=lp,p=40"]
)
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_the_gradient_of_a_norm_does_not_depend_on_the_scale(rng, words, scale):
    small = rng.standard_normal((2, 5, 5, 3)).astype(np.float32)
    small[0, :2, :2] = 0
    pooled = layer(words, (5, 5, 3))
    given = rng.standard_normal((2, *pooled.output_shape)).astype(np.float32)
    pooled.forward(small, training=True)
    expected = pooled.backward(given).copy()
    pooled.forward(small * np.float32(scale), training=True)
    got = pooled.backward(given)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
