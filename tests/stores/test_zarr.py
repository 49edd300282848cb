"""Zarr and OME-Zarr through the operations: the numbers of the same volume in .npy, and metadata that stays true."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from convcli.jobs import cutting
from convcli.stores import is_store, layers, reading
from convcli.stores.growing import begin_folder, end_folder, growing
from convcli.unfinished import unfinished_name

zarr = pytest.importorskip("zarr")

CHUNKS = {"plain": ((7, 16, 11), None), "planes": ((1, 23, 29), None), "one": ((40, 40, 40), None),
          "shards": ((4, 5, 6), (8, 10, 12))}  # fmt: skip


@pytest.fixture(autouse=True)
def pieces(monkeypatch):
    """Let small volumes be made in pieces, as large ones are: one is read and one written while one is made."""
    monkeypatch.setattr(cutting, "PIECE_BYTES", 1)


@pytest.fixture
def voxels(rng):
    return rng.integers(0, 60_000, (19, 23, 29), dtype=np.uint16)


def written(path, voxels, chunks="plain", **words):
    size, shards = CHUNKS[chunks]
    size = tuple(min(c, n) for c, n in zip(size, voxels.shape, strict=True)) if chunks != "shards" else size
    array = zarr.create_array(str(path), shape=voxels.shape, chunks=size, shards=shards, dtype=voxels.dtype, **words)
    array[:] = voxels
    return path


def ome(path, voxels, version="0.4", levels=2):
    """An image (t, c, z, y, x) of 2 x 0.5 x 0.5 micrometers, each coarser level every second voxel."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level in range(levels):
        step = 2**level
        part = voxels[..., ::step, ::step, ::step]
        chunks = tuple(min(n, 8) for n in part.shape)
        group.create_array(str(level), shape=part.shape, chunks=chunks, dtype=part.dtype)[:] = part
        scale = [1.0, 1.0, 2.0 * step, 0.5 * step, 0.5 * step]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "tczyx"]
    image = [{"name": "cells", "axes": axes, "datasets": datasets}]
    if version == "0.4":
        group.attrs.put({"multiscales": [image[0] | {"version": "0.4"}], "omero": {"channels": [{"label": "DAPI"}]}})
    else:
        group.attrs.put({"ome": {"version": "0.5", "multiscales": image}})
    return path


OPERATIONS = [
    ("filter", "-k", "gaussian3d:sigma=1"),
    ("filter", "-k", "gaussian3d:sigma=2", "--border", "wrap", "--stride", "2"),
    ("filter", "-k", "laplacian3d", "--border", "constant", "--border-value", "7.3", "--dilation", "3"),
    ("filter", "-k", "box3d:size=5", "-k", "sobel3d", "--range", "minmax"),
    ("filter", "-k", "gaussian3d:sigma=9", "--border", "symmetric"),
    ("pool", "--size", "3", "--stride", "2"),
    ("pad", "--amount", "4", "--mode", "reflect"),
    ("morph", "open", "--size", "3"),
]


@pytest.mark.parametrize("words", OPERATIONS, ids=" ".join)
@pytest.mark.parametrize("chunks", CHUNKS)
def test_the_numbers_are_those_of_the_same_volume_in_npy(convcli, tmp_path, voxels, words, chunks):
    np.save(tmp_path / "a.npy", voxels)
    written(tmp_path / "a.zarr", voxels, chunks)
    for suffix in (".npy", ".zarr"):
        command = [*words, "--axes", "zyx"] if suffix == ".npy" else list(words)
        at = 2 if words[0] == "morph" else 1
        result = convcli(*command[:at], tmp_path / f"a{suffix}", *command[at:], "-o", tmp_path / f"b{suffix}")
        assert result.code == 0, result.err
    expected, got = np.load(tmp_path / "b.npy"), zarr.open(str(tmp_path / "b.zarr"), mode="r")
    np.testing.assert_array_equal(got[:], expected)
    assert got.dtype == expected.dtype and got.shards == CHUNKS[chunks][1]


@pytest.mark.parametrize("words", [
    {"zarr_format": 2, "compressors": None}, {"zarr_format": 2, "order": "F"}, {"dimension_names": ("z", "y", "x")},
    {"compressors": zarr.codecs.BloscCodec(cname="lz4"), "attributes": {"made": "by hand"}}, {"fill_value": 9},
])  # fmt: skip
def test_the_result_is_packed_as_the_input_is(convcli, tmp_path, voxels, words):
    source = zarr.open(str(written(tmp_path / "a.zarr", voxels, **words)), mode="r")
    assert convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr").code == 0
    got = zarr.open(str(tmp_path / "b.zarr"), mode="r")
    assert got.metadata.zarr_format == source.metadata.zarr_format and got.compressors == source.compressors
    assert got.chunks == source.chunks and got.order == source.order and dict(got.attrs) == dict(source.attrs)
    if source.metadata.zarr_format == 3:
        assert got.metadata.dimension_names == source.metadata.dimension_names


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_of_many_volumes_and_levels(convcli, tmp_path, rng, version):
    voxels = rng.integers(0, 255, (2, 3, 12, 20, 22), dtype=np.uint8)
    ome(tmp_path / "a.zarr", voxels, version)
    result = convcli("filter", tmp_path / "a.zarr", "-k", "gaussian3d:sigma=1", "-o", tmp_path / "b.zarr")
    assert (result.code, result.err) == (0, "")
    got = reading.open_stored(str(tmp_path / "b.zarr"))
    for t, c in np.ndindex(2, 3):
        np.save(tmp_path / "one.npy", voxels[t, c])
        words = ("--axes", "zyx", "-k", "gaussian3d:sigma=1", "-o", tmp_path / "two.npy", "--overwrite")
        convcli("filter", tmp_path / "one.npy", *words)
        fine = np.load(tmp_path / "two.npy")
        np.testing.assert_array_equal(got.array[t, c], fine)
        means = fine.astype(float).reshape(6, 2, 10, 2, 11, 2).mean((1, 3, 5))
        np.testing.assert_allclose(got.group["1"][t, c], means, atol=0.5)
    assert [level.scale for level in got.levels] == [(1, 1, 2, 0.5, 0.5), (1, 1, 4, 1, 1)]
    assert [level.translation for level in got.levels] == [(0,) * 5, (0, 0, 1, 0.25, 0.25)]
    assert got.image["name"] == "cells" and got.image["axes"][2]["unit"] == "micrometer"
    assert ("omero" in got.attributes) == (version == "0.4")
    assert got.group.metadata.zarr_format == (2 if version == "0.4" else 3)


def test_one_channel_and_each_plane(convcli, tmp_path, rng):
    voxels = rng.integers(0, 255, (2, 3, 4, 20, 22), dtype=np.int16)
    ome(tmp_path / "a.zarr", voxels)
    words = ("-k", "sobel", "--each-plane", "--channel", 1, "-o", tmp_path / "b.zarr")
    assert convcli("filter", tmp_path / "a.zarr", *words).err.count("Error") == 0
    got = reading.open_stored(str(tmp_path / "b.zarr"))
    assert (got.axes, got.array.shape, got.array.dtype) == ("tzyx", (2, 4, 20, 22), np.int16)
    assert [axis["name"] for axis in got.image["axes"]] == list("tzyx")
    assert got.levels[0].scale == (1, 2, 0.5, 0.5) and len(got.levels) == 2
    np.save(tmp_path / "one.npy", voxels[1, 1, 3])
    convcli("filter", tmp_path / "one.npy", "-k", "sobel", "-o", tmp_path / "two.npy")
    np.testing.assert_array_equal(got.array[1, 3], np.load(tmp_path / "two.npy"))


def test_a_plane_of_two_axes(convcli, tmp_path, rng):
    plane = rng.integers(0, 255, (20, 22), dtype=np.uint8)
    zarr.create_array(str(tmp_path / "a.zarr"), shape=plane.shape, chunks=(8, 8), dtype="u1")[:] = plane
    assert convcli("filter", tmp_path / "a.zarr", "-k", "box", "--each-plane", "-o", tmp_path / "b.zarr").code == 0
    np.save(tmp_path / "a.npy", plane)
    convcli("filter", tmp_path / "a.npy", "-k", "box", "-o", tmp_path / "b.npy")
    np.testing.assert_array_equal(zarr.open(str(tmp_path / "b.zarr"), mode="r")[:], np.load(tmp_path / "b.npy"))


def test_strides_and_padding_move_the_voxels(convcli, tmp_path, rng):
    ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 1, 12, 20, 22), dtype=np.uint8), levels=1)
    convcli("pool", tmp_path / "a.zarr", "--size", "2", "-o", tmp_path / "pooled.zarr")
    convcli("pad", tmp_path / "a.zarr", "--amount", "3", "-o", tmp_path / "padded.zarr")
    pooled, padded = (reading.open_stored(str(tmp_path / name)).levels[0] for name in ("pooled.zarr", "padded.zarr"))
    assert (pooled.scale, pooled.translation) == ((1, 1, 4, 1, 1), (0, 0, 1, 0.25, 0.25))
    assert (padded.scale, padded.translation) == ((1, 1, 2, 0.5, 0.5), (0, 0, -6, -1.5, -1.5))


def test_labels_stay_where_they_still_lie_on_the_voxels(convcli, tmp_path, rng):
    ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 1, 12, 20, 22), dtype=np.uint8))
    labels = zarr.open_group(str(tmp_path / "a.zarr"), mode="r+").create_group("labels")
    labels.create_array("cells", shape=(12, 20, 22), chunks=(6, 10, 11), dtype="u4")[:] = 5
    convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr")
    assert (zarr.open(str(tmp_path / "b.zarr"), mode="r")["labels/cells"][:] == 5).all()
    result = convcli("pool", tmp_path / "a.zarr", "--size", "2", "-o", tmp_path / "c.zarr")
    assert "not kept: labels" in result.err and not (tmp_path / "c.zarr" / "labels").exists()


def test_slabs_that_overlap_decode_no_chunk_twice():
    asked = []

    def read(first, end, out):
        asked.append((first, end))
        out[:] = np.arange(first, end, dtype=np.uint8)[:, None, None, None]

    def planes(key, first, end):
        found = held.planes(key, first, end)
        assert found[:, 0, 0, 0].tolist() == list(range(first, end))
        return found

    held = layers.Held(1, lambda key: layers.Layers(read, 8, 30, (1, 1, 1), np.uint8))
    for first, end in [(0, 10), (7, 19), (16, 30), (0, 3)]:
        planes("a", first, end)
    assert asked == [(0, 16), (16, 24), (24, 30), (0, 8)]
    # And read ahead, also of another box; what was given before is void only when that is asked for.
    asked.clear()
    before = planes("a", 0, 10)
    held.ahead("a", 7, 19)
    assert planes("a", 5, 10)[0] == before[5] == 5
    third = planes("a", 7, 19)
    held.ahead("a", 7, 9)  # is held
    held.ahead("b", 3, 9)
    assert third[0] == 7 and planes("a", 20, 24)[0] == 20
    planes("b", 3, 9)
    held.ahead("b", 10, 17)
    planes("b", 10, 17)
    held.close()
    assert asked == [(8, 16), (16, 24), (3, 16), (16, 24)]


def test_to_a_file_and_from_a_file(convcli, tmp_path, voxels):
    written(tmp_path / "a.zarr", voxels)
    assert convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.tiff").code == 0
    np.save(tmp_path / "a.npy", voxels)
    words = ("--axes", "zyx", "-k", "box3d", "-o", tmp_path / "c.zarr")
    assert convcli("filter", tmp_path / "a.npy", *words).code == 0
    result = convcli("compare", tmp_path / "b.tiff", tmp_path / "b.tiff", "--axes", "zyx")
    assert result.code in (0, 2)
    assert zarr.open(str(tmp_path / "c.zarr"), mode="r").shape == voxels.shape


def test_a_result_is_replaced_as_a_whole_and_only_if_that_was_said(convcli, tmp_path, voxels):
    written(tmp_path / "a.zarr", voxels)
    target = written(tmp_path / "b.zarr", voxels[:3] * 0, "one")
    (target / "old").write_text("")
    words = ("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", target)
    assert "already exists" in convcli(*words).err and (target / "old").exists()
    assert convcli(*words, "--overwrite").code == 0
    assert not (target / "old").exists() and zarr.open(str(target), mode="r").shape == voxels.shape
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_a_folder_of_other_things_is_never_replaced(convcli, tmp_path, voxels):
    written(tmp_path / "a.zarr", voxels)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "diary.txt").write_text("mine")
    result = convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr", "--overwrite")
    assert result.code == 1 and "is a folder of other things" in result.err
    assert (tmp_path / "b.zarr" / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize(("source", "target"), [("a.zarr", "a.zarr/b.zarr"), ("a.zarr/0", "a.zarr")])
def test_no_store_is_written_into_another(convcli, tmp_path, rng, source, target):
    ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 1, 4, 6, 8), dtype=np.uint8))
    before = sorted(tmp_path.rglob("*"))
    words = ("filter", tmp_path / source, "-k", "box3d", "-o", tmp_path / target, "--overwrite")
    result = convcli(*words, "--axes", "tczyx")
    assert result.code == 1 and "lies in the other" in result.err and sorted(tmp_path.rglob("*")) == before


def test_an_interrupt_between_the_names_leaves_what_was_there(tmp_path, voxels, monkeypatch):
    target = written(tmp_path / "b.zarr", voxels[:3], "one")
    rename = type(target).rename

    def interrupted(path, other):
        if path != target and other == target and (path / "new").exists():
            raise KeyboardInterrupt
        return rename(path, other)

    monkeypatch.setattr(type(target), "rename", interrupted)
    (begin_folder(target, overwrite=True, goes_on=False) / "new").write_text("")
    with pytest.raises(KeyboardInterrupt):
        end_folder(target)
    assert zarr.open(str(target), mode="r").shape == (3, 23, 29)
    assert sorted(tmp_path.iterdir()) == [target, growing(target)]


def test_a_link_stays_one_and_nothing_else_is_left(convcli, tmp_path, voxels):
    (tmp_path / "there").mkdir()
    for name in ("a.zarr", "there/b.zarr"):
        written(tmp_path / name, voxels[:3], "one")
    link = tmp_path / "link.zarr"
    link.symlink_to(tmp_path / "there" / "b.zarr")
    words = ("filter", tmp_path / "a.zarr", "-k", "box3d", "--stride", "2", "-o", link, "--overwrite")
    assert convcli(*words).code == 0 and link.is_symlink()
    assert zarr.open(str(tmp_path / "there" / "b.zarr"), mode="r").shape == (2, 12, 15)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zarr", "link.zarr", "there"]
    link.unlink()
    link.symlink_to(tmp_path / "gone" / "b.zarr")
    result = convcli(*words)
    assert result.code == 1 and "does not exist; create it first" in result.err and link.is_symlink()


def test_levels_that_are_none(convcli, tmp_path, rng):
    path = ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 1, 4, 8, 8), dtype=np.uint8))
    said = zarr.open_group(str(path)).attrs
    image = said["multiscales"][0]
    image["datasets"][0]["coordinateTransformations"][0]["scale"] = [0] * 5
    said["multiscales"] = [image]
    assert convcli("filter", path, "-k", "box3d", "-o", tmp_path / "b.zarr").code == 0
    assert sorted(zarr.open_group(str(tmp_path / "b.zarr"), mode="r").array_keys()) == ["0"]
    image["datasets"][1]["path"] = "../1"
    said["multiscales"] = [image]
    result = convcli("filter", path, "-k", "box3d", "-o", tmp_path / "c.zarr")
    assert result.code == 1 and "expected an array or an OME-Zarr image" in result.err
    assert not (tmp_path / "c.zarr").exists()


def test_a_failure_leaves_nothing(convcli, tmp_path, voxels, monkeypatch):
    written(tmp_path / "a.zarr", voxels)
    chunk = sorted(path for path in (tmp_path / "a.zarr" / "c").rglob("*") if path.is_file())[-1]
    chunk.write_bytes(chunk.read_bytes()[:50])
    result = convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr")
    assert result.code == 1 and "damaged Zarr: a chunk cannot be read" in result.err
    assert result.err.count("\n") == 1 and [each.name for each in tmp_path.iterdir()] == ["a.zarr"]


def test_what_a_killed_process_left_is_swept(convcli, tmp_path, voxels):
    written(tmp_path / "a.zarr", voxels)
    code = "from convcli.unfinished import unfinished_name; print(unfinished_name())"
    gone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    for name in (gone, unfinished_name()):
        (tmp_path / name / "c").mkdir(parents=True)
    convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr")
    assert not (tmp_path / gone).exists() and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: None, "no such file"),
    (lambda path: path.mkdir(), "is a folder of other things, expected a Zarr store"),
    (lambda path: path.write_text("a"), "a.zarr: is a file, expected a folder, as Zarr stores are"),
    (lambda path: (path.mkdir(), (path / "zarr.json").write_text('"x"')), "cannot be read as Zarr"),
    (lambda path: zarr.open_group(str(path), mode="w"), "is a group, expected an array or an OME-Zarr image"),
    (lambda path: written(path, np.zeros((2, 2, 2), "c8"), "one"), "got complex64 values"),
    (lambda path: zarr.create_array(str(path), shape=(2, 3, 4), dtype="M8[ns]"), "got datetime64[ns] values"),
    (lambda path: zarr.create_array(str(path), shape=(2, 3, 4), dtype=np.dtypes.StringDType()), "expected uint8, uint"),
    (lambda path: zarr.create_array(str(path), shape=(2, 3, 4, 5), dtype="u1"), "does not name its axes"),
    (lambda path: zarr.create_array(str(path), shape=(0, 3, 4), dtype="u1"), "expected no axis of 0"),
])  # fmt: skip
def test_what_is_no_volume_is_refused_in_a_line(convcli, tmp_path, make, message):
    make(tmp_path / "a.zarr")
    result = convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr")
    assert message in result.err + result.out and len(result.err.splitlines()) <= 1
    assert not any(each.name.endswith("-part") for each in tmp_path.iterdir())


def test_without_the_extra_its_name_is_said(convcli, tmp_path, voxels, monkeypatch):
    written(tmp_path / "a.zarr", voxels)
    monkeypatch.setitem(sys.modules, "zarr", None)
    result = convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr")
    assert result.code == 1 and "is Zarr, which needs an extra" in result.err and "[scale]" in result.err


def test_a_volume_from_standard_input_is_refused_as_for_files(convcli, tmp_path):
    result = convcli("filter", "-", "-k", "box3d", "--axes", "zyx", "-o", tmp_path / "b.zarr")
    assert result.code == 1 and "expected files, not standard input" in result.err


def test_what_counts_as_a_store(tmp_path):
    (tmp_path / "file.zarr").write_text("")
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / ".zarray").write_text("{}")
    (tmp_path / "plain").mkdir()
    names = {"file.zarr": False, "marked": True, "plain": False, "new.zarr": True, "new.npy": False}
    assert {name: is_store(str(tmp_path / name)) for name in names} == names


def test_addresses_are_sources_and_targets(tmp_path, convcli, voxels):
    pytest.importorskip("fsspec")
    path = written(tmp_path / "a.zarr", voxels)
    shutil.make_archive(str(path), "zip", path)
    written("memory://a.zarr", voxels)
    assert convcli("filter", path, "-k", "box3d", "-o", tmp_path / "b.zarr").code == 0
    for source in ("memory://a.zarr", f"zip:///::{path}.zip", f"file://{path}"):
        assert convcli("filter", source, "-k", "box3d", "-o", tmp_path / "c.zarr", "--overwrite").code == 0
        got, expected = (zarr.open(str(tmp_path / name), mode="r")[:] for name in ("c.zarr", "b.zarr"))
        np.testing.assert_array_equal(got, expected)
    nothing = "no array or group of Zarr is there"
    for source, said in (("memory://none.zarr", nothing), ("odd://a.zarr", "Protocol not known")):
        result = convcli("filter", source, "-k", "box3d", "-o", tmp_path / "d.zarr")
        assert result.code == 1 and said in result.err and result.err.count("\n") == 1
    assert convcli("filter", path, "-k", "box3d", "-o", "memory://b.zarr").code == 0
    np.testing.assert_array_equal(zarr.open("memory://b.zarr", mode="r")[:], expected)


def test_as_many_levels_as_are_asked_for(tmp_path, convcli, rng):
    path = ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 2, 16, 20, 22), dtype=np.uint8))
    for words, paths in (("none", ["0"]), ("3", ["0", "1", "2"])):
        target = tmp_path / f"{words}.zarr"
        assert convcli("filter", path, "-k", "box3d", "-o", target, "--levels", words, "--block", "8").code == 0
        got = reading.open_stored(str(target))
        assert [level.path for level in got.levels] == sorted(got.group.array_keys()) == paths
    assert [level.scale[-3:] for level in got.levels] == [(2, 0.5, 0.5), (4, 1, 1), (8, 2, 2)]
    fine = got.group["1"][0, 1].astype(float)
    means = fine.reshape(4, 2, 5, 2, 11, 1)[:, :, :, :, :10].reshape(4, 2, 5, 2, 5, 2).mean((1, 3, 5))
    np.testing.assert_allclose(got.group["2"][0, 1], means, atol=0.5)


def test_levels_end_where_a_voxel_would_be_none(tmp_path, convcli, rng):
    ome(tmp_path / "a.zarr", rng.integers(0, 255, (1, 1, 4, 4, 4), dtype=np.uint8), levels=3)
    convcli("pool", tmp_path / "a.zarr", "--size", "3", "-o", tmp_path / "b.zarr")
    assert len(reading.open_stored(str(tmp_path / "b.zarr")).levels) == 1


def test_compare_takes_stores_and_what_takes_none_says_who_does(convcli, tmp_path, voxels):
    written(tmp_path / "a.zarr", voxels)
    np.save(tmp_path / "a.npy", voxels)
    result = convcli("compare", tmp_path / "a.zarr", tmp_path / "a.npy")
    assert result.code == 0 and result.out.startswith("largest difference  0 ")
    result = convcli("explain", tmp_path / "a.zarr", "-k", "box", "-o", tmp_path / "a.html")
    assert result.code == 1 and "is a Zarr store, which filter, pool, pad, morph and compare take" in result.err
    (tmp_path / "b.zarr").write_text("a")
    result = convcli("filter", tmp_path / "a.zarr", "-k", "box3d", "-o", tmp_path / "b.zarr", "--overwrite")
    assert result.code == 2 and "b.zarr: is a file, where Zarr would be a folder" in result.err


def test_planes_are_read_ahead_where_there_is_room_for_two_pieces(convcli, tmp_path, monkeypatch):
    asked, begin = [], layers.Held.ahead
    monkeypatch.setattr(layers.Held, "ahead", lambda *words: asked.append(words) or begin(*words))
    voxels = zarr.create_array(str(tmp_path / "a.zarr"), shape=(16, 256, 256), chunks=(8, 32, 32), dtype="u2")
    voxels[3, 100:, :9] = 7
    words = ("filter", tmp_path / "a.zarr", "-k", "box", "--each-plane", "--overwrite", "-o", tmp_path / "b.zarr")
    assert convcli(*words, "--max-memory", "7M").code == 0 and not asked
    few = zarr.open(tmp_path / "b.zarr")[:]
    assert convcli(*words).code == 0 and asked
    np.testing.assert_array_equal(zarr.open(tmp_path / "b.zarr")[:], few)
