"""A small share of the sheets of `digit_pages`: pages without a digit are refused, those with one are read."""

import numpy as np
import pytest
from digit_pages import Hands, measure, sheets

from convcli.datasets import prepare_digit
from convcli.errors import DataError
from convcli.jobs.classifier import load_classifier

SHEETS = sheets(2026, Hands())


@pytest.fixture(scope="module")
def classifier():
    return load_classifier()


@pytest.mark.parametrize(
    ("name", "pages", "allowed"),
    [("without a digit, refused", 42, 1), ("with a digit, read", 30, 1), ("with two digits, named", 16, 0),
     ("cropped with a margin of 0, read", 30, 1), ("cropped with a margin of 1, read", 30, 1),
     ("cropped with a margin of 2, read", 30, 1)],
)  # fmt: skip
def test_pages_are_read_or_refused(name, pages, allowed, classifier):
    tally = measure(pages, SHEETS[name], classifier)
    assert len(tally.wrong) <= allowed, tally.wrong


def test_two_digits_are_named_with_their_places():
    page = np.full((100, 200), 255, np.uint8)
    page[20:80, 40:48] = page[20:80, 150:158] = 0
    with pytest.raises(
        DataError, match=r"several digits found, got 2 \(at 20:80,40:48 20:80,150:158\), expected one; --each"
    ):
        prepare_digit(page)


@pytest.mark.parametrize("invert", [False, True])
def test_a_picture_in_the_form_already_stays_as_it_is(invert):
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16] = 200
    digit[4:7, 8:20] = 90
    digit[21:24, 8:20] = 90
    found = prepare_digit(255 - digit if invert else digit)
    np.testing.assert_allclose(found, digit / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (1, 1), (2, 2), (3, 5), (1, 30000), (30000, 2)])
@pytest.mark.parametrize("noisy", [False, True])
def test_pictures_of_odd_sizes_are_refused_in_one_line(shape, noisy, rng):
    pixels = rng.integers(0, 256, shape, dtype=np.uint8) if noisy else np.zeros(shape, np.uint8)
    with pytest.raises(DataError, match="no digit found"):
        prepare_digit(pixels)
