"""Canny among the kernels of a filter."""

import numpy as np
import pytest

from convcli.errors import ConvcliError, KernelError
from convcli.images import Image
from convcli.jobs.filter import filter_image, plan_filter
from convcli.ops.canny import canny


@pytest.fixture
def gray(rng):
    """Overlapping rectangles with a little noise, so that no two slopes are equal: (H, W) uint8."""
    scene = np.full((60, 70), 90.0)
    for _ in range(6):
        y, x = rng.integers(0, 40, 2)
        scene[y : y + 18, x : x + 25] = rng.integers(0, 256)
    return np.clip(np.rint(scene + rng.normal(0, 4, scene.shape)), 0, 255).astype(np.uint8)


def run(pixels, *specs, has_alpha=False, **words):
    return filter_image(Image(np.ascontiguousarray(pixels), has_alpha), plan_filter(specs, **words)).image.pixels


@pytest.mark.parametrize("border", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("words", ["canny", "canny:sigma=2,low=20,high=50", "canny:sigma=0,low=60,high=90"])
def test_the_spec_is_the_function(gray, words, border):
    arguments = [float(word.split("=")[1]) for word in words.partition(":")[2].split(",") if word]
    edges = canny(gray, *arguments, border=border)
    assert 0.01 < edges.mean() < 0.3
    result = run(gray[..., None], words, border=border)
    assert result.dtype == np.uint8 and np.array_equal(result[..., 0], edges * 255)


def test_the_thresholds_mean_the_same_at_every_depth(gray):
    expected = run(gray[..., None], "canny") > 0
    deep = run(gray[..., None].astype(np.uint16) * 257, "canny")
    light = run((gray[..., None] / 255).astype(np.float32), "canny")
    assert np.array_equal(deep, expected * np.uint16(65535))
    assert np.array_equal(light, expected.astype(np.float32))
    assert np.array_equal(run(gray[..., None], "canny", depth="16"), expected * np.uint16(65535))


def test_colour_has_the_outlines_of_its_steepest_channel(gray, rng):
    faint = rng.integers(100, 103, gray.shape).astype(np.uint8)
    colour = np.dstack([faint, faint, gray])
    assert np.array_equal(run(colour, "canny"), run(gray[..., None], "canny"))
    luma = run(colour, "canny", channels="gray")
    assert luma.shape == (60, 70, 1) and (luma > 0).sum() < (run(colour, "canny") > 0).sum()


def test_a_chain_smooths_once_more_and_may_go_on(gray):
    chained = run(gray[..., None], "gaussian", "canny:sigma=0")
    assert np.array_equal(chained, run(gray[..., None], "canny:sigma=1"))
    thick = run(gray[..., None], "canny", "box", stride=2)
    assert thick.shape == (30, 35, 1) and 0 < thick.max() < 255
    assert run(gray[..., None], "canny", padding="valid").shape == (60 - 12 - 2, 70 - 12 - 2, 1)


def test_the_name_of_the_result():
    assert plan_filter(["canny"]).name == "canny"
    assert plan_filter(["gaussian", "canny"]).name == "gaussian_canny"


def test_alpha_is_kept_and_what_cannot_be_seen_has_no_outline(gray):
    alpha = np.full(gray.shape, 255, np.uint8)
    alpha[:, 35:] = 0
    colour = np.dstack([gray, gray, gray])
    hidden = colour.copy()
    hidden[:, 35:] = 255 - hidden[:, 35:]
    first, second = (run(np.dstack([rgb, alpha]), "canny", has_alpha=True) for rgb in (colour, hidden))
    assert first.shape == (60, 70, 2)
    assert np.array_equal(first, second)
    assert np.array_equal(first[..., 1], alpha)
    flat = np.dstack([np.full((60, 70, 3), 200, np.uint8), alpha])
    assert not run(flat, "canny", has_alpha=True)[..., 0].any()
    assert run(np.dstack([colour, alpha]), "canny", has_alpha=True, alpha="drop").shape[-1] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"convolve": True}, "convolve: got it with canny, which has no matrix; leave --convolve out"),
        ({"stride": (2, 1)}, "stride: got 2x1 with canny"),
        ({"dilation": 2}, "dilation: got 2 with canny"),
        ({"bias": 3}, "bias: got 3 with canny"),
        ({"scale": 0.5}, "scale: got 0.5 with canny"),
        ({"activation": "relu"}, "activation: got relu with canny"),
        ({"normalize": "sum"}, "normalize: got sum with canny"),
        ({"alpha": "independent"}, "alpha: got independent with canny"),
        ({"range": "offset"}, "range: got offset with canny"),
        ({"axes": "zyx"}, "canny: finds the outlines of pictures, expected a kernel for a volume; add --each-plane"),
        ({"axes": "x"}, "canny: finds the outlines of pictures, expected a kernel for a signal; sobel-x marks"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, message):
    with pytest.raises((ConvcliError, KernelError)) as caught:
        plan_filter(["canny"], **words)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_thresholds_in_the_wrong_order():
    with pytest.raises(KernelError, match=r"^kernel canny: low=50, expected at most high, 20$"):
        plan_filter(["canny:low=50,high=20"])


def test_scikit_image_finds_nearly_the_same_in_a_photo():
    feature = pytest.importorskip("skimage.feature")
    from pathlib import Path

    from PIL import Image as Pillow

    sample = Path(__file__).parent.parent.parent / "sample_images" / "cat.jpg"
    pixels = np.asarray(Pillow.open(sample).convert("L"))
    ours = run(pixels[..., None], "canny:sigma=2,low=20,high=50")[3:-3, 3:-3, 0] > 0
    theirs = feature.canny(pixels.astype(float), 2, 20, 50, mode="mirror")[3:-3, 3:-3]
    assert (ours == theirs).mean() > 0.999
