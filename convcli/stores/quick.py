"""Chunks that zarrs moves: that library, in Rust, copies a chunk less often than zarr itself, and uses several threads.

It wants arrays that lie without gaps, and boxes as slices: of single places it loses count in some layouts.
Chunks of nothing but the fill value it leaves out, whatever an array's configuration says (seen with 0.2.3): that one
is absent says nothing here, and what is done stands in the ledger alone.

It writes into a chunk's own file, of which a process that is killed, or a full disk, leaves a part; and of a chunk that
sticks out of its array it reads first what is there.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import product
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

_OF_SYSTEM = re.compile(r"([^:]*) \(os error (\d+)\)")  # how Rust shows what the system said
_PIPELINE = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": False}
_ONE = Lock()  # at a time: zarr's configuration is all threads', and what two set together the first would leave behind


def quick(array: Any) -> Any:
    """The same array, with its chunks moved by zarrs if that is installed and the array one of Zarr in a folder.

    Which codecs it lacks zarr still does, and numbers in the other order of bytes or of axes.
    """
    known = getattr(array, "async_array", None)
    if known is None or not array.dtype.isnative or array.order != "C" or find_spec("zarrs") is None:
        return array
    import zarr

    if type(array.store) is not zarr.storage.LocalStore:
        return array
    with _ONE, zarr.config.set(_PIPELINE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Array is unsupported by Zarrs")
        return zarr.Array(zarr.AsyncArray(known.metadata, known.store_path, known.config))


def reads_in_part(array: Any) -> bool:
    """Whether a part of a chunk costs no more than its share: of chunks that are not packed, if zarrs reads them."""
    if not _is_quick(array) or array.compressors or array.filters or array.shards:
        return False
    return type(array.serializer).__name__ in ("BytesCodec", "NoneType")


def _is_quick(array: Any) -> bool:
    pipeline = array.async_array.codec_pipeline if hasattr(array, "async_array") else None
    return getattr(pipeline, "impl", None) is not None and "Local" in type(array.store).__name__


def system_error(error: RuntimeError) -> OSError | None:
    """What the system refused zarrs, which calls it by no name of its own."""
    said = _OF_SYSTEM.search(str(error))
    return OSError(int(said[2]), said[1].strip()) if said else None


def drop_ends(array: Any, ranges: Sequence[range]) -> None:
    """Remove chunks of a folder that stick out of the array and are going to be written, so that none of them is read.

    The ranges are those of whole chunks.
    """
    sides = array.shards or array.chunks
    if not _is_quick(array) or all(box.stop % side == 0 for box, side in zip(ranges, sides, strict=True)):
        return
    for place, path in _chunks(array, ranges, sides):
        if any((at + 1) * side > size for at, side, size in zip(place, sides, array.shape, strict=True)):
            path.unlink(missing_ok=True)


def check_chunks(array: Any, ranges: Sequence[range]) -> None:
    """Raise `ValueError` for a chunk that is not packed and of a wrong size: who reads it in part does not notice."""
    expected = prod(array.chunks) * array.dtype.itemsize
    for _, path in _chunks(array, ranges, array.chunks):
        with suppress(FileNotFoundError):
            if (got := path.stat().st_size) != expected:
                raise ValueError(f"got {got} bytes, expected {expected}")


def _chunks(array: Any, ranges: Sequence[range], sides: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Path]]:
    """Where the chunks, or shards, of such sides that a box touches lie on their grid, and their files."""
    folder = Path(array.store.root, array.path)
    runs = [range(box.start // side, -(-box.stop // side)) for box, side in zip(ranges, sides, strict=True)]
    for place in product(*runs):
        yield place, folder / array.metadata.encode_chunk_key(place)
