"""Correlation as a matrix: each row is one output cell, each column one input cell, and the kernel lies on diagonals.

The windows are `convcli.geometry`'s and the border is `convcli.ops.borders`', so the matrix cannot disagree with the
filter; that it gives the same numbers is checked each time one is made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from convcli.atomic import check_target, write_whole
from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.geometry import PaddingSpec, Window, convolution_parameters, dense_parameters
from convcli.kernels import kernel as read_kernel
from convcli.kernels.matrices import read_matrix
from convcli.ops.borders import border_table, resolve_border
from convcli.ops.correlation import convolve2d, correlate2d, correlation_windows
from convcli.ops.signatures import BorderWord
from convcli.views.still import SUFFIXES, as_still
from convcli.views.toeplitz import MatrixFigure, draw_matrix

MOST_CELLS = 1024  # of input or output: a matrix of a million numbers at most

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Toeplitz:
    """A correlation as a matrix; made by `toeplitz`.

    Attributes
    ----------
    input, output : tuple of int
        Sizes, one number for a series and two for a picture.
    kernel : ndarray
        (KH, KW) float64, as it is correlated: flipped already for a convolution.
    matrix : ndarray
        (output cells, input cells) float64; cells in reading order.
    vector, result : ndarray
        Float64, (input cells) and (output cells): ``matrix @ vector = result``.
    difference : float
        The largest between the result and what `convcli.correlate2d` gives for the same numbers.
    formulas : tuple of str
        The output size with its numbers in it, one for each axis.
    parameters, dense : int
        Weights of the convolution, and of a dense layer with as many inputs and outputs; without biases.
    """

    input: tuple[int, ...]
    output: tuple[int, ...]
    kernel: Matrix
    matrix: Matrix
    vector: Matrix
    result: Matrix
    difference: float
    formulas: tuple[str, ...]
    parameters: int
    dense: int

    @property
    def entries(self) -> int:
        """How many of the matrix' numbers are not zero."""
        return int(np.count_nonzero(self.matrix))


def toeplitz(
    sizes: int | Sequence[int],
    kernel: str,
    *,
    values: str | None = None,
    stride: int | Sequence[int] = 1,
    padding: PaddingSpec = "valid",
    dilation: int | Sequence[int] = 1,
    border: str = "constant",
    convolve: bool = False,
) -> Toeplitz:
    """Make the matrix of a correlation.

    Parameters
    ----------
    sizes : int or sequence of int
        One number for a series, rows and columns for a picture; at most 1024 cells, also of output.
    kernel : str
        A SPEC; one row for a series.
    values : str, optional
        The input's numbers, as in ``"1 2; 3 4"``; 1, 2, 3, ... without it.
    stride, padding, dilation, border
        As in `convcli.correlate2d`; a constant border is 0.
    convolve : bool
        Whether the kernel is flipped.

    Raises
    ------
    ConvcliError
        If a word cannot be read, no window fits, or there are too many cells.

    Examples
    --------
    >>> toeplitz(5, "1 0 -1").matrix.astype(int)
    array([[ 1,  0, -1,  0,  0],
           [ 0,  1,  0, -1,  0],
           [ 0,  0,  1,  0, -1]])
    """
    given = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    weights = _kernel(kernel, len(given))
    full = (1,) * (2 - len(given)) + given
    series = len(given) == 1
    words: dict[str, Any] = {
        "stride": (1, _one(stride, "stride")) if series else stride,
        "padding": _along_row(padding) if series else padding,
        "dilation": (1, _one(dilation, "dilation")) if series else dilation,
    }
    windows = correlation_windows(full, weights.shape, **words)
    out = tuple(window.output(n) for window, n in zip(windows, full, strict=True))
    for what, cells in (("input", full), ("output", out)):
        if math.prod(cells) > MOST_CELLS:
            raise ShapeError(
                f"{what}: got {' x '.join(map(str, cells))} = {math.prod(cells)} cells, expected at most {MOST_CELLS}: "
                "the matrix has a row for each output cell and a column for each input cell"
            )
    border = resolve_border(border)
    slid = np.flip(weights) if convolve else weights
    matrix = correlation_matrix(full, slid, windows, border)
    image = _values(values, full)
    act = convolve2d if convolve else correlate2d
    correlated = act(image, weights, border=cast(BorderWord, border), **words).reshape(-1)
    result = matrix @ image.reshape(-1)
    axes = slice(2 - len(given), None)
    return Toeplitz(
        input=given,
        output=out[axes],
        kernel=np.ascontiguousarray(slid),
        matrix=matrix,
        vector=image.reshape(-1),
        result=result,
        difference=float(np.abs(result - correlated).max()),
        formulas=tuple(window.formula(n) for window, n in zip(windows, full, strict=True))[axes],
        parameters=convolution_parameters(weights.shape, 1, 1, bias=False),
        dense=dense_parameters(math.prod(full), math.prod(out), bias=False),
    )


def correlation_matrix(sizes: Sequence[int], kernel: Matrix, windows: Sequence[Window], border: str) -> Matrix:
    """The matrix of any number of axes: every weight lands where its tap reads; a constant border is read nowhere.

    At a border that repeats cells several weights land on one cell, and add up.
    """
    tables = [border_table(n, (w.before, w.after), border) for n, w in zip(sizes, windows, strict=True)]
    outputs = [window.output(n) for window, n in zip(windows, sizes, strict=True)]
    matrix = np.zeros((math.prod(outputs), math.prod(sizes)))
    for tap in np.ndindex(*kernel.shape):
        cells, seen = np.zeros((), np.int64), np.ones((), bool)
        for table, window, n, count, step in zip(tables, windows, sizes, outputs, tap, strict=True):
            along = table[window.stride * np.arange(count) + window.dilation * step]
            cells, seen = cells[..., None] * n + along, seen[..., None] & (along >= 0)
        rows = np.flatnonzero(seen)
        matrix[rows, cells.reshape(-1)[rows]] += kernel[tap]
    return matrix


def check_drawing(target: str, *, overwrite: bool) -> None:
    """Refuse a drawing's name before any work is done for it."""
    if Path(target).suffix.lower() not in SUFFIXES:
        raise ConvcliError(f"output: got {target}, expected a name in {' or '.join(SUFFIXES)}")
    check_target(Path(target), overwrite=overwrite)


def draw(found: Toeplitz, target: str, *, overwrite: bool = False) -> None:
    """Draw the matrix, with the vectors where they fit, into a .png or .svg file."""
    check_drawing(target, overwrite=overwrite)
    figure = MatrixFigure(
        matrix=found.matrix,
        vector=found.vector,
        result=found.result,
        input=found.input,
        output=found.output,
        labels=(
            f"output size {', '.join(found.formulas)}",
            f"{found.entries} of {found.matrix.size} entries are not zero; they share {found.parameters} weights, "
            f"a dense layer has {found.dense}",
        ),
    )
    drawing = as_still(draw_matrix(figure), Path(target).suffix.lower())
    write_whole(Path(target), drawing, overwrite=overwrite)


def _kernel(spec: str, axes: int) -> Matrix:
    weights = read_kernel(spec)
    if weights.ndim != 2:
        raise KernelError(f"kernel: got {weights.ndim} dimensions, expected a matrix of one plane")
    if axes not in (1, 2):
        raise ShapeError(f"input: got {axes} sizes, expected N for a series, or NxM")
    if axes == 1 and weights.shape[0] > 1:
        raise KernelError(f"kernel: got {weights.shape[0]} rows for a series, expected one; --input NxM is a picture")
    return weights


def _one(counts: int | Sequence[int], word: str) -> int:
    """The count of a series' one axis."""
    if isinstance(counts, int):
        return counts
    if len(counts) != 1:
        raise ShapeError(f"{word}: got {len(counts)} numbers for a series, expected one")
    return counts[0]


def _along_row(padding: PaddingSpec) -> PaddingSpec:
    """A series' padding, for a picture of one row."""
    if isinstance(padding, str):
        return padding
    if not isinstance(padding, int) and len(padding) != 1:
        raise ShapeError(f"padding: got {len(padding)} numbers for a series, expected one")
    return (0, padding if isinstance(padding, int) else padding[0])


def _values(text: str | None, sizes: tuple[int, ...]) -> Matrix:
    if text is None:
        return np.arange(1.0, math.prod(sizes) + 1).reshape(sizes)
    values = read_matrix(text, "values")
    if values.shape != sizes:
        got = " x ".join(map(str, values.shape))
        raise ShapeError(f"values: got {got} numbers, expected {' x '.join(map(str, sizes))} as the input")
    return values
