"""Chunks that zarrs moves are those that zarr moves, whatever their layout."""

import errno
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
pytest.importorskip("zarrs")

from convcli.errors import ImageError  # noqa: E402
from convcli.stores.growing import open_region_target, write_region  # noqa: E402
from convcli.stores.quick import quick, reads_in_part  # noqa: E402
from convcli.stores.reading import open_stored_volume  # noqa: E402

SHAPE, CHUNKS = (3, 9, 10, 7), (1, 4, 5, 3)
V2, SLASHES = {"zarr_format": 2}, {"name": "v2", "separator": "/"}
LAYOUTS: list[tuple[str, dict[str, Any], bool]] = [
    ("<f4", {"compressors": None}, True),
    ("u1", {"compressors": None, "fill_value": 7}, True),
    ("i2", {"serializer": codecs.BytesCodec(endian="big"), "compressors": None, "fill_value": -3}, True),
    ("f8", {}, False),
    ("u2", {"compressors": [codecs.GzipCodec(level=1), codecs.ZstdCodec(level=3, checksum=True)]}, False),
    ("f4", {"compressors": codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")}, False),
    ("u1", {"compressors": [codecs.ZstdCodec(), codecs.Crc32cCodec()]}, False),
    ("f4", {"filters": codecs.TransposeCodec(order=(3, 2, 1, 0)), "compressors": None}, False),
    ("u2", {"shards": (1, 8, 10, 6)}, False),
    (">u2", V2 | {"compressors": None, "fill_value": None}, False),
    ("<f4", V2 | {"compressors": numcodecs.Blosc("zstd", 2, 1), "chunk_key_encoding": SLASHES}, False),
    ("u1", V2 | {"compressors": numcodecs.LZMA()}, False),  # which zarrs does not know
    ("f4", V2 | {"order": "F", "compressors": None}, False),
    ("i4", V2 | {"filters": numcodecs.Delta("<i4")}, False),
]  # fmt: skip
BOXES = [
    tuple(map(range, SHAPE)), (range(1, 3), range(3, 9), range(10), range(2, 6)),
    (range(2, 3), range(4, 6), range(5, 10), range(3, 6)), (range(1), range(8, 9), range(1, 2), range(6, 7)),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "words", "in_part"), LAYOUTS)
def test_layouts(tmp_path: Path, dtype: str, words: dict[str, Any], in_part: bool) -> None:
    theirs = zarr.create_array(tmp_path / "a", name="b/c", shape=SHAPE, chunks=CHUNKS, dtype=dtype, **words)
    ours = quick(theirs)
    assert reads_in_part(ours) == in_part and not reads_in_part(theirs)
    numbers = np.random.default_rng(1).integers(0, 100, SHAPE).astype(theirs.dtype)
    ours[:2] = numbers[:2]  # the last of the first axis stays a fill value
    assert np.array_equal(np.asarray(theirs[:2]), numbers[:2])
    theirs[1] = numbers[2]
    for box in BOXES:
        where = tuple(slice(each.start, each.stop) for each in box)
        given, expected = np.asarray(ours[where]), np.asarray(theirs[where])
        assert given.dtype == expected.dtype and np.array_equal(given, expected), where


@pytest.mark.parametrize("words", [{"compressors": None}, {}, {"shards": (8, 8)}, V2 | {"compressors": None}])
def test_what_is_left_of_a_chunk_is_written_anew_where_the_array_ends(tmp_path: Path, words: dict[str, Any]) -> None:
    made = zarr.create_array(tmp_path / "a", name="b", shape=(10, 9), chunks=(4, 4), dtype="f8", **words)
    array, numbers = open_region_target(str(tmp_path / "a"), "b"), np.random.default_rng(1).random((10, 9))
    write_region(array, list(map(range, made.shape)), numbers)
    chunks = [path for path in (tmp_path / "a" / "b").rglob("*") if path.is_file() and path.name[-1].isdigit()]
    for path in chunks:  # as a kill leaves them
        path.write_bytes(path.read_bytes()[:50])
    for rows, columns in ((range(8), range(8)), (range(8), range(8, 9)), (range(8, 10), range(9))):
        part = numbers[rows.start : rows.stop, columns.start : columns.stop]
        write_region(array, [rows, columns], part)
    assert np.array_equal(np.asarray(made[:]), numbers) and len(chunks) == (4 if "shards" in words else 9)


def test_what_the_system_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    zarr.create_array(tmp_path / "a", shape=(99, 99), chunks=(99, 99), dtype="f8", compressors=None)
    array, before = open_region_target(str(tmp_path / "a"), ""), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(OSError, match="File too large") as refused:
            write_region(array, [range(99), range(99)], np.ones((99, 99)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.errno == errno.EFBIG


def test_threads_leave_the_configuration_as_it_was(tmp_path: Path) -> None:
    array, path = zarr.create_array(tmp_path / "a", shape=(4, 4), dtype="u1"), zarr.config.get("codec_pipeline.path")
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(quick, [array] * 40))
    finally:
        sys.setswitchinterval(before)
    assert zarr.config.get("codec_pipeline.path") == path
    lzma = numcodecs.LZMA()  # which is left to zarr, where strictness is asked for as well
    other = zarr.create_array(tmp_path / "b", shape=(4, 4), dtype="u1", compressors=lzma, zarr_format=2)
    with zarr.config.set({"codec_pipeline.strict": True}):
        assert not np.asarray(quick(other)[:]).any()


def test_a_chunk_that_is_read_in_part_is_of_the_size_that_it_should_have(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(16, 8, 8), chunks=(16, 8, 8), dtype="f4", compressors=None)
    array[...] = 1
    chunk = tmp_path / "a.zarr" / "c" / "0" / "0" / "0"
    chunk.write_bytes(2 * chunk.read_bytes())  # as numbers of another type would be
    with (
        pytest.raises(ImageError, match=r"a\.zarr: damaged Zarr: .* \(got 8192 bytes, expected 4096\)$"),
        open_stored_volume(str(tmp_path / "a.zarr")) as volume,
    ):
        volume.planes(np.arange(1))
