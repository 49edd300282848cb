"""Feature maps: what is kept of each layer, and what is drawn."""

import numpy as np
import pytest
from made_models import conv_model

from convcli.errors import ConvcliError
from convcli.images import Image, write
from convcli.jobs.classifier import load_classifier
from convcli.jobs.features import draw_features, look_inside

LAYERS = ["conv:6,kernel=3", "relu", "pool:2", "dropout:0.5", "flatten", "dense:3,softmax"]


@pytest.fixture
def classifier(tmp_path):
    conv_model(tmp_path / "m.safetensors", LAYERS, (10, 12, 3), ("red", "green", "blue"))
    return load_classifier(tmp_path / "m.safetensors")


@pytest.fixture
def picture(tmp_path, rng):
    write(Image(rng.integers(0, 256, (10, 12, 3), np.uint8)), tmp_path / "p.png")
    return str(tmp_path / "p.png")


def test_every_layer_that_does_something_is_kept(classifier, picture):
    features = look_inside(classifier, picture, maps=4)
    assert [each.name for each in features.layers] == ["conv_1", "relu_1", "pool_1", "dense_1"]
    assert [each.shape for each in features.layers] == [(8, 10, 6), (8, 10, 6), (4, 5, 6), (3,)]
    assert [each.shown for each in features.layers] == [4, 4, 4, 3]
    conv, relu, _, dense = features.layers
    np.testing.assert_array_equal(relu.values, np.maximum(conv.values, 0))
    assert conv.silent == 0 < relu.silent
    np.testing.assert_array_equal(dense.values, features.seen.logits)
    assert dense.remark == "before softmax"
    assert features.seen.shares.sum() == pytest.approx(1)
    assert features.as_dict()["label"] == features.seen.top(1)[0][0]


def test_named_layers_only_even_those_that_pass_their_input_on(classifier, picture):
    features = look_inside(classifier, picture, layers=["flatten_1", "conv_1"])
    assert [each.name for each in features.layers] == ["conv_1", "flatten_1"]
    assert features.layers[1].shape == (4 * 5 * 6,)


def test_channels_first_sees_the_same(tmp_path, picture, classifier):
    conv_model(tmp_path / "f.safetensors", LAYERS, (10, 12, 3), ("r", "g", "b"), data_format="channels_first")
    ours = look_inside(classifier, picture).layers[0]
    theirs = look_inside(load_classifier(tmp_path / "f.safetensors"), picture).layers[0]
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_the_drawing_shows_the_maps_in_their_colours(classifier, picture):
    image = draw_features(look_inside(classifier, picture, layers=["relu_1"], maps=2)).pixels
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    # The picture itself, enlarged by whole pixels, stands unchanged in the drawing.
    seen = np.rint(look_inside(classifier, picture).seen.pixels * 255).astype(np.uint8)
    corner = np.repeat(np.repeat(seen, 14, axis=0), 14, axis=1)[:14, :28]
    windows = np.lib.stride_tricks.sliding_window_view(image, corner.shape)[:, :, 0]
    assert (windows[:100, :40] == corner).all(axis=(2, 3, 4)).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [({"maps": 0}, "maps: got 0"), ({"layers": ["conv_9"]}, "'conv_9', expected some of conv_1, relu_1")],
)
def test_wrong_words(classifier, picture, words, message):
    with pytest.raises(ConvcliError, match=message):
        look_inside(classifier, picture, **words)
