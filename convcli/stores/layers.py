"""Decoded chunks that are held while the planes in them are asked for: slabs and blocks overlap, and decoding costs.

What is asked for next may be read ahead, by a thread of its own, while what was given is worked on.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from convcli.images.model import Pixels

# Called with the first plane, the end (exclusive) and where they go, (n, H, W, C).
Read = Callable[[int, int, Pixels], None]


@dataclass(frozen=True, eq=False)
class _Window:
    """Planes one behind the other, from ``start`` on; ``lent`` is the memory that they lie in, if it is used again."""

    start: int
    planes: Pixels
    lent: Pixels | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.planes)

    def holds(self, first: int, end: int) -> bool:
        return self.start <= first and end <= self.end

    def take(self, other: "_Window") -> int:
        """Copy what another has of the planes; returns from which on the rest is to be read."""
        if not other.start <= self.start < other.end:
            return self.start
        kept = other.planes[self.start - other.start :]
        self.planes[: len(kept)] = kept
        return other.end


class Layers:
    """Planes along one axis, of which whole layers of chunks are read, each once for requests that rise.

    ``read`` is asked for whole layers of ``chunk``, the last one of ``depth`` perhaps smaller, or for the end of one;
    ``plane`` is the shape (H, W, C) of a plane.
    """

    def __init__(self, read: Read, chunk: int, depth: int, plane: tuple[int, ...], dtype: Any) -> None:
        self._read, self._chunk, self._depth = read, chunk, depth
        self._nothing = self._window = _Window(0, np.empty((0, *plane), dtype))
        self._coming: tuple[_Window, Future[None]] | None = None

    def planes(self, first: int, end: int, spare: list[Pixels] | None = None) -> Pixels:
        """Planes first to end (exclusive); what lies before the first is let go, and read memory to the ``spare``."""
        if self._coming is not None and self._coming[0].holds(first, end):
            (made, coming), self._coming = self._coming, None
            coming.result()
            if spare is not None and self._window.lent is not None:
                spare[:] = [self._window.lent]
            self._window = made
        if not self._window.holds(first, end):
            made = self._new(first, end, None)
            at, self._window = made.take(self._window), self._nothing  # no more than that is held, while more is read
            self._read(at, made.end, made.planes[at - first :])
            self._window = made
        at = first - self._window.start
        return self._window.planes[at : at + end - first]

    def ahead(self, first: int, end: int, thread: ThreadPoolExecutor, spare: list[Pixels]) -> None:
        """Begin to read what will be asked for next, in ``spare`` memory; when it is, what was given before is void."""
        known = [self._window, self._coming[0]] if self._coming else [self._window]
        if not any(window.holds(first, end) for window in known):
            made = self._new(first, end, spare)
            self._coming = made, thread.submit(self._fill, made, self._window)

    def _fill(self, made: _Window, before: _Window) -> None:
        at = made.take(before)
        self._read(at, made.end, made.planes[at - made.start :])

    def _new(self, first: int, end: int, spare: list[Pixels] | None) -> _Window:
        """A window from a plane to the end of a layer, nothing in it yet."""
        _, *plane = self._nothing.planes.shape
        shape, dtype = (
            (min(-(-end // self._chunk) * self._chunk, self._depth) - first, *plane),
            self._nothing.planes.dtype,
        )
        if spare is None:
            return _Window(first, np.empty(shape, dtype))
        size = prod(shape) * dtype.itemsize
        lent = spare.pop() if spare and spare[0].size >= size else np.empty(size, np.uint8)
        return _Window(first, lent[:size].view(dtype).reshape(shape), lent)


class Held:
    """The layers of the last few boxes that were read, and of the next one."""

    def __init__(self, most: int, make: Callable[[Any], Layers]) -> None:
        self._most, self._make = most, make
        self._layers: OrderedDict[Hashable, Layers] = OrderedDict()
        self._next: dict[Hashable, Layers] = {}
        self._spare: list[Pixels] = []
        self._thread: ThreadPoolExecutor | None = None

    def planes(self, key: Hashable, first: int, end: int) -> Pixels:
        """Planes of a box, whose layers are made unless it is one of the last, or the next."""
        found = self._layers.pop(key, None) or self._next.pop(key, None)
        while len(self._layers) >= self._most:
            self._layers.popitem(last=False)
        self._layers[key] = found = found or self._make(key)
        return found.planes(first, end, self._spare)

    def ahead(self, key: Hashable, first: int, end: int) -> None:
        """Begin to read planes of a box: see `Layers.ahead`."""
        self._thread = self._thread or ThreadPoolExecutor(1)
        found = self._layers.get(key) or self._next.get(key)
        if found is None:
            found = self._make(key)
            self._next = {key: found}
        found.ahead(first, end, self._thread, self._spare)

    def close(self) -> None:
        """Wait for what is being read, and let go of all."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._layers, self._next, self._spare = OrderedDict(), {}, []
