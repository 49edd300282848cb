"""The register tile of correlation; its naive twin is in `tile_naive`.

A correlation of R neighbouring output rows is a *program*: a list of entries, one for each run of input numbers that a
tap reads. Entry ``t`` starts at ``ring[starts[t]]`` and is added to the output rows in its run's bit mask with
``weights[t, row]``. Consecutive entries with one mask form a run, so the tile branches once per run. Each input vector
is loaded once and used for up to R rows, and the sums stay in registers: that, not the arithmetic, is what made it fast
(24 MP RGB uint8, two cores, 15x15: 150 ms against 640 ms with sums in an array, and 880 ms for OpenCV's filter2D).

Every output number is a chain of fused multiply-adds in the order of the entries, beginning with the bias, whatever the
vector width and wherever the row was cut: the bits never depend on them.
"""

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.costs import STRETCH_VECTORS, costs
from convcli.loops.costs import TILE_ROWS as ROWS
from convcli.loops.filtering.tile_naive import (
    accumulate_pixels_twin,
    accumulate_stretches_twin,
    accumulate_twin,
)
from convcli.loops.vectors import VECTOR_BYTES, Vectors, ir, types

COSTS = costs()
STRETCHES = COSTS.stretches
# Numbers by which a row of the ring and of the sums must be longer than what is wanted: the tile works in whole blocks.
SLACK = VECTOR_BYTES // 4 * COSTS.tile_vectors
ROW_SLACK = VECTOR_BYTES // 4 * COSTS.row_vectors
STRETCH_SLACK = VECTOR_BYTES // 4 * STRETCH_VECTORS * ROWS


class _Tile(Vectors):
    """Writes one tile: the loops over blocks, runs and entries.

    A tile has ``rows`` rows of ``vectors`` vectors. These begin ``spacing`` numbers apart, side by side without it.
    """

    def __init__(self, builder, ring, sums, rows, vectors, spacing=None):
        super().__init__(builder, sums.bitwidth)
        self.ring_bits = ring.bitwidth if isinstance(ring, types.Integer) else 0
        self.rows, self.vectors = rows, vectors
        self.side_by_side = spacing is None
        beside = self.number(self.lanes) if spacing is None else spacing
        self.offsets = [builder.mul(beside, self.number(vector)) for vector in range(vectors)]

    def tile(self, ring, starts, weights, masks, lengths, runs, bias, blocks, step, store):
        """For each block, ``step`` columns on: sums from the bias on, over all runs, given to ``store``.

        ``store(sums, column, total)`` gets vectors by (row, vector) and returns the total, a vector of integers; this
        returns it too.
        """
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
        none = ir.Constant(self.integers(self.bytes * 8), None)
        total = build.phi(none.type)
        total.add_incoming(none, before)
        build.cbranch(build.icmp_signed("<", block, blocks), block_body, done)

        build.position_at_end(block_body)
        column = build.mul(block, self.number(step))
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
        for value in range(1, 1 << self.rows):
            self._entries(
                value, switch, run_head, run_end, entry, entry_end, held, added, ring, starts, weights, column
            )

        build.position_at_end(block_end)
        final = self._sums_phi([(start_value, block_body)])
        self._feed(final, added, run_end)
        stored = store(final, column, total)
        total.add_incoming(stored, build.block)
        block.add_incoming(build.add(block, self.number(1)), build.block)
        build.branch(block_head)
        build.position_at_end(done)
        return total

    def store_sums(self, sums, row_step):
        """What stores sums as they are, rows ``row_step`` numbers apart."""

        def store(final, column, total):
            for (row, vector), value in final.items():
                self.store(value, sums, self._at(row, vector, column, row_step))
            return total

        return store

    def store_pixels(self, pixels, row_step, bits, low, high, fold, inside):
        """What stores sums as pixels and adds up how many were clipped: `store_row` in registers.

        With ``inside`` none can be, so nothing is compared.
        """
        build = self.ir
        sign = 1 << (self.bytes * 8 - 1)
        integers = self.integers(self.bytes * 8)
        mask = build.select(fold, *(ir.Constant(integers, [value] * self.lanes) for value in (sign - 1, -1)))
        low, high = self.splat(low), self.splat(high)
        rint = self.function(f"rint.{self.name}", self.vector, [self.vector])
        whole = self.integers(32)
        to_whole = self.function(f"lrint.v{self.lanes}i32.{self.name}", whole, [self.vector])

        def write(column, values):
            for row, vector, joined in self._joined(
                {key: build.call(to_whole, [each]) for key, each in values.items()}
            ):
                narrow = ir.VectorType(ir.IntType(bits), joined.type.count)
                target = self.place(pixels, self._at(row, vector, column, row_step), narrow)
                build.store(self._narrowed(joined, narrow), target, align=bits // 8)

        def store(final, column, total):
            plain, compared, stored = (build.append_basic_block(name) for name in ("plain", "compared", "stored"))
            build.cbranch(inside, plain, compared)
            build.position_at_end(plain)
            write(column, final)
            build.branch(stored)

            build.position_at_end(compared)
            counted, written = total, {}
            for key, value in final.items():
                folded = build.bitcast(build.and_(build.bitcast(value, integers), mask), self.vector)
                rounded = build.call(rint, [folded])
                # Comparisons with NaN are false: NaN becomes the low end and counts.
                clipped = build.select(build.fcmp_ordered(">", rounded, low), rounded, low)
                clipped = build.select(build.fcmp_ordered("<", clipped, high), clipped, high)
                differs = build.fcmp_unordered("!=", rounded, clipped)
                counted = build.sub(counted, build.sext(differs, integers))
                written[key] = clipped
            write(column, written)
            build.branch(stored)

            build.position_at_end(stored)
            result = build.phi(integers)
            result.add_incoming(total, plain)
            result.add_incoming(counted, compared)
            return result

        return store

    def count(self, total):
        """The sum of a total's lanes."""
        lanes = (self.ir.extract_element(total, ir.Constant(ir.IntType(32), lane)) for lane in range(self.lanes))
        result = self.number(0)
        for lane in lanes:
            result = self.ir.add(result, self.ir.zext(lane, self.int64) if lane.type != self.int64 else lane)
        return result

    def _joined(self, values):
        """Rows, first vectors and vectors that lie side by side as one, as far as that saves instructions."""
        at_once = 4 if VECTOR_BYTES < 64 and self.side_by_side else 1
        for row in range(self.rows):
            first = 0
            while first < self.vectors:
                count = min(at_once, 1 << (self.vectors - first).bit_length() - 1)
                parts = [values[row, vector] for vector in range(first, first + count)]
                while len(parts) > 1:
                    pairs = zip(parts[::2], parts[1::2], strict=True)
                    parts = [self.shuffle(*self._in_order(one, other)) for one, other in pairs]
                yield row, first, parts[0]
                first += count

    @staticmethod
    def _in_order(one, other):
        return one, list(range(2 * one.type.count)), other

    def _narrowed(self, whole, narrow):
        """Integers from 0 to the largest of a narrower type as that; said so that vectors narrow are packed."""
        build = self.ir
        if VECTOR_BYTES < 64:
            name = f"v{whole.type.count}i32"
            for word, limit in (("smin", (1 << narrow.element.width) - 1), ("smax", 0)):
                function = self.function(f"{word}.{name}", whole.type, [whole.type] * 2)
                whole = build.call(function, [whole, ir.Constant(whole.type, [limit] * whole.type.count)])
        return build.trunc(whole, narrow)

    def _at(self, row, vector, column, row_step):
        start = self.ir.add(column, self.ir.mul(row_step, self.number(row)))
        return self.ir.add(start, self.offsets[vector])

    def _loaded(self, ring, index):
        """A vector of the ring, as numbers of the sums' type."""
        if not self.ring_bits:
            return self.load(ring, index)
        whole = self.ir.load(self.place(ring, index, self.integers(self.ring_bits)), align=self.ring_bits // 8)
        return self.ir.uitofp(whole, self.vector)

    def _sums_phi(self, incoming):
        held = {(row, vector): self.ir.phi(self.vector) for row in range(self.rows) for vector in range(self.vectors)}
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
        rows = [row for row in range(self.rows) if mask >> row & 1]
        running = {(row, vector): build.phi(self.vector) for row in rows for vector in range(self.vectors)}
        for key, phi in running.items():
            phi.add_incoming(held[key], run_head)
        first = build.add(build.load(build.gep(starts, [t])), column)
        loaded = [self._loaded(ring, build.add(first, offset)) for offset in self.offsets]
        updated = {}
        for row in rows:
            at = build.add(build.mul(t, self.number(self.rows)), self.number(row))
            weight = self.splat(build.load(build.gep(weights, [at])))
            for vector, numbers in enumerate(loaded):
                updated[row, vector] = build.call(self.multiply_add, [weight, numbers, running[row, vector]])
        next_t = build.add(t, self.number(1))
        t.add_incoming(next_t, head)
        for key, phi in running.items():
            phi.add_incoming(updated[key], head)
        build.cbranch(build.icmp_signed("<", next_t, entry_end), head, run_end)
        for key, phi in added.items():
            phi.add_incoming(updated.get(key, held[key]), head)


def _tile_of_sums(rows, vectors):
    """An intrinsic: sums in registers, stored as they are; writes up to a block of numbers beyond ``count``."""

    @intrinsic
    def tile(typing_context, ring, starts, weights, masks, lengths, bias, sums, count):
        signature = types.void(ring, starts, weights, masks, lengths, weights.dtype, sums, types.intp)

        def generate(context, builder, signature, arguments):
            arrays = _arrays(context, builder, signature, arguments)
            maker = _Tile(builder, signature.args[0].dtype, signature.args[2].dtype, rows, vectors)
            step = maker.lanes * vectors
            blocks = builder.sdiv(builder.add(arguments[7], maker.number(step - 1)), maker.number(step))
            row_step = builder.sdiv(builder.extract_value(arrays[6].strides, 0), maker.number(maker.bytes))
            store = maker.store_sums(arrays[6].data, row_step)
            maker.tile(*_program(builder, arrays), arguments[5], blocks, step, store)
            return context.get_dummy_value()

        return signature, generate

    return tile


def _tile_of_pixels(rows, vectors, *, stretched=False):
    """An intrinsic: sums in registers, stored as pixels from ``out[first]`` on; returns how many were clipped.

    Rows of the result begin ``row_step`` numbers apart, its vectors ``spacing`` if stretched, else side by side. Floats
    as pixels: does nothing.
    """

    @intrinsic
    def tile(
        typing_context, ring, starts, weights, masks, lengths, bias, low, high, fold, inside, out, first, count,
        row_step, spacing,
    ):  # fmt: skip
        number, flag, size = weights.dtype, types.boolean, types.intp
        program = (ring, starts, weights, masks, lengths, number)
        signature = types.intp(*program, number, number, flag, flag, out, size, size, size, size)

        def generate(context, builder, signature, arguments):
            out = signature.args[10].dtype
            if not isinstance(out, types.Integer):
                return context.get_constant(types.intp, 0)
            arrays = _arrays(context, builder, signature, arguments)
            kinds = (signature.args[0].dtype, signature.args[2].dtype)
            maker = _Tile(builder, *kinds, rows, vectors, arguments[14] if stretched else None)
            step = maker.lanes * vectors * (rows if stretched else 1)
            blocks = builder.sdiv(arguments[12], maker.number(step))
            pixels = builder.gep(arrays[10].data, [arguments[11]])
            flags = (context.cast(builder, arguments[place], flag, flag) for place in (8, 9))
            store = maker.store_pixels(pixels, arguments[13], out.bitwidth, *arguments[6:8], *flags)
            return maker.count(maker.tile(*_program(builder, arrays), arguments[5], blocks, step, store))

        return signature, generate

    return tile


def _arrays(context, builder, signature, arguments):
    """The arguments that are arrays, by their places."""
    return {
        place: context.make_array(kind)(context, builder, arguments[place])
        for place, kind in enumerate(signature.args)
        if isinstance(kind, types.Array)
    }


def _program(builder, arrays):
    """Where ring, starts, weights, masks and lengths are, and the number of runs."""
    return (*(arrays[place].data for place in range(5)), builder.extract_value(arrays[3].shape, 0))


if runs_python():
    accumulate, accumulate_pixels = accumulate_twin, accumulate_pixels_twin
    accumulate_row, accumulate_row_pixels = accumulate_twin, accumulate_pixels_twin
    accumulate_stretches = accumulate_stretches_twin
else:
    _group_sums, _row_sums = _tile_of_sums(ROWS, COSTS.tile_vectors), _tile_of_sums(1, COSTS.row_vectors)
    _group_pixels, _row_pixels = _tile_of_pixels(ROWS, COSTS.tile_vectors), _tile_of_pixels(1, COSTS.row_vectors)
    _stretch_pixels = _tile_of_pixels(ROWS, STRETCH_VECTORS, stretched=True)

    @inner_loop
    def accumulate(ring, starts, weights, masks, lengths, bias, sums, count):
        """Sums (ROWS, >= count + SLACK) of a program over a flat, C-contiguous ring, in the type of the weights.

        These are float32 or float64; the ring has the same type, or unsigned integers.
        """
        _group_sums(ring, starts, weights, masks, lengths, bias, sums, count)

    @inner_loop
    def accumulate_row(ring, starts, weights, masks, lengths, bias, sums, count):
        """`accumulate` for one row: sums (1, >= count + ROW_SLACK), weights (T, 1)."""
        _row_sums(ring, starts, weights, masks, lengths, bias, sums, count)

    @inner_loop
    def accumulate_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
        """Sums as pixels of ``out[:, first : first + count]`` (ROWS, C-contiguous rows); returns how many were clipped.

        ``count`` is a multiple of `SLACK`, ``numbers`` the scalars of `correlation`. With an ``out`` of floats,
        which a caller need not keep from coming here, nothing happens.
        """
        return _group_pixels(
            ring, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, first, count, out.shape[1], 0,
        )  # fmt: skip

    @inner_loop
    def accumulate_row_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
        """`accumulate_pixels` for one row: ``out`` (1, n), weights (T, 1), ``count`` a multiple of `ROW_SLACK`."""
        return _row_pixels(
            ring, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, first, count, 0, 0,
        )  # fmt: skip

    @inner_loop
    def accumulate_stretches(row, starts, weights, masks, lengths, bias, numbers, out, count, stretch, spacing):
        """Sums of a row as pixels of ``out[:count]``, where a program's rows are stretches of this one row.

        ``count`` is a multiple of `STRETCH_SLACK`; stretches and vectors begin ``stretch`` and ``spacing`` numbers
        apart and together leave no gap. Returns how many were clipped. Floats as pixels: does nothing.
        """
        return _stretch_pixels(
            row, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, 0, count, stretch, spacing,
        )  # fmt: skip
