"""Decoded chunks that are held while the planes in them are asked for: slabs and blocks overlap, and decoding costs."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from convcli.images.model import Pixels


class Layers:
    """Planes along one axis, of which whole layers of chunks are read, each once for requests that rise.

    ``read(first, end)`` gives planes of whole layers of ``chunk``, the last one of ``depth`` perhaps smaller.
    """

    def __init__(self, read: Callable[[int, int], Pixels], chunk: int, depth: int) -> None:
        self._read, self._chunk, self._depth = read, chunk, depth
        self._held: list[tuple[int, Pixels]] = []  # from which plane on, in order

    def planes(self, first: int, end: int) -> Pixels:
        """Planes first to end (exclusive); what lies before the first, or behind the last layer, is let go."""
        chunk = self._chunk
        at, stop = first // chunk * chunk, min(-(-end // chunk) * chunk, self._depth)
        found: list[tuple[int, Pixels]] = []
        for start, planes in self._held:
            if start + len(planes) <= first or start >= stop:
                continue
            if at < start:
                found.append((at, self._read(at, start)))
            found.append((start, planes))
            at = start + len(planes)
        if at < stop:
            self._held = found  # nothing else, while more is read
            found.append((at, self._read(at, stop)))
        self._held = found
        parts = [planes[max(first - start, 0) : end - start] for start, planes in found]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Held:
    """The layers of the last few boxes that were read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._layers: OrderedDict[Hashable, Layers] = OrderedDict()

    def of(self, key: Hashable, make: Callable[[], Layers]) -> Layers:
        """Those of one box, made anew unless it is one of the last."""
        found = self._layers.pop(key, None)
        while len(self._layers) >= self._most:
            self._layers.popitem(last=False)
        self._layers[key] = found = make() if found is None else found
        return found
