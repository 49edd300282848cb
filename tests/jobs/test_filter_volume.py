"""Filtering volumes: right, and the same bits whatever the slabs."""

import numpy as np
import pytest
import scipy.ndimage

import convcli
from convcli.errors import ConvcliError, ImageError, KernelError
from convcli.images.volume_model import Volume, VolumeMetadata
from convcli.jobs.filter import plan_filter
from convcli.jobs.filter_volume import VolumeFilter
from convcli.ops.borders import BORDERS

SCIPY = {"reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "wrap": "wrap", "constant": "constant"}


def as_volume(array, *, has_alpha=False):
    """An array (D, H, W) or (D, H, W, C) as an open volume."""
    planes = array.reshape(*array.shape[:3], -1)
    read = lambda first, end: planes[first:end]  # noqa: E731
    return Volume("v", planes.shape, planes.dtype, VolumeMetadata("NPY"), read, array.ndim == 4, has_alpha)


def filtered(array, specs, *, slab_bytes=None, format="NPY", **words):
    work = VolumeFilter(as_volume(array), plan_filter(specs, axes="zyx", **words), format, slab_bytes=slab_bytes)
    planes = np.stack(list(work.planes()))
    assert planes.shape == work.shape
    return planes, work.clipped


@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("slab_bytes", [1, None])
def test_equal_to_scipy(rng, border, slab_bytes):
    array = rng.standard_normal((9, 8, 7))
    got, _ = filtered(array, ["gaussian3d:sigma=1.5"], border=border, border_value=0.5, slab_bytes=slab_bytes)
    weights = convcli.kernel("gaussian3d:sigma=1.5")
    expected = scipy.ndimage.correlate(array, weights, mode=SCIPY[border], cval=0.5)
    np.testing.assert_allclose(got[..., 0], expected, rtol=1e-12, atol=1e-13)


def test_integers_are_rounded_and_clipped(rng):
    array = rng.integers(0, 256, (6, 7, 8, 3), np.uint8)
    got, clipped = filtered(array, ["sharpen3d"], border="edge", slab_bytes=1)
    weights = convcli.kernel("sharpen3d")
    exact = np.stack(
        [scipy.ndimage.correlate(array[..., c].astype(float), weights, mode="nearest") for c in range(3)], -1
    )
    np.testing.assert_array_equal(got, np.clip(exact, 0, 255))
    assert clipped == ((exact < 0) | (exact > 255)).sum()


def test_a_chain_is_one_correlation_after_the_other(rng):
    array = rng.standard_normal((8, 9, 10))
    got, _ = filtered(array, ["box3d:size=3x1x2", "sobel3d-z"], border="wrap", stride=(2, 1, 3), slab_bytes=1)
    step = convcli.correlate3d(array, convcli.kernel("box3d:size=3x1x2"), padding="same", border="wrap")
    step = convcli.correlate3d(step, "sobel3d-z", padding="same", border="wrap", stride=(2, 1, 3))
    np.testing.assert_array_equal(got[..., 0], step)


CHAINS = (
    ["gaussian3d:sigma=1"],
    ["box3d:size=1x9x9"],
    ["sobel3d"],
    ["box3d:size=2x3x4", "laplacian3d"],
    ["gaussian3d:sigma=0.7", "sobel3d-z", "1 | 2 | 1"],
)
WORDS = (
    {"border": "wrap"},
    {"border": "constant", "border_value": 7.5, "padding": "full"},
    {"stride": (2, 1, 3), "dilation": (3, 1, 1)},
    {"padding": (2, 0, 1), "border": "symmetric", "range": "minmax"},
    {"padding": 4, "border": "constant", "depth": "float", "bias": 3, "scale": 2, "stride": 3},
    {"range": "offset", "activation": "sigmoid", "convolve": True, "normalize": "abs"},
    {"padding": "valid", "range": "raw"},
)


@pytest.mark.parametrize("specs", CHAINS)
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_slabs_give_the_bits_of_the_whole(rng, specs, words, dtype):
    array = (rng.random((13, 12, 11, 2)) * 255).astype(dtype)
    whole, clipped = filtered(array, specs, slab_bytes=1 << 40, **words)
    for slab_bytes in (1, 30_000, 200_000):
        slabs, count = filtered(array, specs, slab_bytes=slab_bytes, **words)
        assert slabs.tobytes() == whole.tobytes()
        assert count == clipped


def test_the_slab_follows_from_the_bytes(rng):
    volume, plan = as_volume(np.zeros((50, 20, 20), np.float32)), plan_filter(["gaussian3d:sigma=2"], axes="zyx")
    sizes = [VolumeFilter(volume, plan, slab_bytes=size).slab for size in (1, 200_000, 300_000, 1 << 40)]
    assert sizes[0] == 1
    assert sizes[-1] == 50
    assert sizes == sorted(set(sizes))


def test_progress_counts_planes_and_both_passes(rng):
    calls = []
    for words, total in (({}, 6), ({"range": "minmax"}, 12)):
        plan = plan_filter(["box3d"], axes="zyx", **words)
        work = VolumeFilter(as_volume(rng.random((6, 5, 5))), plan, slab_bytes=1)
        calls.clear()
        list(work.planes(lambda done, total: calls.append((done, total))))
        assert calls == [(done, total) for done in range(1, total + 1)]


def test_minmax_fills_the_range(rng):
    got, _ = filtered(rng.integers(90, 110, (5, 6, 7), np.uint8), ["box3d"], range="minmax", slab_bytes=1)
    assert (got.min(), got.max()) == (0, 255)
    flat, _ = filtered(np.full((5, 6, 7), 9, np.uint8), ["box3d"], range="minmax")
    assert not flat.any()


def test_depth_and_range(rng):
    array = rng.integers(0, 256, (4, 5, 6), np.uint8)
    wide, _ = filtered(array, ["1 |"], depth="16")
    np.testing.assert_array_equal(wide[..., 0], array.astype(np.uint16) * 257)
    signed, _ = filtered(array, ["sobel3d-x"], range="raw")
    np.testing.assert_array_equal(
        signed[..., 0], convcli.correlate3d(array, "sobel3d-x", padding="same", border="reflect")
    )
    sizes, _ = filtered(array, ["sobel3d-x"])
    np.testing.assert_array_equal(sizes[..., 0], np.clip(np.abs(signed[..., 0]), 0, 255))


def test_alpha_is_dropped_or_refused(rng):
    array = rng.integers(0, 256, (3, 4, 5, 2), np.uint8)
    with pytest.raises(ImageError, match=r"has an alpha channel, .* add --background white or --alpha drop"):
        VolumeFilter(as_volume(array, has_alpha=True), plan_filter(["box3d"], axes="zyx"))
    work = VolumeFilter(as_volume(array, has_alpha=True), plan_filter(["1 |"], axes="zyx", alpha="drop"))
    np.testing.assert_array_equal(np.stack(list(work.planes())), array[..., :1])


@pytest.mark.parametrize(
    ("specs", "words", "error", "message"),
    [
        (
            ["gaussian"],
            {},
            KernelError,
            r"is a 2-D kernel, .* try gaussian3d, or filter each plane with --each-plane",
        ),
        (["0 1 0"], {}, KernelError, r"matrix: is a 2-D kernel, .* filter each plane with --each-plane"),
        (["unsharp"], {}, KernelError, r"unsharp: is a 2-D kernel, .* --each-plane"),
        (["box3d"], {"axes": "yx"}, KernelError, "box3d: is a 3-D kernel, .* --axes zyx filters volumes"),
        (["box3d"], {"axes": "xyz"}, ConvcliError, "axes: got 'xyz', expected one of yx, zyx, x"),
        (["box3d"], {"linear": True}, ConvcliError, "leave --linear out"),
        (["box3d"], {"alpha": "keep"}, ConvcliError, "alpha: got keep for a volume, expected premultiply or drop"),
        (["box3d"], {"channels": "gray"}, ConvcliError, "channels: got gray for a volume, expected each"),
        (["box3d"], {"stride": (1, 2)}, ConvcliError, "stride: got 2 numbers for a volume, expected 1 or 3"),
        (["box3d"], {"padding": (1, 2)}, ConvcliError, "padding: got 2 numbers for a volume, expected 1 or 3"),
        (["box"], {"axes": "yx", "dilation": (1, 2, 3)}, ConvcliError, "dilation: got 3 numbers for a picture"),
    ],
)
def test_words_that_make_no_sense_are_refused(specs, words, error, message):
    with pytest.raises(error, match=message):
        plan_filter(specs, **{"axes": "zyx", **words})


def test_a_window_that_does_not_fit(rng):
    with pytest.raises(ConvcliError, match="padding 'same' fits any kernel"):
        filtered(rng.random((3, 9, 9)), ["box3d:size=5"], padding="valid")


def test_sixteen_bits_are_rounded_right(rng):
    array = rng.integers(0, 65536, (7, 8, 9), np.uint16)
    got, _ = filtered(array, ["gaussian3d:sigma=1"])
    exact = scipy.ndimage.correlate(array.astype(float), convcli.kernel("gaussian3d:sigma=1"), mode="mirror")
    np.testing.assert_array_equal(got[..., 0], np.rint(exact))
