"""Reading and writing one number of an array in a third of the words that Numba takes, to the same effect.

Numba stores the whole description of an array, for each of its numbers that is read, and LLVM takes that away again.
Here what is needed of it is taken from where it is. All else (views, slices, arrays of other layouts) is Numba's, and
everything where `NUMBA_BOUNDSCHECK` is set.
"""

import operator

from llvmlite import ir
from numba.core import types
from numba.core.imputils import Registry
from numba.np.arrayobj import getitem_array_tuple, getitem_arraynd_intp, setitem_array

registry = Registry("elements of arrays")
_DATA, _SHAPE = 4, 5  # fields of Numba's description of an array


@registry.lower(operator.getitem, types.Array, types.Integer)
@registry.lower(operator.getitem, types.Array, types.BaseTuple)
def read(context, builder, signature, arguments):
    """``array[index]``."""
    array, index = signature.args
    if context.enable_boundscheck or not _is_one(array, index):
        whole = getitem_array_tuple if isinstance(index, types.BaseTuple) else getitem_arraynd_intp
        return whole(context, builder, signature, arguments)
    place = _place(context, builder, array, index, *arguments)
    return context.unpack_value(builder, array.dtype, place, align=None if array.aligned else 1)


@registry.lower(operator.setitem, types.Array, types.Any, types.Any)
def write(context, builder, signature, arguments):
    """``array[index] = number``."""
    array, index, kind = signature.args
    if context.enable_boundscheck or not _is_one(array, index):
        return setitem_array(context, builder, signature, arguments)
    value = context.cast(builder, arguments[2], kind, array.dtype)
    place = _place(context, builder, array, index, *arguments[:2])
    return context.pack_value(builder, array.dtype, value, place, align=None if array.aligned else 1)


def _is_one(array, index):
    """Whether an index of this type denotes one number of a contiguous array."""
    kinds = index.types if isinstance(index, types.BaseTuple) else (index,)
    whole = len(kinds) == array.ndim and all(isinstance(kind, types.Integer) for kind in kinds)
    return whole and array.layout == "C" and isinstance(array.dtype, types.Number | types.Boolean)


def _place(context, builder, array, index, description, value):
    """Where it is: a negative index counts from the end, as in Python."""
    kinds, values = (index,), (value,)
    if isinstance(index, types.BaseTuple):
        kinds, values = index.types, [builder.extract_value(value, axis) for axis in range(array.ndim)]
    sizes = [builder.extract_value(description, (_SHAPE, axis)) for axis in range(array.ndim)]
    at = None
    for kind, given, size in zip(kinds, values, sizes, strict=True):
        number = context.cast(builder, given, kind, types.intp if kind.signed else types.uintp)
        if kind.signed and not (isinstance(number, ir.Constant) and number.constant >= 0):
            negative = builder.icmp_signed("<", number, number.type(0))
            number = builder.select(negative, builder.add(number, size), number)
        at = number if at is None else builder.add(builder.mul(at, size), number)
    return builder.gep(builder.extract_value(description, _DATA), [at])
