"""HDF5 as a source of volumes: a data set of a file, named behind ``::`` where there are several. h5py is an extra."""

from typing import Any

from convcli.errors import ConvcliError, ImageError
from convcli.extras import install
from convcli.images.model import shown
from convcli.images.volume_model import Volume
from convcli.stores import BEHIND, file_of
from convcli.stores.reading import Stored, volume_of

_AXES = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
_MOST_LISTED = 4


def open_hdf5(name: str, *, axes: str, wanted: str, max_pixels: int) -> Volume:
    """Open a data set, the only one of two axes or more unless one is named; raises `ConvcliError` in one line."""
    try:
        import h5py
    except ImportError:
        raise ConvcliError(f"{shown(name)}: is HDF5, which needs an extra; {install('scale')}") from None
    path = file_of(name)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ImageError(f"{shown(path)}: cannot be read as HDF5 ({' '.join(str(error).split())[:160]})") from error
    try:
        dataset = _chosen(h5py, file, name)
        lead = axes[: axes.index("yx")] if "yx" in axes else ""
        letters = f"{lead}yx" if len(lead) + 2 == dataset.ndim else _AXES.get(dataset.ndim, "")
        if not letters:
            raise ImageError(f"{shown(name)}: got a data set of shape {dataset.shape}, expected 2 to 5 axes")
        stored = Stored(shown(name), _Array(dataset, file), letters, dict.fromkeys(dataset.attrs))
        volume = volume_of(stored, axes=axes, wanted=wanted, max_pixels=max_pixels, close=file.close)
    except BaseException:
        file.close()
        raise
    return volume


class _Array:
    """A data set in the words of a Zarr array, as far as it is read."""

    def __init__(self, dataset: Any, store: Any) -> None:
        self.shape, self.dtype, self.store, self._dataset = dataset.shape, dataset.dtype, store, dataset
        self.chunks = dataset.chunks or (1,) * dataset.ndim

    def __getitem__(self, where: Any) -> Any:
        return self._dataset[where]


def _chosen(h5py: Any, file: Any, name: str) -> Any:
    path, _, inside = name.partition(BEHIND)
    found: list[str] = []

    def note(name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and each.ndim > 1 and each.dtype.kind in "biuf":
            found.append(name)

    if inside:
        dataset = file.get(inside)
        if isinstance(dataset, h5py.Dataset) and dataset.ndim > 1:
            return dataset
    file.visititems(note)
    deep = [each for each in found if file[each].ndim > 2] or found
    if len(deep) == 1 and not inside:
        return file[deep[0]]
    names = ", ".join(f"{shown(path)}{BEHIND}/{each}" for each in deep[:_MOST_LISTED])
    fix = f"name one: {names}" if names else "it holds none"
    raise ImageError(f"{shown(name)}: got {inside or f'{len(deep)} data sets'}, expected one volume; {fix}")
