"""A background under what has alpha: the right mixture, on pictures of every depth and on volumes."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from convcli.errors import ConvcliError, ImageError
from convcli.images import Image, read, write
from convcli.jobs.background import on_background, parse_colour
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.morph import morph_image, plan_morph
from convcli.jobs.pad import pad_image, plan_pad
from convcli.jobs.pool import plan_pool, pool_image

ALPHA = np.array([0, 51, 128, 204, 255])
COLOUR = (10, 200, 31)
WHITE, ORANGE = (1.0, 1.0, 1.0), (1.0, 165 / 255, 0.0)


def picture(dtype=np.uint8, colour=COLOUR):
    pixels = np.empty((1, 5, len(colour) + 1), np.uint8)
    pixels[..., :-1], pixels[..., -1] = colour, ALPHA
    scale = {"uint8": 1, "uint16": 257}.get(np.dtype(dtype).name, 1 / 255)
    return Image((pixels * np.float64(scale)).astype(dtype), True)


def mixed(colour, background):
    """Rounded to nearest, in whole numbers."""
    rows = [[(c * a + b * (255 - a) + 127) // 255 for c, b in zip(colour, background, strict=True)] for a in ALPHA]
    return np.array([rows])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("white", (255, 255, 255)), ("Black", (0, 0, 0)), ("rebeccapurple", (102, 51, 153)), ("#fa0", (255, 170, 0)),
        ("#FFA500", (255, 165, 0)), ("255,165,0", (255, 165, 0)), (" 1, 2 ,3", (1, 2, 3)), ("grey", (128, 128, 128)),
    ],
)  # fmt: skip
def test_ways_to_name_a_colour(text, expected):
    assert tuple(255 * each for each in parse_colour(text)) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "whit", "#ff", "#ffff", "#ggg", "1,2", "1,2,256", "-1,2,3", "1.5,2,3", "1,2,3,4"])
def test_what_is_no_colour(text):
    with pytest.raises(ConvcliError, match=r"background: got .*expected a name"):
        parse_colour(text)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_mixture_at_every_depth(dtype):
    got = on_background(picture(dtype), ORANGE)
    assert not got.has_alpha and got.pixels.dtype == dtype
    scale = {"uint8": 1, "uint16": 1 / 257}.get(np.dtype(dtype).name, 255)
    expected = mixed(COLOUR, (255, 165, 0))
    assert np.abs(got.pixels * scale - expected).max() <= (0 if dtype is np.uint8 else 0.51)
    assert got.pixels[0, -1].tolist() == picture(dtype).pixels[0, -1, :-1].tolist()  # what is opaque stays, to the bit


def test_grey_stays_grey_on_grey_and_takes_colour_on_colour():
    assert on_background(picture(colour=(40,)), WHITE).pixels.tolist() == mixed((40,), (255,)).tolist()
    np.testing.assert_array_equal(
        on_background(picture(colour=(40,)), ORANGE).pixels, mixed((40, 40, 40), (255, 165, 0))
    )


def test_linear_light():
    half = Image(np.array([[[0, 0, 0, 128]]], np.uint8), True)
    light = 1 - 128 / 255
    expected = round(255 * (1.055 * light ** (1 / 2.4) - 0.055))
    assert on_background(half, WHITE, linear=True).pixels.tolist() == [[[expected] * 3]]
    assert on_background(half, WHITE).pixels.tolist() == [[[127] * 3]]
    same = on_background(picture(), WHITE, linear=True).pixels[0]
    assert same[0].tolist() == [255] * 3 and same[-1].tolist() == list(COLOUR)


def test_hidden_numbers_have_no_say():
    image = Image(np.array([[[np.nan, 1e9, -np.inf, 0.0]]], np.float32), True)
    assert on_background(image, ORANGE).pixels[0, 0].tolist() == pytest.approx(ORANGE)


def test_no_alpha_and_no_background_change_nothing():
    opaque = Image(np.zeros((2, 2, 3), np.uint8))
    assert on_background(opaque, WHITE) is opaque
    assert on_background(picture(), None).has_alpha


@pytest.mark.parametrize("format", ["JPEG", "PPM", "PNG"])
def test_every_operation_on_pictures(format):
    expected = mixed(COLOUR, (255, 255, 255))
    filtered = filter_image(picture(), plan_filter(["identity"], background=WHITE), format).image
    padded = pad_image(picture(), plan_pad(1, value=COLOUR, background=WHITE), format).image
    pooled = pool_image(picture(), plan_pool(1, background=WHITE), format).image
    grown = morph_image(picture(), plan_morph("dilate", size=1, background=WHITE), format).image
    for got in (filtered.pixels, padded.pixels[1:-1, 1:-1], pooled.pixels, grown.pixels):
        np.testing.assert_array_equal(got, expected)
    assert padded.pixels[0, 0].tolist() == list(COLOUR)
    assert not any(each.has_alpha for each in (filtered, padded, pooled, grown))


def test_a_mean_on_a_background_is_the_mean_of_the_picture_on_it():
    random = np.random.default_rng(0)
    image = Image(random.integers(0, 256, (20, 30, 4), dtype=np.uint8), True)
    after = filter_image(image, plan_filter(["gaussian:sigma=2"], background=ORANGE), "JPEG").image.pixels
    before = filter_image(on_background(image, ORANGE), plan_filter(["gaussian:sigma=2"])).image.pixels
    assert np.abs(after.astype(int) - before).max() <= 1


def test_words_that_do_not_go_together():
    for plan in (
        lambda: plan_filter(["box"], alpha="drop", background=WHITE),
        lambda: plan_pool(2, alpha="drop", background=WHITE),
        lambda: plan_morph("dilate", size=3, axes="x", background=WHITE),
        lambda: plan_pad(1, axes="x", background=WHITE),
    ):
        with pytest.raises(ConvcliError, match=r"^background: "):
            plan()


def test_without_one_the_refusal_names_it():
    with pytest.raises(ImageError, match="JPEG holds no alpha channel; add --background white or --alpha drop, or"):
        filter_image(picture(), plan_filter(["identity"]), "JPEG")
    with pytest.raises(ImageError, match=r"JPEG holds no alpha channel; add --background white, or write \.png"):
        pad_image(picture(), plan_pad(1), "JPEG")


def animation():
    frames = []
    for value in (100, 200):
        pixels = np.zeros((4, 6, 4), np.uint8)
        pixels[..., :3] = value
        pixels[:, 3:, 3] = 255
        frames.append(Pillow.fromarray(pixels))
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", lossless=True, save_all=True, append_images=frames[1:], exact=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        ["filter", "-k", "1 |"],
        ["pool", "--size", "1"],
        ["morph", "dilate", "--size", "1"],
        ["pad", "--amount", "0"],
    ],
)
def test_every_operation_on_volumes(words, tmp_path, monkeypatch, capfd):
    from convcli.cli import run

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.webp").write_bytes(animation())
    command, *rest = words
    rest = [*rest[:1], "a.webp", *rest[1:]] if command == "morph" else ["a.webp", *rest]
    assert run([command, *rest, "--axes", "zyx", "-o", "a.tiff"]) == 1
    assert "expected a volume without; add --background white" in capfd.readouterr().err
    assert run([command, *rest, "--axes", "zyx", "-o", "a.tiff", "--background", "51,51,51"]) == 0
    got = tifffile.imread(tmp_path / "a.tiff")
    assert got.shape == (2, 4, 6)
    assert got[0, 0].tolist() == [51] * 3 + [100] * 3 and got[1, 0].tolist() == [51] * 3 + [200] * 3


def test_a_file(tmp_path):
    from convcli.cli import run

    write(picture(), tmp_path / "a.png")
    assert run(["filter", str(tmp_path / "a.png"), "-k", "identity", "-o", str(tmp_path / "a.ppm"),
                "--background", "#ffffff"]) == 0  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path / "a.ppm").pixels, mixed(COLOUR, (255, 255, 255)))
