"""Convolution layers on the register tiles: a pass forward, and the gradient of the weights.

Forward, transposed and the gradient of the input are all a *pass*: output position ``j`` of an axis sums the taps ``t``
at input positions ``START + j * STEP + t * TAP_STEP``, zero outside the input, and is stored at ``OUT_START + j *
OUT_STEP``. Every image has three axes, the missing ones of size 1.

The output is cut into *boxes* (images, planes, rows, columns), and a box into *zones* of pixels that see the same taps
inside the input: nothing is multiplied by zero, and the input is read where it is. Where zones would be too small a box
copies its input, with zeros around it, into a workspace that stays in the second-level cache, and is one zone. The
filters are cut into units, one tile wide: see `convcli.loops.networks.packing`.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.networks.packing import unit_at
from convcli.loops.networks.product import FEW_ROWS, FOLDED, LANES, ROWS, multiply, read_only

# Columns of ``axes`` (3, 10), a row for each of depth, height and width; all integers.
COUNT, BOX, START, STEP, TAPS, TAP_STEP, SIZE, OUT_START, OUT_STEP, OUT_SIZE = range(10)


@loop(parallel=False)
def _extent(axes, axis):
    """Input positions under a whole box along one axis; arguments are already checked."""
    return (axes[axis, BOX] - 1) * axes[axis, STEP] + (axes[axis, TAPS] - 1) * axes[axis, TAP_STEP] + 1


@loop(parallel=False)
def _source_sizes(axes, job):
    """(D, H, W) of what the tiles read: the input or the workspace; arguments are already checked."""
    if job.copies:
        return _extent(axes, 0), _extent(axes, 1), _extent(axes, 2)
    return axes[0, SIZE], axes[1, SIZE], axes[2, SIZE]


@loop(parallel=False)
def _fill_zones(axes, job, first, sizes, zones):
    """Cut each axis of a box into runs (first, end, first tap, end of taps) that see the same taps; checked arguments.

    Returns how many there are along depth, height and width.
    """
    found = (0, 0, 0)
    for axis in range(3):
        taps, step, tap_step = axes[axis, TAPS], axes[axis, STEP], axes[axis, TAP_STEP]
        count = 0
        for i in range(sizes[axis + 1]):
            place = axes[axis, START] + (first[axis + 1] + i) * step
            low, high = 0, taps
            if not job.copies:
                low = min(max(-(place // tap_step), 0), taps)
                high = max(min((axes[axis, SIZE] - 1 - place) // tap_step + 1, taps), low)
            if count and zones[axis, count - 1, 2] == low and zones[axis, count - 1, 3] == high:
                zones[axis, count - 1, 1] = i + 1
            else:
                zones[axis, count, 0] = i
                zones[axis, count, 1] = i + 1
                zones[axis, count, 2] = low
                zones[axis, count, 3] = high
                count += 1
        found = (found[1], found[2], count)
    return found


@loop(parallel=False)
def _fill_taps(axes, job, zone, low, high, table):
    """Pairs of a zone's weights: offset in the source, place among a filter's weights; returns how many.

    Only places from ``low`` to ``high`` are taken; arguments are already checked.
    """
    _, height, width = _source_sizes(axes, job)
    channels = 1 if job.kind == LANES else job.channels // job.groups
    step = job.lanes if job.kind == FOLDED else 1
    each = channels // step
    at = 0
    for z in range(zone[0, 2], zone[0, 3]):
        for y in range(zone[1, 2], zone[1, 3]):
            for x in range(zone[2, 2], zone[2, 3]):
                first = (z * axes[0, TAP_STEP] * height + y * axes[1, TAP_STEP]) * width + x * axes[2, TAP_STEP]
                place = ((z * axes[1, TAPS] + y) * axes[2, TAPS] + x) * each
                for channel in range(min(max(low - place, 0), each), min(max(high - place, 0), each)):
                    table[2 * at] = first * job.channels + channel * step
                    table[2 * at + 1] = place + channel
                    at += 1
    _repeat_last(table, at)
    return at


@loop(parallel=False)
def _fill_pixels(axes, job, images, zone, table):
    """Pairs of a zone's pixels: offsets in the source and in the output from the box's first; returns how many."""
    depth, height, width = _source_sizes(axes, job)
    at = 0
    for image in range(images):
        for z in range(zone[0, 0], zone[0, 1]):
            for y in range(zone[1, 0], zone[1, 1]):
                line = ((image * depth + z * axes[0, STEP]) * height + y * axes[1, STEP]) * width
                place = (image * axes[0, OUT_SIZE] + z * axes[0, OUT_STEP]) * axes[1, OUT_SIZE] + y * axes[1, OUT_STEP]
                place *= axes[2, OUT_SIZE]
                for x in range(zone[2, 0], zone[2, 1]):
                    table[2 * at] = (line + x * axes[2, STEP]) * job.channels
                    table[2 * at + 1] = (place + x * axes[2, OUT_STEP]) * job.filters
                    at += 1
    _repeat_last(table, at)
    return at


@loop(parallel=False)
def _repeat_last(table, count):
    """Append ROWS times the last of ``count`` pairs: a tile of fewer rows reads somewhere all the same; checked."""
    for extra in range(2 * count, 2 * (count + ROWS)):
        table[extra] = table[extra - 2] if count else 0


@loop(parallel=False)
def _find_zone(axes, job, zones, found, number, images, low, high, known, counts, tables):
    """Fill the tables of one zone of a box, unless they are there; returns their slot; arguments are already checked.

    The zone that sees all taps, usually by far the largest, has slot 0 for itself, all others share slot 1. ``known``
    (2, 13) says what is in a slot's ``tables`` (2, 2, pairs), ``counts`` (2, 2) how many pixels and taps.
    """
    z, rest = divmod(number, found[1] * found[2])
    y, x = divmod(rest, found[2])
    slot = 0
    for axis, run in enumerate((z, y, x)):
        if zones[axis, run, 2] > 0 or zones[axis, run, 3] < axes[axis, TAPS]:
            slot = 1
    new = known[slot, 12] != images
    known[slot, 12] = images
    for axis, run in enumerate((z, y, x)):
        for i in range(4):
            new |= known[slot, 4 * axis + i] != zones[axis, run, i]
            known[slot, 4 * axis + i] = zones[axis, run, i]
    if new:
        zone = known[slot, :12].reshape(3, 4)
        counts[slot, 0] = _fill_pixels(axes, job, images, zone, tables[slot, 0])
        counts[slot, 1] = _fill_taps(axes, job, zone, low, high, tables[slot, 1])
    return slot


@loop(parallel=False)
def _box_at(axes, job, box):
    """First output (image, z, y, x) of a box and its sizes; arguments are already checked."""
    boxes_x = -(-axes[2, COUNT] // axes[2, BOX])
    boxes_y = -(-axes[1, COUNT] // axes[1, BOX])
    boxes_z = -(-axes[0, COUNT] // axes[0, BOX])
    x = box % boxes_x * axes[2, BOX]
    y = box // boxes_x % boxes_y * axes[1, BOX]
    z = box // (boxes_x * boxes_y) % boxes_z * axes[0, BOX]
    image = box // (boxes_x * boxes_y * boxes_z) * job.box_images
    sizes = (
        min(job.box_images, job.images - image),
        min(axes[0, BOX], axes[0, COUNT] - z),
        min(axes[1, BOX], axes[1, COUNT] - y),
        min(axes[2, BOX], axes[2, COUNT] - x),
    )
    return (image, z, y, x), sizes


@loop(parallel=False)
def _first_offsets(axes, job, first):
    """Offsets of a box's first pixel in the source and in the output; arguments are already checked."""
    source = first[0]
    place = first[0]
    for axis in range(3):
        source = source * axes[axis, SIZE] + axes[axis, START] + first[axis + 1] * axes[axis, STEP]
        place = place * axes[axis, OUT_SIZE] + axes[axis, OUT_START] + first[axis + 1] * axes[axis, OUT_STEP]
    return (0 if job.copies else source * job.channels), place * job.filters


@loop(parallel=False)
def _copy_box(source, axes, job, first, sizes, room):
    """Copy the input under a box of ``sizes`` outputs at ``first``, zero outside the input; checked arguments."""
    depth, height, width = _extent(axes, 0), _extent(axes, 1), _extent(axes, 2)
    top_z = axes[0, START] + first[1] * axes[0, STEP]
    top_y = axes[1, START] + first[2] * axes[1, STEP]
    top_x = axes[2, START] + first[3] * axes[2, STEP]
    used_z = depth - (axes[0, BOX] - sizes[1]) * axes[0, STEP]
    used_y = height - (axes[1, BOX] - sizes[2]) * axes[1, STEP]
    used_x = width - (axes[2, BOX] - sizes[3]) * axes[2, STEP]
    channels = job.channels
    before = min(max(-top_x, 0), used_x) * channels
    inside = max(min(axes[2, SIZE] - top_x, used_x) * channels, before)
    for image in range(sizes[0]):
        for z in range(used_z):
            for y in range(used_y):
                at = ((image * depth + z) * height + y) * width * channels
                line = ((first[0] + image) * axes[0, SIZE] + top_z + z) * axes[1, SIZE] + top_y + y
                start = (line * axes[2, SIZE] + top_x) * channels
                within = 0 <= top_z + z < axes[0, SIZE] and 0 <= top_y + y < axes[1, SIZE]
                left, right = (before, inside) if within else (0, 0)
                # Slices assigned to slices would compile Numba's whole error formatting; indices that may be negative
                # would not vectorise.
                row = room[at : at + used_x * channels]
                for i in range(left):
                    row[i] = 0
                inside_row, pixels = row[left:right], source[start + left : start + right]
                for i in range(right - left):
                    inside_row[i] = pixels[i]
                rest = row[right:]
                for i in range(len(rest)):
                    rest[i] = 0


@loop(parallel=False)
def _multiply_rows(
    lanewise, kind, wanted, data, at, rows, row_count, steps, count, slab, weights, weights_at, packed,
    bias, bias_at, add, numbers, out, out_at, out_stride,
):  # fmt: skip
    """All rows of one unit, tile by tile and slab by slab; arguments are already checked."""
    for step in range(0, max(count, 1), slab):
        length = min(slab, count - step)
        floor = numbers.floor if step + length == count else numbers.lowest
        first = 0
        while first < row_count:
            rest = row_count - first
            height = FEW_ROWS if rest <= FEW_ROWS or ROWS < rest <= 2 * FEW_ROWS else ROWS
            multiply(
                lanewise, kind, height, data, at, rows, first, steps, step, length, weights, weights_at, packed,
                bias, bias_at, add or step > 0, floor, out, out_at, out_stride, min(height, rest), wanted,
            )  # fmt: skip
            first += height


@loop
def convolve(source, weights, bias, axes, job, numbers, workspaces, tables, out):
    """One pass from ``source`` (N*D*H*W*C) into ``out`` (N*OD*OH*OW*O), flat; arguments are already checked.

    ``weights`` and ``bias`` are packed. Each index of the parallel loop owns one of the ``workspaces`` (threads,
    numbers) and ``tables`` (threads, 2, 2, pairs), and a run of boxes with all their outputs.
    """
    workers = workspaces.shape[0]
    for index in prange(workers):
        worker = np.int64(index)  # unsigned from prange; mixed with signed integers it would become a float
        first, end = job.boxes * worker // workers, job.boxes * (worker + 1) // workers
        _convolve_boxes(source, weights, bias, axes, job, numbers, first, end, workspaces[worker], tables[worker], out)


@loop(parallel=False)
def _convolve_boxes(source, weights, bias, axes, job, numbers, first_box, end_box, workspace, tables, out):
    """Boxes ``first_box`` to ``end_box`` of a pass; arguments are already checked."""
    data = read_only(workspace) if job.copies else source
    zones = np.empty((3, 2 * max(axes[0, TAPS], max(axes[1, TAPS], axes[2, TAPS])) + 1, 4), np.int64)
    known, counts = np.zeros((2, 13), np.int64), np.zeros((2, 2), np.int64)
    for box in range(first_box, end_box):
        first, sizes = _box_at(axes, job, box)
        if job.copies:
            _copy_box(source, axes, job, first, sizes, workspace)
        at, out_at = _first_offsets(axes, job, first)
        found = _fill_zones(axes, job, first, sizes, zones)
        for number in range(found[0] * found[1] * found[2]):
            slot = _find_zone(axes, job, zones, found, number, sizes[0], 0, job.steps, known, counts, tables)
            pixels, taps = tables[slot, 0], tables[slot, 1]
            for unit in range(job.units):
                kind, _, wanted, channel, column, filter_ = unit_at(job, unit)
                _multiply_rows(
                    job.lanewise, kind, wanted, data, at + channel, pixels, counts[slot, 0], taps, counts[slot, 1],
                    job.slab, weights, column * job.steps, True, bias, column, False, numbers,
                    out, out_at + filter_, 1,
                )  # fmt: skip


@loop(parallel=False)
def _block_start(job, block, blocks):
    """The first weight of a block, a multiple of ROWS but for the last; arguments are already checked."""
    return min(-(-job.steps // ROWS) * block // blocks * ROWS, job.steps)


@loop(parallel=False)
def _pack_panel(gradient, at, pixels, valid, wanted, width, panel, panel_pixels):
    """Copy ``wanted`` numbers of each pixel to a panel ``width`` wide, and say where they are; checked arguments."""
    for i in range(valid):
        start = at + pixels[2 * i + 1]
        panel_pixels[2 * i] = pixels[2 * i]
        panel_pixels[2 * i + 1] = i * width
        target, numbers = panel[i * width : (i + 1) * width], gradient[start : start + wanted]
        for j in range(wanted):
            target[j] = numbers[j]
        for j in range(wanted, width):
            target[j] = 0


@loop
def weight_gradient(source, gradient, axes, job, numbers, parts, workspaces, tables, partial):
    """Add source times gradient over the pixels of each part to ``partial``; arguments are already checked.

    ``source`` (N*D*H*W*C) and ``gradient`` (N*OD*OH*OW*O) are flat, ``partial`` (chunks, packed weights) is zero. A
    part is a chunk of boxes and a block of rows, (chunks, blocks) of them: the parts depend on the shapes alone, not on
    the threads. Each index of the parallel loop owns one of the ``workspaces`` and ``tables``, and a run of parts.
    """
    workers = workspaces.shape[0]
    chunks, blocks = parts
    for index in prange(workers):
        worker = np.int64(index)
        first, end = chunks * blocks * worker // workers, chunks * blocks * (worker + 1) // workers
        _weight_gradient_parts(
            source, gradient, axes, job, numbers, parts, first, end, workspaces[worker], tables[worker], partial
        )


@loop(parallel=False)
def _weight_gradient_parts(
    source, gradient, axes, job, numbers, parts, first_part, end_part, workspace, tables, partial
):
    """Parts ``first_part`` to ``end_part`` of a weight gradient; arguments are already checked."""
    chunks, blocks = parts
    panel, room = workspace[: job.room], workspace[job.room :]
    panel_pixels = np.empty(tables.shape[2], np.int64)
    data = read_only(room) if job.copies else source
    zones = np.empty((3, 2 * max(axes[0, TAPS], max(axes[1, TAPS], axes[2, TAPS])) + 1, 4), np.int64)
    known, counts = np.zeros((2, 13), np.int64), np.zeros((2, 2), np.int64)
    zeros = np.zeros(1, partial.dtype)
    for part in range(first_part, end_part):
        chunk, block = divmod(part, blocks)
        out = partial[chunk]
        low, high = _block_start(job, block, blocks), _block_start(job, block + 1, blocks)
        known[0, 12] = known[1, 12] = 0  # the taps of another block
        for box in range(job.boxes * chunk // chunks, job.boxes * (chunk + 1) // chunks):
            first, sizes = _box_at(axes, job, box)
            if job.copies:
                _copy_box(source, axes, job, first, sizes, room)
            at, out_at = _first_offsets(axes, job, first)
            found = _fill_zones(axes, job, first, sizes, zones)
            for number in range(found[0] * found[1] * found[2]):
                slot = _find_zone(axes, job, zones, found, number, sizes[0], low, high, known, counts, tables)
                pixels, taps, valid = tables[slot, 0], tables[slot, 1], counts[slot, 0]
                for unit in range(job.units):
                    kind, width, wanted, channel, column, filter_ = unit_at(job, unit)
                    place = out_at + filter_
                    # Vectors of gradients may hang over into the next pixel, but not over the end of the array.
                    narrow = place + pixels[2 * valid - 1] + width > len(gradient)
                    if narrow:
                        _pack_panel(gradient, place, pixels, valid, wanted, width, panel, panel_pixels)
                    _multiply_rows(
                        job.lanewise, kind, width, data, at + channel, taps, counts[slot, 1],
                        panel_pixels if narrow else pixels, valid, valid,
                        read_only(panel) if narrow else gradient, 0 if narrow else place, None,
                        zeros, 0, True, numbers, out, column * job.steps, width,
                    )  # fmt: skip
