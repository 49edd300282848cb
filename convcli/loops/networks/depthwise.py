"""Depthwise convolution forward, and the gradient of its input: each channel by itself, straight from the input.

The channels of a pixel are a run of memory, so a vector of them is read where it lies. Groups of 2 or 4 channels with
as many filters go the same way: each filter's lane takes its group's channels from the vector, one after the other. On
the register tiles, where a group's filters fill half a vector at most, they took more than twice as long: 16 images of
28x28x128 in 32 groups AVX2 5.8 ms and 2.9, AVX-512 5.9 and 2.1.

A *strip* are pixels in a line, along a row or a column, that see the same taps: some of them at a time, whose sums stay
in registers while all taps pass by. On the register tiles, which have a table entry for each pixel, it took twice as
long.

A sum is a chain of fused multiply-adds in the order of the taps, begun at zero, as in `convcli.loops.networks.product`.
"""

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, loop, prange, runs_python
from convcli.loops.costs import STRIP_NUMBERS, STRIP_PIXELS
from convcli.loops.networks.convolution import COUNT, OUT_SIZE, OUT_START, OUT_STEP, SIZE, START, STEP, TAP_STEP, TAPS
from convcli.loops.networks.product import Tile, lanes_of
from convcli.loops.vectors import ir, pointers, types


def depths_of(lanes: int) -> tuple[int, ...]:
    """Channels of groups that strips are made for, beside one: vectors hold two groups or more."""
    return tuple(depth for depth in (2, 4) if 2 * depth <= lanes)


@loop
def convolve_channels(source, weights, bias, axes, job, numbers, runs, out):
    """One pass from ``source`` (N*D*H*W*C) into ``out`` (N*OD*OH*OW*C), flat; arguments are already checked.

    ``weights`` and ``bias`` are packed. Each index of the parallel loop owns one of ``runs`` of output rows.
    """
    lines = job.images * axes[0, COUNT] * axes[1, COUNT]
    for index in prange(runs):
        run = np.int64(index)
        first, end = lines * run // runs, lines * (run + 1) // runs
        _convolve_lines(source, weights, bias, axes, job, numbers, first, end, out)


@loop(parallel=False)
def _seen(axes, axis, position):
    """The first and the end of the taps that lie inside the input at an output position; checked arguments."""
    place, step, taps = axes[axis, START] + position * axes[axis, STEP], axes[axis, TAP_STEP], axes[axis, TAPS]
    low = min(max(-(place // step), 0), taps)
    return low, max(min((axes[axis, SIZE] - 1 - place) // step + 1, taps), low)


@loop(parallel=False)
def _fill_runs(axes, runs):
    """Cut output columns into runs (first, end, first tap, end of taps) that see the same; returns how many."""
    count = 0
    for x in range(axes[2, COUNT]):
        low, high = _seen(axes, 2, x)
        if count and runs[count - 1, 2] == low and runs[count - 1, 3] == high:
            runs[count - 1, 1] = x + 1
        else:
            runs[count, 0] = x
            runs[count, 1] = x + 1
            runs[count, 2] = low
            runs[count, 3] = high
            count += 1
    return count


@loop(parallel=False)
def _fill_taps(axes, job, low, high, table):
    """Pairs of the taps from ``low`` to ``high`` (z, y, x): offset in the input, place among a unit's weights.

    Returns how many; arguments are already checked.
    """
    at, each = 0, job.lanes * (job.channels // job.groups)
    for z in range(low[0], high[0]):
        for y in range(low[1], high[1]):
            line = (z * axes[0, TAP_STEP] * axes[1, SIZE] + y * axes[1, TAP_STEP]) * axes[2, SIZE]
            for x in range(low[2], high[2]):
                table[2 * at] = (line + x * axes[2, TAP_STEP]) * job.channels
                table[2 * at + 1] = ((z * axes[1, TAPS] + y) * axes[2, TAPS] + x) * each
                at += 1
    return at


@loop(parallel=False)
def _convolve_lines(source, weights, bias, axes, job, numbers, first_line, end_line, out):
    """Output rows ``first_line`` to ``end_line`` of a pass, in bands that see the same taps; checked arguments."""
    runs = np.empty((2 * axes[2, TAPS] + 1, 4), np.int64)
    count = _fill_runs(axes, runs)
    taps = np.empty(2 * job.steps, np.int64)
    line = first_line
    while line < end_line:
        image, rest = divmod(line, axes[0, COUNT] * axes[1, COUNT])
        z, y = divmod(rest, axes[1, COUNT])
        low_z, high_z = _seen(axes, 0, z)
        low_y, high_y = _seen(axes, 1, y)
        rows = 1
        while line + rows < end_line and y + rows < axes[1, COUNT] and _seen(axes, 1, y + rows) == (low_y, high_y):
            rows += 1
        for i in range(count):
            seen = _fill_taps(axes, job, (low_z, low_y, runs[i, 2]), (high_z, high_y, runs[i, 3]), taps)
            _convolve_band(source, weights, bias, axes, job, numbers, image, z, y, rows, runs[i], taps, seen, out)
        line += rows


@loop(parallel=False)
def _convolve_band(source, weights, bias, axes, job, numbers, image, z, y, rows, run, taps, count, out):
    """The columns of a run in ``rows`` output rows, along rows or, where there are few, along columns; checked."""
    channels = job.channels
    at = (image * axes[0, SIZE] + axes[0, START] + z * axes[0, STEP]) * axes[1, SIZE]
    at = ((at + axes[1, START] + y * axes[1, STEP]) * axes[2, SIZE] + axes[2, START]) * channels
    out_at = (image * axes[0, OUT_SIZE] + axes[0, OUT_START] + z * axes[0, OUT_STEP]) * axes[1, OUT_SIZE]
    out_at = ((out_at + axes[1, OUT_START] + y * axes[1, OUT_STEP]) * axes[2, OUT_SIZE] + axes[2, OUT_START]) * channels
    step, out_step = axes[2, STEP] * channels, axes[2, OUT_STEP] * channels
    line, out_line = axes[1, STEP] * axes[2, SIZE] * channels, axes[1, OUT_STEP] * axes[2, OUT_SIZE] * channels
    ahead = (axes[1, TAPS] - 1) * axes[1, TAP_STEP] * axes[2, SIZE] * channels + line
    width = run[1] - run[0]
    if width < STRIP_PIXELS and width < rows:
        for x in range(run[0], run[1]):
            _convolve_strip(
                source, at + x * step, line, step, rows, taps, count, weights, bias, job, numbers,
                out, out_at + x * out_step, out_line,
            )  # fmt: skip
        return
    span = max(STRIP_NUMBERS // channels // STRIP_PIXELS, 1) * STRIP_PIXELS
    x = run[0]
    while x < run[1]:
        # What is left over may be too little for a strip.
        pixels = span if run[1] - x >= span + STRIP_PIXELS else run[1] - x
        for row in range(rows):  # what a row has read is still in the cache for the next one
            _convolve_strip(
                source, at + row * line + x * step, step, ahead, pixels, taps, count, weights, bias,
                job, numbers, out, out_at + row * out_line + x * out_step, out_step,
            )  # fmt: skip
        x += pixels


@loop(parallel=False)
def _convolve_strip(
    source, at, step, ahead, pixels, taps, count, weights, bias, job, numbers, out, out_at, out_step
):  # fmt: skip
    """All channels of some pixels in a line, a vector of them at a time; arguments are already checked."""
    for channel in range(0, job.channels, job.lanes):
        strip(
            source, at + channel, step, ahead, pixels, taps, count, weights, channel * job.steps, bias, channel,
            numbers.floor, out, out_at + channel, out_step, min(job.lanes, job.channels - channel),
            job.channels // job.groups,
        )  # fmt: skip


def _strip_naive(
    source, at, step, ahead, pixels, taps, count, weights, weights_at, bias, bias_at, floor,
    out, out_at, out_step, wanted, depth,
):  # fmt: skip
    """The strip, readable and slow: each product and each sum is rounded, where the strip rounds once.

    ``depth`` is how many channels a group has, 1, 2 or 4; a tap has a vector of weights for each. ``ahead`` is how far
    from a pixel's first tap lies what will be read next; it is fetched.
    """
    lanes = np.arange(wanted)
    width = lanes_of(source.dtype)
    for pixel in range(pixels):
        total = np.zeros(wanted, source.dtype)
        for offset, place in taps[: 2 * count].reshape(-1, 2):
            for k in range(depth):
                read = source[at + pixel * step + offset + lanes // depth * depth + k]
                total += read * weights[weights_at + place + k * width + lanes]
        total += bias[bias_at + lanes]
        out[out_at + pixel * out_step + lanes] = np.where(total < floor, floor, total)


class _Strip(Tile):
    """Writes a strip for one type of numbers; with a mask, numbers under a zero of it are neither read nor written."""

    def write(self, depth, source, step, ahead, pixels, taps, count, weights, bias, floor, out, out_step, mask):
        """Blocks of pixels, the last one moved back to the end; or, of fewer pixels than that, one by one."""
        build, low, after = self.ir, self.splat(floor), self.load_vector(bias)
        for height, chosen in ((STRIP_PIXELS, ">="), (1, "<")):
            with build.if_then(build.icmp_signed(chosen, pixels, self.number(STRIP_PIXELS))):
                start, block, done = build.block, build.append_basic_block("block"), build.append_basic_block("done")
                build.cbranch(build.icmp_signed(">", pixels, self.number(0)), block, done)
                build.position_at_end(block)
                pixel = build.phi(self.int64)
                pixel.add_incoming(self.number(0), start)
                last = build.sub(pixels, self.number(height))
                first = build.select(build.icmp_signed("<", pixel, last), pixel, last)
                given = self.at(source, build.mul(first, step))
                places = [self.at(given, build.mul(self.number(i), step)) for i in range(height)]
                for place in places:
                    self.fetch(self.at(place, ahead))
                sums = self.along(depth, places, taps, count, weights, mask)
                target = self.at(out, build.mul(first, out_step))
                for i, value in enumerate(sums):
                    total = build.fadd(value, after)
                    total = build.select(build.fcmp_ordered("<", total, low), low, total)
                    self.store_vector(total, self.at(target, build.mul(self.number(i), out_step)), mask)
                following = build.add(pixel, self.number(height))
                pixel.add_incoming(following, build.block)
                build.cbranch(build.icmp_signed("<", following, pixels), block, done)
                build.position_at_end(done)

    def along(self, depth, places, taps, count, weights, mask):
        """The sums of some pixels over all taps and the channels of a group."""
        build = self.ir
        before, head, done = build.block, build.append_basic_block("tap"), build.append_basic_block("summed")
        build.cbranch(build.icmp_signed(">", count, self.number(0)), head, done)
        build.position_at_end(head)
        tap = build.phi(self.int64)
        tap.add_incoming(self.number(0), before)
        running = [build.phi(self.vector) for _ in places]
        offset = build.load(self.at(taps, build.shl(tap, self.number(1))))
        weight = self.at(weights, self.second(taps, tap))
        factors = [self.load_vector(self.at(weight, self.number(k * self.lanes))) for k in range(depth)]
        updated = []
        for place, held in zip(places, running, strict=True):
            read, total = self.load_vector(self.at(place, offset), mask), held
            for k, factor in enumerate(factors):
                lanes = [lane // depth * depth + k for lane in range(self.lanes)]
                total = build.call(self.multiply_add, [self.shuffle(read, lanes) if depth > 1 else read, factor, total])
            updated.append(total)
        following = build.add(tap, self.number(1))
        tap.add_incoming(following, head)
        self.never_unrolled(build.cbranch(build.icmp_signed("<", following, count), head, done))
        build.position_at_end(done)
        final = [build.phi(self.vector) for _ in places]
        for i, value in enumerate(updated):
            for phi in (running[i], final[i]):
                phi.add_incoming(self.all(0), before)
                phi.add_incoming(value, head)
        return final


@intrinsic
def _strip_vectors(
    typing_context, source, at, step, ahead, pixels, taps, count, weights, weights_at, bias, bias_at, floor,
    out, out_at, out_step, wanted, depth,
):  # fmt: skip
    """`_strip_naive` in registers."""
    index, places = types.intp, [types.intp] * 4
    signature = types.void(source, *places, taps, index, weights, index, bias, index, source.dtype, out, *places)

    def generate(context, builder, signature, arguments):
        values = pointers(context, builder, signature, arguments)
        (source, at, step, ahead, pixels, taps, count, weights, weights_at, bias, bias_at, floor, out, out_at, out_step,
         wanted, depth) = values  # fmt: skip
        maker = _Strip(builder, None, STRIP_PIXELS, signature.args[0].dtype.bitwidth)
        source, weights, bias, out = (
            builder.gep(pointer, [first])
            for pointer, first in ((source, at), (weights, weights_at), (bias, bias_at), (out, out_at))
        )
        common = source, step, ahead, pixels, taps, count, weights, bias, floor, out, out_step
        lanes = ir.Constant(ir.VectorType(maker.int64, maker.lanes), list(range(maker.lanes)))
        for each in (1, *depths_of(maker.lanes)):
            with (
                builder.if_then(builder.icmp_signed("==", depth, maker.number(each))),
                builder.if_else(builder.icmp_signed("<", wanted, maker.number(maker.lanes))) as (masked, whole),
            ):
                with masked:
                    maker.write(each, *common, builder.icmp_signed("<", lanes, maker.splat(wanted)))
                with whole:
                    maker.write(each, *common, None)
        return context.get_dummy_value()

    return signature, generate


if runs_python():
    strip = _strip_naive
else:

    @inner_loop(placed=True)
    def strip(
        source, at, step, ahead, pixels, taps, count, weights, weights_at, bias, bias_at, floor,
        out, out_at, out_step, wanted, depth,
    ):  # fmt: skip
        """One strip: see `_strip_naive`."""
        _strip_vectors(
            source, at, step, ahead, pixels, taps, count, weights, weights_at, bias, bias_at, floor,
            out, out_at, out_step, wanted, depth,
        )  # fmt: skip


strip_twin = _strip_naive  # for tests
