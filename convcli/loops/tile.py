"""The register tile of correlation: the one place of this package that writes vector instructions, and its naive twin.

A correlation of R neighbouring output rows is a *program*: a list of entries, one for each run of input numbers that a
tap reads. Entry ``t`` starts at ``ring[starts[t]]`` and is added to the output rows in its run's bit mask with
``weights[t, row]``. Consecutive entries with one mask form a run, so the tile branches once per run. Each input vector
is loaded once and used for up to R rows, and the sums stay in registers: that, not the arithmetic, is what made it fast
(24 MP RGB uint8, two cores, 15x15: 150 ms against 640 ms with sums in an array, and 880 ms for OpenCV's filter2D).

Every output number is a chain of fused multiply-adds in the order of the entries, beginning with the bias, whatever the
vector width and wherever the row was cut: the bits never depend on them.
"""

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

ROWS = 4  # output rows computed together


def _vector_shape() -> tuple[int, int]:
    """Bytes in the host's widest vector, and how many vectors of a row a tile holds without spilling registers."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 4  # 32 registers: 16 sums, 4 loads
    if features.get("avx"):
        return 32, 2  # 16 registers: 8 sums, 2 loads
    return 16, 4 if "aarch64" in llvm.get_process_triple() else 2


VECTOR_BYTES, _VECTORS = _vector_shape()
# Numbers by which a row of the ring and of the sums must be longer than what is wanted: the tile works in whole blocks.
SLACK = VECTOR_BYTES // 4 * _VECTORS


def _accumulate_naive(ring, starts, weights, masks, lengths, bias, sums, count):
    """Sums (R, >= count) of a program over a flat ring; the arithmetic of the tile, readable and slow."""
    sums[:, :count] = bias
    entry = 0
    for mask, length in zip(masks, lengths, strict=True):
        for t in range(entry, entry + length):
            numbers = ring[starts[t] : starts[t] + count]
            for row in range(sums.shape[0]):
                if mask >> row & 1:
                    sums[row, :count] += weights[t, row] * numbers
        entry += length


def _accumulate_pixels_naive(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
    """The same sums as pixels: ``out[:, first : first + count]``; returns how many were clipped."""
    sums = np.empty((ROWS, count), weights.dtype)
    _accumulate_naive(ring, starts, weights, masks, lengths, bias, sums, count)
    rounded = np.rint(np.abs(sums) if numbers.fold else sums)
    clipped = np.where(rounded >= numbers.low, np.minimum(rounded, numbers.high), numbers.low)
    out[:, first : first + count] = clipped
    return int((rounded != clipped).sum())


class _Builder:
    """Writes one tile as LLVM IR for one element type: the loops over blocks, runs and entries."""

    def __init__(self, builder, element_bits):
        self.ir = builder
        self.element = ir.FloatType() if element_bits == 32 else ir.DoubleType()
        self.lanes = VECTOR_BYTES * 8 // element_bits
        self.vector = ir.VectorType(self.element, self.lanes)
        self.int64 = ir.IntType(64)
        name = f"llvm.fmuladd.v{self.lanes}f{element_bits}"
        self.multiply_add = self.function(name, self.vector, [self.vector] * 3)

    def number(self, value):
        return ir.Constant(self.int64, value)

    def splat(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        lanes = ir.VectorType(ir.IntType(32), self.lanes)
        first = self.ir.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.ir.shuffle_vector(first, undefined, ir.Constant(lanes, [0] * self.lanes))

    def vector_at(self, pointer, index):
        return self.ir.bitcast(self.ir.gep(pointer, [index]), self.vector.as_pointer())

    def tile(self, ring, starts, weights, masks, lengths, runs, bias, blocks, store):
        """For each block of columns: sums from the bias on, over all runs, given to ``store``; returns its total."""
        build = self.ir
        start_value = self.splat(bias)
        block_head, block_body, run_head, run_end, block_end, done = (
            build.append_basic_block(name) for name in ("block", "begin", "run", "run_end", "block_end", "done")
        )
        before = build.block
        build.branch(block_head)

        build.position_at_end(block_head)
        block = build.phi(self.int64)
        block.add_incoming(self.number(0), before)
        total = build.phi(self.int64)
        total.add_incoming(self.number(0), before)
        build.cbranch(build.icmp_signed("<", block, blocks), block_body, done)

        build.position_at_end(block_body)
        column = build.mul(block, self.number(self.lanes * _VECTORS))
        has_runs = build.icmp_signed(">", runs, self.number(0))
        build.cbranch(has_runs, run_head, block_end)

        build.position_at_end(run_head)
        run, entry = build.phi(self.int64), build.phi(self.int64)
        run.add_incoming(self.number(0), block_body)
        entry.add_incoming(self.number(0), block_body)
        held = self._sums_phi([(start_value, block_body)])
        mask = build.load(build.gep(masks, [run]))
        entry_end = build.add(entry, build.load(build.gep(lengths, [run])))
        switch = build.switch(mask, run_end)

        build.position_at_end(run_end)
        added = self._sums_phi([])
        next_run = build.add(run, self.number(1))
        run.add_incoming(next_run, run_end)
        entry.add_incoming(entry_end, run_end)
        self._feed(held, added, run_end)
        build.cbranch(build.icmp_signed("<", next_run, runs), run_head, block_end)

        self._feed(added, held, run_head)
        for value in range(1, 1 << ROWS):
            self._entries(
                value, switch, run_head, run_end, entry, entry_end, held, added, ring, starts, weights, column
            )

        build.position_at_end(block_end)
        final = self._sums_phi([(start_value, block_body)])
        self._feed(final, added, run_end)
        added_total = total
        for (row, vector), value in final.items():
            added_total = store(row, build.add(column, self.number(vector * self.lanes)), value, added_total)
        total.add_incoming(added_total, block_end)
        block.add_incoming(build.add(block, self.number(1)), block_end)
        build.branch(block_head)
        build.position_at_end(done)
        return total

    def store_sums(self, sums, sums_stride):
        """What stores a vector of sums as it is."""

        def store(row, column, value, total):
            at = self.ir.add(column, self.ir.mul(sums_stride, self.number(row)))
            self.ir.store(value, self.vector_at(sums, at), align=self.element_bytes)
            return total

        return store

    def store_pixels(self, pixels, pixels_stride, bits, low, high, fold):
        """What stores a vector of sums as pixels, and adds up how many were clipped: `store_row` in registers."""
        build = self.ir
        integers = ir.VectorType(ir.IntType(self.element_bytes * 8), self.lanes)
        sign = 1 << (self.element_bytes * 8 - 1)
        kept = (ir.Constant(integers, [value] * self.lanes) for value in (sign - 1, -1))
        mask = build.select(fold, *kept)
        low, high = self.splat(low), self.splat(high)
        name = f"v{self.lanes}f{self.element_bytes * 8}"
        rint = self.function(f"llvm.rint.{name}", self.vector, [self.vector])
        lanes = ir.IntType(self.lanes)
        count = self.function(f"llvm.ctpop.i{self.lanes}", lanes, [lanes])
        narrow = ir.VectorType(ir.IntType(bits), self.lanes)

        def store(row, column, value, total):
            folded = build.bitcast(build.and_(build.bitcast(value, integers), mask), self.vector)
            rounded = build.call(rint, [folded])
            # Comparisons with NaN are false: NaN becomes the low end and counts.
            clipped = build.select(build.fcmp_ordered(">=", rounded, low), rounded, low)
            clipped = build.select(build.fcmp_ordered("<=", clipped, high), clipped, high)
            differs = build.bitcast(build.fcmp_unordered("!=", rounded, clipped), lanes)
            whole = build.fptosi(clipped, ir.VectorType(ir.IntType(32), self.lanes))
            at = build.gep(pixels, [build.add(column, build.mul(pixels_stride, self.number(row)))])
            target = build.bitcast(at, narrow.as_pointer())
            build.store(build.trunc(whole, narrow), target, align=bits // 8)
            return build.add(total, build.zext(build.call(count, [differs]), self.int64))

        return store

    def function(self, name, result, arguments):
        """One of LLVM's own functions."""
        module = self.ir.function.module
        return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)

    @property
    def element_bytes(self):
        return VECTOR_BYTES // self.lanes

    def _sums_phi(self, incoming):
        held = {(row, vector): self.ir.phi(self.vector) for row in range(ROWS) for vector in range(_VECTORS)}
        for phi in held.values():
            for value, block in incoming:
                phi.add_incoming(value, block)
        return held

    @staticmethod
    def _feed(phis, values, block):
        for key, phi in phis.items():
            phi.add_incoming(values[key], block)

    def _entries(self, mask, switch, run_head, run_end, entry, entry_end, held, added, ring, starts, weights, column):
        """The loop over the entries of a run whose mask is this one."""
        build = self.ir
        head = build.append_basic_block(f"mask{mask}")
        switch.add_case(self.number(mask), head)
        build.position_at_end(head)
        t = build.phi(self.int64)
        t.add_incoming(entry, run_head)
        rows = [row for row in range(ROWS) if mask >> row & 1]
        running = {(row, vector): build.phi(self.vector) for row in rows for vector in range(_VECTORS)}
        for key, phi in running.items():
            phi.add_incoming(held[key], run_head)
        first = build.add(build.load(build.gep(starts, [t])), column)
        loaded = [
            build.load(
                self.vector_at(ring, build.add(first, self.number(vector * self.lanes))), align=self.element_bytes
            )
            for vector in range(_VECTORS)
        ]
        updated = {}
        for row in rows:
            at = build.add(build.mul(t, self.number(ROWS)), self.number(row))
            weight = self.splat(build.load(build.gep(weights, [at])))
            for vector in range(_VECTORS):
                updated[row, vector] = build.call(self.multiply_add, [weight, loaded[vector], running[row, vector]])
        next_t = build.add(t, self.number(1))
        t.add_incoming(next_t, head)
        for key, phi in running.items():
            phi.add_incoming(updated[key], head)
        build.cbranch(build.icmp_signed("<", next_t, entry_end), head, run_end)
        for key, phi in added.items():
            phi.add_incoming(updated.get(key, held[key]), head)


@intrinsic
def _accumulate_vectors(typing_context, ring, starts, weights, masks, lengths, bias, sums, count):
    """`_accumulate_naive` in registers; writes up to `SLACK` numbers beyond ``count``."""
    signature = types.void(ring, starts, weights, masks, lengths, ring.dtype, sums, types.intp)

    def generate(context, builder, signature, arguments):
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
            if isinstance(kind, types.Array)
        ]
        ring, starts, weights, masks, lengths, sums = arrays
        maker = _Builder(builder, signature.args[0].dtype.bitwidth)
        block = maker.number(maker.lanes * _VECTORS)
        blocks = builder.sdiv(builder.add(arguments[7], builder.sub(block, maker.number(1))), block)
        runs = builder.extract_value(masks.shape, 0)
        sums_stride = builder.sdiv(builder.extract_value(sums.strides, 0), maker.number(maker.element_bytes))
        pointers = [array.data for array in (ring, starts, weights, masks, lengths)]
        maker.tile(*pointers, runs, arguments[5], blocks, maker.store_sums(sums.data, sums_stride))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _accumulate_pixel_vectors(
    typing_context, ring, starts, weights, masks, lengths, bias, low, high, fold, out, first, count
):
    """`_accumulate_pixels_naive` in registers; ``count`` is a multiple of `SLACK`. Floats as pixels: does nothing."""
    number = ring.dtype
    signature = types.intp(
        ring, starts, weights, masks, lengths, number, number, number, types.boolean, out, types.intp, types.intp
    )

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        if not isinstance(kinds[9].dtype, types.Integer):
            return context.get_constant(types.intp, 0)
        made = {i: context.make_array(kinds[i])(context, builder, arguments[i]) for i in (0, 1, 2, 3, 4, 9)}
        maker = _Builder(builder, kinds[0].dtype.bitwidth)
        blocks = builder.sdiv(arguments[11], maker.number(maker.lanes * _VECTORS))
        runs = builder.extract_value(made[3].shape, 0)
        bits = kinds[9].dtype.bitwidth
        stride = builder.sdiv(builder.extract_value(made[9].strides, 0), maker.number(bits // 8))
        pixels = builder.gep(made[9].data, [arguments[10]])
        fold = context.cast(builder, arguments[8], types.boolean, types.boolean)
        store = maker.store_pixels(pixels, stride, bits, arguments[6], arguments[7], fold)
        return maker.tile(*(made[i].data for i in range(5)), runs, arguments[5], blocks, store)

    return signature, generate


if numba.config.DISABLE_JIT:
    accumulate, accumulate_pixels = _accumulate_naive, _accumulate_pixels_naive
else:

    @numba.njit
    def accumulate(ring, starts, weights, masks, lengths, bias, sums, count):
        """Sums (R, >= count + SLACK) of a program over a flat, C-contiguous ring of float32 or float64."""
        _accumulate_vectors(ring, starts, weights, masks, lengths, bias, sums, count)

    @numba.njit
    def accumulate_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
        """Sums as pixels of ``out[:, first : first + count]`` (ROWS, C-contiguous rows); returns how many were clipped.

        ``count`` is a multiple of `SLACK`, ``numbers`` the scalars of `convcli.loops.correlation`. With an ``out`` of
        floats, which a caller need not keep from coming here, nothing happens.
        """
        low, high, fold = numbers.low, numbers.high, numbers.fold
        return _accumulate_pixel_vectors(
            ring, starts, weights, masks, lengths, bias, low, high, fold, out, first, count
        )


def accumulate_twin(ring, starts, weights, masks, lengths, bias, sums, count):
    """The naive twin under its public name, for tests: multiply, then add, each rounded, in the entries' order."""
    _accumulate_naive(ring, starts, np.asarray(weights), masks, lengths, bias, sums, count)


def accumulate_pixels_twin(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
    """The naive twin of `accumulate_pixels`, for tests."""
    return _accumulate_pixels_naive(ring, starts, np.asarray(weights), masks, lengths, bias, numbers, out, first, count)
