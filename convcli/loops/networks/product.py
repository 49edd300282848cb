"""The register tiles of the convolution layers, and a naive twin.

A tile computes ``ROWS`` rows of sums at once: ``out[row] += source[row + step] * weights[step]``, over all steps. Two
tables of pairs say where: a row's pair is its offset in the source and its place in the result, a step's pair is its
offset in the source and its place among the weights (where those are packed, its number: each step is as wide as the
tile). That describes any convolution, so windows are never copied into a matrix. A forward pass has a row per output
pixel and a step per weight; for the gradient of the weights the same two tables change places. There are four kinds:

=========  ==============================================================  ===================================
kind       one step                                                        used for
=========  ==============================================================  ===================================
``ONE``    one number of each row times one vector of weights              a last, odd vector of filters
``TWO``    one number of each row times two vectors of weights             all other filters
``LANES``  one vector of each row times one vector of weights, by lane     depthwise convolution
``FOLDED`` the same, and in the end the lanes of a row are added up        very few filters, many channels
=========  ==============================================================  ===================================

Eight rows by two vectors was as fast as six by four (113 of 118 GFLOP/s on one Zen 4 core), and suits any number of
filters; beyond nine rows LLVM runs out of integer registers for the row pointers and spills vectors (78 GFLOP/s). With
AVX2 six by two reach 89 of 94 on a Sapphire Rapids core; 75 while an address of each step was a product of integers.

A sum is a chain of fused multiply-adds in the order of the steps, begun at zero. `FOLDED` alone depends on the host's
vector width; nothing depends on how rows were cut into tiles.
"""

import numpy as np

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.costs import costs
from convcli.loops.vectors import VECTOR_BYTES, Vectors, ir, pointers, types

ONE, TWO, LANES, FOLDED = 1, 2, 3, 4

# Rows whose sums stay in registers: 16 sums of 32, or 12 of 16. A table of rows is this many pairs longer than wanted.
ROWS = costs().product_rows
FEW_ROWS = ROWS // 2 + 1  # a second height of tiles, so that the last ones are not mostly empty: 9 = 5 + 4


def lanes_of(dtype) -> int:
    """Numbers of ``dtype`` in one vector."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def _multiply_naive(
    lanewise, kind, height, source, at, rows, row, steps, step, count, weights, weights_at, packed,
    base, base_at, add, floor, out, out_at, out_stride, valid, wanted,
):  # fmt: skip
    """The tile, readable and slow: each product and each sum is rounded, where the tile rounds once."""
    lanes = lanes_of(source.dtype)
    width = lanes * (kind if kind in (ONE, TWO) else 1)
    for i in range(valid):
        from_row, to_row = rows[2 * (row + i) : 2 * (row + i + 1)]
        sums = np.zeros(width, source.dtype)
        for k in range(step, step + count):
            number = at + from_row + steps[2 * k]
            first = weights_at + steps[2 * k + 1] * (width if packed else 1)
            factor = source[number] if kind in (ONE, TWO) else source[number : number + lanes]
            sums += factor * weights[first : first + width]
        if kind == FOLDED:
            sums = sums.sum(keepdims=True)
        first = out_at + to_row * out_stride
        total = sums[:wanted] + (out[first : first + wanted] if add else base[base_at : base_at + wanted])
        out[first : first + wanted] = np.where(total < floor, floor, total)


class Tile(Vectors):
    """Writes one tile for one kind, one number of rows and one type of numbers."""

    def __init__(self, builder, kind, height, bits):
        super().__init__(builder, bits)
        self.kind = kind
        self.height = height
        self.vectors = 2 if kind == TWO else 1

    def at(self, pointer, index):
        """Where a number of an array is."""
        return self.ir.gep(pointer, [index])

    def load_vector(self, pointer, mask=None):
        """A vector; zeros where the mask has them, which are not read."""
        place = self.ir.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            return self.ir.load(place, align=self.bytes)
        return self.call_masked("load", self.vector, [place, self.alignment, mask, self.all(0)])

    def store_vector(self, value, pointer, mask=None):
        """Write a vector, but for what has a zero in the mask."""
        place = self.ir.bitcast(pointer, self.vector.as_pointer())
        if mask is None:
            self.ir.store(value, place, align=self.bytes)
        else:
            self.call_masked("store", ir.VoidType(), [value, place, self.alignment, mask])

    @property
    def alignment(self):
        """That of a single number."""
        return ir.Constant(ir.IntType(32), self.bytes)

    def call_masked(self, name, result, arguments):
        """LLVM's masked load or store."""
        kinds = [argument.type for argument in arguments]
        return self.ir.call(self.function(f"masked.{name}.{self.name}.p0", result, kinds), arguments)

    def second(self, pairs, index):
        """The second number of a pair."""
        return self.ir.load(self.at(pairs, self.ir.add(self.ir.shl(index, self.number(1)), self.number(1))))

    def sums(self, source, rows, steps, count, weights, packed):
        """The loop over the steps; returns the sums, a list of vectors for each row."""
        build = self.ir
        pointers = [self.at(source, build.load(self.at(rows, self.number(2 * i)))) for i in range(self.height)]
        before, head, done = build.block, build.append_basic_block("step"), build.append_basic_block("done")
        nothing = self.all(0)
        build.cbranch(build.icmp_signed(">", count, self.number(0)), head, done)
        build.position_at_end(head)
        step = build.phi(self.int64)
        step.add_incoming(self.number(0), before)
        running = [[build.phi(self.vector) for _ in range(self.vectors)] for _ in range(self.height)]
        offset = build.load(self.at(steps, build.shl(step, self.number(1))))
        # A shift: a product of two numbers that are known when it runs would take the multiply-adds' port.
        width = self.number(self.vectors * self.lanes if packed else 1)
        weight = self.at(weights, build.mul(self.second(steps, step), width))
        factors = [self.load_vector(self.at(weight, self.number(j * self.lanes))) for j in range(self.vectors)]
        updated = []
        for pointer, held in zip(pointers, running, strict=True):
            place = self.at(pointer, offset)
            read = self.splat(build.load(place)) if self.kind in (ONE, TWO) else self.load_vector(place)
            updated.append([build.call(self.multiply_add, [read, f, s]) for f, s in zip(factors, held, strict=True)])
        next_step = build.add(step, self.number(1))
        step.add_incoming(next_step, head)
        self.never_unrolled(build.cbranch(build.icmp_signed("<", next_step, count), head, done))
        build.position_at_end(done)
        final = [[build.phi(self.vector) for _ in row] for row in running]
        for row in range(self.height):
            for j in range(self.vectors):
                for phi in (running[row][j], final[row][j]):
                    phi.add_incoming(nothing, before)
                    phi.add_incoming(updated[row][j], head)
        return final

    def never_unrolled(self, branch):
        """Keep LLVM from unrolling the loop of a branch: it hoists the next step's loads and spills the sums."""
        once = self.module.add_metadata(["llvm.loop.unroll.disable"])
        branch.set_metadata("llvm.loop", self.module.add_metadata([once, once]))

    def store_sums(self, sums, base, add, floor, out, rows, out_stride, valid, wanted):
        """Write ``wanted`` numbers of ``valid`` rows: what was there, or the base, plus sums; at least the floor."""
        if self.kind == FOLDED:
            self.store_rows(sums, base, add, floor, out, rows, out_stride, valid, None)
            return
        build = self.ir
        narrow = build.icmp_signed("<", wanted, self.number(self.vectors * self.lanes))
        with build.if_else(narrow) as (masked, whole):
            with masked:
                lanes = ir.VectorType(self.int64, self.lanes)
                masks = []
                for j in range(self.vectors):
                    numbers = ir.Constant(lanes, list(range(j * self.lanes, (j + 1) * self.lanes)))
                    masks.append(build.icmp_signed("<", numbers, self.splat(wanted)))
                self.store_rows(sums, base, add, floor, out, rows, out_stride, valid, masks)
            with whole:
                self.store_rows(sums, base, add, floor, out, rows, out_stride, valid, None)

    def store_rows(self, sums, base, add, floor, out, rows, out_stride, valid, masks):
        """The rows of `store_sums`; numbers under a zero of the masks are neither read nor written."""
        build = self.ir
        folded = self.kind == FOLDED
        low = floor if folded else self.splat(floor)
        for i, row in enumerate(sums):
            with build.if_then(build.icmp_signed("<", self.number(i), valid)):
                target = self.at(out, build.mul(self.second(rows, self.number(i)), out_stride))
                before = build.select(add, target, base)
                for j, value in enumerate(row):
                    mask = masks and masks[j]
                    place, target_place = (
                        self.at(pointer, self.number(j * self.lanes)) for pointer in (before, target)
                    )
                    old = build.load(place) if folded else self.load_vector(place, mask)
                    total = build.fadd(self.fold(value) if folded else value, old)
                    total = build.select(build.fcmp_ordered("<", total, low), low, total)
                    if folded:
                        build.store(total, target_place)
                    else:
                        self.store_vector(total, target_place, mask)

    def fold(self, vector):
        """The sum of a vector's lanes, halves first."""
        count = self.lanes
        while count > 1:
            count //= 2
            low = self.shuffle(vector, list(range(count)))
            high = self.shuffle(vector, list(range(count, 2 * count)))
            vector = self.ir.fadd(low, high)
        return self.ir.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@intrinsic
def _multiply_vectors(
    typing_context, lanewise, kind, height, source, at, rows, row, steps, step, count, weights, weights_at, packed,
    base, base_at, add, floor, out, out_at, out_stride, valid, wanted,
):  # fmt: skip
    """`_multiply_naive` in registers, for a height of ``ROWS`` or ``FEW_ROWS``: all are read, however few are valid.

    ``lanewise`` is None for the kinds ``ONE`` and ``TWO``, else True: the others are then not compiled. So is
    ``packed``, True where weights are packed.
    """
    index = types.intp
    signature = types.void(
        lanewise, index, index, source, index, rows, index, steps, index, index, weights, index, packed,
        base, index, types.boolean, source.dtype, out, index, index, index, index,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        values = pointers(context, builder, signature, arguments)
        (_, kind, height, source, at, rows, row, steps, step, count, weights, weights_at, _,
         base, base_at, add, floor, out, out_at, out_stride, valid, wanted) = values  # fmt: skip
        add = builder.icmp_signed("!=", add, ir.Constant(add.type, 0))
        one = ir.Constant(row.type, 1)
        firsts = (at, builder.shl(row, one), builder.shl(step, one), weights_at, base_at, out_at)
        source, rows, steps, weights, base, out = (
            builder.gep(pointer, [first])
            for pointer, first in zip((source, rows, steps, weights, base, out), firsts, strict=True)
        )
        end = builder.append_basic_block("end")
        few = builder.icmp_signed("<", height, ir.Constant(height.type, ROWS))
        switch = builder.switch(builder.select(few, builder.neg(kind), kind), end)
        for which in (ONE, TWO) if isinstance(lanewise, types.NoneType) else (LANES, FOLDED):
            for case, rows_of_tile in ((which, ROWS), (-which, FEW_ROWS)):
                block = builder.append_basic_block("tile")
                switch.add_case(ir.Constant(kind.type, case), block)
                builder.position_at_end(block)
                maker = Tile(builder, which, rows_of_tile, signature.args[3].dtype.bitwidth)
                sums = maker.sums(source, rows, steps, count, weights, not isinstance(packed, types.NoneType))
                maker.store_sums(sums, base, add, floor, out, rows, out_stride, valid, wanted)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _read_only(typing_context, array):
    """The same array under its read-only type, so that a loop is compiled once for both."""
    return array.copy(readonly=True)(array), lambda context, builder, signature, arguments: _borrow(
        context, builder, signature, arguments[0]
    )


def _borrow(context, builder, signature, value):
    context.nrt.incref(builder, signature.return_type, value)
    return value


if runs_python():
    multiply = _multiply_naive

    def read_only(array):
        """The array itself."""
        return array

else:
    read_only = _read_only

    @inner_loop(placed=True)
    def multiply(
        lanewise, kind, height, source, at, rows, row, steps, step, count, weights, weights_at, packed,
        base, base_at, add, floor, out, out_at, out_stride, valid, wanted,
    ):  # fmt: skip
        """One tile: see `_multiply_naive`."""
        _multiply_vectors(
            lanewise, kind, height, source, at, rows, row, steps, step, count, weights, weights_at, packed,
            base, base_at, add, floor, out, out_at, out_stride, valid, wanted,
        )  # fmt: skip


multiply_twin = _multiply_naive  # for tests
