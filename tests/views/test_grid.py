"""Grids of small pictures: whole squares, captions that fit."""

import doctest

import numpy as np
import pytest

from convcli.views import grid
from convcli.views.grid import enlarged, labelled_grid


def test_pixels_become_whole_squares(rng):
    picture = rng.random((7, 5, 3)).astype(np.float32)
    large = enlarged(picture, 30)
    assert large.shape == (28, 20, 3)
    for row in range(4):
        for column in range(4):
            assert np.array_equal(large[row::4, column::4], np.rint(picture * 255))
    assert np.array_equal(enlarged(np.full((50, 60, 1), 9, np.uint8), 30), np.full((50, 60, 3), 9))


@pytest.mark.parametrize(("count", "columns", "across"), [(1, 5, 1), (5, 5, 5), (7, 3, 3)])
def test_rows_and_columns(count, columns, across):
    pictures = [np.zeros((8, 8, 1), np.uint8)] * count
    sheet = labelled_grid(pictures, [("a", "b")] * count, columns=columns)
    assert sheet.shape[1] == 12 + across * (96 + 12)
    # Black squares of 96, as many as pictures.
    assert (sheet[..., 0] == 0).sum() == count * 96 * 96
    assert sheet[0].min() == 255


def test_captions_are_cut_to_the_cell_and_titles_widen_the_sheet():
    long = "a very long name indeed, longer than any cell"
    one = [np.zeros((8, 8, 1), np.uint8)]
    sheet = labelled_grid(one, [(long, "é日")], columns=1)
    assert sheet.shape[1] == 120
    assert (sheet[:, :10] == 255).all()
    assert (sheet[:, -10:] == 255).all()
    assert labelled_grid(one, [(long,)], columns=1, title=long).shape[1] > 250


def test_examples():
    assert doctest.testmod(grid).failed == 0
