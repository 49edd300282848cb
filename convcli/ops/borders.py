"""What lies beyond an image's border: names, the names other libraries use, and tables of source positions.

A table says, for each padded position along one axis, which source position it repeats; -1 stands for the constant. So
loops need not know one border from another, and a window larger than the image is nothing special.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.budget import check_memory
from convcli.errors import ShapeError, suggestion
from convcli.geometry import Pair
from convcli.kernels.parameters import shortened

# The words of numpy.pad. `abcd` continues to the right as:
BORDERS = {
    "reflect": "mirror about the last pixel: abcd|cba",
    "symmetric": "mirror about the edge, the last pixel twice: abcd|dcb",
    "edge": "repeat the last pixel: abcd|ddd",
    "wrap": "start over: abcd|abc",
    "constant": "one value: abcd|vvv",
}

# scipy.ndimage, OpenCV and torch. SciPy's own `reflect` is not here: it is our `symmetric`, and the name is taken.
ALIASES = {
    "mirror": "reflect",
    "nearest": "edge",
    "grid-mirror": "symmetric",
    "grid-wrap": "wrap",
    "grid-constant": "constant",
    "reflect101": "reflect",
    "reflect-101": "reflect",
    "default": "reflect",
    "replicate": "edge",
    "border-default": "reflect",
    "border-reflect101": "reflect",
    "border-reflect-101": "reflect",
    "border-reflect": "symmetric",
    "border-replicate": "edge",
    "border-wrap": "wrap",
    "border-constant": "constant",
    "circular": "wrap",
    "zeros": "constant",
    "zero": "constant",
}


_SMALL = 1 << 20  # positions that need not be counted


@dataclass(frozen=True, eq=False)
class Part:
    """A run of padded positions along an axis, as an operation on it reads them.

    Attributes
    ----------
    wanted : ndarray
        The source positions that it needs, rising, at least one.
    index : ndarray or None
        Which of them each padded position repeats; None where they are as they come, but for the border.
    before, after : int
        Positions of the border around them: of the constant, or of what repeats them as it repeats the whole axis.
    """

    wanted: NDArray[np.int64]
    index: NDArray[np.int64] | None = None
    before: int = 0
    after: int = 0

    @staticmethod
    def of(table: NDArray[np.int64], border: str = "constant") -> "Part":
        """A part of a `border_table`, for a loop that knows this border itself."""
        inside = np.flatnonzero(table >= 0)
        if not len(inside):
            return Part(np.zeros(1, np.int64), None, len(table))
        first, end = int(inside[0]), int(inside[-1]) + 1
        around = {"before": first, "after": len(table) - end}
        positions = table[first:end]
        wanted = np.unique(positions)
        if len(wanted) == len(positions) and (wanted == positions).all():
            return Part(wanted, None, **around)
        index = np.searchsorted(wanted, positions)
        if border != "constant":
            lowest = int(index.argmin())
            before = lowest + int((index[lowest:] > 0).argmax()) - 1  # where they begin to come as they are
            after = len(index) - before - len(wanted)
            if min(before, after) >= 0 and (index == border_table(len(wanted), (before, after), border)).all():
                return Part(wanted, None, before, after)
        return Part(wanted, index, **around)

    def repeated(self, held: NDArray[Any], axis: int) -> NDArray[Any]:
        """What is held of the wanted positions, as often as the padded ones repeat them."""
        return held if self.index is None else held.take(self.index, axis)


def runs_in(positions: NDArray[np.int64]) -> list[range]:
    """Rising positions as runs of neighbours."""
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    return [range(int(run[0]), int(run[-1]) + 1) for run in np.split(positions, breaks)]


def resolve_border(name: str) -> str:
    """One of `BORDERS`, from its own name or another library's, in any case; raises `ShapeError` for others."""
    word = str(name).lower().replace("_", "-")
    word = ALIASES.get(word, word)
    if word not in BORDERS:
        others = f", or a name of scipy, OpenCV or torch ({', '.join(sorted(ALIASES))})"
        near = suggestion(word, [*BORDERS, *ALIASES])
        raise ShapeError(f"border: got {shortened(repr(name))}, expected {', '.join(BORDERS)}{near or others}")
    return word


def border_table(n: int, padding: Pair, border: str) -> NDArray[np.int64]:
    """Source positions for an axis of ``n`` positions padded (before, after); -1 where the constant goes.

    >>> border_table(4, (2, 2), "reflect")
    array([2, 1, 0, 1, 2, 3, 2, 1])
    """
    before, after = padding
    length = n + before + after
    if length > _SMALL:
        check_memory(24 * length, f"padding: got an axis of {length:,} positions", ShapeError)
    position = np.arange(-before, n + after, dtype=np.int64)
    if border == "constant":
        return np.where((position < 0) | (position >= n), -1, position)
    if border == "edge":
        return np.clip(position, 0, n - 1)
    if border == "wrap":
        return position % n
    if border == "symmetric":
        position %= 2 * n
        return np.minimum(position, 2 * n - 1 - position)
    if n == 1:
        return np.zeros_like(position)
    position %= 2 * (n - 1)
    return np.minimum(position, 2 * (n - 1) - position)
