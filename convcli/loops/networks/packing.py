"""Weights, biases and their gradients as the register tiles read and write them.

The filters of a layer are cut into *units*, one tile wide. Packed weights and packed gradients lie unit by unit, each
(steps, width of the tile), so that a tile reads one run of memory.
"""

from typing import Any, NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.networks.product import FOLDED, LANES, ONE, TWO


class Job(NamedTuple):
    """What a pass is made of beside its axes; integers but for the first."""

    lanewise: Any  # None for the kinds TWO and ONE, else True: the loops are compiled for either
    kind: int  # of tile: LANES, FOLDED, or TWO (with ONE where a single vector is left)
    images: int
    box_images: int
    channels: int  # numbers of an input position
    filters: int  # numbers of an output position
    groups: int
    lanes: int  # numbers of one vector
    units: int
    steps: int  # weights of one filter, or vectors of them
    boxes: int
    copies: bool  # boxes copy their input into the workspace
    slab: int  # steps after which sums go to memory, so that the weights of a slab stay in the cache
    room: int  # numbers of a gradient's workspace before the copied box


class Numbers(NamedTuple):
    """Scalars in the type of the sums."""

    floor: Any  # results are not below: zero for ReLU, else minus infinity
    lowest: Any  # minus infinity


@loop(parallel=False)
def unit_at(job, unit):
    """Kind, width of the tile, numbers wanted, and the unit's first channel, column and filter; checked arguments.

    Columns count the numbers of one step of the packed weights, all units side by side.
    """
    lanes = job.lanes
    if job.kind == LANES:
        first = unit * lanes
        return LANES, lanes, min(lanes, job.filters - first), first, first, first
    group_channels, group_filters = job.channels // job.groups, job.filters // job.groups
    if job.kind == FOLDED:
        return FOLDED, lanes, 1, unit // group_filters * group_channels, unit * lanes, unit
    panels = -(-group_filters // (2 * lanes))
    group, panel = divmod(unit, panels)
    first = panel * 2 * lanes
    wanted = min(2 * lanes, group_filters - first)
    column = group * -(-group_filters // lanes) * lanes + first
    kind = TWO if wanted > lanes else ONE
    return kind, kind * lanes, wanted, group * group_channels, column, group * group_filters + first


@loop
def unpack(partial, job, count, runs, out):
    """Add up ``partial`` (chunks, packed), chunk by chunk in order, into ``out`` (K, O); arguments are already checked.

    Each index of the parallel loop owns one of ``runs`` of rows of ``out``.
    """
    for index in prange(runs):
        run = np.int64(index)
        _unpack_rows(partial, job, count, count * run // runs, count * (run + 1) // runs, out)


@loop(parallel=False)
def _unpack_rows(partial, job, count, first_row, end_row, out):
    """Rows ``first_row`` to ``end_row`` of `unpack`; arguments are already checked."""
    chunks = partial.shape[0]
    for row in range(first_row, end_row):
        for unit in range(job.units):
            _, width, wanted, _, column, filter_ = unit_at(job, unit)
            start = column * count + row * width
            target, numbers = out[row, filter_ : filter_ + wanted], partial[0, start : start + wanted]
            for j in range(wanted):
                target[j] = numbers[j]
            for chunk in range(1, chunks):
                numbers = partial[chunk, start : start + wanted]
                for j in range(wanted):
                    target[j] += numbers[j]


@loop
def pack(weights, strides, bias, job, taps, channels, runs, packed, packed_bias):
    """Lay out flat weights and the bias (O) unit by unit; arguments are already checked.

    ``strides`` are those of group, tap, channel and filter, in numbers; columns beyond a unit's filters become zero.
    Each index of the parallel loop owns one of ``runs`` of units.
    """
    for index in prange(runs):
        run = np.int64(index)
        first, end = job.units * run // runs, job.units * (run + 1) // runs
        _pack_units(weights, strides, bias, job, taps, channels, first, end, packed, packed_bias)


@loop(parallel=False)
def _pack_units(weights, strides, bias, job, taps, channels, first_unit, end_unit, packed, packed_bias):
    """Units ``first_unit`` to ``end_unit`` of `pack`; arguments are already checked."""
    group_filters = job.filters // job.groups
    by_group, by_tap, by_channel, by_filter = strides
    for unit in range(first_unit, end_unit):
        kind, width, wanted, _, column, filter_ = unit_at(job, unit)
        first = filter_ // group_filters * by_group + filter_ % group_filters * by_filter
        across = by_channel if kind == FOLDED else by_filter
        step = width if kind == FOLDED else 1
        numbers = width if kind == FOLDED else wanted
        at = column * taps * (channels // step)
        for tap in range(taps):
            for channel in range(0, channels, step):
                start = first + tap * by_tap + channel * by_channel
                target, read = packed[at : at + width], weights[start:]
                if kind == LANES:
                    for j in range(numbers):
                        group, own = divmod(filter_ + j, group_filters)
                        target[j] = weights[group * by_group + tap * by_tap + channel * by_channel + own * by_filter]
                elif across == 1:
                    for j in range(numbers):
                        target[j] = read[j]
                else:
                    for j in range(numbers):
                        target[j] = read[j * across]
                for j in range(numbers, width):
                    target[j] = 0
                at += width
        for j in range(width):
            packed_bias[column + j] = bias[filter_ + j] if j < wanted else 0


@loop
def bias_gradient(gradient, partial):
    """Sums of ``gradient`` (pixels, O) over equal runs of pixels into ``partial`` (chunks, O); arguments are checked.

    Each index of the parallel loop owns one run, and its row of ``partial``.
    """
    pixels, filters = gradient.shape
    chunks = partial.shape[0]
    for index in prange(chunks):
        chunk = np.int64(index)
        sums = partial[chunk]
        for filter_ in range(filters):
            sums[filter_] = 0
        for pixel in range(pixels * chunk // chunks, pixels * (chunk + 1) // chunks):
            for filter_ in range(filters):
                sums[filter_] += gradient[pixel, filter_]
