"""Running extrema: the largest or smallest value under a flat element at every pixel.

A thread owns a block: a band of output rows, a tile of columns. Extrema of 2, 4, 8, ... neighbours are built by
doubling, the last doubling overlapping: k neighbours cost log2(k) passes over numbers in vectors. A box is done across,
then down; any other element as the runs its rows are made of.
"""

from typing import NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.pooling.winners import combine, take


class Block(NamedTuple):
    """An element's box and how the work is cut; all integers."""

    channels: int
    kernel_z: int
    kernel_y: int
    kernel_x: int
    left: int  # columns padded before the first
    tile: int  # output columns in a block
    band: int  # output rows in a block


@loop(parallel=False)
def _load(source, row, columns, x, block, fill, target):
    """Padded columns ``x`` on of a source row (W*C), or ``fill`` where ``row`` is negative; arguments are checked."""
    channels, count = block.channels, target.shape[0] // block.channels
    if row < 0:
        for i in range(target.shape[0]):
            target[i] = fill
        return
    numbers = source[row]
    width = numbers.shape[0] // channels
    body = min(max(block.left - x, 0), count)
    body_end = max(min(block.left + width - x, count), body)
    pixels = numbers[(x + body - block.left) * channels : (x + body_end - block.left) * channels]
    inside = target[body * channels : body_end * channels]
    for i in range(inside.shape[0]):
        inside[i] = pixels[i]
    for beyond in range(count - inside.shape[0] // channels):
        padded = beyond if beyond < body else beyond - body + body_end
        column = columns[x + padded]
        for channel in range(channels):
            target[padded * channels + channel] = fill if column < 0 else numbers[column * channels + channel]


@loop
def slide_box(source, tables, block, fill, smallest, out):
    """Extrema under a box of kernel_y x kernel_x: planes of ``source`` (P, H, W*C) into ``out`` (P, OH, OW*C).

    ``tables`` (rows, columns) map padded positions to source positions, -1 to ``fill``; ``smallest`` is None or True.
    Arguments are already checked. Each index of the parallel loop owns one block of ``out``.
    """
    rows, columns = tables
    channels = block.channels
    planes, out_height, out_numbers = out.shape
    out_width = out_numbers // channels
    bands = (out_height + block.band - 1) // block.band
    tiles = (out_width + block.tile - 1) // block.tile
    for task in prange(planes * bands * tiles):
        x = task % tiles * block.tile
        y = task // tiles % bands * block.band
        plane = task // (tiles * bands)
        count = (min(x + block.tile, out_width) - x) * channels
        height = min(y + block.band, out_height) - y
        held = np.empty((block.kernel_y, count), source.dtype)
        wide = np.empty(count + (block.kernel_x - 1) * channels, source.dtype)
        spare = np.empty_like(wide)
        for i in range(height + block.kernel_y - 1):
            target = held[i % block.kernel_y]
            if block.kernel_y == 1:
                target = out[plane, y + i, x * channels : x * channels + count]
            _across(source[plane], rows[y + i], columns, x, block, fill, wide, spare, target, smallest)
            _downwards(held, i, out[plane, y : y + height], x * channels, smallest)


@loop(parallel=False)
def _across(source, row, columns, x, block, fill, wide, spare, target, smallest):
    """Extrema of kernel_x neighbours of one padded row into ``target``; spoils ``wide`` and ``spare``; checked."""
    width = 1
    current, other = wide, spare
    length = wide.shape[0]
    _load(source, row, columns, x, block, fill, target if block.kernel_x == 1 else wide)
    while width < block.kernel_x:
        further = min(width, block.kernel_x - width)
        width += further
        length -= further * block.channels
        aim = target if width == block.kernel_x else other[:length]
        combine(aim, current[:length], current[further * block.channels :], smallest)
        current, other = other, current


@loop(parallel=False)
def _downwards(held, i, out, start, smallest):
    """Let padded row ``i`` into the extrema of 2, 4, ... rows that end with it, and so into a row of ``out`` (rows, n).

    ``held`` (kernel_y, n) is a ring of rows, each already the extremum of as many rows below it as its age allows.
    Going row by row, and not doubling by doubling, keeps rows in the first-level cache. Arguments are checked.
    """
    kernel, count = held.shape
    width, row = 1, i
    while width < kernel:
        further = min(width, kernel - width)
        width += further
        row -= further
        if row < 0:
            break
        below = held[(row + further) % kernel]
        if width < kernel:
            take(held[row % kernel], below, smallest)
        else:
            # A row of a slice of `out` would not be known to be contiguous, and 3 times as slow.
            combine(out[row, start : start + count], held[row % kernel], below, smallest)


@loop
def slide_runs(source, tables, runs, begins, block, fill, identity, smallest, out):
    """Extrema under any element: ``source`` (N, D, H, W*C) into ``out`` (N, OD, OH, OW*C).

    ``runs`` (R, 3) are the element's runs (row, first column, length) by plane, the shorter before the longer;
    ``begins`` (KD + 1) says where each plane's begin. ``tables`` and ``smallest`` are as for `slide_box`; ``identity``
    never wins. Arguments are already checked. Each index of the parallel loop owns one block of ``out``.
    """
    planes, rows, columns = tables
    channels = block.channels
    images, depth, out_height, out_numbers = out.shape
    out_width = out_numbers // channels
    bands = (out_height + block.band - 1) // block.band
    tiles = (out_width + block.tile - 1) // block.tile
    for task in prange(images * depth * bands * tiles):
        x = task % tiles * block.tile
        y = task // tiles % bands * block.band
        z = task // (tiles * bands) % depth
        image = task // (tiles * bands * depth)
        count = (min(x + block.tile, out_width) - x) * channels
        result = out[image, z, y : min(y + block.band, out_height)]
        for i in range(result.shape[0]):
            target = result[i, x * channels : x * channels + count]
            for n in range(count):
                target[n] = identity
        wide = np.empty(count + (block.kernel_x - 1) * channels, source.dtype)
        spare = np.empty_like(wide)
        for j in range(block.kernel_z):
            plane = planes[z + j]
            part = runs[begins[j] : begins[j + 1]]
            for i in range(result.shape[0] + block.kernel_y - 1):
                row = rows[y + i] if plane >= 0 else -1
                _load(source[image, max(plane, 0)], row, columns, x, block, fill, wide)
                _give_runs(wide, spare, part, i, channels, result, x * channels, count, smallest)


@loop(parallel=False)
def _give_runs(wide, spare, runs, i, channels, out, begin, count, smallest):
    """Let padded row ``i`` of a block into all output rows whose element reaches it; spoils the buffers; checked."""
    width, length = 1, wide.shape[0]
    for r in range(runs.shape[0]):
        row, first, wanted = runs[r, 0], runs[r, 1], runs[r, 2]
        if not 0 <= i - row < out.shape[0]:
            continue
        while 2 * width <= wanted:
            shift = width * channels
            length -= shift
            combine(spare[:length], wide[:length], wide[shift:], smallest)
            wide, spare = spare, wide
            width *= 2
        target = out[i - row, begin : begin + count]
        for end in range(2 if wanted > width else 1):
            start = (first + end * (wanted - width)) * channels
            take(target, wide[start : start + count], smallest)
