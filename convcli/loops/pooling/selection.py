"""Pooling that looks at a window as a whole: the median, and a value drawn by chance.

``tables`` is as for `convcli.loops.pooling.walk.Walk`; ``dilations`` are those along z, y and x.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange


@loop(parallel=False)
def _sort(values, low, high):
    """Sort ``values[low : high + 1]`` in place by insertion: for few values; arguments are already checked."""
    for i in range(low + 1, high + 1):
        value = values[i]
        j = i - 1
        while j >= low and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@loop(parallel=False)
def _select(values, rank):
    """The value of this rank (0 is the smallest); disorders ``values``, which hold no NaN; checked arguments."""
    low, high = 0, values.shape[0] - 1
    while high - low > 16:
        middle = (low + high) // 2
        a, b, c = values[low], values[middle], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return values[rank]
    _sort(values, low, high)
    return values[rank]


@loop(parallel=False)
def _widest(columns):
    """The most cells of a window along x; arguments are already checked."""
    widest = 0
    for x in range(columns.shape[0]):
        widest = max(widest, columns[x, 1])
    return widest


@loop
def pool_medians(source, tables, dilations, channels, out):
    """Lower medians of the windows of ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C); NaN where one is in it.

    Arguments are already checked. Each index of the parallel loop owns one row of ``out``.
    """
    planes, rows, columns = tables
    depth, height, out_width = planes.shape[0], rows.shape[0], columns.shape[0]
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        first_z, count_z = planes[z, 0], planes[z, 1]
        first_y, count_y = rows[y, 0], rows[y, 1]
        values = np.empty(count_z * count_y * _widest(columns), source.dtype)
        for x in range(out_width):
            for channel in range(channels):
                found = 0
                unordered = source.dtype.type(0)
                for index in range(count_z * count_y):
                    row = source[
                        image, first_z + index // count_y * dilations[0], first_y + index % count_y * dilations[1]
                    ]
                    for tap in range(columns[x, 1]):
                        value = row[(columns[x, 0] + tap * dilations[2]) * channels + channel]
                        values[found] = value
                        found += 1
                        if value != value:
                            unordered = value
                median = unordered
                if unordered == unordered:
                    median = _select(values[:found], (found - 1) // 2)
                out[image, z, y, x * channels + channel] = median


@loop(parallel=False)
def _uniform(seed, index):
    """A number from (0, 1] that depends on a seed and an index alone (SplitMix64); arguments are already checked."""
    state = seed + (np.uint64(index) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (np.float64(state >> np.uint64(11)) + 1.0) * 2.0**-53


@loop
def draw_positions(source, tables, dilations, channels, seed, drawn, out):
    """Draw a position in each window of ``source`` (N, D, H, W*C) with a chance in proportion to its positive value.

    ``out`` (N, OD, OH, OW*C) int64 gets flat positions in ``source``; a window with NaN gives the first NaN's, one
    without positive values any position with the same chance. ``drawn`` counts the numbers drawn before, for other
    parts of one image. Arguments are already checked. Each index of the parallel loop owns one row of ``out``.
    """
    planes, rows, columns = tables
    depth, height, out_width = planes.shape[0], rows.shape[0], columns.shape[0]
    numbers = source.shape[3]
    for task in prange(out.shape[0] * depth * height):
        y = task % height
        z = task // height % depth
        image = task // (height * depth)
        first_z, count_z = planes[z, 0], planes[z, 1]
        first_y, count_y = rows[y, 0], rows[y, 1]
        size = count_z * count_y * _widest(columns)
        values, places = np.empty(size), np.empty(size, np.int64)
        for x in range(out_width):
            for channel in range(channels):
                found, total, broken = 0, 0.0, -1
                for index in range(count_z * count_y):
                    plane = first_z + index // count_y * dilations[0]
                    line = first_y + index % count_y * dilations[1]
                    flat = ((image * source.shape[1] + plane) * source.shape[2] + line) * numbers
                    for tap in range(columns[x, 1]):
                        at = (columns[x, 0] + tap * dilations[2]) * channels + channel
                        value = np.float64(source[image, plane, line, at])
                        values[found], places[found] = value, flat + at
                        if value != value and broken < 0:
                            broken = found
                        if value > 0.0:
                            total += value
                        found += 1
                chosen = broken
                if broken < 0:
                    chance = _uniform(seed, drawn + (task * out_width + x) * channels + channel)
                    chosen = _chosen(values[:found], total, chance)
                out[image, z, y, x * channels + channel] = places[chosen]


@loop(parallel=False)
def _chosen(values, total, chance):
    """The index at which the positive values, added up, reach ``chance * total``; arguments are already checked."""
    if total == 0.0:
        return min(int((1.0 - chance) * values.shape[0]), values.shape[0] - 1)
    reached, last = 0.0, 0
    for i in range(values.shape[0]):
        if values[i] > 0.0:
            reached += values[i]
            last = i
            if reached >= chance * total:
                return i
    return last
