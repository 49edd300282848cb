"""Vector instructions: how wide they are here, and what all have in common that write them.

`Vectors` is the base of four, each of which says in its own module what its instructions are for: the register tiles of
filters and of layers, and the transforms of Fourier and of Winograd.
"""

from convcli.loops.compiling.compiler import Late
from convcli.loops.compiling.processor import processor

ir, types = Late("llvmlite.ir"), Late("numba.types")


def _registers() -> tuple[int, int]:
    """Bytes in the processor's widest vector, and how many of them its registers hold."""
    features = processor().features
    if "avx512f" in features:
        return 64, 32
    if "avx" in features:
        return 32, 16
    return 16, 32 if "neon" in features else 16


VECTOR_BYTES, REGISTERS = _registers()


def along_row(build, count, lanes, body):
    """Write a loop: ``body(at)`` for each vector of so many lanes in a row of ``count`` numbers."""
    int64, before = ir.IntType(64), build.block
    head, inside, done = (build.append_basic_block(name) for name in ("head", "inside", "done"))
    build.branch(head)
    build.position_at_end(head)
    at = build.phi(int64)
    at.add_incoming(ir.Constant(int64, 0), before)
    build.cbranch(build.icmp_signed("<", at, count), inside, done)
    build.position_at_end(inside)
    body(at)
    at.add_incoming(build.add(at, ir.Constant(int64, lanes)), build.block)
    build.branch(head)
    build.position_at_end(done)


class Vectors:
    """Writes LLVM's words for vectors of float32 or float64, or with 16 bits of whole numbers."""

    def __init__(self, builder, bits=32):
        self.ir = builder
        self.bytes = bits // 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.name = f"v{self.lanes}{'i' if bits == 16 else 'f'}{bits}"  # LLVM's
        number = ir.IntType(16) if bits == 16 else ir.FloatType() if bits == 32 else ir.DoubleType()
        self.vector = ir.VectorType(number, self.lanes)
        self.int64 = ir.IntType(64)
        if bits > 16:
            self.multiply_add = self.function(f"fmuladd.{self.name}", self.vector, [self.vector] * 3)

    @property
    def module(self):
        """What is written."""
        return self.ir.function.module

    def function(self, name, result, arguments):
        """One of LLVM's own functions."""
        name = f"llvm.{name}"
        return self.module.globals.get(name) or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def number(self, value):
        """An integer of 64 bits."""
        return ir.Constant(self.int64, value)

    def all(self, value):
        """A vector with this number in all lanes."""
        return ir.Constant(self.vector, [float(value)] * self.lanes)

    def integers(self, bits):
        """Integers of so many bits, as many as a vector has numbers."""
        return ir.VectorType(ir.IntType(bits), self.lanes)

    def shuffle(self, first, order, second=None):
        """Lanes of a vector, or of two that follow each other, in this order."""
        second = second or ir.Constant(first.type, ir.Undefined)
        return self.ir.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))

    def splat(self, scalar):
        """A vector with what is known when it runs in all lanes."""
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.ir.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, [0] * self.lanes)

    def place(self, pointer, index, kind=None):
        """Where a vector (or one of another kind) begins in an array."""
        return self.ir.bitcast(self.ir.gep(pointer, [index]), (kind or self.vector).as_pointer())

    def load(self, pointer, index):
        """The vector that begins there."""
        return self.ir.load(self.place(pointer, index), align=self.bytes)

    def fetch(self, place):
        """Have what is going to be read on its way to the first-level cache; it need not be there."""
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = self.function("prefetch.p0", ir.VoidType(), [byte, flag, flag, flag])
        # To be read, soon and often, as data.
        self.ir.call(function, [self.ir.bitcast(place, byte), *(ir.Constant(flag, number) for number in (0, 3, 1))])

    def store(self, value, pointer, index):
        """Write the vector that begins there."""
        self.ir.store(value, self.place(pointer, index), align=self.bytes)


def pointers(context, builder, signature, arguments):
    """The arguments of an `intrinsic`; of arrays where their numbers are."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]
