"""Comparing two files: numbers against numpy's, depths, volumes, non-numbers, and what is refused."""

import math

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import ConvcliError, ImageError
from convcli.jobs import compare as module
from convcli.jobs.compare import Place, compare, where_picture


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Save arrays as PNG or .npy in the working folder: ``files(a=array)`` -> a.png."""
    monkeypatch.chdir(tmp_path)

    def save(suffix=".png", **arrays):
        names = []
        for name, array in arrays.items():
            names.append(name + suffix)
            np.save(name, array) if suffix == ".npy" else Image.fromarray(array).save(name + suffix)
        return names

    return save


@pytest.mark.parametrize("band", [64, 1 << 22])
@pytest.mark.parametrize("side", [8, 480])
def test_numbers(files, rng, monkeypatch, band, side):
    monkeypatch.setattr(module, "_BAND_NUMBERS", band)
    monkeypatch.setattr(module, "MAP_SIDE", side)
    first, second = rng.integers(0, 256, (30, 23, 3), np.uint8), rng.integers(0, 256, (30, 23, 3), np.uint8)
    second[:10] = first[:10]
    found = compare(*files(a=first, b=second), tolerance=100)
    difference = second.astype(float) - first
    sizes = np.abs(difference)
    assert (found.largest, found.mean) == (sizes.max(), pytest.approx(sizes.mean()))
    assert sizes[found.place.row, found.place.column, found.place.channel] == sizes.max()
    assert found.differing == (sizes.max(axis=2) > 0).sum()
    assert found.beyond == (sizes.max(axis=2) > 100).sum()
    assert found.psnr == pytest.approx(10 * math.log10(255**2 / (sizes**2).mean()))
    assert np.abs(found.map).max() == sizes.max()
    assert found.map.shape == tuple(-(-n // found.block) for n in (30, 23))
    assert not found.within


def test_equal_and_nearly(files):
    first = np.full((12, 12), 7, np.uint8)
    second = first.copy()
    second[3, 4] = 9
    a, b = files(a=first, b=second)
    same = compare(a, a, tolerance=0)
    assert (same.largest, same.psnr, same.ssim, same.place, same.within) == (0, math.inf, 1, None, True)
    assert compare(a, b, tolerance=2).within
    assert not compare(a, b, tolerance=1.9).within
    assert compare(a, b, tolerance=0.01, relative=True).within
    assert compare(a, b).within
    assert str(compare(a, b).place) == "row 3, column 4"


def test_depths_are_compared_as_shares(files):
    eight = np.arange(144, dtype=np.uint8).reshape(12, 12)
    (a,) = files(a=eight)
    Image.fromarray(eight.astype(np.uint16) * 257).save("wide.png")
    found = compare(a, "wide.png")
    assert (found.largest, found.white) == (0, 1)
    assert "0..1" in found.warnings[0]


def test_volumes(files, rng):
    first = rng.integers(0, 65536, (4, 12, 13), np.uint16)
    second = first.copy()
    second[2, 5, 6] ^= 1 << 15
    files(".npy", a=first, b=second)
    tifffile.imwrite("b.tif", second, photometric="minisblack")
    for b in ("b.npy", "b.tif"):
        found = compare("a.npy", b)
        assert found.shape == (4, 12, 13, 1)
        assert (found.largest, found.differing, found.place) == (32768, 1, Place(5, 6, None, 2))
    # The mean over planes: three are equal.
    assert 0.75 < found.ssim < 1
    assert where_picture(found, ("a", "b")).pixels.shape[2] == 3
    with pytest.raises(ImageError, match="5 planes"):
        compare("a.npy", *files(".npy", c=np.zeros((5, 12, 13), np.uint16)))


def test_non_numbers(files):
    first = np.zeros((12, 12))
    first[0, 0], first[1, 1], first[2, 2] = np.nan, np.inf, np.nan
    second = first.copy()
    files(".npy", a=first, b=second)
    assert compare("a.npy", "b.npy").largest == 0
    second[2, 2] = 0
    files(".npy", b=second)
    found = compare("a.npy", "b.npy", tolerance=1e9)
    assert (found.largest, found.differing, found.beyond) == (math.inf, 1, 1)
    assert math.isnan(found.ssim)
    assert where_picture(found, ("a", "b")).pixels.size


def test_floats_say_what_full_scale_is(files):
    first, second = np.zeros((12, 12)), np.full((12, 12), 50.0)
    a, b = files(".npy", a=first, b=second)
    assert "--white" in compare(a, b).warnings[0]
    told = compare(a, b, white=100)
    assert (told.warnings, told.psnr) == ((), pytest.approx(10 * math.log10(4)))


def test_refusals(files):
    a, b, c = files(a=np.zeros((4, 5), np.uint8), b=np.zeros((5, 4), np.uint8), c=np.zeros((4, 5, 3), np.uint8))
    for other, message in ((b, "5x4 and 4x5"), (c, "grey and RGB"), ("none.png", "no such file")):
        with pytest.raises(ImageError, match=message):
            compare(a, other)
    for words in ({"white": 0}, {"white": math.nan}, {"tolerance": -1}):
        with pytest.raises(ConvcliError, match=next(iter(words))):
            compare(a, a, **words)


def test_an_animated_png_is_compared_frame_by_frame(files, tmp_path):
    grey = np.full((4, 5), 9, np.uint8)
    for name, last in (("a.png", 10), ("b.png", 13)):
        frames = [Image.fromarray(grey + each) for each in (0, last)]
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    found = compare("a.png", "b.png")
    assert (found.shape[0], found.largest) == (2, 3)


def test_an_array_of_objects_is_refused_by_its_name(files):
    names = files(".npy", a=np.array([[{}]], object), b=np.zeros((1, 1)))
    with pytest.raises(ImageError, match=r"^a\.npy: got an array of Python objects"):
        compare(*names)
