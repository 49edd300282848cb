"""The ten digits, drawn, photographed, inverted, off-centre, huge, tiny, coloured: all become MNIST's form."""

import io

import numpy as np
import pytest
from drawn_digits import SCENES, lit, painted, pen, to_bytes

from convcli.datasets import prepare_digit
from convcli.errors import DataError
from convcli.images import read


def prepared(scene, digit, seed=0):
    image = read(io.BytesIO(SCENES[scene](digit, np.random.default_rng([digit, seed]))))
    return prepare_digit(image.pixels, has_alpha=image.has_alpha)


def plain(digit, seed=0):
    """The same hand's digit, black on white, large."""
    ink = pen(digit, 420, 24, np.random.default_rng([digit, seed]))
    return prepare_digit(1 - ink)


def likeness(first, second):
    """The correlation of two pictures, the best of nine places: 1 is the same."""
    shifts = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(np.corrcoef(np.roll(first, shift, (0, 1)).ravel(), second.ravel())[0, 1] for shift in shifts)


@pytest.fixture(scope="module")
def plain_digits():
    return [plain(digit) for digit in range(10)]


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_becomes_the_same_digit_in_mnists_form(scene, plain_digits):
    for digit in (4,) if scene == "huge" else range(10):
        found = prepared(scene, digit)
        assert found.shape == (28, 28)
        rows, columns = np.flatnonzero(found.max(axis=1) > 0.1), np.flatnonzero(found.max(axis=0) > 0.1)
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21, (scene, digit)
        assert found.max() > 0.6, (scene, digit)
        middle = [(found.sum(axis=1 - axis) @ np.arange(28)) / found.sum() for axis in (0, 1)]
        assert abs(middle[1] - 14) < 1, (scene, digit)
        least = 0.5 if scene.startswith(("tiny", "tilted")) else 0.8  # blurred, or turned
        assert likeness(found, plain_digits[digit]) > least, (scene, digit)


def test_strokes_are_as_thick_as_mnists_whatever_the_pen():
    for digit in range(10):
        thin = prepare_digit((1 - pen(digit, 300, 2)).astype(np.float32))
        thick = prepare_digit((1 - pen(digit, 300, 24)).astype(np.float32))
        assert 0.35 < thin.sum() / thick.sum() < 1.05, digit


@pytest.mark.parametrize("seed", range(3))
def test_empty_paper_stays_an_error_where_it_is_evenly_lit(seed):
    rng = np.random.default_rng(seed)
    for noise in (1, 4, 12):
        with pytest.raises(DataError, match="no digit found"):
            prepare_digit(to_bytes(lit(painted(np.zeros((300, 400)), (240, 240, 235)), rng, noise=noise)))
