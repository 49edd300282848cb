"""Files that hold one sample each, which is no picture: sounds, series, volumes, arrays; brought to one shape."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.bundles import read_npy
from convcli.datasets.model import Array
from convcli.datasets.samples import arranged
from convcli.errors import DataError
from convcli.images import READABLE_SUFFIXES
from convcli.images.formats import suffix_of
from convcli.images.npy import read_header
from convcli.images.signals import read_signal
from convcli.images.volumes import holds_planes, open_volume

SOUNDS = (".wav",)
SUFFIXES = (*READABLE_SUFFIXES, *SOUNDS)
_STACKS = (".tif", ".tiff", ".nii", ".nii.gz")
_PICTURE_AXES = 2
_ALIKE = 10  # of so many samples at least one has the shape that is called usual

Carrier = Literal["picture", "array"]


def carrier_of(path: Path) -> Carrier:
    """Whether a file is a picture, or an array of other axes: a sound, a series, a volume."""
    suffix = suffix_of(path).lower()
    if suffix in SOUNDS:
        return "array"
    if suffix == ".npy":
        try:
            with path.open("rb") as stream:
                shape = read_header(stream).shape
        except (OSError, ValueError, DataError):
            return "picture"
        return "picture" if len(shape) == _PICTURE_AXES or (len(shape) == 3 and shape[2] <= 4) else "array"
    return "array" if suffix in _STACKS and holds_planes(path) else "picture"


def read_sample(path: Path) -> Array:
    """The numbers of one file: (W, C) of a sound between -1 and 1, (D, H, W, C) of a volume, or what an .npy has."""
    suffix = suffix_of(path).lower()
    if suffix in SOUNDS:
        signal = read_signal(path)
        scale = -signal.limits[0] if signal.limits else 1.0
        return np.asarray(signal.samples / scale, np.float32)
    if suffix == ".npy":
        array = read_npy(path)
        check_memory(2 * array.nbytes, f"{path}: got an array of shape {array.shape}", DataError)
        return np.asarray(array)
    with open_volume(path) as volume:
        check_memory(2 * int(np.prod(volume.shape)) * volume.dtype.itemsize, f"{path}: its voxels", DataError)
        return volume.planes(range(volume.shape[0]))


def usual_shape(samples: Sequence[Array]) -> tuple[int, ...]:
    """The most common shape, of equally common ones the larger; where hardly two are alike, the middle of each axis."""
    counted = Counter(each.shape for each in samples)
    common = max(counted, key=lambda shape: (counted[shape], int(np.prod(shape)), shape))
    if counted[common] * _ALIKE >= len(samples):
        return common
    same = [each.shape for each in samples if each.ndim == len(common)]
    middle = tuple(int(np.median(sizes)) for sizes in zip(*same, strict=True))
    return (*middle[:-1], common[-1])


def fit(sample: Array, shape: tuple[int, ...]) -> Array:
    """A sample cut off, or filled up with zeros, at both ends of each axis, and with as many channels.

    Raises `DataError` for one of other axes.
    """
    if arranged(sample.shape, shape) is not None:
        return sample
    sample = sample[..., np.newaxis] if sample.ndim == len(shape) - 1 else sample
    if sample.ndim != len(shape):
        raise DataError(f"got an array of shape {sample.shape}, expected one of {shape}")
    if sample.shape[-1] != shape[-1]:
        if 1 not in (sample.shape[-1], shape[-1]):
            raise DataError(f"got {sample.shape[-1]} channels, expected {shape[-1]}")
        one = sample if sample.shape[-1] == 1 else sample.mean(axis=-1, keepdims=True, dtype=np.float32)
        sample = np.repeat(one, shape[-1], axis=-1)
    for axis, wanted in enumerate(shape[:-1]):
        have = sample.shape[axis]
        if have > wanted:
            start = (have - wanted) // 2
            sample = np.take(sample, range(start, start + wanted), axis)
        elif have < wanted:
            before = (wanted - have) // 2
            widths = [(before, wanted - have - before) if each == axis else (0, 0) for each in range(sample.ndim)]
            sample = np.pad(sample, widths)
    return sample
