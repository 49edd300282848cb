"""Filters without a matrix among the kernels of a filter: chains, depths, alpha, volumes, signals, other sizes."""

import numpy as np
import pytest
from PIL import Image as PillowImage

import convcli
from convcli.errors import ConvcliError
from convcli.geometry import Placement
from convcli.images import Image
from convcli.images.signal_model import Signal
from convcli.images.volume_model import Volume, VolumeMetadata
from convcli.jobs.filter import filter_image, plan_filter
from convcli.jobs.filter_signal import filter_signal
from convcli.jobs.filter_volume import VolumeFilter

CHOOSING = ["median:size=3", "max:size=5", "min:size=3x5", "rank:size=3,rank=2"]
MEANS = ["bilateral:size=5", "guided:size=5", "nlmeans:strength=60,patch=3,search=5"]


def run(pixels, *specs, has_alpha=False, **words):
    return filter_image(Image(np.ascontiguousarray(pixels), has_alpha), plan_filter(specs, **words)).image.pixels


def colours(rng, *shape, dtype=np.uint8):
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return (rng.random(shape) * white).astype(dtype)


@pytest.mark.parametrize("spec", CHOOSING)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_what_chooses_gives_the_same_pixels_alone_and_in_chains(rng, spec, dtype):
    pixels = colours(rng, 20, 30, 3, dtype=dtype)
    alone = run(pixels, spec)
    assert alone.dtype == dtype and np.isin(alone, pixels).all()
    assert np.array_equal(run(pixels, spec, "identity"), alone)
    assert np.array_equal(run(pixels, spec, spec), run(alone, spec))
    assert np.array_equal(run(pixels[..., :1], spec), alone[..., :1])


def test_chains_stay_in_float_between_linear_and_other_kernels(rng):
    pixels = colours(rng, 24, 24, 1)
    floats = pixels.astype(np.float64)
    smooth = run(floats, "gaussian", depth="float", range="raw")
    expected = run(run(smooth, "median:size=5", range="raw"), "sharpen", range="raw")
    result = run(pixels, "gaussian", "median:size=5", "sharpen")
    assert np.abs(result - np.clip(np.rint(expected), 0, 255)).max() <= 1


@pytest.mark.parametrize("spec", MEANS)
def test_means_mean_the_same_at_every_depth(rng, spec):
    pixels = colours(rng, 20, 21, 3)
    plain = run(pixels, spec)
    assert plain.dtype == np.uint8 and 0 < np.abs(plain.astype(int) - pixels).mean() < 60
    deep = run(pixels.astype(np.uint16) * 257, spec)
    light = run((pixels / 255).astype(np.float32), spec)
    assert deep.dtype == np.uint16 and np.abs(deep / 257 - plain).max() <= 0.51
    assert light.dtype == np.float32 and np.abs(light * 255 - plain).max() <= 0.51


def test_strides_scale_and_ranges_go_on_afterwards(rng):
    pixels = colours(rng, 12, 12, 1)
    assert np.array_equal(run(pixels, "median", stride=2), run(pixels, "median")[1::2, 1::2])
    brighter = run(pixels, "median", scale=0.5, bias=10)
    assert np.array_equal(brighter, np.rint(run(pixels, "median") * 0.5 + 10))
    assert run(pixels, "median", depth="16").max() == 257 * int(run(pixels, "median").max())
    stretched = run(pixels // 2, "median", range="minmax")
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert run(pixels, "median", padding="valid").shape == (10, 10, 1)


# Alpha


@pytest.mark.parametrize("spec", [*CHOOSING, *MEANS, "resize:width=9", "crop:width=5,x=3"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_hidden_colours_have_no_say(rng, spec, dtype):
    pixels = colours(rng, 14, 16, 4, dtype=dtype)
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels[..., 3] = np.where(rng.random((14, 16)) < 0.4, 0, pixels[..., 3])
    other = pixels.copy()
    other[pixels[..., 3] == 0, :3] = white
    first, second = run(pixels, spec, has_alpha=True), run(other, spec, has_alpha=True)
    seen = first[..., 3] > 0
    assert np.array_equal(first[..., 3], second[..., 3]) and seen.any()
    assert np.array_equal(first[seen], second[seen])
    if not spec.startswith("crop"):
        assert (first[~seen] == 0).all()


@pytest.mark.parametrize("spec", [*MEANS, *CHOOSING, "resize:width=11"])
def test_the_same_alpha_everywhere_changes_no_colour(rng, spec):
    pixels = np.dstack([colours(rng, 20, 22, 3), np.full((20, 22), 128, np.uint8)])
    for border in ("reflect", "constant"):
        plain = run(pixels[..., :3], spec, border=border)
        result = run(pixels, spec, has_alpha=True, border=border)
        # The constant is opaque and counts for more beside what is not.
        inside = slice(6, -6) if border == "constant" and not spec.startswith("resize") else slice(None)
        assert np.abs(result[..., :3].astype(int) - plain)[inside, inside].max() <= 1


@pytest.mark.parametrize("spec", CHOOSING)
def test_what_chooses_makes_no_colour_under_soft_alpha(rng, spec):
    pixels = colours(rng, 15, 15, 4)
    result = run(pixels, spec, has_alpha=True)
    for channel in range(3):
        assert np.isin(result[..., channel], [0, *pixels[..., channel].ravel()]).all()


def test_the_median_of_what_is_seen_is_the_naive_one(rng):
    pixels = colours(rng, 9, 11, 2)
    pixels[rng.random((9, 11)) < 0.5, 1] = 0
    result = run(pixels, "median", has_alpha=True, border="edge")
    wide = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), "edge")
    for y, x in np.ndindex(9, 11):
        window = wide[y : y + 3, x : x + 3].reshape(-1, 2)
        seen = np.sort(window[window[:, 1] > 0, 0])
        alpha = np.sort(window[:, 1])[4]
        expected = seen[(len(seen) - 1) // 2] if alpha else 0
        assert tuple(result[y, x]) == (expected, alpha)


@pytest.mark.parametrize("spec", MEANS)
def test_means_of_what_looks_alike_keep_the_outline(rng, spec):
    pixels = colours(rng, 20, 20, 4)
    assert np.array_equal(run(pixels, spec, has_alpha=True)[..., 3], pixels[..., 3])
    opaque = pixels.copy()
    opaque[..., 3] = 255
    assert np.array_equal(run(opaque, spec, has_alpha=True)[..., :3], run(pixels[..., :3], spec))


# Other sizes


@pytest.mark.parametrize(
    "size", [(1, 1), (7, 90), (90, 7), (30, 40), (31, 40), (77, 53), (13, 200), (200, 13), (60, 80)]
)
@pytest.mark.parametrize("kind", ["noise", "stripes", "gray"])
def test_resize_is_pillows_lanczos(rng, size, kind):
    pixels = colours(rng, 60, 80, 1 if kind == "gray" else 3)
    if kind == "stripes":
        pixels[:] = 0
        pixels[::3], pixels[:, ::5] = 255, 255
    height, width = size
    picture = PillowImage.fromarray(pixels[..., 0] if kind == "gray" else pixels)
    expected = np.asarray(picture.resize((width, height), PillowImage.Resampling.LANCZOS)).reshape(height, width, -1)
    result = run(pixels, f"resize:width={width},height={height}")
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_resize_of_floats_is_pillows(rng):
    pixels = colours(rng, 33, 47, 1, dtype=np.float32) * 40 - 20
    picture = PillowImage.fromarray(pixels[..., 0])
    for width, height in ((20, 10), (90, 70)):
        expected = np.asarray(picture.resize((width, height), PillowImage.Resampling.LANCZOS))
        result = run(pixels, f"resize:width={width},height={height}")
        np.testing.assert_allclose(result[..., 0], expected, atol=2e-4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("width=40", (30, 40)), ("height=30", (30, 40)), ("longest=20", (15, 20)), ("scale=1/2", (30, 40)),
        ("scale=2", (120, 160)), ("width=10,height=50", (50, 10)), ("width=1", (1, 1)), ("scale=0.001", (1, 1)),
        ("width=3", (2, 3)),
    ],
)  # fmt: skip
def test_sizes_follow(rng, words, expected):
    assert run(colours(rng, 60, 80, 3), f"resize:{words}").shape == (*expected, 3)


def test_alpha_weighs_colour_when_pictures_shrink():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (200, 100, 50, 255)
    pixels[:, 4:] = (0, 255, 0, 0)  # green that nobody sees
    result = run(pixels, "resize:width=3,height=3", has_alpha=True)
    seen = result[..., 3] > 0
    assert (result[seen][:, :3] == (200, 100, 50)).all() and 0 < result[0, 1, 3] < 255
    kept = run(pixels, "resize:width=3,height=3", has_alpha=True, alpha="keep")
    assert np.array_equal(kept[..., 3], result[..., 3])


@pytest.mark.parametrize(
    ("words", "rows", "columns"),
    [
        ("width=10,height=6,x=3,y=2", slice(2, 8), slice(3, 13)), ("width=10", slice(0, 20), slice(10, 20)),
        ("x=25", slice(0, 20), slice(25, 30)), ("height=5,y=15", slice(15, 20), slice(0, 30)),
        ("width=7,height=3", slice(8, 11), slice(11, 18)),
    ],
)  # fmt: skip
def test_crop_takes_a_part(rng, words, rows, columns):
    pixels = colours(rng, 20, 30, 3)
    assert np.array_equal(run(pixels, f"crop:{words}"), pixels[rows, columns])
    assert np.array_equal(run(pixels, f"crop:{words}", "sharpen"), run(pixels[rows, columns], "sharpen"))


def test_a_chain_knows_where_its_pixels_lie(rng):
    image = Image(colours(rng, 40, 60, 3))
    plan = plan_filter(["crop:x=10,y=20", "resize:scale=1/2", "gaussian"], stride=5)
    placement = filter_image(image, plan).image.placement
    assert placement == (Placement(10, 20), Placement(10, 10))


# Volumes and signals


@pytest.mark.parametrize("spec", ["median3d", "max3d:size=3", "rank3d:percent=80", "bilateral3d:sigma=1"])
def test_volumes_do_not_depend_on_slabs(rng, spec):
    voxels = colours(rng, 9, 10, 11, 1)
    volume = Volume("made", voxels.shape, voxels.dtype, VolumeMetadata("NPY"), lambda a, b: voxels[a:b])
    plan = plan_filter([spec, "box3d"], axes="zyx")
    whole, pieces = (np.stack(list(VolumeFilter(volume, plan, slab_bytes=size).planes())) for size in (None, 1))
    assert whole.dtype == np.uint8 and np.array_equal(whole, pieces)
    alone = np.stack(list(VolumeFilter(volume, plan_filter([spec], axes="zyx")).planes()))
    assert alone.shape == voxels.shape and (spec.startswith("bilateral") or np.isin(alone, voxels).all())


def test_signals_see_windows_of_one_row(rng):
    numbers = rng.normal(size=40)
    signal = Signal(numbers[:, None], "NPY", lambda *_: b"")
    wide = np.pad(numbers, 2, "reflect")
    windows = np.lib.stride_tricks.sliding_window_view(wide, 5)

    def through(spec):
        return filter_signal(signal, plan_filter([spec], axes="x")).samples[:, 0]

    assert np.array_equal(through("median:size=5"), np.median(windows, axis=1))
    assert np.array_equal(through("max:size=1x5"), windows.max(axis=1))
    assert np.array_equal(through("rank:size=5,percent=90"), np.sort(windows, axis=1)[:, 22 // 5])
    assert np.abs(through("bilateral:sigma_color=1000,sigma=100,size=5") - numbers).max() > 0.1
    for spec in ("guided:size=5,contrast=1", "nlmeans:strength=1,patch=3,search=9"):
        assert through(spec).std() < numbers.std()


def test_integers_beyond_floats_are_chosen_exactly():
    samples = np.array([[2**60], [2**60 + 1], [2**60 + 3], [-(2**60) - 1], [7]])
    signal = Signal(samples, "NPY", lambda *_: b"")
    result = filter_signal(signal, plan_filter(["median"], axes="x", border="edge")).samples
    assert result[:, 0].tolist() == [2**60, 2**60 + 1, 2**60 + 1, 7, 7] and result.dtype == np.int64


# What is refused


@pytest.mark.parametrize(
    ("specs", "words", "message"),
    [
        (["median"], {"dilation": 2}, "dilation: got 2 with median, which has no matrix; leave --dilation out"),
        (["box", "bilateral"], {"convolve": True}, "convolve: got it with bilateral, which has no matrix"),
        (["guided"], {"normalize": "sum"}, "normalize: got sum with guided"),
        (["sharpen", "resize:width=5"], {"stride": 2}, "stride: got 2 with resize"),
        (["resize"], {}, "resize: got no size, expected one: resize:width=800"),
        (["crop"], {}, "crop: got no size"),
        (["resize:width=5,scale=2"], {}, "kernel resize: got width and scale, expected width, height, both of these"),
        (["resize:width=5"], {"axes": "zyx"}, "resize: is for pictures, got a volume"),
        (["crop:width=5"], {"axes": "x"}, "crop: is for pictures, got a signal"),
        (["nlmeans"], {"axes": "zyx"}, "nlmeans: is a 2-D kernel, expected a 3-D one for a volume"),
        (["median"], {"axes": "zyx"}, "median: is a 2-D kernel, expected a 3-D one for a volume; try median3d"),
        (["rank:rank=9"], {}, "kernel rank: rank=9 is out of range: expected 0 to 8 for 9 pixels"),
        (["rank:rank=1,percent=5"], {}, "kernel rank: got both rank and percent"),
        (["bilateral:size=4"], {}, "kernel bilateral: size=4 is even"),
        (["nlmeans:patch=2"], {}, "kernel nlmeans: patch=2 is even"),
        (["guided:size=3x4"], {}, "kernel guided: size=3x4 is even"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_line(specs, words, message):
    with pytest.raises(ConvcliError) as caught:
        plan_filter(specs, **words)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("width=31", "crop: got width=31, expected a part of the 30 columns"),
        ("x=30", "crop: got x=30, expected a part of the 30 columns"),
        ("height=9,y=12", "crop: got height=9,y=12, expected a part of the 20 rows"),
    ],
)
def test_a_part_that_is_not_there(rng, words, message):
    with pytest.raises(ConvcliError, match=message):
        run(colours(rng, 20, 30, 3), f"crop:{words}")


@pytest.mark.parametrize("name", ["median", "bilateral", "resize:width=5"])
def test_where_weights_are_needed_the_fix_is_named(rng, name):
    with pytest.raises(ConvcliError, match=r"has no matrix: .*convcli\.filter\(image, '"):
        convcli.correlate2d(np.ones((5, 5)), name)
    assert convcli.filter(np.ones((6, 8)), name).ndim == 2
