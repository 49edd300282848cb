"""Learned filters: which weights are taken, and in which colours they are drawn."""

import numpy as np
import pytest
from made_models import conv_model

from convcli.errors import ConvcliError
from convcli.jobs.filters import draw_filters, filter_panel, filters_in
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def saved(layers, size, name="m.safetensors"):
    return conv_model(name, [*layers, "flatten", "dense:2,softmax"], size, "ab")


def found(pixels, picture):
    windows = np.lib.stride_tricks.sliding_window_view(pixels, picture.shape)[:, :, 0]
    return bool((windows == picture).all(axis=(2, 3, 4)).any())


def test_colours_of_a_first_layer_that_sees_colours(folder):
    model = saved(["conv:5,kernel=3"], (8, 8, 3))
    filters = filters_in("m.safetensors", filters=4)
    weights = model.parameters["conv_1/kernel"].value
    np.testing.assert_array_equal(filters.weights, weights[..., :4])
    assert filters.is_colour
    assert filters.shape == (3, 3, 3, 5)
    wanted = np.rint((0.5 + weights[..., 2] / (2 * filters.largest)) * 255).astype(np.uint8)
    assert found(draw_filters(filters).pixels, wanted.repeat(28, axis=0).repeat(28, axis=1))
    assert "the first 4 of 5 filters" in filter_panel(filters).title


def test_one_channel_in_signed_colours(folder):
    model = saved(["conv:3,kernel=1x2"], (8, 8, 1))
    model.load_state({**model.state(), "conv_1/kernel": np.array([[[[1, 0, -1]], [[0, -1, 1]]]], np.float32)})
    save_model("n.safetensors", model, ModelCard("made", ("a", "b"), None, 0, {}, {}, ()))
    pixels = draw_filters(filters_in("n.safetensors")).pixels
    orange, white, blue = (np.full((42, 42, 3), colour, np.uint8) for colour in ((110, 42, 0), 255, (8, 48, 107)))
    for pair in ((orange, white), (white, blue), (blue, orange)):
        assert found(pixels, np.concatenate(pair, axis=1))


def test_a_later_layer_has_a_row_for_each_input_channel(folder):
    model = saved(["conv:4", "conv:6"], (9, 9, 1))
    filters = filters_in("m.safetensors", "conv_2", inputs=3, filters=5)
    np.testing.assert_array_equal(filters.weights, model.parameters["conv_2/kernel"].value[:, :, :3, :5])
    panel = filter_panel(filters)
    assert "the first 5 of 6 filters and 3 of 4 input channels" in panel.title
    assert panel.largest == pytest.approx(float(np.abs(filters.weights).max()))
    assert draw_filters(filters).pixels.shape[1] < 1400


def test_a_dense_layer_behind_flatten_is_drawn_as_pictures(folder):
    saved([], (4, 5, 3))
    filters = filters_in("m.safetensors")
    assert (filters.layer, filters.shape, filters.is_colour) == ("dense_1", (4, 5, 3, 2), True)


def test_volumes_show_their_planes_side_by_side(folder):
    model = Model.from_layers(["conv:2,kernel=3", "global_avg_pool", "dense:2,softmax"], (6, 6, 6, 1))
    save_model("v.safetensors", model, ModelCard("made", ("a", "b"), None, 0, {}, {}, ()))
    filters = filters_in("v.safetensors")
    assert filters.weights.shape == (3, 11, 1, 2)
    np.testing.assert_array_equal(filters.weights[:, 4:7], model.parameters["conv_1/kernel"].value[1])
    assert np.isnan(filters.weights[:, 3]).all()
    draw_filters(filters)


def test_a_transposed_convolution_has_its_own_filters_last(folder):
    saved(["conv_transpose:3,kernel=2"], (4, 4, 5))
    assert filters_in("m.safetensors").shape == (2, 2, 5, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"layer": "pool_1"}, "layer: got 'pool_1', expected one of conv_1, dense_1"),
        ({"filters": 0}, "filters: got 0"),
        ({"inputs": 65}, "inputs: got 65"),
    ],
)
def test_wrong_words(folder, words, message):
    saved(["conv:4", "pool:2"], (8, 8, 1))
    with pytest.raises(ConvcliError, match=message):
        filters_in("m.safetensors", **words)
