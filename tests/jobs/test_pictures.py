"""Pool, pad and morph of pictures: alpha, depth, dtypes. The arithmetic is tests/ops's."""

import numpy as np
import pytest

import convcli
from convcli.errors import ConvcliError, ImageError, ShapeError
from convcli.images import Image
from convcli.jobs.morph import morph_image, plan_morph
from convcli.jobs.pad import pad_image, plan_pad
from convcli.jobs.pool import plan_pool, pool_image

MODES = ("max", "min", "average", "weighted", "lp", "median", "stochastic")


def picture(pixels, has_alpha=False):
    return Image(np.ascontiguousarray(pixels), has_alpha)


def pool(image, size, format=None, **words):
    return pool_image(image, plan_pool(size, **words), format).image.pixels


def morph(image, operation, format=None, **words):
    return morph_image(image, plan_morph(operation, **words), format).image.pixels


@pytest.fixture
def square():
    """An opaque square of one colour on transparent white, uint8 RGBA."""
    pixels = np.full((24, 24, 4), 255, np.uint8)
    pixels[..., 3] = 0
    pixels[7:17, 7:17] = (200, 100, 50, 255)
    return picture(pixels, True)


@pytest.mark.parametrize("mode", ["average", "weighted", "max"])
def test_pooling_a_square_keeps_its_colour(square, mode):
    result = pool(square, 2, mode=mode)
    seen = result[..., 3] > 0
    assert 25 <= seen.sum() <= 36
    assert (result[seen][:, :3] == (200, 100, 50)).all()
    assert (result[~seen] == 0).all()


@pytest.mark.parametrize("operation", ["dilate", "erode", "open", "close"])
def test_morphology_of_a_square_keeps_its_colour(square, operation):
    result = morph(square, operation, size=5)
    seen = result[..., 3] > 0
    assert seen.sum() == {"dilate": 14, "erode": 6, "open": 10, "close": 10}[operation] ** 2
    assert (result[seen][:, :3] == (200, 100, 50)).all()


def test_differences_keep_alpha(square):
    result = morph(square, "gradient", size=3)
    assert np.array_equal(result[..., 3], square.pixels[..., 3])
    assert (result[..., :3] == 0).all()  # one colour has no differences, wherever it ends


CHOOSING = ("max", "min", "median", "stochastic")
MORPHS = ("dilate", "erode", "open", "close", "gradient", "tophat", "blackhat")
DIFFERENCES = MORPHS[4:]
WORDS = [{}, {"border": "edge"}, {"border": "reflect"}, {"element": "1 0 0; 1 1 0; 0 0 0", "border": "wrap"}]


def soft(rng, dtype, colours):
    """A picture of random alpha, a tenth of it hidden, whose colours are some of ``colours``."""
    white = 1 if dtype == "float32" else np.iinfo(dtype).max
    alpha = rng.random((13, 11, 1)) * white * (rng.random((13, 11, 1)) > 0.1)
    colour = np.asarray(colours)[rng.integers(0, len(colours), (13, 11))] * white
    colour[alpha[..., 0] == 0] = rng.random(3) * white  # hidden colours, of which nothing must be seen
    pixels = np.concatenate([colour, alpha], -1)
    return picture((pixels if dtype == "float32" else np.rint(pixels)).astype(dtype), True)


ONE = [[0.8, 0.4, 0.2]]
THREE = [[0.8, 0.4, 0.2], [0.1, 0.9, 0.6], [0.3, 0.0, 1.0]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("words", [{}, {"stride": 1}, {"padding": 1}, {"dilation": 2, "stride": 1}])
def test_one_colour_under_soft_alpha_stays_one_colour_in_pools(rng, dtype, mode, words):
    image = soft(rng, dtype, ONE)
    result = pool(image, 3, mode=mode, **words)
    seen = result[..., 3] > 0
    assert seen.any()
    expected = np.asarray(ONE[0]) * image.white
    limit = 1e-6 if dtype == "float32" else 0.5 if mode in CHOOSING else 1
    assert np.abs(result[seen][:, :3] - expected).max() <= limit
    assert (result[~seen] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("operation", MORPHS)
@pytest.mark.parametrize("words", WORDS)
def test_one_colour_under_soft_alpha_stays_one_colour_in_morphology(rng, dtype, operation, words):
    image = soft(rng, dtype, ONE)
    result = morph(image, operation, **({} if "element" in words else {"size": 3}), **words)
    seen = result[..., 3] > 0
    assert seen.any()
    colours = image.pixels[image.pixels[..., 3] > 0][0, :3]
    assert (result[seen][:, :3] == (0 if operation in DIFFERENCES else colours)).all()
    assert (result[~seen][:, :3] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("act", [*CHOOSING, *MORPHS[:4]])
def test_what_chooses_gives_only_values_that_can_be_seen(rng, dtype, act):
    image = soft(rng, dtype, THREE)
    result = pool(image, 3, mode=act, stride=1) if act in CHOOSING else morph(image, act, size=3)
    for channel in range(3):
        visible = set(image.pixels[image.pixels[..., 3] > 0][:, channel].tolist())
        assert set(result[result[..., 3] > 0][:, channel].tolist()) <= visible


@pytest.mark.parametrize("act", ["max", "min", "median", "dilate", "erode", "gradient"])
def test_what_chooses_is_what_a_loop_over_visible_pixels_finds(rng, act):
    image = soft(rng, "uint8", rng.random((50, 3)))
    words = {"mode": act, "stride": 1, "padding": 1}
    result = pool(image, 3, **words) if act in CHOOSING else morph(image, act, size=3)
    for y, x in np.ndindex(13, 11):
        if not result[y, x, 3]:
            continue
        window = image.pixels[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].reshape(-1, 4)
        seen = np.sort(window[window[:, 3] > 0][:, :3], axis=0)
        expected = {
            "max": seen[-1], "dilate": seen[-1], "min": seen[0], "erode": seen[0], "median": seen[(len(seen) - 1) // 2],
            "gradient": seen[-1] - seen[0],
        }[act]  # fmt: skip
        assert result[y, x, :3].tolist() == expected.tolist()


def test_medians_under_alpha_that_hides_nothing(rng):
    pixels = rng.integers(1, 256, (6, 8, 4), np.uint8)
    result = pool(picture(pixels, True), 2, mode="median")
    assert np.array_equal(result, convcli.pool2d(pixels, 2, mode="median"))


@pytest.mark.parametrize("adaptive", [1, 4, 20])
def test_medians_of_windows_that_differ(rng, adaptive):
    image = soft(rng, "uint8", rng.random((50, 3)))
    result = pool_image(image, plan_pool(adaptive=adaptive, mode="median")).image.pixels
    for y, x in np.ndindex(adaptive, adaptive):
        rows = slice(y * 13 // adaptive, -(-(y + 1) * 13 // adaptive))
        columns = slice(x * 11 // adaptive, -(-(x + 1) * 11 // adaptive))
        window = image.pixels[rows, columns].reshape(-1, 4)
        seen = np.sort(window[window[:, 3] > 0][:, :3], axis=0)
        if result[y, x, 3]:
            assert result[y, x, :3].tolist() == seen[(len(seen) - 1) // 2].tolist()


@pytest.mark.parametrize(("alpha", "channels"), [("drop", 3), ("keep", 4), ("independent", 4)])
def test_other_alpha_policies(square, alpha, channels):
    result = pool_image(square, plan_pool(2, alpha=alpha)).image
    assert result.pixels.shape == (12, 12, channels)
    assert result.has_alpha == (channels == 4)
    assert (result.pixels[..., :3] == convcli.pool2d(square.pixels[..., :3], 2)).all()
    if alpha == "independent":
        assert (result.pixels == convcli.pool2d(square.pixels, 2)).all()
    if alpha == "keep":
        assert (result.pixels[..., 3] == square.pixels[::2, ::2, 3]).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_opaque_pictures_are_pooled_as_the_function_does(rng, mode, dtype):
    pixels = (rng.random((12, 15, 3)) * (250 if dtype == "uint8" else 1)).astype(dtype)
    expected = convcli.pool2d(pixels, (2, 3), mode=mode, seed=4)
    result = pool_image(picture(pixels), plan_pool((2, 3), mode=mode, seed=4))
    assert result.image.pixels.dtype == dtype
    limited = np.clip(np.rint(expected), 0, 255) if dtype == "uint8" else expected
    assert np.array_equal(result.image.pixels, limited)
    assert result.details["operation"] == f"{mode}-pool"
    assert bool(result.warnings) == (mode == "lp" and dtype == "uint8")


def test_averages_of_bytes_are_rounded_half_to_even(rng):
    for channels in (1, 3):
        pixels = rng.integers(0, 256, (37, 58, channels), np.uint8)
        for size, words in ((2, {}), (3, {}), ((1, 5), {}), (2, {"stride": 1}), (4, {"padding": "same"})):
            exact = convcli.pool2d(pixels, size, mode="average", **words)
            np.testing.assert_array_equal(pool(picture(pixels), size, mode="average", **words), np.rint(exact))


def test_sixteen_bits_stay_and_depth_changes(rng):
    pixels = rng.integers(0, 65536, (8, 8, 3), np.uint16)
    assert np.array_equal(pool(picture(pixels), 2, format="PNG"), convcli.pool2d(pixels, 2))
    eight = pool(picture(pixels), 2, depth="8")
    assert eight.dtype == np.uint8
    assert np.array_equal(eight, np.rint(convcli.pool2d(pixels, 2) / np.float32(257)))
    with pytest.raises(ImageError, match="depth"):
        pool(picture(pixels), 2, depth="float", format="PNG")


def test_padding_that_counts_darkens_colour_and_not_alpha():
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = 128
    words = {"mode": "average", "padding": 1, "stride": 2}
    corner = pool(picture(pixels, True), 2, count_include_pad=True, **words)[0, 0]
    opaque = pool(picture(pixels[..., :3]), 2, count_include_pad=True, **words)[0, 0]
    assert corner.tolist() == [*opaque, 128]
    assert pool(picture(pixels, True), 2, **words)[0, 0].tolist() == [200, 200, 200, 128]


def test_a_constant_border_is_opaque_and_of_its_value():
    pixels = np.full((5, 5, 4), 100, np.uint8)
    result = morph(picture(pixels, True), "dilate", size=3, border="constant", value=250)
    assert result[0, 0].tolist() == [250, 250, 250, 255]
    assert result[2, 2].tolist() == [100, 100, 100, 100]


def test_global():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert pool(picture(pixels), "global").tolist() == [[[57, 58, 59]]]
    with_alpha = np.concatenate([pixels, np.full((4, 5, 1), 77, np.uint8)], -1)
    assert pool(picture(with_alpha, True), "global", alpha="keep").tolist() == [[[57, 58, 59, 77]]]


def test_pad_is_opaque_unless_told_otherwise():
    pixels = np.zeros((2, 2, 4), np.uint8)
    image = picture(pixels, True)
    for value, expected in ((9, (9, 9, 9, 255)), ((1, 2, 3), (1, 2, 3, 255)), ((1, 2, 3, 4), (1, 2, 3, 4))):
        result = pad_image(image, plan_pad(((1, 0), (0, 2)), value=value)).image.pixels
        assert result.shape == (3, 4, 4)
        assert tuple(result[0, 3]) == expected
        assert (result[1:, :2] == 0).all()
    mirrored = pad_image(image, plan_pad(1, mode="edge")).image.pixels
    assert (mirrored == 0).all()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("alpha", lambda: plan_pool(2, alpha="some")),
        ("depth", lambda: plan_morph("dilate", size=3, depth="9")),
        ("size", lambda: plan_pool(0)),
        ("stride", lambda: plan_pool("global", stride=2)),
        ("ceil_mode", lambda: plan_pool("global", ceil_mode=True)),
        ("mode", lambda: plan_pool(2, mode="most")),
        ("p", lambda: plan_pool(2, mode="lp", p=-1)),
        ("operation", lambda: plan_morph("grow", size=3)),
        ("border", lambda: plan_morph("dilate", size=3, border="no")),
        ("value", lambda: plan_morph("dilate", size=3, value=float("nan"))),
        ("value", lambda: plan_pad(1, value=())),
        ("mode", lambda: plan_pad(1, mode="mirrored")),
        ("value", lambda: pad_image(picture(np.zeros((2, 2, 3), np.uint8)), plan_pad(1, value=(1, 2)))),
        ("value", lambda: pad_image(picture(np.zeros((2, 2, 3), np.uint8)), plan_pad(1, value=0.5))),
        ("size", lambda: pool(picture(np.zeros((2, 2, 3), np.uint8)), 3)),
    ],
)
def test_errors_name_the_argument(name, call):
    with pytest.raises(ConvcliError, match=rf"^{name}: [^\n]*$"):
        call()


def test_a_format_that_cannot_hold_the_result():
    with pytest.raises(ImageError, match="alpha"):
        pad_image(picture(np.zeros((2, 2, 4), np.uint8), True), plan_pad(1), "JPEG")
    with pytest.raises(ShapeError):
        pool(picture(np.zeros((2, 2, 4), np.uint8), True), 3, format="PNG")


def test_infinite_pixels_become_white_and_black_of_another_depth_without_a_word():
    pixels = np.array([[[np.inf], [3e38], [0.5], [-np.inf]]], np.float32)
    np.testing.assert_array_equal(pool(picture(pixels), 1, depth="16")[0, :, 0], [65535, 65535, 32768, 0])
