"""Which data set of the registry arrays are, by their very pixels: it is that set then, its name and classes too."""

import hashlib
import struct

import numpy as np

from convcli.datasets.model import Array, Split
from convcli.datasets.registry import ENTRIES, Entry


def known_set(train: Split, classes: tuple[str, ...]) -> Entry | None:
    """The data set of the registry whose training images and labels these are."""
    if train.images.ndim != 4 or train.images.shape[3] != 1 or train.images.dtype != np.uint8:
        return None
    images, labels = train.images[..., 0], train.labels.astype(np.uint8)
    for entry in ENTRIES.values():
        if len(entry.files) != 4 or entry.files[0].shape != images.shape or len(entry.classes) < len(classes):
            continue
        digests = [file.content_md5 for file in entry.files[:2]]
        if digests == [_idx_digest(images), _idx_digest(labels)]:
            return entry
    return None


def _idx_digest(array: Array) -> str:
    """The checksum of the IDX file that holds this array."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    made = hashlib.md5(head, usedforsecurity=False)
    made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()
