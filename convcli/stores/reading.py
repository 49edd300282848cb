"""Opening Zarr: an array, or level 0 of an OME-Zarr image, as planes along its other axes.

Source: the OME-NGFF specification, versions 0.4 and 0.5 (multiscales, axes, coordinateTransformations).
"""

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from convcli.addresses import is_address, versions_below
from convcli.errors import ConvcliError, ImageError, shortened
from convcli.extras import needed
from convcli.images.depth import own_numbers, supported
from convcli.images.model import Pixels, check_size, shown
from convcli.images.reading import MAX_PIXELS
from convcli.images.volume_axes import named
from convcli.images.volume_model import Runs, Volume, VolumeMetadata
from convcli.stores import is_store, is_store_folder
from convcli.stores.layered import as_of_system, opened
from convcli.stores.layers import Held, Layers
from convcli.stores.ngff import metadata_of
from convcli.stores.quick import check_chunks, quick, reads_in_part

_MOST_AXES = 5
_OPENED_AGAIN = 8  # times, at most, that a chunk is read from which is not packed: what is held is less
_LOOKED_AT = 10_000  # of a store that has more, what changed in the others is not noticed
_TOGETHER = 8  # volumes whose last chunks are held, where they take turns
# What the library raises about stores in which something is wrong.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError)
_GUESSED = {2: "yx", 3: "zyx"}


@dataclass(frozen=True)
class Level:
    """One resolution of an image: its array's path, and where its voxels lie, in units of each axis."""

    path: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Stored:
    """An open store.

    Attributes
    ----------
    name : str
        For messages.
    array : zarr.Array
        What is read; None of an image that is going to be made of something else.
    axes : str
        A letter for each axis of the array, the last ones ``zyx`` or ``yx``.
    image : mapping or None
        What OME-Zarr says of the image; None for a plain array.
    levels : tuple of Level
        Of an OME-Zarr image, the finest first.
    attributes : mapping
        Of the group, or of a plain array.
    group : zarr.Group or None
        The OME-Zarr image's.
    kept : tuple of int
        Where on the array the axes are, for those who have chosen among them.
    is_level : bool
        Whether an array of an image was opened, not the image.
    """

    name: str
    array: Any
    axes: str
    attributes: Mapping[str, Any]
    image: Mapping[str, Any] | None = None
    levels: tuple[Level, ...] = ()
    group: Any = None
    kept: tuple[int, ...] = ()
    is_level: bool = False


def open_stored_volume(name: str, *, axes: str = "zyx", wanted: str = "", max_pixels: int = MAX_PIXELS) -> Volume:
    """Open a Zarr array or an OME-Zarr image as `convcli.images.volumes.open_volume` opens files."""
    return volume_of(open_stored(name), axes=axes, wanted=wanted, max_pixels=max_pixels)


def volume_of(
    stored: Stored,
    *,
    axes: str = "zyx",
    wanted: str = "",
    max_pixels: int = MAX_PIXELS,
    close: Callable[[], None] = lambda: None,
) -> Volume:
    """The planes of an open store, along its axes by the names that the user gives them.

    Raises `ImageError` for planes that are too large, numbers that no pixel type holds, and other axes.
    """
    array = quick(stored.array)
    stored = replace(stored, array=array)
    leading, (height, width) = tuple(array.shape[:-2]) or (1,), array.shape[-2:]
    if 0 in array.shape:
        raise ImageError(f"{stored.name}: got an array of shape {array.shape}, expected no axis of 0")
    check_size(width, height, max_pixels, 2 * array.dtype.itemsize)
    sample, _ = supported(np.zeros(1, array.dtype))
    letters = stored.axes[:-2].upper() or "Z"
    try:
        found, notes = named(tuple(zip(letters, leading, strict=True)), axes, wanted=wanted)
    except ImageError as error:
        raise ImageError(f"{stored.name}: {error}") from None
    shape = (prod(leading), height, width, 1)
    numbers = own_numbers(array.dtype)
    words: dict[str, Any] = {"axes": found, "numbers": numbers, "warnings": notes}
    boxes, planes = (_Boxes(stored, leading, most, sample.dtype) for most in (1, _TOGETHER))
    words["read_box"] = boxes.read
    words["chunk"] = (_layer(array, -3) if len(array.shape) > 2 else 1, *array.chunks[-2:])
    words["has_runs"] = reads_in_part(array)
    all_rows, all_columns = (range(height),), (range(width),)

    def read_run(first: int, end: int) -> Pixels:
        return planes.read(np.arange(first, end), all_rows, all_columns)

    def read_ahead(indices: Pixels, rows: Runs | None, columns: Runs | None) -> None:
        if rows is None or columns is None:
            planes.ahead(indices, all_rows, all_columns)
        else:
            boxes.ahead(indices, rows, columns)

    def close_all() -> None:
        boxes.close()
        planes.close()
        close()

    words |= {"read_ahead": read_ahead, "close": close_all}
    return Volume(stored.name, shape, sample.dtype, _metadata(stored), read_run, **words)


def _metadata(stored: Stored) -> VolumeMetadata:
    level = stored.levels[0] if stored.levels else None
    has_labels = stored.group is not None and not stored.is_level and "labels" in stored.group
    return metadata_of(stored.axes, stored.image, stored.attributes, level, has_labels=has_labels)


class _Boxes:
    """Parts of an open store: neighbours along one of the leading axes are read at once, in whole layers of chunks.

    Of so many boxes at ``most`` the layers are held in which the last planes lay.
    """

    def __init__(self, stored: Stored, leading: tuple[int, ...], most: int, dtype: Any) -> None:
        self._stored, self._leading, self._dtype = stored, leading, dtype
        self._held = Held(most, self._layers)
        self.close = self._held.close

    def read(self, indices: Pixels, rows: Runs, columns: Runs) -> Pixels:
        """See `Volume.read_box`."""
        parts = [self._held.planes(*each) for each in self._requests(indices, rows, columns)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def ahead(self, indices: Pixels, rows: Runs, columns: Runs) -> None:
        """See `Volume.read_ahead`; what lies in several places is read when it is asked for."""
        requests = self._requests(indices, rows, columns)
        if len(requests) == 1:
            self._held.ahead(*requests[0])

    def _requests(self, indices: Pixels, rows: Runs, columns: Runs) -> list[tuple[Hashable, int, int]]:
        """A key of `_layers`, and where along its axis."""
        places = np.stack(np.unravel_index(indices, self._leading), -1)
        steps = np.diff(places, axis=0)
        breaks = np.flatnonzero((steps != steps[:1]).any(1) | (np.abs(steps).sum(1) != 1)) + 1
        found: list[tuple[Hashable, int, int]] = []
        for run in np.split(places, breaks):
            axis = int((run[-1] - run[0]).argmax()) if len(run) > 1 else len(self._leading) - 1
            fixed = tuple(int(each) for at, each in enumerate(run[0]) if at != axis)
            found.append(((axis, fixed, rows, columns), int(run[0][axis]), int(run[-1][axis]) + 1))
        return found

    def _layers(self, key: tuple[int, tuple[int, ...], Runs, Runs]) -> Layers:
        """The planes along one axis, at places of the others, or boxes of them."""
        (axis, fixed, rows, columns), array = key, self._stored.array
        has_depth = len(array.shape) > 2

        def read(first: int, end: int, out: Pixels) -> None:
            before, behind = (tuple(slice(at, at + 1) for at in part) for part in (fixed[:axis], fixed[axis:]))
            along = (*before, slice(first, end), *behind) if has_depth else ()
            ones = (*(np.newaxis,) * len(before), slice(None), *(np.newaxis,) * len(behind)) if has_depth else (0,)
            _read(self._stored, along, rows, columns, out[(*ones, ..., 0)])

        plane = sum(map(len, rows)), sum(map(len, columns)), 1
        layer, depth = (_layer(array, axis), int(array.shape[axis])) if has_depth else (1, 1)
        return Layers(read, layer, depth, plane, self._dtype)


def _layer(array: Any, axis: int) -> int:
    """So many planes along an axis are read together: a chunk's, or some of them where the others cost nothing."""
    chunk = int(array.chunks[axis])
    return -(-chunk // _OPENED_AGAIN) if reads_in_part(array) else chunk


def _read(stored: Stored, along: tuple[Any, ...], rows: Runs, columns: Runs, out: Pixels) -> None:
    """Put runs of rows and of columns beside each other into an array (..., h, w), of as many axes as the store."""
    top = 0
    for down in rows:
        left = 0
        for across in columns:
            where = (*along, slice(down.start, down.stop), slice(across.start, across.stop))
            _put(stored, where, out[..., top : top + len(down), left : left + len(across)])
            left += len(across)
        top += len(down)


def _put(stored: Stored, where: Any, out: Pixels) -> None:
    array, is_zarr = stored.array, hasattr(stored.array, "get_basic_selection")
    try:
        with as_of_system(array):
            if reads_in_part(array):
                check_chunks(array, [range(each.start, each.stop) for each in where])
            if is_zarr and array.dtype == out.dtype and out.flags.c_contiguous:
                array.get_basic_selection(where, out=_buffer(out))
                return
            found = np.asarray(array[where])
    except _DAMAGE as error:
        if is_zarr and isinstance(error, OSError) and "Local" not in type(array.store).__name__:
            raise  # at an address it may be read the next time
        kind = "Zarr" if is_zarr else "HDF5"
        raise ImageError(f"{stored.name}: damaged {kind}: a chunk cannot be read ({_reason(error)})") from error
    out[...] = supported(found)[0]


def _buffer(out: Pixels) -> Any:
    from zarr.buffer.cpu import NDBuffer

    return NDBuffer(out)


def open_stored(name: str) -> Stored:
    """Open a Zarr array or an OME-Zarr image to read it.

    Raises `ConvcliError` in one line: zarr is not installed, there is no such folder, it is neither, its axes are none.
    """
    zarr = zarr_library(name)
    label = shown(name)
    if not is_address(name) and not Path(name).exists():
        raise ImageError(f"{label}: no such folder")
    if not is_address(name) and not is_store_folder(Path(name)):
        raise ImageError(
            f"{label}: is a folder of other things, expected a Zarr store, which has a zarr.json or .zarray"
        )
    try:
        try:
            opened = zarr.open(name, mode="r")
        except FileNotFoundError:
            raise ImageError(f"{label}: no array or group of Zarr is there") from None
        if isinstance(opened, zarr.Array):
            return _level_of_image(name, label, opened) or Stored(
                label, opened, _axes_of(opened, label), dict(opened.attrs)
            )
        return _image(label, opened)
    except ConvcliError:
        raise
    except ImportError as error:
        raise ConvcliError(f"{label}: needs another library ({_reason(error)})") from None
    except Exception as error:  # at an address whatever its library raises: of credentials, of connections
        if not isinstance(error, _DAMAGE) and not is_address(name):
            raise
        raise ImageError(f"{label}: cannot be read as Zarr ({_reason(error)})") from error


def open_level(folder: str, path: str, axes: str) -> Volume:
    """One level of a store that is being written, to make the next of it: its last leading axis counts as depth."""
    zarr = zarr_library(folder)
    array = zarr.open_array(opened(folder), path=path or None, mode="r")
    volume = volume_of(Stored(shown(folder), array, axes, {}))
    *others, (_, depth) = volume.leading
    return replace(volume, axes=(*others, ("Z", depth)))


def newest_of(name: str) -> Any:
    """What changes when something in a store is written, as far as its first `_LOOKED_AT` files tell.

    Here the latest time, in nanoseconds; at an address what is known of each file there.
    """
    if is_address(name):
        return versions_below(name, _LOOKED_AT)
    return max((place.stat().st_mtime_ns for place in islice(_files(Path(name)), _LOOKED_AT)), default=0)


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder, in an order of their names."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(place, each) for each in sorted(files))


def zarr_library(name: str) -> Any:
    """The library; raises `ConvcliError` with how to install it."""
    return needed("zarr", "scale", f"{shown(name)}: is Zarr, which needs an extra; ", ConvcliError)


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a group's attributes speak OME: below ``ome`` from version 0.5 on, at the top before."""
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, Mapping) else {}


def _level_of_image(name: str, label: str, array: Any) -> Stored | None:
    """An array that is one level of the image in whose folder it lies, as an image of this level; None for others."""
    parent, _, own = name.rstrip("/").rpartition("/")
    if "::" in name or not is_store(parent):
        return None
    zarr = zarr_library(name)
    try:
        image = _image(label, zarr.open_group(parent, mode="r"))
    except (ImageError, *_DAMAGE):
        return None
    found = next((each for each in image.levels if each.path == own), None)
    if found is None or len(array.shape) != len(image.axes):
        return None
    return replace(image, array=array, levels=(replace(found, path="0"),), is_level=True)


def _image(label: str, group: Any) -> Stored:
    attributes = dict(group.attrs)
    try:
        image = ome_of(attributes)["multiscales"][0]
        datasets = image["datasets"]
        axes = "".join(str(each["name"] if isinstance(each, Mapping) else each).lower() for each in image["axes"])
        levels = tuple(_level(each, image, len(axes)) for each in datasets)
        array = group[levels[0].path]
        shape = array.shape
    except (LookupError, TypeError, ValueError, AttributeError):
        inside = sorted(group.array_keys())[:4] or sorted(key for key in group.group_keys() if key != "OME")[:4]
        names = ", ".join(f"{label}/{key}" for key in inside)
        fix = f"name one: {names}" if names else "it holds no array either"
        raise ImageError(f"{label}: is a group, expected an array or an OME-Zarr image (multiscales); {fix}") from None
    if len(shape) != len(axes) or not axes.endswith("yx") or len(set(axes)) < len(axes):
        raise ImageError(f"{label}: got axes {shortened(axes)} of an array of shape {shape}, expected such as tczyx")
    return Stored(label, array, axes, attributes, image, levels, group)


def _level(dataset: Mapping[str, Any], image: Mapping[str, Any], count: int) -> Level:
    """A level with its own transformations followed by those of all."""
    scale, translation = np.ones(count), np.zeros(count)
    for each in (*dataset.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        if each["type"] == "scale":
            factor = np.asarray(each["scale"], float).reshape(count)
            scale, translation = scale * factor, translation * factor
        elif each["type"] == "translation":
            translation = translation + np.asarray(each["translation"], float).reshape(count)
    path = str(dataset["path"])
    if any(part in (".", "..") for part in path.split("/")):
        raise ValueError(f"a path {path}")
    return Level(path, tuple(scale.tolist()), tuple(translation.tolist()))


def _axes_of(array: Any, label: str) -> str:
    """The axes' letters: as the array names its dimensions (Zarr 3, or xarray in Zarr 2), else by their number."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    letters = "".join(str(name).lower() for name in named or ())
    count = len(array.shape)
    if len(letters) == count and letters.endswith("yx"):
        return letters
    if count not in _GUESSED:
        raise ImageError(
            f"{label}: got an array of shape {array.shape} that does not name its axes, expected (D, H, W), "
            f"or names (dimension_names) such as t, c, z, y, x; at most {_MOST_AXES}"
        )
    return _GUESSED[count]


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
