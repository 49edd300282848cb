"""A whole network: built, proven, trained, repeated to the bit, saved and loaded."""

import subprocess
import sys

import numpy as np
import pytest

from convcli.architectures import load, plan_network, shipped
from convcli.errors import ModelError, ShapeError
from convcli.nn import MeanSquaredError, Model, SoftmaxCrossEntropy, make_optimizer
from convcli.nn.build import Builder
from convcli.nn.gradcheck import check_model

SMALL = ["conv:4,kernel=3,relu", "pool:2", "dropout:0.2", "dense:8,relu", "dense:3,softmax"]


def stripes(rng, count):
    """Pictures of a bright row, a bright column, or neither."""
    labels = rng.integers(0, 3, count)
    x = 0.3 * rng.standard_normal((count, 8, 8, 1))
    for image, label in zip(x, labels, strict=True):
        place = rng.integers(0, 8)
        if label < 2:
            image[(place, slice(None)) if label == 0 else (slice(None), place)] += 1
    return x.astype(np.float32), labels


def train(model, x, labels, steps=60, optimizer=None):
    """Losses of some steps on batches of 32."""
    optimizer = optimizer or make_optimizer("adam", learning_rate=0.01)
    losses = []
    for step in range(steps):
        batch = np.arange(step * 32, step * 32 + 32) % len(x)
        losses.append(model.loss_and_gradients(x[batch], labels[batch]).loss)
        optimizer.step(model.parameters)
    return losses


@pytest.mark.parametrize("name", [name for name in shipped() if name not in ("alexnet", "vgg16", "googlenet")])
def test_shipped_networks_have_the_plans_parameters(name):
    model = Model.from_architecture(name)
    assert model.parameter_count == model.plan.params
    assert sum(each.count for each in model.parameters.values() if not each.trainable) == model.plan.untrained


def test_heads_are_for_training_and_their_places_stay():
    layers = ["conv:4,kernel=3,relu", "{ dense:3,softmax }", "batch_norm", "dense:3,softmax"]
    model = Model.from_layers(layers, (6, 6, 2), seed=5)
    assert model.parameter_count == model.plan.params
    assert len(model.heads) == 1 and len(model.parameters) == 10
    alone = Model(model.plan, seed=5, heads=False)
    assert len(alone.parameters) == 8
    np.testing.assert_array_equal(alone.state()["dense_1/kernel"], model.state()["dense_1/kernel"])
    alone.load_state(model.state())
    model.load_state(alone.state())
    x = np.random.default_rng(0).standard_normal((3, 6, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(alone.predict(x), model.predict(x))


def test_googlenets_plan_is_built():
    plan = plan_network(load("googlenet"))
    builder = Builder(0, np.float32)
    layers = [builder.layer(each) for each in plan.layers[:9]]
    params = sum(parameter.count for layer in layers for each in layer.walk() for parameter in each.parameters)
    assert params == sum(each.all_params for each in plan.layers[:9])


PROVEN = [
    (SMALL, (8, 8, 1), {}),
    (["conv:3,kernel=3,same,kernel_regularizer=l2:0.1", "batch_norm", "{ dense:4,softmax }", "relu", "dense:4,softmax"],
     (5, 5, 2), {}),
    (["[ conv:2,kernel=1 | conv:3,same,tanh,activity_regularizer=l2 ]", "[ conv:5,same,elu + ]", "global_pool",
      "dense:1,sigmoid,kernel_regularizer=l1"], (5, 5, 2), {}),
    (["conv3d:3,kernel=2,relu", "pool:2", "dense:2"], (4, 5, 5, 1), {}),
    (["conv1d:4,kernel=3,stride=2,gelu", "dense:2,bias_regularizer=l1_l2:0.1:0.1,softmax"], (9, 2), {}),
    (["conv:4,same,relu", "conv_transpose:3,kernel=2,stride=2,softmax"], (3, 3, 2), {"data_format": "channels_first"}),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "size", "others"), PROVEN)
def test_the_gradients_of_the_loss_are_proven(layers, size, others):
    checks = check_model(Model.from_layers(layers, size, dtype=np.float64, **others))
    assert all(check.passed for check in checks), checks


def test_a_mean_squared_error_through_softmax_is_proven():
    model = Model.from_layers(["dense:4,softmax"], (6,), dtype=np.float64)
    assert all(check.passed for check in check_model(model, loss=MeanSquaredError()))


def test_training_learns(rng):
    x, labels = stripes(rng, 512)
    model = Model.from_layers(SMALL, (8, 8, 1), seed=1)
    losses = train(model, x, labels, 100)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    held_out, truth = stripes(rng, 200)
    predicted = model.predict(held_out, batch_size=64)
    assert predicted.shape == (200, 3)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-5)
    assert (predicted.argmax(axis=1) == truth).mean() > 0.85


def test_the_seed_decides_to_the_bit(rng):
    x, labels = stripes(rng, 64)
    states = []
    for seed in (7, 7, 8):
        model = Model.from_layers(SMALL, (8, 8, 1), seed=seed)
        train(model, x, labels, 5)
        states.append(np.concatenate([each.ravel() for each in model.state().values()]))
    np.testing.assert_array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])


def test_training_goes_on_to_the_bit(rng):
    x, labels = stripes(rng, 64)
    whole = Model.from_layers(SMALL, (8, 8, 1), seed=7)
    train(whole, x, labels, 4, optimizer := make_optimizer("rmsprop"))
    other, later = Model.from_layers(SMALL, (8, 8, 1), seed=99), make_optimizer("rmsprop")
    other.load_state(whole.state())
    other.load_random_state(whole.random_state())
    later.load_state(optimizer.state())
    assert train(whole, x, labels, 3, optimizer) == train(other, x, labels, 3, later)
    for name, value in whole.state().items():
        np.testing.assert_array_equal(other.state()[name], value)


def test_any_number_of_threads_gives_the_same_bits():
    program = """
import hashlib, sys
from convcli.loops.compiling.compiler import set_threads
set_threads(int(sys.argv[1]))
import numpy as np
from convcli.nn import Model, make_optimizer
layers = ["conv:20,kernel=3,relu", "batch_norm", "pool:3,stride=2", "conv:9,kernel=2,relu", "average_pool:2"]
layers += ["dense:70", "dropout:0.3", "dense:5,softmax"]
layers[:0] = ["conv:32,kernel=3", "conv:32,kernel=3,same,relu"]
model = Model.from_layers(layers, (20, 20, 3), seed=1)
rng = np.random.default_rng(0)
x, labels = rng.standard_normal((37, 20, 20, 3)), rng.integers(0, 5, 37)
optimizer = make_optimizer("adam")
for _ in range(3):
    model.loss_and_gradients(x, labels)
    optimizer.step(model.parameters)
print(hashlib.sha256(b"".join(each.tobytes() for each in model.state().values())).hexdigest())
"""
    outputs = {
        subprocess.run([sys.executable, "-c", program, str(n)], capture_output=True, check=True, text=True).stdout
        for n in (1, 2)
    }
    assert len(outputs) == 1


def test_winograds_transforms_are_used_and_give_nearly_the_same(rng):
    layers = ["conv:32,kernel=3,relu", "conv:32,kernel=3,same,relu", "pool:2", "dense:5,softmax"]
    x, labels = rng.standard_normal((32, 20, 20, 1)), rng.integers(0, 5, 32)
    models = [Model.from_layers(layers, (20, 20, 1), winograd=winograd) for winograd in (True, False)]
    outputs = [model.loss_and_gradients(x, labels, input_gradient=True) for model in models]
    for one, other in [
        (outputs[0].outputs, outputs[1].outputs),
        (outputs[0].input_gradient, outputs[1].input_gradient),
        *((each.gradient, models[1].parameters[name].gradient) for name, each in models[0].parameters.items()),
    ]:
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())
    assert not np.array_equal(outputs[0].outputs, outputs[1].outputs)


def test_the_gradient_of_the_input_is_not_made_unless_asked_for(rng):
    x, labels = stripes(rng, 8)
    model = Model.from_layers(SMALL[:2] + SMALL[3:], (8, 8, 1))
    step = model.loss_and_gradients(x, labels)
    kept = {name: each.gradient.copy() for name, each in model.parameters.items()}
    assert step.input_gradient is None and step.outputs.shape == (8, 3)
    asked = model.loss_and_gradients(x, labels, input_gradient=True)
    assert asked.input_gradient.shape == x.shape and np.abs(asked.input_gradient).max() > 0
    for name, each in model.parameters.items():
        np.testing.assert_array_equal(each.gradient, kept[name])


def test_channels_first_is_a_matter_of_the_border(rng):
    last = Model.from_layers(["conv:3,same,relu"], (5, 4, 2), seed=2)
    first = Model.from_layers(["conv:3,same,relu"], (5, 4, 2), seed=2, data_format="channels_first")
    x = rng.standard_normal((2, 5, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(np.moveaxis(first.predict(np.moveaxis(x, -1, 1)), 1, -1), last.predict(x))
    with pytest.raises(ShapeError, match=r"expected \(N, 2, 5, 4\)"):
        first.predict(x)
    with pytest.raises(ModelError, match="data_format: got 'middle'"):
        Model.from_layers(["relu"], (4,), data_format="middle")


def test_keras_words_are_understood():
    layer = {
        "type": "Conv2D", "filters": 4, "kernel_size": (3, 3), "strides": (2, 2), "padding": "same", "groups": 2,
        "dilation_rate": (2, 2), "activation": "relu", "use_bias": True, "kernel_initializer": "he_normal",
        "bias_initializer": "zeros", "kernel_regularizer": "l2", "activity_regularizer": "l1:0.1",
        "kernel_constraint": {"name": "max_norm", "max_value": 3}, "bias_constraint": "non_neg",
    }  # fmt: skip
    model = Model.from_layers([layer, "MaxPooling2D", "Flatten", "Dense:2"], (9, 9, 2))
    kernel = model.parameters["conv_1/kernel"]
    assert kernel.value.shape == (3, 3, 1, 4) and kernel.constraint.max_value == 3 and kernel.regularizer.l2 == 0.01
    assert model.layers[0].output_shape == (5, 5, 4)


def test_what_forward_returns_stays(rng):
    model = Model.from_layers(["conv:3,same,relu"], (5, 5, 1))
    x = rng.standard_normal((2, 5, 5, 1)).astype(np.float32)
    kept = model.forward(x, training=True)
    before = kept.copy()
    model.forward(2 * x, training=True)
    np.testing.assert_array_equal(kept, before)
    names, outputs = zip(*model.trace(x), strict=True)
    assert names == ("conv_1", "output")
    np.testing.assert_array_equal(outputs[-1], before)
    model.release()
    np.testing.assert_array_equal(model.forward(x, training=True), before)


REFUSED = [
    (lambda model: model.forward(np.zeros((2, 8, 8))), r"x\[..., None\] adds the channel"),
    (lambda model: model.forward(np.zeros((8, 8, 1))), r"x\[None\] makes a batch of one"),
    (lambda model: model.forward(np.zeros((2, 9, 8, 1))), r"expected \(N, 8, 8, 1\)"),
    (lambda model: model.loss_and_gradients(np.zeros((0, 8, 8, 1)), []), "got a batch of none"),
    (lambda model: model.predict(np.zeros((2, 8, 8, 1)), 0), "batch_size: got 0"),
    (lambda model: model.loss_and_gradients(np.zeros((2, 8, 8, 1)), np.zeros((2, 2, 2), int)), "labels: got int64"),
    (lambda model: model.load_state({}), "weights: got no conv_1/kernel"),
    (lambda model: model.load_state(model.state() | {"x": np.zeros(1)}), "weights: got an unknown x"),
    (lambda model: model.load_state(model.state() | {"conv_1/bias": np.zeros(5)}), r"got shape \(5,\), expected"),
    (lambda model: model.load_random_state({}), "random state: got the state of another network"),
    (lambda model: Model(model.plan, seed=-1), "seed: got -1"),
    (lambda model: Model.from_layers(["dense:2,softmax,activity_regularizer=l2"], (3,)), "got activity_regularizer"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_does_not_fit_is_one_clear_line(call, message):
    with pytest.raises((ShapeError, ModelError), match=message) as caught:
        call(Model.from_layers(SMALL, (8, 8, 1)))
    assert "\n" not in str(caught.value)


def test_an_empty_prediction_has_a_shape():
    model = Model.from_layers(SMALL, (8, 8, 1))
    assert model.predict(np.zeros((0, 8, 8, 1))).shape == (0, 3)
    assert model.loss_and_gradients(np.zeros((1, 8, 8, 1)), [2], SoftmaxCrossEntropy()).loss > 0


def test_predicting_keeps_prepared_weights_no_longer_than_one_call():
    model = Model.from_layers(["conv:32,kernel=3,relu", "conv:32,kernel=3", "dense:4"], (12, 12, 1), seed=3)
    x = np.random.default_rng(0).random((70, 12, 12, 1), np.float32)
    first = model.predict(x, 32)
    assert np.array_equal(first, np.concatenate([model.forward(x[at : at + 32]) for at in (0, 32, 64)]))
    for parameter in model.parameters.values():
        parameter.value *= 2
    second = model.predict(x, 32)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, np.concatenate([model.forward(x[at : at + 32]) for at in (0, 32, 64)]))
