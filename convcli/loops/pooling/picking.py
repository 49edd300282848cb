"""Every so many pixels of a row: what windows that do not touch each other leave of results at all positions."""

from convcli.loops.compiling.compiler import Late, inner_loop, intrinsic, loop, runs_python
from convcli.loops.vectors import ir, pointers, types

cgutils = Late("numba.core.cgutils")

_AT_ONCE = 4  # numbers of a pixel that are moved at a time


def _move_naive(row, step, target, unit, pixels):
    """Copy `_AT_ONCE` numbers of each pixel; pixels begin ``step`` numbers apart here and ``unit`` there."""
    for x in range(pixels):
        target[x * unit : x * unit + _AT_ONCE] = row[x * step : x * step + _AT_ONCE]


@intrinsic
def _move(typing_context, row, step, target, unit, pixels):
    signature = types.void(row, types.intp, target, types.intp, types.intp)

    def generate(context, builder, signature, arguments):
        row, step, target, unit, pixels = pointers(context, builder, signature, arguments)
        several = ir.VectorType(row.type.pointee, _AT_ONCE).as_pointer()
        size = signature.args[0].dtype.bitwidth // 8
        with cgutils.for_range(builder, pixels) as each:
            at, to = builder.mul(each.index, step), builder.mul(each.index, unit)
            value = builder.load(builder.bitcast(builder.gep(row, [at]), several), align=size)
            builder.store(value, builder.bitcast(builder.gep(target, [to]), several), align=size)
        return context.get_dummy_value()

    return signature, generate


if runs_python():
    _move_pixels = _move_naive
else:

    @inner_loop
    def _move_pixels(row, step, target, unit, pixels):
        """`_move_naive` as instructions."""
        _move(row, step, target, unit, pixels)


@loop(parallel=False)
def pick(row, stride, channels, target):
    """Every ``stride``-th pixel of ``row`` into ``target``, in which are as many; arguments are already checked.

    24 MP, largest of 2x2, two threads, in milliseconds (number by number): float32 7 (17), RGB bytes 5 (16).
    """
    if channels == 1 and stride == 2:  # in vectors, since both are known when this is compiled
        for x in range(target.shape[0]):
            target[x] = row[2 * x]
        return
    pixels = target.shape[0] // channels
    # Of these nothing is read or written behind the end of an array.
    inside = max(pixels - (_AT_ONCE + channels - 2) // channels, 0)
    # What the last channels' numbers write over, the first ones' put right.
    for channel in range((channels - 1) // _AT_ONCE * _AT_ONCE, -1, -_AT_ONCE):
        _move_pixels(row[channel:], stride * channels, target[channel:], channels, inside)
    for x in range(inside, pixels):
        for channel in range(channels):
            target[x * channels + channel] = row[x * stride * channels + channel]
