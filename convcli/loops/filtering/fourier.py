"""Correlation by Fourier transforms: blocks of a padded image, two at a time.

A block's transform times that of the kernel is the transform of their correlation, but for the rows and columns where
the window would leave the block; blocks overlap by those. Two blocks are the real and the imaginary part of one
transform, and their correlations come back the same way. Columns are transformed where they are, a vector's width at a
time; rows are brought into columns first, and transformed, multiplied and transformed back in one go.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.correlation import store_row
from convcli.loops.filtering.fourier_vectors import LANES, butterfly_backward, butterfly_forward, transpose


class Blocks(NamedTuple):
    """How a padded plane is cut; all integers."""

    rows: int  # of a block, a power of four and of `LANES` at least
    columns: int
    valid_rows: int  # of a block's correlation
    valid_columns: int
    channels: int
    left: int  # columns padded before the first
    stride_z: int


class Spectrum(NamedTuple):
    """The kernel's transform over the block's numbers, conjugated, and the factors of the butterflies."""

    re: Any  # (rows * columns,) float32: groups of `LANES` rows, in them columns, in them rows
    im: Any
    down: Any  # of columns
    along: Any  # of rows


@loop
def correlate_blocks(source, tables, blocks, spectrum, numbers, offset, step, outside, out):
    """Correlate ``source`` (N, D, H, W*C) into ``out`` (N, D, OH, OW*C), both integers; arguments are already checked.

    ``offset`` is taken from all pixels before; the bias in ``numbers`` has made up for it. Sums become multiples
    of ``step``, a power of two. Each index of the parallel loop owns every so-many-th pair of blocks, and one cell of
    ``outside``.
    """
    images, planes, out_rows, out_numbers = out.shape
    down = (out_rows + blocks.valid_rows - 1) // blocks.valid_rows
    across = (out_numbers // blocks.channels + blocks.valid_columns - 1) // blocks.valid_columns
    units = down * across * blocks.channels
    pairs = (units + 1) // 2
    workers = outside.shape[0]
    for index in prange(workers):
        worker = np.int64(index)  # unsigned from prange; mixed with signed integers it would become a float
        stride = blocks.columns + LANES  # rows a power of two apart would push each other out of the cache
        re = np.zeros(blocks.rows * stride, np.float32)
        im = np.zeros(blocks.rows * stride, np.float32)
        clipped = 0
        for pair in range(worker, images * planes * pairs, workers):
            plane, unit = pair // pairs, pair % pairs * 2
            position = tables[0][plane % planes * blocks.stride_z]
            pixels, target = source[plane // planes, max(position, 0)], out[plane // planes, plane % planes]
            _load_block(pixels, position >= 0, tables, blocks, unit, across, numbers, offset, re)
            if unit + 1 < units:
                _load_block(pixels, position >= 0, tables, blocks, unit + 1, across, numbers, offset, im)
            else:
                im[:] = 0
            _correlate_pair(re, im, blocks, spectrum, stride)
            clipped += _store_block(re, blocks, unit, across, numbers, step, target)
            if unit + 1 < units:
                clipped += _store_block(im, blocks, unit + 1, across, numbers, step, target)
        outside[worker] = clipped


@loop(parallel=False)
def _correlate_pair(re, im, blocks, spectrum, stride):
    """Transform, multiply, transform back, in place (rows, stride), flat; arguments are already checked."""
    rows, columns = blocks.rows, blocks.columns
    for x in range(0, columns, LANES):
        _forward(re, im, x, stride, rows, spectrum.down)
    group_re, group_im = np.empty(columns * LANES, np.float32), np.empty(columns * LANES, np.float32)
    for y in range(0, rows, LANES):
        for x in range(0, columns, LANES):
            transpose(re, y * stride + x, stride, group_re, x * LANES, LANES)
            transpose(im, y * stride + x, stride, group_im, x * LANES, LANES)
        _forward(group_re, group_im, 0, LANES, columns, spectrum.along)
        first = y * columns
        for k in range(columns * LANES):
            real, imaginary = group_re[k], group_im[k]
            group_re[k] = real * spectrum.re[first + k] - imaginary * spectrum.im[first + k]
            group_im[k] = real * spectrum.im[first + k] + imaginary * spectrum.re[first + k]
        _backward(group_re, group_im, 0, LANES, columns, spectrum.along)
        for x in range(0, blocks.valid_columns, LANES):
            transpose(group_re, x * LANES, LANES, re, y * stride + x, stride)
            transpose(group_im, x * LANES, LANES, im, y * stride + x, stride)
    for x in range(0, blocks.valid_columns, LANES):
        _backward(re, im, x, stride, rows, spectrum.down)


@loop(parallel=False)
def _forward(re, im, at, step, size, factors):
    """Transform ``size`` vectors, ``step`` numbers apart; arguments are already checked."""
    length, t = size, 0
    while length > 1:
        quarter = length // 4
        for j in range(quarter):
            for first in range(j, size, length):
                butterfly_forward(re, im, at + first * step, quarter * step, factors, t + 6 * j)
        t += 6 * quarter
        length = quarter


@loop(parallel=False)
def _backward(re, im, at, step, size, factors):
    """Undo `_forward`, but for a factor of ``size``; arguments are already checked."""
    length, t = 4, factors.shape[0] - 6
    while length <= size:
        quarter = length // 4
        for j in range(quarter):
            for first in range(j, size, length):
                butterfly_backward(re, im, at + first * step, quarter * step, factors, t + 6 * j)
        length *= 4
        t -= 6 * length // 4


@loop(parallel=False)
def _load_block(source, is_there, tables, blocks, unit, across, numbers, offset, target):
    """A block of one channel of a padded plane (H, W*C), less the offset; zeros beyond it; arguments are checked."""
    _, rows, columns = tables
    channels, left, size = blocks.channels, blocks.left, blocks.columns
    channel, block = unit % channels, unit // channels
    top, x = block // across * blocks.valid_rows, block % across * blocks.valid_columns
    width, stride = source.shape[1] // channels, size + LANES
    border = np.float32(numbers.border_value - offset)
    body = min(max(left - x, 0), size)
    body_end = max(min(left + width - x, size), body)
    for row in range(blocks.rows):
        line = target[row * stride : row * stride + size]
        if top + row >= rows.shape[0]:
            line[:] = 0
        elif rows[top + row] < 0 or not is_there:
            line[:] = border
        else:
            pixels = source[rows[top + row]]
            _load_cells(pixels, columns, channels, channel, x, 0, body, border, offset, line)
            first = (x - left) * channels + channel
            for i in range(body, body_end):
                line[i] = np.float32(pixels[first + i * channels]) - offset
            _load_cells(pixels, columns, channels, channel, x, body_end, size, border, offset, line)


@loop(parallel=False)
def _load_cells(pixels, columns, channels, channel, x, first, end, border, offset, line):
    """Cells of a line through the column table, -1 for the border; arguments are already checked."""
    for i in range(first, end):
        column = columns[x + i] if x + i < columns.shape[0] else -1
        line[i] = border if column < 0 else np.float32(pixels[column * channels + channel]) - offset


@loop(parallel=False)
def _store_block(source, blocks, unit, across, numbers, step, out):
    """The valid part of a block as pixels of ``out`` (OH, OW*C); returns how many were clipped; checked arguments."""
    channels = blocks.channels
    channel, block = unit % channels, unit // channels
    top, x = block // across * blocks.valid_rows, block % across * blocks.valid_columns
    height = min(blocks.valid_rows, out.shape[0] - top)
    width = min(blocks.valid_columns, out.shape[1] // channels - x)
    stride, outside = blocks.columns + LANES, 0
    steps = np.float32(1) / step
    for row in range(height):
        line = source[row * stride : row * stride + width]
        for i in range(width):
            line[i] = np.rint((line[i] + numbers.bias) * steps) * step
        outside += store_row(line, out[top + row, x * channels + channel : (x + width) * channels : channels], numbers)
    return outside
