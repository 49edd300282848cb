"""Means of two by two pixels as vector instructions, which take as long as memory does.

They ask for what they are going to read, some lines ahead in both rows: 24 MP of float32, one thread, AVX2: 7.1 ms, 9.4
without (AVX-512 7.9 and 9.1). Each returns how many means it made, none of numbers of other types; the caller makes
those that are left, and without instructions all of them.
"""

from convcli.loops.compiling.compiler import Late, inner_loop, intrinsic, runs_python
from convcli.loops.costs import FETCHED_BYTES
from convcli.loops.vectors import Vectors, ir, pointers, types

cgutils = Late("numba.core.cgutils")


def _halve_naive(above, below, target):
    return 0


class _Halves(Vectors):
    """Writes loops along two rows into a third."""

    def along(self, rows, blocks, read, made, body):
        """Call ``body(from, to)`` for each block of so many numbers that are read and made; returns how many are."""
        build, byte = self.ir, ir.IntType(8).as_pointer()
        with cgutils.for_range(build, blocks) as each:
            at = build.mul(each.index, self.number(read))
            for row in rows:
                here = build.bitcast(build.gep(row, [at]), byte)
                self.fetch(build.gep(here, [self.number(FETCHED_BYTES)]))
            body(at, build.mul(each.index, self.number(made)))
        return build.mul(blocks, self.number(made))

    def bytes_of(self, channels, above, below, target, count):
        """Sums of 16 bits, rounded half to even."""
        build = self.ir
        read, made, beyond = (24, 12, 4) if channels == 3 else (32, 16, 0)
        short, byte = (ir.VectorType(ir.IntType(bits), 16) for bits in (16, 8))

        def all_of(number):
            return ir.Constant(short, [number] * 16)

        def pair(row, at):
            """Sums of two pairs of pixels of three bytes."""
            pixels = build.load(self.place(row, at, byte), align=1)
            sides = ([lane + 3 * side for lane in (0, 1, 2, 6, 7, 8, 8, 8)] for side in (0, 1))
            return build.add(
                *(build.zext(self.shuffle(pixels, side), ir.VectorType(short.element, 8)) for side in sides)
            )

        def down(at):
            return build.add(pair(above, at), pair(below, at))

        def across(row, at):
            """Sums of 16 pairs of bytes, each pair read as one number."""
            pairs = build.load(self.place(row, at, short), align=1)
            return build.add(build.and_(pairs, all_of(255)), build.lshr(pairs, all_of(8)))

        def body(at, to):
            if channels == 3:
                four = self.shuffle(down(at), list(range(16)), down(build.add(at, self.number(12))))
            else:
                four = build.add(across(above, at), across(below, at))
            odd = build.and_(build.lshr(four, all_of(2)), all_of(1))
            means = build.lshr(build.add(build.add(four, all_of(1)), odd), all_of(2))
            means = build.trunc(means, byte)
            parts = ((0, [0, 1, 2, 3, 4, 5, 8, 9]), (8, [10, 11, 12, 13])) if channels == 3 else ((0, list(range(16))),)
            for begin, lanes in parts:
                part = self.shuffle(means, lanes)
                build.store(part, self.place(target, build.add(to, self.number(begin)), part.type), align=1)

        numbers = build.sub(build.mul(count, self.number(2)), self.number(beyond))
        return self.along((above, below), build.sdiv(numbers, self.number(read)), read, made, body)

    def floats(self, above, below, target, count):
        """Sums of float64, of one channel."""
        build, lanes = self.ir, self.lanes
        narrow = ir.VectorType(ir.FloatType(), lanes)

        def down(at):
            rows = (build.load(self.place(row, at, narrow), align=4) for row in (above, below))
            return build.fadd(*(build.fpext(row, self.vector) for row in rows))

        def body(at, to):
            first, second = down(at), down(build.add(at, self.number(lanes)))
            # Left and right neighbours of both, by turns: no number leaves the 16 bytes that it is in.
            left, right = (
                self.shuffle(first, [2 * (lane // 2) + side + lanes * (lane % 2) for lane in range(lanes)], second)
                for side in (0, 1)
            )
            mixed = build.fptrunc(build.fmul(build.fadd(left, right), self.all(0.25)), narrow)
            means = self.shuffle(mixed, [*range(0, lanes, 2), *range(1, lanes, 2)])
            build.store(means, self.place(target, to, narrow), align=4)

        return self.along((above, below), build.sdiv(count, self.number(lanes)), 2 * lanes, lanes, body)


def _halving(kind, write):
    """An intrinsic for numbers of this type: ``write(maker, above, below, target, count)``."""

    @intrinsic
    def halve(typing_context, above, below, target):
        def generate(context, builder, signature, arguments):
            if {each.dtype for each in signature.args} != {getattr(types, kind)}:
                return context.get_constant(types.intp, 0)
            count = builder.extract_value(context.make_array(target)(context, builder, arguments[2]).shape, 0)
            return write(_Halves(builder, 64), *pointers(context, builder, signature, arguments), count)

        return types.intp(above, below, target), generate

    return halve


if runs_python():
    halve_bytes = halve_colours = halve_floats = _halve_naive
else:
    _halve_bytes = _halving("uint8", lambda maker, *rows: maker.bytes_of(1, *rows))
    _halve_colours = _halving("uint8", lambda maker, *rows: maker.bytes_of(3, *rows))
    _halve_floats = _halving("float32", lambda maker, *rows: maker.floats(*rows))

    @inner_loop
    def halve_bytes(above, below, target):
        """Means (n) of two by two bytes of two rows (2 * n), rounded half to even."""
        return _halve_bytes(above, below, target)

    @inner_loop
    def halve_colours(above, below, target):
        """`halve_bytes` of pixels of three bytes."""
        return _halve_colours(above, below, target)

    @inner_loop
    def halve_floats(above, below, target):
        """Means (n) of two by two float32, the sums float64: down, then across."""
        return _halve_floats(above, below, target)
