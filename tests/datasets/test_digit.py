"""Digits drawn, photographed, inverted, tiny, huge: all become what MNIST is."""

import numpy as np
import pytest
from made_data import STROKES, draw, photograph
from PIL import Image

from convcli.datasets import load, prepare_digit
from convcli.datasets.components import find_components
from convcli.errors import DataError
from convcli.images import Image as Decoded


def difference(first, second):
    return float(np.abs(first - second).mean())


def near(first, second):
    """The difference up to one pixel: MNIST centres by whole pixels, so a hair may move the centre by one."""
    steps = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return min(difference(np.roll(first, step, (0, 1)), second) for step in steps)


def assert_form(digit, *, faint=0.02):
    """MNIST's form: 20 pixels on the longer side, the centre of mass within half a pixel of 14, 14."""
    assert digit.shape == (28, 28) and digit.dtype == np.float32
    assert digit.min() >= 0 and 0.9 < digit.max() <= 1
    rows, columns = np.flatnonzero((digit > faint).any(axis=1)), np.flatnonzero((digit > faint).any(axis=0))
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    for axis in (0, 1):
        profile = digit.sum(axis=axis, dtype=np.float64)
        assert abs(profile @ np.arange(28) / profile.sum() - 14) <= 0.51


@pytest.fixture(scope="module")
def clean():
    """Each digit as drawn on white."""
    return {digit: prepare_digit(draw(digit)) for digit in STROKES}


@pytest.mark.parametrize("digit", STROKES)
def test_a_drawn_digit_gets_the_form(clean, digit):
    assert_form(clean[digit])
    others = [near(clean[digit], clean[other]) for other in STROKES if other != digit]
    assert min(others) > 0.05, "what the tests below call nearly the same is far from another digit"


@pytest.mark.parametrize("digit", STROKES)
def test_inverted_is_the_same(clean, digit):
    assert difference(prepare_digit(255 - draw(digit)), clean[digit]) < 0.002


@pytest.mark.parametrize("box", [(0, 0, 160), (230, 130, 160), (10, 20, 250), (200, 100, 60)])
def test_anywhere_and_of_any_size(clean, box):
    for digit in STROKES:
        drawn = draw(digit, box=(box[0] + 8, box[1] + 8, box[2]), size=(420, 320), width=round(14 * box[2] / 160))
        assert near(prepare_digit(drawn), clean[digit]) < 0.03


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("digit", STROKES)
def test_photographed_on_paper(clean, rng, digit, invert):
    seen = photograph(draw(digit), rng)
    found = prepare_digit(255 - seen if invert else seen)
    assert_form(found, faint=0.1)
    assert near(found, clean[digit]) < 0.03


def test_huge_photographs_and_digits_far_away(clean, rng):
    large = draw(4, size=(3000, 2000), box=(700, 300, 1400), width=122)
    far = draw(4, size=(3000, 2000), box=(2300, 1500, 130), width=11)
    for drawn in (large, far):
        assert near(prepare_digit(photograph(drawn, rng)), clean[4]) < 0.04


@pytest.mark.parametrize("side", [16, 24, 32])
def test_tiny_pictures(clean, side):
    for digit in STROKES:
        tiny = np.array(Image.fromarray(draw(digit, (200, 200), (20, 20, 160))).resize((side, side), Image.BOX))
        found = prepare_digit(tiny)
        assert near(found, clean[digit]) < (0.1 if side < 20 else 0.06)
        assert min(STROKES, key=lambda other: near(found, clean[other])) == digit


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255), (200, 30, 30)])
def test_transparent_background_whatever_the_ink(clean, ink):
    drawn = draw(7, paper=(0, 0, 0, 0), ink=(*ink, 255), mode="RGBA")
    assert difference(prepare_digit(drawn, has_alpha=True), clean[7]) < 0.002


def test_a_card_with_transparent_corners(clean):
    card = np.dstack([draw(0)] * 3 + [np.full((300, 400), 255, np.uint8)])
    for rows in (slice(0, 12), slice(-12, None)):
        for columns in (slice(0, 12), slice(-12, None)):
            card[rows, columns] = 0
    assert difference(prepare_digit(card, has_alpha=True), clean[0]) < 0.002


def test_bit_depth_and_colour_do_not_matter(clean):
    grey = draw(4)
    same = [
        np.dstack([grey] * 3),
        grey.astype(np.uint16) * 257,
        grey / 255,
        (grey / 255).astype(np.float32)[..., np.newaxis],
        grey.astype(np.float32),
    ]
    for pixels in same:
        assert difference(prepare_digit(pixels), clean[4]) < 1e-4


def test_specks_and_the_edge_of_the_table_are_left_out(clean, rng):
    drawn = draw(0)
    for row, column in rng.integers(20, 280, (15, 2)):
        drawn[row : row + 3, column : column + 3] = 60
    drawn[:, :9] = 20
    drawn[-6:] = 30
    assert near(prepare_digit(drawn), clean[0]) < 0.03


def test_thin_strokes_are_thickened(clean):
    thin = prepare_digit(draw(4, width=3))
    assert_form(thin)
    assert thin.sum() > 0.45 * clean[4].sum()


def test_the_same_picture_gives_the_same_bits(rng):
    seen = photograph(draw(7), rng)
    np.testing.assert_array_equal(prepare_digit(seen), prepare_digit(seen.copy()))


@pytest.mark.parametrize("kind", ["white", "black", "shaded", "noise", "transparent"])
def test_a_blank_picture_is_one_clear_error(rng, kind):
    paper = np.full((200, 300), 255, np.uint8)
    pixels = {
        "white": paper,
        "black": paper * 0,
        "shaded": photograph(paper, rng, 0),
        "noise": photograph(paper, rng, 0.05),
        "transparent": np.zeros((50, 50, 4), np.uint8),
    }[kind]
    with pytest.raises(DataError, match=r"no digit found, got .*; expected dark strokes"):
        prepare_digit(pixels, has_alpha=kind == "transparent")


def test_arrays_that_are_no_pictures():
    for shape in ((5,), (0, 4), (4, 4, 2), (2, 2, 2, 2)):
        with pytest.raises(DataError, match="expected \\(H, W, C\\)"):
            prepare_digit(np.zeros(shape))


def test_other_sizes(clean):
    small = prepare_digit(draw(0), size=(8, 8), box=8, centre="box")
    assert small.shape == (8, 8)
    assert (small.max(axis=1) > 0.3).all()


def test_components(rng):
    from scipy import ndimage

    for share in (0.05, 0.3, 0.5, 0.7):
        flags = rng.random((37, 53)) < share
        expected, count = ndimage.label(flags, np.ones((3, 3)))
        found = find_components(flags)
        assert len(found.areas) == count
        pairs = set(zip(expected.ravel().tolist(), found.labels.ravel().tolist(), strict=True))
        assert len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})
        for label, (top, left, bottom, right) in enumerate(found.boxes, 1):
            rows, columns = np.nonzero(found.labels == label)
            assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (top, left, bottom, right)
            assert len(rows) == found.areas[label - 1]
    assert len(find_components(np.zeros((4, 5), bool)).areas) == 0


def test_mnist_comes_back_from_upscaled_inverted_shifted_pictures(mnist):
    images = mnist[1].images[:60, :, :, 0]
    differences = []
    for number, image in enumerate(images):
        side = 140 + 4 * (number % 20)
        large = np.array(Image.fromarray(image).resize((side, side), Image.BICUBIC))
        canvas = np.zeros((300, 400), np.uint8)
        top, left = number % (300 - side), (7 * number) % (400 - side)
        canvas[top : top + side, left : left + side] = large
        assert difference(prepare_digit(image), image / 255) < 0.08
        differences.append(difference(prepare_digit(255 - canvas), image / 255))
    assert np.mean(differences) < 0.03
    assert np.percentile(differences, 95) < 0.08


@pytest.mark.parametrize("inverted", [False, True])
def test_pictures_in_the_form_of_the_small_digits_are_taken_as_they_are(inverted):
    data = load("digits")
    for digit in data.test.images[:40]:
        shown = 255 - digit if inverted else digit
        np.testing.assert_allclose(data.preprocessing.apply(Decoded(shown, False)), digit / 255, atol=1e-6)


@pytest.mark.parametrize("form", [Image.NEAREST, Image.BICUBIC])
@pytest.mark.parametrize("inverted", [False, True])
def test_small_digits_enlarged_without_a_margin_are_found(form, inverted):
    for small in load("digits").test.images[:30, :, :, 0]:
        large = np.array(Image.fromarray(small).resize((72, 72), form))
        found = prepare_digit(255 - large if inverted else large)
        assert 0.05 < (found > 0.5).mean() < 0.5  # ink, and not what lies around it
