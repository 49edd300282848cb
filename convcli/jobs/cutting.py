"""How a store that is written is cut into blocks: whole chunks, in what memory there is, some for each worker."""

from collections.abc import Sequence
from math import prod
from typing import Any

from convcli.budget import memory_limit
from convcli.geometry.blocks import (
    BLOCKS_EACH,
    PIECE_BYTES,
    Grid,
    choose_block,
    deepened,
    planes_at_once,
    voxels_of_block,
)
from convcli.images.volume_model import Volume
from convcli.jobs.regions import costs_of
from convcli.jobs.scaling import Scaling
from convcli.jobs.volumes import Work
from convcli.stores.reading import Stored
from convcli.stores.writing import StoreWriter


def writer_for(store: Any, like: Stored | None, work: Work, *, exists: bool = False) -> StoreWriter:
    """What writes the result of a work to a folder, or to one of zarr's stores."""
    return StoreWriter(store, like, work.leading, work.shape[1:3], work.dtype, exists=exists)


def block_of(
    writer: StoreWriter, volume: Volume, work: Work, scaling: Scaling, workers: int, array: Any = None
) -> tuple[int, ...]:
    """The sides of the blocks of an array, level 0 if none is named: whole chunks, or shards; perhaps whole planes."""
    array = writer.array if array is None else array
    step = tuple(array.shards or array.chunks)
    whole = 0 if work.cuttable is None and volume.holds_boxes else 2
    words: dict[str, Any] = {"whole": whole, "planes_first": workers < 2, "rows_first": volume.has_runs}
    if scaling.block:
        return choose_block(array.shape, step, **words, wanted=scaling.block)
    voxels = voxels_of_block(array.shape, work.dtype.itemsize, workers, rows_first=volume.has_runs)
    block = choose_block(array.shape, step, **words, voxels=voxels)
    while prod(block) > prod(step) and not _fits(array, block, volume, work):
        voxels //= 2
        smaller = choose_block(array.shape, step, **words, voxels=voxels)
        if voxels < prod(step) and smaller == block:
            break
        block = smaller
    return deepened(array.shape, block, BLOCKS_EACH * workers) if workers > 1 and not whole else block


def grid_of(array: Any, block: Sequence[int], work: Work) -> tuple[Grid, int]:
    """How an array is cut into blocks, and how many planes of a block are made at once."""
    step = tuple(array.shards or array.chunks)
    piece = planes_at_once(block, step, PIECE_BYTES // work.dtype.itemsize)
    return Grid(tuple(array.shape), tuple(block), step), piece


def _fits(array: Any, block: Sequence[int], volume: Volume, work: Work) -> bool:
    grid, piece = grid_of(array, block, work)
    return costs_of(work, volume, grid, volume.chunk, piece=piece).memory <= memory_limit()
