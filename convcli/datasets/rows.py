"""Some samples of an array that lies in a file and is larger than memory: each is read when a batch asks for it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.budget import memory_limit

_SHARE = 4  # of the memory that may be taken: samples that are larger stay in their file


class Rows:
    """The samples at some places of a mapped array, in their order; what is taken of them is a plain array."""

    def __init__(self, array: npt.NDArray[Any], places: npt.NDArray[np.int64]) -> None:
        self.array, self.places = array, places
        self.shape = (len(places), *array.shape[1:])
        self.dtype, self.ndim = array.dtype, array.ndim
        self.size = int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        return np.ascontiguousarray(self.array[self.places[key]])


def rows_of(array: Any, places: npt.NDArray[np.int64]) -> Any:
    """The samples at these places: read now, or later where they lie in a file and are too many for memory."""
    if isinstance(array, Rows):
        array, places = array.array, array.places[places]
    size = len(places) * int(np.prod(array.shape[1:], dtype=object)) * array.dtype.itemsize
    return Rows(array, places) if is_mapped(array) and size * _SHARE > memory_limit() else array[places]


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file."""
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False
