"""A folder of classes as a data set: the rules of size, colour, alpha and order."""

import wave

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.datasets import Preprocessing, load
from convcli.datasets.picture_files import usual_size
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


def failure(path, *, strict=False):
    with pytest.raises(DataError) as caught:
        load(path, strict=strict)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_splits_without_one_to_learn_from_are_no_classes(folder):
    (folder / "cats").rename(folder / "test")
    (folder / "dogs").rename(folder / "val")
    assert failure(folder).endswith("holds test and val but no train, expected a folder train beside them")


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


def test_what_lies_deeper_is_of_the_class_and_what_lies_beside_is_counted(folder, tmp_path):
    assert not any("left out" in note for note in load(folder).notes)
    for part in ("train", "test"):
        for name in ("cats", "dogs"):
            save(tmp_path / "both" / part / name / "a.png", np.zeros((9, 9), np.uint8))
    save(tmp_path / "both" / "train" / "cats" / "more" / "b.png", np.zeros((9, 9), np.uint8))
    save(tmp_path / "both" / "test" / "c.png", np.zeros((9, 9), np.uint8))
    (tmp_path / "both" / "sources").touch()
    save(tmp_path / "both" / "__MACOSX" / "cats" / "a.png", np.zeros((9, 9), np.uint8))
    got = load(tmp_path / "both")
    assert (len(got.train), len(got.test), got.train.labels.tolist()) == (3, 2, [0, 0, 1])
    assert got.notes == (f"{tmp_path / 'both'}: left out: 1 file without a suffix, 1 .png, 1 folder of another system",)


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
    save(folder / "split" / "Valid" / "a" / "0.png", np.ones((5, 5), np.uint8))
    assert load(folder / "split").validation.images.max() == 1
    (folder / "split" / "models").mkdir()  # which makes no classes of train and test
    data = load(folder / "split")
    assert data.classes == ("a", "b")
    assert data.notes[-1] == f"1 folder beside the splits left out: {folder / 'split/models'}"
    (folder / "split" / "models").rmdir()
    (folder / "split" / "test" / "b").rename(folder / "split" / "test" / "c")
    assert len(load(folder / "split").test) == 1
    assert "1 class that the training set does not have left out" in failure(folder / "split", strict=True)


def test_unreadable_pictures_are_left_out_or_reported_all_at_once(folder):
    for index in range(7):
        (folder / "dogs" / f"bad{index}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "none").mkdir()
    got = load(folder)
    assert (got.classes, got.train.labels.tolist()) == (("cats", "dogs"), [0, 0, 0, 1, 1, 1])
    assert got.notes[-1] == f"1 class without samples left out: {folder / 'none'}"
    assert got.notes[-1] in failure(folder, strict=True)
    (folder / "none").rmdir()
    for text, what in ((got.notes[-2], "are left out"), (failure(folder, strict=True), "cannot be read")):
        assert f"7 of 13 pictures {what}" in text
        assert "bad0.png" in text and "bad4.png" in text and "bad5.png" not in text and "2 more" in text


def test_a_folder_around_all_and_names_in_both_unicode_forms(folder, tmp_path):
    folder.rename(tmp_path / "downloaded")
    save(tmp_path / "set" / "pets" / "cafe\u0301" / "a.png", np.zeros((5, 5), np.uint8))
    save(tmp_path / "set" / "pets" / "caf\xe9" / "b.png", np.zeros((5, 5), np.uint8))
    save(tmp_path / "set" / "pets" / "tea" / "b.png", np.zeros((5, 5), np.uint8))
    got = load(tmp_path / "set")
    assert (got.classes, got.train.labels.tolist()) == (("caf\xe9", "tea"), [0, 0, 1])


def write_wav(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(samples.astype("<i2").tobytes())


def test_sounds_series_and_volumes_in_folders(tmp_path, rng):
    for number, name in enumerate("ab"):
        for index in range(3):
            write_wav(tmp_path / "wav" / name / f"{index}.wav", np.full(40 - 2 * (index == 2), 8192))
            for kind, shape in (("npy", (40, 2)), ("tif", (6, 9, 8))):
                path = tmp_path / kind / name / f"{index}.{kind}"
                path.parent.mkdir(parents=True, exist_ok=True)
                array = rng.integers(0, 256, shape, np.uint8) + np.uint8(number)
                np.save(path, array[:, 0] / 7) if kind == "npy" else tifffile.imwrite(path, array)
    (tmp_path / "wav" / "a" / "cover.png").write_bytes((tmp_path / "wav" / "a" / "0.wav").read_bytes())
    sounds = load(tmp_path / "wav")
    assert (sounds.shape, sounds.train.labels.tolist()) == ((40, 1), [0, 0, 0, 1, 1, 1])
    assert set(sounds.train.images[2, :, 0]) == {0.0, 0.25} and "cover.png: is no array" in sounds.notes[1]
    assert "2 of 6 files have another shape" in sounds.notes[0]
    assert (load(tmp_path / "npy").shape, load(tmp_path / "npy").preprocessing.values) == ((40, 1), "numbers")
    volumes = load(tmp_path / "tif")
    assert (volumes.shape, volumes.train.images.dtype) == ((6, 9, 8, 1), np.uint8)
    assert np.array_equal(volumes.train.images[3, ..., 0], tifffile.imread(tmp_path / "tif" / "b" / "0.tif"))


def test_a_table_of_files_and_labels(folder):
    rows = ["picture,kind", *(f"{name}/{index}.png,{name}" for name in ("dogs", "cats") for index in range(3))]
    (folder / "list.csv").write_text("\n".join([*rows, "cats/gone.png,cats"]))
    got, whole = load(folder / "list.csv"), load(folder)
    assert got.classes == whole.classes and got.train.labels.tolist() == [1, 1, 1, 0, 0, 0]
    assert np.array_equal(np.roll(got.train.images, 3, axis=0), whole.train.images)
    assert "1 of 7 pictures are left out" in got.notes[-1]
    parts = ["split", "train", "train", "test", "train", "val", "train", "test"]
    named = zip([*rows, rows[1].replace(",", ",not ")], parts, strict=True)
    (folder / "list.csv").write_text("\n".join(map(",".join, named)))
    got = load(folder / "list.csv")  # whose last row is the first file again, called otherwise
    assert got.train.labels.tolist() == [1, 1, 0, 0] and got.validation.labels.tolist() == [0]
    assert got.test.labels.tolist() == [1, 2] and np.array_equal(got.test.images[1], got.train.images[0])
    assert got.classes == ("cats", "dogs", "not dogs") and "split says which rows" in got.notes[0]


def test_folders_that_are_no_data_set(folder, tmp_path):
    _made(tmp_path / "z" / "too")
    assert "holds no picture" in failure(_made(tmp_path / "z" / "empty"))
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
