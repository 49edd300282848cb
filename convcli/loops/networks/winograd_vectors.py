"""Winograd's transforms of 3x3 convolution as vector instructions, each with a naive twin.

Six-by-six input pixels give four-by-four outputs with 36 products instead of 144: input and weights are transformed,
multiplied number by number, and the products transformed back. All three are ``M d M'`` with a small constant matrix M.
The gradient of the weights takes the output's gradient and its products through the transposed matrices.

Source: A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4. The matrices are those
of the Cook-Toom algorithm (R. E. Blahut, "Fast Algorithms for Signal Processing", 2010, section 5.2) for the points 0,
5/8, -5/8, 5/4, -5/4 and infinity: with them a float32 result is off by 2 times as much as a plain sum of products (root
mean square, 64 to 256 channels), with the usual 0, 1, -1, 2, -2 by 5 times. Measured on whole layers of 32 to 256
channels, against float64: 6e-7 to 1.7e-6 of the root mean square forward and for the input's gradient (plain 2e-7 to
8e-7), 1e-6 to 1.7e-6 for the weights' (plain 2e-7 to 4e-7).
"""

from fractions import Fraction

import numpy as np

from convcli.loops.compiling.compiler import intrinsic, runs_python
from convcli.loops.vectors import VECTOR_BYTES, Vectors, ir, types

OUTPUTS, KERNEL = 4, 3
POINTS = OUTPUTS + KERNEL - 1  # along one axis, infinity included
POSITIVE = 5 / 8, 5 / 4  # the points above zero; each has an opposite


def _matrices():
    """Cook-Toom: matrices that take the input (6, 6), the weights (6, 3) and the products (4, 6) to and fro."""
    points = [Fraction(0), *(Fraction(sign * point) for point in POSITIVE for sign in (1, -1))]
    scales = [_product(a - b for b in points if b != a) for a in points]
    inputs = [[*_polynomial([b for b in points if b != a]), 0] for a in points] + [_polynomial(points)]
    weights = [[a**j / scale for j in range(KERNEL)] for a, scale in zip(points, scales, strict=True)] + [[0, 0, 1]]
    outputs = [[a**i for a in points] + [int(i == OUTPUTS - 1)] for i in range(OUTPUTS)]
    return tuple(np.array(matrix, np.float64) for matrix in (inputs, weights, outputs))


def _product(factors):
    result = Fraction(1)
    for factor in factors:
        result *= factor
    return result


def _polynomial(roots):
    """Coefficients of the product of (x - root), lowest power first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [high - root * low for high, low in zip(shifted, [*coefficients, 0], strict=True)]
    return coefficients


INPUT, WEIGHT, OUTPUT = _matrices()


def _transform_naive(matrix, source, at, row, column, inside, out, out_at, out_row, out_column):
    """``M d M'`` of one vector per position of ``d``; rows and columns lie so many numbers apart.

    ``inside`` are the first and end row, and the first and end column, of what is there: the rest of ``d`` is zero.
    """
    lanes = np.arange(VECTOR_BYTES // out.dtype.itemsize)
    size_out, size = matrix.shape
    given = np.zeros((size, size, len(lanes)), out.dtype)
    for i in range(max(inside[0], 0), min(inside[1], size)):
        for j in range(max(inside[2], 0), min(inside[3], size)):
            given[i, j] = source[at + i * row + j * column + lanes]
    result = np.einsum("ai,bj,ijl->abl", matrix, matrix, given)
    out_places = out_at + np.arange(size_out)[:, None, None] * out_row + np.arange(size_out)[:, None] * out_column
    out[out_places + lanes] = result


def _finish_naive(matrix, source, at, row, column, bias, bias_at, floor, inside, out, out_at, out_row, out_column):
    """`_transform_naive`, plus the bias, not below the floor; only rows and columns before ``inside`` are written."""
    lanes = np.arange(VECTOR_BYTES // out.dtype.itemsize)
    size = len(matrix)
    whole = np.zeros((size, size, len(lanes)), out.dtype)
    everything = 0, matrix.shape[1], 0, matrix.shape[1]
    flat = whole.reshape(-1)
    _transform_naive(matrix, source, at, row, column, everything, flat, 0, size * len(lanes), len(lanes))
    for i in range(min(inside[0], size)):
        for j in range(min(inside[1], size)):
            total = whole[i, j] + bias[bias_at + lanes]
            out[out_at + i * out_row + j * out_column + lanes] = np.where(total < floor, floor, total)


class _Transform(Vectors):
    """Writes one transform for one matrix and one type of numbers.

    What is kept between its two passes should stay in registers: so rows are made in groups, one after the other, of
    the square's vectors, which are read anew for each group. All rows at once would be 36 vectors, written to memory
    and read again; so, and with half as many operations again, layers took 3 to 6% longer.
    """

    def __init__(self, builder, matrix, bits):
        super().__init__(builder, bits)
        self.matrix = matrix

    def groups(self):
        """The rows of the matrix, in groups that share work: those of p and -p, or those that take the same sums."""
        if len(self.matrix) == POINTS:
            return (0,), (1, 2), (3, 4), (5,)
        even = [row for row, line in enumerate(self.matrix) if line[1] == line[2]]
        return even, [row for row in range(len(self.matrix)) if row not in even]

    def some(self, rows, take):
        """The rows of a group of ``M`` times vectors, where ``take(i)`` gives one of those."""
        matrix = self.matrix
        if len(rows) == 1 and len(matrix) == POINTS:
            return [self.combine(matrix[rows[0]], take)]
        if len(matrix) == POINTS:  # rows of p and -p differ in the signs of odd powers
            same = matrix[rows[0]] == matrix[rows[1]]
            point = POSITIVE[rows[0] // 2]
            even = self.combine(np.where(same, matrix[rows[0]], 0), take)
            odd = self.combine(np.where(same, 0, matrix[rows[0]] / point), take)
            return [self.ir.call(self.multiply_add, [self.all(each), odd, even]) for each in (point, -point)]
        # Columns of p and -p are the same, or differ in the sign.
        first = matrix[rows[0]]
        join = self.ir.fadd if first[1] == first[2] else self.ir.fsub
        joined = {1: join(take(1), take(2)), 3: join(take(3), take(4))}
        kept = np.array([1, 1, 0, 1, 0, 1])
        return [self.combine(matrix[row] * kept, lambda i: joined[i] if i in joined else take(i)) for row in rows]

    def combine(self, coefficients, take):
        """The sum of coefficients times vectors: what is taken once begins it, all else is a multiply-add."""
        order = sorted(np.flatnonzero(coefficients), key=lambda i: coefficients[i] != 1)
        total = None
        for i in order:
            coefficient, vector = coefficients[i], take(int(i))
            if total is None:
                total = vector if coefficient == 1 else self.ir.fmul(self.all(coefficient), vector)
            else:
                total = self.ir.call(self.multiply_add, [self.all(coefficient), vector, total])
        return total

    def transform(self, source, row, column):
        """``M d M'`` row by row: the number of each, and its vectors."""
        size = self.matrix.shape[1]

        def load(i, j):
            return self.ir.load(self.cell(source, i, row, j, column), align=self.bytes)

        for rows in self.groups():
            columns = [self.some(rows, lambda i, j=j: load(i, j)) for j in range(size)]
            for place, number in enumerate(rows):
                line = [column[place] for column in columns]
                made = {}
                for group in self.groups():
                    made |= dict(zip(group, self.some(group, line.__getitem__), strict=True))
                yield number, [made[j] for j in range(len(self.matrix))]

    def cell(self, pointer, i, row, j, column):
        """Where a vector of a square is."""
        build = self.ir
        return self.place(build.gep(pointer, [build.mul(self.number(i), row)]), build.mul(self.number(j), column))

    def inner(self, source, row, column, inside):
        """Where the square's vectors are: a copy, with zeros for what is not ``inside``, unless everything is.

        Also has the next square's pixels on their way: waiting for them took as long as a quarter of the arithmetic.
        """
        build, size = self.ir, self.matrix.shape[1]
        for i in range(size - OUTPUTS, size):
            for j in range(size, size + OUTPUTS):
                self.fetch(self.cell(source, i, row, j, column))
        copy, partly = self.square(size), self.partly(size, *inside)
        before = build.block
        with build.if_then(partly):
            within = self.within(size, *inside[:2]), self.within(size, *inside[2:])
            for i in range(size):
                for j in range(size):
                    there = build.and_(within[0][i], within[1][j])
                    place = build.select(there, self.cell(source, i, row, j, column), self.nothing())
                    self.ir.store(build.load(place, align=self.bytes), self.cell(copy[0], i, copy[1], j, copy[2]))
            copied = build.block
        return self.either((source, row, column), before, copy, copied)

    def square(self, size):
        """Memory of one square: where it is, and how far its rows and columns are apart."""
        with self.ir.goto_entry_block():
            numbers = self.ir.alloca(self.vector.element, self.number(size * size * self.lanes))
            numbers.align = 64
        return numbers, self.number(size * self.lanes), self.number(self.lanes)

    def either(self, own, before, other, after):
        """What is there on the way from one block, or from another."""
        found = []
        for one, two in zip(own, other, strict=True):
            phi = self.ir.phi(one.type)
            phi.add_incoming(one, before)
            phi.add_incoming(two, after)
            found.append(phi)
        return found

    def partly(self, size, *inside):
        """Whether some of a square's rows or columns are not there."""
        build, total = self.ir, None
        for place, end in enumerate(inside):
            one = build.icmp_signed(*(("<", end, self.number(size)) if place % 2 else (">", end, self.number(0))))
            total = one if total is None else build.or_(total, one)
        return total

    def within(self, size, first, end):
        """Which of ``size`` rows or columns are there."""
        build, numbers = self.ir, [self.number(i) for i in range(size)]
        return [build.and_(build.icmp_signed(">=", each, first), build.icmp_signed("<", each, end)) for each in numbers]

    def nothing(self):
        """The place of a vector of zeros."""
        module, name = self.module, f"convcli.nothing.{self.lanes}.{self.bytes}"
        if name not in module.globals:
            zeros = ir.GlobalVariable(module, self.vector, name)
            zeros.initializer, zeros.linkage, zeros.global_constant = ir.Constant(self.vector, None), "internal", True
        return module.globals[name]

    def store_rows(self, rows, out, row, column):
        """Write rows of vectors."""
        for i, line in rows:
            for j, value in enumerate(line):
                self.ir.store(value, self.cell(out, i, row, j, column), align=self.bytes)

    def store_inside(self, rows, out, row, column, ends):
        """Write rows of vectors, those before a row and a column."""
        build, size, nothing = self.ir, len(self.matrix), self.number(0)
        partly, copy = self.partly(size, nothing, ends[0], nothing, ends[1]), self.square(size)
        place = [build.select(partly, two, one) for one, two in zip((out, row, column), copy, strict=True)]
        self.store_rows(rows, *place)
        with build.if_then(partly):
            within = [self.within(size, nothing, end) for end in ends]
            for i in range(size):
                for j in range(size):
                    with build.if_then(build.and_(within[0][i], within[1][j])):
                        value = build.load(self.cell(copy[0], i, copy[1], j, copy[2]), align=self.bytes)
                        build.store(value, self.cell(out, i, row, j, column), align=self.bytes)


def _moved(context, builder, kinds, values, name, at):
    """The data of an array argument, from an index on."""
    array = context.make_array(kinds[name])(context, builder, values[name])
    return builder.gep(array.data, [values[at]])


def _tuple(builder, value, length):
    return [builder.extract_value(value, i) for i in range(length)]


def _transform_with(matrix):
    """The intrinsic of one matrix: source, at, row, column, inside (4), out, out_at, out_row, out_column."""

    @intrinsic
    def transform(typing_context, source, at, row, column, inside, out, out_at, out_row, out_column):
        index = types.intp
        signature = types.void(source, index, index, index, types.UniTuple(index, 4), out, index, index, index)

        def generate(context, builder, signature, values):
            maker = _Transform(builder, matrix, signature.args[0].dtype.bitwidth)
            given = _moved(context, builder, signature.args, values, 0, 1)
            rows = maker.transform(*maker.inner(given, *values[2:4], _tuple(builder, values[4], 4)))
            maker.store_rows(rows, _moved(context, builder, signature.args, values, 5, 6), *values[7:9])
            return context.get_dummy_value()

        return signature, generate

    return transform


@intrinsic
def _finish(typing_context, source, at, row, column, bias, bias_at, floor, inside, out, out_at, out_row, out_column):
    """The transform of the products, with the bias and the floor, as far as it is inside (2)."""
    index = types.intp
    signature = types.void(
        source, index, index, index, bias, index, source.dtype, types.UniTuple(index, 2), out, index, index, index
    )

    def generate(context, builder, signature, values):
        maker = _Transform(builder, OUTPUT, signature.args[0].dtype.bitwidth)
        added = _moved(context, builder, signature.args, values, 4, 5)
        added = builder.load(builder.bitcast(added, maker.vector.as_pointer()), align=maker.bytes)
        low = maker.splat(values[6])

        def finished(value):
            total = builder.fadd(value, added)
            return builder.select(builder.fcmp_ordered("<", total, low), low, total)

        rows = maker.transform(_moved(context, builder, signature.args, values, 0, 1), *values[2:4])
        out = _moved(context, builder, signature.args, values, 8, 9)
        finished_rows = ((i, [finished(value) for value in line]) for i, line in rows)
        maker.store_inside(finished_rows, out, *values[10:12], _tuple(builder, values[7], 2))
        return context.get_dummy_value()

    return signature, generate


if runs_python():

    def transform_input(*arguments):
        """The transform of six-by-six vectors of input."""
        _transform_naive(INPUT, *arguments)

    def transform_weights(*arguments):
        """The transform of three-by-three vectors of weights."""
        _transform_naive(WEIGHT, *arguments)

    def transform_gradient(*arguments):
        """The transform of four-by-four vectors of the output's gradient."""
        _transform_naive(OUTPUT.T, *arguments)

    def finish_weights(*arguments):
        """The transform of six-by-six vectors of products to the gradient of three-by-three weights."""
        _transform_naive(WEIGHT.T, *arguments)

    def finish_outputs(*arguments):
        """The transform of six-by-six vectors of products, with bias and floor."""
        _finish_naive(OUTPUT, *arguments)

else:
    transform_input = _transform_with(INPUT)
    transform_weights = _transform_with(WEIGHT)
    transform_gradient = _transform_with(OUTPUT.T)
    finish_weights = _transform_with(WEIGHT.T)
    finish_outputs = _finish

transform_twin, finish_twin = _transform_naive, _finish_naive  # for tests
