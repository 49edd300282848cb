"""Losses: their values by hand, their gradients by finite differences, and what they refuse."""

import numpy as np
import pytest

from convcli.errors import ModelError, ShapeError
from convcli.nn import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy, make_loss
from convcli.nn.activations import Activation
from convcli.nn.losses import Dice, Huber, MeanAbsoluteError, class_targets, count_right, loss_of_logits


def numeric(loss, predictions, labels, step=1e-6):
    """The gradient by differences, number by number."""
    gradient = np.empty_like(predictions)
    for index in np.ndindex(predictions.shape):
        moved = predictions.copy()
        moved[index] += step
        above = loss(moved, labels)[0]
        moved[index] -= 2 * step
        gradient[index] = (above - loss(moved, labels)[0]) / (2 * step)
    return gradient


def test_cross_entropy_by_hand():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]))
    loss, gradient = SoftmaxCrossEntropy()(logits, np.array([0, 1]))
    assert loss == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    np.testing.assert_allclose(gradient, np.array([[-0.3, 0.2, 0.1], [0.1, -0.9, 0.8]]) / 2)


CASES = [
    (SoftmaxCrossEntropy(), (4, 5), "classes"),
    (SoftmaxCrossEntropy(0.2), (4, 5), "classes"),
    (SoftmaxCrossEntropy(0.1), (3, 4), "shares"),
    (SoftmaxCrossEntropy(), (2, 3, 2, 4), "classes"),
    (BinaryCrossEntropy(), (5, 1), "column"),
    (BinaryCrossEntropy(0.2), (5, 3), "bits"),
    (MeanSquaredError(), (4, 3), "numbers"),
    (MeanAbsoluteError(), (4, 3), "numbers"),
    (Huber(0.7), (3, 4, 2), "numbers"),
    (Dice(), (3, 4, 2), "bits"),
    (Dice(), (3, 4, 1), "column"),
]


@pytest.mark.parametrize(("loss", "shape", "kind"), CASES)
def test_gradients(loss, shape, kind, rng):
    predictions = rng.standard_normal(shape) * 3
    shares = rng.random(shape)
    labels = {
        "classes": rng.integers(0, shape[-1], shape[:-1]),
        "shares": shares / shares.sum(axis=-1, keepdims=True),
        "column": rng.integers(0, 2, shape[:-1]),
        "bits": rng.integers(0, 2, shape),
        "numbers": rng.standard_normal(shape),
    }[kind]
    value, gradient = loss(predictions, labels)
    assert np.isfinite(value) and np.abs(gradient).max() > 0
    np.testing.assert_allclose(gradient, numeric(loss, predictions, labels), rtol=1e-5, atol=1e-9)


def test_errors_of_numbers_and_overlaps_by_hand():
    predictions, labels = np.array([[1.0, 4.0]]), np.array([[0.5, 1.0]])
    assert MeanAbsoluteError()(predictions, labels)[0] == pytest.approx(1.75)
    assert make_loss("huber", delta=2)(predictions, labels)[0] == pytest.approx((0.125 + 2 * (3 - 1)) / 2)
    # Classes of overlaps (2 * 1.2 + 1) / (1.5 + 2 + 1) and (2 * 0.7 + 1) / (1.5 + 1 + 1).
    chances = np.array([[0.6, 0.4], [0.6, 0.4], [0.3, 0.7]])
    assert Dice()(chances, np.array([[1, 0], [1, 0], [0, 1]]))[0] == pytest.approx(1 - (3.4 / 4.5 + 2.4 / 3.5) / 2)
    with pytest.raises(ModelError, match="delta: got 0, expected a number above 0"):
        Huber(0)
    with pytest.raises(ModelError, match="mae has no setting 'label_smoothing'"):
        make_loss("mae", label_smoothing=0.1)


def test_sparse_and_one_hot_labels_are_the_same(rng):
    logits, classes = rng.standard_normal((6, 4)), rng.integers(0, 4, 6)
    sparse, one_hot = (SoftmaxCrossEntropy(0.1)(logits, labels) for labels in (classes, np.eye(4)[classes]))
    assert sparse[0] == one_hot[0]
    np.testing.assert_array_equal(sparse[1], one_hot[1])


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(0.1), MeanSquaredError(), BinaryCrossEntropy()])
@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 4)])
def test_classes_in_a_column_are_classes(loss, shape, rng):
    outputs, classes = rng.standard_normal(shape), rng.integers(0, 4, shape[:-1])
    flat, column = (class_targets(loss, labels, outputs) for labels in (classes, classes[..., None]))
    np.testing.assert_array_equal(flat, column)
    assert loss(outputs, flat)[0] == loss(outputs, column)[0]
    assert count_right(loss, outputs, classes) == count_right(loss, outputs, classes[..., None])
    if isinstance(loss, SoftmaxCrossEntropy):
        assert loss(outputs, classes[..., None])[0] == loss(outputs, classes)[0]
        with pytest.raises(ShapeError, match="expected integers of shape"):
            loss(outputs, classes[..., None].astype(float))


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), BinaryCrossEntropy()])
def test_huge_logits_do_not_overflow(loss):
    logits = np.array([[1000.0, -1000.0], [-1e30, 1e30]], np.float32)
    value, gradient = loss(logits, np.array([[1, 0], [0, 1]]))
    assert value == 0 and np.isfinite(gradient).all()


REFUSED = [
    (SoftmaxCrossEntropy(), (4, 3), np.zeros((4, 1)), r"labels: got float64 of shape \(4, 1\), expected integers"),
    (SoftmaxCrossEntropy(), (4, 3), np.zeros(4), r"expected integers of shape \(4,\)"),
    (SoftmaxCrossEntropy(), (4, 3), np.array([0, 1, 3, 0]), r"labels: got 0 to 3, expected classes 0 to 2"),
    (SoftmaxCrossEntropy(), (4, 3), np.ones((4, 3)), r"do not add up to 1"),
    (SoftmaxCrossEntropy(), (4, 1), np.zeros(4, int), r"expected two classes or more"),
    (BinaryCrossEntropy(), (4, 1), np.zeros((1, 4)), r"expected 0 and 1 of shape \(4, 1\) or \(4,\)"),
    (BinaryCrossEntropy(), (4, 1), np.full(4, 2), r"labels: got 2 to 2, expected 0 to 1"),
    (MeanSquaredError(), (4, 1), np.zeros(4), r"labels: got float64 of shape \(4,\), expected numbers of shape"),
]


@pytest.mark.parametrize(("loss", "shape", "labels", "message"), REFUSED)
def test_nothing_is_broadcast(loss, shape, labels, message):
    with pytest.raises(ShapeError, match=message):
        loss(np.zeros(shape), labels)


def test_names():
    assert make_loss("sparse_categorical_crossentropy", label_smoothing=0.1) == SoftmaxCrossEntropy(0.1)
    for name, settings in (("hinge", {}), ("mse", {"label_smoothing": 0.1})):
        with pytest.raises(ModelError, match="loss: "):
            make_loss(name, **settings)
    with pytest.raises(ModelError, match="label_smoothing: got 1"):
        SoftmaxCrossEntropy(1.0)


def test_a_loss_goes_through_another_activation(rng):
    logits, labels = rng.standard_normal((4, 3)), rng.random((4, 3))

    def through(values, wanted):
        return loss_of_logits(MeanSquaredError(), Activation("softmax"), values, wanted)

    np.testing.assert_allclose(through(logits, labels)[1], numeric(through, logits, labels), rtol=1e-5)
    with pytest.raises(ModelError, match="a network that ends with sigmoid"):
        loss_of_logits(SoftmaxCrossEntropy(), Activation("sigmoid"), logits, labels)
