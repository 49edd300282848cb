"""CSV: a table of text whose columns of numbers are the channels of a signal.

The delimiter is a tab, a semicolon, a comma or spaces, whichever the first row has. A first row without any number is a
header. Kept as they are, not filtered: the header, comment lines (#) above it, columns of text, and columns whose
header says that they count time: time, t, date, datetime, timestamp, index, sample, frame, also with a unit:
``time (s)``. Beside another delimiter a comma may be the decimal sign; it is written again.
"""

import csv
import io
import math
import re
from dataclasses import dataclass

import numpy as np

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError
from convcli.images.model import Pixels
from convcli.images.signals import MOST_CHANNELS, Signal
from convcli.kernels.parameters import shortened

_TIME = re.compile(r"t|(?i:time|date|datetime|timestamp|index|sample|frame)")
# Looked for behind something that is not blank: else every blank of a long row of them would be a start of its own.
_UNIT = re.compile(r"(?<!\s)\s*[\[(].*|_(s|ms|us|ns)$")
_FIRST_ROWS, _FIRST_BYTES = 20, 1 << 22
_CELL_BYTES = 120


@dataclass(frozen=True)
class _Table:
    comments: list[str]
    header: list[str] | None
    rows: list[list[str]]
    delimiter: str
    decimal: str  # point or comma
    line_end: str
    first_line: int  # of the file's, the row that is rows[0]


def check_table(data: bytes) -> None:
    """Refuse by its first rows a table of more columns than a signal has channels, and by its length one too large.

    Every cell becomes a text and a number on its way: `_CELL_BYTES` of memory.
    """
    rows = data[:_FIRST_BYTES].splitlines()[:_FIRST_ROWS]
    columns = max((max(len(row.split()), *(row.count(each) + 1 for each in b",;\t")) for row in rows), default=0)
    cells = sum(data.count(each) for each in (b",", b";", b"\t", b"\n"))
    check_count(columns, MOST_CHANNELS, "got {} columns in the first rows", "write a row for each moment", ImageError)
    check_memory(cells * _CELL_BYTES + 4 * len(data), f"got {cells:,} cells of text", ImageError)


def decode(data: bytes) -> Signal:
    """Decode a table; empty cells of a column of numbers are NaN."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImageError(f"got bytes that are no text at position {error.start}, expected a CSV in UTF-8") from None
    if "\0" in text:
        raise ImageError("is no signal convcli knows by its content, expected WAV, NPY or a CSV of numbers")
    table = _split(text)
    width = len(table.rows[0])
    names = table.header or [f"column {index + 1}" for index in range(width)]
    filtered = [index for index in range(width) if not _is_kept(table, index)]
    if not filtered:
        raise ImageError("holds no column of numbers to filter, expected at least one besides those that count time")
    samples = np.array([_column(table, names, index) for index in filtered]).T
    empty = sum(not row[index].strip() for row in table.rows for index in filtered)
    warnings: tuple[str, ...] = (f"{empty} empty cell{'s' * (empty > 1)} became NaN",) if empty else ()
    if not table.header and width > 1 and filtered[0] == 0 and _rises_evenly(samples[:, 0]):
        warnings += ("column 1 rises evenly and was filtered too; a header row that calls it time keeps it",)

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        return _encode(table, filtered, samples, positions, strip)

    kept = tuple(names[index] for index in range(width) if index not in filtered)
    return Signal(np.ascontiguousarray(samples), "CSV", encode, kept=kept, warnings=warnings)


def _split(text: str) -> _Table:
    lines = text.splitlines()
    start = 0
    while start < len(lines) and (not lines[start].strip() or lines[start].lstrip().startswith("#")):
        start += 1
    comments = [line for line in lines[:start] if line.strip()]
    if start == len(lines):
        raise ImageError("holds no number, expected columns of numbers")
    delimiter = next((each for each in "\t;," if each in lines[start]), " ")
    if delimiter == " ":
        numbered = [(number, line.split()) for number, line in enumerate(lines[start:], start + 1)]
    else:
        reader = csv.reader(lines[start:], delimiter=delimiter)
        numbered = [(start + reader.line_num, row) for row in reader]
    numbered = [(number, row) for number, row in numbered if any(cell.strip() for cell in row)]
    comma = delimiter != "," and any(
        "," in cell and _number(cell, ",") is not None for _, row in numbered for cell in row
    )
    decimal = "," if comma else "."
    header = None
    if all(_number(cell, decimal) is None for cell in numbered[0][1] if cell.strip()):
        header = numbered[0][1]
        numbered = numbered[1:]
    if not numbered:
        raise ImageError("holds a header row only, expected numbers below it")
    width = len(header or numbered[0][1])
    for number, row in numbered:
        if len(row) != width:
            raise ImageError(f"line {number}: got {len(row)} cells, expected {width} as in the first row")
    rows = [row for _, row in numbered]
    return _Table(comments, header, rows, delimiter, decimal, "\r\n" if "\r\n" in text else "\n", numbered[0][0])


def _is_kept(table: _Table, index: int) -> bool:
    if table.header and _TIME.fullmatch(_UNIT.sub("", table.header[index].strip())):
        return True
    first = next((row[index] for row in table.rows if row[index].strip()), "")
    return bool(first) and _number(first, table.decimal) is None


def _column(table: _Table, names: list[str], index: int) -> list[float]:
    numbers = []
    for place, row in enumerate(table.rows):
        cell = row[index].strip()
        number = _number(cell, table.decimal) if cell else math.nan
        if number is None:
            raise ImageError(f"row {place + 1} of {names[index]}: got '{shortened(cell)}', expected a number")
        numbers.append(number)
    return numbers


def _number(cell: str, decimal: str) -> float | None:
    if "_" in cell:  # Python reads 1_000
        return None
    try:
        return float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return None


def _rises_evenly(column: Pixels) -> bool:
    steps = np.diff(column)
    return len(steps) > 2 and bool((steps > 0).all()) and bool(np.ptp(steps) <= 1e-6 * steps.mean())


def _encode(table: _Table, filtered: list[int], samples: Pixels, positions: Pixels, strip: bool) -> bytes:
    """The table with its columns of numbers replaced; where these became one, it takes the first one's place."""
    columns = filtered[: samples.shape[1]]
    dropped = set(filtered) - set(columns)
    places = [index for index in range(len(table.rows[0])) if index not in dropped]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=table.delimiter, lineterminator=table.line_end)
    if not strip:
        stream.writelines(line + table.line_end for line in table.comments)
    if table.header:
        writer.writerow([table.header[index] for index in places])
    blank = [""] * len(table.rows[0])
    for numbers, position in zip(samples.tolist(), positions.tolist(), strict=True):
        row = list(table.rows[position] if 0 <= position < len(table.rows) else blank)
        for index, number in zip(columns, numbers, strict=True):
            row[index] = repr(number).removesuffix(".0").replace(".", table.decimal)
        writer.writerow([row[index] for index in places])
    return stream.getvalue().encode()
