"""Filters without a matrix against naive ones, SciPy and OpenCV: every type, border, window and way to compute."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from convcli.geometry import Window
from convcli.kernels import parse_kernel
from convcli.loops.compiling.compiler import set_threads, thread_count
from convcli.loops.filtering.networks import rank_network
from convcli.ops import nonlinear
from convcli.ops.correlation import correlation_windows
from convcli.ops.nonlinear import respond_otherwise
from convcli.ops.ordering import as_keys
from convcli.ops.sums import Border

WHITE = {"uint8": 255, "uint16": 65535, "float32": 1.0, "float64": 1.0}
SCIPY = {"reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "wrap": "wrap", "constant": "constant"}


def made(rng, dtype, *shape):
    return (rng.random(shape) * WHITE.get(dtype, 200)).astype(dtype)


def filtered(picture, spec, *, border="reflect", value=0.0, white=255.0, dtype=None, **words):
    """A picture (H, W, C) through one kernel: (OH, OW, C)."""
    kernel = parse_kernel(spec)
    windows = correlation_windows(picture.shape[:2], kernel.planes[0].shape, **{"padding": "same", **words})
    working = np.float64 if picture.dtype == np.float64 else np.float32
    beyond = Border(border, value)
    return respond_otherwise(picture[None, None], kernel, windows, beyond, dtype or working, white)[0, 0]


def padded(picture, before, after, border="reflect", value=0.0):
    pads = [*zip(before, after, strict=True), (0, 0)]
    return np.pad(picture, pads, border, **({"constant_values": value} if border == "constant" else {}))


def naive_rank(picture, size, rank, border="reflect", value=0.0):
    before = [(n - 1) // 2 for n in size]
    wide = padded(picture, before, [n - 1 - b for n, b in zip(size, before, strict=True)], border, value)
    views = np.lib.stride_tricks.sliding_window_view(wide, size, (0, 1))
    return np.sort(views.reshape(*picture.shape, -1), axis=-1)[..., rank]


def naive_bilateral(picture, diameter, sigma, sigma_color, border="reflect", value=0.0):
    radius, wide = diameter // 2, padded(picture.astype(float), [diameter // 2] * 2, [diameter // 2] * 2, border, value)
    total, weights = np.zeros(picture.shape), np.zeros((*picture.shape[:2], 1))
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            if y * y + x * x > radius * radius:
                continue
            other = wide[radius + y :, radius + x :][: picture.shape[0], : picture.shape[1]]
            far = abs(other - picture).sum(axis=-1, keepdims=True)
            weight = np.exp(-(y * y + x * x) / (2 * sigma**2) - far**2 / (2 * sigma_color**2))
            total, weights = total + weight * other, weights + weight
    return total / weights


def naive_nlmeans(picture, strength, patch, search, border="reflect", value=0.0):
    half, around = patch // 2, search // 2
    reach = half + around
    wide = padded(picture.astype(float), [reach] * 2, [reach] * 2, border, value)
    out = np.empty(picture.shape)
    for y, x in np.ndindex(picture.shape[:2]):
        own = wide[y + around : y + around + patch, x + around : x + around + patch]
        total, weights = 0.0, 0.0
        for j, i in np.ndindex(search, search):
            other = wide[y + j : y + j + patch, x + i : x + i + patch]
            weight = np.exp(-((own - other) ** 2).mean() / strength**2)
            total, weights = total + weight * wide[y + j + half, x + i + half], weights + weight
        out[y, x] = total / weights
    return out


def naive_guided(picture, size, epsilon, border="reflect"):
    reach = [2 * (n // 2) for n in size]
    wide = padded(picture.astype(float), reach, reach, border)

    def mean(array):
        return np.lib.stride_tricks.sliding_window_view(array, size, (0, 1)).mean((-2, -1))

    centre = mean(wide)
    variance = mean(wide**2) - centre**2
    slope = variance / (variance + epsilon)
    return mean(slope) * picture + mean((1 - slope) * centre)


@pytest.mark.parametrize("dtype", [*WHITE, "int16", "int64", "bool"])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 5), (4, 3), (2, 2), (1, 9), (11, 13), (25, 2)])
@pytest.mark.parametrize("border", ["reflect", "wrap"])
def test_ranks_of_every_type_and_window(rng, dtype, size, border):
    picture = made(rng, dtype, 31, 37, 2) if dtype != "bool" else rng.random((31, 37, 2)) > 0.5
    picture = picture - picture.dtype.type(90) if dtype.startswith("int") else picture
    spec = f"size={size[0]}x{size[1]}"
    cells = size[0] * size[1]
    for name, rank in (("median", (cells - 1) // 2), ("max", cells - 1), ("min", 0), ("rank", cells // 3)):
        words = f"{name}:{spec}" + (f",rank={rank}" if name == "rank" else "")
        result = filtered(picture, words, border=border)
        assert result.dtype == picture.dtype
        np.testing.assert_array_equal(result, naive_rank(picture, size, rank, border))


@pytest.mark.parametrize("border", list(SCIPY))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_median_is_scipys_beyond_every_border(rng, border, dtype):
    picture = made(rng, dtype, 9, 14, 1)
    for size in (3, 7, 21):  # one larger than the picture
        expected = ndimage.median_filter(
            picture, (size, size, 1), mode=SCIPY[border], cval=7 if dtype != "float32" else 0.5
        )
        value = 7 if dtype != "float32" else 0.5
        np.testing.assert_array_equal(filtered(picture, f"median:size={size}", border=border, value=value), expected)


@pytest.mark.parametrize("size", [3, 5, 9, 15, 31, 101])
def test_the_median_of_pictures_is_opencvs(rng, size):
    picture = made(rng, "uint8", 120, 150, 3)
    expected = cv2.medianBlur(picture, size)
    result = filtered(picture, f"median:size={size}", border="edge")
    np.testing.assert_array_equal(result, expected)


def test_percentiles_are_scipys(rng):
    picture = made(rng, "uint8", 30, 40, 1)
    for percent in (0, 10, 50, 99, 100):
        expected = ndimage.percentile_filter(picture, percent, (5, 5, 1), mode="mirror")
        np.testing.assert_array_equal(filtered(picture, f"rank:size=5,percent={percent}"), expected)
    np.testing.assert_array_equal(filtered(picture, "rank:size=3,rank=-2"), naive_rank(picture, (3, 3), 7))


@pytest.mark.parametrize("way", ["by_network", "by_histogram", "by_sorting"])
def test_all_ways_to_a_rank_give_the_same(rng, way, monkeypatch):
    picture = made(rng, "uint8", 90, 70, 3)
    limits = {"by_network": (10**6, 10**6), "by_histogram": (0, 0), "by_sorting": (0, 0)}[way]
    monkeypatch.setattr(nonlinear, "NETWORK_CELLS", limits[0])
    monkeypatch.setattr(nonlinear, "NETWORK_CELL_BYTES", limits[1])
    given = picture if way != "by_sorting" else picture.astype(np.uint16)
    for size, rank in (((7, 7), 24), ((3, 11), 5), ((41, 5), 100)):
        result = filtered(given, f"rank:size={size[0]}x{size[1]},rank={rank}")
        np.testing.assert_array_equal(result, naive_rank(given, size, rank))


def test_a_window_with_nan_gives_nan_and_infinity_is_the_largest(rng):
    for dtype in ("float32", "float64"):
        picture = made(rng, dtype, 12, 12, 1)
        picture[5, 5], picture[0, 0], picture[11, 11] = np.nan, np.inf, -np.inf
        for name in ("median", "max", "min", "rank"):
            result = filtered(picture, f"{name}:size=3")
            assert np.isnan(result[4:7, 4:7]).all() and np.isnan(result).sum() == 9
        assert filtered(picture, "max:size=3")[0, 0, 0] == np.inf
        assert filtered(picture, "min:size=3")[11, 11, 0] == -np.inf


def test_keys_keep_the_order_of_floats_and_come_back():
    for dtype in (np.float32, np.float64, np.float16):
        numbers = np.array([-np.inf, -3, -1e-30 if dtype != np.float16 else -1e-4, 0, 0.5, 7, np.inf], dtype)
        keys, back = as_keys(numbers)
        assert keys.dtype.kind == "u" and (np.diff(keys.astype(object)) > 0).all()
        np.testing.assert_array_equal(back(keys), numbers)
        assert as_keys(np.array([np.nan, -np.nan], dtype))[0].min() > keys.max()


@pytest.mark.parametrize(("lines", "columns"), [(1, 1), (1, 6), (5, 1), (3, 3), (4, 7), (9, 9)])
def test_networks_find_every_rank(rng, lines, columns):
    numbers = rng.integers(0, 9, (40, columns, lines))
    for rank in range(lines * columns):
        first, across, wanted = rank_network(lines, columns, rank)
        cells = numbers.reshape(40, -1).copy()
        for column in range(columns):
            exchange(cells[:, column * lines : (column + 1) * lines], first)
        exchange(cells, across)
        np.testing.assert_array_equal(cells[:, wanted], np.sort(numbers.reshape(40, -1))[:, rank])


def exchange(cells, steps):
    for lower, upper, kind in steps:
        least, most = np.minimum(cells[:, lower], cells[:, upper]), np.maximum(cells[:, lower], cells[:, upper])
        cells[:, lower] = least if kind != 2 else -1  # a number nobody asks for
        cells[:, upper] = most if kind != 1 else -1


@pytest.mark.parametrize("dtype", list(WHITE))
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("border", "value"), [("reflect", 0), ("constant", 0.3), ("wrap", 0)])
def test_bilateral_is_the_naive_one(rng, dtype, channels, border, value):
    white = WHITE[dtype]
    picture = made(rng, dtype, 17, 41, channels)
    result = filtered(
        picture, "bilateral:sigma=2,sigma_color=60,size=7", border=border, value=value * white, white=white
    )
    expected = naive_bilateral(picture, 7, 2, 60 * white / 255, border, value * white)
    np.testing.assert_allclose(result, expected, rtol=0, atol=white * 2e-6)


def test_bilateral_means_of_bytes_are_the_nearest_ones(rng):
    picture = made(rng, "uint8", 60, 90, 1)
    exact = naive_bilateral(picture, 5, 1.25, 30, "reflect", 0)
    sure = abs(exact - np.floor(exact) - 0.5) > 1e-3
    result = filtered(picture, "bilateral:sigma=1.25,sigma_color=30,size=5")
    np.testing.assert_array_equal(np.rint(result)[sure], np.rint(exact)[sure])
    assert sure.mean() > 0.99


def test_bilateral_weights_of_pairs_are_those_of_each(rng, monkeypatch):
    for channels in (1, 3):  # several blocks, whose weights are kept from row to row
        picture = made(rng, "uint8", 70, 270, channels)
        for size in (3, 9):
            paired = filtered(picture, f"bilateral:sigma={size / 3},sigma_color=50,size={size}")
            with monkeypatch.context() as patch:
                patch.setattr(nonlinear, "LOOK_LEAST", 10**9)
                single = filtered(picture, f"bilateral:sigma={size / 3},sigma_color=50,size={size}")
            np.testing.assert_array_equal(paired, single)


@pytest.mark.parametrize("shape", [(50, 61), (50, 61, 3)])
@pytest.mark.parametrize(("diameter", "color", "space"), [(5, 40, 2), (9, 25, 3), (15, 80, 6)])
def test_bilateral_is_opencvs(rng, shape, diameter, color, space):
    picture = cv2.GaussianBlur(made(rng, "uint8", *shape), (5, 5), 1)
    expected = cv2.bilateralFilter(picture, diameter, color, space)
    given = picture if picture.ndim == 3 else picture[..., None]
    result = filtered(given, f"bilateral:sigma={space},sigma_color={color},size={diameter}")
    assert abs(np.rint(result).astype(int) - expected.reshape(given.shape)).max() <= 1


@pytest.mark.parametrize("dtype", list(WHITE))
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("border", "value"), [("symmetric", 0), ("constant", 0.7)])
def test_non_local_means_are_the_naive_ones(rng, dtype, channels, border, value):
    white = WHITE[dtype]
    picture = made(rng, dtype, 9, 23, channels)
    result = filtered(picture, "nlmeans:strength=90,patch=3,search=5", border=border, value=value * white, white=white)
    expected = naive_nlmeans(picture, 90 * white / 255, 3, 5, border, value * white)
    np.testing.assert_allclose(result, expected, rtol=0, atol=white * 2e-6)


@pytest.mark.parametrize("shape", [(60, 70), (60, 70, 3)])
@pytest.mark.parametrize(("strength", "patch", "search"), [(10, 7, 21), (6, 3, 11), (20, 5, 9)])
def test_non_local_means_are_opencvs(rng, shape, strength, patch, search):
    scene = np.repeat(np.repeat(rng.integers(0, 256, (6, 7, *shape[2:])), 10, 0), 10, 1)
    picture = np.clip(scene + rng.normal(0, 8, shape), 0, 255).astype(np.uint8)
    expected = cv2.fastNlMeansDenoising(picture, None, strength, patch, search)
    given = picture if picture.ndim == 3 else picture[..., None]
    result = np.rint(filtered(given, f"nlmeans:strength={strength},patch={patch},search={search}")).astype(int)
    # OpenCV looks squared differences up in a table of steps, and leaves weights below a thousandth out.
    assert abs(result - expected.reshape(given.shape)).max() <= 2
    assert abs(result - expected.reshape(given.shape)).mean() < 0.1


@pytest.mark.parametrize("dtype", list(WHITE))
@pytest.mark.parametrize("size", [(3, 3), (9, 9), (5, 11), (1, 1), (99, 3)])
def test_guided_is_the_naive_one(rng, dtype, size):
    white = WHITE[dtype]
    picture = made(rng, dtype, 40, 30, 3)
    result = filtered(picture, f"guided:size={size[0]}x{size[1]},contrast=60", white=white)
    expected = naive_guided(picture, size, (60 * white / 255) ** 2)
    np.testing.assert_allclose(result, expected, rtol=0, atol=white * 2e-6)


def test_guided_keeps_its_digits_far_from_zero(rng):
    picture = rng.random((30, 30, 1)) + 1e6
    result = filtered(picture, "guided:size=5,contrast=127.5", white=1.0)
    np.testing.assert_allclose(result, naive_guided(picture - 1e6, (5, 5), 0.25) + 1e6, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "spec", ["median:size=9", "rank:size=13,rank=3", "bilateral:size=9", "guided", "nlmeans:search=5"]
)
def test_the_bits_do_not_depend_on_threads(rng, spec):
    picture = made(rng, "float32", 70, 300, 3)
    before = thread_count()
    try:
        results = []
        for threads in (1, 2):
            set_threads(threads)
            results.append(filtered(picture, spec).tobytes())
        assert results[0] == results[1]
    finally:
        set_threads(before)


@pytest.mark.parametrize(
    "spec", ["median:size=3x5", "max:size=5", "bilateral:size=5", "guided:size=3", "nlmeans:patch=3,search=5"]
)
@pytest.mark.parametrize(
    "words", [{"padding": "valid"}, {"padding": "full"}, {"stride": (2, 3)}, {"padding": 1, "stride": 2}]
)
def test_padding_and_strides_choose_among_the_same_values(rng, spec, words):
    picture = made(rng, "uint8", 21, 26, 1)
    kernel = parse_kernel(spec)
    windows = correlation_windows((21, 26), kernel.planes[0].shape, **{"padding": "same", **words})
    whole = filtered(np.pad(picture, ((30, 30), (30, 30), (0, 0)), "reflect"), spec)
    rows, columns = ([30 + at for at in each.anchors(n)] for each, n in zip(windows, (21, 26), strict=True))
    np.testing.assert_allclose(filtered(picture, spec, **words), whole[np.ix_(rows, columns)], atol=1e-4)


@pytest.mark.parametrize(
    "name", ["median3d:size=3x5x3", "rank3d:size=3,rank=4", "max3d:size=2x3x4", "bilateral3d:sigma=1"]
)
def test_volumes(rng, name):
    volume = made(rng, "uint8", 7, 12, 13)
    kernel = parse_kernel(name)
    sizes = kernel.planes[0].shape
    windows = correlation_windows(volume.shape, sizes, padding="same")
    result = respond_otherwise(volume[None, ..., None], kernel, windows, Border("symmetric"), np.float32, 255.0)[
        0, ..., 0
    ]
    if name.startswith("bilateral"):
        wide = np.pad(volume.astype(float), [(n // 2, n // 2) for n in sizes], "symmetric")
        weights = total = 0.0
        for place in np.argwhere(kernel.planes[0] > 0):
            other = wide[tuple(slice(at, at + n) for at, n in zip(place, volume.shape, strict=True))]
            weight = kernel.planes[0][tuple(place)] * np.exp(-((other - volume) ** 2) / (2 * 30**2))
            weights, total = weights + weight, total + weight * other
        np.testing.assert_allclose(result, total / weights, atol=1e-3)
    else:
        rank = nonlinear.rank_of(kernel)
        origin = [-((n + 1) % 2) for n in sizes]
        np.testing.assert_array_equal(result, ndimage.rank_filter(volume, rank, sizes, mode="reflect", origin=origin))


def test_windows_larger_than_any_sensible_one_are_computed(rng):
    picture = made(rng, "uint8", 20, 20, 1)
    result = filtered(picture, "median:size=301", border="edge")
    np.testing.assert_array_equal(result, naive_rank(picture, (301, 301), (301**2 - 1) // 2, "edge"))
    assert Window(301).anchor == 150
