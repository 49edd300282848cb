"""Chunks read and written without zarr are those that zarr writes and reads, to the byte; others go through it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")

from convcli.stores import chunks  # noqa: E402

SHAPE, CHUNKS = (3, 9, 10, 7), (1, 4, 5, 3)
V2, SLASHES = {"zarr_format": 2}, {"name": "v2", "separator": "/"}
CONFIG = {"write_empty_chunks": True}
LAYOUTS: list[tuple[bool, str, dict[str, Any]]] = [
    (True, "<f4", {"compressors": None}),
    (True, "u1", {"compressors": None, "fill_value": 7}),
    (True, "i2", {"serializer": codecs.BytesCodec(endian="big"), "compressors": None, "fill_value": -3}),
    (True, "f8", {}),
    (True, "u2", {"compressors": [codecs.GzipCodec(level=1), codecs.ZstdCodec(level=3, checksum=True)]}),
    (True, "f4", {"compressors": codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")}),
    (True, ">u2", V2 | {"compressors": None, "fill_value": None}),
    (True, "<f4", V2 | {"compressors": numcodecs.Blosc("zstd", 2, 1), "chunk_key_encoding": SLASHES}),
    (True, "u1", V2 | {"compressors": numcodecs.Zlib(1)}),
    (False, "u1", {"compressors": [codecs.ZstdCodec(), codecs.Crc32cCodec()]}),
    (False, "f4", {"filters": codecs.TransposeCodec(order=(3, 2, 1, 0))}),
    (False, "u2", {"shards": (1, 8, 10, 6)}),
    (False, "f4", V2 | {"order": "F"}),
    (False, "i4", V2 | {"filters": numcodecs.Delta("<i4")}),
]  # fmt: skip
BOXES = [
    tuple(map(range, SHAPE)), (range(1, 3), range(3, 9), range(10), range(2, 6)),
    (range(2, 3), range(4, 6), range(5, 10), range(3, 6)), (range(1), range(8, 9), range(1, 2), range(6, 7)),
]  # fmt: skip


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("is_plain", "dtype", "words"), LAYOUTS)
def test_chunks_are_those_of_zarr(tmp_path: Path, is_plain: bool, dtype: str, words: dict[str, Any]) -> None:
    words = words | {"name": "a/b", "shape": SHAPE, "chunks": CHUNKS, "dtype": dtype, "config": CONFIG}
    ours, theirs = (zarr.create_array(tmp_path / name, **words) for name in ("ours", "theirs"))
    assert (chunks._plain(ours) is not None) == is_plain
    assert chunks.reads_in_part(ours) == (is_plain and not ours.compressors)
    numbers = np.random.default_rng(1).integers(0, 100, SHAPE).astype(ours.dtype)
    whole = [range(2), range(9), range(10), range(7)]  # the last of the first axis stays a fill value
    chunks.write_part(ours, whole, numbers[:2])
    theirs[:2] = numbers[:2]
    files, expected = (_files(tmp_path / name) for name in ("ours", "theirs"))
    assert sorted(files) == sorted(expected)
    assert files == expected or "Gzip" in str(words)  # which notes when it packed
    for box in BOXES:
        where = tuple(slice(each.start, each.stop) for each in box)
        for given in (np.empty([len(each) for each in box], ours.dtype), np.empty(SHAPE, ours.dtype)[where]):
            given[...] = 0
            chunks.read_part(theirs, box, given)
            assert np.array_equal(given, theirs[where])


def test_a_part_of_a_chunk_keeps_the_others_and_a_damaged_one_is_zarrs_to_tell(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", shape=(8, 8), chunks=(4, 8), dtype="u1", compressors=None)
    array[:] = 1
    chunks.write_part(array, [range(2, 6), range(8)], np.full((4, 8), 2, np.uint8))
    assert np.asarray(array[:])[:, 0].tolist() == [1, 1, 2, 2, 2, 2, 1, 1]
    file = tmp_path / "a" / "c" / "1" / "0"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="reshape"):
        chunks.read_part(array, [range(8), range(8)], np.empty((8, 8), np.uint8))
    folder = tmp_path / "a" / "c"
    (folder / "0" / "0").unlink()
    (folder / "0" / "0").mkdir()
    with pytest.raises(OSError, match="irectory"):
        chunks.write_part(array, [range(4), range(8)], np.zeros((4, 8), np.uint8))
    assert [path.name for path in (folder / "0").iterdir()] == ["0"]
