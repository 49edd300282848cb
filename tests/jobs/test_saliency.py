"""Saliency of pictures in files: the class, the methods, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from made_models import conv_model
from marks import CLASSES, MARK, SIZE, marks, trained_on_marks

from convcli.datasets import Preprocessing
from convcli.errors import ConvcliError
from convcli.images import Image, write
from convcli.jobs.classifier import load_classifier
from convcli.jobs.saliency import draw, saliency
from convcli.nn.weights import ModelCard, load_model, save_model

FIVE = Path(__file__).parent.parent.parent / "sample_images" / "five.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network that tells crosses from rings, and a picture of each."""
    folder = tmp_path_factory.mktemp("marks")
    rule = Preprocessing("picture", SIZE, SIZE, 1).as_dict()
    save_model(folder / "m.safetensors", trained_on_marks(), ModelCard("marks", CLASSES, rule, 1, {}, {}, ()))
    images, labels, _ = marks(8, seed=3)
    for label, name in enumerate(CLASSES):
        write(Image(images[labels == label][0]), folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_points_at_the_mark(folder, name):
    _, labels, corners = marks(8, seed=3)
    row, column = corners[labels == CLASSES.index(name)][0] + MARK // 2
    found = saliency(load_classifier(folder / "m.safetensors"), str(folder / f"{name}.png"), patch=MARK, step=1)
    assert found.seen.classes[found.place] == name
    assert [each.method for each in found.maps] == ["gradient", "gradcam", "occlusion"]
    for each in found.maps:
        assert each.values.shape == (SIZE, SIZE)
        assert np.abs(np.array(each.peak) - (row, column)).max() <= 3, each.method
    assert found.as_dict()["label"] == name
    assert draw(found).pixels.shape[2] == 3


def test_another_class_is_asked_for(folder):
    classifier = load_classifier(folder / "m.safetensors")
    for_ring = saliency(classifier, str(folder / "cross.png"), class_name="ring", method="occlusion")
    for_cross = saliency(classifier, str(folder / "cross.png"), method="occlusion")
    assert for_ring.place == 1
    # Of two classes, what speaks for the one speaks against the other.
    np.testing.assert_allclose(for_ring.maps[0].values, -for_cross.maps[0].values, atol=1e-4)


def test_maps_of_a_single_place_have_no_grad_cam(tmp_path, rng):
    conv_model(tmp_path / "d.safetensors", ["conv:4,kernel=6,relu", "flatten", "dense:2,softmax"], (6, 6, 3), "ab")
    write(Image(rng.integers(0, 256, (6, 6, 3), np.uint8)), tmp_path / "p.png")
    found = saliency(load_classifier(tmp_path / "d.safetensors"), str(tmp_path / "p.png"))
    assert [each.method for each in found.maps] == ["gradient", "occlusion"]


def test_grad_cam_of_the_shipped_model_shows_a_place():
    """The map that the README shows: fine cells, of which some speak for the class and most do not."""
    found = saliency(load_classifier("shipped"), str(FIVE), method="gradcam").maps[0]
    layer, rows, columns = re.match(r"layer (\w+), (\d+)x(\d+)x", found.about[0]).groups()
    assert min(int(rows), int(columns)) >= 10, layer
    strong = found.values > 0.5 * found.values.max()
    assert 0.002 < strong.mean() < 0.25
    assert (found.values < 0.05 * found.values.max()).mean() > 0.3


def test_grad_cam_goes_back_to_a_layer_with_something_to_see(tmp_path, rng):
    """The second convolution is positive and darkens: it speaks against a, while what it takes away speaks for it."""
    layers = ["conv:2,kernel=3,same,relu", "conv:2,kernel=3,same,relu", "flatten", "dense:2,softmax"]
    trained = conv_model(tmp_path / "d.safetensors", layers, (12, 12, 1), "ab")
    write(Image(rng.integers(1, 256, (12, 12, 1), np.uint8)), tmp_path / "p.png")
    state = {name: np.ones_like(array) for name, array in trained.state().items()}
    state["conv_2/kernel"] *= -1
    state["conv_2/bias"] *= 1000
    told = {"a": ("layer conv_1, 12x12x2", "orange: what speaks for the class"),
            "b": ("layer conv_2, 12x12x2", "orange: what speaks for the class"),
            "none": ("layer conv_2, 12x12x2", "nothing there speaks for the class")}  # fmt: skip
    for name, about in told.items():
        state["dense_1/kernel"][:] = 0 if name == "none" else (-1, 1)
        classifier = with_state(tmp_path / "d.safetensors", state)
        words = {} if name == "none" else {"class_name": name}
        found = saliency(classifier, str(tmp_path / "p.png"), method="gradcam", **words).maps[0]
        assert found.about == about
        assert (found.values.max() > 0) == (name != "none")


def with_state(path, state):
    """A model file with other numbers in it."""
    trained = load_model(path)
    trained.model.load_state(state)
    save_model(path, trained.model, trained.card, overwrite=True)
    return load_classifier(path)


def test_a_network_without_maps_has_no_grad_cam(tmp_path, rng):
    conv_model(tmp_path / "d.safetensors", ["flatten", "dense:2,softmax"], (6, 6, 3), "ab")
    write(Image(rng.integers(0, 256, (6, 6, 3), np.uint8)), tmp_path / "p.png")
    classifier = load_classifier(tmp_path / "d.safetensors")
    found = saliency(classifier, str(tmp_path / "p.png"), class_name="b")
    assert [each.method for each in found.maps] == ["gradient", "occlusion"]
    weights = classifier.trained.model.parameters["dense_1/kernel"].value[:, 1].reshape(6, 6, 3)
    strongest = np.take_along_axis(weights, np.abs(weights).argmax(axis=2)[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(found.maps[0].values, strongest)
    with pytest.raises(ConvcliError, match="try --method gradient"):
        saliency(classifier, str(tmp_path / "p.png"), method="gradcam")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"method": "magic"}, "method: got 'magic'"),
        ({"class_name": "star"}, "class: got 'star', expected one of cross, ring"),
        ({"layer": "dense_1"}, "expected one with maps"),
        ({"patch": 21}, "patch: got 21x21"),
    ],
)
def test_wrong_words(folder, words, message):
    with pytest.raises(ConvcliError, match=message):
        saliency(load_classifier(folder / "m.safetensors"), str(folder / "cross.png"), **words)


@pytest.mark.parametrize(
    ("method", "option"),
    [("gradient", {"layer": "conv_1"}), ("occlusion", {"layer": "conv_1"}), ("gradient", {"patch": 2}),
     ("gradcam", {"step": 1})],
)  # fmt: skip
def test_an_option_of_another_method_is_refused(method, option):
    with pytest.raises(ConvcliError, match=f"{next(iter(option))}: got .* with method {method}, which has none"):
        saliency(None, "none.png", method=method, **option)
