"""The instructions of the register tile: see `tile`, which says what it is and calls it."""

from itertools import groupby

from convcli.loops.vectors import VECTOR_BYTES, Vectors, ir, types


class Tile(Vectors):
    """Writes one tile: the loops over blocks, runs and entries.

    A tile has ``rows`` rows of ``vectors`` vectors. These begin ``spacing`` numbers apart, side by side without it.
    Programs of windows of ``dense`` by ``dense`` weights, none of them zero, are written out.
    """

    def __init__(self, builder, ring, sums, rows, vectors, spacing=None, dense=0):
        super().__init__(builder, sums.bitwidth)
        self.dense = dense
        self.ahead = ()  # see `tile.accumulate_pixels`
        self.ring_bits = ring.bitwidth if isinstance(ring, types.Integer) else 0
        self.counts = ir.VectorType(ir.IntType(max(sums.bitwidth, 32)), VECTOR_BYTES * 8 // max(sums.bitwidth, 32))
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
        is_dense = self._is_dense(masks, lengths, runs) if self.dense else None
        head, body, done = (build.append_basic_block(name) for name in ("block", "begin", "done"))
        before = build.block
        build.branch(head)

        build.position_at_end(head)
        block, total = build.phi(self.int64), build.phi(self.counts)
        block.add_incoming(self.number(0), before)
        total.add_incoming(ir.Constant(self.counts, None), before)
        build.cbranch(build.icmp_signed("<", block, blocks), body, done)

        build.position_at_end(body)
        column = build.mul(block, self.number(step))
        self._fetch_ahead(column)
        program = (build.gep(ring, [column]), starts, weights, masks, lengths, runs)
        stored = store(self._sums(is_dense, program, start_value), column, total)
        total.add_incoming(stored, build.block)
        block.add_incoming(build.add(block, self.number(1)), build.block)
        build.branch(head)
        build.position_at_end(done)
        return total

    def _sums(self, is_dense, program, start_value):
        """The sums of a block."""
        if is_dense is None:
            return self._sums_of_runs(*program, start_value)
        build = self.ir
        dense, others, joined = (build.append_basic_block(name) for name in ("dense", "others", "joined"))
        build.cbranch(is_dense, dense, others)
        result = {}
        for block, kind in ((dense, self._dense_sums), (others, self._sums_of_runs)):
            build.position_at_end(block)
            result[kind] = kind(*program, start_value), build.block
            build.branch(joined)
        build.position_at_end(joined)
        sums = self._sums_phi([])
        for values, block in result.values():
            self._feed(sums, values, block)
        return sums

    def _sums_of_runs(self, here, starts, weights, masks, lengths, runs, start_value):
        """The loop over the runs of a program."""
        build, before = self.ir, self.ir.block
        head, end, done = (build.append_basic_block(name) for name in ("run", "run_end", "runs_done"))
        build.cbranch(build.icmp_signed(">", runs, self.number(0)), head, done)

        build.position_at_end(head)
        run, entry = build.phi(self.int64), build.phi(self.int64)
        run.add_incoming(self.number(0), before)
        entry.add_incoming(self.number(0), before)
        held = self._sums_phi([(start_value, before)])
        mask = build.load(build.gep(masks, [run]))
        entry_end = build.add(entry, build.load(build.gep(lengths, [run])))
        switch = build.switch(mask, end)

        build.position_at_end(end)
        added = self._sums_phi([])
        next_run = build.add(run, self.number(1))
        run.add_incoming(next_run, end)
        entry.add_incoming(entry_end, end)
        self._feed(held, added, end)
        build.cbranch(build.icmp_signed("<", next_run, runs), head, done)

        self._feed(added, held, head)
        for value in range(1, 1 << self.rows):
            self._entries(value, switch, head, end, entry, entry_end, held, added, here, starts, weights)

        build.position_at_end(done)
        final = self._sums_phi([(start_value, before)])
        self._feed(final, added, end)
        return final

    def _fetch_ahead(self, column):
        """Ask for what lies in these columns of the rows ahead."""
        if not self.ahead:
            return
        build, (address, row_step, size) = self.ir, self.ahead
        at = build.add(address, build.mul(column, size))
        for row in range(self.rows):
            place = build.add(at, build.mul(row_step, self.number(row)))
            self.fetch(build.inttoptr(place, ir.IntType(8).as_pointer()))

    def _is_dense(self, masks, lengths, runs):
        """Whether a program is that of a window of ``dense`` by ``dense`` weights, none of them zero."""
        build = self.ir
        expected = self._dense_runs()
        fits = build.icmp_signed("==", runs, self.number(len(expected)))

        def look():
            same = fits
            for run, numbers in enumerate(expected):
                for array, number in zip((masks, lengths), numbers, strict=True):
                    found = build.load(build.gep(array, [self.number(run)]))
                    same = build.and_(same, build.icmp_signed("==", found, self.number(number)))
            return same

        return self._either(fits, look, lambda: fits)

    def _dense_masks(self):
        """Of each row under a group of such windows, the output rows that it is added to."""
        return [
            sum(1 << row for row in range(self.rows) if 0 <= under - row < self.dense)
            for under in range(self.dense + self.rows - 1)
        ]

    def _dense_runs(self):
        return [(mask, self.dense * len(list(rows))) for mask, rows in groupby(self._dense_masks())]

    def _dense_sums(self, here, starts, weights, masks, lengths, runs, start_value):
        """The sums of such windows without runs and loops, which take long beside few taps.

        24 MP RGB, one thread, 3x3: AVX2 41 ms, and 45 with runs.
        """
        build = self.ir
        sums = {(row, vector): start_value for row in range(self.rows) for vector in range(self.vectors)}
        for place in range(len(self._dense_masks()) * self.dense):
            mask = self._dense_masks()[place // self.dense]
            first = build.load(build.gep(starts, [self.number(place)]))
            loaded = [self._loaded(here, build.add(first, offset)) for offset in self.offsets]
            for row in range(self.rows):
                if mask >> row & 1:
                    weight = self.splat(build.load(build.gep(weights, [self.number(place * self.rows + row)])))
                    for vector, numbers in enumerate(loaded):
                        sums[row, vector] = self._added(weight, numbers, sums[row, vector])
        return sums

    def store_sums(self, sums, row_step, begin):
        """What stores sums as they are, those of column ``begin`` first, rows ``row_step`` numbers apart."""

        def store(final, column, total):
            column = self.ir.sub(column, begin)
            for (row, vector), value in final.items():
                self.store(value, sums, self._at(row, vector, column, row_step))
            return total

        return store

    def store_either(self, early, late, begin):
        """What stores by ``early`` up to column ``begin``, and from there on by ``late``."""

        def store(final, column, total):
            is_early = self.ir.icmp_signed("<", column, begin)
            return self._either(is_early, lambda: early(final, column, total), lambda: late(final, column, total))

        return store

    def store_pixels(self, pixels, row_step, bits, low, high, fold, inside):
        """What stores sums as pixels and adds up how many were clipped: `store_row` in registers.

        With ``inside`` none can be, so nothing is compared.
        """
        build = self.ir
        clip = self._clipping(low, high, fold)

        def write(column, values):
            for rows, vector, joined in self._joined({key: self._rounded(each) for key, each in values.items()}):
                narrowed = self._narrowed(joined, ir.VectorType(ir.IntType(bits), joined.type.count))
                count = joined.type.count // len(rows)
                for place, row in enumerate(rows):
                    part = self.shuffle(narrowed, list(range(place * count, place * count + count)))
                    target = self.place(pixels, self._at(row, vector, column, row_step), part.type)
                    build.store(part, target, align=bits // 8)

        def store(final, column, total):
            def plain():
                write(column, final)
                return total

            def compared():
                clipped, counted = clip(final, total)
                write(column, clipped)
                return counted

            return self._either(inside, plain, compared)

        return store

    def _either(self, condition, one, other):
        """What ``one()`` writes and gives where a condition holds, or ``other()``."""
        build, found = self.ir, []
        *branches, after = (build.append_basic_block(name) for name in ("one", "other", "after"))
        build.cbranch(condition, *branches)
        for branch, write in zip(branches, (one, other), strict=True):
            build.position_at_end(branch)
            found.append((write(), build.block))
            build.branch(after)
        build.position_at_end(after)
        result = build.phi(found[0][0].type)
        for incoming in found:
            result.add_incoming(*incoming)
        return result

    def _clipping(self, low, high, fold):
        """A function that clips sums, by (row, vector), and adds how many differ then to a total."""
        build = self.ir
        sign = 1 << (self.bytes * 8 - 1)
        integers = self.integers(self.bytes * 8)
        mask = build.select(fold, *(ir.Constant(integers, [value] * self.lanes) for value in (sign - 1, -1)))
        low, high = self.splat(low), self.splat(high)
        rint = self.function(f"rint.{self.name}", self.vector, [self.vector])

        def clip(sums, total):
            clipped = {}
            for key, value in sums.items():
                folded = build.bitcast(build.and_(build.bitcast(value, integers), mask), self.vector)
                rounded = build.call(rint, [folded])
                # Comparisons with NaN are false: NaN becomes the low end and counts.
                raised = build.select(build.fcmp_ordered(">", rounded, low), rounded, low)
                clipped[key] = build.select(build.fcmp_ordered("<", raised, high), raised, high)
                differs = build.fcmp_unordered("!=", rounded, clipped[key])
                total = build.sub(total, build.sext(differs, integers))
            return clipped, total

        return clip

    def _rounded(self, value):
        """Sums as integers, half to even."""
        function = self.function(f"lrint.v{self.lanes}i32.{self.name}", self.integers(32), [self.vector])
        return self.ir.call(function, [value])

    def count(self, total):
        """The sum of a total's lanes."""
        places = (ir.Constant(ir.IntType(32), place) for place in range(total.type.count))
        lanes = (self.ir.extract_element(total, place) for place in places)
        result = self.number(0)
        for lane in lanes:
            result = self.ir.add(result, self.ir.zext(lane, self.int64) if lane.type != self.int64 else lane)
        return result

    def _joined(self, values):
        """Vectors side by side, of as many rows as saves instructions, as one, with the rows and the first place."""
        at_once = 4 if VECTOR_BYTES < 64 and self.side_by_side else 1
        first = 0
        while first < self.vectors:
            count = min(at_once, 1 << (self.vectors - first).bit_length() - 1)
            together = min(at_once // count, self.rows)
            for top in range(0, self.rows, together):
                rows = range(top, top + together)
                parts = [values[row, vector] for row in rows for vector in range(first, first + count)]
                while len(parts) > 1:
                    pairs = zip(parts[::2], parts[1::2], strict=True)
                    parts = [self.shuffle(*self._in_order(one, other)) for one, other in pairs]
                yield rows, first, parts[0]
            first += count

    @staticmethod
    def _in_order(one, other):
        return one, list(range(2 * one.type.count)), other

    def _narrowed(self, whole, narrow):
        """Integers from 0 to the largest of a narrower type as that; said so that vectors narrow are packed."""
        build = self.ir
        if VECTOR_BYTES < 64:
            name = f"v{whole.type.count}i{whole.type.element.width}"
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

    def _added(self, weight, numbers, sums):
        return self.ir.call(self.multiply_add, [weight, numbers, sums])

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

    def _entries(self, mask, switch, run_head, run_end, entry, entry_end, held, added, here, starts, weights):
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
        first = build.load(build.gep(starts, [t]))
        loaded = [self._loaded(here, build.add(first, offset)) for offset in self.offsets]
        updated = {}
        for row in rows:
            at = build.add(build.mul(t, self.number(self.rows)), self.number(row))
            weight = self.splat(build.load(build.gep(weights, [at])))
            for vector, numbers in enumerate(loaded):
                updated[row, vector] = self._added(weight, numbers, running[row, vector])
        next_t = build.add(t, self.number(1))
        t.add_incoming(next_t, head)
        for key, phi in running.items():
            phi.add_incoming(updated[key], head)
        build.cbranch(build.icmp_signed("<", next_t, entry_end), head, run_end)
        for key, phi in added.items():
            phi.add_incoming(updated.get(key, held[key]), head)


class WholeTile(Tile):
    """A tile whose sums are whole numbers of 16 bits, of bytes times such weights: exact, and twice as many at a time.

    24 MP RGB, sharpening, one thread: AVX2 34 ms, and 51 in float32; AVX-512 29 and 38.
    """

    def _loaded(self, ring, index):
        whole = self.ir.load(self.place(ring, index, self.integers(self.ring_bits)), align=self.ring_bits // 8)
        return self.ir.zext(whole, self.vector)

    def _added(self, weight, numbers, sums):
        return self.ir.add(sums, self.ir.mul(weight, numbers))

    def _rounded(self, value):
        return value

    def _clipping(self, low, high, fold):
        build = self.ir
        # What is said of numbers of which each bit is turned around, minus that, holds of their opposites.
        turned = self.splat(build.sext(fold, ir.IntType(16)))
        low, high = self.splat(low), self.splat(high)
        words = (f"{word}.{self.name}" for word in ("smax", "smin"))
        larger, smaller = (self.function(word, self.vector, [self.vector] * 2) for word in words)

        def clip(sums, total):
            clipped, counted = {}, ir.Constant(self.vector, None)
            for key, value in sums.items():
                folded = build.call(larger, [value, build.sub(build.xor(value, turned), turned)])
                clipped[key] = build.call(smaller, [build.call(larger, [folded, low]), high])
                differs = build.icmp_signed("!=", folded, clipped[key])
                counted = build.sub(counted, build.sext(differs, self.vector))
            # In pairs, since 16 bits would not hold the counts of many blocks.
            pairs, half = build.bitcast(counted, self.counts), ir.Constant(self.counts, [16] * self.counts.count)
            even = build.lshr(build.shl(pairs, half), half)
            return clipped, build.add(total, build.add(even, build.lshr(pairs, half)))

        return clip
