import numpy as np
import pytest
from scipy import ndimage

from convcli.errors import ShapeError
from convcli.ops.canny import canny


def scene(seed=0, shape=(90, 110)):
    """Smooth blobs: no two slopes are equal."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return (ndimage.gaussian_filter(noise, 3) * 900).astype(np.float32)


def ridges(image, sigma):
    """Steps 1 to 3 pixel by pixel: the slope where it is largest along its direction, else 0; borders left out."""
    smooth = ndimage.gaussian_filter(image.astype(float), sigma, mode="mirror", truncate=4)
    down, across = (ndimage.sobel(smooth, axis, mode="mirror") for axis in (0, 1))
    slope = np.hypot(across, down)
    kept = np.zeros_like(slope)
    for y in range(1, image.shape[0] - 1):
        for x in range(1, image.shape[1] - 1):
            length = max(abs(down[y, x]), abs(across[y, x]))
            step = np.array([down[y, x], across[y, x]]) / length
            ahead, behind = (
                ndimage.map_coordinates(slope[y - 1 : y + 2, x - 1 : x + 2], (1 + sign * step)[:, None], order=1)[0]
                for sign in (1, -1)
            )
            if slope[y, x] > ahead and slope[y, x] >= behind:
                kept[y, x] = slope[y, x]
    return kept


def test_a_step_is_one_pixel_wide():
    image = np.zeros((20, 30), np.uint8)
    image[:, 12:] = 200
    edges = canny(image, 1.5, 16, 40)
    assert edges.dtype == bool
    assert (edges.sum(axis=1) == 1).all()
    assert edges[:, [11, 12]].all(axis=0).any()


def test_a_square_has_a_closed_outline():
    image = np.zeros((40, 40), np.float32)
    image[10:30, 12:28] = 100
    edges = canny(image, 1.0, 16, 64)
    filled = ndimage.binary_fill_holes(edges)
    assert abs(filled.sum() - 20 * 16) <= 80
    assert filled[20, 20]
    assert not filled[2, 2]


def test_thinning_equals_the_naive_one():
    image = scene(0, (50, 60))
    kept = ridges(image, 2)[1:-1, 1:-1]
    for threshold in (4, 40, 96):
        assert np.array_equal(canny(image, 2, threshold, threshold)[1:-1, 1:-1], kept >= threshold)


def test_hysteresis_keeps_what_reaches_a_strong_pixel():
    image = scene(1)
    weak, strong = canny(image, 1.5, 24, 24), canny(image, 1.5, 96, 96)
    both = canny(image, 1.5, 24, 96)
    labels, _ = ndimage.label(weak, np.ones((3, 3)))
    expected = weak & np.isin(labels, np.unique(labels[strong]))
    assert 0 < strong.sum() < both.sum() < weak.sum()
    assert np.array_equal(both, expected)


@pytest.mark.parametrize("turn", [np.transpose, np.flipud, np.fliplr])
def test_turning_the_image_turns_the_edges(turn):
    image = scene(2)
    assert np.array_equal(canny(turn(image), 1.5, 24, 64), turn(canny(image, 1.5, 24, 64)))


def test_a_brighter_image_has_the_same_edges():
    image = scene(3)
    assert np.array_equal(canny(image * 4, 1, 96, 320), canny(image, 1, 24, 80))


def test_flat_and_tiny_images_have_none():
    assert not canny(np.full((5, 7), 9, np.uint8), 1, 0, 0).any()
    assert not canny([[5]], 1, 0, 0).any()
    assert canny([[0, 0, 9, 9]], 0, 1, 1).sum() == 1


def test_nan_makes_no_edges_and_spoils_its_surroundings_only():
    image = scene(4)
    expected = canny(image, 1, 24, 64)
    image[50, 60] = np.nan
    edges = canny(image, 1, 24, 64)
    assert not edges[46:55, 56:65].any()
    assert np.array_equal(canny(image[:30], 1, 24, 64)[:20], canny(np.nan_to_num(image[:30]), 1, 24, 64)[:20])
    assert np.array_equal(edges[:, :20] & expected[:, :20], edges[:, :20])


def test_the_threads_do_not_matter():
    import numba

    threads = numba.get_num_threads()
    results = []
    for count in {1, threads}:
        numba.set_num_threads(count)
        results.append(canny(scene(5, (300, 200)), 1, 24, 64).tobytes())
    numba.set_num_threads(threads)
    assert len(set(results)) == 1


def test_of_several_channels_the_steepest_counts():
    gray = scene(7, (40, 50))
    quiet = scene(8, (40, 50)) / 100
    expected = canny(gray, 1, 24, 64)
    assert expected.any()
    assert np.array_equal(canny(np.stack([quiet, gray, quiet], axis=-1), 1, 24, 64), expected)
    assert np.array_equal(canny(np.stack([gray, gray, gray], axis=-1), 1, 24, 64), expected)


def test_a_batch_is_its_images():
    first, second = scene(9, (40, 50)), scene(10, (40, 50))
    batch = canny(np.stack([first, second])[..., None], 1, 24, 64)
    assert np.array_equal(batch, [canny(first, 1, 24, 64), canny(second, 1, 24, 64)])


def test_scikit_image_finds_nearly_the_same():
    feature = pytest.importorskip("skimage.feature")
    image = scene(6, (200, 200))
    theirs = feature.canny(image.astype(float), 2, 32, 80, mode="mirror")
    ours = canny(image, 2, 32, 80)
    assert (ours[2:-2, 2:-2] == theirs[2:-2, 2:-2]).mean() > 0.999


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("image", (np.ones((2, 2, 3, 3, 3)),)),
        ("image", (np.ones((0, 3)),)),
        ("sigma", (np.ones((3, 3)), -1)),
        ("low", (np.ones((3, 3)), 1, np.nan)),
        ("high", (np.ones((3, 3)), 1, 1, np.inf)),
        ("low", (np.ones((3, 3)), 1, 5, 4)),
    ],
)
def test_errors_name_the_argument(name, arguments):
    with pytest.raises(ShapeError, match=rf"^{name}: got [^\n]*$"):
        canny(*arguments)
