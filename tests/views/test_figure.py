"""Figures: texts stay inside, zero is neutral, nothing strong gets lost."""

import doctest

import numpy as np
import pytest

from convcli.views import figure, signed
from convcli.views.figure import Panel, draw_figure, fitted
from convcli.views.signed import signed_colours
from convcli.views.thinning import strongest


def test_zero_is_white_and_signs_are_told_apart_without_hue():
    colours = signed_colours(np.array([-1.0, -0.5, 0.0, 0.5, 1.0, np.nan]), 1.0).astype(int)
    assert colours[2].tolist() == [255, 255, 255]
    assert colours[0, 2] > colours[0, 0]
    assert colours[4, 0] > colours[4, 2]
    brightness = colours.sum(axis=1)
    assert brightness[0] < brightness[1] < brightness[2] > brightness[3] > brightness[4]
    assert len(set(colours[5].tolist())) == 1
    assert signed_colours(np.zeros(3), 0.0).min() == 255


def test_the_strongest_of_a_block_survives(rng):
    values = rng.normal(size=(13, 9))
    values[12, 8] = -50
    cells = strongest(values, 4)
    assert cells.shape == (4, 3)
    assert cells[3, 2] == -50
    assert cells[0, 0] == max(values[:4, :4].ravel(), key=abs)
    assert np.isnan(strongest(np.array([[1.0, np.nan]]), 2)).all()


@pytest.mark.parametrize(("shape", "expected"), [((3, 4), (24, 32)), ((40, 20), (32, 16)), ((32, 1), (32, 1))])
def test_pictures_are_fitted(shape, expected):
    assert fitted(np.zeros((*shape, 3), np.uint8), 32).shape == (*expected, 3)


def test_long_texts_and_small_pictures_leave_a_white_margin():
    panels = [Panel("a title much wider than its picture " * 3, np.zeros((5, 5, 3), np.uint8), ("note " * 40,), 12.5)]
    sheet = draw_figure([panels * 2, panels], title="Ünïcode × − …", notes=["x" * 90])
    assert (sheet[:, -10:] == 255).all()
    assert (sheet[-10:] == 255).all()
    assert (sheet[:, :10] == 255).all()


@pytest.mark.parametrize("module", [figure, signed])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
