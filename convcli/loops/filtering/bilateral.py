"""The bilateral filter: means of those neighbours that look alike.

Two pixels count as much for each other as the other way round. So only the weights of neighbours to the right and below
are reckoned, and kept for the pixels for which they lie to the left and above.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.blocks import block_of, decayed, divide, load_planar
from convcli.loops.filtering.correlation import store_row
from convcli.loops.filtering.likeness import BEYOND, LANES, Parts, weigh_one, weigh_three


class Neighbours(NamedTuple):
    """The places of a window without its middle, in its order: opposite to place t is that t places before the end."""

    places: Any  # (T, 3): planes, rows and columns in the window
    space: Any  # (T): what the distance of a place counts for among squared differences
    scale: Any  # what pixels are multiplied by while they are held
    unit: Any  # one over that
    decay: Any  # see `decayed`; of all that together
    kept: int  # of how many places, all behind the middle, weights are kept; 0 for none


@loop
def bilateral(source, tables, frame, neighbours, covered, numbers, outside, out):
    """Bilateral means of ``source`` (N, D, H, W*S) as `store_row` writes them into ``out`` (N, OD, OH, OW*C).

    Arguments are already checked. ``tables`` (planes, rows, columns) map padded places to source places, -1 to the
    border's value. With ``covered`` the last of S = C + 1 channels says how far a pixel can be seen, 0 to 1. Each index
    of the parallel loop owns one block of ``out``, and one cell of ``outside``.
    """
    planes, rows, columns = tables
    channels = frame.channels
    given = channels + 1 if covered else channels
    places, space, kept = neighbours.places, neighbours.space, neighbours.kept
    unit, last = neighbours.unit, places.shape[0]
    half = (frame.rows - 1) // 2
    side = (frame.columns - 1) // 2
    for task in prange(outside.shape[0]):
        block = block_of(task, out.shape, frame)
        height = block.y_end - block.y + frame.rows - 1
        width = block.x_end - block.x + frame.columns - 1
        step = -(-width // LANES) * LANES
        size = frame.planes * height * given * step
        held = _aligned(size + side + BEYOND, space)
        held[size:] = 0
        pixels = held[:size].reshape((frame.planes * height, given, step))
        pixels[:, :, width:] = 0
        line = np.empty(width * given, space.dtype)
        for j in range(pixels.shape[0]):
            plane = planes[block.z * frame.stride_z + j // height]
            row = rows[block.y + j % height] if plane >= 0 else -1
            values = source[block.image, max(plane, 0)]
            load_planar(values, row, columns, frame.left, block.x, given, numbers.border_value, line, pixels[j])
            _multiply(pixels[j, :channels], neighbours.scale)
        starts, spots = np.empty(last, np.int64), np.zeros(last, np.int64)
        for t in range(last):
            starts[t] = (places[t, 0] * height + places[t, 1]) * given * step + places[t, 2]
        middle = ((frame.planes - 1) // 2 * height + half) * given * step + side
        # With weights that are kept, those of the pixels are needed too that hang over to the left and right.
        over = side if kept else 0
        count = width - 2 * (side - over)
        lead, wide = -(-side // LANES) * LANES, step + BEYOND
        rings, turns = np.empty(kept + 1, np.int64), np.zeros(kept, np.int64)
        _set_rings(places, half, rings)
        weights = _aligned(rings[kept] * wide + lead + BEYOND if kept else count + BEYOND, space)
        means = _aligned((count + BEYOND) * channels, space)
        total, sums = np.empty(count, space.dtype), np.empty((channels, count), space.dtype)
        for y in range(-half if kept else 0, block.y_end - block.y):
            own, base = middle - over + y * given * step, y * given * step - over
            parts = Parts(0, last // 2, last // 2)
            if kept:
                _find_spots(places, rings, turns, side, lead, wide, spots)
                # Rows over the block only lend weights to those in it.
                parts = Parts(kept, kept, kept) if y >= 0 else Parts(0, 0, _first(places, half - y))
            if covered or (channels != 1 and channels != 3):
                _weigh(held, own, base, starts, neighbours, step, covered, total, sums)
                divide(sums, total, 0, means[: count * channels])
                _multiply(means[: count * channels].reshape((1, -1)), unit)
            elif channels == 1:
                weigh_one(held, own, base, starts, space, unit, step, weights, spots, parts, means, count)
            else:
                weigh_three(held, own, base, starts, space, unit, step, weights, spots, parts, means, count)
            if y >= 0:
                target = out[block.image, block.z, block.y + y, block.x * channels : block.x_end * channels]
                if numbers.whole and numbers.inside:
                    _round(means[over * channels :], target)
                else:
                    outside[task] += store_row(means[over * channels :], target, numbers)


@loop(parallel=False)
def _aligned(count, like):
    """Memory for so many numbers that begins with a whole vector; arguments are already checked."""
    memory = np.empty(count + LANES, like.dtype)
    return memory[LANES - memory.ctypes.data // memory.itemsize % LANES :]


@loop(parallel=False)
def _round(numbers, target):
    """Numbers as the integers (n) that are nearest, half to even; arguments are already checked."""
    for i in range(target.shape[0]):
        target[i] = np.int32(np.rint(numbers[i]))


@loop(parallel=False)
def _multiply(numbers, factor):
    """Multiply numbers (C, n) by a factor; arguments are already checked."""
    for channel in range(numbers.shape[0]):
        line = numbers[channel]
        for i in range(line.shape[0]):
            line[i] *= factor


@loop(parallel=False)
def _first(places, row):
    """The first of places (T, 3) in this row or a later one; arguments are already checked."""
    first = 0
    while first < places.shape[0] and places[first, 1] < row:
        first += 1
    return first


@loop(parallel=False)
def _set_rings(places, half, rings):
    """Where the ring of rows of each of the last places (K + 1) begins, in rows: as many as a weight waits for."""
    kept = rings.shape[0] - 1
    rings[0] = 0
    for m in range(kept):
        rings[m + 1] = rings[m] + places[places.shape[0] - kept + m, 1] - half + 1


@loop(parallel=False)
def _find_spots(places, rings, turns, side, lead, wide, spots):
    """Where a row finds the weights of the first places, and where it puts those of the last; checked arguments.

    The row that found the oldest one in a ring is overwritten by the next: ``turns`` (K) go on by one.
    """
    kept, last = turns.shape[0], places.shape[0]
    for m in range(kept):
        t = kept - 1 - m
        following = turns[m] + 1 if turns[m] + 1 < rings[m + 1] - rings[m] else 0
        spots[t] = (rings[m] + following) * wide + lead - side + places[t, 2]
        spots[last - kept + m] = (rings[m] + turns[m]) * wide + lead
        turns[m] = following


@loop(parallel=False)
def _weigh(held, own, base, starts, neighbours, step, covered, total, sums):
    """Sums (C, n) as of `weigh_one`, and of weights (n), also by how far pixels can be seen; checked arguments."""
    channels, count = sums.shape
    weight = np.empty(count, held.dtype)
    cover = held[own + channels * step :]
    for i in range(count):
        total[i] = cover[i] if covered else neighbours.decay.terms[0]
    for channel in range(channels):
        here, target = held[own + channel * step :], sums[channel]
        for i in range(count):
            target[i] = total[i] * here[i]
    for t in range(starts.shape[0]):
        at = base + starts[t]
        weight[:] = 0
        for channel in range(channels):
            here, there = held[own + channel * step :], held[at + channel * step :]
            for i in range(count):
                weight[i] += abs(there[i] - here[i])
        cover = held[at + channels * step :]
        for i in range(count):
            weight[i] = decayed(neighbours.space[t] + weight[i] * weight[i], neighbours.decay)
            if covered:
                weight[i] *= cover[i]
            total[i] += weight[i]
        for channel in range(channels):
            there, target = held[at + channel * step :], sums[channel]
            for i in range(count):
                target[i] += weight[i] * there[i]
