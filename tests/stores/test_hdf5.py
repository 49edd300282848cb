"""Volumes in HDF5: the only one of a file, or one by its name, as the same numbers in .npy."""

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")


def test_volumes_of_a_file(convcli, done, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    voxels = rng.integers(0, 60_000, (9, 20, 22), dtype=np.uint16)
    both = np.stack([voxels, voxels // 2])
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("cells/raw", data=voxels, chunks=(4, 8, 8))
        file["table"], file["words"] = np.arange(5), "said"
    with h5py.File("b.hdf5", "w") as file:
        file["one"], file["two"] = voxels[::-1], both
    np.save("a.npy", voxels)
    words = ("-k", "gaussian3d:sigma=1", "--overwrite")
    done("filter", "a.npy", "--axes", "zyx", *words, "-o", "whole.npy")
    for source, target in (("a.h5", "b.npy"), ("a.h5::/cells/raw", "b.npy"), ("a.h5::cells/raw", "b.zarr")):
        assert done("filter", source, *words, "-o", target) == ""
        got = np.load(target) if target.endswith(".npy") else zarr.open(target, mode="r")[:]
        np.testing.assert_array_equal(got, np.load("whole.npy"))
    done("filter", "b.hdf5::two", "--channel", "1", *words, "-o", "c.npy")
    np.save("half.npy", voxels // 2)
    done("filter", "half.npy", "--axes", "zyx", *words, "-o", "d.npy")
    np.testing.assert_array_equal(np.load("c.npy"), np.load("d.npy"))
    assert convcli("compare", "a.h5", "a.npy", "--tolerance", "0").code == 0
    (tmp_path / "c.h5").write_bytes(b"words")
    (tmp_path / "d.n5" / "s0").mkdir(parents=True)
    for source, said in (
        ("b.hdf5", "got 2 data sets, expected one volume; name one: b.hdf5::/one, b.hdf5::/two"),
        ("b.hdf5::three", "got three, expected one volume"),
        ("c.h5", "cannot be read as HDF5"),
        ("e.h5", "e.h5: no such file"),
        ("d.n5/s0", "is N5, which zarr reads no more"),
    ):
        result = convcli("filter", source, *words, "-o", "e.npy")
        assert result.code and said in result.err and result.err.count("\n") <= 2, result.err


def test_a_damaged_chunk_is_said_to_be_one(convcli, tmp_path, rng):
    source = tmp_path / "a.h5"
    with h5py.File(source, "w") as file:
        data = rng.integers(0, 60_000, (4, 32, 32), dtype=np.uint16)
        chunk = file.create_dataset("x", data=data, chunks=data.shape, compression="gzip").id.get_chunk_info(0)
    content = bytearray(source.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\x55" * chunk.size
    source.write_bytes(content)
    for target in ("b.npy", "b.zarr"):
        result = convcli("filter", source, "-k", "box3d", "--axes", "zyx", "-o", tmp_path / target)
        assert result.code == 1 and "a.h5: damaged HDF5: a chunk cannot be read" in result.err
