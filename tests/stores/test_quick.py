"""Chunks that zarrs moves are those that zarr moves, whatever their layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

zarr = pytest.importorskip("zarr")
codecs = pytest.importorskip("zarr.codecs")
numcodecs = pytest.importorskip("numcodecs")
pytest.importorskip("zarrs")

from convcli.stores.quick import quick, reads_in_part  # noqa: E402

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
