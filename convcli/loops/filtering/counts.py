"""Sixteen counts at a time as vector instructions, and their naive twins: for histograms of 8-bit values."""

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.vectors import ir, pointers, types

RUN = 16
_LEFT = 8  # bits by which what is left is shifted, behind a place


def _shift_naive(kernel, at, counts, plus, minus):
    kernel[at : at + RUN] += counts[plus : plus + RUN].astype(np.int32) - counts[minus : minus + RUN]


def _locate_naive(kernel, at, rank):
    before = np.cumsum(kernel[at : at + RUN])
    place = int((before <= rank).sum())
    return place | int(rank - (before[place - 1] if place else 0)) << _LEFT


def _vector(bits):
    return ir.VectorType(ir.IntType(bits), RUN)


def _loaded(builder, pointer, index, bits):
    place = builder.bitcast(builder.gep(pointer, [index]), _vector(bits).as_pointer())
    return place, builder.load(place, align=bits // 8)


@intrinsic
def _shift(typing_context, kernel, at, counts, plus, minus):
    size = types.intp

    def generate(context, builder, signature, arguments):
        kernel, at, counts, plus, minus = pointers(context, builder, signature, arguments)
        place, held = _loaded(builder, kernel, at, 32)
        come, gone = (builder.zext(_loaded(builder, counts, each, 16)[1], _vector(32)) for each in (plus, minus))
        builder.store(builder.add(held, builder.sub(come, gone)), place, align=4)
        return context.get_dummy_value()

    return types.void(kernel, size, counts, size, size), generate


@intrinsic
def _locate(typing_context, kernel, at, rank):
    size = types.intp

    def generate(context, builder, signature, arguments):
        kernel, at, rank = pointers(context, builder, signature, arguments)
        number, nothing = ir.IntType(32), ir.Constant(_vector(32), None)
        _, held = _loaded(builder, kernel, at, 32)
        before = held
        for width in (1, 2, 4, 8):  # sums of 2, 4, 8 and 16 neighbours
            order = ir.Constant(_vector(32), [RUN - width + lane for lane in range(RUN)])
            before = builder.add(before, builder.shuffle_vector(nothing, before, order))
        wanted = builder.insert_element(ir.Constant(_vector(32), ir.Undefined), builder.trunc(rank, number), number(0))
        wanted = builder.shuffle_vector(wanted, wanted, nothing)
        passed = builder.icmp_signed("<=", before, wanted)
        module, mask = builder.module, ir.IntType(RUN)
        count = module.declare_intrinsic("llvm.ctpop", [mask])
        place = builder.zext(builder.call(count, [builder.bitcast(passed, mask)]), ir.IntType(64))
        name = "llvm.vector.reduce.add.v16i32"
        total = module.globals.get(name) or ir.Function(module, ir.FunctionType(number, [_vector(32)]), name)
        skipped = builder.sext(builder.call(total, [builder.select(passed, held, nothing)]), ir.IntType(64))
        return builder.or_(place, builder.shl(builder.sub(rank, skipped), ir.IntType(64)(_LEFT)))

    return size(kernel, size, size), generate


if runs_python():
    shift_counts, locate = _shift_naive, _locate_naive
else:

    @inner_loop(placed=True)
    def shift_counts(kernel, at, counts, plus, minus):
        """Add to sixteen int32 counts from ``at`` on the uint16 ones from ``plus`` on, less those from ``minus`` on."""
        _shift(kernel, at, counts, plus, minus)

    @inner_loop(placed=True)
    def locate(kernel, at, rank):
        """Which of sixteen counts, added up, first exceeds a rank; with, 8 bits higher, what is left of the rank."""
        return _locate(kernel, at, rank)
