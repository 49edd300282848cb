"""Chunks that zarrs moves: that library, in Rust, copies a chunk less often than zarr itself, and uses several threads.

It wants arrays that lie without gaps, and boxes as slices: of single places it loses count in some layouts.
Chunks of nothing but the fill value it leaves out, whatever an array's configuration says (seen with 0.2.3): that one
is absent says nothing here, and what is done stands in the ledger alone.
"""

import warnings
from importlib.util import find_spec
from typing import Any


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
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Array is unsupported by Zarrs")
        return zarr.Array(zarr.AsyncArray(known.metadata, known.store_path, known.config))


def reads_in_part(array: Any) -> bool:
    """Whether a part of a chunk costs no more than its share: of chunks that are not packed, if zarrs reads them."""
    pipeline = array.async_array.codec_pipeline if hasattr(array, "async_array") else None
    is_quick = getattr(pipeline, "impl", None) is not None
    return is_quick and not (array.compressors or array.filters or array.shards)
