"""Pool, pad and morph of volumes: slabs give the bits of the whole, files keep what they know."""

import json

import numpy as np
import pytest
import tifffile

import convcli as library
from convcli.images.volumes import open_volume
from convcli.jobs import volumes
from convcli.jobs.morph import VolumeMorph, plan_morph
from convcli.jobs.pad import VolumePad, plan_pad
from convcli.jobs.pool import VolumePool, plan_pool

# (how many bytes a slab may have): one plane each, a few, all.
SLABS = (1, 2000, 10**9)


@pytest.fixture
def volume(tmp_path, rng):
    """A volume in a file and in memory."""
    voxels = rng.integers(0, 256, (11, 12, 13), np.uint8)
    np.save(tmp_path / "volume.npy", voxels)
    with open_volume(tmp_path / "volume.npy") as opened:
        yield opened, voxels


def taken(work, monkeypatch, slab):
    monkeypatch.setattr(volumes, "SLAB_BYTES", slab)
    return np.stack(list(work.planes()))[..., 0]


@pytest.mark.parametrize("slab", SLABS)
@pytest.mark.parametrize("mode", ["max", "median", "stochastic"])
@pytest.mark.parametrize(
    "words",
    [
        {"size": (2, 3, 2)},
        {"size": 3, "stride": (1, 2, 2), "padding": "same"},
        {"size": (4, 2, 2), "stride": 3, "padding": ((2, 1), (0, 0), (1, 0)), "dilation": (2, 1, 1), "ceil_mode": True},
        {"size": "global"},
    ],
)
def test_pooling_in_slabs(volume, monkeypatch, slab, mode, words):
    opened, voxels = volume
    work = VolumePool(opened, plan_pool(mode=mode, seed=3, axes="zyx", **words))
    expected = library.pool3d(voxels, mode=mode, seed=3, **words)
    assert np.array_equal(taken(work, monkeypatch, slab), expected)


@pytest.mark.parametrize("slab", SLABS)
def test_windows_that_share_a_volume_out(volume, monkeypatch, slab):
    opened, voxels = volume
    work = VolumePool(opened, plan_pool(adaptive=(4, 5, 20), axes="zyx"))
    assert [place.step for place in work.places] == [11 / 4, 12 / 5, 13 / 20]
    assert np.array_equal(taken(work, monkeypatch, slab), library.adaptive_pool3d(voxels, (4, 5, 20)))


@pytest.mark.parametrize("slab", SLABS)
def test_averages_in_slabs_count_padding(volume, monkeypatch, slab):
    opened, voxels = volume
    words = {"size": 3, "stride": 2, "padding": 1, "mode": "weighted", "count_include_pad": True}
    work = VolumePool(opened, plan_pool(depth="float", axes="zyx", **words))
    expected = library.pool3d(voxels, **words)
    assert np.allclose(taken(work, monkeypatch, slab) * 255, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("amount", [2, ((15, 1), (0, 3), (14, 0))])
def test_padding(volume, monkeypatch, mode, amount):
    opened, voxels = volume
    work = VolumePad(opened, plan_pad(amount, mode=mode, value=9, axes="zyx"))
    expected = np.pad(voxels, amount, mode, **({"constant_values": 9} if mode == "constant" else {}))
    assert work.shape == (*expected.shape, 1)
    assert np.array_equal(taken(work, monkeypatch, 1), expected)


@pytest.mark.parametrize("slab", SLABS)
@pytest.mark.parametrize("operation", ["dilate", "erode", "open", "close", "gradient", "tophat", "blackhat"])
@pytest.mark.parametrize("border", ["none", "reflect", "wrap", "constant"])
@pytest.mark.parametrize("where", [{"size": (4, 3, 2)}, {"element": "ball:radius=2"}, {"size": (50, 1, 1)}])
def test_morphology_in_slabs(volume, monkeypatch, slab, operation, border, where):
    opened, voxels = volume
    work = VolumeMorph(opened, plan_morph(operation, border=border, value=77, axes="zyx", **where))
    expected = library.morph3d(voxels, operation, border=border, value=77, **where)
    assert np.array_equal(taken(work, monkeypatch, slab), expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pool", "--size", "2"], lambda v: library.pool3d(v, 2)),
        (["pool", "--size", "1x2x3", "--mode", "min"], lambda v: library.pool3d(v, (1, 2, 3), mode="min")),
        (["pool", "--adaptive", "4x2x3"], lambda v: library.adaptive_pool3d(v, (4, 2, 3))),
        (["pad", "--amount", "1,2,3", "--mode", "edge"], lambda v: library.pad3d(v, (1, 2, 3), mode="edge")),
        (["morph", "close", "--element", "cross"], lambda v: library.morph3d(v, "close", element="cross")),
    ],
)
def test_the_commands_on_tiffs(convcli, tmp_path, monkeypatch, rng, words, expected):
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 256, (6, 8, 9), np.uint8)
    tifffile.imwrite("scan.tif", voxels, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0})
    result = convcli(*words, "scan.tif", "--axes", "zyx", "-o", "out.tif")
    assert (result.code, result.out, result.err) == (0, "out.tif\n", "")
    with tifffile.TiffFile("out.tif") as file:
        assert np.array_equal(file.asarray(), expected(voxels))
        spacing = file.imagej_metadata["spacing"]
    assert spacing == {"2": 4.0, "4x2x3": 3.0}.get(words[2], 2.0)


def test_a_stack_json_and_errors(convcli, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 256, (4, 8, 9), np.uint8)
    for index, plane in enumerate(voxels):
        tifffile.imwrite(f"plane{index}.tif", plane)
    result = convcli("pool", "plane*.tif", "--stack", "--axes", "zyx", "--size", 2, "-o", "out.npy", "--json")
    assert result.code == 0, result.err
    (file,) = json.loads(result.out)["files"]
    assert (file["shape"], file["operation"]) == ([2, 4, 4], "max-pool")
    assert np.array_equal(np.load("out.npy"), library.pool3d(voxels, 2))
    for words, code, message in (
        (["pool", "out.npy", "--stack", "--size", "2"], 2, "--axes zyx"),
        (["pool", "out.npy", "--axes", "zyx", "--size", "2x2"], 2, "size: got 2 numbers for a volume"),
        (["pool", "out.npy", "--axes", "zyx", "--size", "3", "-o", "x.npy"], 1, "size: spans 3"),
        (["pad", "out.npy", "--axes", "zyx", "--amount", "1,2"], 2, "amount: got '1,2', expected N or Z,V,H"),
        (["morph", "open", "out.npy", "--axes", "zyx", "--element", "line"], 2, "line for a volume"),
        (
            ["morph", "open", "out.npy", "--axes", "zyx", "--size", "3", "--alpha", "keep"],
            2,
            "alpha: got keep for a volume",
        ),
        (["morph", "open", "out.npy", "--axes", "zyx", "--size", "3", "-o", "x.png"], 2, "PNG"),
    ):
        result = convcli(*words)
        assert result.code == code, words
        assert message in result.err
        assert result.err.count("\n") == 1
