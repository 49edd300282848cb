"""Integers and truth values keep their type: pictures, volumes, all operations; values by scipy in float64."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import convcli as library

TYPES = ["int8", "int16", "int32", "uint32", "int64", "bool"]
SUFFIXES = [".npy", ".tif"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(rng, shape, dtype):
    if dtype == "bool":
        return rng.random(shape) > 0.5
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return rng.integers(max(low, -(2**40)), min(high, 2**40), shape).astype(dtype)


def save(name, array):
    np.save(name, array) if name.endswith(".npy") else tifffile.imwrite(name, array)


def load(name):
    return np.load(name) if name.endswith(".npy") else tifffile.imread(name)


def brought(values, dtype):
    """Float64 values as numbers of a type: rounded, cut off at its ends; the nearer truth value."""
    if dtype == "bool":
        return values >= 0.5
    return np.clip(np.rint(values), np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("spec", "shape", "words"), [
    ("gaussian:sigma=1.3", (30, 31), []), ("gaussian3d:sigma=1.3", (9, 10, 11), ["--axes", "zyx"]),
])  # fmt: skip
def test_a_mean_is_rounded_to_the_type(done, folder, rng, suffix, dtype, spec, shape, words):
    array = numbers(rng, shape, dtype)
    save(f"a{suffix}", array)
    done("filter", f"a{suffix}", "-k", spec, "--border", "symmetric", "-o", f"b{suffix}", *words)
    got = load(f"b{suffix}")
    expected = brought(ndimage.correlate(array.astype(float), library.kernel(spec), mode="reflect"), dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32"])
@pytest.mark.parametrize(("spec", "shape", "words"), [
    ("sobel-x", (20, 21), []), ("laplacian3d", (7, 8, 9), ["--axes", "zyx"]),
])  # fmt: skip
def test_signed_integers_hold_both_sides_of_an_edge(done, folder, rng, dtype, spec, shape, words):
    array = rng.integers(0, 3000, shape).astype(dtype)
    np.save("a.npy", array)
    done("filter", "a.npy", "-k", spec, "-o", "b.npy", *words)
    expected = ndimage.correlate(array.astype(float), library.kernel(spec), mode="mirror")
    got = np.load("b.npy")
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, expected if dtype != "uint32" else np.abs(expected))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(12, 13), (6, 7, 8)])
def test_what_chooses_or_copies_is_exact(done, folder, rng, dtype, shape):
    array = numbers(rng, shape, dtype)
    np.save("a.npy", array)
    axes = ["--axes", "zyx"] if len(shape) == 3 else []
    size = (3,) * len(shape)
    for words, expected in [
        (["morph", "dilate", "a.npy", "--size", "3"], ndimage.maximum_filter(array, size, mode="nearest")),
        (["pad", "a.npy", "--amount", "2", "--value", "1"], np.pad(array, 2, constant_values=1)),
        (["pool", "a.npy", "--size", "3", "--stride", "1", "--mode", "median"], ndimage.median_filter(array, size)),
    ]:
        done(*words, *axes, "-o", "b.npy", "--overwrite")
        got = np.load("b.npy")
        inner = tuple(slice(1, -1) for _ in shape)
        np.testing.assert_array_equal(got, expected[inner] if words[0] == "pool" else expected)
        assert got.dtype == dtype


def test_other_depths_are_asked_for(done, folder, rng):
    array = numbers(rng, (6, 7), "int16")
    np.save("a.npy", array)
    done("filter", "a.npy", "-k", "identity", "--depth", "float", "-o", "f.npy")
    np.testing.assert_array_equal(np.load("f.npy"), array.astype(np.float32))
    done("filter", "a.npy", "-k", "identity", "--range", "minmax", "--depth", "8", "-o", "m.png")
    spread = (array.astype(float) - array.min()) / (int(array.max()) - int(array.min()))
    np.testing.assert_allclose(library.read("m.png"), spread * 255, atol=0.51)
    np.save("t.npy", array > 0)
    done("filter", "t.npy", "-k", "box:size=2", "--depth", "8", "-o", "t.png")
    assert library.read("t.png").dtype == np.uint8 and 64 in library.read("t.png")


def test_what_cannot_hold_them_is_one_line(convcli, folder, rng):
    np.save("a.npy", numbers(rng, (6, 7), "int16"))
    result = convcli("filter", "a.npy", "-k", "box", "-o", "a.png")
    assert result.code == 1
    assert "PNG holds 8- and 16-bit pixels, not int16; add --range minmax --depth 8 (or 16)" in result.err
    result = convcli("pad", "a.npy", "--amount", "1", "--value", "40000", "-o", "b.npy")
    assert result.code == 1 and "value: got 40000" in result.err
    np.save("t.npy", numbers(rng, (6, 7), "bool"))
    assert convcli("filter", "t.npy", "-k", "box", "-o", "t.png").code == 0


def test_scans_of_one_bit_become_grey_and_masks_do_not(done, folder, rng):
    mask = numbers(rng, (40, 24), "bool")
    for name, software in (("scan.tif", "scanner"), ("mask.tif", "tifffile.py")):
        tifffile.imwrite(name, mask, photometric="minisblack", software=software, metadata=None)
        done("filter", name, "-k", "box", "-o", f"of_{name}")
    assert tifffile.imread("of_scan.tif").dtype == np.uint8
    np.testing.assert_array_equal(
        tifffile.imread("of_mask.tif"), ndimage.uniform_filter(mask.astype(float), 3, mode="mirror") >= 0.5
    )


def test_python_keeps_the_type_of_arrays(folder, rng):
    for dtype in TYPES:
        array = numbers(rng, (8, 9), dtype)
        assert library.filter(array, "box").dtype == dtype
        for suffix in SUFFIXES:
            library.write(f"{dtype}{suffix}", array)
            got = library.read(f"{dtype}{suffix}")
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, array)
    assert library.filter([[1, 2], [3, 5]], "box:size=2").dtype == np.float64


def test_what_is_no_number_is_told_of_whatever_the_range(convcli, folder, rng):
    picture, volume = rng.random((40, 50), np.float32), rng.random((6, 20, 30), np.float32)
    for name, array, more in (("a", picture, "box"), ("v", volume, "box3d --axes zyx")):
        np.save(f"{name}.npy", array)
        words = [*f"filter {name}.npy --range minmax --depth 8 -o {name}.tiff -k {more}".split()]
        assert "no numbers" not in convcli(*words).err
        array.flat[-1] = np.nan
        np.save(f"{name}.npy", array)
        said = "0.2% of the values are infinite or no numbers: they became black or white"
        assert said in convcli(*words, "--overwrite").err, name
        stays = convcli(*words[:4], "-o", f"{name}-floats.npy", *words[8:])
        assert "no numbers: infinite ones became" in stays.err and np.isnan(np.load(f"{name}-floats.npy")).any(), name
        array[...] = np.inf  # and nothing else, of which black is made
        np.save(f"{name}.npy", array)
        assert said.replace("0.2%", "100.0%") in convcli(*words, "--overwrite").err, name
