import numpy as np
import pytest
import scipy.ndimage

import convcli
from convcli.errors import KernelError, ShapeError
from convcli.ops.borders import BORDERS

SCIPY = {"reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "wrap": "wrap", "constant": "constant"}
SPECS = ["box3d:size=5", "gaussian3d:sigma=1.5", "sobel3d-x", "sobel3d-z", "laplacian3d", "log3d:sigma=1"]


@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("spec", SPECS)
def test_library_kernels_equal_scipy(rng, border, spec):
    volume, weights = rng.standard_normal((9, 11, 12)), convcli.kernel(spec)
    ours = convcli.correlate3d(volume, weights, padding="same", border=border, value=0.75)
    theirs = scipy.ndimage.correlate(volume, weights, mode=SCIPY[border], cval=0.75)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 4, 3), (5, 1, 2), (1, 1, 7), (12, 3, 3)])
def test_general_kernels_equal_scipy(rng, shape):
    volume, weights = rng.standard_normal((8, 9, 10)), rng.standard_normal(shape)
    anchor = tuple(n // 2 for n in shape)
    ours = convcli.correlate3d(volume, weights, padding="same", border="reflect", anchor=anchor)
    theirs = scipy.ndimage.correlate(volume, weights, mode="mirror")
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_strides_dilations_and_padding_are_slices_of_the_dense_result(rng):
    volume, weights = rng.standard_normal((11, 12, 13, 2)), rng.standard_normal((2, 3, 2))
    spread = np.zeros((3, 7, 2))
    spread[::2, ::3, :] = weights
    dense = convcli.correlate3d(np.pad(volume, ((1, 2), (0, 3), (4, 0), (0, 0))), spread)
    got = convcli.correlate3d(volume, weights, stride=(2, 1, 3), dilation=(2, 3, 1), padding=((1, 2), (0, 3), (4, 0)))
    np.testing.assert_allclose(got, dense[::2, :, ::3], rtol=1e-12, atol=1e-13)


def test_a_volume_of_equal_planes_is_the_plane_filtered(rng):
    plane, weights = rng.standard_normal((12, 13)), rng.standard_normal((3, 3))
    volume = np.repeat(plane[None], 5, axis=0)
    got = convcli.correlate3d(volume, weights[None], padding="same")
    np.testing.assert_array_equal(got, np.repeat(convcli.correlate2d(plane, weights, padding="same")[None], 5, axis=0))


def test_a_large_flat_box_blurs_every_plane_of_a_volume_of_integers(rng):
    volume, weights = rng.integers(0, 256, (4, 20, 21), np.uint8), np.full((1, 9, 9), 1 / 81)
    got = convcli.correlate3d(volume, weights, padding=(1, 4, 4))
    expected = scipy.ndimage.correlate(volume.astype(float), weights, mode="constant")
    np.testing.assert_allclose(got[1:-1], expected, rtol=1e-6)
    assert not got[[0, -1]].any()


def test_slabs_of_a_volume_give_the_same_bits(rng):
    volume = rng.standard_normal((20, 15, 16)).astype(np.float32)
    for spec in ("gaussian3d:sigma=1", "sharpen3d", "box3d:size=5"):
        weights = convcli.kernel(spec)
        whole = convcli.correlate3d(volume, weights)
        for first in (0, 3, 6):
            slab = convcli.correlate3d(volume[first : first + 13], weights)
            assert (slab == whole[first : first + len(slab)]).all(), spec


def test_convolution_reverses_the_kernel(rng):
    volume, weights = rng.standard_normal((7, 8, 9)), rng.standard_normal((2, 3, 4))
    reversed_weights = weights[::-1, ::-1, ::-1]
    assert (convcli.convolve3d(volume, weights) == convcli.correlate3d(volume, reversed_weights)).all()


def test_wrong_arguments_are_named():
    with pytest.raises(KernelError, match="expected 3 dimensions"):
        convcli.correlate3d(np.ones((5, 5, 5)), np.ones((3, 3)))
    with pytest.raises(ShapeError, match=r"expected \(D, H, W\), \(D, H, W, C\) or \(N, D, H, W, C\)"):
        convcli.correlate3d(np.ones((5, 5)), np.ones((3, 3, 3)))
