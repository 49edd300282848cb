"""Means of pixels weighted by likeness, as vector instructions, each with a naive twin.

For some pixels of a row at a time, sums stay in registers while all neighbours, or the rows of a patch, are gone
through. With sums in arrays, in vectors as LLVM chooses them, the bilateral filter took twice as long, non-local means
three times.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.vectors import VECTOR_BYTES, Vectors, along_row, pointers, types

LANES = VECTOR_BYTES // 4  # rows of this many numbers leave no rest; up to so many beyond a row are read and written
BEYOND = 4 * LANES  # so many numbers beyond a row of the bilateral filter's are read and written at most


# ``exp(-SHARE * x)`` is the power SHARE of a polynomial of x, by squaring; from where that is least, 3e-11, the same
# number. Weights are within 1e-6, those of far values nearer than those of near ones: the far may be many and on one
# side, where a picture ends; the near pull a mean by little and to both sides.
TERMS, SQUARINGS = (1.0, -0.99999226, 0.49976632, -0.16455502, 0.03451309), 4
SHARE, FARTHEST = 2**SQUARINGS, 1.79


class Parts(NamedTuple):
    """Of the neighbours of a pixel, in their order, those whose weights are kept.

    Up to ``known`` they are, from earlier pixels; up to ``alone`` they are weighed for this pixel only, and from
    ``mates`` on for the other one too.
    """

    known: int
    alone: int
    mates: int


def decay_twin(distance):
    """``exp(-SHARE * distance)`` as the instructions have it."""
    x = np.where(distance < FARTHEST, distance, FARTHEST)  # NaN is as far as can be
    return sum(term * x**power for power, term in enumerate(TERMS)) ** SHARE


def _weigh_naive(channels):
    def weigh(held, own, base, starts, space, unit, step, kept, spots, parts, means, count):
        places = step * np.arange(channels)[:, None] + np.arange(count)
        pixels, total = held[own + places].copy(), 1

        def weight_of(t):
            far = abs(held[base + starts[t] + places] - held[own + places]).sum(0)
            return decay_twin(far**2 + space[t])

        for t in [*range(parts.mates, len(starts)), *range(parts.alone)]:
            if t >= parts.mates:
                kept[spots[t] : spots[t] + count] = weight_of(t)
            recalled = t < parts.known or t >= parts.mates
            weight = kept[spots[t] : spots[t] + count] if recalled else weight_of(t)
            pixels += weight * held[base + starts[t] + places]
            total = total + weight
        means[: count * channels] = (pixels * (unit / total)).T.reshape(-1)

    return weigh


def _deal_naive(line, count, target):
    target[:, :count] = line[: count * len(target)].reshape(count, len(target)).T


def _differ_naive(channels):
    def differ(held, mine, other, step, ring, slot, height, length, down):
        places = step * np.arange(channels)[:, None] + np.arange(length)
        rows = ring[: height * length].reshape(height, length)
        rows[slot] = ((held[mine + places] - held[other + places]) ** 2).sum(0)
        down[:length] = rows.sum(0)

    return differ


def _add_naive(channels):
    def add(down, taps, held, first, step, slope, total, sums, count):
        weight = decay_twin(sum(down[tap : tap + count] for tap in range(taps)) * slope)
        total[:count] += weight
        for channel in range(channels):
            at = first + channel * step
            sums[channel, :count] += weight * held[at : at + count]

    return add


class _Likeness(Vectors):
    """Writes loops along a row, for one number of channels."""

    def __init__(self, builder, bits, channels):
        super().__init__(builder, bits)
        self.channels = channels
        self.group = 4 if channels == 1 else 2  # vectors whose sums are under way at once
        self.pair = 4 if channels == 1 else 1  # of them, vectors that are weighed at once
        self.size = self.function(f"fabs.{self.name}", self.vector, [self.vector])

    def weigh(
        self, held, own, base, starts, space, unit, step, kept, spots, known, alone, mates, means, neighbours, count
    ):
        """All neighbours of some vectors of pixels, one after the other, and the means."""
        build, unit, width = self.ir, self.splat(unit), self.channels + 1

        def others(place, columns):
            first = build.add(base, build.load(build.gep(starts, [place])))
            return [self._pixels(held, first, step, column) for column in columns]

        def spots_of(place, columns):
            first = build.load(build.gep(spots, [place]))
            return [build.add(first, column) for column in columns]

        def weighed(place, columns, pixels):
            values = others(place, columns)
            far = self._far(values, pixels)
            squared = self.splat(build.load(build.gep(space, [place])))
            return self._decayed([build.call(self.multiply_add, [each, each, squared]) for each in far]), values

        def lent(place, columns, pixels):
            weights, values = weighed(place, columns, pixels)
            for weight, at in zip(weights, spots_of(place, columns), strict=True):
                self.store(weight, kept, at)
            return weights, values

        def recalled(place, columns, _):
            return [self.load(kept, at) for at in spots_of(place, columns)], others(place, columns)

        def summed(first, end, found, weigh, columns, pixels):
            def step(place, running):
                made = []
                for i, (weight, values) in enumerate(zip(*weigh(place, columns, pixels), strict=True)):
                    made += self._added(weight, values, running[i * width : (i + 1) * width])
                return made

            return self._gone_through(first, end, found, step)

        def body(column):
            columns = [build.add(column, self.number(i * self.lanes)) for i in range(self.group)]
            pixels, found = [self._pixels(held, own, step, at) for at in columns], []
            for first in range(0, self.group, self.pair):
                some = (columns[first : first + self.pair], pixels[first : first + self.pair])
                begun = [each for values in some[1] for each in (self.all(1), *values)]
                begun = summed(mates, neighbours, begun, lent, *some)
                found += summed(known, alone, begun, weighed, *some)
            found = summed(self.number(0), known, found, recalled, columns, pixels)
            for i, at in enumerate(columns):
                self._store_means(found[i * width : (i + 1) * width], unit, means, at)

        along_row(self.ir, count, self.lanes * self.group, body)

    def _far(self, values, pixels):
        """How far values are from pixels: the differences of their channels together."""
        build = self.ir
        apart = [[build.fsub(*pair) for pair in zip(*both, strict=True)] for both in zip(values, pixels, strict=True)]
        if self.channels == 1:
            return [each for (each,) in apart]
        sizes = [[build.call(self.size, [each]) for each in channels] for channels in apart]
        return [reduce(build.fadd, channels) for channels in sizes]

    def _added(self, weight, values, running):
        """Sums of weights, and of values times weights, with one more."""
        build, (total, *sums) = self.ir, running
        products = (build.call(self.multiply_add, [weight, *pair]) for pair in zip(values, sums, strict=True))
        return [build.fadd(total, weight), *products]

    def _store_means(self, found, unit, means, column):
        """Sums of values over that of their weights, in units of the source, the channels of a pixel side by side."""
        build, (total, *sums) = self.ir, found
        share = build.fdiv(unit, total)
        vectors = [build.fmul(each, share) for each in sums]
        first = build.mul(column, self.number(self.channels))
        for i, vector in enumerate(self._together(vectors) if self.channels == 3 else vectors):
            self.store(vector, means, build.add(first, self.number(i * self.lanes)))

    def _together(self, planes):
        """Vectors of each channel as vectors of pixels. Each takes another third of a plane's lanes."""
        order = [self._pixel_at(channel) for channel in range(self.channels)]
        turned = [self.shuffle(plane, each) for plane, each in zip(planes, order, strict=True)]
        return [self._thirds(turned, [(i * self.lanes + lane) % 3 for lane in range(self.lanes)]) for i in range(3)]

    def deal(self, line, count, target, step):
        """Pixels as planes, ``step`` numbers apart: `_together` undone."""
        build = self.ir

        def body(column):
            first = build.mul(column, self.number(self.channels))
            vectors = [self.load(line, build.add(first, self.number(i * self.lanes))) for i in range(3)]
            for channel in range(self.channels):
                third = self._thirds(vectors, [self._vector_of(channel, lane) for lane in range(self.lanes)])
                order = self._pixel_at(channel)
                back = [order.index(pixel) for pixel in range(self.lanes)]
                self.store(self.shuffle(third, back), target, self._at(column, step, channel))

        along_row(self.ir, count, self.lanes, body)

    def _vector_of(self, channel, lane):
        """In which of three vectors of pixels this lane is of the channel."""
        return next(i for i in range(3) if (i * self.lanes + lane) % 3 == channel)

    def _pixel_at(self, channel):
        """Of which pixel a channel's number is, lane by lane, in those of three vectors of pixels where it is any."""
        return [(self._vector_of(channel, lane) * self.lanes + lane) // 3 for lane in range(self.lanes)]

    def _thirds(self, vectors, chosen):
        """Each lane of one of three vectors."""
        lanes = range(self.lanes)
        first = self.shuffle(vectors[0], [lane + self.lanes * (chosen[lane] == 1) for lane in lanes], vectors[1])
        return self.shuffle(first, [lane + self.lanes * (chosen[lane] == 2) for lane in lanes], vectors[2])

    def differ(self, held, mine, other, step, ring, slot, height, length, down):
        """Squared differences of two rows into a row of the ring, and the sums of the ring's columns."""
        build = self.ir
        own = build.mul(slot, length)

        def body(column):
            squares = None
            for pair in zip(*(self._pixels(held, row, step, column) for row in (mine, other)), strict=True):
                apart = build.fsub(*pair)
                squares = (
                    build.fmul(apart, apart)
                    if squares is None
                    else build.call(self.multiply_add, [apart, apart, squares])
                )
            self.store(squares, ring, build.add(own, column))
            self.store(self._summed(ring, column, length, height), down, column)

        along_row(self.ir, length, self.lanes, body)

    def add(self, down, taps, held, first, step, slope, total, sums, row, count):
        """Weights by sums of neighbouring distances, and values times weights, added to what is there."""
        build, slope = self.ir, self.splat(slope)

        def body(column):
            (weight,) = self._decayed([build.fmul(self._summed(down, column, self.number(1), taps), slope)])
            self.store(build.fadd(self.load(total, column), weight), total, column)
            for channel, value in enumerate(self._pixels(held, first, step, column)):
                at = self._at(column, row, channel)
                self.store(build.call(self.multiply_add, [weight, value, self.load(sums, at)]), sums, at)

        along_row(self.ir, count, self.lanes, body)

    def _at(self, column, row, channel):
        return self.ir.add(column, self.ir.mul(row, self.number(channel)))

    def _pixels(self, held, first, step, column):
        """A vector of each channel."""
        return [
            self.load(held, self.ir.add(first, self._at(column, step, channel))) for channel in range(self.channels)
        ]

    def _decayed(self, distances):
        """`decay_twin` of some vectors, step by step for all: each step waits for the one before."""
        build, farthest = self.ir, self.all(FARTHEST)
        near = [build.select(build.fcmp_ordered("<", each, farthest), each, farthest) for each in distances]
        powers = [self.all(TERMS[-1])] * len(near)
        for term in TERMS[-2::-1]:
            powers = [build.call(self.multiply_add, [*pair, self.all(term)]) for pair in zip(powers, near, strict=True)]
        for _ in range(SQUARINGS):
            powers = [build.fmul(each, each) for each in powers]
        return powers

    def _summed(self, numbers, first, step, count):
        """The sum of so many vectors, ``step`` numbers apart."""
        build = self.ir

        def add(place, running):
            return [build.fadd(running[0], self.load(numbers, build.add(first, build.mul(place, step))))]

        return self._gone_through(self.number(0), count, [self.all(0)], add)[0]

    def _gone_through(self, first, end, begun, step):
        """What ``step(place, running)`` makes of vectors, called for each place from ``first`` to ``end``."""
        build, before = self.ir, self.ir.block
        head, each, done = (build.append_basic_block(name) for name in ("head", "each", "done"))
        build.branch(head)
        build.position_at_end(head)
        place, running = build.phi(self.int64), [build.phi(self.vector) for _ in begun]
        build.cbranch(build.icmp_signed("<", place, end), each, done)
        build.position_at_end(each)
        made = step(place, running)
        following = build.add(place, self.number(1))
        for phi, begin, then in zip([place, *running], [first, *begun], [following, *made], strict=True):
            phi.add_incoming(begin, before)
            phi.add_incoming(then, build.block)
        build.branch(head)
        build.position_at_end(done)
        return running


def _weighing(channels):
    @intrinsic
    def weigh(
        typing_context, held, own, base, starts, space, unit, step, kept, spots, known, alone, mates, means,
        neighbours, count,
    ):  # fmt: skip
        size, number = types.intp, held.dtype
        given = (held, size, size, starts, space, number, size, kept, spots, size, size, size)
        return types.void(*given, means, size, size), _written(channels, _Likeness.weigh)

    return weigh


def _dealing(channels):
    @intrinsic
    def deal(typing_context, line, count, target, step):
        return types.void(line, types.intp, target, types.intp), _written(channels, _Likeness.deal)

    return deal


def _differing(channels):
    @intrinsic
    def differ(typing_context, held, mine, other, step, ring, slot, height, length, down):
        size = types.intp
        signature = types.void(held, size, size, size, ring, size, size, size, down)
        return signature, _written(channels, _Likeness.differ)

    return differ


def _adding(channels):
    @intrinsic
    def add(typing_context, down, taps, held, first, step, slope, total, sums, row, count):
        size = types.intp
        signature = types.void(down, size, held, size, size, held.dtype, total, sums, size, size)
        return signature, _written(channels, _Likeness.add)

    return add


def _written(channels, method):
    """What writes a method's instructions, in the type of the first argument's numbers."""

    def generate(context, builder, signature, arguments):
        maker = _Likeness(builder, signature.args[0].dtype.bitwidth, channels)
        method(maker, *pointers(context, builder, signature, arguments))
        return context.get_dummy_value()

    return generate


if runs_python():
    weigh_one, weigh_three = _weigh_naive(1), _weigh_naive(3)
    deal_three = _deal_naive
    differ_one, differ_three = _differ_naive(1), _differ_naive(3)
    add_one, add_three = _add_naive(1), _add_naive(3)
else:
    _weigh_one, _weigh_three, _deal_three = _weighing(1), _weighing(3), _dealing(3)
    _differ_one, _differ_three = _differing(1), _differing(3)
    _add_one, _add_three = _adding(1), _adding(3)

    @inner_loop
    def weigh_one(held, own, base, starts, space, unit, step, kept, spots, parts, means, count):
        """Means (n), times ``unit``, of pixels and their neighbours by the weights of these, from flat ``held``.

        Pixels begin at ``own`` and count one, those of neighbour t at ``base + starts[t]``, with the weight
        ``exp(-SHARE * (space[t] + difference**2))``. Channels lie ``step`` numbers apart. By `Parts`, weights of the
        first neighbours are in ``kept`` from ``spots[t]`` on, and those of the last are put there.
        """
        known, alone, mates = parts
        _weigh_one(
            held, own, base, starts, space, unit, step, kept, spots, known, alone, mates, means, starts.shape[0], count
        )

    @inner_loop
    def weigh_three(held, own, base, starts, space, unit, step, kept, spots, parts, means, count):
        """`weigh_one` of three channels, whose differences are added up: means (n * 3)."""
        known, alone, mates = parts
        _weigh_three(
            held, own, base, starts, space, unit, step, kept, spots, known, alone, mates, means, starts.shape[0], count
        )

    @inner_loop
    def deal_three(line, count, target):
        """Pixels of three channels (n * 3), n a multiple of `LANES`, as planes (3, >= n)."""
        _deal_three(line, count, target, target.shape[1])

    @inner_loop
    def differ_one(held, mine, other, step, ring, slot, height, length, down):
        """Squared differences of rows of flat ``held``, from two places on, into row ``slot`` of a ring.

        Then the sums of the ring's columns (height, length), a flat array, into ``down``.
        """
        _differ_one(held, mine, other, step, ring, slot, height, length, down)

    @inner_loop
    def differ_three(held, mine, other, step, ring, slot, height, length, down):
        """`differ_one` of three channels, ``step`` numbers apart, whose squares are added up."""
        _differ_three(held, mine, other, step, ring, slot, height, length, down)

    @inner_loop
    def add_one(down, taps, held, first, step, slope, total, sums, count):
        """Add the weights ``exp(-SHARE * slope * distance)`` to ``total`` (n), and values times weights to sums (1, n).

        A distance is the sum of so many numbers of ``down``; values begin at ``first`` of flat ``held``.
        """
        _add_one(down, taps, held, first, step, slope, total, sums, sums.shape[1], count)

    @inner_loop
    def add_three(down, taps, held, first, step, slope, total, sums, count):
        """`add_one` of three channels, ``step`` numbers apart: sums (3, n)."""
        _add_three(down, taps, held, first, step, slope, total, sums, sums.shape[1], count)
