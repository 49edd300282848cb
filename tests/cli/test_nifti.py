"""NIfTI: voxels beside nibabel and scipy, where they are in space before and after, and what damaged files are told."""

import gzip
import struct

import numpy as np
import pytest
from scipy import ndimage

nibabel = pytest.importorskip("nibabel")

AFFINE = np.array([[-2.0, 0.1, 0, 90], [0.1, 2.5, 0, -120], [0, 0, 3.0, -70], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(6)
    return random.integers(-900, 2000, (9, 8, 7)).astype(np.int16)  # x, y, z


def save(array, name, affine=AFFINE, change=lambda header: None):
    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, 4)
    image.set_qform(np.diag([2.0, 2.5, 3.0, 1]), 1)
    change(image.header)
    nibabel.save(image, name)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume(convcli, scan, suffix):
    save(scan, f"t1{suffix}")
    result = convcli("filter", f"t1{suffix}", "-k", "gaussian3d:sigma=1", "--axes", "zyx", "--border", "edge")
    assert (result.code, result.out, result.err) == (0, f"t1_gaussian3d{suffix}\n", "")
    got = nibabel.load(f"t1_gaussian3d{suffix}")
    assert got.get_data_dtype() == np.int16 and got.shape == (9, 8, 7)
    expected = ndimage.gaussian_filter(scan.astype(float), 1, mode="nearest", truncate=3)
    assert np.abs(got.get_fdata() - expected).max() <= 12  # rounded, and cut off elsewhere
    np.testing.assert_allclose(got.affine, AFFINE, atol=1e-5)
    assert int(got.header["sform_code"]) == 4 and int(got.header["qform_code"]) == 1


def test_where_voxels_are(convcli, scan):
    save(scan, "t1.nii")
    assert convcli("pool", "t1.nii", "--size", "2", "--mode", "average", "--axes", "zyx", "-o", "half.nii").code == 0
    half = nibabel.load("half.nii")
    np.testing.assert_array_equal(half.header.get_zooms(), np.array(nibabel.load("t1.nii").header.get_zooms()) * 2)
    # The first voxel of the result is in the middle of the first eight.
    np.testing.assert_allclose(half.affine[:3, 3], (AFFINE @ [0.5, 0.5, 0.5, 1])[:3], atol=1e-5)
    np.testing.assert_allclose(half.affine[:3, :3], AFFINE[:3, :3] * 2, atol=1e-5)
    assert half.shape == (4, 4, 3)
    blocks = scan[:8, :8, :6].reshape(4, 2, 4, 2, 3, 2).astype(float).mean(axis=(1, 3, 5))
    assert np.abs(half.get_fdata() - blocks).max() <= 0.5
    assert convcli("pad", "t1.nii", "--amount", "1,2,3", "--axes", "zyx", "-o", "padded.nii").code == 0
    padded = nibabel.load("padded.nii")
    np.testing.assert_array_equal(padded.get_fdata()[3:-3, 2:-2, 1:-1], scan)
    np.testing.assert_allclose(padded.affine @ [3, 2, 1, 1], AFFINE @ [0, 0, 0, 1], atol=1e-4)
    np.testing.assert_allclose(padded.get_qform() @ [3, 2, 1, 1], [0, 0, 0, 1], atol=1e-4)


def test_planes_and_moments(convcli, scan):
    film = np.stack([scan, scan // 2, -scan], axis=-1)
    save(film, "bold.nii.gz")
    assert convcli("morph", "dilate", "bold.nii.gz", "--size", "3", "--each-plane", "-o", "p.nii").code == 0
    got = nibabel.load("p.nii").get_fdata()
    np.testing.assert_array_equal(got, ndimage.maximum_filter(film, (3, 3, 1, 1), mode="nearest"))
    assert convcli("morph", "dilate", "bold.nii.gz", "--size", "3", "--axes", "tzyx", "-o", "v.nii.gz").code == 0
    got = nibabel.load("v.nii.gz").get_fdata()
    np.testing.assert_array_equal(got, ndimage.maximum_filter(film, (3, 3, 3, 1), mode="nearest"))
    assert convcli("pad", "bold.nii.gz", "--amount", "0", "--axes", "zyx", "--time", "1", "-o", "one.npy").code == 0
    np.testing.assert_array_equal(np.load("one.npy"), (scan // 2).transpose(2, 1, 0))


def test_numbers_that_are_scaled_and_of_the_other_order(convcli, scan):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    header.set_data_shape(scan.shape)
    header.set_slope_inter(0.5, -10)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with open("big.nii", "wb") as file:  # noqa: PTH123
        file.write(header.binaryblock + bytes(4) + scan.astype(">i2").tobytes("F"))
    assert convcli("pad", "big.nii", "--amount", "0", "--axes", "zyx", "-o", "a.nii").code == 0
    got = nibabel.load("a.nii")
    assert got.get_data_dtype() == np.float32
    np.testing.assert_array_equal(got.get_fdata(), scan * 0.5 - 10)


def test_other_formats(convcli, scan):
    save(scan, "t1.nii")
    said = convcli("pad", "t1.nii", "--amount", "0", "--axes", "zyx", "-o", "t1.tiff").err
    assert "not kept: NIfTI's header" in said
    assert convcli("pad", "t1.tiff", "--amount", "0", "--axes", "zyx", "-o", "back.nii").code == 0
    np.testing.assert_array_equal(nibabel.load("back.nii").get_fdata(), scan)


def test_what_is_refused(convcli, scan, monkeypatch):
    save(scan, "t1.nii")
    with open("t1.nii", "rb") as file:  # noqa: PTH123
        data = file.read()
    damaged = {
        "short.nii": data[:-3],
        "head.nii": data[:200],
        "short.nii.gz": gzip.compress(data)[:-20],
        "half.nii.gz": gzip.compress(data[: len(data) // 2]),
        "sizes.nii": data[:40] + struct.pack("<4h", 3, -5, 8, 7) + data[48:],
        "huge.nii": data[:40] + struct.pack("<4h", 3, 32000, 32000, 7) + data[48:],
        "other.nii.gz": gzip.compress(b"words " * 200),
    }
    for name, content in damaged.items():
        with open(name, "wb") as file:  # noqa: PTH123
            file.write(content)
        result = convcli("pad", name, "--amount", "0", "--axes", "zyx", "-o", "x.nii")
        assert result.code == 1 and result.err.startswith(f"Error: {name}: ") and result.err.count("\n") == 1, (
            result.err
        )
    assert "expected a picture: filter it with --axes zyx" in convcli("predict", "t1.nii").err
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    said = convcli("pad", "t1.nii", "--amount", "0", "--axes", "zyx", "-o", "x.nii").err
    assert "t1.nii: is a NIfTI, which needs nibabel; install it with pip install" in said
