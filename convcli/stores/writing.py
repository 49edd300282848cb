"""Writing Zarr like the array that was read: its chunks, shards, codecs and axes; complete or not at all.

Source: the OME-NGFF specification, versions 0.4 and 0.5; Zarr 2 and 3.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from convcli.atomic import make_folder
from convcli.errors import FileError
from convcli.geometry import Placement
from convcli.images.model import Pixels, shown
from convcli.stores.reading import Level, Stored, zarr_library
from convcli.unfinished import sweep, unfinished_name

_CHUNK = 64  # voxels along each axis, where the source has no chunks


def check_store_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a store's name before any work is done for it; raises `FileError`."""
    if not target.suffix.lower() == ".zarr":
        raise FileError(f"{shown(target)}: expected a name that ends in .zarr")
    if target.exists() and not target.is_dir():
        raise FileError(f"{shown(target)}: is a file, expected a folder of chunks")
    if target.exists() and not overwrite:
        raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite")
    if not target.absolute().parent.is_dir():
        raise FileError(f"{shown(target)}: its folder {shown(target.parent)} does not exist; create it first")


@contextmanager
def replacing_folder(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden folder that becomes ``target`` when the block ends well, and vanishes when it does not."""
    check_store_target(target, overwrite=overwrite)
    make_folder(target)
    parent = target.absolute().parent
    sweep(parent)
    part, before = parent / unfinished_name(), parent / unfinished_name()
    try:
        part.mkdir()
        yield part
        if target.exists():
            target.rename(before)
        part.rename(target)
    except OSError as error:
        if before.exists() and not target.exists():
            before.rename(target)
        reason = (error.strerror or str(error)).lower()
        raise FileError(f"{shown(target)}: cannot be written ({reason})") from error
    finally:
        for folder in (part, before):
            shutil.rmtree(folder, ignore_errors=True)


class StoreWriter:
    """A new array of ``shape`` (without leading axes) for each index of the leading ones, at level 0 of an image.

    Planes are gathered until they make whole chunks or shards: none is written in part.
    """

    def __init__(
        self, folder: Path, stored: Stored | None, shape: Sequence[int], dtype: Any, leading: Sequence[int] = ()
    ) -> None:
        zarr_library(str(folder))
        self.folder, self.stored, self.leading = folder, stored, tuple(leading)
        self.levels: list[Level] = []
        self.group = _new_group(folder, stored) if stored is not None and stored.group is not None else None
        self.array = self._new(self.path(0), tuple(shape), dtype)

    def path(self, level: int) -> str:
        """Of a level's array in the group; empty for a plain array."""
        if self.group is None or self.stored is None:
            return ""
        return self.stored.levels[level].path

    def write(self, index: Sequence[int], planes: Iterator[Pixels], array: Any = None) -> None:
        """The volume at an index of the leading axes, from its planes (H, W, 1) in order."""
        array = self.array if array is None else array
        has_depth = len(array.shape) - len(self.leading) == 3
        step = _step(array)[-3] if has_depth else 1
        held: list[Pixels] = []
        done = 0
        for plane in planes:
            held.append(plane[..., 0].copy())
            if len(held) == step:
                done = self._flush(array, index, done, held, has_depth)
        if held:
            self._flush(array, index, done, held, has_depth)

    def add_level(self, level: int, shape: Sequence[int]) -> Any:
        """A new array for a coarser level."""
        return self._new(self.path(level), tuple(shape), self.array.dtype)

    def describe(self, places: Sequence[Placement], factors: Sequence[Sequence[int]]) -> None:
        """Say last what the image is: the levels, and where the voxels of each lie.

        ``places`` are those of level 0 along its last axes, ``factors`` the steps from one level to the next.
        """
        if self.group is None or self.stored is None:
            return
        image = dict(self.stored.image or {})
        first, datasets = self.stored.levels[0], []
        count, leading = len(first.scale), len(self.leading)
        scale, start = np.array(first.scale), np.array(first.translation)
        for axis, place in zip(range(leading, count), places, strict=True):
            # A voxel's middle lies at scale * index + translation.
            start[axis] += scale[axis] * (place.start + place.step / 2 - 0.5)
            scale[axis] *= place.step
        for level in range(len(factors) + 1):
            if level:
                steps = np.array([1] * leading + list(factors[level - 1]), float)
                start = start + scale * (steps - 1) / 2
                scale = scale * steps
            said: list[Mapping[str, Any]] = [{"type": "scale", "scale": scale.tolist()}]
            said += [{"type": "translation", "translation": start.tolist()}] if start.any() else []
            datasets.append({"path": self.path(level), "coordinateTransformations": said})
        image["datasets"] = datasets
        image.pop("coordinateTransformations", None)
        attributes = dict(self.stored.attributes)
        if "ome" in attributes:
            attributes["ome"] = {**attributes["ome"], "multiscales": [image]}
        else:
            attributes["multiscales"] = [image]
        self.group.attrs.put(attributes)

    def _flush(self, array: Any, index: Sequence[int], done: int, held: list[Pixels], has_depth: bool) -> int:
        end = done + len(held)
        if has_depth:
            array[(*index, slice(done, end))] = np.stack(held)
        else:
            array[tuple(index)] = held[0]
        held.clear()
        return end

    def _new(self, path: str, shape: tuple[int, ...], dtype: Any) -> Any:
        import zarr

        whole = (*self.leading, *shape)
        like = None if self.stored is None else self.stored.array
        words = _words(like, whole, dtype)
        words["attributes"] = {} if self.group is not None or like is None else dict(like.attrs)
        store = self.group.store if self.group is not None else str(self.folder)
        # Chunks of nothing but the fill value are written too: that one is absent says nothing.
        return zarr.create_array(
            store, name=path or None, shape=whole, dtype=dtype, config={"write_empty_chunks": True}, **words
        )


def factors_of(stored: Stored) -> list[tuple[int, ...]]:
    """How many voxels of a level along each of its last axes make one of the next, from an image's scales."""
    leading = len(stored.leading)
    found = []
    for finer, coarser in zip(stored.levels, stored.levels[1:], strict=False):
        ratios = np.array(coarser.scale[leading:]) / np.array(finer.scale[leading:])
        found.append(tuple(max(round(ratio), 1) for ratio in ratios.tolist()))
    return found


def _new_group(folder: Path, stored: Stored) -> Any:
    import zarr

    return zarr.open_group(str(folder), mode="w", zarr_format=stored.group.metadata.zarr_format)


def _step(array: Any) -> tuple[int, ...]:
    """What is written whole: shards, or chunks where there are none."""
    return tuple(array.shards or array.chunks)


def _words(like: Any, shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    """How a new array is laid out and packed: as another one, as far as its chunks fit."""
    if like is None:
        return {"chunks": tuple(min(_CHUNK, n) for n in shape), "zarr_format": 3}
    old = len(like.shape) - len(shape)  # axes that are gone
    chunks = tuple(like.chunks[old:])
    words: dict[str, Any] = {"chunks": chunks, "zarr_format": like.metadata.zarr_format, "fill_value": 0}
    words |= {"compressors": like.compressors or None, "filters": like.filters or None}
    if np.dtype(dtype) != like.dtype:  # filters speak of numbers of one type
        words["filters"] = None
    if like.metadata.zarr_format == 2:
        words |= {"order": like.order, "chunk_key_encoding": {
            "name": "v2", "separator": like.metadata.dimension_separator}}  # fmt: skip
    else:
        words |= {"shards": tuple(like.shards[old:]) if like.shards else None,
                  "dimension_names": like.metadata.dimension_names,
                  "chunk_key_encoding": like.metadata.chunk_key_encoding}  # fmt: skip
    return words


def leading_indices(leading: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All indices of the leading axes, the last one fastest."""
    return product(*(range(n) for n in leading))
