"""Axes at another length, and parts of them."""

import pytest

from convcli.errors import ShapeError
from convcli.geometry import Placement, Resized, cropped, resized


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"width": 100}, (75, 100)), ({"height": 30}, (30, 40)), ({"longest": 200}, (150, 200)),
        ({"scale": 0.5}, (150, 200)), ({"scale": 1e-6}, (1, 1)), ({"width": 7, "height": 9}, (9, 7)),
        ({"width": 3}, (2, 3)), ({"width": 2}, (2, 2)), ({}, (300, 400)),
    ],
)  # fmt: skip
def test_sizes_keep_proportions(words, expected):
    rows, columns = resized((300, 400), **words)
    assert (rows.size, columns.size) == expected
    assert (rows.output(300), columns.output(400)) == expected


def test_the_longer_side_is_the_longer_one():
    assert [axis.size for axis in resized((40, 30), longest=20)] == [20, 15]
    assert [axis.size for axis in resized((30, 30), longest=20)] == [20, 20]
    assert [axis.size for axis in resized((40, 30), within=20)] == [20, 15]
    assert [axis.size for axis in resized((40, 30), within=50)] == [40, 30]


def test_cells_lie_from_edge_to_edge():
    axis = Resized(12, 4)
    assert axis.placement == Placement(3, 0)
    assert axis.anchors(12) == [1, 4, 7, 10]
    assert Resized(2, 5).anchors(2) == [0, 0, 1, 1, 1]


def test_cells_look_as_far_as_they_have_to():
    assert list(Resized(100, 100).taps(50)) == list(range(48, 54))
    assert len(Resized(100, 50).taps(25)) == 12  # twice as far, so that nothing is left out
    assert list(Resized(10, 20).taps(0)) == [0, 1, 2]
    assert list(Resized(1, 7).taps(6)) == [0]


@pytest.mark.parametrize("sizes", [(20, 30), (5, 7)])
def test_parts(sizes):
    for words, rows, columns in (
        ({"width": 3, "height": 2, "x": 1, "y": 2}, range(2, 4), range(1, 4)),
        ({"width": None, "height": None, "x": 4, "y": None}, range(sizes[0]), range(4, sizes[1])),
        (
            {"width": 3, "height": None, "x": None, "y": None},
            range(sizes[0]),
            range((sizes[1] - 3) // 2, (sizes[1] + 3) // 2),
        ),
    ):
        down, across = cropped(sizes, **words)
        assert (down.anchors(sizes[0]), across.anchors(sizes[1])) == (rows, columns)
        assert Placement.of(across) == Placement(1, columns.start)


@pytest.mark.parametrize(
    "words",
    [{"width": 31}, {"x": 30}, {"width": 2, "x": 29}, {"height": 21}, {"y": 20, "height": 1}],
)
def test_parts_that_are_not_there(words):
    with pytest.raises(ShapeError, match=r"crop: got .*, expected a part of the"):
        cropped((20, 30), **(dict.fromkeys(("width", "height", "x", "y")) | words))
