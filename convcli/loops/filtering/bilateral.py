"""The bilateral filter: means of those neighbours that look alike."""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.blocks import block_of, blocks_of, decayed, divide, load_planar
from convcli.loops.filtering.likeness import LANES, weigh_one, weigh_three


@loop
def bilateral(source, tables, frame, places, space, decay, covered, fill, out):
    """Bilateral means of ``source`` (N, D, H, W*S) into floats ``out`` (N, OD, OH, OW*C); checked arguments.

    ``tables`` (planes, rows, columns) map padded places to source places, -1 to ``fill``. ``places`` (T, 3) are the
    neighbours' planes, rows and columns in the window; ``space`` (T) is what their distance counts for among squared
    differences, which ``decay`` takes. With ``covered`` the last of S = C + 1 channels says how far a pixel can be
    seen, 0 to 1. Each index of the parallel loop owns one block of ``out``.
    """
    planes, rows, columns = tables
    channels = frame.channels
    given = channels + 1 if covered else channels
    for task in prange(blocks_of(out.shape, frame)):
        block = block_of(task, out.shape, frame)
        count, height = block.x_end - block.x, block.y_end - block.y + frame.rows - 1
        width = count + frame.columns - 1
        held = np.zeros(frame.planes * height * given * width + LANES, out.dtype)
        pixels = held[: frame.planes * height * given * width].reshape((frame.planes * height, given, width))
        line = np.empty(width * given, out.dtype)
        for j in range(pixels.shape[0]):
            plane = planes[block.z * frame.stride_z + j // height]
            row = rows[block.y + j % height] if plane >= 0 else -1
            numbers = source[block.image, max(plane, 0)]
            load_planar(numbers, row, columns, frame.left, block.x, given, fill, line, pixels[j])
        starts = np.empty(places.shape[0], np.int64)
        for t in range(places.shape[0]):
            starts[t] = (places[t, 0] * height + places[t, 1]) * given * width + places[t, 2]
        middle = ((frame.planes - 1) // 2 * height + (frame.rows - 1) // 2) * given * width + (frame.columns - 1) // 2
        total, sums = np.empty(count + LANES, out.dtype), np.empty((channels, count + LANES), out.dtype)
        for y in range(block.y_end - block.y):
            base = y * given * width
            if covered or (channels != 1 and channels != 3):
                _weigh(held, middle + base, base, starts, space, decay, width, covered, total, sums, count)
            elif channels == 1:
                weigh_one(held, middle + base, base, starts, space, decay.slope, width, total, sums, count)
            else:
                weigh_three(held, middle + base, base, starts, space, decay.slope, width, total, sums, count)
            target = out[block.image, block.z, block.y + y, block.x * channels : block.x_end * channels]
            divide(sums, total, target)


@loop(parallel=False)
def _weigh(held, own, base, starts, space, decay, step, covered, total, sums, count):
    """`weigh_one` of any number of channels, and by how far neighbours can be seen; arguments are already checked."""
    channels = sums.shape[0]
    weight = np.empty(count, held.dtype)
    total[:] = 0
    sums[:] = 0
    for t in range(starts.shape[0]):
        at = base + starts[t]
        weight[:] = 0
        for channel in range(channels):
            here, there = held[own + channel * step :], held[at + channel * step :]
            for i in range(count):
                weight[i] += abs(there[i] - here[i])
        cover = held[at + channels * step :]
        for i in range(count):
            weight[i] = decayed(space[t] + weight[i] * weight[i], decay)
            if covered:
                weight[i] *= cover[i]
            total[i] += weight[i]
        for channel in range(channels):
            there, target = held[at + channel * step :], sums[channel]
            for i in range(count):
                target[i] += weight[i] * there[i]
