"""Training: a curve that repeats and resumes to the bit, averaged and best weights, divergence, 1-D and 3-D tasks."""

import numpy as np
import pytest

from convcli.errors import ConvcliError, ModelError, ShapeError
from convcli.nn import Model
from convcli.nn.checkpoint import Source, read_checkpoint, write_checkpoint
from convcli.nn.recipe import Recipe
from convcli.nn.training import DivergedError, Examples, Listener, Training, as_input, score_of

NETWORK = ["conv:8,kernel=3,relu", "pool:2", "dropout:0.1", "dense:3,softmax"]
RECIPE = Recipe(
    epochs=4, batch_size=32, optimizer="adam", learning_rate=0.03, schedule="one_cycle", label_smoothing=0.1,
    average=0.9, augment="shift=1,rotation=5", seed=7,
)  # fmt: skip


def stripes(count, seed=0):
    """Bytes of pictures with a bright row, a bright column, or neither."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    x = rng.integers(0, 60, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(x, labels, strict=True):
        place = rng.integers(2, 6)
        if label < 2:
            image[(place, slice(None)) if label == 0 else (slice(None), place)] += 150
    return Examples(x, labels)


def fresh(recipe=RECIPE, validation=True):
    model = Model.from_layers(NETWORK, (8, 8, 1), seed=recipe.seed)
    return Training(model, recipe, stripes(500), stripes(60, seed=1) if validation else None)


def weights_of(training):
    return {name: array.tobytes() for name, array in training.model.state().items()}


def curve_of(training):
    return [(row.epoch, row.loss, row.accuracy, row.val_loss, row.val_accuracy) for row in training.history]


def stop_after(batches):
    """A listener that wants to stop after so many batches."""
    seen = []
    return Listener(batch_ends=lambda training: seen.append(1), should_stop=lambda: len(seen) >= batches)


@pytest.fixture(scope="module")
def uninterrupted():
    training = fresh()
    assert training.run()
    training.finish()
    return training


def test_it_learns_and_the_history_says_so(uninterrupted):
    history = uninterrupted.history
    assert [row.epoch for row in history] == [1, 2, 3, 4]
    assert history[-1].loss < history[0].loss
    assert history[-1].val_accuracy > 0.8
    assert all(row.images_per_second > 0 for row in history)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(uninterrupted):
    again = fresh()
    again.run()
    again.finish()
    assert weights_of(again) == weights_of(uninterrupted)
    other = fresh(Recipe(**(RECIPE.as_dict() | {"seed": 8})))
    other.run()
    assert weights_of(other) != weights_of(uninterrupted)


@pytest.mark.parametrize("batches", [1, 15, 16, 40])
def test_a_training_stopped_between_any_two_batches_goes_on_to_the_bit(uninterrupted, batches, tmp_path):
    path = tmp_path / "m.checkpoint.safetensors"
    first = fresh()
    assert not first.run(stop_after(batches))
    write_checkpoint(path, first, Source("stripes"))
    read = read_checkpoint(path)
    assert read.recipe == RECIPE and read.source == Source("stripes")
    second = Training(fresh().model, read.recipe, stripes(500), stripes(60, seed=1))
    second.load_state(read.arrays, read.numbers)
    assert second.run()
    second.finish()
    assert curve_of(second) == curve_of(uninterrupted)
    assert weights_of(second) == weights_of(uninterrupted)


def test_the_best_epoch_is_kept():
    training = fresh(Recipe(epochs=6, batch_size=32, optimizer="sgd", learning_rate=0.3, seed=3))
    states = []
    training.run(Listener(epoch_ends=lambda each: states.append(weights_of(each))))
    losses = [row.val_loss for row in training.history]
    training.finish()
    assert training.best.epoch == 1 + int(np.argmin(losses))
    assert weights_of(training) == states[training.best.epoch - 1]


def test_without_validation_the_averaged_weights_are_kept():
    training = fresh(validation=False)
    training.run()
    with training.average.applied():
        averaged = weights_of(training)
    last = weights_of(training)
    training.finish()
    assert weights_of(training) == averaged != last
    assert training.history[-1].val_loss is None


def test_patience_stops_early():
    training = fresh(Recipe(epochs=50, optimizer="sgd", learning_rate=1e-9, patience=2, seed=1))
    # A rate of nothing: the loss is lowest in the first epoch or changes by less than rounding.
    assert training.run()
    assert len(training.history) < 50
    assert len(training.history) - training.best.epoch == 2


def test_a_loss_that_is_no_number_names_the_first_bad_layer():
    training = fresh(Recipe(epochs=2, optimizer="sgd", learning_rate=1e30, seed=1))
    said = r"epoch 1, step \d of 8: .*(conv|dense)_1.* is the first.*lower"
    with np.errstate(all="ignore"), pytest.raises(DivergedError, match=said):
        training.run()


def test_examples_are_arrays_of_finite_numbers():
    good = stripes(8)
    lists = Training(fresh().model, RECIPE, Examples(as_input(good.x).tolist(), good.labels.tolist()))
    assert lists.run() and score_of(lists.model, Examples(good.x.tolist(), good.labels.tolist())).accuracy is not None
    floats = as_input(good.x)
    for place, number in ((0, np.nan), (5, np.inf)):
        bad = floats.copy()
        bad[place, 0, 0, 0] = number
        with pytest.raises(ShapeError, match=r"^train inputs: got NaN or infinite numbers"):
            Training(fresh().model, RECIPE, Examples(bad, good.labels))
        with pytest.raises(ShapeError, match=r"^validation inputs: got NaN"):
            Training(fresh().model, RECIPE, good, Examples(bad, good.labels))
    masked = np.ma.masked_array(good.labels, good.labels == 1)
    for labels in (None, "ab", [[1], [1, 2]] * 4, masked, np.full(8, np.nan), good.labels.astype(object)):
        with pytest.raises(ShapeError, match=r"^train labels: got"):
            Training(fresh().model, RECIPE, Examples(floats, labels))
    for x in (None, floats.astype("c8"), floats.astype(str), floats.astype(object)):
        with pytest.raises(ShapeError, match=r"^train inputs: got"):
            Training(fresh().model, RECIPE, Examples(x, good.labels))


def test_wrong_examples_and_foreign_states_are_refused():
    model = fresh().model
    with pytest.raises(ShapeError, match="train: got 3 inputs and 2 labels"):
        Training(model, RECIPE, Examples(np.zeros((3, 8, 8, 1), np.uint8), np.zeros(2, int)))
    with pytest.raises(ShapeError, match="0 inputs"):
        Training(model, RECIPE, Examples(np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, int)))
    arrays, numbers = fresh().state()
    for broken in (
        {},
        {"examples": [500, 60]},
        numbers | {"progress": {"epoch": "x", "no": 1}},
        numbers | {"history": [{}]},
    ):
        with pytest.raises(ModelError, match="checkpoint"):
            fresh().load_state(arrays, broken)
    with pytest.raises(ModelError, match="was made with 500 images"):
        Training(model, RECIPE, stripes(30)).load_state(arrays, numbers)


@pytest.fixture(scope="module")
def at_rest():
    """The state of a training that was stopped within its second epoch."""
    training = fresh()
    assert not training.run(stop_after(20))
    return training.state()


@pytest.mark.parametrize(
    "name",
    [
        "model/dense_1/kernel", "optimizer/dense_1/kernel/square", "optimizer/conv_1/bias/mean", "optimizer/steps",
        "average/conv_1/kernel", "average/updates", "best/dense_1/bias", "random/dropout_1",
    ],
)  # fmt: skip
def test_arrays_of_a_hostile_checkpoint_never_reach_a_loop(at_rest, name):
    arrays, numbers = at_rest
    wrong = [
        {each: array for each, array in arrays.items() if each != name},
        arrays | {name: arrays[name].reshape(-1)[:1].repeat(7)},
        arrays | {name: arrays[name].astype(np.int8)},
        arrays | {name: arrays[name].astype(np.float64)},
        arrays | {name: np.full_like(arrays[name], -1 if arrays[name].dtype.kind == "i" else 2**64 - 1)},
        arrays | {f"{name}/more": arrays[name]},
    ]
    if arrays[name].dtype.kind == "f":
        wrong[-2] = arrays | {name: np.full_like(arrays[name], np.nan)}
    for each in wrong:
        with pytest.raises(ModelError, match=r"checkpoint|random state"):
            fresh().load_state(each, numbers)


@pytest.mark.parametrize("value", [-5, "x", None, 1.5, 10**12, [1], True])
@pytest.mark.parametrize("key", ["epoch", "batch", "seen", "right"])
def test_numbers_of_a_hostile_checkpoint_are_refused(at_rest, key, value):
    arrays, numbers = at_rest
    if (key, value) == ("right", 10**12):
        value = 10**16
    with pytest.raises(ModelError, match="checkpoint"):
        fresh().load_state(arrays, numbers | {"progress": numbers["progress"] | {key: value}})


def test_other_numbers_of_a_hostile_checkpoint_are_refused(at_rest):
    arrays, numbers = at_rest
    row = numbers["history"][0]
    for other in (
        {"progress": numbers["progress"] | {"loss": "x"}},
        {"history": []},
        {"history": "abc"},
        {"history": [row | {"loss": None}]},
        {"history": [row | {"epoch": "1"}]},
        {"best": {"loss": "x", "epoch": 1}},
        {"best": {"loss": 0.5, "epoch": 10**9}},
        {"best": {"loss": 0.5, "epoch": 0}},
        {"examples": 5},
        {"examples": []},
    ):
        with pytest.raises(ModelError, match="checkpoint"):
            fresh().load_state(arrays, numbers | other)
    fresh().load_state(arrays, numbers)


def test_score_is_without_smoothing_and_says_right_of_all():
    model = Model.from_layers(["flatten", "dense:2"], (1, 1, 2))
    model.parameters["dense_1/kernel"].assign(np.array([[1.0, 0.0], [0.0, 1.0]]))
    x = np.array([[2.0, 0.0], [0.0, 2.0], [3.0, 0.0]], np.float32).reshape(3, 1, 1, 2)
    score = score_of(model, Examples(x, np.array([0, 1, 1])), batch_size=2)
    expected = np.mean([np.log1p(np.exp(-2)), np.log1p(np.exp(-2)), 3 + np.log1p(np.exp(-3))])
    assert score.accuracy == pytest.approx(2 / 3)
    assert score.loss == pytest.approx(expected, rel=1e-6)


def test_classes_in_a_column_train_alike():
    data = stripes(40)
    losses = []
    for labels in (data.labels, data.labels[:, None]):
        model = Model.from_layers(["flatten", "dense:4,softmax"], (8, 8, 1))
        training = Training(model, Recipe(epochs=2), Examples(data.x, labels), Examples(data.x, labels))
        training.run()
        losses.append([(each.loss, each.accuracy, each.val_loss, each.val_accuracy) for each in training.history])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shift=8", "shift=8 for pictures of 8x8, which moves them out of sight, expected less than 8"),
        ("rotation=5,shift=4096", "shift=4096 for pictures of 8x8"),
        ("elastic=8", "elastic=8 for pictures of 8x8"),
    ],
)
def test_pictures_are_not_moved_out_of_sight(words, message):
    with pytest.raises(ConvcliError, match=message):
        Training(fresh().model, Recipe(augment=words), stripes(8))
    tiny = Examples(np.zeros((4, 4, 9, 1), np.float32), np.zeros(4, int))
    with pytest.raises(ConvcliError, match=r"scale=0.9 for pictures of 4x9, which may shrink them to nothing"):
        Training(Model.from_layers(["flatten", "dense:2"], (4, 9, 1)), Recipe(augment="scale=0.9"), tiny)
    first = Model.from_layers(["flatten", "dense:2"], (1, 8, 30), data_format="channels_first")
    with pytest.raises(ConvcliError, match="for pictures of 8x30"):
        Training(first, Recipe(augment=words), Examples(np.zeros((4, 1, 8, 30), np.float32), np.zeros(4, int)))
    Training(fresh().model, Recipe(augment="shift=7,elastic=7,scale=0.8,rotation=180"), stripes(8))


def test_a_single_sigmoid_unit_learns_two_classes():
    data = stripes(200)
    two = Examples(data.x[data.labels < 2], data.labels[data.labels < 2])
    model = Model.from_layers(["conv:8,kernel=3,relu", "global_pool:max", "dense:1,sigmoid"], (8, 8, 1))
    training = Training(model, Recipe(epochs=15, batch_size=16, optimizer="adam", learning_rate=0.02), two)
    training.run()
    assert training.history[-1].accuracy > 0.9


def moving_blobs(count, seed):
    """Films of 6 frames of 10x10 in which a blob moves left, right, up or down, seen dimly through noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    frames, rows, columns = np.mgrid[0:6, 0:10, 0:10]
    step = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)])[labels]
    start = 4.5 - 2.5 * step + rng.uniform(-1.5, 1.5, (count, 2))
    y = rows[None] - start[:, 0, None, None, None] - frames * step[:, 0, None, None, None]
    x = columns[None] - start[:, 1, None, None, None] - frames * step[:, 1, None, None, None]
    films = np.exp(-(y**2 + x**2) / 3) + 0.2 * rng.standard_normal((count, 6, 10, 10))
    return Examples(films[..., None].astype(np.float32), labels)


def test_a_conv3d_network_learns_which_way_a_blob_moves():
    layers = ["conv3d:8,kernel=3,relu", "pool:1x2x2", "conv3d:16,kernel=3,relu", "global_pool", "dense:4,softmax"]
    model = Model.from_layers(layers, (6, 10, 10, 1), seed=0)
    recipe = Recipe(epochs=10, batch_size=32, optimizer="adam", learning_rate=0.01, schedule="one_cycle")
    training = Training(model, recipe, moving_blobs(600, 0))
    training.run()
    assert score_of(model, moving_blobs(300, 1)).accuracy > 0.95


def waves(count, seed):
    """Series of 64 numbers: a sine, a square wave or a saw tooth of any phase and length, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    turns = (np.arange(64) / rng.uniform(10, 20, (count, 1)) + rng.random((count, 1))) % 1
    shapes = np.stack([np.sin(2 * np.pi * turns), np.sign(0.5 - turns), 2 * turns - 1])
    series = shapes[labels, np.arange(count)] + 0.2 * rng.standard_normal((count, 64))
    return Examples(series[..., None].astype(np.float32), labels)


def test_a_conv1d_network_learns_the_shape_of_waves():
    layers = ["conv1d:16,kernel=7,relu", "pool:2", "conv1d:16,kernel=5,relu", "global_pool", "dense:3,softmax"]
    model = Model.from_layers(layers, (64, 1), seed=0)
    recipe = Recipe(epochs=10, batch_size=32, optimizer="adam", learning_rate=0.01, schedule="one_cycle")
    training = Training(model, recipe, waves(600, 0))
    training.run()
    assert score_of(model, waves(300, 1)).accuracy > 0.95
