"""Data sets in one file: .npz under the names people use, .csv of pixel rows; the same training as from the files."""

import json
import zipfile

import numpy as np
import pytest

from convcli.budget import limit_memory
from convcli.datasets import hold_out, load
from convcli.datasets.rows import Rows
from convcli.errors import DataError
from convcli.nn.model import Model
from convcli.nn.recipe import Recipe
from convcli.nn.training import Examples, Training


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


def test_columns_that_number_rows_or_hold_words_are_left_out(tmp_path):
    rows = [f"{place},n{place},{place}.5,{7 - place},{'ab'[place % 2]}" for place in range(6)]
    (tmp_path / "a.csv").write_text("\n".join([",name,height,width,species", *rows]))
    got = load(tmp_path / "a.csv")
    assert (got.shape, got.classes) == ((2,), ("a", "b")) and got.train.images[1].tolist() == [1.5, 6]
    assert got.notes[0].endswith("left out: a column without a name, name")
    assert load(tmp_path / "a.csv", labels="height").targets == "numbers"
    with pytest.raises(DataError, match=r"labels: got 'hight', expected a column: .*did you mean .height"):
        load(tmp_path / "a.csv", labels="hight")


def test_of_files_side_by_side_the_one_that_is_named_is_meant(tmp_path):
    for name, array in {"x": ONE, "y": TWO, "x_test": ONE[:2] + 1, "y_test": TWO[:2], "other": ONE}.items():
        np.save(tmp_path / f"{name}.npy", array)
    whole, part = load(tmp_path / "x.npy"), load(tmp_path / "x_test.npy")
    assert (len(whole.train), len(whole.test), len(part.train), part.test) == (4, 2, 2, None)
    assert len(load(tmp_path).test) == 2 and load(tmp_path / "other.npy", labels="y.npy").name == "other"
    for name in ("other", "y"):
        with pytest.raises(DataError, match=rf"{name}\.npy: holds no labels"):
            load(tmp_path / f"{name}.npy")
    with pytest.raises(DataError, match=r"labels: got y\.npy, but digits comes with its own"):
        load("digits", labels="y.npy")


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
    (arrays(x=ONE + np.nan, y=TWO), "got NaN or infinite numbers"),
    (arrays(x=np.zeros((4, 9, 9, 9, 9)), y=TWO), "say them with --input"),
    (arrays(x=np.array(["a"] * 4), y=TWO), "expected numbers of shape"),
    (arrays(x=ONE, y=np.zeros((4, 2), str)), "expected one label each"),
    (arrays(x=ONE, y=TWO * 0), "got one class, '0'"),
    (arrays(x=ONE, y=np.array([{}, 1, 2, 3], object)), "Object arrays cannot be loaded"),
    (arrays(x_train=ONE, y_train=TWO, x_test=np.zeros((2, 4, 4)), y_test=TWO[:2]), "expected one size"),
    (arrays(x=ONE, y=TWO + np.inf), "labels that are NaN or infinite, expected a class"),
    (arrays(x=ONE, y=np.where(TWO, np.nan, 0)), "labels that are NaN or infinite, expected a class"),
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
    ("a,b,label\n1,2,x\n,3,y\n", "got one class, 'x'"),
    ("a,b,label\n1,2,x\nfoo,3,y\n1,4,y\n", "expected rows of a label and pixels"),
    ("a,b,label\n,2,x\nNA,3,y\n", "got no row with a number in each of its columns"),
    ("label,a,b,c,d\n\n", "got names of 5 columns and no row"),
    ("label," + "x" * 200_000 + "\n1,2\n", "field larger than field limit"),
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


SERIES = np.sin(np.arange(4 * 40)).reshape(4, 40)
VOLUMES = np.arange(4 * 8**3).reshape(4, 8, 8, 8)
PICTURES = np.arange(4 * 12 * 12, dtype=np.uint8).reshape(4, 12, 12)


@pytest.mark.parametrize(("samples", "targets", "shape", "kind", "labels"), [
    (SERIES, TWO, (40, 1), "classes", (4,)),
    (SERIES.reshape(4, 20, 2), TWO, (20, 2), "classes", (4,)),
    (SERIES.reshape(4, 2, 20), TWO, (20, 2), "classes", (4,)),
    (np.arange(4 * 192).reshape(4, 192) % 256, TWO, (8, 8, 3), "classes", (4,)),
    (SERIES[:, :5], TWO + 0.5, (5,), "numbers", (4, 1)),
    (VOLUMES, TWO - 1, (8, 8, 8, 1), "classes", (4,)),
    (VOLUMES[:, None], SERIES[:, :3], (8, 8, 8, 1), "numbers", (4, 3)),
    (PICTURES.reshape(4, 1, 12, 12), np.eye(2)[TWO], (12, 12, 1), "classes", (4,)),
    (PICTURES, [[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]], (12, 12, 1), "marks", (4, 3)),
    (PICTURES, (PICTURES > 99) * 255, (12, 12, 1), "masks", (4, 12, 12)),
    (PICTURES + 0.25, PICTURES, (12, 12, 1), "arrays", (4, 12, 12, 1)),
    (VOLUMES / 7, VOLUMES[..., None] / 9, (8, 8, 8, 1), "arrays", (4, 8, 8, 8, 1)),
])  # fmt: skip
def test_samples_and_targets_of_every_shape(tmp_path, samples, targets, shape, kind, labels):
    np.savez(tmp_path / "a.npz", inputs=samples, targets=targets)
    got = load(tmp_path / "a.npz")
    assert (got.shape, got.targets, got.train.labels.shape) == (shape, kind, labels)
    if kind == "masks":
        assert got.classes == ("0", "255") and np.array_equal(got.train.labels, PICTURES > 99)
    if kind == "arrays":
        assert got.train.labels.dtype == np.float32
        factor = 1 / 255 if targets is PICTURES else 1
        np.testing.assert_allclose(got.train.labels.ravel(), np.ravel(targets) * factor, rtol=1e-6)
    held = hold_out(got.train, 2)
    assert [len(part) for part in held] == [2, 2]


def test_what_does_not_fit_into_memory_stays_in_its_file(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (400, 40, 40), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(400) % 2)
    whole = load(tmp_path / "x.npy")
    plain = hold_out(whole.train, 40)
    try:
        limit_memory(10**6)
        learned, held = hold_out(whole.train, 40)
    finally:
        limit_memory(None)
    assert isinstance(learned.images, Rows) and not isinstance(held.images, Rows)
    assert learned.images.shape == plain[0].images.shape
    assert np.array_equal(learned.images[np.array([5, 2])], plain[0].images[[5, 2]])
    weights = []
    for part in (learned, plain[0]):
        model = Model.from_layers(["conv:2,kernel=3,stride=3,relu", "flatten", "dense:2,softmax"], (40, 40, 1))
        Training(model, Recipe(epochs=1), Examples(part.images, part.labels)).run()
        weights.append(model.state()["dense_1/kernel"])
    assert np.array_equal(*weights)


def test_masks_that_show_some_classes_only_keep_their_names(tmp_path):
    samples = np.full((4, 6, 6), 200, np.uint8)
    for known, values, places in (
        (("0", "255"), [255, 255, 255, 255], [1, 1, 1, 1]),
        (("0", "85", "170"), [170, 0, 170, 170], [2, 0, 2, 2]),
        (("sky", "tree", "house"), [2, 0, 2, 2], [2, 0, 2, 2]),
    ):
        masks = np.full((4, 6, 6), np.array(values).reshape(4, 1, 1), np.uint8)
        np.savez(tmp_path / "some.npz", x=samples, y=masks)
        found = load(tmp_path / "some.npz", classes=known, targets="masks")
        assert found.classes == known and found.train.labels[:, 0, 0].tolist() == places
    with pytest.raises(DataError, match=r"some\.npz: got masks with the value 2, expected one of 0, 255"):
        load(tmp_path / "some.npz", classes=("0", "255"), targets="masks")


def test_a_table_without_a_header_keeps_its_first_row(tmp_path):
    rows = [f"{index % 3}.5,{index},{'ab'[index % 2]}" for index in range(8)]
    (tmp_path / "plain.csv").write_text("\n".join(rows))
    assert (len(load(tmp_path / "plain.csv").train), load(tmp_path / "plain.csv").classes) == (8, ("a", "b"))
    (tmp_path / "named.csv").write_text("\n".join(["0,1,kind", *rows]))  # as pandas numbers its columns
    assert len(load(tmp_path / "named.csv").train) == 8
