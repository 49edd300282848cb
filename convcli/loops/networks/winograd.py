"""3x3 convolution with stride 1 by Winograd's transforms: a quarter of the products, on the same register tiles.

The output is cut into squares of 4x4 pixels, from its first pixel on, whatever the threads. A thread takes a group of
squares: transforms their input (points, squares, C), multiplies each of the 36 points by its weights, a unit of filters
at a time (points, squares, width), and transforms that back. Both stay in the second-level cache.

A point's numbers are followed by a vector's worth of nothing: without it the 36 points of a square would be a multiple
of some kilobytes apart and push each other out of the first-level cache (the transforms then took half as long again).
So it is with the weights (units, 36, C, width) and their gradient.

The last point, infinity, is of use to a square's fourth row or column alone, and takes nothing but that one's gradient:
outputs of at most three rows or columns do without it.

The gradient of the weights goes in rounds: all squares of a round are transformed, both their input and the gradient of
their output; then each point is a product of its own, summed over the squares in order.
"""

from typing import NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.costs import ROW_NEEDS_SPARE, ROW_SPARE
from convcli.loops.networks.product import FEW_ROWS, ONE, ROWS, TWO, multiply, read_only
from convcli.loops.networks.winograd_vectors import (
    KERNEL,
    OUTPUTS,
    POINTS,
    finish_outputs,
    finish_weights,
    transform_gradient,
    transform_input,
    transform_weights,
)


class Squares(NamedTuple):
    """The sizes of a pass; all integers. Channels and filters are multiples of the lanes."""

    images: int
    height: int  # of the input
    width: int
    top: int  # input row of the first output row's first tap, negative for padding
    left: int
    down: int  # points along the height that are of use, and along the width
    across: int
    channels: int
    out_height: int
    out_width: int
    filters: int
    lanes: int  # numbers of one vector
    group: int  # squares transformed together
    total: int


@loop(parallel=False)
def apart(squares, numbers):
    """How far two points are apart, for squares of so many numbers each; arguments are already checked."""
    return squares.group * numbers + squares.lanes


@loop(parallel=False)
def row_of(numbers):
    """How far two squares of a round are apart, of so many numbers each; arguments are already checked."""
    return numbers + ROW_SPARE if numbers % ROW_NEEDS_SPARE == 0 else numbers


@loop(parallel=False)
def unit_of(squares, filter_):
    """Of the unit a filter is in: where its weights begin, its width, and how far two points are apart; checked."""
    unit, lanes = filter_ // (2 * squares.lanes), squares.lanes
    width = min(2 * lanes, squares.filters - unit * 2 * lanes)
    return unit * POINTS * POINTS * (2 * squares.channels + 1) * lanes, width, squares.channels * width + lanes


@loop
def transform_kernel(kernel, squares, runs, transformed):
    """Transform weights (9, C, O), flat, to (units, 36, C, width), see `unit_of`; arguments are already checked.

    A unit is two vectors of filters wide, the last one maybe one. Each index of the parallel loop owns one of ``runs``
    of channels.
    """
    for index in prange(runs):
        run = np.int64(index)
        first, end = squares.channels * run // runs, squares.channels * (run + 1) // runs
        _transform_channels(kernel, squares, first, end, 0, squares.filters, transformed)


@loop(parallel=False)
def _transform_channels(kernel, squares, first_channel, end_channel, first_filter, end_filter, transformed):
    """Some channels and some whole units of filters of `transform_kernel`; arguments are already checked."""
    channels, filters, lanes = squares.channels, squares.filters, squares.lanes
    for channel in range(first_channel, end_channel):
        for filter_ in range(first_filter, end_filter, lanes):
            at, width, step = unit_of(squares, filter_)
            transform_weights(
                kernel, channel * filters + filter_, KERNEL * channels * filters, channels * filters,
                (0, KERNEL, 0, KERNEL), transformed, at + channel * width + filter_ % (2 * lanes), POINTS * step, step,
            )  # fmt: skip


@loop
def convolve_squares(source, kernel, weights, bias, squares, numbers, by_filters, workspaces, out):
    """One pass from ``source`` (N*H*W*C) into ``out`` (N*OH*OW*O), flat; arguments are already checked.

    ``weights`` are transformed. Each index of the parallel loop owns one of the ``workspaces`` (threads, numbers) and a
    run of squares with all their outputs; or, ``by_filters``, all squares' outputs of a run of units, whose weights it
    transforms first, from ``kernel`` (9, C, O): of few squares, weights that other cores have made are far away.
    """
    workers = workspaces.shape[0]
    for index in prange(workers):
        worker = np.int64(index)
        first, end, first_filter, end_filter = np.int64(0), squares.total, np.int64(0), squares.filters
        if by_filters:
            units = -(-squares.filters // (2 * squares.lanes))
            first_filter = units * worker // workers * 2 * squares.lanes
            end_filter = min(units * (worker + 1) // workers * 2 * squares.lanes, squares.filters)
            _transform_channels(kernel, squares, 0, squares.channels, first_filter, end_filter, weights)
        else:
            first, end = squares.total * worker // workers, squares.total * (worker + 1) // workers
        room = workspaces[worker]
        _convolve_run(source, weights, bias, squares, numbers, first, end, first_filter, end_filter, room, out)


@loop(parallel=False)
def _convolve_run(
    source, weights, bias, squares, numbers, first_square, end_square, first_filter, end_filter, workspace, out
):
    """Some squares' outputs of some filters, group by group; arguments are already checked."""
    channels, group, lanes = squares.channels, squares.group, squares.lanes
    points = POINTS * POINTS
    inputs_end = points * apart(squares, channels)
    products_end = inputs_end + points * apart(squares, 2 * lanes)
    inputs, products = workspace[:inputs_end], workspace[inputs_end:products_end]
    data = read_only(inputs)
    rows = np.empty(2 * (group + ROWS), np.int64)
    for i in range(group + ROWS):
        square = min(i, group - 1)
        rows[2 * i] = square * channels
        rows[2 * i + 1] = square
    steps = np.empty(2 * channels, np.int64)
    for i in range(channels):
        steps[2 * i] = i
        steps[2 * i + 1] = i
    nothing = np.zeros(2 * lanes, out.dtype)
    places = np.empty((group, 3), np.int64)
    for i in range(len(products)):  # what is of no use is read all the same
        products[i] = 0
    for first in range(first_square, end_square, group):
        valid = min(group, end_square - first)
        for i in range(valid):
            image, y, x = _square_at(squares, first + i)
            places[i, 0], places[i, 1], places[i, 2] = image, y, x
            _transform_square(source, squares, (image, y, x), i * channels, apart(squares, channels), inputs)
        for filter_ in range(first_filter, end_filter, 2 * lanes):
            start, width, step = unit_of(squares, filter_)
            for number in range(squares.down * squares.across):
                point = _point_at(squares, number)
                _multiply_rows(
                    TWO if width > lanes else ONE, data, point * apart(squares, channels), rows, 0, valid, steps,
                    channels, weights, start + point * step, True,
                    nothing, False, numbers, products, point * apart(squares, width), width,
                )  # fmt: skip
            for i in range(valid):
                _finish_square(products, squares, places[i], i, width, filter_, bias, numbers.floor, out)


@loop(parallel=False)
def _point_at(squares, number):
    """Which of the 36 points is this one of those that are of use; arguments are already checked."""
    return number // squares.across * POINTS + number % squares.across


@loop(parallel=False)
def _square_at(squares, square):
    """Image and first output row and column of a square; arguments are already checked."""
    across, down = -(-squares.out_width // OUTPUTS), -(-squares.out_height // OUTPUTS)
    return square // (across * down), square // across % down * OUTPUTS, square % across * OUTPUTS


@loop(parallel=False)
def _multiply_rows(
    kind, data, at, rows, row, end_row, steps, count, weights, weights_at, packed, nothing, add, numbers,
    out, out_at, out_stride,
):  # fmt: skip
    """Rows ``row`` to ``end_row`` of one unit, tile by tile; arguments are already checked."""
    while row < end_row:
        rest = end_row - row
        height = FEW_ROWS if rest <= FEW_ROWS or ROWS < rest <= 2 * FEW_ROWS else ROWS
        multiply(
            None, kind, height, data, at, rows, row, steps, 0, count, weights, weights_at, packed,
            nothing, 0, add, numbers.lowest, out, out_at, out_stride, min(height, rest), out_stride,
        )  # fmt: skip
        row += height


@loop(parallel=False)
def _transform_square(source, squares, first, place, step, inputs):
    """Transform the input of the square of the ``first`` output to a place of each point, a step apart; checked."""
    image, y, x = first
    channels = squares.channels
    y, x = y + squares.top, x + squares.left
    inside = -y, squares.height - y, -x, squares.width - x
    at, line = ((image * squares.height + y) * squares.width + x) * channels, squares.width * channels
    for channel in range(0, channels, squares.lanes):
        transform_input(source, at + channel, line, channels, inside, inputs, place + channel, POINTS * step, step)


@loop(parallel=False)
def _finish_square(products, squares, first, slot, width, filter_, bias, floor, out):
    """Transform the products of the square of the ``first`` output back and store what lies inside; checked."""
    image, y, x = first[0], first[1], first[2]
    lanes, filters, step = squares.lanes, squares.filters, apart(squares, width)
    out_at = ((image * squares.out_height + y) * squares.out_width + x) * filters + filter_
    inside = squares.out_height - y, squares.out_width - x
    for lane in range(0, width, lanes):
        finish_outputs(
            products, slot * width + lane, POINTS * step, step, bias, filter_ + lane, floor, inside,
            out, out_at + lane, squares.out_width * filters, filters,
        )  # fmt: skip


@loop
def transform_round(source, gradient, squares, first, count, runs, inputs, gradients):
    """Transform the input (36, group, C) and the gradient (36, group, O) of ``count`` squares; arguments are checked.

    ``source`` (N*H*W*C) and ``gradient`` (N*OH*OW*O) are flat. Each index of the parallel loop owns one of ``runs`` of
    squares with their results.
    """
    for index in prange(runs):
        run = np.int64(index)
        row = row_of(squares.channels)
        for slot in range(count * run // runs, count * (run + 1) // runs):
            _transform_square(
                source, squares, _square_at(squares, first + slot), slot * row, apart(squares, row), inputs
            )
            _transform_gradient_square(gradient, squares, first + slot, slot, gradients)


@loop(parallel=False)
def _transform_gradient_square(gradient, squares, square, slot, gradients):
    """Transform the gradient of one square's output; arguments are already checked."""
    image, y, x = _square_at(squares, square)
    filters, row = squares.filters, row_of(squares.filters)
    step = apart(squares, row)
    inside = 0, squares.out_height - y, 0, squares.out_width - x
    at, line = ((image * squares.out_height + y) * squares.out_width + x) * filters, squares.out_width * filters
    for filter_ in range(0, filters, squares.lanes):
        transform_gradient(
            gradient, at + filter_, line, filters, inside, gradients, slot * row + filter_, POINTS * step, step
        )


@loop
def multiply_round(inputs, gradients, rows, steps, squares, numbers, nothing, count, add, blocks, sums):
    """Products of a round's squares, put in or added to ``sums`` (units, 36, C, width); arguments are already checked.

    Each index of the parallel loop owns one point and one of its ``blocks`` of channels.
    """
    channels, filters, lanes = squares.channels, squares.filters, squares.lanes
    tiles = -(-channels // ROWS)
    input_step, gradient_step = apart(squares, row_of(channels)), apart(squares, row_of(filters))
    for index in prange(squares.down * squares.across * blocks):
        number, block = divmod(np.int64(index), blocks)
        point = _point_at(squares, number)
        first, end = tiles * block // blocks * ROWS, min(tiles * (block + 1) // blocks * ROWS, channels)
        for filter_ in range(0, filters, 2 * lanes):
            start, width, step = unit_of(squares, filter_)
            _multiply_rows(
                TWO if width > lanes else ONE, inputs, point * input_step, rows, first, end, steps, count,
                gradients, point * gradient_step + filter_, None,
                nothing, add, numbers, sums, start + point * step, width,
            )  # fmt: skip


@loop
def finish_kernel(sums, squares, out):
    """Transform ``sums`` to the gradient of the weights (9*C*O), flat; arguments are already checked.

    Each index of the parallel loop owns one channel.
    """
    channels, filters, lanes = squares.channels, squares.filters, squares.lanes
    for index in prange(channels):
        channel = np.int64(index)
        for filter_ in range(0, filters, lanes):
            at, width, step = unit_of(squares, filter_)
            finish_weights(
                sums, at + channel * width + filter_ % (2 * lanes), POINTS * step, step,
                (0, squares.down, 0, squares.across), out, channel * filters + filter_, KERNEL * channels * filters,
                channels * filters,
            )  # fmt: skip
