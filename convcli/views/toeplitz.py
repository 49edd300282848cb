"""A correlation's matrix, times a vector, equals a vector: as lines of text, and drawn with labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from convcli.views.animation import EDGE, INK, QUIET, Box, Item, Text, number, short
from convcli.views.signed import signed_colours
from convcli.views.still import Drawing
from convcli.views.svg import text_width

Matrix = NDArray[np.float64]

_MARGIN, _LINE = 24, 24
_ROOM = 880  # pixels for the matrix' longer side
_LARGEST, _SMALLEST = 44, 2
_READABLE = 20  # pixels of a cell from which numbers, labels and vectors are drawn
_PALE = 2.0  # colours go half way: black numbers are read on them
_FINEST = 8  # pixels between lines that can still be told apart
_INPUT, _OUTPUT = "#d3e8f8", "#fde3b8"
_number = partial(number, share=0.42, least=7, fewest=1)


@dataclass(frozen=True, eq=False)
class MatrixFigure:
    """What is drawn: ``matrix @ vector = result``, the sizes its cells come from, and lines about it."""

    matrix: Matrix
    vector: Matrix
    result: Matrix
    input: tuple[int, ...]
    output: tuple[int, ...]
    labels: tuple[str, ...]


_COLUMNS = 80


def matrix_lines(matrix: Matrix, vector: Matrix, result: Matrix, *, blocks: tuple[int, int]) -> list[str] | None:
    """The product as text, zeros of the matrix as dots; None where it is wider than a terminal of 80 columns.

    Parameters
    ----------
    matrix : ndarray
        (outputs, inputs).
    vector, result : ndarray
        (inputs), (outputs).
    blocks : (int, int)
        After so many rows and columns of the matrix a gap is left: the rows of the pictures.

    Examples
    --------
    >>> for line in matrix_lines(np.array([[1.0, -1, 0], [0, 1, -1]]), np.arange(3.0), -np.ones(2), blocks=(2, 3)):
    ...     print(line)
       1  −1   .     0     −1
       .   1  −1  ×  1  =  −1
                     2
    """
    for digits, gap in ((3, 2), (2, 2), (2, 1)):
        cells = [["." if value == 0 else short(value, digits) for value in row] for row in matrix.tolist()]
        size = max(len(text) for row in cells for text in row)
        rows = [_spaced([text.rjust(size) for text in row], blocks[1], gap) for row in cells]
        x, y = ([short(value) for value in each.tolist()] for each in (vector, result))
        x_size, y_size = max(map(len, x)), max(map(len, y))
        if 2 + len(rows[0]) + 5 + x_size + 5 + y_size <= _COLUMNS:
            return _product(rows, [each.rjust(x_size) for each in x], [each.rjust(y_size) for each in y])
    return None


def _product(rows: Sequence[str], x: Sequence[str], y: Sequence[str]) -> list[str]:
    """The three side by side, the signs between them on a line that all have."""
    sign = len(rows) // 2
    lines = []
    for line in range(max(len(rows), len(x))):
        left = rows[line] if line < len(rows) else " " * len(rows[0])
        middle = x[line] if line < len(x) else " " * len(x[0])
        right = y[line] if line < len(y) else ""
        times, equals = ("×", "=") if line == sign else (" ", " ")
        lines.append(f"  {left}  {times}  {middle}  {equals}  {right}".rstrip())
    return lines


def _spaced(texts: Sequence[str], block: int, gap: int) -> str:
    """Cells of a row with blanks between them, and as many more between blocks."""
    parts = [(" " * gap).join(texts[start : start + block]) for start in range(0, len(texts), block)]
    return (" " * 2 * gap).join(parts)


def draw_matrix(figure: MatrixFigure) -> Drawing:
    """Lay the matrix out, with numbers, cell names and both vectors where cells are large enough to read them."""
    rows, columns = figure.matrix.shape
    cell = max(min(_ROOM // max(rows, columns), _LARGEST), _SMALLEST)
    readable = cell >= _READABLE
    title = f"Correlation as a matrix: {_times(figure.input)} to {_times(figure.output)}"
    names = _names(figure.output, "y"), _names(figure.input, "x")
    points = min(11.0, cell * 0.9 / (0.6 * max(map(len, names[1]))))
    side = int(max(text_width(name, points) for name in names[0])) + 8 if readable else 0
    top = _MARGIN + 34 + _LINE * len(figure.labels) + 30 + (14 if readable else 0)
    left = _MARGIN + side
    items: list[Item] = [Text(_MARGIN, _MARGIN + 8, title, 19, bold=True)]
    items += [Text(_MARGIN, _MARGIN + 38 + _LINE * i, line, 14, QUIET) for i, line in enumerate(figure.labels)]
    items.append(Text(left, top - (26 if readable else 12), "columns: input cells", 13, QUIET))
    colours = signed_colours(figure.matrix, float(np.abs(figure.matrix).max()) * _PALE)
    # Cells too small for numbers are one picture: a million boxes would be a heavy file.
    pictures = [] if readable else [(left, top, colours.repeat(cell, axis=0).repeat(cell, axis=1))]
    items += [*(_cells(figure.matrix, colours, left, top, cell) if readable else []), *_blocks(figure, left, top, cell)]
    right = left + columns * cell
    if readable:
        items += [Text(left - 5, top + (i + 0.5) * cell, name, points, QUIET, "end") for i, name in enumerate(names[0])]
        items += [
            Text(left + (i + 0.5) * cell, top - 9, name, points, QUIET, "middle") for i, name in enumerate(names[1])
        ]
        middle = top + min(rows, columns) * cell / 2
        items.append(Text(right + 24, middle, "×", 20, INK, "middle"))
        items += _vector(figure.vector, right + 48, top, cell, _INPUT, "x: input")
        right += 48 + cell
        items.append(Text(right + 24, middle, "=", 20, INK, "middle"))
        items += _vector(figure.result, right + 48, top, cell, _OUTPUT, "y: output")
        right += 48 + cell
    bottom = top + (max(rows, columns) if readable else rows) * cell
    items.append(Text(_MARGIN, bottom + 20, "rows: output cells, in reading order", 13, QUIET))
    items.append(Text(_MARGIN, bottom + 42, "orange: positive weights; blue: negative; dots: zero", 13, QUIET))
    texts = [text_width(title, 19, bold=True), *(text_width(line, 14) for line in figure.labels), 400]
    width = max(right + 40, int(max(texts)) + _MARGIN) + _MARGIN
    return Drawing(int(width), int(bottom + 42 + _MARGIN), items, title, ". ".join(figure.labels), pictures, drawn=True)


def _cells(matrix: Matrix, colours: NDArray[np.uint8], left: int, top: int, cell: int) -> list[Item]:
    """Every cell with its number, or a dot."""
    items: list[Item] = []
    for row, column in np.ndindex(*matrix.shape):
        x, y, value = left + column * cell, top + row * cell, float(matrix[row, column])
        red, green, blue = colours[row, column].tolist()
        items.append(Box(x, y, cell, cell, f"#{red:02x}{green:02x}{blue:02x}", "#c4c9ce", 0.5))
        items += _number(value, x, y, cell) if value else [Text(x + cell / 2, y + cell / 2, "·", 12, QUIET, "middle")]
    return items


def _blocks(figure: MatrixFigure, left: int, top: int, cell: int) -> list[Item]:
    """Lines where a row of a picture ends: between them are blocks that are Toeplitz matrices themselves."""
    rows, columns = figure.matrix.shape
    width, height = figure.input[-1] * cell, figure.output[-1] * cell
    items: list[Item] = []
    if height >= _FINEST:
        items += [Box(left, top + row * cell, columns * cell, height, "", EDGE, 1)
                  for row in range(0, rows, figure.output[-1])]  # fmt: skip
    if width >= _FINEST:
        items += [Box(left + column * cell, top, width, rows * cell, "", EDGE, 1)
                  for column in range(0, columns, figure.input[-1])]  # fmt: skip
    return [*items, Box(left, top, columns * cell, rows * cell, "", INK, 1)]


def _vector(values: Matrix, left: float, top: int, cell: int, fill: str, name: str) -> list[Item]:
    items: list[Item] = [Text(left + cell / 2, top - 10, name, 12, QUIET, "middle")]
    for row, value in enumerate(values.tolist()):
        y = top + row * cell
        items += [Box(left, y, cell, cell, fill), *_number(value, left, y, cell)]
    return items


def _names(sizes: tuple[int, ...], letter: str) -> list[str]:
    if len(sizes) == 1:
        return [f"{letter}{place}" for place in range(sizes[0])]
    return [f"{row},{column}" for row in range(sizes[0]) for column in range(sizes[1])]


def _times(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))
