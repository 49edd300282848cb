"""Non-local means: means of the pixels whose surroundings look alike.

A thread owns a block and goes through the offsets of the search one by one: squared differences of the block and the
block moved by the offset, their sums over patches, weights, weighted values; all row by row, in vectors.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.blocks import block_of, blocks_of, decayed, divide, load_planar
from convcli.loops.filtering.likeness import LANES, add_one, add_three, differ_one, differ_three

_GROUP = 4  # numbers that are added to a sum at once


@loop
def nlmeans(source, tables, frame, patch, decay, covered, fill, out):
    """Non-local means of ``source`` (N, D, H, W*S) into floats ``out`` (N, OD, OH, OW*C); checked arguments.

    ``tables`` (planes, rows, columns) map padded places to source places, -1 to ``fill``; of a window the frame's rows
    and columns are those of search and ``patch`` (KH, KW) together. ``decay`` takes sums of squares over a patch. With
    ``covered`` the last of S = C + 1 channels says how far a pixel can be seen, 0 to 1. Each index of the parallel loop
    owns one block of ``out``.
    """
    planes, rows, columns = tables
    channels = frame.channels
    given = channels + 1 if covered else channels
    search_y, search_x = frame.rows - patch[0] + 1, frame.columns - patch[1] + 1
    for task in prange(blocks_of(out.shape, frame)):
        block = block_of(task, out.shape, frame)
        count, bands = block.x_end - block.x, block.y_end - block.y
        whole, length = _whole(count), _whole(_whole(count) + patch[1] - 1)
        height, width = bands + frame.rows - 1, count + frame.columns - 1
        step = length + search_x - 1
        held = np.zeros(height * given * step, out.dtype)
        pixels = held.reshape((height, given, step))
        line = np.empty(width * given, out.dtype)
        plane = planes[block.z]
        for j in range(height):
            row = rows[block.y + j] if plane >= 0 else -1
            numbers = source[block.image, max(plane, 0)]
            load_planar(numbers, row, columns, frame.left, block.x, given, fill, line, pixels[j])
        total, sums = np.zeros((bands, whole), out.dtype), np.zeros((bands, channels, whole), out.dtype)
        ring, down = np.zeros(patch[0] * length, out.dtype), np.empty(length, out.dtype)
        weight = np.empty(whole, out.dtype)
        for offset in range(search_y * search_x):
            move_y, move_x = offset // search_x, offset % search_x
            for j in range(bands + patch[0] - 1):
                mine = ((search_y - 1) // 2 + j) * given * step + (search_x - 1) // 2
                other, slot, y = (move_y + j) * given * step + move_x, j % patch[0], j - patch[0] + 1
                middle = (move_y + (patch[0] - 1) // 2 + y) * given * step + move_x + (patch[1] - 1) // 2
                if covered or (channels != 1 and channels != 3):
                    _squares(held, mine, other, step, channels, ring[slot * length : (slot + 1) * length])
                    if y >= 0:
                        _add_taps(ring, length, patch[0], down)
                        _add_taps(down, 1, patch[1], weight)
                        _add_weighted(weight, held, middle, step, decay, covered, total[y], sums[y])
                elif channels == 1:
                    differ_one(held, mine, other, step, ring, slot, patch[0], length, down)
                    if y >= 0:
                        add_one(down, patch[1], held, middle, step, decay.slope, total[y], sums[y], whole)
                else:
                    differ_three(held, mine, other, step, ring, slot, patch[0], length, down)
                    if y >= 0:
                        add_three(down, patch[1], held, middle, step, decay.slope, total[y], sums[y], whole)
        for y in range(bands):
            target = out[block.image, block.z, block.y + y, block.x * channels : block.x_end * channels]
            divide(sums[y], total[y], 0, target)


@loop(parallel=False)
def _whole(count):
    """So many numbers, rounded up to whole vectors; arguments are already checked."""
    return (count + LANES - 1) // LANES * LANES


@loop(parallel=False)
def _squares(held, mine, other, step, channels, target):
    """Sums over the channels of squared differences of pixels (n) from two places on; arguments are already checked."""
    target[:] = 0
    for channel in range(channels):
        here, there = held[mine + channel * step :], held[other + channel * step :]
        for i in range(target.shape[0]):
            apart = here[i] - there[i]
            target[i] += apart * apart


@loop(parallel=False)
def _add_taps(numbers, step, taps, target):
    """Sums of ``taps`` numbers, ``step`` apart, from each of the first (n) on; arguments are already checked."""
    done = 0
    while done < taps:
        if taps - done >= _GROUP:
            a, b = numbers[done * step :], numbers[(done + 1) * step :]
            c, d = numbers[(done + 2) * step :], numbers[(done + 3) * step :]
            if done == 0:
                for i in range(target.shape[0]):
                    target[i] = (a[i] + b[i]) + (c[i] + d[i])
            else:
                for i in range(target.shape[0]):
                    target[i] += (a[i] + b[i]) + (c[i] + d[i])
            done += _GROUP
        elif taps - done >= 3 and done > 0:
            a, b, c = numbers[done * step :], numbers[(done + 1) * step :], numbers[(done + 2) * step :]
            for i in range(target.shape[0]):
                target[i] += (a[i] + b[i]) + c[i]
            done += 3
        else:
            a = numbers[done * step :]
            if done == 0:
                for i in range(target.shape[0]):
                    target[i] = a[i]
            else:
                for i in range(target.shape[0]):
                    target[i] += a[i]
            done += 1


@loop(parallel=False)
def _add_weighted(distance, held, first, step, decay, covered, total, sums):
    """Weights by distances (n), and values from a place on times weights, into their sums; checked arguments."""
    channels = sums.shape[0]
    cover = held[first + channels * step :]
    for i in range(total.shape[0]):
        weight = decayed(distance[i], decay)
        distance[i] = weight * cover[i] if covered else weight
        total[i] += distance[i]
    for channel in range(channels):
        there, target = held[first + channel * step :], sums[channel]
        for i in range(total.shape[0]):
            target[i] += distance[i] * there[i]
