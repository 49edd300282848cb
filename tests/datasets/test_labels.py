"""Labels as people have them: lists of marks, columns with names, gaps, one class, NaN; and what they are for."""

import numpy as np
import pytest

from convcli.datasets import load
from convcli.errors import DataError

GENERATOR = np.random.default_rng(4)
ROWS = [[f"{each:.3f}" for each in row] for row in GENERATOR.random((20, 3))]


def table(path, header, cells):
    lines = [header, *(",".join([*row, *map(str, cell)]) for row, cell in zip(ROWS, cells, strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_several_marks_in_one_text_or_in_columns_of_their_own(tmp_path):
    words = ["sun|sea", "sea", "", "sun"] * 5
    expected = np.array([[1, 1], [1, 0], [0, 0], [0, 1]] * 5)
    for sign, said in (("|", {}), (";", {"targets": "marks"})):
        path = table(tmp_path / "a.csv", "a,b,c,label", [[word.replace("|", sign)] for word in words])
        found = load(path, **said)
        assert (found.targets, found.classes) == ("marks", ("sea", "sun"))
        assert np.array_equal(found.train.labels, expected)
    assert load(path, targets="marks", classes=("sun", "rain", "sea")).train.labels[0].tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="got the mark 'sea', expected sun"):
        load(path, targets="marks", classes=("sun",))
    named = load(table(tmp_path / "b.csv", "a,b,c,sea,sun", expected), labels="sea,sun")
    assert (named.targets, named.classes) == ("marks", ("sea", "sun"))
    numbers = load(table(tmp_path / "c.csv", "a,b,c,wide,high", expected / 7), labels="wide,high")
    assert (numbers.targets, numbers.classes) == ("numbers", ("wide", "high"))
    np.savez(tmp_path / "m.npz", x=GENERATOR.random((20, 9)), y=np.array(words))
    assert np.array_equal(load(tmp_path / "m.npz").train.labels, expected)


def test_rows_that_lack_a_cell_are_left_out_and_named(tmp_path):
    labels = [["cat"], ["dog"]] * 10
    path = table(tmp_path / "a.csv", "a,b,c,label", labels)
    lines = path.read_text().splitlines()
    for place, line in ((3, ",1,2,cat"), (5, "NA,1,2,dog"), (6, "1,?,2,cat"), (8, "1,2,3,"), (9, "1,2")):
        lines[place] = line
    path.write_text("\n".join(lines))
    found = load(path)
    assert len(found.train) == 15 and found.classes == ("cat", "dog")
    assert found.notes[0] == "5 of 20 rows lack a cell: lines 4, 6, 7, 9, 10; left out"
    assert np.allclose(found.train.images[2], [float(each) for each in ROWS[3]])
    with pytest.raises(DataError, match=r"5 of 20 rows lack a cell: .*; expected none \(--strict\)"):
        load(path, strict=True)
    # A class may be called none, and have several lines; numbers that are not known say NA.
    path = table(tmp_path / "b.csv", "a,b,c,label", [["none"], ['"two\nlines"']] * 10)
    path.write_text(path.read_text().replace(ROWS[2][0], "", 1))
    found = load(path)
    assert (len(found.train), found.classes) == (19, ("none", "two\nlines"))
    assert found.notes[0] == "1 of 20 rows lack a cell: line 5; left out"
    wide = [[f"{number / 7:.3f}"] for number in range(20)]
    wide[4] = ["NA"]
    found = load(table(tmp_path / "c.csv", "a,b,c,wide", wide))
    assert (found.targets, len(found.train)) == ("numbers", 19)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones(6, int), "got one class, '1', expected two or more"),
        (np.array(["cat"] * 6), "got one class, 'cat', expected two or more"),
        (np.array([0, 1, 0, np.nan, 1, 0]), "got labels that are NaN or infinite, expected a class for each sample"),
        (np.array(["cat", "dog"] * 3, object), r"Object arrays .*; save texts as numpy.array\(labels, str\)"),
    ],
)
def test_labels_that_tell_nothing(tmp_path, labels, message):
    np.savez(tmp_path / "a.npz", X=GENERATOR.random((6, 8, 8)), y=labels)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npz")


def test_masks_of_floats_or_with_a_plane_for_each_class(tmp_path):
    masks = GENERATOR.random((6, 8, 9)) > 0.5
    planes = np.stack([~masks, masks], axis=-1)
    for labels in (masks.astype(np.float32), masks[..., None], planes.astype(np.float32), np.moveaxis(planes, -1, 1)):
        np.savez(tmp_path / "a.npz", X=GENERATOR.random((6, 8, 9)), y=labels)
        found = load(tmp_path / "a.npz")
        assert found.targets == "masks" and np.array_equal(found.train.labels, masks)
