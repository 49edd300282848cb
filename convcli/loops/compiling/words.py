"""The few words of Python and numpy in loops for which Numba would compile functions of its own, as instructions.

`min`, `max` and what makes or fills arrays: each of Numba's takes two to four functions for every set of types, through
its whole front end; together they were a fifth of compiling a filter, and half of it for padding. Only
`convcli.loops.compiling.native` uses these, with the same results to the bit; Numba by itself uses its own.
"""

import operator
from types import ModuleType

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.typing.npydecl import parse_dtype
from numba.extending import intrinsic, overload
from numba.np.arrayobj import get_itemsize, make_array, populate_array, raise_with_shape_context

from convcli.loops.compiling.pieces import NAME

_INT64 = ir.IntType(64)


def _chosen(compare):
    """`min` or `max` of two numbers: the second one if it compares so with the first, as in Python, NaN or not."""

    @intrinsic
    def choose(typing_context, first, second):
        common = typing_context.unify_types(first, second)
        if not isinstance(common, types.Number):
            raise TypingError(f"expected numbers, got {first} and {second}")

        def generate(context, builder, signature, arguments):
            first, second = (
                context.cast(builder, each, kind, common) for each, kind in zip(arguments, signature.args, strict=True)
            )
            wins = context.get_function(compare, types.boolean(common, common))(builder, (second, first))
            return builder.select(wins, second, first)

        return common(first, second), generate

    return choose


_MISSING = types.Omitted(None)


def _array_type(shape, dtype):
    dimensions = shape.count if isinstance(shape, types.BaseTuple) else 1
    return types.Array(dtype if isinstance(dtype, types.Number) else parse_dtype(dtype), dimensions, "C")


def _new_array(context, builder, kind, sizes):
    """A new array of an array type; raises `MemoryError` if there is no room."""
    array = make_array(kind)(context, builder)
    itemsize = _INT64(get_itemsize(context, kind))
    strides, too_large = [itemsize], ir.IntType(1)(0)
    for size in reversed(sizes):
        product = builder.umul_with_overflow(strides[0], size)
        strides.insert(0, builder.extract_value(product, 0))
        too_large = builder.or_(too_large, builder.extract_value(product, 1))
    wanted = builder.select(too_large, _INT64(-1), strides.pop(0))
    meminfo = context.nrt.meminfo_alloc_aligned(builder, wanted, context.get_preferred_array_alignment(kind.dtype))
    data = builder.bitcast(context.nrt.meminfo_data(builder, meminfo), array.data.type)
    shape, steps = cgutils.pack_array(builder, sizes), cgutils.pack_array(builder, strides)
    populate_array(array, data, shape, steps, itemsize, meminfo)
    return array


def _sizes(context, builder, kind, value):
    values = cgutils.unpack_tuple(builder, value) if isinstance(kind, types.BaseTuple) else [value]
    kinds = list(kind) if isinstance(kind, types.BaseTuple) else [kind]
    return [context.cast(builder, each, of, types.intp) for each, of in zip(values, kinds, strict=True)]


@intrinsic
def _empty(typing_context, shape, dtype=None):
    result = _array_type(shape, dtype or types.float64)

    def generate(context, builder, signature, arguments):
        sizes = _sizes(context, builder, signature.args[0], arguments[0])
        return _new_array(context, builder, result, sizes)._getvalue()

    return result(shape, dtype or _MISSING), generate


@intrinsic
def _empty_like(typing_context, array):
    result = types.Array(array.dtype, array.ndim, "C")

    def generate(context, builder, signature, arguments):
        like = make_array(signature.args[0])(context, builder, arguments[0])
        return _new_array(context, builder, result, cgutils.unpack_tuple(builder, like.shape))._getvalue()

    return result(array), generate


@intrinsic
def _zeros(typing_context, shape, dtype=None):
    result = _array_type(shape, dtype or types.float64)

    def generate(context, builder, signature, arguments):
        sizes = _sizes(context, builder, signature.args[0], arguments[0])
        array = _new_array(context, builder, result, sizes)
        cgutils.memset(builder, array.data, builder.mul(array.itemsize, array.nitems), 0)
        return array._getvalue()

    return result(shape, dtype or _MISSING), generate


@intrinsic
def _full(typing_context, shape, value, dtype=None):
    result = _array_type(shape, dtype or value)

    def generate(context, builder, signature, arguments):
        sizes = _sizes(context, builder, signature.args[0], arguments[0])
        array = _new_array(context, builder, result, sizes)
        number = context.cast(builder, arguments[1], signature.args[1], result.dtype)
        stored = context.get_value_as_data(builder, result.dtype, number)
        with cgutils.for_range(builder, array.nitems) as each:
            builder.store(stored, builder.gep(array.data, [each.index]))
        return array._getvalue()

    return result(shape, value, dtype or _MISSING), generate


@overload(raise_with_shape_context, target=NAME)
def _refuse_shape(shapes, shape):
    """Where arrays are assigned to arrays of another shape: Numba's message took a dozen functions to write."""

    def refuse(shapes, shape):
        raise ValueError("cannot assign an array of another shape")

    return refuse


class _Numpy(ModuleType):
    """numpy, with our own ways to make arrays."""

    empty, empty_like, zeros, full = _empty, _empty_like, _zeros, _full

    def __getattr__(self, name):
        return getattr(np, name)


WORDS = {
    np: _Numpy("numpy"),
    min: _chosen(operator.lt),
    max: _chosen(operator.gt),
}
