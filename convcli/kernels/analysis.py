"""What can be known about weights before any image is seen: are they separable, are they all equal?"""

from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.kernels.entry import Weights, is_zero_sum

# Relative to the largest weight. An outer product computed in float64 is within a few times 2.2e-16 of its factors; a
# matrix farther off is another kernel, and filtering with its nearest factors would be visible in float64 results.
TOLERANCE = 1e-14

_MOST_GAIN = 8.0
_MOST_TERMS = 16  # kernels of a higher rank seldom gain, and each term looks at every weight

# Integers up to here are exact in float64, and so are their products below 2**53.
EXACT_LIMIT = 2.0**53


def separable_factors(weights: npt.ArrayLike) -> tuple[Weights, ...] | None:
    """Find 1-D factors whose outer product is the kernel: one per axis, or None if there are none.

    A kernel is separable if it has rank 1: ``w[y, x] = a[y] * b[x]``. Two passes of KH + KW taps then do the work of
    KH * KW. Factors of integers are integers (``sobel-x`` is 1 2 1 times -1 0 1); otherwise every factor but one sums
    to 1, or if it sums to 0 has 1 as its largest magnitude, and the one left carries the scale. Where a whole row or
    column is zero, so is the factor, exactly.

    Parameters
    ----------
    weights : array_like
        Finite weights of any number of axes, none of length 0.

    Returns
    -------
    tuple of ndarray or None
        float64 factors in the order of the axes; their outer product differs from ``weights`` by at most 1e-14 of the
        largest weight.

    Examples
    --------
    >>> [factor.tolist() for factor in separable_factors([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])]
    [[1.0, 2.0, 1.0], [-1.0, 0.0, 1.0]]
    >>> separable_factors([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) is None
    True
    """
    array = np.asarray(weights, dtype=np.float64)
    magnitude = np.abs(array)
    largest = float(magnitude.max())
    if largest == 0:
        return tuple(np.zeros(n) for n in array.shape)
    pivot = tuple(int(index) for index in np.unravel_index(int(magnitude.argmax()), array.shape))
    # In a rank-1 array every line is a multiple of its axis's factor: take the lines through the largest weight.
    lines = [_line(array, pivot, axis) for axis in range(array.ndim)]
    carrier = _carrier(lines)
    is_integer = largest < EXACT_LIMIT and all(bool((line == np.rint(line)).all()) for line in lines)
    with np.errstate(all="ignore"):
        factors = [_primitive(line) if is_integer else _unit(line) for line in lines]
        # The carrier's line times the other factors must be the line itself where they cross at the pivot.
        crossing = np.prod([factors[axis][pivot[axis]] for axis in range(array.ndim) if axis != carrier])
        factors[carrier] = lines[carrier] / crossing
        difference = np.abs(reduce(np.multiply.outer, factors) - array).max()
    # Not (a <= b) is also true for the NaN of an overflow.
    if not difference <= TOLERANCE * largest:
        return None
    return tuple(factor + 0.0 for factor in factors)  # no negative zeros


def separable_terms(weights: npt.ArrayLike) -> tuple[tuple[Weights, Weights], ...]:
    """Find columns and rows whose outer products add up to a matrix: as many as its rank, with few weights in all.

    A sharpened Gaussian is one weight more than a Gaussian, a difference of Gaussians is two outer products, a
    Laplacian of Gaussian three. Found by Gaussian elimination with complete pivoting: what is left of the matrix loses
    the outer product through its largest number, until nothing is left. Elimination is also begun beside the row and
    the column of the largest weight, so that a single weight that stands out stays a single weight.

    Parameters
    ----------
    weights : array_like
        (KH, KW), finite.

    Returns
    -------
    tuple of (ndarray, ndarray)
        float64 columns (KH) and rows (KW); the sum of their outer products differs from ``weights`` by at most 1e-14
        of the largest weight. Empty if there would be more than 16, or more than half as many as rows or columns, or if
        they cancel each other.

    Examples
    --------
    >>> [(column.tolist(), row.tolist()) for column, row in separable_terms([[1, 1, 1], [1, 5, 1], [1, 1, 1]])]
    [([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), ([0.0, 4.0, 0.0], [0.0, 1.0, 0.0])]
    """
    array = np.asarray(weights, dtype=np.float64)
    magnitude = np.abs(array)
    row, column = _largest(magnitude)
    beside = magnitude.copy()
    beside[row], beside[:, column] = 0, 0
    found = [_eliminate(array, pivot) for pivot in ((row, column), _largest(beside))]
    usable = [terms for terms in found if terms and _gain(terms, magnitude) <= _MOST_GAIN]
    return min(usable, key=lambda terms: sum(np.count_nonzero(line) for term in terms for line in term), default=())


def _eliminate(array: Weights, pivot: tuple[int, int]) -> tuple[tuple[Weights, Weights], ...]:
    """The outer products that make a matrix, the first one through this pivot; empty if there are too many."""
    limit = TOLERANCE * float(np.abs(array).max())
    rest, terms = array.copy(), []
    for _ in range(min((min(array.shape) + 1) // 2, _MOST_TERMS)):
        y, x = pivot
        if rest[y, x] == 0:
            break
        terms.append((rest[:, x].copy(), rest[y] / rest[y, x]))
        rest = rest - np.multiply.outer(*terms[-1])
        rest[np.abs(rest) <= limit] = 0
        pivot = _largest(np.abs(rest))
    difference = np.abs(array - sum(np.multiply.outer(*term) for term in terms)).max()
    return tuple(terms) if difference <= limit else ()


def _gain(terms: tuple[tuple[Weights, Weights], ...], magnitude: Weights) -> float:
    """How much larger the terms' weights are than the matrix: rounding errors are as much larger."""
    return float(sum(np.abs(column).sum() * np.abs(row).sum() for column, row in terms) / magnitude.sum())


def _largest(magnitude: Weights) -> tuple[int, int]:
    y, x = divmod(int(magnitude.argmax()), magnitude.shape[1])
    return y, x


def is_uniform(weights: npt.ArrayLike) -> bool:
    """Tell whether every weight is the same number, as in a box.

    >>> is_uniform([[0.25, 0.25], [0.25, 0.25]])
    True
    """
    array: npt.NDArray[Any] = np.asarray(weights)
    return bool((array == array.flat[0]).all())


def _line(array: Weights, pivot: tuple[int, ...], axis: int) -> Weights:
    through_pivot: tuple[Any, ...] = (*pivot[:axis], slice(None), *pivot[axis + 1 :])
    return np.asarray(array[through_pivot])


def _carrier(lines: list[Weights]) -> int:
    """The axis whose factor keeps the scale: one that sums to zero if there is one, else the longest."""
    return min(range(len(lines)), key=lambda axis: (not is_zero_sum(lines[axis]), -len(lines[axis])))


def _primitive(line: Weights) -> Weights:
    """An integer line divided by the greatest common divisor of its numbers, its sum positive."""
    divisor = int(np.gcd.reduce(np.abs(line).astype(np.int64)))
    return line / divisor * _sign(line)


def _unit(line: Weights) -> Weights:
    """A line divided by its sum, or if that is zero by its largest magnitude."""
    scale = np.abs(line).max() if is_zero_sum(line) else np.abs(line.sum())
    return np.asarray(line / scale * _sign(line))


def _sign(line: Weights) -> float:
    """1, or -1 for a line that must be negated for its sum, or if that is zero its last weight, to be positive."""
    decisive = line[np.flatnonzero(line)[-1]] if is_zero_sum(line) else line.sum()
    return 1.0 if decisive > 0 else -1.0
