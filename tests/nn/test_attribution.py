"""Where a network looks: gradients by finite differences, Grad-CAM by its definition, and a task with a known place."""

import numpy as np
import pytest
from marks import MARK, SIZE, marks, trained_on_marks

from convcli.errors import ModelError, ShapeError
from convcli.geometry import ReceptiveField
from convcli.nn import Model
from convcli.nn.attribution import (
    grad_cam,
    grad_cam_layer,
    grad_cam_layers,
    log_odds,
    occlusion,
    over_input,
    score_gradient,
)

NETWORK = ["conv:4,kernel=3,activity_regularizer=l2:0.1", "batch_norm", "relu", "pool:2", "dropout:0.5",
           "conv:3,kernel=2,tanh", "flatten", "dense:3,softmax"]  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    return trained_on_marks()


def moved(layers, size, seed=0):
    """A float64 network whose running averages are not those of any batch."""
    model = Model.from_layers(layers, size, seed=seed, dtype=np.float64)
    rng = np.random.default_rng(seed)
    state = model.state()
    for name in state:
        if "moving" in name or "gamma" in name:
            state[name] = rng.uniform(0.5, 2, state[name].shape)
    model.load_state(state)
    return model


@pytest.mark.parametrize("place", [0, 2])
def test_the_gradient_is_that_of_inference(rng, place):
    model = moved(NETWORK, (9, 8, 2))
    image = rng.random((9, 8, 2))
    before = {name: array.tobytes() for name, array in model.state().items()}
    gradient = score_gradient(model, image, place).input
    step = 1e-6
    for index in [(0, 0, 0), (4, 3, 1), (8, 7, 0), (2, 5, 1)]:
        high, low = image.copy(), image.copy()
        high[index] += step
        low[index] -= step
        scores = model.forward(np.stack([high, low]), logits=True)[:, place]
        assert gradient[index] == pytest.approx((scores[0] - scores[1]) / (2 * step), rel=1e-5, abs=1e-9)
    assert {name: array.tobytes() for name, array in model.state().items()} == before


def test_the_model_trains_as_before_afterwards(rng):
    one, other = moved(NETWORK, (9, 8, 2)), moved(NETWORK, (9, 8, 2))
    score_gradient(one, rng.random((9, 8, 2)), 1)
    x = rng.random((5, 9, 8, 2))
    for model in (one, other):
        model.loss_and_gradients(x, np.arange(5) % 3)
    for name, parameter in one.parameters.items():
        np.testing.assert_array_equal(parameter.gradient, other.parameters[name].gradient)


def test_branches_have_gradients_of_inference_too(rng):
    block = {"type": "add", "branches": [["conv:2,kernel=3,padding=same", "batch_norm", "relu"], []]}
    model = moved([block, "flatten", "dense:1,sigmoid"], (4, 4, 2))
    image = rng.random((4, 4, 2))
    gradient = score_gradient(model, image, 1).input
    np.testing.assert_array_equal(score_gradient(model, image, 0).input, -gradient)
    high = image.copy()
    high[1, 2, 0] += 1e-6
    scores = model.forward(np.stack([high, image]), logits=True)[:, 0]
    assert gradient[1, 2, 0] == pytest.approx((scores[0] - scores[1]) / 1e-6, rel=1e-4)


def test_grad_cam_behind_a_global_mean_is_the_class_activation_map(rng):
    # Selvaraju et al. 2017, section 3.1: for such networks Grad-CAM is CAM, the maps weighed with the dense weights.
    model = moved(["conv:5,kernel=3,relu", "global_avg_pool", "dense:3,softmax"], (8, 9, 1))
    image = rng.random((8, 9, 1))
    found = score_gradient(model, image, 2, "conv_1")
    weights = model.parameters["dense_1/kernel"].value[:, 2]
    maps = dict(model.trace(image[None]))["conv_1"][0]
    expected = np.maximum((maps * weights).sum(axis=-1), 0) / (6 * 7)
    np.testing.assert_allclose(grad_cam(found.maps, found.of_maps), expected, rtol=1e-12, atol=1e-15)


def test_the_gradient_of_maps_before_a_pooling_is_their_own(rng):
    # Fused with the pooling, the ReLU's mask would be in it: at maxima that are 0 there is a gradient all the same.
    model = moved(["conv:2,kernel=1,relu", "pool:2", "flatten", "dense:2,softmax"], (4, 4, 1))
    state = model.state()
    state["conv_1/bias"] = np.array([-9.0, 0.5])
    model.load_state(state)
    of_maps = score_gradient(model, rng.random((4, 4, 1)), 0, "conv_1").of_maps
    weights = model.parameters["dense_1/kernel"].value[:, 0].reshape(2, 2, 2)
    np.testing.assert_allclose(of_maps[::2, ::2, 0], weights[..., 0])


def test_which_layer_grad_cam_weighs():
    model = Model.from_layers(NETWORK, (9, 8, 2))
    # Maps of 7x6 cells show places, those of 2x2 do not.
    assert [each.name for each in grad_cam_layers(model)] == ["relu_1", "conv_2"]
    assert grad_cam_layer(model).name == "relu_1"
    assert grad_cam_layer(model, "pool_1").name == "pool_1"
    deep = Model.from_layers(["conv:2,kernel=3", "batch_norm", "relu", "pool:2", "flatten", "dense:2"], (9, 8, 2))
    assert grad_cam_layer(deep).name == "relu_1"
    with pytest.raises(ModelError, match="layer: got 'dense_1', expected one with maps: conv_1"):
        grad_cam_layer(model, "dense_1")
    with pytest.raises(ModelError, match="without convolutional maps"):
        grad_cam_layer(Model.from_layers(["flatten", "dense:2"], (9, 8, 2)))


@pytest.mark.parametrize(
    ("side", "layers", "expected"),
    [
        (14, ["conv:2,kernel=3,same", "conv:2,kernel=3", "flatten"], ["conv_2", "conv_1"]),
        (13, ["conv:2,kernel=3,same", "conv:2,kernel=3", "pool:2", "conv:2,kernel=3", "flatten"], ["conv_2", "conv_1"]),
        (11, ["conv:2,kernel=3,same", "conv:2,kernel=3", "flatten"], ["conv_1"]),
        (8, ["conv:2,kernel=3,same", "relu", "pool:2", "conv:2,kernel=3,same", "flatten"], ["relu_1", "conv_2"]),
        # Before a mean over all places few cells do: every place has the same weights.
        (12, ["conv:2,kernel=3,same", "pool:2", "conv:2,kernel=3,relu", "global_pool:average"], ["conv_2", "conv_1"]),
        (12, ["conv:2,kernel=3,same", "pool:2", "conv:2,kernel=3", "pool:4,average", "flatten"], ["conv_2", "conv_1"]),
        (12, ["conv:2,kernel=3,same", "pool:2", "conv:2,kernel=3", "global_pool:max"], ["conv_1"]),
    ],
)  # fmt: skip
def test_maps_that_are_too_coarse_come_last_or_not_at_all(side, layers, expected):
    model = Model.from_layers([*layers, "dense:2"], (side, side, 1))
    assert [each.name for each in grad_cam_layers(model)] == expected


def test_a_map_lies_over_the_middles_of_its_fields(rng):
    values = rng.random((3, 4))
    fields = (ReceptiveField(5, 3, -1), ReceptiveField(2, 2, 1))  # middles at 1, 4, 7 and at 1.5, 3.5, 5.5, 7.5
    stretched = over_input(values, fields, (9, 10))
    assert stretched.shape == (9, 10)
    for row in range(3):
        for column in range(4):
            around = stretched[1 + 3 * row, 1 + 2 * column : 3 + 2 * column].mean()
            middle = np.interp([1 + 2 * column, 2 + 2 * column], [1.5, 3.5, 5.5, 7.5], values[row]).mean()
            assert around == pytest.approx(middle)
    np.testing.assert_array_equal(stretched[8], stretched[7])


def test_occlusion_by_hand(rng):
    image = rng.random((5, 6, 1))
    seen = []

    def scores(images):
        seen.append(images.copy())
        return images[:, 2, 3, 0] * 10

    fall = occlusion(scores, image, (2, 2), 2, np.array([0.0]))
    covering = [(top, left) for top in (0, 2, 3) for left in (0, 2, 4)]
    expected, counts = np.zeros((5, 6)), np.zeros((5, 6))
    for top, left in covering:
        hit = top <= 2 < top + 2 and left <= 3 < left + 2
        expected[top : top + 2, left : left + 2] += hit * image[2, 3, 0] * 10
        counts[top : top + 2, left : left + 2] += 1
    np.testing.assert_allclose(fall, expected / counts)
    assert sum(map(len, seen)) == 1 + len(covering)
    for words, message in (((6, 2), "patch: got 6x2"), ((2, 2), "step 0")):
        with pytest.raises(ShapeError, match=message):
            occlusion(scores, image, words, 0 if message == "step 0" else 1, np.zeros(1))


def test_too_many_places_to_cover_are_refused():
    with pytest.raises(ShapeError, match="use a larger step"):
        occlusion(lambda images: np.zeros(len(images)), np.zeros((300, 300, 1)), (2, 2), 1, np.zeros(1))


def test_log_odds_do_not_saturate():
    assert log_odds(np.array([[0.0, 100.0, 0.0]]), 1)[0] == pytest.approx(100 - np.log(2))
    assert log_odds(np.array([[3.0]]), 0)[0] == -3


def test_all_methods_find_the_mark(trained):
    images, labels, corners = marks(40, seed=9)
    logits = trained.predict(images / 255, logits=True)
    assert (logits.argmax(axis=1) == labels).mean() > 0.9
    near = dict.fromkeys(("gradient", "gradcam", "occlusion"), 0)
    layer = grad_cam_layer(trained)
    for image, label, (row, column) in zip(images / 255, labels, corners, strict=True):
        found = score_gradient(trained, image, int(label), layer.name)
        maps = {
            "gradient": np.abs(found.input[..., 0]),
            "gradcam": over_input(grad_cam(found.maps, found.of_maps), layer.field, (SIZE, SIZE)),
            "occlusion": occlusion(
                lambda batch, place=int(label): log_odds(trained.forward(batch, logits=True), place),
                image, (MARK, MARK), 1, np.median(image, axis=(0, 1)),
            ),
        }  # fmt: skip
        for name, values in maps.items():
            y, x = np.unravel_index(values.argmax(), values.shape)
            near[name] += abs(y - row - MARK // 2) <= 3 and abs(x - column - MARK // 2) <= 3
    # By chance a place would be near in one of eight.
    assert min(near.values()) >= 32, near


def test_fusing_is_put_back():
    model = Model.from_layers(["conv:2,kernel=3,relu", "pool:2", "flatten", "dense:2,softmax"], (8, 8, 1))
    score_gradient(model, np.zeros((8, 8, 1)), 0)
    twin = Model.from_layers(["conv:2,kernel=3,relu", "pool:2", "flatten", "dense:2,softmax"], (8, 8, 1))
    assert [vars(each).get("masked") for each in model.layers] == [vars(each).get("masked") for each in twin.layers]
