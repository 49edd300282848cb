"""Optimizers by hand, clipping, decay, constraints, states, averages; and schedules."""

import numpy as np
import pytest

from convcli.architectures import Named
from convcli.errors import ModelError
from convcli.nn import Constant, Cosine, OneCycle, Step, WarmUp, WeightAverage, make_optimizer, make_schedule
from convcli.nn.constraints import make_constraint
from convcli.nn.layer import Parameter
from convcli.nn.optimizers import global_norm


def parameter(values, gradient, **settings):
    made = Parameter("kernel", np.array(values, float), **settings)
    made.gradient[...] = gradient
    return made


def stepped(name, values, gradient, steps=1, **settings):
    """The values after some steps with the same gradient."""
    decays = settings.pop("decays", True)
    moved = parameter(values, gradient, decays=decays)
    optimizer = make_optimizer(name, **settings)
    for _ in range(steps):
        optimizer.step({"kernel": moved})
    return moved.value


def test_steps_by_hand():
    np.testing.assert_allclose(stepped("sgd", [1.0], [2.0]), [1 - 0.01 * 2])
    # v: -0.02, then 0.9 * -0.02 - 0.02
    np.testing.assert_allclose(stepped("sgd", [1.0], [2.0], 2, momentum=0.9), [1 - 0.02 - 0.038])
    np.testing.assert_allclose(stepped("sgd", [1.0], [2.0], momentum=0.9, nesterov=True), [1 - 0.018 - 0.02])
    np.testing.assert_allclose(stepped("rmsprop", [1.0], [2.0]), [1 - 0.001 * 2 / np.sqrt(0.4 + 1e-7)])
    second = 0.5 * 0.001 * 2 / np.sqrt(0.4 + 1e-7) + 0.001 * 2 / np.sqrt(0.76 + 1e-7)
    first = 0.001 * 2 / np.sqrt(0.4 + 1e-7)
    np.testing.assert_allclose(stepped("rmsprop", [1.0], [2.0], 2, momentum=0.5), [1 - first - second])
    np.testing.assert_allclose(stepped("adam", [1.0], [2.0], 3), [1 - 3 * 0.001], rtol=1e-7)
    np.testing.assert_allclose(stepped("adamw", [1.0], [2.0]), [1 - 0.001 * 0.004 - 0.001], rtol=1e-7)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_decay_is_for_kernels_only(name):
    np.testing.assert_allclose(stepped(name, [2.0], [0.0], learning_rate=0.1, weight_decay=0.5), [2 - 0.1 * 0.5 * 2])
    assert stepped(name, [2.0], [0.0], learning_rate=0.1, weight_decay=0.5, decays=False) == [2.0]


def test_clipping():
    two = {"a": parameter([0.0], [3.0]), "b": parameter([0.0], [-4.0])}
    assert global_norm(two) == 5
    make_optimizer("sgd", learning_rate=1.0, clip_norm=1.0).step(two)
    assert [float(each.value[0]) for each in two.values()] == pytest.approx([-0.6, 0.8])
    assert stepped("sgd", [0.0, 0.0], [3.0, -0.5], learning_rate=1.0, clip_value=2.0).tolist() == [-2.0, 0.5]
    assert np.isnan(stepped("adam", [0.0], [np.nan], clip_value=1.0)).all()
    with pytest.raises(ModelError, match="clip_norm: got it with clip_value"):
        make_optimizer("sgd", clip_norm=1.0, clip_value=1.0)


def test_untrainable_parameters_stay():
    fixed = parameter([1.0], [5.0], trainable=False)
    make_optimizer("sgd").step({"moving_mean": fixed})
    assert fixed.value == [1.0]


def test_unknown_optimizers_and_settings():
    with pytest.raises(ModelError, match="optimizer: got 'lion'"):
        make_optimizer("lion")
    with pytest.raises(ModelError, match="sgd has no setting 'beta_1', expected momentum, nesterov"):
        make_optimizer("sgd", beta_1=0.9)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("sgd", "momentum", 1.0), ("sgd", "momentum", np.nan), ("rmsprop", "rho", -0.1), ("adam", "beta_1", 1.0),
        ("adamw", "beta_2", 2.0), ("adam", "epsilon", 0.0), ("rmsprop", "epsilon", np.inf),
    ],
)  # fmt: skip
def test_settings_out_of_their_range(name, setting, value):
    with pytest.raises(ModelError, match=f"optimizer: got {setting}=.*, expected"):
        make_optimizer(name, **{setting: value})


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_a_state_goes_on_to_the_bit(name, rng):
    gradients = rng.standard_normal((6, 3)).astype(np.float32)
    settings = {} if name == "adam" else {"momentum": 0.9}
    values = []
    for stops in (False, True):
        moved, optimizer = Parameter("kernel", np.ones(3, np.float32)), make_optimizer(name, **settings)
        for number, gradient in enumerate(gradients):
            if stops and number == 3:
                state = optimizer.state()
                optimizer = make_optimizer(name, **settings)
                optimizer.load_state(state)
            moved.gradient[...] = gradient
            optimizer.step({"conv_1/kernel": moved})
        values.append(moved.value)
    np.testing.assert_array_equal(*values)
    with pytest.raises(ModelError, match="optimizer state: got"):
        make_optimizer("sgd").load_state({"steps": np.array(1), "kernel/mean": np.zeros(3)})


def test_constraints():
    kernel = np.array([[3.0, 0.3], [-4.0, 0.4]])
    for name, expected in (
        ("max_norm", [[1.2, 0.3], [-1.6, 0.4]]),
        ("unit_norm", [[0.6, 0.6], [-0.8, 0.8]]),
        ("non_neg", [[3, 0.3], [0, 0.4]]),
    ):
        values = kernel.copy()
        make_constraint(Named(name), 2, -1).apply(values)
        np.testing.assert_allclose(values, expected, rtol=1e-5)
    bias = np.array([3.0, 4.0])
    make_constraint(Named("max_norm", (("max_value", 1.0),)), 1, 0).apply(bias)
    np.testing.assert_allclose(bias, [0.6, 0.8], rtol=1e-6)
    held = parameter([[3.0], [4.0]], 0.0, constraint=make_constraint(Named("unit_norm"), 2, -1))
    make_optimizer("sgd").step({"kernel": held})
    np.testing.assert_allclose(held.value, [[0.6], [0.8]], rtol=1e-6)


def test_averages():
    moved = parameter([0.0], [0.0])
    average = WeightAverage({"kernel": moved}, decay=0.5)
    moved.value[...] = 1
    average.update()  # the decay is 2/11 after the first update
    with average.applied():
        assert moved.value[0] == pytest.approx(9 / 11)
    assert moved.value[0] == 1
    other = WeightAverage({"kernel": moved}, decay=0.5)
    other.load_state(average.state())
    other.swap()
    assert moved.value[0] == pytest.approx(9 / 11)
    with pytest.raises(ModelError, match="another network"):
        other.load_state({"updates": np.array(1)})


def test_schedules():
    assert Constant(0.1)(1000) == 0.1
    assert [Step(1.0, 10)(step) for step in (0, 9, 10, 25)] == pytest.approx([1, 1, 0.1, 0.01])
    assert [Cosine(2.0, 10, 1.0)(step) for step in (0, 5, 10, 99)] == pytest.approx([2, 1.5, 1, 1])
    warm = WarmUp(Cosine(1.0, 10), 4)
    assert [warm(step) for step in (0, 3, 4, 9)] == pytest.approx([0.2, 0.8, 1, 0.5])
    cycle = [OneCycle(1.0, 100)(step) for step in range(100)]
    assert cycle[0] == pytest.approx(1 / 25) and max(cycle) == pytest.approx(1) and cycle.index(max(cycle)) == 29
    assert cycle[-1] == pytest.approx(1 / 25e4)
    assert [OneCycle(1.0, 1)(0), OneCycle(1.0, 2)(1)] == pytest.approx([1, 1 / 25e4])
    for name in ("constant", "step", "cosine", "one_cycle"):
        assert 0 < make_schedule(name, 0.1, 30, warm_up=3)(1) <= 0.1
    with pytest.raises(ModelError, match="schedule: got 'zigzag'"):
        make_schedule("zigzag", 0.1, 10)
    with pytest.raises(ModelError, match="steps: got 0"):
        Cosine(0.1, 0)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_large_arrays_are_updated_as_small_ones_are(name, rng):
    """A large array is cut into chunks for several threads, a small one is done on the calling thread."""
    start, gradient = rng.standard_normal((2, 40_000)).astype(np.float32)
    settings = {} if name == "adam" else {"momentum": 0.9}
    updated = []
    for parts in (1, 4):
        pieces = {
            f"{n}/kernel": Parameter("kernel", part) for n, part in enumerate(np.array_split(start.copy(), parts))
        }
        for piece, part in zip(pieces.values(), np.array_split(gradient, parts), strict=True):
            piece.gradient[...] = part
        optimizer, average = make_optimizer(name, **settings), WeightAverage(pieces)
        for _ in range(2):
            optimizer.step(pieces)
            average.update()
        average.swap()
        updated.append(np.concatenate([piece.value for piece in pieces.values()]))
    np.testing.assert_array_equal(*updated)
