"""Draws matrices for the terminal: aligned numbers where they fit, signed levels from 1 to 9 where they do not."""

import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from convcli.views.thinning import spread, strongest

Matrix: TypeAlias = npt.NDArray[np.float64]

MOST_NUMBERS = 300  # more than these, or more rows than fit a screen, are no longer read one by one
MOST_ROWS = 32
MOST_PANELS = 9
INDENT = "  "
GAP = "   "

# 256-colour backgrounds for levels 1 to 9, dark to bright: red is positive, blue negative. White is read on all.
RED = (52, 52, 88, 88, 124, 124, 124, 160, 160)
BLUE = (17, 17, 18, 18, 19, 19, 20, 20, 21)


def draw_matrices(matrices: Sequence[Matrix], titles: Sequence[str], *, width: int = 80, colour: bool = False) -> str:
    """Draw matrices of one shape side by side, no line wider than ``width``.

    Parameters
    ----------
    matrices : sequence of ndarray
        float64, each (rows, columns).
    titles : sequence of str
        One per matrix; an empty title takes no line.
    width : int
        Columns of the terminal.
    colour : bool
        Whether levels get a background colour by ANSI codes: red positive, blue negative.

    Returns
    -------
    str
        Lines without a final line break: the numbers themselves, or ninths of the largest magnitude under a line that
        says so.

    Examples
    --------
    >>> print(draw_matrices([np.full((2, 2), 1 / 4)], [""]))
      0.25  0.25
      0.25  0.25
    """
    numbers = _as_numbers(matrices, width - len(INDENT))
    if numbers:
        panels, remark = numbers
        shown = list(range(len(matrices)))
    else:
        shown = spread(len(matrices), MOST_PANELS)
        panels, remark = _as_levels(matrices, shown, width - len(INDENT), colour)
    if len(shown) < len(matrices):
        remark += f"; {len(shown)} of {len(matrices)} planes are drawn"
    heads = [titles[index] for index in shown]
    remarks = textwrap.wrap(remark, width, initial_indent=INDENT, subsequent_indent=INDENT)
    lines = [*remarks, *_side_by_side(panels, heads, width)]
    return "\n".join(line.rstrip() for line in lines)


def _as_numbers(matrices: Sequence[Matrix], width: int) -> tuple[list[list[str]], str] | None:
    """The panels as rows of aligned numbers, and what they must be multiplied by; None if they do not fit."""
    height = matrices[0].shape[0]
    if height > MOST_ROWS or sum(matrix.size for matrix in matrices) > MOST_NUMBERS:
        return None
    stack = np.stack(matrices)
    denominator = _common_denominator(stack)
    if denominator > 1:
        fits = _aligned(np.rint(stack * denominator), 0, width)
        if fits:
            return fits, f"1/{denominator} of"
    for decimals in range(7):
        if np.array_equal(np.round(stack, decimals), stack):
            exact = _aligned(stack, decimals, width)
            if exact:
                return exact, ""
    leading = math.ceil(math.log10(np.abs(stack).max()))
    for digits in (5, 4, 3):
        decimals = max(digits - leading, 0)
        rounded = _aligned(stack, decimals, width)
        if rounded and decimals <= 12:
            return rounded, ""
    return None


def _common_denominator(stack: Matrix) -> int:
    """The n of a kernel that is 1/n times small integers; 1 if there is none, or if short decimals say the same."""
    if np.array_equal(np.round(stack, 2), stack):
        return 1
    for denominator in range(2, 1025):
        scaled = stack * denominator
        if np.abs(scaled - np.rint(scaled)).max() <= 1e-12 * np.abs(scaled).max():
            return denominator
    return 1


def _aligned(stack: Matrix, decimals: int, width: int) -> list[list[str]] | None:
    texts = [[[_number(value, decimals) for value in row] for row in matrix] for matrix in stack.tolist()]
    cell = max(len(text) for matrix in texts for row in matrix for text in row)
    if stack.shape[2] * (cell + 2) - 2 > width:
        return None
    return [["  ".join(text.rjust(cell) for text in row) for row in matrix] for matrix in texts]


def _number(value: float, decimals: int) -> str:
    # A zero without decimals stands out from a weight that only rounds to zero.
    text = "0" if value == 0 else f"{value:.{decimals}f}"
    return text if float(text) else text.lstrip("-")


def _as_levels(
    matrices: Sequence[Matrix], shown: Sequence[int], width: int, colour: bool
) -> tuple[list[list[str]], str]:
    """The panels as cells of two characters, sign and ninths of the largest magnitude, and what explains them."""
    height, columns = matrices[0].shape
    side = max(math.ceil(columns / (width // 2)), math.ceil(height / MOST_ROWS))
    block = min(side, height), min(side, columns)
    largest = max(float(np.abs(matrix).max()) for matrix in matrices)
    panels = []
    for index in shown:
        levels = np.rint(strongest(matrices[index], block) / (largest or 1.0) * 9).astype(int)
        panels.append(["".join(_cell(level, colour) for level in row) for row in levels.tolist()])
    each = f"; each cell is the strongest of {block[0]}x{block[1]} weights" if side > 1 else ""
    return panels, f"9 is {largest:.4g}, . nearly 0{each}"


def _cell(level: int, colour: bool) -> str:
    text = " ." if level == 0 else f"{level:2d}"
    if not colour or level == 0:
        return text
    background = (RED if level > 0 else BLUE)[abs(level) - 1]
    return f"\x1b[48;5;{background}m\x1b[97m{text}\x1b[0m"


def _side_by_side(panels: list[list[str]], titles: Sequence[str], width: int) -> list[str]:
    columns = max(*(visible(line) for panel in panels for line in panel), *(len(title) for title in titles), 1)
    per_row = max((width - len(INDENT) + len(GAP)) // (columns + len(GAP)), 1)
    lines: list[str] = []
    for start in range(0, len(panels), per_row):
        chosen = panels[start : start + per_row]
        heads = titles[start : start + per_row]
        if lines:
            lines.append("")
        if any(heads):
            lines.append(INDENT + GAP.join(head.ljust(columns) for head in heads))
        for row in itertools.zip_longest(*chosen, fillvalue=""):
            lines.append(INDENT + GAP.join(line + " " * (columns - visible(line)) for line in row))
    return lines


def visible(line: str) -> int:
    """Columns a line takes on the screen: a coloured cell is always two characters between its codes."""
    return len(line) if "\x1b" not in line else sum(len(part.partition("m")[2]) for part in ("m" + line).split("\x1b["))
