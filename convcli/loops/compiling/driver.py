"""How a loop is spread over threads: its shares, and the one thin driver that hands them out.

A parallel loop is compiled once, as a function that does one share of its range. Where its source says `prange(count)`,
it notes the count and goes from the share's begin to its end; a share from 0 to 0 therefore only counts. The driver
asks for the count so, cuts it into as many shares as there are threads, and hands these to Numba's threads. What is one
share or none is done by the calling thread, before a second one would have woken up.

The share travels in what Numba gives every function to say what it raised: that pointer is the share's first field.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_POINTER = ir.IntType(8).as_pointer()
_RAISED, _BEGIN, _END, _SAID = range(4)  # fields of a share; the last is the count, or how its part of the work ended


def _share(raised):
    """The type of a share, by that of the pointer to what a function raised."""
    return ir.LiteralStructType([raised, _INT64, _INT64, _INT64])


def _field(builder, share, field):
    return builder.gep(share, [_INT32(0), _INT32(field)])


@intrinsic
def share_of(typing_context, count):
    """The part of ``range(count)`` that this call of a parallel loop is to go along."""
    signature = types.range_state64_type(types.int64)

    def generate(context, builder, signature, arguments):
        raised = builder.function.args[1]
        share = builder.bitcast(raised, _share(raised.type.pointee).as_pointer())
        builder.store(arguments[0], _field(builder, share, _SAID))
        ends = [builder.load(_field(builder, share, field)) for field in (_BEGIN, _END)]
        make = context.get_function(range, types.range_state64_type(types.int64, types.int64))
        return make(builder, ends)

    return signature, generate


def driver(context, body, name):
    """A module with function ``name``, which takes what ``body`` takes and has it done in shares, one for a thread."""
    module = context.create_module("driver")
    kind = context.call_conv.get_function_type(body.restype, body.argtypes)
    share = _share(kind.args[1].pointee)
    work = ir.Function(module, kind, body.llvm_func_name)
    work.attributes.add("noinline")  # it is called in three places, and is to be there once
    run = ir.Function(module, kind, name)
    returned, raised, *arguments = run.args
    builder = ir.IRBuilder(run.append_basic_block("entry"))

    counting = cgutils.alloca_once_value(builder, ir.Constant(share, None))
    status = builder.call(work, [returned, builder.bitcast(counting, raised.type), *arguments])
    with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, status)):
        _hand_on(builder, counting, raised)
        builder.ret(status)
    count = builder.load(_field(builder, counting, _SAID))

    with builder.if_then(builder.icmp_signed("<=", count, _INT64(1))):
        builder.store(count, _field(builder, counting, _END))
        status = builder.call(work, [returned, builder.bitcast(counting, raised.type), *arguments])
        with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, status)):
            _hand_on(builder, counting, raised)
        builder.ret(status)

    threads = builder.call(ir.Function(module, ir.FunctionType(_INT32, []), "get_num_threads"), [])
    threads = builder.sext(threads, _INT64)
    threads = builder.select(builder.icmp_signed("<", count, threads), count, threads)
    shares = builder.alloca(share, threads)
    with cgutils.for_range(builder, threads, intp=_INT64) as each:
        mine, after = builder.gep(shares, [each.index]), builder.add(each.index, _INT64(1))
        builder.store(ir.Constant(share, None), mine)
        builder.store(builder.sdiv(builder.mul(each.index, count), threads), _field(builder, mine, _BEGIN))
        builder.store(builder.sdiv(builder.mul(after, count), threads), _field(builder, mine, _END))
    given = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, arguments))
    _launch(builder, _task(module, work, given.type), given, shares, threads)

    worst = cgutils.alloca_once_value(builder, kind.return_type(0))
    with cgutils.for_range(builder, threads, intp=_INT64) as each:
        mine = builder.gep(shares, [each.index])
        status = builder.trunc(builder.load(_field(builder, mine, _SAID)), kind.return_type)
        with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, status)):
            _hand_on(builder, mine, raised)
            builder.store(status, worst)
    builder.ret(builder.load(worst))
    return module


def _hand_on(builder, share, raised):
    builder.store(builder.load(_field(builder, share, _RAISED)), raised)


def _launch(builder, task, given, shares, threads):
    """Call Numba's `parallel_for`: arguments by their places and steps, as of a generalised ufunc."""
    places, steps = (builder.alloca(kind, _INT32(2)) for kind in (_POINTER, _INT64))
    number = builder.alloca(_INT64)
    builder.store(threads, number)
    size = builder.ptrtoint(builder.gep(ir.Constant(shares.type, None), [_INT64(1)]), _INT64)
    for place, (pointer, step) in enumerate(((given, _INT64(0)), (shares, size))):
        builder.store(builder.bitcast(pointer, _POINTER), builder.gep(places, [_INT32(place)]))
        builder.store(step, builder.gep(steps, [_INT32(place)]))
    kinds = [_POINTER, places.type, number.type, steps.type, _POINTER, _INT64, _INT64, _INT32]
    parallel_for = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), kinds), "numba_parallel_for")
    task, threads = builder.bitcast(task, _POINTER), builder.trunc(threads, _INT32)
    builder.call(parallel_for, [task, places, number, steps, _POINTER(None), _INT64(0), _INT64(2), threads])


def _task(module, work, given):
    """What a thread calls with the arguments' place and that of its first share, and how many shares it is to do."""
    number = _INT64.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [_POINTER.as_pointer(), number, number, _POINTER])
    task = ir.Function(module, kind, f"{work.name}.task")
    places, numbers, _, _ = task.args
    builder = ir.IRBuilder(task.append_basic_block("entry"))
    returned_kind, raised_kind = work.function_type.args[:2]
    share = _share(raised_kind.pointee).as_pointer()
    packed = builder.load(builder.bitcast(builder.load(places), given))
    shares = builder.bitcast(builder.load(builder.gep(places, [_INT32(1)])), share)
    arguments = cgutils.unpack_tuple(builder, packed)
    with cgutils.for_range(builder, builder.load(numbers), intp=_INT64) as each:
        mine = builder.gep(shares, [each.index])
        returned = cgutils.alloca_once(builder, returned_kind.pointee)
        status = builder.call(work, [returned, builder.bitcast(mine, raised_kind), *arguments])
        builder.store(builder.sext(status, _INT64), _field(builder, mine, _SAID))
    builder.ret_void()
    return task
