"""Data sets in one file: .npz under the names people use, .csv of pixel rows; the same training as from the files."""

import json
import zipfile

import numpy as np
import pytest

from convcli.datasets import load
from convcli.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def table(split, header=None):
    rows = [
        ",".join(map(str, (label, *image.ravel()))) for label, image in zip(split.labels, split.images, strict=True)
    ]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


HEADER = "label," + ",".join(f"{y}x{x}" for y in range(8) for x in range(8))


def test_the_digits_as_npz_are_the_digits(digits, tmp_path):
    train, test = digits.train, digits.test
    path = tmp_path / "any.npz"
    np.savez_compressed(
        path, x_train=train.images[..., 0], y_train=train.labels, x_test=test.images[..., 0], y_test=test.labels
    )
    got = load(path)
    assert (got.name, got.classes, got.preprocessing) == ("digits", digits.classes, digits.preprocessing)
    for one, other in ((got.train, train), (got.test, test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize("header", [None, HEADER])
def test_and_as_csv(digits, tmp_path, header):
    path = tmp_path / "any.csv"
    path.write_text(table(digits.train, header))
    got = load(path)
    assert (got.name, got.test) == ("digits", None)
    np.testing.assert_array_equal(got.train.images, digits.train.images)


def test_training_from_a_file_is_training_from_the_set(convcli, digits, tmp_path):
    np.savez(
        tmp_path / "d.npz", X_train=digits.train.images / 255, Y_train=np.eye(10)[digits.train.labels],
        x_test=digits.test.images, y_test=digits.test.labels,
    )  # fmt: skip
    histories = []
    for source in ("digits", tmp_path / "d.npz"):
        words = ("--epochs", 1, "--limit", 200, "--json", "--overwrite", "-o", tmp_path / "m.safetensors")
        document = json.loads(convcli("train", source, *words).out)
        timeless = [{k: v for k, v in epoch.items() if "second" not in k} for epoch in document["history"]]
        histories.append((timeless, document["test_accuracy"] if "test_accuracy" in document else document["test"]))
    assert histories[0] == histories[1]
    told = convcli("evaluate", tmp_path / "m.safetensors", "--data", tmp_path / "d.npz")
    assert "on the test set of digits" in told.out


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("X", "y"), ("data", "target"), ("train_images", "train_labels")]
)
def test_names_that_people_use(tmp_path, rng, names):
    images = rng.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", **dict(zip(names, (images, np.arange(6) % 3), strict=True)))
    got = load(tmp_path / "a.npz")
    assert (got.name, got.classes, got.shape, got.test) == ("a", ("0", "1", "2"), (5, 4, 3), None)
    np.testing.assert_array_equal(got.train.images, images)


@pytest.mark.parametrize(
    "images",
    [
        np.arange(8 * 9).reshape(8, 9) % 256, np.arange(8 * 9).reshape(8, 3, 3) / 255.0,
        np.asfortranarray(np.arange(8 * 9).reshape(8, 3, 3).astype(">i2")),
        (np.arange(8 * 9).reshape(8, 3, 3) / 255).astype(np.float32),
    ],
)  # fmt: skip
def test_pixels_of_every_kind(tmp_path, images):
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(8) % 2)
    np.testing.assert_array_equal(load(tmp_path / "a.npz").train.images.ravel(), np.arange(72))


def test_labels_in_words_and_a_label_column_at_the_end(tmp_path):
    (tmp_path / "a.csv").write_text("p0,p1,p2,p3,class\n1,2,3,4,dog\n5,6,7,8,cat\n9,10,11,12,dog\n")
    got = load(tmp_path / "a.csv")
    assert got.classes == ("cat", "dog") and got.train.labels.tolist() == [1, 0, 1]
    assert got.train.images[1].ravel().tolist() == [5, 6, 7, 8]


def test_labels_in_words_in_an_npz(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 2, 2), bool), labels=np.array(["b", "a", "b"]))
    assert load(tmp_path / "a.npz").classes == ("a", "b")


def arrays(**words):
    return lambda path: np.savez(path, **words)


def headed(shape, data=b""):
    """An archive whose images have a header of one's own."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}".ljust(117).encode() + b"\n"

    def make(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + data)
            archive.writestr("y.npy", b"")

    return make


def damaged(path):
    np.savez_compressed(path, x=np.arange(400, dtype=np.uint8).reshape(4, 10, 10), y=TWO)
    content = bytearray(path.read_bytes())
    content[100:140] = b"\xff" * 40
    path.write_bytes(content)


ONE = np.zeros((4, 3, 3), np.uint8)
TWO = np.arange(4) % 2


@pytest.mark.parametrize(("make", "message"), [
    (arrays(a=ONE, b=TWO), "holds a, b; expected x_train and y_train"),
    (arrays(x=ONE, y=TWO[:3]), "got 4 images and 3 labels"),
    (arrays(x=ONE[:0], y=TWO[:0]), "got 0 images and 0 labels"),
    (arrays(x=ONE - 1.5, y=TWO), "got pixels from -1.5 to -1.5, expected 0..255"),
    (arrays(x=ONE + np.nan, y=TWO), "got pixels from nan to nan"),
    (arrays(x=ONE + 0.3, y=TWO), "got pixels between whole numbers"),
    (arrays(x=np.zeros((4, 3, 3, 2)), y=TWO), "C 1 or 3"),
    (arrays(x=np.zeros((4, 7)), y=TWO), "got rows of 7 numbers"),
    (arrays(x=ONE, y=TWO - 1), "got labels from -1 to 0"),
    (arrays(x=ONE, y=TWO + 0.5), "expected whole numbers from 0 on"),
    (arrays(x=ONE, y=TWO * 0), "got one class, '0'"),
    (arrays(x=ONE, y=np.zeros((4, 2))), "expected one for each image"),
    (arrays(x=ONE, y=np.array([{}, 1, 2, 3], object)), "Object arrays cannot be loaded"),
    (arrays(x_train=ONE, y_train=TWO, x_test=np.zeros((2, 4, 4)), y_test=TWO[:2]), "expected one size"),
    (arrays(x=ONE, y=TWO + np.inf), "expected whole numbers from 0 on"),
    (arrays(x=ONE, y=np.where(TWO, np.nan, 0)), "expected whole numbers from 0 on"),
    (arrays(x_train=ONE, y_train=TWO.astype(str), x_test=ONE, y_test=TWO), "expected one kind"),
    (headed("(10**15, 3, 3), }"), "its x.npy cannot be read"),
    (headed("(1000000000000000, 3, 3), }"), "its x.npy cannot be read"),
    (headed("(99999999999999999999999, 3, 3), }"), "its x.npy cannot be read"),
    (headed("("), "its x.npy cannot be read"),
    (damaged, "cannot be read as .npz"),
    (lambda path: path.write_bytes(b"PK\3\4 cut"), "cannot be read as .npz"),
    (lambda path: path.write_bytes(b""), "cannot be read as .npz"),
])  # fmt: skip
def test_a_wrong_npz_is_refused_in_a_line(tmp_path, make, message):
    make(tmp_path / "a.npz")
    with pytest.raises(DataError, match=rf"a\.npz: .*{message}") as caught:
        load(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [
    ("", "got 0 columns"),
    ("3\n4\n", "got 1 columns"),
    ("0,1,2,3,4\n1,2,3\n", "expected rows of a label and pixels"),
    ("0,1,2,3,x\n1,2,3,4,y\n", "expected rows of a label and pixels"),
    ("label,a,b\n0,1,2\n", "got rows of 2 numbers"),
    ("label,a,b,c,d\n\n", "got names of 5 columns and no row"),
    ("label," + "x" * 200_000 + "\n1,2\n", "field larger than field limit"),
    ("file,label\na.png,3\n", "expected rows of a label and pixels"),
])  # fmt: skip
def test_a_wrong_csv_is_refused_in_a_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_images_of_another_size_than_the_model_wants(convcli, tmp_path):
    np.savez(tmp_path / "a.npz", x=ONE, y=TWO)
    result = convcli("evaluate", "shipped", "--data", tmp_path / "a.npz")
    assert result.code == 1 and "got images of 3x3x1, expected 28x28x1, as the model does" in result.err
