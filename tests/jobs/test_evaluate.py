"""Evaluation against plain counting, on the digits that ship and on folders made here."""

import math
from functools import partial

import numpy as np
import pytest
from drawn_digits import SCENES, file_of
from made_models import digits_model, nearest_mean_model
from PIL import Image

from convcli import datasets
from convcli.datasets import Preprocessing, Split
from convcli.engines import Done
from convcli.engines.here import Here
from convcli.errors import DataError, ModelError
from convcli.jobs.classifier import load_classifier, percent
from convcli.jobs.evaluate import choose_split, evaluate, gallery, load_data, most_confused
from convcli.jobs.evaluate_many import opened_on
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_classifier(digits_model(tmp_path_factory.mktemp("model") / "digits.safetensors"))


def coloured_folder(root, classes=("blue", "red"), count=4, size=(20, 24)):
    """A folder with pictures of one colour each."""
    colours = {"red": (220, 40, 40), "blue": (30, 60, 230), "green": (30, 200, 60)}
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((*size, 3), colours[name], np.uint8)
            pixels[:number] = 0
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def test_numbers_are_those_of_plain_counting(digits):
    dataset = load_data(digits)
    calls = []
    result = evaluate(digits, dataset, batch_size=100, on_progress=lambda done, total: calls.append((done, total)))
    shares = digits.trained.predict(dataset.test.images)
    labels = dataset.test.labels
    confusion = np.zeros((10, 10), int)
    for truth, taken in zip(labels, shares.argmax(axis=1), strict=True):
        confusion[truth, taken] += 1
    assert np.array_equal(result.confusion, confusion)
    assert result.accuracy == (shares.argmax(axis=1) == labels).mean() > 0.8
    assert result.loss == pytest.approx(-np.log(shares[np.arange(360), labels].astype(float)).mean(), rel=1e-4)
    assert calls == [(100, 360), (200, 360), (300, 360), (360, 360)]
    for place, each in enumerate(result.per_class):
        assert (each.label, each.count) == (str(place), (labels == place).sum())
        assert each.recall == confusion[place, place] / confusion[place].sum()
        assert each.precision == confusion[place, place] / confusion[:, place].sum()


def test_mistakes_are_the_worst_first(digits):
    result = evaluate(digits, load_data(digits))
    assert len(result.mistakes) == round((1 - result.accuracy) * 360)
    truths = [each.true_probability for each in result.mistakes]
    assert truths == sorted(truths)
    shares = digits.trained.predict(result.images)
    for each in result.mistakes:
        assert each.true != each.predicted == shares[each.place].argmax()
        assert each.probability == pytest.approx(shares[each.place].max(), abs=1e-6)
    true, taken, count = most_confused(result)[0]
    assert count == max(result.confusion[i, j] for i in range(10) for j in range(10) if i != j)
    assert result.confusion[int(true), int(taken)] == count


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_batch_size_does_not_matter(digits, size):
    data = load_data(digits)
    first, second = evaluate(digits, data, limit=50), evaluate(digits, data, limit=50, batch_size=size)
    assert np.array_equal(first.confusion, second.confusion)
    assert first.loss == pytest.approx(second.loss, rel=1e-5)


def test_splits_and_limits(digits):
    data, card = load_data(digits), digits.trained.card
    assert [len(choose_split(data, card, name)[0]) for name in ("train", "test", None)] == [1437, 360, 360]
    part = evaluate(digits, data, split="train", limit=30)
    assert (part.split, [each.count for each in part.per_class]) == ("train", [3] * 10)
    assert part.measured_on == "30 of 1,437 images of the training set of digits"
    assert evaluate(digits, data, limit=360).measured_on == "the test set of digits"


def test_the_gallery_shows_at_most_sixty(digits):
    train = evaluate(digits, load_data(digits), split="train")
    assert len(train.mistakes) > 60
    assert gallery(train).pixels.shape[1] == gallery(evaluate(digits, load_data(digits))).pixels.shape[1]
    perfect = evaluate(digits, load_data(digits), limit=10)
    if not perfect.mistakes:
        with pytest.raises(DataError, match="no mistake"):
            gallery(perfect)


def test_a_folder_with_fewer_classes_in_another_order_counts_by_name(tmp_path):
    found = datasets.load(str(coloured_folder(tmp_path / "all", ("blue", "green", "red"))))
    order = [2, 0, 1]
    labels = np.array([order.index(label) for label in found.train.labels])
    split = Split(found.train.images, labels)
    model = nearest_mean_model(tmp_path / "m.safetensors", split, ("red", "blue", "green"), found.preprocessing)
    classifier = load_classifier(model)
    with pytest.raises(DataError, match=r"trained on the folder made; say where it lies with --data FOLDER"):
        load_data(classifier)
    # Other sizes than the model's are brought to it.
    part = coloured_folder(tmp_path / "part", ("blue", "red"), size=(40, 48))
    result = evaluate(classifier, load_data(classifier, str(part)))
    assert (result.split, result.measured_on) == ("all", "all images of part")
    assert result.accuracy == 1
    assert [each.count for each in result.per_class] == [4, 4, 0]
    assert (result.per_class[2].precision, result.per_class[2].recall) == (None, None)
    with pytest.raises(DataError, match="has no test split"):
        evaluate(classifier, load_data(classifier, str(part)), split="test")
    with pytest.raises(DataError, match=r"got pets with the class 'green', expected the model's 2 classes: red, blue"):
        smaller = nearest_mean_model(
            tmp_path / "s.safetensors", split.take(np.flatnonzero(labels < 2)), ("red", "blue"), found.preprocessing
        )
        load_data(load_classifier(smaller), str(coloured_folder(tmp_path / "pets", ("green", "red"))))


class Workers:
    """An engine whose processes die of some items, as long as these are of so many pictures at least."""

    workers = 1

    def __init__(self, deadly, least=2):
        self._deadly, self._least = deadly, least

    def run(self, act, items):
        for item in items:
            paths = item[1] if isinstance(item[1], list) else []
            dies = len(paths) >= self._least and any(path.name == self._deadly for path in paths)
            yield Done(item, killed=True) if dies else Done(item, act(item))


def test_other_processes_open_pictures_to_the_same_end(tmp_path, monkeypatch):
    folder = coloured_folder(tmp_path / "data", count=12)
    coloured_folder(tmp_path / "wide", ("red",), count=1, size=(20, 40))
    (tmp_path / "wide" / "red" / "0.png").rename(folder / "red" / "wide.png")
    (folder / "blue" / "bad.png").write_bytes((folder / "blue" / "1.png").read_bytes()[:60])
    rule = Preprocessing("picture", 20, 24, 3)
    monkeypatch.chdir(tmp_path)
    here = datasets.load("data", rule=rule)
    for engine in (Here(), Workers("7.png")):
        there = datasets.load("data", rule=rule, elsewhere=partial(opened_on, engine=engine))
        assert np.array_equal(there.train.images, here.train.images) and there.train.names == here.train.names
        assert there.notes == here.notes and len(here.notes) == 2 and "1 of 26 pictures are left out" in here.notes[1]
    with pytest.raises(DataError, match=r"^data/blue/7.png: the processes that work on it die$"):
        datasets.load("data", rule=rule, elsewhere=partial(opened_on, engine=Workers("7.png", 1)))


def test_photographs_of_digits_in_a_folder_are_prepared_like_the_training_pictures(digits, tmp_path, rng):
    for digit in (0, 1, 4, 7):
        (tmp_path / str(digit)).mkdir()
        for name in ("paint program", "photograph on its side"):
            (tmp_path / str(digit) / f"{name}.png").write_bytes(SCENES[name](digit, rng))
    data = load_data(digits, str(tmp_path))
    assert data.shape == (8, 8, 1)
    assert (data.train.images.max(axis=(1, 2, 3)) > 150).all()
    (tmp_path / "7" / "blank.png").write_bytes(file_of(np.full((30, 30), 255, np.uint8)))
    assert load_data(digits, str(tmp_path)).notes[-1].startswith("1 of 9 pictures are left out: ")
    with pytest.raises(DataError, match=r"^1 of 9 pictures cannot be read: .*blank.png: .*no digit found"):
        load_data(digits, str(tmp_path), said={"strict": True})


def test_data_of_another_size_or_other_classes_is_one_line(digits, tmp_path):
    size = Preprocessing("digit", 9, 9, 1, box=8)
    larger = nearest_mean_model(
        tmp_path / "m.safetensors", Split(np.zeros((10, 9, 9, 1), np.uint8), np.arange(10)), "0123456789", size
    )
    with pytest.raises(DataError, match=r"^data: got digits with pictures of 8x8x1, expected the model's 9x9x1"):
        load_data(load_classifier(larger), "digits")
    letters = nearest_mean_model(
        tmp_path / "l.safetensors", Split(np.zeros((2, 8, 8, 1), np.uint8), np.arange(2)), ("a", "b"), digits.rule
    )
    with pytest.raises(DataError, match=r"^data: got digits with the class '0', expected the model's 2 classes: a, b"):
        load_data(load_classifier(letters), "digits")


def test_a_folder_of_the_models_name_is_found_here(tmp_path, monkeypatch):
    found = datasets.load(str(coloured_folder(tmp_path / "pets")))
    model = nearest_mean_model(tmp_path / "m.safetensors", found.train, found.classes, found.preprocessing, name="pets")
    monkeypatch.chdir(tmp_path)
    classifier = load_classifier(model)
    assert evaluate(classifier, load_data(classifier)).accuracy == 1


def test_nothing_is_downloaded_for_a_data_set_that_cannot_fit(digits):
    for name in ("mnist", "cifar10"):
        with pytest.raises(DataError, match=r"^data: got (mnist with pictures of 28x28x1|cifar10 with the class)"):
            load_data(digits, name)


def test_channels_first_is_the_same(digits, tmp_path):
    found = datasets.load("digits")
    path = tmp_path / "first.safetensors"
    nearest_mean_model(path, found.train, found.classes, found.preprocessing, name="digits",
                       data_format="channels_first")  # fmt: skip
    first = load_classifier(path)
    assert np.array_equal(evaluate(first, load_data(first)).confusion, evaluate(digits, load_data(digits)).confusion)


@pytest.mark.parametrize(
    ("layers", "size", "classes", "rule", "message"),
    [
        (["flatten", "dense:2,softmax"], (4, 4, 1), (), None, "without classes"),
        (["flatten", "dense:2,softmax"], (4, 4, 2), ("a", "b"), None, "pictures of 1 or 3 channels"),
        (["flatten", "dense:2,softmax"], (4, 4, 4, 1), ("a", "b"), None, "pictures of 1 or 3 channels"),
        (["conv:2"], (4, 4, 1), ("a", "b"), None, "without classes"),
        (["flatten", "dense:2"], (4, 4, 1), ("a", "b"), {"kind": "digit"}, "card: preprocessing: got height"),
        (["flatten", "dense:2"], (4, 4, 1), ("a", "b"), Preprocessing("picture", 5, 5, 1).as_dict(), "of 5x5x1"),
    ],
)
def test_models_that_cannot_tell_pictures_apart(tmp_path, layers, size, classes, rule, message):
    path = tmp_path / "m.safetensors"
    save_model(path, Model.from_layers(layers, size), ModelCard("x", classes, rule, 0, {}, {}, ()))
    with pytest.raises(ModelError, match=message):
        load_classifier(path)


def test_a_network_that_ends_without_softmax_gives_probabilities_too(tmp_path):
    path = tmp_path / "m.safetensors"
    save_model(
        path, Model.from_layers(["flatten", "dense:3"], (4, 4, 1)), ModelCard("x", tuple("abc"), None, 0, {}, {}, ())
    )
    classifier = load_classifier(path)
    (logits,) = classifier.logits(np.full((5, 4, 4, 1), 200, np.uint8), 8)
    shares = classifier.probabilities(logits)
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(np.log(shares[0, 0] / shares[0, 1]), logits[0, 0] - logits[0, 1], atol=1e-5)


def test_percent_never_rounds_to_certainty():
    assert [percent(p) for p in (0.998, 0.9996, 1.0, 0.0, 1e-9, 0.5)] == [
        "99.8%", ">99.9%", "100.0%", "0.0%", "<0.1%", "50.0%"
    ]  # fmt: skip
    assert percent(math.nextafter(0.9995, 0)) == "99.9%"
