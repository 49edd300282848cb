"""The value of a rank among those under a window, at every pixel: median, percentiles.

Three ways, whose results are the same. Windows of few cells go through a network of comparisons: each of its steps is
the smaller and the larger of two rows of numbers, in vectors. For 8-bit pixels under larger ones there are histograms
of columns, from which the window's is kept up by one column that comes and one that goes, whatever the size. All else
is sorted block by block, once; a window is then a set of places in that order, one bit each, in which the wanted one is
counted off.

Sources: S. Perreault, P. Hebert, "Median Filtering in Constant Time", IEEE Trans. Image Processing 16(9), 2007; J.
Suomela, "Median Filtering is Equivalent to Sorting", 2014.

All loops: ``source`` (N, D, H, W*C) of unsigned integers, ``tables`` (planes, rows, columns) map padded places to
source places, -1 to ``fill``. Output plane z looks at the padded planes from ``z * stride_z`` on.
"""

import numpy as np

from convcli.loops.compiling.compiler import loop, prange
from convcli.loops.filtering.blocks import block_of, blocks_of, load_line
from convcli.loops.filtering.counts import RUN, locate, shift_counts
from convcli.loops.filtering.medians import LANES, choose_five, choose_three, sort_five, sort_three

ROW = 256  # numbers in a row of a network are a multiple of this, so that vectors leave no rest
_BINS = 256  # of a histogram of 8-bit values; of a coarse one each counts 16 of these together


@loop(parallel=False)
def _exchange(held, steps):
    """Bring rows of ``held`` (rows, n) in order, step (lower, upper, kind) by step; arguments are already checked.

    Kind 0 puts the smaller numbers into the lower row and the larger into the upper; 1 the smaller only, 2 the larger.
    """
    for step in range(steps.shape[0]):
        lower, upper, kind = held[steps[step, 0]], held[steps[step, 1]], steps[step, 2]
        if kind == 0:
            _order(lower, upper)
        elif kind == 1:
            _keep_smaller(lower, upper)
        else:
            _keep_larger(lower, upper)


@loop(parallel=False)
def _order(lower, upper):
    """The smaller of two rows of numbers (n) into the first, the larger into the second; checked arguments."""
    for i in range(lower.shape[0]):
        a, b = lower[i], upper[i]
        lower[i] = min(a, b)
        upper[i] = max(a, b)


@loop(parallel=False)
def _keep_smaller(lower, upper):
    """The smaller of two rows of numbers (n) into the first; arguments are already checked."""
    for i in range(lower.shape[0]):
        lower[i] = min(lower[i], upper[i])


@loop(parallel=False)
def _keep_larger(lower, upper):
    """The larger of two rows of numbers (n) into the second; arguments are already checked."""
    for i in range(lower.shape[0]):
        upper[i] = max(lower[i], upper[i])


@loop
def by_network(source, tables, frame, fill, columns_first, across, wanted, usual, out):
    """Ranks by a network of comparisons; arguments are already checked. Each index owns one block of ``out``.

    ``columns_first`` sorts the cells of a window's column, for all columns at once; ``across`` goes on with all cells,
    column by column, until the wanted one lies in row ``wanted``. ``usual`` is 3 or 5 for the median of a square of
    that side, else 0.
    """
    planes, rows, columns = tables
    channels, lines = frame.channels, frame.planes * frame.rows
    for task in prange(blocks_of(out.shape, frame)):
        block = block_of(task, out.shape, frame)
        count = (block.x_end - block.x) * channels
        whole = (count + ROW - 1) // ROW * ROW
        tall = np.zeros((lines, (whole + (frame.columns - 1) * channels + ROW - 1) // ROW * ROW), source.dtype)
        if usual:
            _medians(source[block.image], tables, frame, fill, block, usual, tall, out[block.image, block.z])
            continue
        cells = np.empty((lines * frame.columns, whole), source.dtype)
        for y in range(block.y, block.y_end):
            for line in range(lines):
                plane = planes[block.z * frame.stride_z + line // frame.rows]
                row = rows[y + line % frame.rows] if plane >= 0 else -1
                target = tall[line, : count + (frame.columns - 1) * channels]
                load_line(source[block.image, max(plane, 0)], row, columns, frame.left, block.x, channels, fill, target)
            target = out[block.image, block.z, y, block.x * channels : block.x_end * channels]
            _exchange(tall, columns_first)
            for cell in range(cells.shape[0]):
                begin = cell // lines * channels
                _copy(tall[cell % lines, begin : begin + whole], cells[cell])
            _exchange(cells, across)
            _copy(cells[wanted, :count], target)


@loop(parallel=False)
def _medians(source, tables, frame, fill, block, usual, held, out):
    """Medians of squares of ``usual`` rows of a block, each row of the source read once; arguments are already checked.

    ``held`` are the rows under a window, in any order: that of a column's numbers does not matter.
    """
    planes, rows, columns = tables
    channels, plane, step = frame.channels, planes[block.z * frame.stride_z], held.shape[1]
    count = (block.x_end - block.x) * channels
    tall, short = np.empty_like(held), np.empty(LANES, held.dtype)
    for y in range(block.y, block.y_end + usual - 1):
        line = held[y % usual, : count + (usual - 1) * channels]
        row = rows[y] if plane >= 0 else -1
        load_line(source[max(plane, 0)], row, columns, frame.left, block.x, channels, fill, line)
        if y - usual + 1 < block.y:
            continue
        target = out[y - usual + 1, block.x * channels : block.x_end * channels]
        found = target if count >= LANES else short
        if usual == 3:
            sort_three(held, tall, step)
            choose_three(tall, step, channels, found, found.shape[0])
        else:
            sort_five(held, tall, step)
            choose_five(tall, step, channels, found, found.shape[0])
        if count < LANES:
            _copy(found[:count], target)


@loop(parallel=False)
def _copy(numbers, target):
    """Numbers (n) into others; arguments are already checked."""
    for i in range(target.shape[0]):
        target[i] = numbers[i]


@loop
def by_histogram(source, tables, frame, rank, fill, out):
    """Ranks of 8-bit pixels under windows of one plane; arguments are already checked.

    Each index of the parallel loop owns one channel of one block of ``out``.
    """
    planes, rows, columns = tables
    channels = frame.channels
    for task in prange(blocks_of(out.shape, frame) * channels):
        block, channel = block_of(task // channels, out.shape, frame), task % channels
        plane, first = planes[block.z * frame.stride_z], block.x * channels + channel
        numbers = source[block.image, max(plane, 0)]
        width = block.x_end - block.x + frame.columns - 1
        fine, coarse = np.zeros((width + 1) * _BINS, np.uint16), np.zeros((width + 1) * RUN, np.uint16)
        kernel, reached = np.empty((RUN + 1) * RUN, np.int32), np.empty(RUN, np.int64)
        line = np.empty(width, np.uint8)
        for y in range(block.y, block.y_end + frame.rows - 1):
            _load_channel(numbers, rows[y] if plane >= 0 else -1, columns, block.x, channels, channel, fill, line)
            _count(fine, coarse, line, np.uint16(1))
            top = y - frame.rows + 1
            if top < block.y:
                continue
            _ranks_of_row(fine, coarse, frame, rank, kernel, reached, out[block.image, block.z, top, first:])
            _load_channel(numbers, rows[top] if plane >= 0 else -1, columns, block.x, channels, channel, fill, line)
            _count(fine, coarse, line, np.uint16(65535))


@loop(parallel=False)
def _load_channel(source, row, columns, x, channels, channel, fill, line):
    """One channel of padded columns ``x`` on of a row of a plane (H, W*C); arguments are already checked."""
    for i in range(line.shape[0]):
        column = columns[x + i]
        line[i] = fill if row < 0 or column < 0 else source[row, column * channels + channel]


@loop(parallel=False)
def _count(fine, coarse, line, change):
    """Add ``change``, 1 or minus 1 as an unsigned number, to each column's counts of its value; checked arguments."""
    for i in range(line.shape[0]):
        value = np.int64(line[i])
        fine[i * _BINS + value] += change
        coarse[i * RUN + value // RUN] += change


@loop(parallel=False)
def _ranks_of_row(fine, coarse, frame, rank, kernel, reached, out):
    """Ranks under the windows of one row into every ``channels``-th number of ``out``; arguments are already checked.

    ``fine`` (n * 256) and ``coarse`` (n * 16) are counts of columns, the last 256 and 16 zeros. Of ``kernel`` (17 * 16)
    the first run counts the window's values coarsely, each other one those of a run, as of the column in ``reached``,
    where it was looked at last.
    """
    size, width = frame.columns, coarse.shape[0] // RUN - 1
    nothing = width * RUN
    kernel[:] = 0
    for column in range(size - 1):
        shift_counts(kernel, 0, coarse, column * RUN, nothing)
    for run in range(RUN):
        reached[run] = -size - 1
    for x in range(width - size + 1):
        shift_counts(kernel, 0, coarse, (x + size - 1) * RUN, (x - 1) * RUN if x > 0 else nothing)
        found = locate(kernel, 0, rank)
        run, left = found & 255, found >> 8
        at, first, before = (run + 1) * RUN, run * RUN, reached[run]
        if 2 * (x - before) > size:
            for k in range(RUN):
                kernel[at + k] = 0
            for column in range(x, x + size):
                shift_counts(kernel, at, fine, column * _BINS + first, width * _BINS)
        else:
            for column in range(before, x):
                shift_counts(kernel, at, fine, (column + size) * _BINS + first, column * _BINS + first)
        reached[run] = x
        out[x * frame.channels] = first + (locate(kernel, at, left) & 255)


@loop
def by_sorting(source, hidden, tables, frame, rank, fill, out):
    """Ranks of any numbers; arguments are already checked. Each index owns one channel of one block of ``out``.

    ``hidden`` (N, D, H, W) says which pixels have no say, or has no numbers at all: among fewer pixels that can be seen
    the rank shrinks in proportion, and is that of 0 where there are none.
    """
    planes, rows, columns = tables
    channels = frame.channels
    for task in prange(blocks_of(out.shape, frame) * channels):
        block, channel = block_of(task // channels, out.shape, frame), task % channels
        height, width = block.y_end - block.y + frame.rows - 1, block.x_end - block.x + frame.columns - 1
        count = frame.planes * height * width
        keys, order = np.empty(count, source.dtype), np.empty(count, np.int32)
        seen = np.ones(count, np.bool_)
        for i in range(count):
            plane = planes[block.z * frame.stride_z + i // (height * width)]
            row, column = rows[block.y + i // width % height], columns[block.x + i % width]
            outside = plane < 0 or row < 0 or column < 0
            keys[i] = fill if outside else source[block.image, plane, row, column * channels + channel]
            if hidden.shape[0] > 0 and not outside:
                seen[i] = not hidden[block.image, plane, row, column]
            order[i] = i
        order = _sorted(keys, order)
        places = np.empty(count, np.int32)
        for i in range(count):
            places[order[i]] = i
        words = np.zeros((count + 63) // 64, np.uint64)
        for y in range(block.y_end - block.y):
            target = out[block.image, block.z, block.y + y, block.x * channels + channel :]
            _slide(keys, seen, places, order, words, frame, rank, height, width, y, target)


@loop(parallel=False)
def _sorted(keys, order):
    """The places of ``keys`` (n) in the order of their values, by digits of 8 bits; ``order`` is spoiled; checked."""
    spare = np.empty_like(order)
    counts = np.empty(257, np.int64)
    size = keys.shape[0]
    for shift in range(0, 8 * keys.itemsize, 8):
        counts[:] = 0
        for i in range(size):
            counts[((np.uint64(keys[i]) >> np.uint64(shift)) & np.uint64(255)) + np.uint64(1)] += 1
        alike = False
        for digit in range(1, 257):
            alike |= counts[digit] == size
            counts[digit] += counts[digit - 1]
        if alike:
            continue
        for i in range(size):
            place = order[i]
            digit = (np.uint64(keys[place]) >> np.uint64(shift)) & np.uint64(255)
            spare[counts[digit]] = place
            counts[digit] += 1
        order, spare = spare, order
    return order


@loop(parallel=False)
def _bits(word):
    """How many bits of 64 are set; arguments are already checked."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@loop(parallel=False)
def _slide(keys, seen, places, order, words, frame, rank, height, width, y, out):
    """Ranks under the windows of one row of a block into every ``channels``-th number of ``out``; checked arguments.

    ``words`` hold a bit for each place in the order that the window has; those before ``at`` have ``below`` bits.
    """
    words[:] = 0
    lines, size = frame.planes * frame.rows, frame.columns
    cells = lines * size
    at, below, found = 0, 0, 0
    for x in range(-size + 1, width - size + 1):
        for edge in range(2):
            column = x + size - 1 if edge == 0 else x - 1
            if column < 0 or (edge == 1 and x <= 0):
                continue
            for line in range(lines):
                i = (line // frame.rows * height + y + line % frame.rows) * width + column
                if seen[i]:
                    place = np.int64(places[i])
                    words[place >> 6] ^= np.uint64(1) << np.uint64(place & 63)
                    change = 1 if edge == 0 else -1
                    found += change
                    if place >> 6 < at:
                        below += change
        if x < 0:
            continue
        if found == 0:
            out[x * frame.channels] = 0
            continue
        wanted = rank * (found - 1) // max(cells - 1, 1)
        while below > wanted:
            at -= 1
            below -= _bits(words[at])
        inside = _bits(words[at])
        while below + inside <= wanted:
            below += inside
            at += 1
            inside = _bits(words[at])
        word = words[at]
        for _ in range(wanted - below):
            word &= word - np.uint64(1)
        low = _bits((word & (~word + np.uint64(1))) - np.uint64(1))
        out[x * frame.channels] = keys[order[(at << 6) + low]]
