"""The steps of a Fourier transform as vector instructions, each with a naive twin: butterflies and a transposition.

A butterfly takes four vectors, ``step`` numbers apart, of each of two arrays, the real and the imaginary parts: every
lane is a transform of its own. Forward, the frequencies that leave the last butterflies are in the order of
`frequencies`; backward, they are taken in that order, so nothing is ever sorted.

Source: J. W. Cooley, J. W. Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series", Mathematics of
Computation 19, 1965, for radix 4, decimated in frequency one way and in time the other.
"""

from typing import Any

import numpy as np

from convcli.loops.compiling.compiler import intrinsic, runs_python
from convcli.loops.vectors import VECTOR_BYTES, Vectors, pointers, types

RADIX = 4
LANES = VECTOR_BYTES // 4  # float32


def frequencies(size: int) -> Any:
    """Which frequency is where after the forward butterflies of a power of four."""
    if size == 1:
        return np.zeros(1, np.int64)
    within = frequencies(size // RADIX)
    return np.concatenate([first + RADIX * within for first in range(RADIX)])


def twiddles(size: int) -> Any:
    """The factors of all butterflies (float32, flat), stage by stage: cosine and sine of one, two and three angles."""
    stages = []
    while size > 1:
        angles = -2 * np.pi / size * np.multiply.outer(np.arange(size // RADIX), np.arange(1, RADIX))
        stages.append(np.stack((np.cos(angles), np.sin(angles)), axis=-1).ravel())
        size //= RADIX
    return np.concatenate(stages).astype(np.float32)


def _butterfly_naive(forward, re, im, at, step, factors, t):
    """Four by four lanes; forward the factors come last, backward they come first, conjugated."""
    places = [slice(at + i * step, at + i * step + LANES) for i in range(RADIX)]
    given = np.array([re[place] + 1j * im[place] for place in places], np.complex64)
    used = np.ones(RADIX, np.complex64)
    used[1:] = factors[t : t + 6 : 2] + 1j * factors[t + 1 : t + 6 : 2]
    turns = np.array([[(-1j) ** (i * j) for j in range(RADIX)] for i in range(RADIX)], np.complex64)
    used = used[:, None]
    result = turns @ given * used if forward else turns.conj() @ (given * used.conj())
    for place, line in zip(places, result, strict=True):
        re[place], im[place] = line.real, line.imag


def _transpose_naive(source, at, stride, out, out_at, out_stride):
    """A square of lanes by lanes."""
    for i in range(LANES):
        for j in range(LANES):
            out[out_at + j * out_stride + i] = source[at + i * stride + j]


class _Steps(Vectors):
    """Writes the steps, on vectors of float32."""

    def numbers(self, first, step, count):
        """``first``, ``first + step`` and so on."""
        found = [first]
        while len(found) < count:
            found.append(self.ir.add(found[-1], step))
        return found

    def turned(self, value, factor, conjugate):
        """A complex product, with the factor's conjugate if wanted."""
        (re, im), (cosine, sine) = value, factor
        negative = self.ir.fneg(sine)
        first, second = (sine, negative) if conjugate else (negative, sine)
        return (
            self.ir.call(self.multiply_add, [re, cosine, self.ir.fmul(im, first)]),
            self.ir.call(self.multiply_add, [im, cosine, self.ir.fmul(re, second)]),
        )

    def butterfly(self, forward, re, im, at, step, factors, t):
        """See `_butterfly_naive`."""
        add, subtract = self.ir.fadd, self.ir.fsub
        places = self.numbers(at, step, RADIX)
        values = [(self.load(re, place), self.load(im, place)) for place in places]
        parts = [
            self.splat(self.ir.load(self.ir.gep(factors, [place]))) for place in self.numbers(t, self.number(1), 6)
        ]
        turns = list(zip(parts[::2], parts[1::2], strict=True))
        if not forward:
            values[1:] = [self.turned(*each, True) for each in zip(values[1:], turns, strict=True)]
        (ar, ai), (br, bi), (cr, ci), (dr, di) = values
        evens, odds = (add(ar, cr), add(ai, ci)), (add(br, dr), add(bi, di))
        even_rest, odd_rest = (subtract(ar, cr), subtract(ai, ci)), (subtract(br, dr), subtract(bi, di))
        # Minus i times the odd rest, and plus i times it.
        left = (add(even_rest[0], odd_rest[1]), subtract(even_rest[1], odd_rest[0]))
        right = (subtract(even_rest[0], odd_rest[1]), add(even_rest[1], odd_rest[0]))
        whole = (add(evens[0], odds[0]), add(evens[1], odds[1]))
        half = (subtract(evens[0], odds[0]), subtract(evens[1], odds[1]))
        result = [whole, left, half, right] if forward else [whole, right, half, left]
        if forward:
            result[1:] = [self.turned(*each, False) for each in zip(result[1:], turns, strict=True)]
        for place, (real, imaginary) in zip(places, result, strict=True):
            self.store(real, re, place)
            self.store(imaginary, im, place)

    def transpose(self, source, at, stride, out, out_at, out_stride):
        """See `_transpose_naive`: rows exchange blocks of one lane, then of two, four and so on."""
        rows = [self.load(source, place) for place in self.numbers(at, stride, LANES)]
        block = 1
        while block < LANES:
            lanes = range(LANES)
            low = [lane + LANES - block if lane & block else lane for lane in lanes]
            high = [lane + LANES if lane & block else lane + block for lane in lanes]
            for i in range(LANES):
                if not i & block:
                    first, second = rows[i], rows[i + block]
                    rows[i] = self.shuffle(first, low, second)
                    rows[i + block] = self.shuffle(first, high, second)
            block *= 2
        for row, place in zip(rows, self.numbers(out_at, out_stride, LANES), strict=True):
            self.store(row, out, place)


def _butterfly_towards(forward):
    """The intrinsic of one direction."""

    @intrinsic
    def butterfly(typing_context, re, im, at, step, factors, t):
        index = types.intp
        signature = types.void(re, im, index, index, factors, index)

        def generate(context, builder, signature, arguments):
            _Steps(builder).butterfly(forward, *pointers(context, builder, signature, arguments))
            return context.get_dummy_value()

        return signature, generate

    return butterfly


@intrinsic
def _transpose(typing_context, source, at, stride, out, out_at, out_stride):
    index = types.intp
    signature = types.void(source, index, index, out, index, index)

    def generate(context, builder, signature, arguments):
        _Steps(builder).transpose(*pointers(context, builder, signature, arguments))
        return context.get_dummy_value()

    return signature, generate


if runs_python():

    def butterfly_forward(*arguments):
        """Four vectors towards the frequencies."""
        _butterfly_naive(True, *arguments)

    def butterfly_backward(*arguments):
        """Four vectors away from them, four times as large."""
        _butterfly_naive(False, *arguments)

    transpose = _transpose_naive
else:
    butterfly_forward, butterfly_backward = _butterfly_towards(True), _butterfly_towards(False)
    transpose = _transpose

butterfly_twin, transpose_twin = _butterfly_naive, _transpose_naive  # for tests
