"""Means of pixels weighted by likeness, as vector instructions, each with a naive twin.

For some pixels of a row at a time, sums stay in registers while all neighbours, or the rows of a patch, are gone
through. With sums in arrays, in vectors as LLVM chooses them, the bilateral filter took twice as long, non-local means
three times.
"""

from typing import NamedTuple

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.vectors import VECTOR_BYTES, Vectors, along_row, pointers, types

LANES = VECTOR_BYTES // 4  # rows of this many numbers leave no rest; up to so many beyond a row are read and written
BEYOND = 4 * LANES  # so many numbers beyond a row of the bilateral filter's are read and written at most
FARTHEST = 2.0  # from here on exp(-32 * x) is as good as nothing
# exp(-x) by its first powers: what is left out is below 2e-7 once it has been squared five times.
_TERMS = (1.0, -1.0, 1 / 2, -1 / 6, 1 / 24)
_SQUARINGS = 5


class Parts(NamedTuple):
    """Of the neighbours of a pixel, in their order, those whose weights are kept.

    Up to ``known`` they are, from earlier pixels. They are weighed up to ``alone``, and from ``mates`` on, where
    weights are kept: up to ``below`` for pixels of the same row.
    """

    known: int
    alone: int
    mates: int
    below: int


def decay_twin(distance, slope):
    """``exp(-32 * slope * distance)`` within 2e-7, as the instructions have it."""
    x = np.minimum(distance * slope, FARTHEST)
    return sum(term * x**power for power, term in enumerate(_TERMS)) ** 2**_SQUARINGS


def _weigh_naive(channels):
    def weigh(held, own, base, starts, space, slope, step, kept, spots, parts, total, sums, count):
        places = step * np.arange(channels)[:, None] + np.arange(count)
        total[:count], sums[:, :count] = 0, 0
        after = range(parts.mates, len(starts))

        def weight_of(t):
            values = held[base + starts[t] + places]
            return decay_twin(space[t] + abs(values - held[own + places]).sum(0) ** 2, slope)

        for t in after:
            kept[spots[t] : spots[t] + count] = weight_of(t)
        for t in [*range(parts.alone), *after]:
            weight = weight_of(t) if parts.known <= t < parts.alone else kept[spots[t] : spots[t] + count]
            total[:count] += weight
            sums[:, :count] += weight * held[base + starts[t] + places]

    return weigh


def _differ_naive(channels):
    def differ(held, mine, other, step, ring, slot, height, length, down):
        places = step * np.arange(channels)[:, None] + np.arange(length)
        rows = ring[: height * length].reshape(height, length)
        rows[slot] = ((held[mine + places] - held[other + places]) ** 2).sum(0)
        down[:length] = rows.sum(0)

    return differ


def _add_naive(channels):
    def add(down, taps, held, first, step, slope, total, sums, count):
        weight = decay_twin(sum(down[tap : tap + count] for tap in range(taps)), slope)
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
        self.size = self.function(f"fabs.{self.name}", self.vector, [self.vector])

    def weigh(
        self, held, own, base, starts, space, slope, step, kept, spots, known, alone, mates, below,
        total, sums, neighbours, row, count,
    ):  # fmt: skip
        """All neighbours of some vectors of pixels, one after the other."""
        build, slope, width = self.ir, self.splat(slope), self.channels + 1

        def others(place, column):
            return self._pixels(held, build.add(base, build.load(build.gep(starts, [place]))), step, column)

        def spot(place, column):
            return build.add(build.load(build.gep(spots, [place])), column)

        def weighed(place, column):
            pixels = zip(self._pixels(held, own, step, column), others(place, column), strict=True)
            return self._weight(pixels, self.splat(build.load(build.gep(space, [place]))), slope)

        def lent(place, column):
            weight = weighed(place, column)
            self.store(weight, kept, spot(place, column))
            return weight

        def recalled(place, column):
            return self.load(kept, spot(place, column))

        def summed(first, end, found, weight_of, columns):
            def step(place, running):
                parts = [running[i * width : (i + 1) * width] for i in range(len(columns))]
                return [
                    each
                    for at, part in zip(columns, parts, strict=True)
                    for each in self._added(weight_of(place, at), others(place, at), part)
                ]

            return self._gone_through(first, end, found, step)

        def body(column):
            columns = [build.add(column, self.number(i * self.lanes)) for i in range(self.group)]
            self._gone_through(mates, below, [], lambda place, _: [lent(place, at) for at in columns][:0])
            nothing = [self.all(0)] * (self.group * width)
            begun = summed(self.number(0), known, nothing, recalled, columns)
            for i, at in enumerate(columns):
                found = summed(known, alone, begun[i * width : (i + 1) * width], weighed, [at])
                found = summed(mates, below, found, recalled, [at])
                found = summed(below, neighbours, found, lent, [at])
                self.store(found[0], total, at)
                for channel, value in enumerate(found[1:]):
                    self.store(value, sums, self._at(at, row, channel))

        along_row(self.ir, count, self.lanes * self.group, body)

    def _weight(self, pixels, squared, slope):
        """How much some pixels count for others, by pairs of their channels and their squared distance."""
        build, far = self.ir, None
        for pixel, other in pixels:
            apart = build.fsub(other, pixel)
            apart = apart if self.channels == 1 else build.call(self.size, [apart])
            far = apart if far is None else build.fadd(far, apart)
        return self._decayed(build.call(self.multiply_add, [far, far, squared]), slope)

    def _added(self, weight, values, running):
        """Sums of weights, and of values times weights, with one more."""
        build, (total, *sums) = self.ir, running
        products = (build.call(self.multiply_add, [weight, *pair]) for pair in zip(values, sums, strict=True))
        return [build.fadd(total, weight), *products]

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
            weight = self._decayed(self._summed(down, column, self.number(1), taps), slope)
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

    def _decayed(self, distance, slope):
        """``exp(-32 * slope * distance)``."""
        build, farthest = self.ir, self.all(FARTHEST)
        x = build.fmul(distance, slope)
        x = build.select(build.fcmp_ordered("<", x, farthest), x, farthest)
        power = self.all(_TERMS[-1])
        for term in _TERMS[-2::-1]:
            power = build.call(self.multiply_add, [power, x, self.all(term)])
        for _ in range(_SQUARINGS):
            power = build.fmul(power, power)
        return power

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
        typing_context, held, own, base, starts, space, slope, step, kept, spots, known, alone, mates, below,
        total, sums, neighbours, row, count,
    ):  # fmt: skip
        size, number = types.intp, held.dtype
        given = (held, size, size, starts, space, number, size, kept, spots, size, size, size, size)
        return types.void(*given, total, sums, size, size, size), _written(channels, _Likeness.weigh)

    return weigh


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
    differ_one, differ_three = _differ_naive(1), _differ_naive(3)
    add_one, add_three = _add_naive(1), _add_naive(3)
else:
    _weigh_one, _weigh_three = _weighing(1), _weighing(3)
    _differ_one, _differ_three = _differing(1), _differing(3)
    _add_one, _add_three = _adding(1), _adding(3)

    @inner_loop
    def weigh_one(held, own, base, starts, space, slope, step, kept, spots, parts, total, sums, count):
        """Sums of the weights (n) of neighbours, and of their values times weights (1, n), from flat ``held``.

        Pixels begin at ``own``, those of neighbour t at ``base + starts[t]``, with the weight
        ``exp(-32 * slope * (space[t] + difference**2))``. Channels lie ``step`` numbers apart. By `Parts`, weights of
        the first neighbours are in ``kept`` from ``spots[t]`` on, and those of the last are put there.
        """
        known, alone, mates, below = parts
        _weigh_one(
            held, own, base, starts, space, slope, step, kept, spots, known, alone, mates, below,
            total, sums, starts.shape[0], sums.shape[1], count,
        )  # fmt: skip

    @inner_loop
    def weigh_three(held, own, base, starts, space, slope, step, kept, spots, parts, total, sums, count):
        """`weigh_one` of three channels, whose differences are added up: sums (3, n)."""
        known, alone, mates, below = parts
        _weigh_three(
            held, own, base, starts, space, slope, step, kept, spots, known, alone, mates, below,
            total, sums, starts.shape[0], sums.shape[1], count,
        )  # fmt: skip

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
        """Add the weights ``exp(-32 * slope * distance)`` to ``total`` (n), and values times weights to sums (1, n).

        A distance is the sum of so many numbers of ``down``; values begin at ``first`` of flat ``held``.
        """
        _add_one(down, taps, held, first, step, slope, total, sums, sums.shape[1], count)

    @inner_loop
    def add_three(down, taps, held, first, step, slope, total, sums, count):
        """`add_one` of three channels, ``step`` numbers apart: sums (3, n)."""
        _add_three(down, taps, held, first, step, slope, total, sums, sums.shape[1], count)
