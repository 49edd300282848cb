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

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from convcli.loops.tile import VECTOR_BYTES

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


def _transform_naive(matrix, source, at, row, column, out, out_at, out_row, out_column):
    """``M d M'`` of one vector per position of ``d``; rows and columns lie so many numbers apart."""
    lanes = np.arange(VECTOR_BYTES // out.dtype.itemsize)
    size_out, size = matrix.shape
    places = at + np.arange(size)[:, None, None] * row + np.arange(size)[:, None] * column + lanes
    result = np.einsum("ai,bj,ijl->abl", matrix, matrix, source[places])
    out_places = out_at + np.arange(size_out)[:, None, None] * out_row + np.arange(size_out)[:, None] * out_column
    out[out_places + lanes] = result


def _finish_naive(matrix, source, at, row, column, bias, bias_at, floor, out, out_at, out_row, out_column):
    """`_transform_naive`, plus the bias, not below the floor."""
    lanes = np.arange(VECTOR_BYTES // out.dtype.itemsize)
    _transform_naive(matrix, source, at, row, column, out, out_at, out_row, out_column)
    size = len(matrix)
    places = out_at + np.arange(size)[:, None, None] * out_row + np.arange(size)[:, None] * out_column + lanes
    total = out[places] + bias[bias_at + lanes]
    out[places] = np.where(total < floor, floor, total)


class _Builder:
    """Writes one transform as LLVM IR for one matrix and one element type."""

    def __init__(self, builder, matrix, element_bits):
        self.ir = builder
        self.matrix = matrix
        self.element = ir.FloatType() if element_bits == 32 else ir.DoubleType()
        self.bytes = element_bits // 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.vector = ir.VectorType(self.element, self.lanes)
        module = builder.function.module
        name = f"llvm.fmuladd.v{self.lanes}f{element_bits}"
        signature = ir.FunctionType(self.vector, [self.vector] * 3)
        self.multiply_add = module.globals.get(name) or ir.Function(module, signature, name)

    def place(self, pointer, i, row, j, column):
        build, index = self.ir, ir.IntType(64)
        offset = build.add(build.mul(ir.Constant(index, i), row), build.mul(ir.Constant(index, j), column))
        return build.bitcast(build.gep(pointer, [offset]), self.vector.as_pointer())

    def splat(self, scalar):
        undefined, zero = ir.Constant(self.vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.ir.shuffle_vector(self.ir.insert_element(undefined, scalar, zero), undefined, lanes)

    def combine(self, coefficients, vectors):
        """The sum of coefficients times vectors, in order."""
        total = None
        for coefficient, vector in zip(coefficients, vectors, strict=True):
            constant = ir.Constant(self.vector, [float(coefficient)] * self.lanes)
            if coefficient == 0:
                continue
            if total is None:
                total = vector if coefficient == 1 else self.ir.fmul(constant, vector)
            elif coefficient == 1:
                total = self.ir.fadd(total, vector)
            else:
                total = self.ir.call(self.multiply_add, [constant, vector, total])
        return total

    def transform(self, source, row, column):
        """``M d M'`` as rows of vectors."""
        size = self.matrix.shape[1]
        columns = []
        for j in range(size):
            loaded = [self.ir.load(self.place(source, i, row, j, column), align=self.bytes) for i in range(size)]
            columns.append([self.combine(line, loaded) for line in self.matrix])
        rows = zip(*columns, strict=True)
        return [[self.combine(line, one) for line in self.matrix] for one in rows]

    def store(self, result, out, row, column):
        for i, line in enumerate(result):
            for j, value in enumerate(line):
                self.ir.store(value, self.place(out, i, row, j, column), align=self.bytes)


def _moved(context, builder, kinds, values, name, at):
    """The data of an array argument, from an index on."""
    array = context.make_array(kinds[name])(context, builder, values[name])
    return builder.gep(array.data, [values[at]])


def _transform_with(matrix):
    """The intrinsic of one matrix: source, at, row, column, out, out_at, out_row, out_column."""

    @intrinsic
    def transform(typing_context, source, at, row, column, out, out_at, out_row, out_column):
        index = types.intp
        signature = types.void(source, index, index, index, out, index, index, index)

        def generate(context, builder, signature, values):
            maker = _Builder(builder, matrix, signature.args[0].dtype.bitwidth)
            result = maker.transform(_moved(context, builder, signature.args, values, 0, 1), *values[2:4])
            maker.store(result, _moved(context, builder, signature.args, values, 4, 5), *values[6:8])
            return context.get_dummy_value()

        return signature, generate

    return transform


@intrinsic
def _finish(typing_context, source, at, row, column, bias, bias_at, floor, out, out_at, out_row, out_column):
    """The transform of the products, with the bias and the floor."""
    index = types.intp
    signature = types.void(source, index, index, index, bias, index, source.dtype, out, index, index, index)

    def generate(context, builder, signature, values):
        maker = _Builder(builder, OUTPUT, signature.args[0].dtype.bitwidth)
        result = maker.transform(_moved(context, builder, signature.args, values, 0, 1), *values[2:4])
        added = _moved(context, builder, signature.args, values, 4, 5)
        added = builder.load(builder.bitcast(added, maker.vector.as_pointer()), align=maker.bytes)
        low = maker.splat(values[6])
        for line in result:
            for j, value in enumerate(line):
                total = builder.fadd(value, added)
                line[j] = builder.select(builder.fcmp_ordered("<", total, low), low, total)
        maker.store(result, _moved(context, builder, signature.args, values, 7, 8), *values[9:11])
        return context.get_dummy_value()

    return signature, generate


if numba.config.DISABLE_JIT:

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
