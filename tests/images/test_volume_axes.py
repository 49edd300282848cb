"""What words for axes mean on files: names, depth, volumes that take turns."""

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images.volume_axes import (
    acts_along,
    array_axes,
    depth_of,
    named,
    read_axes,
    volumes_along,
    without,
)


@pytest.mark.parametrize(
    ("word", "read", "along"),
    [("yx", "yx", "yx"), ("ZYX", "zyx", "zyx"), (" tzcyx ", "tzcyx", "zyx"), ("TCYX", "tcyx", "yx"), ("x", "x", "x"),
     ("yxs", "yxc", "yx"), ("tzyxc", "tzyxc", "zyx"), ("czyxs", "czyxs", "zyx")],
)  # fmt: skip
def test_words_for_axes(word, read, along):
    assert read_axes(word) == read
    assert acts_along(read) == along


@pytest.mark.parametrize("word", ["", "xy", "yxz", "zzyx", "qyx", "czyxc", "z", "zy", "tzcyx1"])
def test_other_words_are_refused(word):
    with pytest.raises(ImageError, match=r"axes: got .*, expected x or cx for signals, or a file's axes from"):
        read_axes(word)


@pytest.mark.parametrize(
    ("shape", "axes", "letters", "has_channels"),
    [
        ((4, 5, 6), "zyx", "Z", False),
        ((4, 5, 6, 3), "zyx", "Z", True),
        ((4, 5, 3), "zyx", "Z", False),
        ((4, 5, 6), "yx", "Q", False),
        ((4, 5, 3), "yx", "", True),
        ((4, 5), "yx", "", False),
        ((2, 4, 5, 6), "yx", "QQ", False),
        ((4, 5, 60), "yxc", "", True),
        ((2, 3, 4, 5, 6), "tzcyx", "TZC", False),
        ((2, 3, 4, 5, 60), "tzyxc", "TZ", True),
        ((2, 3, 4, 5, 3), "tzyx", "TZ", True),
    ],
)
def test_axes_of_arrays(shape, axes, letters, has_channels):
    got, ends = array_axes(shape, axes)
    assert got == tuple(zip(letters, shape, strict=False))
    assert ends == has_channels


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [((4, 5), "zyx", "expected 3 axes for --axes zyx"), ((2, 3, 4, 5), "tzcyx", "expected 5 axes"),
     ((2, 3, 4, 5), "zyx", "name its axes, as in --axes tzyx"), ((4, 5), "yxc", "expected 3 axes"),
     ((2, 3, 4, 5, 6), "zyx", "as in --axes tzcyx"), ((7,), "yx", "expected 2 axes")],
)  # fmt: skip
def test_arrays_of_other_axes_are_refused(shape, axes, message):
    with pytest.raises(ImageError, match=message):
        array_axes(shape, axes)


def axes_of(letters):
    return tuple(zip(letters, (2, 3, 4, 5), strict=False))


@pytest.mark.parametrize(
    ("found", "axes", "letters", "is_told"),
    [("ZC", "zyx", "ZC", 0), ("TZC", "yx", "TZC", 0), ("ZC", "zcyx", "ZC", 0),
     ("T", "zyx", "T", 0), ("C", "zyx", "Z", 1), ("Z", "tyx", "T", 1), ("Q", "zyx", "Z", 0), ("I", "tyx", "T", 0),
     ("QQ", "tzyx", "TZ", 0), ("QZ", "zyx", "QZ", 0), ("CZ", "tzyx", "TZ", 1), ("Q", "yx", "Q", 0)],
)  # fmt: skip
def test_names_that_the_user_gives(found, axes, letters, is_told):
    got, told = named(axes_of(found), axes)
    assert got == axes_of(letters)
    assert len(told) == is_told
    assert not told or f"calls its axes {found}YX; they are taken, and written, as {letters}YX" in told[0]


@pytest.mark.parametrize(
    ("found", "axes", "message"),
    [("ZC", "czyx", "got a file of axes ZCYX, expected them with --axes czyx; say --axes zcyx"),
     ("TC", "zyx", r"got axes TCYX \(2x3 planes\), expected one of them to be Z, the depth; --axes tcyx"),
     ("Q", "tzyx", r"got axes \?YX \(2 planes\), expected 2 before YX for --axes tzyx"),
     ("QQ", "zyx", r"got axes \?\?YX \(2x3 planes\), .* name them, as in --axes tzyx"),
     ("TZC", "tzyx", "expected 2 before YX")],
)  # fmt: skip
def test_names_that_do_not_go_together(found, axes, message):
    with pytest.raises(ImageError, match=message):
        named(axes_of(found), axes)


def test_the_depth():
    assert [depth_of(axes_of(letters)) for letters in ("Z", "T", "Q", "TZC", "CZ")] == [0, 0, 0, 1, 1]
    for letters in ("C", "TC", "", "QQ"):
        with pytest.raises(ImageError, match="expected one of them to be Z, the depth"):
            depth_of(axes_of(letters))


@pytest.mark.parametrize(("letters", "depth"), [("Z", 0), ("TZ", 1), ("ZC", 0), ("TZC", 1), ("TCZ", 2), ("ZTC", 0)])
def test_volumes_in_the_order_of_the_file(letters, depth):
    axes = axes_of(letters)
    places = np.moveaxis(np.arange(np.prod([n for _, n in axes])).reshape([n for _, n in axes]), depth, -1)
    got = list(volumes_along(axes, depth))
    np.testing.assert_array_equal(np.concatenate(got), places.reshape(-1, axes[depth][1]))
    assert all(len(together) == np.prod([n for _, n in axes[depth + 1 :]]) for together in got)


def test_one_index_of_an_axis():
    axes, planes = without(axes_of("TZC"), "Z", 2)
    assert axes == (("T", 2), ("C", 4))
    np.testing.assert_array_equal(planes, np.arange(24).reshape(2, 3, 4)[:, 2].ravel())


def test_axes_of_one_that_the_file_does_not_say():
    assert named((("Z", 5), ("C", 2)), "tzcyx") == ((("T", 1), ("Z", 5), ("C", 2)), ())
    assert named((("C", 2),), "zcyx") == ((("Z", 1), ("C", 2)), ())
    assert named((("C", 2),), "zyx", wanted="C") == ((("Z", 1), ("C", 2)), ())
    assert named((("T", 2),), "zyx", wanted="CT") == ((("Z", 1), ("T", 2)), ())
