"""What is known of distances and channels goes from every format of volumes to every other, or is named as lost."""

import re

import numpy as np
import pytest
import tifffile

zarr = pytest.importorskip("zarr")
nibabel = pytest.importorskip("nibabel")

SHAPE = (2, 2, 5, 8, 10)  # t, c, z, y, x
LENGTHS = {"z": 0.5, "y": 0.25, "x": 0.2}
OME = {
    "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5, "TimeIncrement": 3.0,
    "Channel": {"Name": ["DAPI", "GFP"], "Color": [65535, 16711935]},
}  # fmt: skip
CHANNELS = [{"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"}]


def save(name, voxels):
    """The same image in the format of its name, as other programs write it."""
    if name == "a.ome.tif":
        tifffile.imwrite(name, voxels, ome=True, photometric="minisblack", metadata={"axes": "TCZYX", **OME})
    elif name == "a.ij.tif":
        words = {"axes": "TZCYX", "spacing": 0.5, "unit": "um", "finterval": 3.0}
        tifffile.imwrite(name, voxels.transpose(0, 2, 1, 3, 4), imagej=True, resolution=(5, 4), metadata=words)
    elif name == "a.nii":
        image = nibabel.Nifti1Image(voxels.transpose(4, 3, 2, 0, 1), np.eye(4))
        image.header.set_zooms((0.2, 0.25, 0.5, 3000.0, 1))
        image.header.set_xyzt_units("micron", "msec")
        nibabel.save(image, name)
    else:
        group = zarr.open_group(name, mode="w")
        array = group.create_array("7", shape=voxels.shape, chunks=(1, 1, 5, 8, 8), dtype=voxels.dtype)
        array[:] = voxels
        axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c", "type": "channel"}]
        axes += [{"name": letter, "type": "space", "unit": "micrometer"} for letter in "zyx"]
        scale = {"type": "scale", "scale": [3.0, 1, 0.5, 0.25, 0.2]}
        image = {"axes": axes, "datasets": [{"path": "7", "coordinateTransformations": [scale]}]}
        omero = {"channels": CHANNELS, "rdefs": {"defaultZ": 4, "model": "color"}}
        group.attrs.put({"ome": {"version": "0.5", "multiscales": [image], "omero": omero}})


def known(name):
    """Axes, voxels, distances in micrometers and seconds, and channels, as other programs find them."""
    if name.endswith(".zarr"):
        group = zarr.open_group(name, mode="r")
        said = group.attrs["ome"]
        (image,) = said["multiscales"]
        axes = "".join(each["name"] for each in image["axes"])
        (dataset,) = image["datasets"]
        assert [each["type"] for each in image["axes"]] == [{"t": "time", "c": "channel"}.get(a, "space") for a in axes]
        units = {each["name"]: each.get("unit") for each in image["axes"]}
        assert units["x"] == "micrometer"
        sizes = dict(zip(axes, dataset["coordinateTransformations"][0]["scale"], strict=True))
        sizes |= {"t": sizes["t"] * {"second": 1, "millisecond": 1e-3}[units["t"]]} if "t" in sizes else {}
        array = group[dataset["path"]]
        assert array.metadata.dimension_names in (tuple(axes), None)
        channels = [(each["label"], each["color"]) for each in said.get("omero", {}).get("channels", [])]
        return axes, array[:], {letter: size for letter, size in sizes.items() if letter != "c"}, channels
    if name.endswith(".nii"):
        image = nibabel.load(name)
        axes = "xyztc"[: len(image.shape)]
        unit = image.header.get_xyzt_units()
        assert unit[0] == "micron" and unit[1] in ("sec", "msec")
        sizes = dict(zip(axes, (round(float(each), 6) for each in image.header.get_zooms()), strict=True))
        sizes["t"] /= 1000 if unit[1] == "msec" else 1
        sizes.pop("c", None)
        return axes[::-1], np.asarray(image.dataobj).T, sizes, []
    with tifffile.TiffFile(name) as file:
        text, axes = file.ome_metadata, file.series[0].axes.lower()
        sizes = {}
        for letter, word in {"t": "TimeIncrement", **{each: f"PhysicalSize{each.upper()}" for each in "zyx"}}.items():
            found = re.search(rf'{word}="([^"]*)"', text)
            sizes |= {letter: round(float(found[1]), 6)} if found else {}
        sizes |= {"t": sizes["t"] / 1000} if 'TimeIncrementUnit="ms"' in text else {}
        assert set(re.findall(r'PhysicalSize.Unit="([^"]*)"', text)) <= {"µm"}
        channels = re.findall(r'Channel [^>]*Name="([^"]*)"[^>]*Color="([^"]*)"', text)
        return axes, file.asarray(), sizes, [(each, f"{int(colour) >> 8 & 0xFFFFFF:06X}") for each, colour in channels]


@pytest.mark.parametrize("source", ["a.ome.tif", "a.ij.tif", "a.nii", "a.zarr"])
def test_distances_and_channels_travel(done, rng, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 60_000, SHAPE, dtype=np.uint16)
    save(source, voxels)
    has_names = source in ("a.ome.tif", "a.zarr")
    for target in ("b.ome.tif", "b.nii", "b.ome.zarr", "b.zarr"):
        said = done("pad", source, "--amount", "0", "--axes", "zyx", "-o", target)
        axes, got, sizes, channels = known(target)
        assert sizes == {"t": 3.0, **LENGTHS}
        np.testing.assert_array_equal(got.transpose([axes.index(letter) for letter in "tczyx"]), voxels)
        if target != "b.nii":
            assert channels == ([tuple(each.values()) for each in CHANNELS] if has_names else [])
        assert ("what OME says of channels" in said) == (has_names and target == "b.nii")
        assert "resolution" not in said and "ImageJ" not in said
        assert axes == {"b.nii": "ctzyx", "b.ome.tif": {"a.ij.tif": "tzcyx", "a.nii": "ctzyx"}.get(source)}.get(
            target, "tczyx") or target == "b.ome.tif"  # fmt: skip
    said = done("pad", source, "--amount", "0", "--axes", "zyx", "-o", "b.npy")
    assert ("not kept" in said) and ("notes" in said or source == "a.nii")


def test_one_channel_and_what_a_stride_changes(done, rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 60_000, SHAPE, dtype=np.uint16)
    for source in ("a.ome.tif", "a.zarr"):
        save(source, voxels)
        words = ("--axes", "zyx", "--channel", "1", "--size", "2", "--mode", "max", "--overwrite")
        done("pool", source, *words, "-o", "b.zarr")
        axes, got, sizes, channels = known("b.zarr")
        assert (axes, got.shape, sizes) == ("tzyx", (2, 2, 4, 5), {"t": 3.0, "z": 1.0, "y": 0.5, "x": 0.4})
        assert channels == [("GFP", "00FF00")]
        omero = zarr.open_group("b.zarr", mode="r").attrs["ome"]["omero"]
        seen = got[1]  # the chunk in the middle
        assert omero["channels"][0]["window"] == {"min": 0, "max": 65535, "start": seen.min(), "end": seen.max()}
        assert omero.get("rdefs") in (None, {"defaultZ": 1, "model": "color"})
        done("pool", "b.zarr", "--size", "1", "--mode", "max", "-o", "c.ome.tif", "--overwrite")
        assert known("c.ome.tif")[2:] == (sizes, channels)
    # A level of an image, by itself.
    done("pad", "a.zarr/7", "--amount", "0", "-o", "level.zarr")
    assert known("level.zarr")[2] == {"t": 3.0, **LENGTHS}


def test_what_says_nothing_stays_so_unless_the_name_promises(done, convcli, rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", rng.integers(0, 60_000, SHAPE[2:], dtype=np.uint16))
    for target in ("b.zarr", "b.ome.zarr", "b.nii", "b.tif", "b.ome.tif"):
        assert done("pad", "a.npy", "--amount", "0", "--axes", "zyx", "-o", target) == ""
    assert zarr.open("b.zarr", mode="r").metadata.dimension_names == ("z", "y", "x")
    image = zarr.open_group("b.ome.zarr", mode="r").attrs["ome"]["multiscales"][0]
    assert image["axes"] == [{"name": letter, "type": "space"} for letter in "zyx"]
    assert nibabel.load("b.nii").header.get_xyzt_units() == ("unknown", "unknown")
    with tifffile.TiffFile("b.tif") as plain, tifffile.TiffFile("b.ome.tif") as named:
        assert not plain.is_ome and named.is_ome and named.series[0].axes == "ZYX"
    np.save("wide.npy", np.zeros(SHAPE[2:], np.int64))
    result = convcli("pad", "wide.npy", "--amount", "0", "--axes", "zyx", "-o", "c.ome.tif")
    assert result.code == 1 and "got int64 along ZYX (5 planes) for OME-TIFF, expected floats or integers" in result.err
    # Pictures too.
    tifffile.imwrite("p.tif", np.zeros((8, 9), np.uint16), imagej=True, resolution=(5, 4), metadata={"unit": "um"})
    done("filter", "p.tif", "-k", "box", "-o", "p.ome.tif")
    assert known("p.ome.tif")[2] == {"x": 0.2, "y": 0.25}


def test_levels_keep_their_shapes(done, rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    group, fine = zarr.open_group("a.zarr", mode="w"), rng.integers(0, 200, (7, 9), dtype=np.uint8)
    steps = {"0": 1, "1": 2, "2": 4}
    for path, step in steps.items():
        part = fine[::step, ::step]
        group.create_array(path, shape=part.shape, chunks=(4, 4), dtype="u1")[:] = part
    datasets = [{"path": path, "coordinateTransformations": [{"type": "scale", "scale": [step, step]}]}
                for path, step in steps.items()]  # fmt: skip
    image = {"axes": [{"name": letter, "type": "space"} for letter in "yx"], "datasets": datasets}
    group.attrs.put({"ome": {"version": "0.5", "multiscales": [image]}})
    done("morph", "dilate", "a.zarr", "--size", "1", "--each-plane", "-o", "b.zarr")
    got = zarr.open_group("b.zarr", mode="r")
    assert [got[path].shape for path in steps] == [(7, 9), (4, 5), (2, 3)]
    assert got["1"][3, 4] == fine[6, 8] and abs(int(got["1"][0, 4]) - fine[:2, 8].mean()) <= 0.5


def test_small_numbers_are_seen_in_a_comparison(done, rng, tmp_path, monkeypatch):
    from convcli.jobs.compare import compare
    from convcli.jobs.volumes import Reading

    monkeypatch.chdir(tmp_path)
    for dtype, low, high in (("u2", 0, 700), ("i2", -300, 700), ("f4", 0, 0.01)):
        voxels = (rng.random((4, 12, 14)) * (high - low) + low).astype(dtype)
        np.save("a.npy", voxels)
        np.save("b.npy", voxels + np.dtype(dtype).type(1))
        seen = compare("a.npy", "b.npy", reading=Reading("zyx")).previews
        assert min(each.min() for each in seen) == 0 and max(each.max() for each in seen) == 255


def test_memory_is_counted_with_all_that_slabs_and_blocks_take(done, convcli, rng, tmp_path, monkeypatch):
    from convcli.jobs.volumes import VolumeWork

    monkeypatch.chdir(tmp_path)
    voxels, counted = rng.integers(0, 60_000, (40, 120, 140), dtype=np.uint16), []
    np.save("a.npy", voxels)
    tifffile.imwrite("a.tif", voxels, compression="zlib", photometric="minisblack")
    zarr.create_array("a.zarr", shape=voxels.shape, chunks=(8, 24, 28), dtype="u2")[:] = voxels
    count = VolumeWork._bytes_at_once
    monkeypatch.setattr(
        VolumeWork, "_bytes_at_once", lambda work, ranges: counted.append(count(work, ranges)) or counted[-1]
    )
    words = ("-k", "gaussian3d:sigma=1", "--overwrite")
    done("filter", "a.npy", "--axes", "zyx", *words, "-o", "whole.npy")
    for source, more in (("a.npy", ("--axes", "zyx")), ("a.tif", ("--axes", "zyx")), ("a.zarr", ("--levels", "none"))):
        target = "b.zarr" if source == "a.zarr" else "b.npy"
        done("filter", source, *more, *words, "-o", target, "--max-memory", "4M")
        assert counted[-1] <= 4_000_000
        got = zarr.open(target, mode="r")[:] if target == "b.zarr" else np.load(target)
        np.testing.assert_array_equal(got, np.load("whole.npy"))
    result = convcli(
        "filter", "a.tif", "--axes", "zyx", "-k", "gaussian3d:sigma=9", "-o", "c.npy", "--max-memory", "2M"
    )
    assert result.code == 1 and "a.tif: got planes of 140x120 voxels, which need" in result.err
    result = convcli("filter", "a.zarr", "-k", "gaussian3d:sigma=9", "-o", "c.zarr", "--max-memory", "1M")
    assert result.code == 1 and "c.zarr: block: got 8x24x28 voxels, which need" in result.err
