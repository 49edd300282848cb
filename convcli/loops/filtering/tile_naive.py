"""The naive twin of the register tile: readable and slow. It runs where nothing is compiled, and in tests."""

import numpy as np

from convcli.loops.costs import STRETCH_VECTORS
from convcli.loops.costs import TILE_ROWS as ROWS
from convcli.loops.vectors import VECTOR_BYTES


def accumulate_twin(ring, starts, weights, masks, lengths, bias, sums, count):
    """Sums (R, >= count) of a program over a flat ring; the arithmetic of the tile, readable and slow."""
    sums[:, :count] = bias
    entry = 0
    for mask, length in zip(masks, lengths, strict=True):
        for t in range(entry, entry + length):
            numbers = ring[starts[t] : starts[t] + count]
            for row in range(sums.shape[0]):
                if mask >> row & 1:
                    sums[row, :count] += weights[t, row] * numbers
        entry += length


def accumulate_pixels_twin(
    ring, starts, weights, masks, lengths, bias, numbers, out, first, whole, sums=(), count=0, ahead=()
):
    """The same sums as pixels: ``out[:, first : first + whole]``; returns how many were clipped. Others as they are."""
    if len(sums):
        accumulate_twin(ring[whole:], starts, weights, masks, lengths, bias, sums, count - whole)
    numbers_of = np.empty((weights.shape[1], whole), weights.dtype)
    accumulate_twin(ring, starts, weights, masks, lengths, bias, numbers_of, whole)
    return _store(numbers_of, numbers, out[:, first : first + whole]) if whole else 0


def accumulate_stretches_twin(row, starts, weights, masks, lengths, bias, numbers, out, count, stretch, spacing):
    """The sums of one row as pixels ``out[:count]``: a program's row r adds to every number of stretch r."""
    inside = np.add.outer(spacing * np.arange(STRETCH_VECTORS), np.arange(VECTOR_BYTES // weights.itemsize)).reshape(-1)
    clipped = 0
    for column in range(0, count, ROWS * inside.size):
        read = row[starts[:, None] + column + inside]
        sums, pixels = np.empty((ROWS, inside.size), weights.dtype), np.empty((ROWS, inside.size), out.dtype)
        at = np.arange(len(starts)) * inside.size
        accumulate_twin(read.reshape(-1), at, weights, masks, lengths, bias, sums, inside.size)
        clipped += _store(sums, numbers, pixels)
        for r in range(ROWS):
            out[column + r * stretch + inside] = pixels[r]
    return clipped


def _store(sums, numbers, out):
    """Sums as pixels of the same shape; returns how many were clipped."""
    rounded = np.rint(np.abs(sums) if numbers.fold else sums)
    clipped = np.where(rounded >= numbers.low, np.minimum(rounded, numbers.high), numbers.low)
    out[...] = clipped
    return int((rounded != clipped).sum())
