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


def _matrices():
    """Cook-Toom: matrices that take the input (6, 6), the weights (6, 3) and the products (4, 6) to and fro."""
    points = [Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(5, 4), Fraction(-5, 4)]
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
    """Writes one transform for one matrix and one type of numbers."""

    def __init__(self, builder, matrix, bits):
        super().__init__(builder, bits)
        self.matrix = matrix

    def cell(self, pointer, i, row, j, column, within=None, elsewhere=None):
        """Where a vector of a square is; ``elsewhere`` if not ``within`` the rows and columns that are there."""
        build = self.ir
        place = self.place(pointer, build.add(build.mul(self.number(i), row), build.mul(self.number(j), column)))
        return place if within is None else build.select(build.and_(within[0][i], within[1][j]), place, elsewhere)

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

    def combine(self, coefficients, vectors):
        """The sum of coefficients times vectors, in order."""
        total = None
        for coefficient, vector in zip(coefficients, vectors, strict=True):
            constant = self.all(coefficient)
            if coefficient == 0:
                continue
            if total is None:
                total = vector if coefficient == 1 else self.ir.fmul(constant, vector)
            elif coefficient == 1:
                total = self.ir.fadd(total, vector)
            else:
                total = self.ir.call(self.multiply_add, [constant, vector, total])
        return total

    def along(self, vectors):
        """``M`` times a list of vectors: what the points p and -p share is computed once."""
        add, subtract, matrix = self.ir.fadd, self.ir.fsub, self.matrix
        zero = np.zeros(matrix.shape[1])
        if matrix.shape[0] == POINTS:  # rows of p and -p differ in the signs of odd powers
            result = [self.combine(matrix[0], vectors)]
            for row in (1, 3):
                same = matrix[row] == matrix[row + 1]
                even, odd = (self.combine(np.where(which, matrix[row], zero), vectors) for which in (same, ~same))
                result += [add(even, odd), subtract(even, odd)]
            return [*result, self.combine(matrix[-1], vectors)]
        # Columns of p and -p do, from row to row.
        sums = [vectors[0], add(vectors[1], vectors[2]), add(vectors[3], vectors[4]), vectors[5]]
        differences = [vectors[0], subtract(vectors[1], vectors[2]), subtract(vectors[3], vectors[4]), vectors[5]]
        places = [0, 1, 3, 5]
        return [self.combine(line[places], sums if line[1] == line[2] else differences) for line in matrix]

    def transform(self, source, row, column, inside=None):
        """``M d M'`` as rows of vectors; zeros for rows and columns of ``d`` that are not ``inside``."""
        size = self.matrix.shape[1]
        within = inside and (self.within(size, *inside[:2]), self.within(size, *inside[2:]))
        nothing = inside and self.nothing()
        columns = []
        for j in range(size):
            places = [self.cell(source, i, row, j, column, within, nothing) for i in range(size)]
            columns.append(self.along([self.ir.load(place, align=self.bytes) for place in places]))
            # The next square's pixels: waiting for them took as long as a quarter of the arithmetic.
            if inside and j >= size - OUTPUTS:
                for i in range(size - OUTPUTS, size):
                    self.fetch(self.cell(source, i, row, j + OUTPUTS, column))
        return [self.along(one) for one in zip(*columns, strict=True)]

    def store_square(self, result, out, row, column, inside=None):
        """Write rows of vectors, if wanted only those before a row and a column; the others go to waste."""
        size, first = len(result), self.number(0)
        within = inside and tuple(self.within(size, first, end) for end in inside)
        with self.ir.goto_entry_block():
            waste = self.ir.alloca(self.vector) if inside else None
        for i, line in enumerate(result):
            for j, value in enumerate(line):
                self.ir.store(value, self.cell(out, i, row, j, column, within, waste), align=self.bytes)


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
            result = maker.transform(given, *values[2:4], _tuple(builder, values[4], 4))
            maker.store_square(result, _moved(context, builder, signature.args, values, 5, 6), *values[7:9])
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
        result = maker.transform(_moved(context, builder, signature.args, values, 0, 1), *values[2:4])
        added = _moved(context, builder, signature.args, values, 4, 5)
        added = builder.load(builder.bitcast(added, maker.vector.as_pointer()), align=maker.bytes)
        low = maker.splat(values[6])
        for line in result:
            for j, value in enumerate(line):
                total = builder.fadd(value, added)
                line[j] = builder.select(builder.fcmp_ordered("<", total, low), low, total)
        out = _moved(context, builder, signature.args, values, 8, 9)
        maker.store_square(result, out, *values[10:12], _tuple(builder, values[7], 2))
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
