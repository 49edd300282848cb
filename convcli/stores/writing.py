"""Writing Zarr like the array that was read: its chunks, shards, codecs and axes; complete or not at all.

Source: the OME-NGFF specification, versions 0.4 and 0.5; Zarr 2 and 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import FileError
from convcli.geometry import Placement
from convcli.images.model import shown
from convcli.images.volume_axes import UNNAMED, Axes
from convcli.stores import is_store_folder
from convcli.stores.ngff import axis_of, true_of
from convcli.stores.reading import Stored

_CHUNK = 64  # voxels along each axis, where the source has no chunks
_NAMING = 3  # the format of Zarr that names axes
_CONFIG = {"write_empty_chunks": True}  # that a chunk of nothing but the fill value is absent would say nothing


def check_store_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a store's name before any work is done for it; raises `FileError`."""
    if not target.suffix.lower() == ".zarr":
        raise FileError(f"{shown(target)}: expected a name that ends in .zarr")
    if target.exists() and not target.is_dir():
        raise FileError(f"{shown(target)}: is a file, expected a folder of chunks")
    if target.exists() and not is_store_folder(target) and any(target.iterdir()):
        raise FileError(f"{shown(target)}: is a folder of other things, expected a Zarr store; choose another name")
    if target.exists() and not overwrite:
        raise FileError(f"{shown(target)}: already exists; choose another name or add --overwrite")
    if not target.absolute().parent.is_dir():
        raise FileError(f"{shown(target)}: its folder {shown(target.parent)} does not exist; create it first")


def memory_store() -> Any:
    """A store of nothing but this process's memory, to see how something would be laid out."""
    from zarr.storage import MemoryStore

    return MemoryStore()


class StoreWriter:
    """A new array, at level 0 of an image if ``stored`` is one; planes come along the axes ``leading``.

    They are gathered until they make whole chunks or shards: none is written in part, unless planes of several volumes
    take turns.

    Attributes
    ----------
    array : zarr.Array
        What is written, level 0.
    leading : tuple of (str, int)
        The axes before a plane's, as the array has them.
    axes : str
        The letters of all axes.
    like : Stored or None
        What was read, with the axes that the result has.
    group : zarr.Group or None
        Of an OME-Zarr image.
    """

    def __init__(
        self,
        store: Any,
        stored: Stored | None,
        leading: Axes,
        plane: Sequence[int],
        dtype: Any,
        *,
        exists: bool = False,
    ) -> None:
        """``store`` is a folder's name or one of zarr's stores; what ``exists`` is opened, and made where it lacks."""
        known = stored.axes[:-2].upper() if stored else "Z"
        if stored is not None and stored.image is not None and UNNAMED not in known:
            leading = tuple(("Z" if letter == UNNAMED else letter, size) for letter, size in leading)
        self._exists = exists
        self.leading = tuple(each for each in leading if each[1] > 1 or each[0] in known)
        self.axes = "".join(letter for letter, _ in self.leading).lower() + "yx"
        self.like = _with_axes(stored, self.axes) if stored else None
        is_image = self.like is not None and self.like.image is not None
        self.group = _group(store, self.like, exists) if self.like is not None and is_image else None
        self._store = self.group.store if self.group is not None else store
        self.array = self._new(0, (*(size for _, size in self.leading), *plane), dtype)

    def path(self, level: int) -> str:
        """Of a level's array, below what is written."""
        if self.group is None or self.like is None:
            return ""
        return self.like.levels[level].path if level < len(self.like.levels) else str(level)

    def add_level(self, level: int, shape: Sequence[int]) -> Any:
        """A new array for a coarser level."""
        return self._new(level, tuple(shape), self.array.dtype)

    def describe(self, places: Sequence[Placement], factors: Sequence[Sequence[int]]) -> None:
        """Say last what the image is: the levels, and where the voxels of each lie.

        ``places`` are those of level 0 along z, y, x, ``factors`` the steps from one level to the next.
        """
        if self.group is None or self.like is None:
            return
        image, first = dict(self.like.image or {}), self.like.levels[0]
        scale, start = np.array(first.scale), np.array(first.translation)
        moved = dict(zip("zyx", places, strict=True))
        for axis, letter in enumerate(self.axes):
            if letter in moved:
                # A voxel's middle lies at scale * index + translation.
                start[axis] += scale[axis] * (moved[letter].start + moved[letter].step / 2 - 0.5)
                scale[axis] *= moved[letter].step
        datasets = []
        for level in range(len(factors) + 1):
            if level:
                steps = np.array([1] * (len(scale) - len(factors[0])) + list(factors[level - 1]), float)
                start, scale = start + scale * (steps - 1) / 2, scale * steps
            said: list[Mapping[str, Any]] = [{"type": "scale", "scale": scale.tolist()}]
            said += [{"type": "translation", "translation": start.tolist()}] if start.any() else []
            datasets.append({"path": self.path(level), "coordinateTransformations": said})
        image["datasets"] = datasets
        image.pop("coordinateTransformations", None)
        is_new = self.like.array is not None and self.like.array.dtype != self.array.dtype
        attributes = dict(true_of(self.like.attributes, self.array, self.axes, new_numbers=is_new))
        if "ome" in attributes:
            attributes["ome"] = {**attributes["ome"], "multiscales": [image]}
        else:
            attributes["multiscales"] = [image]
        self.group.attrs.put(attributes)

    def _new(self, level: int, shape: tuple[int, ...], dtype: Any) -> Any:
        import zarr

        like = None if self.like is None else self.like.array
        words = _words(like, self.like.kept if self.like else (), shape, dtype, self.axes)
        if self.group is not None and words["zarr_format"] == _NAMING:
            words["dimension_names"] = tuple(self.axes)
        words["attributes"] = {} if self.group is not None or like is None else dict(like.attrs)
        path = self.path(level) or None
        if self._exists and (self.group is None or path in self.group):
            found = zarr.open_array(self._store, path=path, mode="r")
            if tuple(found.shape) == shape and found.dtype == dtype:
                return zarr.open(self._store, path=path, mode="r+", config=_CONFIG)
        return zarr.create_array(
            self._store, name=path, shape=shape, dtype=dtype, config=_CONFIG, overwrite=path is not None, **words
        )


def _with_axes(stored: Stored, axes: str) -> Stored:
    """A store as those see it who have only some of its axes, or call as many by other names."""
    if len(axes) == len(stored.axes) and set(axes) != set(stored.axes):
        kept = tuple(range(len(axes)))
    else:
        kept = tuple(stored.axes.index(letter) for letter in axes if letter in stored.axes)
    if len(kept) != len(axes):
        return replace(stored, axes=axes, group=None, image=None, levels=(), kept=())
    levels = tuple(
        replace(each, scale=_at(each.scale, kept), translation=_at(each.translation, kept)) for each in stored.levels
    )
    image = stored.image
    if image is not None:
        said = _at(image["axes"], kept)
        renamed = [
            each if isinstance(each, Mapping) and str(each["name"]).lower() == letter else axis_of(letter, each)
            for each, letter in zip(said, axes, strict=True)
        ]
        image = {**image, "axes": renamed}
    return replace(stored, axes=axes, levels=levels, image=image, kept=kept)


def _at(values: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...]:
    return tuple(values[place] for place in places)


def factors_of(stored: Stored) -> list[tuple[int, ...]]:
    """How many voxels of a level along z (if there is one), y, x make one of the next, from an image's scales."""
    spatial = 3 if "z" in stored.axes else 2
    found = []
    for finer, coarser in zip(stored.levels, stored.levels[1:], strict=False):
        with np.errstate(all="ignore"):
            ratios = np.array(coarser.scale[-spatial:]) / np.array(finer.scale[-spatial:])
        if not np.isfinite(ratios).all():  # a scale of 0 says nothing of levels
            break
        found.append(tuple(max(round(ratio), 1) for ratio in ratios.tolist()))
    return found


def rounds_up_at(stored: Stored, level: int, steps: Sequence[int]) -> bool:
    """Whether a level of an image that was read has a voxel for what is left at the ends of the level before it."""
    if stored.group is None or stored.is_level or level >= len(stored.levels):
        return False
    finer, coarser = (stored.group[stored.levels[each].path].shape[-len(steps) :] for each in (level - 1, level))
    return any(small * step > n for n, small, step in zip(finer, coarser, steps, strict=True))


def _group(store: Any, stored: Stored, exists: bool) -> Any:
    import zarr

    like = stored.group or stored.array  # version 0.5, which new images have, is of Zarr 3
    zarr_format = like.metadata.zarr_format if like is not None and "ome" not in stored.attributes else _NAMING
    return zarr.open_group(store, mode="r+" if exists else "a", zarr_format=zarr_format)


def _words(like: Any, kept: Sequence[int], shape: tuple[int, ...], dtype: Any, axes: str) -> dict[str, Any]:
    """How a new array is laid out and packed: as another one, of which it has the axes ``kept``."""
    if like is None or len(kept) != len(shape):
        sides = (1 if letter in "tc" else min(_CHUNK, n) for letter, n in zip(axes, shape, strict=True))
        names = tuple(letter if letter in "tczyx" else None for letter in axes)
        return {"chunks": tuple(sides), "zarr_format": _NAMING, "dimension_names": names}
    words: dict[str, Any] = {
        "chunks": _at(like.chunks, kept), "zarr_format": like.metadata.zarr_format, "fill_value": 0,
        "compressors": like.compressors or None, "filters": like.filters or None,
    }  # fmt: skip
    if np.dtype(dtype) != like.dtype:  # filters speak of numbers of one type
        words["filters"] = None
    if like.metadata.zarr_format == 2:
        keys = {"name": "v2", "separator": like.metadata.dimension_separator}
        return words | {"order": like.order, "chunk_key_encoding": keys}
    names = like.metadata.dimension_names
    return words | {
        "shards": _at(like.shards, kept) if like.shards else None,
        "dimension_names": _at(names, kept) if names else None,
        "chunk_key_encoding": like.metadata.chunk_key_encoding,
    }
