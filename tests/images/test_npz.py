"""NPZ: the only array, the one that is named, and what archives are told that hold none."""

import io
import zipfile

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import Image, read, write
from convcli.images.npz import choose

ARRAY = np.random.default_rng(4).integers(0, 65536, (7, 9, 3)).astype(np.uint16)


@pytest.fixture(autouse=True)
def nothing_chosen():
    yield
    choose(None)


def archive(compressed=False, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def load(data, **words):
    return read(io.BytesIO(data), **words)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_only_array(compressed, tmp_path):
    got = load(archive(compressed, scan=ARRAY))
    np.testing.assert_array_equal(got.pixels, ARRAY)
    assert write(got, tmp_path / "a.npz") == () and write(got, tmp_path / "a.png") == ()
    with np.load(tmp_path / "a.npz") as again:
        assert list(again) == ["scan"]
        np.testing.assert_array_equal(again["scan"], ARRAY)


def test_several_arrays():
    data = archive(left=ARRAY, right=ARRAY // 2)
    with pytest.raises(ImageError, match="got 2 arrays, left, right, expected one; name it with --key"):
        load(data)
    choose("right")
    np.testing.assert_array_equal(load(data).pixels, ARRAY // 2)
    choose("rigth")
    with pytest.raises(ImageError, match=r"key: got 'rigth'; did you mean 'right'\?"):
        load(data)
    choose("x")
    with pytest.raises(ImageError, match="key: got 'x', expected left, right"):
        load(data)


def test_archives_that_hold_no_picture():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as other:
        other.writestr("a.txt", "words")
    with pytest.raises(ImageError, match="is a ZIP without arrays"):
        load(stream.getvalue())
    with pytest.raises(ImageError, match="Python objects"):
        load(archive(a=np.array([{}], object)))
    whole = archive(True, a=ARRAY)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as plain, zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as other:
        other.writestr("a.npy", plain.read("a.npy"))
    rare = stream.getvalue()
    assert load(rare).pixels.shape[:2] == ARRAY.shape[:2]
    for bad in (whole[:-1], whole[: len(whole) // 2], *(each[:60] + bytes(4) + each[64:] for each in (whole, rare))):
        with pytest.raises(ImageError, match="truncated or damaged NPZ"):
            load(bad)


def test_an_array_that_unpacks_to_much():
    data = archive(True, a=np.zeros((3000, 3000), np.uint8))
    assert len(data) < 20_000
    with pytest.raises(ImageError, match="got 3000x3000 = 9000000 pixels, expected at most 1000"):
        load(data, max_pixels=1000)


def test_a_volume_and_a_signal_stay_in_their_archive(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    volume = ARRAY[..., 0].reshape(7, 3, 3)
    np.savez_compressed("all.npz", scan=np.asfortranarray(volume), line=np.arange(9.0))
    np.save("scan.npy", volume)
    words = ("--axes", "zyx", "-k", "box3d", "--threads", "1")
    assert convcli("filter", "scan.npy", *words).code == 0
    result = convcli("filter", "all.npz", *words, "--key", "scan")
    assert (result.code, result.out, result.err) == (0, "all_box3d.npz\n", "")
    with np.load("all_box3d.npz") as got:
        assert list(got) == ["scan"]
        np.testing.assert_array_equal(got["scan"], np.load("scan_box3d.npy"))
    assert "got 2 arrays, scan, line, expected one" in convcli("filter", "all.npz", *words, "-o", "x.npy").err
    assert convcli("filter", "all.npz", "--each-plane", "-k", "box", "--key", "scan", "-o", "planes.npz").code == 0
    assert convcli("pool", "all.npz", "--size", "3", "--key", "line", "-o", "less.npz").code == 0
    with np.load("less.npz") as got:
        np.testing.assert_array_equal(got["line"], [2, 5, 8])


def test_a_key_for_nothing_is_told(convcli, tmp_path):
    write(Image(ARRAY), tmp_path / "a.png")
    result = convcli("pad", tmp_path / "a.png", "--amount", "1", "--key", "x")
    assert (result.code, result.err) == (0, "Warning: --key 'x': no .npz was read, whose arrays have names\n")
