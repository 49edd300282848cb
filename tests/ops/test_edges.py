"""Edges in every direction against naive correlation, and against the pixels that the command line makes."""

import numpy as np
import pytest
from PIL import Image

import convcli as package
from convcli.kernels import parse_kernel

NAMES = ["sobel", "scharr", "prewitt", "roberts", "farid", "frei-chen", "kirsch", "robinson"]


def function(name):
    return getattr(package, name.replace("-", "_"))


def naive(image, name):
    """Each plane of the kernel over the mirrored image, one window at a time."""
    planes = parse_kernel(name).planes
    height, width = planes[0].shape
    before = (height - 1) // 2, (width - 1) // 2
    padded = np.pad(image.astype(float), [(before[0], height // 2), (before[1], width // 2)], mode="reflect")
    responses = [
        [[(padded[y : y + height, x : x + width] * plane).sum() for x in range(image.shape[1])]
         for y in range(image.shape[0])]
        for plane in planes
    ]  # fmt: skip
    if parse_kernel(name).combine == "maximum":
        return np.max(responses, axis=0)
    return np.sqrt(np.sum(np.square(responses), axis=0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_edges_are_what_a_naive_loop_gives(name, dtype, rng):
    image = rng.integers(0, 255, (9, 11)).astype(dtype)
    found = function(name)(image)
    assert found.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(found, naive(image, name), rtol=1e-5, atol=1e-4)
    stack = np.stack([image, image[::-1]])[..., None].repeat(3, axis=-1)
    np.testing.assert_array_equal(function(name)(stack)[0, ..., 2], found)


@pytest.mark.parametrize("name", NAMES)
def test_edges_are_the_numbers_behind_the_command_lines_pixels(name, rng, tmp_path, convcli):
    image = rng.integers(0, 255, (16, 20, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert convcli("filter", tmp_path / "a.png", "-k", name, "-o", tmp_path / "b.png").code == 0
    assert convcli("filter", tmp_path / "a.png", "-k", name, "--range", "raw", "-o", tmp_path / "b.npy").code == 0
    numbers = function(name)(image)
    np.testing.assert_array_equal(numbers, np.load(tmp_path / "b.npy"))
    np.testing.assert_array_equal(np.rint(numbers).clip(0, 255), package.read(tmp_path / "b.png"))


def test_a_volume_has_slopes_along_three_axes():
    ramp = np.arange(5.0)[:, None, None] + np.zeros((5, 4, 4))
    assert package.sobel3d(ramp)[2, 1, 1] == 32
    with pytest.raises(package.ShapeError, match=r"^volume: got shape \(5, 4\)"):
        package.sobel3d(ramp[:, :, 0])


def test_what_lies_beyond_the_border_can_be_chosen():
    image = np.full((3, 3), 7.0)
    assert not package.sobel(image, border="nearest").any()
    assert package.sobel(image, border="constant", value=7).max() == 0
    assert package.sobel(image, border="constant")[0, 1] == 28
    with pytest.raises(package.ShapeError, match=r"^border: got 'nowhere'"):
        package.sobel(image, border="nowhere")


@pytest.mark.filterwarnings("error")
def test_slopes_beyond_the_type_are_infinite():
    slopes = package.prewitt(np.ones((5, 4), np.float32), border="constant", value=2.0**64)
    assert np.isinf(slopes[0]).all() and slopes[2, 1] == 0
