"""Pooling windows along each axis: from their words to the tables that loops walk. No image is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Window, per_axis
from convcli.ops.arguments import MOST_CELLS, check_fit, known_windows

Counts = int | Sequence[int]


@dataclass(frozen=True, eq=False)
class PoolingAxis:
    """The windows along one axis.

    Attributes
    ----------
    table : ndarray
        (OUT, 3) int64, for each output position: the window's first cell in the image, how many of its taps are in the
        image, and which tap the first one is.
    padded_ends : ndarray
        (OUT,) int64: how many taps, from the window's first, lie in the image or its padding. ``ceil_mode`` lets a
        window hang over the padding's end.
    kernel_size : int
        Taps of every window, or 0 where windows differ from position to position.
    stride, before, dilation : int
        As in `convcli.geometry.Window`; 1, 0 and 1 where windows differ.
    """

    table: NDArray[np.int64]
    padded_ends: NDArray[np.int64]
    kernel_size: int
    stride: int = 1
    before: int = 0
    dilation: int = 1

    @cached_property
    def is_full(self) -> bool:
        """Whether all windows have all their taps in the image; where they differ, as many as the first."""
        return bool((self.table[:, 1] == self.taps).all())

    @property
    def taps(self) -> int:
        """Of a window; where they differ, of the first."""
        return self.kernel_size or int(self.table[0, 1])

    def part(self, first: int, end: int) -> tuple["PoolingAxis", int, int]:
        """The windows of positions ``first`` to ``end``, on only the cells they cover, and which cells those are."""
        table = self.table[first:end].copy()
        begin = int(table[:, 0].min())
        finish = int((table[:, 0] + (table[:, 1] - 1) * self.dilation).max()) + 1
        table[:, 0] -= begin
        before = self.before + begin - first * self.stride if self.kernel_size else 0
        return replace(self, table=table, padded_ends=self.padded_ends[first:end], before=before), begin, finish

    def middles(self) -> NDArray[np.int64]:
        """(OUT,): the cell in the middle of what each window covers of the image, the first one of two."""
        return self.table[:, 0] + (self.table[:, 1] - 1) // 2 * self.dilation

    def weights(self, weighted: bool) -> NDArray[np.float64]:
        """(1, taps), or (OUT, taps) where windows differ: 1, or what `bell` says."""
        if self.kernel_size:
            return bell(self.kernel_size)[None] if weighted else np.ones((1, self.kernel_size))
        counts = self.table[:, 1]
        weights = np.ones((len(counts), int(counts.max())))
        if weighted:
            for row, count in zip(weights, counts, strict=True):
                row[:count] = bell(int(count))
        return weights

    def divisors(self, weighted: bool, count_padding: bool) -> NDArray[np.float64]:
        """(OUT,): the sum of the weights of the taps that count."""
        weights = self.weights(weighted)
        sums = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights, axis=1)], axis=1)
        rows = np.arange(len(self.table)) % len(weights)
        first = self.table[:, 2] * (not count_padding)
        end = self.padded_ends if count_padding else self.table[:, 2] + self.table[:, 1]
        return np.asarray(sums[rows, end] - sums[rows, first])


def bell(kernel_size: int) -> NDArray[np.float64]:
    """The weights of ``weighted`` pooling along one axis: ``exp(-d**2 / (2 * sigma**2))``, sigma = kernel_size / 4.

    ``d`` is the distance of a tap from the window's centre, in taps. The window's edge lies two sigma from the centre.
    """
    distance = np.arange(kernel_size) - (kernel_size - 1) / 2
    return np.asarray(np.exp(-8 * (distance / kernel_size) ** 2))


def sliding_axes(
    sizes: Sequence[int], size: Any, stride: Counts | None, padding: PaddingSpec, dilation: Counts, ceil_mode: bool
) -> tuple[PoolingAxis, ...]:
    """Windows of one size that slide along each axis; raises `ShapeError` where none fits or one holds no pixel."""
    kernel_sizes = per_axis(size, len(sizes), "size")
    windows = known_windows(
        sizes,
        kernel_sizes,
        stride=kernel_sizes if stride is None else stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    return axes_of(sizes, windows)


def axes_of(sizes: Sequence[int], windows: Sequence[Window]) -> tuple[PoolingAxis, ...]:
    """The positions of windows that slide along each axis; raises `ShapeError` as `sliding_axes`."""
    return tuple(_sliding(axis, n, window) for axis, (n, window) in enumerate(zip(sizes, windows, strict=True)))


def adaptive_axes(sizes: Sequence[int], output_size: Counts) -> tuple[PoolingAxis, ...]:
    """Windows that share each axis out: position i has the cells ``floor(i*n/out)`` to ``ceil((i+1)*n/out)``.

    They overlap by a cell where the size does not divide; this is PyTorch's rule (``AdaptivePooling.h``).
    """
    counts = per_axis(output_size, len(sizes), "output_size")
    if max(counts, default=0) > MOST_CELLS:
        raise ShapeError(f"output_size: got {max(counts)}, expected at most {MOST_CELLS} windows along an axis")
    return tuple(_adaptive(n, count) for n, count in zip(sizes, counts, strict=True))


@lru_cache(maxsize=16)  # several are asked for the same; of 24 MP in bytes 2x2 took a tenth longer without
def _sliding(axis: int, n: int, window: Window) -> PoolingAxis:
    check_fit("size", window, axis, n)
    count = window.output(n)
    starts = np.arange(count, dtype=np.int64) * window.stride - window.before
    first_tap = np.maximum(-(starts // window.dilation), 0)
    end_tap = np.minimum(-((starts - n) // window.dilation), window.kernel_size)
    padded_ends = np.minimum(-((starts - n - window.after) // window.dilation), window.kernel_size)
    empty = np.flatnonzero(end_tap <= first_tap)
    if len(empty):
        raise ShapeError(
            f"padding: got {window.before} before and {window.after} after axis {axis}, where window {empty[0]} then "
            f"covers no pixel of the image's {n}; use less padding"
        )
    table = np.stack([starts + first_tap * window.dilation, end_tap - first_tap, first_tap], axis=1)
    return PoolingAxis(table, padded_ends, window.kernel_size, window.stride, window.before, window.dilation)


@lru_cache(maxsize=16)
def _adaptive(n: int, count: int) -> PoolingAxis:
    position = np.arange(count, dtype=np.int64)
    first = position * n // count
    taps = -(-(position + 1) * n // count) - first
    return PoolingAxis(np.stack([first, taps, np.zeros_like(first)], axis=1), taps, 0)
