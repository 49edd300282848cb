"""Memory that array functions work in and that is kept for the next call.

Fresh memory costs more than some of the arithmetic: the system clears each page, and none of it is in a cache. All
layers of a network share these buffers, so they also stay in the caches from one layer to the next.
"""

import threading
from math import prod
from typing import Any

import numpy as np

from convcli.loops import costs
from convcli.ops.arguments import Array


class _Kept(threading.local):
    def __init__(self) -> None:
        self.buffers: dict[tuple[str, str], Array] = {}


_KEPT = _Kept()


def scratch(what: str, shape: int | tuple[int, ...], dtype: Any) -> Array:
    """An array of undefined content, good until this thread asks for the same again.

    >>> scratch("sums", (2, 3), np.float32).shape
    (2, 3)
    """
    kind = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = prod(shape)
    if size * kind.itemsize > costs.KEPT_BYTES:
        return np.empty(shape, kind)
    key = what, kind.char
    kept = _KEPT.buffers.get(key)
    if kept is None or kept.size < size:
        kept = _KEPT.buffers[key] = np.empty(size, kind)
    return kept[:size].reshape(shape)
