"""What is right: the loss decides what an answer is, whatever form labels have and wherever channels are."""

import numpy as np
import pytest

from convcli.errors import ShapeError
from convcli.nn.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy, count_right
from convcli.nn.model import Model
from convcli.nn.recipe import Recipe
from convcli.nn.training import DivergedError, Examples, Training, score_of

SCORES = np.array([[3.0, 1.0], [0.0, 2.0], [1.0, 0.5], [0.2, 0.1]])


@pytest.mark.parametrize(
    ("loss", "outputs", "labels", "expected"),
    [
        (SoftmaxCrossEntropy(), SCORES, np.array([0, 1, 1, 0]), (3, 4)),
        (SoftmaxCrossEntropy(), SCORES, np.eye(2)[[0, 1, 1, 0]], (3, 4)),
        (SoftmaxCrossEntropy(), SCORES, np.eye(2, dtype=np.int64)[[1, 1, 1, 0]], (2, 4)),
        (SoftmaxCrossEntropy(), SCORES[None], np.array([[0, 0, 0, 0]]), (3, 4)),
        (BinaryCrossEntropy(), SCORES[:, :1] - 0.5, np.array([1, 0, 0, 0]), (3, 4)),
        (BinaryCrossEntropy(), SCORES[:, :1] - 0.5, np.array([[1], [0], [0], [0]]), (3, 4)),
        (BinaryCrossEntropy(), SCORES[:, :1] - 0.5, np.array([[0.9], [0.2], [0.4], [0.0]]), (3, 4)),
        (BinaryCrossEntropy(), SCORES - 0.9, np.array([[1, 1], [0, 1], [0, 0], [1, 0]]), (6, 8)),
        (BinaryCrossEntropy(), SCORES, np.array([0, 1, 1, 0]), (3, 4)),
        (MeanSquaredError(), SCORES, np.array([0, 1, 1, 0]), (3, 4)),
        (MeanSquaredError(), SCORES, SCORES, (0, 0)),
        (MeanSquaredError(), SCORES[:, :1], np.array([[3], [0], [1], [0]]), (0, 0)),
    ],
)
def test_right_answers(loss, outputs, labels, expected):
    assert count_right(loss, outputs, labels) == expected


BRIGHT = np.random.default_rng(1).integers(0, 2, 40)
X = (0.6 * np.random.default_rng(2).random((40, 4, 4, 2)) + 0.4 * BRIGHT[:, None, None, None]).astype(np.float32)


@pytest.mark.parametrize(
    ("layers", "labels", "told"),
    [
        (["flatten", "dense:1,sigmoid"], BRIGHT, True),
        (["flatten", "dense:1,sigmoid"], BRIGHT[:, None], True),
        (["flatten", "dense:2,softmax"], np.eye(2)[BRIGHT], True),
        (["flatten", "dense:2,softmax", "flatten"], BRIGHT, True),
        (["flatten", "dense:2,tanh"], BRIGHT, True),
        (["flatten", "dense:2,sigmoid"], np.stack([BRIGHT, 1 - BRIGHT], axis=1), True),
        (["conv:2,kernel=1,softmax"], (X[..., 0] > 0.5).astype(np.int64), True),
        (["flatten", "dense:1"], X.mean(axis=(1, 2, 3))[:, None], False),
        (["flatten", "dense:1"], BRIGHT[:, None], False),
        (["conv:2,kernel=1"], X, False),
    ],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_training_and_scoring_tell_the_same(layers, labels, told, data_format):
    first = data_format == "channels_first"
    x = np.moveaxis(X, -1, 1) if first else X
    labels = np.moveaxis(labels, -1, 1) if first and labels.ndim == 4 else labels
    model = Model.from_layers(layers, (4, 4, 2), data_format=data_format)
    examples = Examples(x, labels)
    training = Training(
        model, Recipe(epochs=60, batch_size=8, optimizer="adam", learning_rate=0.01), examples, examples
    )
    training.run()
    last, score = training.history[-1], score_of(model, examples, batch_size=7)
    if not told:
        assert last.accuracy is last.val_accuracy is score.accuracy is None
    else:
        assert 0.85 < score.accuracy <= 1 and 0.85 < last.accuracy <= 1
        outputs = np.moveaxis(model.predict(x), 1, -1) if first and len(model.plan.output) == 3 else model.predict(x)
        if labels.shape == outputs.shape[:-1] and outputs.shape[-1] > 1:
            assert score.accuracy == (outputs.argmax(axis=-1) == labels).mean()
        elif layers[-1] == "dense:1,sigmoid":
            assert score.accuracy == ((outputs > 0.5) == labels.reshape(-1, 1)).mean()
    assert np.isfinite(last.loss) and last.val_loss == pytest.approx(score.loss)


def test_channels_first_is_the_same_training_augmentation_included():
    weights = []
    for data_format in ("channels_last", "channels_first"):
        x = np.ascontiguousarray(np.moveaxis(X, -1, 1)) if data_format == "channels_first" else X
        model = Model.from_layers(["conv:3,kernel=2,relu", "dense:2,softmax"], (4, 4, 2), data_format=data_format)
        recipe = Recipe(epochs=3, augment="shift=1,rotation=20,scale=0.2,flip", batch_size=16)
        Training(model, recipe, Examples(x, BRIGHT)).run()
        weights.append(model.state())
    assert all(np.array_equal(value, weights[1][name]) for name, value in weights[0].items())


def test_classes_out_of_range_are_refused_by_squares_too():
    model = Model.from_layers(["flatten", "dense:2,tanh"], (4, 4, 2))
    with pytest.raises(ShapeError, match="labels: got 0 to 2, expected classes 0 to 1"):
        Training(model, Recipe(), Examples(X, np.arange(40) % 3)).run()


def test_bytes_are_the_same_pictures_everywhere():
    pixels = (X * 255).astype(np.uint8)
    model = Model.from_layers(["flatten", "dense:2,softmax"], (4, 4, 2))
    for method in (model.forward, model.predict, lambda x: list(model.trace(x))[-1][1]):
        assert np.array_equal(method(pixels), method(np.divide(pixels, 255, dtype=np.float32)))
    steps = [model.loss_and_gradients(each, BRIGHT).loss for each in (pixels, pixels / np.float32(255))]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("rate", [1e10, 1e25, 1e38])
@pytest.mark.parametrize("validation", [None, Examples(X[:8], BRIGHT[:8])])
@pytest.mark.parametrize("layers", [["flatten", "dense:2,softmax"], ["batch_norm", "conv:4,relu", "dense:2,softmax"]])
def test_what_the_last_step_ruined_is_noticed(rate, validation, layers):
    recipe = Recipe(epochs=1, batch_size=40, optimizer="sgd", learning_rate=rate)
    model = Model.from_layers([*layers[:-1], "dense:8", layers[-1]] if rate < 1e38 else layers, (4, 4, 2))
    training = Training(model, recipe, Examples(X * 1e9, BRIGHT), validation)
    with pytest.raises(DivergedError, match=r"not finite|infinite or no number|became (nan|inf)"):
        training.run()
        training.finish()


def test_no_state_is_given_that_is_not_finite():
    model = Model.from_layers(["batch_norm", "dense:2,softmax"], (4, 4, 2))
    training = Training(model, Recipe(average=0.9), Examples(X, BRIGHT))
    for place in ("batch_norm_1/moving_variance", "dense_1/kernel"):
        state = model.state()
        model.parameters[place].value[:1] = np.nan
        with pytest.raises(DivergedError, match=f"{place} became infinite or no number"):
            training.state()
        model.load_state(state)
    assert training.state()
