"""A folder of classes as a data set: the rules of size, colour, alpha and order."""

import numpy as np
import pytest
from PIL import Image

from convcli.datasets import Preprocessing, load
from convcli.datasets.folder import usual_size
from convcli.errors import DataError
from convcli.images import read


@pytest.fixture
def folder(tmp_path):
    """Two classes, three pictures each, 20x30 grey."""
    for number, name in enumerate(("dogs", "cats")):
        for index in range(3):
            save(tmp_path / "pets" / name / f"{index}.png", np.full((20, 30), 100 * number + index, np.uint8))
    return tmp_path / "pets"


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def failure(path):
    with pytest.raises(DataError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_classes_are_sorted_and_hidden_things_ignored(folder):
    save(folder / ".hidden" / "a.png", np.zeros((9, 9), np.uint8))
    save(folder / "cats" / ".thumb.png", np.zeros((9, 9), np.uint8))
    (folder / "cats" / "notes.txt").write_text("not a picture")
    (folder / "README.md").write_text("not a class")
    data = load(str(folder))
    assert (data.name, data.classes, data.test) == ("pets", ("cats", "dogs"), None)
    assert data.train.images.shape == (6, 20, 30, 1)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.train.images[:, 0, 0, 0].tolist() == [100, 101, 102, 0, 1, 2]
    assert data.preprocessing == Preprocessing("picture", 20, 30, 1)
    assert data.notes[-1] == f"{folder}: left out: 1 .md, 1 hidden folder, 1 hidden file, 1 .txt"


def test_what_lies_too_deep_or_beside_the_splits_is_counted(folder, tmp_path):
    assert not any("left out" in note for note in load(folder).notes)
    for part in ("train", "test"):
        for name in ("cats", "dogs"):
            save(tmp_path / "both" / part / name / "a.png", np.zeros((9, 9), np.uint8))
    save(tmp_path / "both" / "train" / "cats" / "more" / "b.png", np.zeros((9, 9), np.uint8))
    save(tmp_path / "both" / "test" / "c.png", np.zeros((9, 9), np.uint8))
    (tmp_path / "both" / "sources").touch()
    assert load(tmp_path / "both").notes == (
        f"{tmp_path / 'both'}: left out: 1 file without a suffix, 1 .png, 1 folder",
    )


def test_the_most_common_size_and_the_middle_of_the_others(folder):
    wide = np.zeros((40, 120), np.uint8)
    wide[:, 30:90] = 200
    save(folder / "cats" / "3.png", wide)
    images = load(folder).train.images
    assert images.shape == (7, 20, 30, 1)
    assert (images[3, :, 2:-2] == 200).all(), "the outer parts are cut off"
    assert load(folder, size=(8, 8), channels=3).train.images.shape == (7, 8, 8, 3)


def test_usual_size():
    assert usual_size([(1, 2), (3, 4), (3, 4), (9, 9)]) == (3, 4)
    assert usual_size([(10, 20), (20, 11)]) == (20, 11)
    assert usual_size([(4000, 3000)]) == (256, 192)
    assert usual_size([(2, 5000)]) == (1, 256)


def test_one_picture_with_colour_makes_all_rgb(folder):
    save(folder / "cats" / "grey.png", np.full((20, 30, 3), 7, np.uint8))
    assert load(folder).shape == (20, 30, 1)
    save(folder / "cats" / "red.png", np.full((20, 30, 3), (200, 0, 0), np.uint8))
    data = load(folder)
    assert data.shape == (20, 30, 3)
    assert data.train.images[4, 0, 0].tolist() == [200, 0, 0]
    assert data.train.images[0, 0, 0].tolist() == [100, 100, 100]


def test_what_is_transparent_shows_white(folder):
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[:10, :, 3] = 255
    pixels[15:, :, 3] = 51
    save(folder / "cats" / "a.png", pixels)
    images = load(folder).train.images
    assert images[3, [0, 12, 19], 0, 0].tolist() == [0, 255, 204]


def test_train_and_test_inside(folder):
    for part in ("train", "test"):
        for name in ("a", "b"):
            save(folder / "split" / part / name / "0.png", np.zeros((5, 5), np.uint8))
    data = load(folder / "split")
    assert (len(data.train), len(data.test), data.classes) == (2, 2, ("a", "b"))
    (folder / "split" / "test" / "b").rename(folder / "split" / "test" / "c")
    assert "the class b is in one of train and test only" in failure(folder / "split")


def test_unreadable_pictures_are_reported_all_at_once(folder):
    for index in range(7):
        (folder / "dogs" / f"bad{index}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    text = failure(folder)
    assert "7 of 13 pictures cannot be read" in text
    assert "bad0.png" in text and "bad4.png" in text and "bad5.png" not in text and "2 more" in text


def test_folders_that_are_no_data_set(folder, tmp_path):
    assert "holds no picture" in failure(_made(folder / "empty"))
    assert "got one class, one" in failure(_made(tmp_path / "x" / "one").parent)
    assert "got no sub-folder" in failure(_made(tmp_path / "y"))


def _made(path):
    path.mkdir(parents=True)
    return path.parent if path.name == "empty" else path


def test_a_picture_from_outside_is_prepared_the_same_way(folder):
    data = load(folder)
    prepared = data.preprocessing.apply(read(folder / "cats" / "0.png"))
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared, data.preprocessing.scaled(data.train.images[0]))


def test_preprocessing_survives_metadata():
    rule = load("digits").preprocessing
    assert Preprocessing.from_dict(rule.as_dict()) == rule
    for wrong, says in (
        (None, "got NoneType"),
        ({}, "kind"),
        ({**rule.as_dict(), "height": -1}, "height=-1"),
        ({**rule.as_dict(), "box": 99}, "box=99"),
        ({**rule.as_dict(), "channels": True}, "channels"),
    ):
        with pytest.raises(DataError, match=says):
            Preprocessing.from_dict(wrong)
