"""Opening Zarr: an array, or level 0 of an OME-Zarr image, as volumes along its last three axes.

Source: the OME-NGFF specification, versions 0.4 and 0.5 (multiscales, axes, coordinateTransformations).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import ConvcliError, ImageError, shortened
from convcli.extras import install
from convcli.images.depth import supported
from convcli.images.model import Pixels, check_size, shown
from convcli.images.reading import MAX_PIXELS
from convcli.images.volume_model import Volume, VolumeMetadata

_MOST_AXES = 5
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
        What is read.
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
    """

    name: str
    array: Any
    axes: str
    attributes: Mapping[str, Any]
    image: Mapping[str, Any] | None = None
    levels: tuple[Level, ...] = ()
    group: Any = None

    @property
    def depth_axes(self) -> int:
        """How many of the last axes make a volume: 3, or 2 where there is no depth."""
        return 3 if "z" in self.axes else 2

    @property
    def leading(self) -> tuple[int, ...]:
        """The lengths of the axes before those: a volume for each of their indices."""
        shape: tuple[int, ...] = self.array.shape
        return shape[: len(shape) - self.depth_axes]

    def volume(self, index: Sequence[int] = (), max_pixels: int = MAX_PIXELS) -> Volume:
        """The volume at an index of the leading axes.

        Raises `ImageError` for planes that are too large, and numbers that no pixel type holds.
        """
        sizes = (1,) * (3 - self.depth_axes) + self.array.shape[len(self.leading) :]
        if 0 in sizes:
            raise ImageError(f"{self.name}: got an array of shape {self.array.shape}, expected no axis of 0")
        check_size(sizes[2], sizes[1], max_pixels, 2 * self.array.dtype.itemsize)
        sample, notes = supported(np.zeros(1, self.array.dtype))
        read = _by_chunks(self._reader(tuple(index)), self._chunk_depth, sizes[0])
        return Volume(self.name, (*sizes, 1), sample.dtype, VolumeMetadata("ZARR"), read, warnings=tuple(notes))

    @property
    def _chunk_depth(self) -> int:
        """Planes that are decoded together."""
        return int(self.array.chunks[-3]) if self.depth_axes == 3 else 1

    def _reader(self, index: tuple[int, ...]) -> Callable[[int, int], Pixels]:
        def read(first: int, end: int) -> Pixels:
            place = (*index, slice(first, end)) if self.depth_axes == 3 else index
            try:
                voxels = np.asarray(self.array[place])
            except (OSError, ValueError, RuntimeError, KeyError) as error:
                raise ImageError(f"{self.name}: damaged Zarr: a chunk cannot be read ({_reason(error)})") from error
            return supported(voxels)[0].reshape(end - first, *self.array.shape[-2:], 1)

        return read


def open_stored(name: str) -> Stored:
    """Open a Zarr array or an OME-Zarr image to read it.

    Raises `ConvcliError` in one line: zarr is not installed, there is no such folder, it is neither, its axes are none.
    """
    zarr = zarr_library(name)
    label = shown(name)
    if not Path(name).exists():
        raise ImageError(f"{label}: no such folder")
    try:
        opened = zarr.open(name, mode="r")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ImageError(f"{label}: cannot be read as Zarr ({_reason(error)})") from error
    if isinstance(opened, zarr.Array):
        return Stored(label, opened, _axes_of(opened, label), dict(opened.attrs))
    return _image(label, opened)


def zarr_library(name: str) -> Any:
    """The library; raises `ConvcliError` with how to install it."""
    try:
        import zarr
    except ImportError:
        raise ConvcliError(f"{shown(name)}: is Zarr, which needs an extra; {install('scale')}") from None
    return zarr


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a group's attributes speak OME: below ``ome`` from version 0.5 on, at the top before."""
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, Mapping) else {}


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
        arrays = ", ".join(f"{label}/{key}" for key in sorted(group.array_keys())[:4])
        fix = f"name one: {arrays}" if arrays else "it holds no array either"
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
    return Level(str(dataset["path"]), tuple(scale.tolist()), tuple(translation.tolist()))


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


def _by_chunks(read: Callable[[int, int], Pixels], chunk: int, depth: int) -> Callable[[int, int], Pixels]:
    """The same reader, which decodes no chunk twice for slabs that overlap: whole chunks of planes are held."""
    begin, held = 0, np.zeros((0, 1, 1, 1), np.uint8)

    def read_run(first: int, end: int) -> Pixels:
        nonlocal begin, held
        start, stop = first // chunk * chunk, min(-(-end // chunk) * chunk, depth)
        known_from, known_to = max(start, begin), min(stop, begin + len(held))
        if known_from >= known_to:
            planes = read(start, stop)
        else:
            parts = [held[known_from - begin : known_to - begin]]
            parts = [read(start, known_from), *parts] if start < known_from else parts
            parts = [*parts, read(known_to, stop)] if known_to < stop else parts
            planes = parts[0] if len(parts) == 1 else np.concatenate(parts)
        begin, held = start, planes
        return planes[first - start : end - start]

    return read_run


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
