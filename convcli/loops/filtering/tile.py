"""The register tile of correlation; its naive twin is in `tile_naive`.

A correlation of R neighbouring output rows is a *program*: a list of entries, one for each run of input numbers that a
tap reads. Entry ``t`` starts at ``ring[starts[t]]`` and is added to the output rows in its run's bit mask with
``weights[t, row]``. Consecutive entries with one mask form a run, so the tile branches once per run. Each input vector
is loaded once and used for up to R rows, and the sums stay in registers: that, not the arithmetic, is what made it fast
(24 MP RGB uint8, two cores, 15x15: 150 ms against 640 ms with sums in an array, and 880 ms for OpenCV's filter2D).

Every output number is a chain of fused multiply-adds in the order of the entries, beginning with the bias, whatever the
vector width and wherever the row was cut: the bits never depend on them. Sums of whole numbers of 16 bits are exact in
any order.
"""

from convcli.loops.compiling.compiler import inner_loop, intrinsic, runs_python
from convcli.loops.costs import STRETCH_VECTORS, costs
from convcli.loops.costs import TILE_ROWS as ROWS
from convcli.loops.filtering.tile_naive import (
    accumulate_pixels_twin,
    accumulate_stretches_twin,
    accumulate_twin,
)
from convcli.loops.filtering.tile_vectors import Tile, WholeTile
from convcli.loops.vectors import VECTOR_BYTES, types

COSTS = costs()
STRETCHES = COSTS.stretches
# Whole numbers are multiplied and added one after the other, which takes a register.
WHOLE_VECTORS = COSTS.tile_vectors // 2 * 2
# Numbers in a row of a block of sums of 32 bits; half as many if they have 64.
BLOCK = VECTOR_BYTES // 4 * COSTS.tile_vectors
# The same of 16 bits, and by how many numbers a row of the ring and of the sums must be longer than what is wanted: the
# tile works in whole blocks.
SLACK = VECTOR_BYTES // 2 * WHOLE_VECTORS
ROW_SLACK = VECTOR_BYTES // 4 * COSTS.row_vectors
STRETCH_SLACK = VECTOR_BYTES // 4 * STRETCH_VECTORS * ROWS


def _tile_of_sums(rows, vectors):
    """An intrinsic: sums in registers, stored as they are; writes up to a block of numbers beyond ``count``."""

    @intrinsic
    def tile(typing_context, ring, starts, weights, masks, lengths, bias, sums, count):
        signature = types.void(ring, starts, weights, masks, lengths, weights.dtype, sums, types.intp)

        def generate(context, builder, signature, arguments):
            arrays = _arrays(context, builder, signature, arguments)
            maker = _tile(builder, signature.args[0].dtype, signature.args[2].dtype, rows, vectors)
            step = maker.lanes * maker.vectors
            blocks = builder.sdiv(builder.add(arguments[7], maker.number(step - 1)), maker.number(step))
            store = maker.store_sums(*_rows_of(builder, maker, arrays[6]), maker.number(0))
            maker.tile(*_program(builder, arrays), arguments[5], blocks, step, store)
            return context.get_dummy_value()

        return signature, generate

    return tile


def _tile_of_pixels(rows, vectors, *, stretched=False):
    """An intrinsic: sums in registers, stored as pixels from ``out[first]`` on; returns how many were clipped.

    Rows of the result begin ``row_step`` numbers apart, its vectors ``spacing`` if stretched, else side by side. Of
    ``count`` numbers those from ``whole`` on are stored as they are in ``sums`` if that is an array. Floats as pixels:
    there is no ``whole``.
    """

    @intrinsic
    def tile(
        typing_context, ring, starts, weights, masks, lengths, bias, low, high, fold, inside, out, first, whole,
        row_step, spacing, sums, count, ahead,
    ):  # fmt: skip
        number, flag, size = weights.dtype, types.boolean, types.intp
        program = (ring, starts, weights, masks, lengths, number)
        signature = types.intp(*program, number, number, flag, flag, out, size, size, size, size, sums, size, ahead)

        def generate(context, builder, signature, arguments):
            out, has_sums = signature.args[10].dtype, isinstance(signature.args[15], types.Array)
            has_pixels = isinstance(out, types.Integer)
            if not has_pixels and not has_sums:
                return context.get_constant(types.intp, 0)
            arrays = _arrays(context, builder, signature, arguments)
            kinds = (signature.args[0].dtype, signature.args[2].dtype)
            dense = 0 if rows == 1 or stretched else 3 if isinstance(kinds[0], types.Integer) else 5
            maker = _tile(builder, *kinds, rows, vectors, arguments[14] if stretched else None, dense)
            maker.ahead = [builder.extract_value(arguments[17], place) for place in range(len(signature.args[17]))]
            step = maker.lanes * maker.vectors * (rows if stretched else 1)
            stores = []
            if has_pixels:
                pixels = builder.gep(arrays[10].data, [arguments[11]])
                flags = (context.cast(builder, arguments[place], flag, flag) for place in (8, 9))
                stores.append(maker.store_pixels(pixels, arguments[13], out.bitwidth, *arguments[6:8], *flags))
            if has_sums:
                stores.append(maker.store_sums(*_rows_of(builder, maker, arrays[15]), arguments[12]))
            store = stores[0] if len(stores) == 1 else maker.store_either(*stores, arguments[12])
            numbers = builder.add(arguments[16], maker.number(step - 1)) if has_sums else arguments[12]
            blocks = builder.sdiv(numbers, maker.number(step))
            return maker.count(maker.tile(*_program(builder, arrays), arguments[5], blocks, step, store))

        return signature, generate

    return tile


def _tile(builder, ring, sums, rows, vectors, spacing=None, dense=0):
    if isinstance(sums, types.Integer):
        return WholeTile(builder, ring, sums, rows, WHOLE_VECTORS)
    return Tile(builder, ring, sums, rows, vectors, spacing, dense)


def _arrays(context, builder, signature, arguments):
    """The arguments that are arrays, by their places."""
    return {
        place: context.make_array(kind)(context, builder, arguments[place])
        for place, kind in enumerate(signature.args)
        if isinstance(kind, types.Array)
    }


def _rows_of(builder, maker, sums):
    """Where an array of sums is, and the numbers from one of its rows to the next."""
    return sums.data, builder.sdiv(builder.extract_value(sums.strides, 0), maker.number(maker.bytes))


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

        These are float32 or float64, and the ring has the same type, or unsigned integers; or these have 16 bits, and
        the ring has bytes.
        """
        _group_sums(ring, starts, weights, masks, lengths, bias, sums, count)

    @inner_loop
    def accumulate_row(ring, starts, weights, masks, lengths, bias, sums, count):
        """`accumulate` for one row: sums (1, >= count + ROW_SLACK), weights (T, 1)."""
        _row_sums(ring, starts, weights, masks, lengths, bias, sums, count)

    @inner_loop
    def accumulate_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, whole, sums, count, ahead):
        """Sums as pixels of ``out[:, first : first + whole]`` (ROWS, C-contiguous rows); returns how many were clipped.

        ``whole`` is a multiple of `BLOCK` (of `SLACK` if sums have 16 bits), ``numbers`` the scalars of `correlation`.
        The sums from there on to ``count`` come as they are into ``sums`` (ROWS, >= count - whole + SLACK), all of them
        where ``out`` has floats; without such an array there are none.
        ``ahead`` says what will be read next: where as many rows begin in memory, how many bytes lie between them and
        in a number; empty if that is not known.
        """
        return _group_pixels(
            ring, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, first, whole, out.shape[1], 0, sums, count, ahead,
        )  # fmt: skip

    @inner_loop
    def accumulate_row_pixels(ring, starts, weights, masks, lengths, bias, numbers, out, first, count):
        """`accumulate_pixels` for one row: ``out`` (1, n), weights (T, 1), ``count`` a multiple of `ROW_SLACK`."""
        return _row_pixels(
            ring, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, first, count, 0, 0, (), count, (),
        )  # fmt: skip

    @inner_loop
    def accumulate_stretches(row, starts, weights, masks, lengths, bias, numbers, out, count, stretch, spacing):
        """Sums of a row as pixels of ``out[:count]``, where a program's rows are stretches of this one row.

        ``count`` is a multiple of `STRETCH_SLACK`; stretches and vectors begin ``stretch`` and ``spacing`` numbers
        apart and together leave no gap. Returns how many were clipped. Floats as pixels: does nothing.
        """
        return _stretch_pixels(
            row, starts, weights, masks, lengths, bias, numbers.low, numbers.high, numbers.fold, numbers.inside,
            out, 0, count, stretch, spacing, (), count, (),
        )  # fmt: skip
