"""The command `evaluate`: what it prints, its JSON, its gallery, its refusals."""

import json

import numpy as np
import pytest
from made_models import digits_model, nearest_mean_model
from PIL import Image

from convcli.datasets import Preprocessing, Split


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return digits_model(tmp_path_factory.mktemp("model") / "digits.safetensors")


def folder_of(root, classes, size=8):
    """One black picture for each class, with a white row whose number tells the class."""
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        pixels = np.zeros((size, size), np.uint8)
        pixels[place % size] = 255
        Image.fromarray(pixels).save(root / name / "a.png")
    return root


def test_the_report_fits_80_columns_and_agrees_with_json(convcli, model):
    result = convcli("evaluate", model)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    document = json.loads(convcli("evaluate", model, "--json").out)
    confusion = np.array(document["confusion"])
    assert lines[0] == f"accuracy {document['accuracy']:.2%} on the test set of digits"
    assert lines[1] == f"{document['wrong']} wrong of 360, loss {document['loss']:.4f}"
    assert confusion.shape == (10, 10)
    assert np.trace(confusion) / 360 == document["accuracy"]
    assert [each["count"] for each in document["per_class"]] == confusion.sum(axis=1).tolist()
    assert lines[4].split() == ["0", "35", *(f"{document['per_class'][0][key]:.2%}" for key in ("precision", "recall"))]
    rows = [[int(word.replace("·", "0")) for word in line.split()] for line in lines[-10:]]
    assert np.array_equal(rows, np.column_stack([np.arange(10), confusion]))


def test_options(convcli, model):
    same = [convcli("evaluate", model, *more).out for more in ([], ["--threads", 1], ["--threads", 2])]
    assert same[0] == same[1] == same[2]
    document = json.loads(
        convcli("evaluate", model, "--split", "train", "--limit", 50, "--batch-size", 7, "--json").out
    )
    assert (document["images"], document["split"], document["data"]) == (50, "train", "digits")


def test_the_gallery(convcli, model, tmp_path):
    out = tmp_path / "wrong.png"
    result = convcli("evaluate", model, "--gallery", out)
    assert result.code == 0
    assert result.out.splitlines()[-1] == str(out)
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    assert pixels[0].min() == 255
    again = convcli("evaluate", model, "--gallery", out)
    assert (again.code, again.out) == (1, "")
    assert "--overwrite" in again.err
    assert json.loads(convcli("evaluate", model, "--gallery", out, "--overwrite", "--json").out)["gallery"] == str(out)
    assert convcli("evaluate", model, "--gallery", tmp_path / "wrong.xyz").code == 2


def test_what_is_written_never_replaces_the_data(convcli, model, tmp_path):
    data = tmp_path / "d.csv"
    data.write_text("label,a\n0,1\n")
    learn = ("train", data, "-o", tmp_path / "m.safetensors", "--log")
    for words in (("evaluate", model, "--data", data, "--csv"), learn):
        result = convcli(*words, data, "--overwrite")
        assert result.code in (1, 2) and f"{data}: is one of the inputs itself" in result.err
        assert data.read_text() == "label,a\n0,1\n"


def test_without_a_mistake_no_gallery_is_drawn(convcli, tmp_path):
    classes = ("first", "second")
    folder = folder_of(tmp_path / "rows", classes)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    images[0, 0], images[1, 1] = 255, 255
    rule = Preprocessing("picture", 8, 8, 1)
    model = nearest_mean_model(tmp_path / "m.safetensors", Split(images, np.arange(2)), classes, rule)
    result = convcli("evaluate", model, "--data", folder, "--gallery", tmp_path / "wrong.png")
    assert result.code == 0
    assert "no mistake to draw" in result.err
    assert not (tmp_path / "wrong.png").exists()
    assert result.out.startswith("accuracy 100.00%")


@pytest.mark.parametrize("count", [12, 25, 60])
def test_many_or_long_classes_stay_within_80_columns(convcli, tmp_path, count):
    classes = [f"{'a rather long name of a class' if count == 12 else 'class'} {place:02}" for place in range(count)]
    folder = folder_of(tmp_path / "many", classes)
    images = np.zeros((count, 8, 8, 1), np.uint8)
    images[:, 0] = 255
    rule = Preprocessing("picture", 8, 8, 1)
    model = nearest_mean_model(tmp_path / "m.safetensors", Split(images, np.arange(count)), classes, rule)
    result = convcli("evaluate", model, "--data", folder)
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 80
    matrix = "confusion" in result.out
    assert matrix or "most often confused" in result.out
    assert matrix == (count < 25)


def test_data_that_does_not_fit_is_one_line(convcli, model, tmp_path):
    for arguments, word in (
        ([model, "--data", folder_of(tmp_path / "x", ("cat", "dog"))], "expected the model's 10 classes"),
        ([model, "--data", tmp_path / "nowhere"], "data set: got"),
        ([tmp_path / "missing.safetensors"], "missing.safetensors"),
        ([folder_of(tmp_path / "y", ("1", "2")) / "1" / "a.png"], "PNG"),
    ):
        result = convcli("evaluate", *arguments)
        assert (result.code, result.out) == (1, ""), arguments
        assert result.err.startswith("Error: ")
        assert result.err.count("\n") == 1
        assert word in result.err


def test_wrong_usage(convcli, model):
    for arguments in ([], [model, "--split", "all"], [model, "--limit", 0], [model, "--batch-size", 0]):
        assert convcli("evaluate", *arguments).code == 2


@pytest.mark.parametrize("words", [("evaluate", ""), ("filters", ""), ("predict", "x.png", "--model", "")])
def test_an_empty_name_is_no_model(convcli, words):
    result = convcli(*words)
    assert (result.code, result.err) == (1, "Error: model: got an empty name, expected a .safetensors file\n")
