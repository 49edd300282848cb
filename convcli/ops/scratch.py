"""Memory that array functions work in and that is kept for the next call; memory that begins where a cache line does.

Fresh memory costs more than some of the arithmetic: the system clears each page, and none of it is in a cache. All
layers of a network share these buffers, so they also stay in the caches from one layer to the next.

numpy's arrays begin 16 bytes behind the start of a cache line, so that of vectors of 64 bytes each lies in two lines,
and every second one of 32. Layers read and write each number many times: Winograd's transforms of 56x56x64 took 2.7 ms
there and 1.3 with aligned buffers, their products 9.7 and 6.3; on AVX2 storing the results took 2.1 and 1.9, of smaller
images that stay in the cache 0.29 and 0.20.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from convcli.loops import costs
from convcli.ops.arguments import Array

_LINE = 64  # bytes
_MOST_SHOWN = 256


class _Kept(threading.local):
    def __init__(self) -> None:
        self.buffers: dict[tuple[str, str], Array] = {}
        self.shown: dict[tuple[Any, ...], Array] = {}  # parts of them, as they were asked for
        self.given_back: Array | None = None


_KEPT = _Kept()


def scratch(what: str, shape: int | tuple[int, ...], dtype: Any) -> Array:
    """An array of undefined content, good until this thread asks for the same again.

    >>> scratch("sums", (2, 3), np.float32).shape
    (2, 3)
    """
    asked = what, shape, dtype
    found = _KEPT.shown.get(asked)
    if found is not None:
        return found
    kind = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = prod(shape)
    if size * kind.itemsize > costs.KEPT_BYTES:
        return aligned(shape, kind)
    key = what, kind.char
    kept = _KEPT.buffers.get(key)
    if kept is None or kept.size < size:
        kept = _KEPT.buffers[key] = aligned((size,), kind)
        _KEPT.shown.clear()
    if len(_KEPT.shown) >= _MOST_SHOWN:
        _KEPT.shown.clear()
    found = _KEPT.shown[asked] = kept[:size].reshape(shape)
    return found


def give_back(result: Array | None) -> None:
    """Let the memory of a result that nobody looks at any more be the next one's of its size; None: let go."""
    while result is not None and isinstance(result.base, np.ndarray):
        result = result.base
    is_plain = result is not None and result.flags.owndata and result.flags.c_contiguous and result.flags.writeable
    _KEPT.given_back = result.reshape(-1).view(np.uint8) if result is not None and is_plain else None


@contextmanager
def lent(memory: Array | None) -> Iterator[None]:
    """Let a result be made in this memory, which has no gaps, if it is of its size; None: where there is some."""
    if memory is None:
        yield
        return
    _KEPT.given_back = memory.reshape(-1).view(np.uint8)
    try:
        yield
    finally:
        _KEPT.given_back = None


def given_back(size: int) -> Array | None:
    """So many bytes that were given back, if they were just as many."""
    found = _KEPT.given_back
    if found is None or found.size != size:
        return None
    _KEPT.given_back = None
    return found


def aligned(shape: Sequence[int], dtype: Any) -> Array:
    """A new array of undefined content that begins with a cache line.

    >>> aligned((2, 3), np.float32).ctypes.data % 64
    0
    """
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    memory = np.empty(size + _LINE, np.uint8)
    return np.ndarray(shape, kind, memory, -memory.ctypes.data % _LINE)
