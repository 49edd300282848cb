"""`convcli filter` on volumes and signals as people type it; numbers are tests/jobs' business."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import tifffile
from PIL import Image

import convcli as package


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stack(folder, rng):
    """A small ImageJ stack of 16 bits; its file name and its voxels."""
    voxels = rng.integers(0, 65536, (7, 8, 9), np.uint16)
    metadata = {"axes": "ZYX", "spacing": 2.5, "unit": "um"}
    tifffile.imwrite("scan.tif", voxels, imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    return voxels


def test_a_stack_beside_itself(convcli, stack):
    result = convcli("filter", "scan.tif", "-k", "gaussian3d:sigma=1", "--axes", "zyx")
    assert (result.code, result.out) == (0, "scan_gaussian3d.tif\n")
    weights = package.kernel("gaussian3d:sigma=1")
    expected = np.rint(scipy.ndimage.correlate(stack.astype(float), weights, mode="mirror"))
    with tifffile.TiffFile("scan_gaussian3d.tif") as file:
        np.testing.assert_array_equal(file.asarray(), expected)
        assert file.imagej_metadata["spacing"] == 2.5
        assert file.imagej_metadata["unit"] == "um"
        assert file.pages[0].tags["XResolution"].value == (4, 1)


def test_strides_make_voxels_larger(convcli, stack):
    words = ["--axes", "zyx", "--stride", "3x2x1", "--range", "raw", "-o", "out.tif"]
    assert convcli("filter", "scan.tif", "-k", "sobel3d-z", *words).code == 0
    with tifffile.TiffFile("out.tif") as file:
        assert file.series[0].shape == (3, 4, 9)
        assert file.series[0].dtype == np.float32
        assert file.imagej_metadata["spacing"] == 7.5
        assert file.pages[0].tags["YResolution"].value == (2, 1)


def test_npy_json_and_overwrite(convcli, folder, rng):
    np.save("v.npy", rng.standard_normal((4, 5, 6, 2)))
    words = ["filter", "v.npy", "-k", "box3d", "-k", "laplacian3d", "--axes", "zyx", "-o", "w.npy"]
    (done,) = json.loads(convcli(*words, "--json").out)["files"]
    assert done["shape"] == [4, 5, 6, 2]
    assert done["dtype"] == "float64"
    assert done["kernel"] == "box3d_laplacian3d"
    assert np.load("w.npy").shape == (4, 5, 6, 2)
    refused = convcli(*words)
    assert refused.code == 1
    assert "w.npy: already exists" in refused.err
    assert convcli(*words, "--overwrite").code == 0
    assert "1 skipped" not in convcli(*words, "--skip-existing").err


def test_an_axis_of_one_channel_stays(convcli, folder):
    np.save("v.npy", np.zeros((4, 5, 6, 1), np.uint8))
    assert convcli("filter", "v.npy", "-k", "box3d", "--axes", "zyx", "-o", "w.npy").code == 0
    assert np.load("w.npy").shape == (4, 5, 6, 1)


def test_in_place_only_when_asked(convcli, folder, rng):
    voxels = rng.integers(0, 256, (6, 7, 8), np.uint8)
    np.save("v.npy", voxels)
    words = ["filter", "v.npy", "-k", "1 | 0 | 0", "--axes", "zyx", "-o", "v.npy", "--border", "wrap"]
    assert convcli(*words).code == 2
    assert convcli(*words, "--overwrite").code == 0
    np.testing.assert_array_equal(np.load("v.npy"), np.roll(voxels, 1, axis=0))


def test_several_volumes_one_of_them_broken(convcli, folder, rng):
    for name in "abc":
        np.save(f"{name}.npy", rng.standard_normal((3, 4, 5)))
    Path("b.npy").write_bytes(Path("b.npy").read_bytes()[:-1])
    result = convcli("filter", "a.npy", "b.npy", "c.npy", "-k", "box3d", "--axes", "zyx", "-o", "out/")
    assert result.code == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["a_box3d.npy", "c_box3d.npy"]
    assert "b.npy: truncated NPY" in result.err
    assert "2 written, 1 failed" in result.err


def test_pictures_stacked(convcli, folder, rng):
    planes = rng.integers(0, 256, (5, 6, 7, 3), np.uint8)
    for index, plane in enumerate(planes):
        Image.fromarray(plane).save(f"s{index}.png", dpi=(300, 300))
    words = ["-k", "1 | 1 | 1", "--normalize", "sum", "--axes", "zyx", "--stack", "--border", "edge", "-o", "v.tif"]
    result = convcli("filter", "s?.png", *words)
    assert (result.code, result.out) == (0, "v.tif\n")
    expected = scipy.ndimage.correlate1d(planes.astype(float), np.ones(3), 0, mode="nearest") / 3
    np.testing.assert_array_equal(tifffile.imread("v.tif"), np.rint(expected))
    Image.fromarray(planes[0, :5]).save("s3.png")
    result = convcli("filter", "s?.png", *words, "--overwrite")
    assert result.code == 1
    assert "s3.png: got 7x5 pixels" in result.err
    assert tifffile.imread("v.tif").shape == (5, 6, 7, 3)


def test_frames_of_an_animation(convcli, folder):
    frames = [Image.new("L", (6, 5), 60 * index) for index in range(4)]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    assert convcli("filter", "a.gif", "-k", "-1 | 0 | 1", "--axes", "zyx", "-o", "v.npy", "--border", "edge").code == 0
    assert np.load("v.npy")[:, 0, 0].ravel().tolist() == [60, 120, 120, 60]


@pytest.mark.parametrize("suffix", ["gif", "WEBP"])
def test_frames_become_frames_beside_the_animation(convcli, folder, suffix):
    frames = [Image.new("L", (6, 5), 60 * index) for index in range(4)]
    frames[0].save(f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    for words, target in (
        (["filter", "-k", "box3d"], f"a_box3d.{suffix}"),
        (["pool", "--size", "2"], f"a_max-pool.{suffix}"),
        (["pool", "--size", "2", "-o", "out/"], f"out/a_max-pool.{suffix}"),
        (["pool", "--size", "2", "-o", "b{ext}"], f"b.{suffix}"),
    ):
        Path("out").mkdir(exist_ok=True)
        result = convcli(*words, f"a.{suffix}", "--axes", "zyx")
        assert (result.code, result.out) == (0, f"{target}\n"), result.err
        with Image.open(target) as other:
            assert (other.n_frames, *other.size) == ((4, 6, 5) if "filter" in words else (2, 3, 2))
    refused = convcli("filter", f"a.{suffix}", "-k", "box3d", "--axes", "zyx", "-o", "a.jpg", "--overwrite")
    assert refused.code == 2
    assert "for a volume" in refused.err


def test_a_stack_of_pictures_becomes_a_tiff_beside_the_first(convcli, folder):
    for index in range(3):
        Image.new("L", (6, 5), index).save(f"s{index}.png")
    result = convcli("pool", "s?.png", "--stack", "--axes", "zyx", "--size", "1")
    assert (result.code, result.out) == (0, "s0_max-pool.tiff\n"), result.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["scan.tif", "-k", "gaussian", "--axes", "zyx"], 2, "try gaussian3d, or filter each plane with --each-plane"),
        (["scan.tif", "-k", "gaussian3d"], 2, "--axes zyx filters volumes"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "--linear"], 2, "leave --linear out"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "--channels", "sum"], 2, "expected each"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "--stride", "2x2"], 2, "expected 1 or 3"),
        (["scan.tif", "-k", "box3d", "--stack"], 2, "got --stack without --axes zyx"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "-o", "v.png"], 2, "got PNG for a volume"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "-o", "v.txt"], 2, "expected one of"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "-o", "-", "--format", "npy"], 1, "not standard input or output"),
        (["scan.tif", "-k", "box3d:size=9", "--axes", "zyx", "--padding", "valid"], 1, "padding 'same' fits"),
        (["scan.tif", "-k", "box3d", "--axes", "zyx", "--max-pixels", "71"], 1, "--max-pixels 72"),
        (["flat.png", "-k", "box3d", "--axes", "zyx"], 1, "flat.png: is a PNG, a flat picture"),
        (["flat.png", "-k", "box3d", "--axes", "zyx", "-o", "v.npy"], 1, "flat.png: is a PNG, a flat picture"),
        (["none.tif", "-k", "box3d", "--axes", "zyx"], 1, "none.tif: no such file"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, stack, words, code, message):
    Image.new("L", (4, 4)).save("flat.png")
    before = sorted(Path().iterdir())
    result = convcli("filter", *words)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("Error: ")
    assert result.err.count("\n") == 1
    assert message in result.err
    assert sorted(Path().iterdir()) == before


def test_interrupting_leaves_nothing(folder):
    with Path("big.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (3000, 512, 512)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 3000 * 512 * 512 * 4)  # sparse: no disk is used
    command = [sys.executable, "-m", "convcli", "filter", "big.npy", "-k", "box3d:size=9", "--axes", "zyx"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(Path().glob(".*")):
            time.sleep(0.01)
        process.send_signal(2)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [path.name for path in Path().iterdir()] == ["big.npy"]


def test_a_moving_average_over_a_series(convcli, folder):
    Path("prices.csv").write_text("date,price\nMon,1\nTue,2\nWed,6\nThu,4\n")
    result = convcli("filter", "prices.csv", "-k", "box:size=3", "--border", "edge")
    assert (result.code, result.out) == (0, "prices_box.csv\n")
    assert Path("prices_box.csv").read_text() == (
        "date,price\nMon,1.3333333333333333\nTue,3\nWed,4\nThu,4.666666666666667\n"
    )


def test_signals_through_pipes(folder):
    command = [sys.executable, "-m", "convcli", "filter", "-", "--axes", "x", "-k", "1 0 -1", "--border", "edge"]
    result = subprocess.run(command, input="1\n2\n4\n", capture_output=True, text=True, check=True)
    assert result.stdout == "-1\n-3\n-2\n"


def test_signals_json(convcli, folder):
    np.save("s.npy", np.arange(12.0))
    (done,) = json.loads(convcli("filter", "s.npy", "-k", "gaussian", "--stride", "2", "--json").out)["files"]
    assert done["shape"] == [6]
    assert np.load(done["output"]).shape == (6,)


def test_an_array_of_two_axes_is_a_signal_when_it_is_called_one(convcli, folder):
    np.save("s.npy", np.arange(12.0).reshape(6, 2))
    assert convcli("filter", "s.npy", "-k", "1 1", "--axes", "x", "--padding", "valid", "-o", "t.npy").code == 0
    np.testing.assert_array_equal(np.load("t.npy"), [[2, 4], [6, 8], [10, 12], [14, 16], [18, 20]])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["s.csv", "flat.png", "-k", "box"], 2, "got the signal s.csv beside flat.png"),
        (["s.csv", "-k", "1 2; 3 4"], 2, "expected one row for a signal"),
        (["s.csv", "-k", "box", "--format", "png"], 2, "leave --format out"),
        (["s.csv", "-k", "box", "--alpha", "drop"], 2, "alpha: got drop for a signal"),
        (["s.csv", "-k", "box", "-o", "s.wav"], 1, "got .wav for a CSV signal"),
        (["s.csv", "-k", "box:size=9", "--padding", "valid"], 1, "padding 'same' fits"),
        (["none.wav", "-k", "box"], 1, "none.wav: no such file"),
        (["flat.png", "-k", "box", "--axes", "x"], 1, "flat.png"),
        ([".", "-k", "box", "--axes", "x"], 0, ""),
    ],
)
def test_what_cannot_be_with_signals(convcli, folder, words, code, message):
    Path("s.csv").write_text("1\n2\n3\n")
    Image.new("L", (4, 4)).save("flat.png")
    result = convcli("filter", *words)
    assert result.code == code
    assert message in result.err
    assert code == 0 or result.err.count("\n") == 1
