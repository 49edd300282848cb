"""Augmentation against a naive twin, scipy, numpy's shifts, and its own promises."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.errors import ConvcliError, ShapeError
from convcli.loops.compiling.compiler import set_threads
from convcli.ops import augmentation as module
from convcli.ops.augmentation import Augmentation, augment


class Fixed:
    """A generator whose draws are known: one row of eight for each image."""

    def __init__(self, *rows):
        self._rows = np.array(rows)

    def random(self, shape):
        assert shape == self._rows.shape
        return self._rows


def draws(**places):
    """Eight draws: nothing happens but what is named, 0 to 1."""
    names = ["shift_y", "shift_x", "rotation", "scale_y", "scale_x", "shear", "flip", "seed"]
    return [places.get(name, 0.5) for name in names]


def one(image, augmentation, **places):
    return augment(image[None, :, :, None], augmentation, Fixed(draws(**places)))[0, :, :, 0]


def splitmix(seed, count):
    """SplitMix64's output number ``count``, in whole numbers."""
    word = 2**64
    z = (seed + 0x9E3779B97F4A7C15 * (count + 1)) % word
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % word
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % word
    return z ^ (z >> 31)


def naive_displacement(seed, height, width, deviation, sigma):
    """Random numbers on knots sigma apart, weighted by Gaussians; knots counted from three before the first pixel."""
    columns = int((width - 1) // sigma) + 8

    def weights(place):
        at = place / sigma
        raw = {knot: math.exp(-((knot - 3 - at) ** 2) / 2) for knot in range(math.floor(at), math.floor(at) + 8)}
        norm = math.sqrt(sum(each**2 for each in raw.values()))
        return {knot: each / norm for knot, each in raw.items()}

    result = np.zeros((2, height, width))
    for y in range(height):
        for x in range(width):
            for row, weight_y in weights(y).items():
                for column, weight_x in weights(x).items():
                    bits = splitmix(seed, row * columns + column)
                    for direction, half in enumerate((bits >> 32, bits & 0xFFFFFFFF)):
                        number = (half / 2**31 - 1) * math.sqrt(3)
                        result[direction, y, x] += deviation * weight_y * weight_x * number
    return result


def naive_warp(image, augmentation, row):
    """One image (H, W, C), moved by the words of the documentation: mirror, scale, shear, turn, shift; then bent."""
    height, width, _ = image.shape
    side = [2 * each - 1 for each in row]
    angle, slant = math.radians(augmentation.rotation * side[2]), math.tan(math.radians(augmentation.shear * side[5]))
    scale_y = 1 + augmentation.scale * side[3]
    scale_x = 1 + augmentation.scale * side[4 if augmentation.stretch else 3]
    mirror = -1 if augmentation.flip and row[6] < 0.5 else 1
    # Forward, x to the right and y downwards.
    scaling = np.array([[mirror * scale_x, 0], [0, scale_y]])
    shearing = np.array([[1, -slant], [0, 1]])
    turning = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    backwards = np.linalg.inv(turning @ shearing @ scaling)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.array([augmentation.shift * side[1], augmentation.shift * side[0]])
    seed = int(row[7] * 2**53)
    bent = naive_displacement(seed, height, width, augmentation.elastic, augmentation.elastic_sigma)
    out = np.zeros(image.shape)
    for v in range(height):
        for u in range(width):
            x, y = backwards @ (np.array([u, v]) - centre - shift) + centre
            y, x = y + bent[0, v, u], x + bent[1, v, u]
            for i in (math.floor(y), math.floor(y) + 1):
                for j in (math.floor(x), math.floor(x) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        out[v, u] += (1 - abs(y - i)) * (1 - abs(x - j)) * image[i, j]
    return out


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    st.builds(
        Augmentation,
        shift=st.floats(0, 4),
        rotation=st.floats(0, 180),
        scale=st.floats(0, 0.5),
        shear=st.floats(0, 45),
        elastic=st.sampled_from([0, 0.7, 3]),
        elastic_sigma=st.floats(0.5, 9),
        flip=st.booleans(),
        stretch=st.booleans(),
    ),
)
def test_against_the_naive_twin(seed, shape, augmentation):
    images = np.random.default_rng(seed).random((2, *shape), np.float32)
    result = augment(images, augmentation, np.random.default_rng(seed))
    rows = np.random.default_rng(seed).random((2, 8))
    for n in range(2):
        assert np.allclose(result[n], naive_warp(images[n], augmentation, rows[n]), atol=2e-4)


@pytest.mark.parametrize("degrees", [-170, -30, 7.5, 90])
def test_rotation_is_scipys(rng, degrees):
    from scipy.ndimage import affine_transform

    image = rng.random((17, 24), np.float32)
    turn = math.radians(degrees)
    # scipy's matrix leads from (row, column) of the result to the source, rows pointing down.
    matrix = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    centre = (np.array(image.shape) - 1) / 2
    wide = affine_transform(np.pad(image, 1), matrix, centre + 1 - matrix @ (centre + 1), order=1)[1:-1, 1:-1]
    result = one(image, Augmentation(rotation=180), rotation=0.5 + degrees / 360)
    assert np.allclose(result, wide, atol=1e-4)


def test_a_quarter_turn_is_counter_clockwise(rng):
    image = rng.random((9, 9), np.float32)
    assert np.allclose(one(image, Augmentation(rotation=90), rotation=1), np.rot90(image), atol=1e-5)


def test_whole_pixels_are_numpys_shift(rng):
    image = rng.random((6, 8), np.float32)
    for rows, columns in [(0, 0), (2, -3), (-4, 4), (4, 0)]:
        result = one(image, Augmentation(shift=4), shift_y=0.5 + rows / 8, shift_x=0.5 + columns / 8)
        expected = np.zeros_like(image)
        for y in range(6):
            for x in range(8):
                if 0 <= y - rows < 6 and 0 <= x - columns < 8:
                    expected[y, x] = image[y - rows, x - columns]
        assert np.array_equal(result, expected), (rows, columns)


def test_shift_beyond_the_picture_leaves_nothing(rng):
    assert not one(rng.random((5, 5), np.float32), Augmentation(shift=4096), shift_x=0).any()


def test_a_mirrored_picture(rng):
    image = rng.random((5, 8), np.float32)
    assert np.array_equal(one(image, Augmentation(flip=True), flip=0.49), image[:, ::-1])
    assert np.array_equal(one(image, Augmentation(flip=True), flip=0.51), image)


def test_positive_shear_leans_to_the_right():
    image = np.zeros((11, 11), np.float32)
    image[:, 5] = 1
    result = one(image, Augmentation(shear=45), shear=1)
    assert np.allclose(result, np.eye(11)[::-1], atol=1e-5)


def test_larger_scale_is_a_larger_picture():
    image = np.zeros((21, 21), np.float32)
    image[8:13, 8:13] = 1
    area = image.sum()
    assert one(image, Augmentation(scale=0.5), scale_y=1).sum() == pytest.approx(area * 1.5**2, rel=0.1)
    stretched = one(image, Augmentation(scale=0.5, stretch=True), scale_y=1, scale_x=0.5)
    assert stretched.sum() == pytest.approx(area * 1.5, rel=0.1)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(elastic_sigma=2.0, stretch=True)])
def test_nothing_to_do_gives_the_same_pixels_and_draws_alike(rng, augmentation):
    images = rng.random((3, 4, 5, 2), np.float32)
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    assert np.array_equal(augment(images, augmentation, first), images)
    augment(images, Augmentation(shift=1, elastic=1), second)
    assert first.random() == second.random()


@pytest.mark.parametrize("augmentation", [Augmentation(shift=2, rotation=9), Augmentation(shift=2, elastic=1.5)])
def test_bits_do_not_depend_on_threads_layout_or_place(rng, augmentation):
    images = rng.random((20, 12, 13, 2), np.float32)
    results = []
    for threads in (1, 2):
        set_threads(threads)
        results.append(augment(images, augmentation, np.random.default_rng(3)))
    assert np.array_equal(results[0], results[1])
    reversed_view = np.ascontiguousarray(images[:, ::-1])[:, ::-1]
    assert np.array_equal(augment(reversed_view, augmentation, np.random.default_rng(3)), results[0])
    read_only = images.copy()
    read_only.flags.writeable = False
    assert np.array_equal(augment(read_only, augmentation, np.random.default_rng(3)), results[0])
    halves = np.concatenate([images[:8], images[8:]])
    generator = np.random.default_rng(3)
    parts = [augment(part, augmentation, generator) for part in (halves[:8], halves[8:])]
    assert np.array_equal(np.concatenate(parts), results[0])
    buffer = np.empty((21, 12, 13, 2), np.float32)
    buffer[1:] = images
    augment(buffer[1:], augmentation, np.random.default_rng(3), out=buffer[:-1])
    assert np.array_equal(buffer[:-1], results[0])
    in_place = images.copy()
    assert augment(in_place, augmentation, np.random.default_rng(3), out=in_place) is in_place
    assert np.array_equal(in_place, results[0])


@pytest.mark.parametrize("sigma", [1.5, 4.0])
def test_the_displacement_has_the_deviation_and_the_smoothness_asked_for(sigma):
    # A slope of 1 along x shows where each pixel came from. Wide margins: nothing of the border is seen.
    size, margin, count = 24, 12, 3000
    slope = np.broadcast_to(np.arange(size + 2 * margin, dtype=np.float32), (size + 2 * margin,) * 2)
    images = np.broadcast_to(slope[None, :, :, None], (count, *slope.shape, 1))
    result = augment(images, Augmentation(elastic=1.2, elastic_sigma=sigma), np.random.default_rng(5))
    moved = (result - images)[:, margin:-margin, margin:-margin, 0].astype(np.float64)
    assert abs(moved.mean()) < 0.04
    assert moved.std() == pytest.approx(1.2, rel=0.02)
    assert moved.std(axis=0) == pytest.approx(np.full((size, size), 1.2), rel=0.06)
    # Noise smoothed by a Gaussian of sigma has a correlation of exp(-d^2 / (4 sigma^2)) at distance d.
    for distance in (1, 3, 6):
        correlation = (moved[:, :, distance:] * moved[:, :, :-distance]).mean() / 1.2**2
        assert correlation == pytest.approx(math.exp(-(distance**2) / (4 * sigma**2)), abs=0.02)


def test_words():
    words = "shift=2,rotation=10,scale=0.1,elastic=1"
    assert Augmentation.from_words(words) == Augmentation(shift=2, rotation=10, scale=0.1, elastic=1)
    assert Augmentation.from_words(words).as_words() == words
    assert Augmentation.from_words("flip, Elastic-Sigma=1/2,stretch=off") == Augmentation(flip=True, elastic_sigma=0.5)
    for nothing in ("", "none", " none "):
        assert Augmentation.from_words(nothing).is_nothing
    assert Augmentation().as_words() == "none"
    everything = Augmentation(1.5, 2, 0.25, 3, 4, 5, True, True)
    assert Augmentation.from_words(everything.as_words()) == everything
    assert Augmentation(**everything.as_dict()) == everything


@pytest.mark.parametrize(
    "words",
    ["turn=3", "shift", "shift=", "shift=a", "shift=-1", "shift=nan", "shift=1,shift=2", "scale=1", "flip=2",
     "elastic_sigma=0", "rotation=181", "none,shift=1", "shift=1,", "shift=\x1b[2J"],
)  # fmt: skip
def test_words_that_cannot_be(words):
    with pytest.raises(ConvcliError, match=r"^augmentation: got [^\n\x1b]*expected [^\n]*$"):
        Augmentation.from_words(words)


@pytest.mark.parametrize("value", ["2", None, True, math.nan, math.inf, -1])
def test_values_that_cannot_be(value):
    with pytest.raises(ConvcliError, match=r"^augmentation: got shift="):
        Augmentation(shift=value)


@pytest.mark.parametrize(
    ("images", "out"),
    [
        (np.zeros((3, 4, 4), np.float32), None),
        (np.zeros((3, 4, 4, 1), np.uint8), None),
        (np.zeros((3, 4, 4, 1), np.float32), np.zeros((2, 4, 4, 1), np.float32)),
        (np.zeros((3, 4, 4, 1), np.float32), np.zeros((3, 4, 4, 1))),
        (np.zeros((3, 4, 4, 1), np.float32), np.zeros((3, 4, 4, 2), np.float32)[..., :1]),
    ],
)
def test_arrays_that_cannot_be(images, out):
    with pytest.raises(ShapeError, match=r"^(images|out): got float|^(images|out): got uint8"):
        augment(images, Augmentation(shift=1), np.random.default_rng(0), out=out)


def test_no_images_are_no_work():
    empty = np.zeros((0, 4, 4, 1), np.float32)
    assert augment(empty, Augmentation(shift=1), np.random.default_rng(0)).shape == empty.shape


def test_examples():
    assert doctest.testmod(module).failed == 0


class Twice:
    """A generator that gives eight draws of one half, and then nine that are known."""

    def __init__(self, **places):
        names = ["crop", "crop_y", "crop_x", "contrast", "brightness", "tall", "wide", "down", "across"]
        self._rows = iter([np.full((1, 8), 0.5), np.array([[places.get(name, 0.5) for name in names]])])

    def random(self, shape):
        rows = next(self._rows)
        assert rows.shape == shape
        return rows


def changed(image, augmentation, **places):
    return augment(image[None, :, :, None], augmentation, Twice(**places))[0, :, :, 0]


def test_crop_brightness_contrast_and_erase_do_what_they_say():
    image = np.random.default_rng(3).random((8, 12)).astype(np.float32)
    mean = image.mean(dtype=np.float64)
    np.testing.assert_allclose(changed(image, Augmentation(brightness=0.4), brightness=1), image + 0.4, atol=1e-6)
    poorer = changed(image, Augmentation(contrast=0.5), contrast=0)
    np.testing.assert_allclose(poorer, mean + 0.5 * (image - mean), atol=1e-6)
    erased = image.copy()
    erased[2:6, 3:9] = mean
    got = changed(image, Augmentation(erase=0.5), tall=1, wide=1, down=0.5, across=0.5)
    np.testing.assert_allclose(got, erased, atol=1e-6)
    corner = changed(image, Augmentation(erase=0.5), tall=1, wide=1, down=0, across=1)
    assert (corner[:2, 9:] == corner[0, 11]).all() and np.array_equal(corner[2:], image[2:])
    # A quarter of a ramp, from the upper left corner: half as steep, and the corner's half as far.
    ramp = np.add.outer(np.arange(8.0), np.arange(8.0) * 10).astype(np.float32)
    part = changed(ramp, Augmentation(crop=0.5), crop=1, crop_y=0, crop_x=0)
    np.testing.assert_allclose(part, ramp / 2, atol=1e-4)


def test_what_is_not_asked_for_draws_nothing():
    images = np.random.default_rng(4).random((3, 8, 8, 1)).astype(np.float32)
    plain, more = (np.random.default_rng(5) for _ in range(2))
    before = augment(images, Augmentation(shift=2), plain)
    after = augment(images, Augmentation(shift=2, brightness=1e-9), more)
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert plain.random() == np.random.default_rng(5).random(25)[24], "no more than eight numbers for each image"
    words = "shift=2,crop=0.2,brightness=0.1,contrast=0.3,erase=0.4"
    assert Augmentation.from_words(words).as_words() == words
