"""Medians of 3x3 and 5x5 unsigned integers as vector instructions, and their naive twins.

The comparisons of a network follow each other in registers: of a row of 3x3 windows a tenth of the time that a network
takes whose steps go through rows of numbers.
"""

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.filtering.networks import rank_network
from convcli.loops.vectors import VECTOR_BYTES, along_row, ir, pointers, types

LANES = VECTOR_BYTES  # at least so many numbers are written


def _sort_naive(held, tall, row):
    tall[:, :row] = np.sort(held[:, :row], axis=0)


def _choose_naive(tall, row, channels, target, count):
    size = tall.shape[0]
    cells = np.concatenate([tall[:, column * channels : column * channels + count] for column in range(size)])
    target[:count] = np.sort(cells, axis=0)[len(cells) // 2]


class _Rows:
    """Vectors of unsigned integers, of so many bits, along rows."""

    def __init__(self, builder, bits):
        self.ir, self.bytes, self.lanes = builder, bits // 8, VECTOR_BYTES * 8 // bits
        self.vector, self.int64 = ir.VectorType(ir.IntType(bits), self.lanes), ir.IntType(64)

    def place(self, pointer, index):
        """Where a vector begins."""
        return self.ir.bitcast(self.ir.gep(pointer, [index]), self.vector.as_pointer())

    def ordered(self, vectors, steps):
        """Vectors after the steps of a network."""
        build, vectors = self.ir, list(vectors)
        for lower, upper, kind in steps.tolist():
            first, second = vectors[lower], vectors[upper]
            smaller = build.icmp_unsigned("<", first, second)
            if kind != 2:
                vectors[lower] = build.select(smaller, first, second)
            if kind != 1:
                vectors[upper] = build.select(smaller, second, first)
        return vectors


def _sorting(size):
    """The intrinsic that sorts columns of so many rows."""
    steps = rank_network(size, size, size * size // 2)[0]

    @intrinsic
    def sort(typing_context, held, tall, row):
        def generate(context, builder, signature, arguments):
            held, tall, row = pointers(context, builder, signature, arguments)
            rows = _Rows(builder, signature.args[0].dtype.bitwidth)

            def body(at):
                begins = [builder.add(at, builder.mul(row, rows.int64(y))) for y in range(size)]
                vectors = [builder.load(rows.place(held, begin), align=rows.bytes) for begin in begins]
                for vector, begin in zip(rows.ordered(vectors, steps), begins, strict=True):
                    builder.store(vector, rows.place(tall, begin), align=rows.bytes)

            along_row(builder, row, rows.lanes, body)
            return context.get_dummy_value()

        return types.void(held, tall, types.intp), generate

    return sort


def _choosing(size):
    """The intrinsic that goes on to the medians of so many columns."""
    _, steps, wanted = rank_network(size, size, size * size // 2)

    @intrinsic
    def choose(typing_context, tall, row, channels, target, count):
        def generate(context, builder, signature, arguments):
            tall, row, channels, target, count = pointers(context, builder, signature, arguments)
            rows = _Rows(builder, signature.args[0].dtype.bitwidth)
            last = builder.sub(count, rows.int64(rows.lanes))

            def body(at):
                at = builder.select(builder.icmp_signed("<", at, last), at, last)  # the last vector ends with the row
                vectors = []
                for cell in range(size * size):
                    more = builder.mul(channels, rows.int64(cell // size))
                    begin = builder.add(builder.add(at, more), builder.mul(row, rows.int64(cell % size)))
                    vectors.append(builder.load(rows.place(tall, begin), align=rows.bytes))
                builder.store(rows.ordered(vectors, steps)[wanted], rows.place(target, at), align=rows.bytes)

            along_row(builder, count, rows.lanes, body)
            return context.get_dummy_value()

        return types.void(tall, types.intp, types.intp, target, types.intp), generate

    return choose


if runs_python():
    sort_three = sort_five = _sort_naive
    choose_three = choose_five = _choose_naive
else:
    _sort_three, _sort_five, _choose_three, _choose_five = _sorting(3), _sorting(5), _choosing(3), _choosing(5)

    @inner_loop
    def sort_three(held, tall, row):
        """The columns of ``held`` (3, row) sorted into ``tall``; ``row`` is a multiple of a vector's numbers."""
        _sort_three(held, tall, row)

    @inner_loop
    def sort_five(held, tall, row):
        """`sort_three` of five rows."""
        _sort_five(held, tall, row)

    @inner_loop
    def choose_three(tall, row, channels, target, count):
        """Medians under windows of three sorted columns, ``channels`` numbers apart; ``count`` is at least `LANES`."""
        _choose_three(tall, row, channels, target, count)

    @inner_loop
    def choose_five(tall, row, channels, target, count):
        """`choose_three` of five."""
        _choose_five(tall, row, channels, target, count)
