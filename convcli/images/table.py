"""CSV: a table of text whose columns of numbers are the channels of a signal.

How cells are found is `convcli.images.table_text`'s. One look at all cells decides what the columns are:

- *Numbers*, which are filtered. Missing cells (empty, NA, N/A, NaN, null, None), wherever they stand, become NaN, with
  a word; NaN is written as the table writes what is missing.
- *Left alone*, written to the letter: columns whose header says that they count time (time, t, date, datetime,
  timestamp, index, sample, frame, also with a unit: ``time (s)``); leading columns without a name, where pandas and R
  keep their index; columns with text in any cell; empty columns. The last three are named in a warning.

A first row without a number, and with text above numbers, is a header. Beside another delimiter a comma may be the
decimal sign; a point is none then. Comment lines (#) above the table are kept.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError
from convcli.images.model import Pixels
from convcli.images.signals import EXACT, MOST_CHANNELS, Signal
from convcli.images.table_text import Grammar, read_cells
from convcli.kernels.parameters import shortened

_TIME = re.compile(r"t|(?i:time|date|datetime|timestamp|index|sample|frame)")
# Looked for behind something that is not blank: else every blank of a long row of them would be a start of its own.
_UNIT = re.compile(r"(?<!\s)\s*[\[(].*|_(s|ms|us|ns)$", re.DOTALL)
_NAMELESS = re.compile(r"\s*|Unnamed: \d+")
_MISSING = re.compile(r"(?i:#?n/?a|<na>|nan|null|none)?")
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
_MOST_NAMES = 5
_FIRST_ROWS, _FIRST_BYTES = 20, 1 << 22
_CELL_BYTES = 120

Number = float | int | None  # NaN is missing, None is text, int is a whole number beyond `EXACT`


@dataclass(frozen=True)
class _Table:
    grammar: Grammar
    header: list[str] | None
    unnamed: int | None  # the column that the header has no cell for
    rows: list[list[str]]
    lines: list[int]
    columns: list[list[Number]]
    decimal: str  # point or comma
    left_out: tuple[tuple[int, str], ...]  # how many of what

    def name(self, index: int) -> str:
        """What a message calls a column."""
        name = self.header[index].strip() if self.header else ""
        return shortened(name) if name else f"column {index + 1}"

    def reason(self, index: int) -> str | None:
        """Why a column is left alone; an empty reason needs no word, None: it is not."""
        values = self.columns[index]
        if self.header and _TIME.fullmatch(_UNIT.sub("", self.header[index].strip())):
            return ""
        if None in values:
            return f"text in line {self.lines[values.index(None)]}"
        if not any(value == value for value in values):
            return "empty"
        if self.header and all(_NAMELESS.fullmatch(name) for name in self.header[: index + 1]):
            return "no name, as an index"
        return None


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
    """Decode a table; missing cells of a column of numbers are NaN."""
    table = _read(data)
    width = len(table.columns)
    reasons = {index: reason for index in range(width) if (reason := table.reason(index)) is not None}
    filtered = [index for index in range(width) if index not in reasons]
    if not filtered:
        told = next((f": {table.name(index)} has {reason}" for index, reason in reasons.items() if reason), "")
        raise ImageError(
            f"holds no column of numbers to filter, expected at least one besides those that count time{told}"
        )
    samples = _samples(table, filtered)
    warnings = _warnings(table, reasons, filtered)
    if not table.header and width > 1 and filtered[0] == 0 and _rises_evenly(samples[:, 0]):
        warnings += ("column 1 rises evenly and was filtered too; a header row that calls it time keeps it",)

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        return _encode(table, filtered, samples, positions, strip)

    kept = tuple(table.name(index) for index in reasons)
    return Signal(samples, "CSV", encode, kept=kept, warnings=warnings)


def _read(data: bytes) -> _Table:
    grammar, found = read_cells(data)
    rows, lines, count = found.cells, found.lines, len(found.cells)
    while len(rows) > 1 and not any(cell.strip() for cell in rows[-1]):
        del rows[-1], lines[-1]
    width = len(rows[-1])
    header, unnamed = None, None
    if len(rows[0]) < width:
        header, unnamed = _completed(rows)
    body = rows if header is None else rows[1:]
    decimal = "," if grammar.delimiter != "," and any(_is_decimal(cell) for row in body for cell in row) else "."
    columns = [[_number(cell.strip(), decimal) for cell in column] for column in zip(*body, strict=True)]
    if header is None and _is_header(rows[0], columns, grammar):
        header, body, columns = rows[0], rows[1:], [column[1:] for column in columns]
        if not body:
            raise ImageError("holds a header row only, expected numbers below it")
    lines = lines[len(lines) - len(body) :]
    # A blank line in a single column may be a missing number.
    left_out = (count - len(rows), "empty row{s} at the end"), (found.blank if width == 1 else 0, "blank line{s}")
    return _Table(grammar, header, unnamed, body, lines, columns, decimal, left_out)


def _completed(rows: list[list[str]]) -> tuple[list[str], int]:
    """A header with an empty name where it is a cell shorter, and where that is: below R's, names of rows come first.

    Rows that all end in a delimiter, unlike their header, lack a name at the end.
    """
    ends = not any(row[-1].strip() for row in rows[1:])
    header = rows[0]
    return ([*header, ""], len(header)) if ends else (["", *header], 0)


def _is_header(first: Sequence[str], columns: Sequence[Sequence[Number]], grammar: Grammar) -> bool:
    """Whether the first row names the columns that it is still part of."""
    # In quotes, above numbers without, a number is a name: the year of a column.
    names = [
        None if quoted and not below else column[0]
        for column, quoted, below in zip(columns, grammar.quoted_first, grammar.quoted, strict=False)
    ]
    if len(columns[0]) == 1:
        return not any(isinstance(name, float | int) for name in names)
    # pandas numbers columns that it has no names for.
    if first[0].strip() == "" and list(names[1:]) == list(range(len(names) - 1)) and len(names) > 1:
        return not any(value is None or value != value for value in columns[0][1:])
    if any(name is not None and (name == name or cell.strip()) for name, cell in zip(names, first, strict=True)):
        return False
    return any(
        name is None and any(value is not None and value == value for value in column[1:])
        for name, column in zip(names, columns, strict=True)
    )


def _is_decimal(cell: str) -> bool:
    return "," in cell and _number(cell.strip(), ",") is not None


def _number(cell: str, decimal: str) -> Number:
    if decimal == ",":
        cell = "text" if "." in cell else cell.replace(",", ".")
    try:
        number = float(cell)
    except ValueError:
        return math.nan if _MISSING.fullmatch(cell) else None
    if "_" in cell:  # Python reads 1_000
        return None
    if abs(number) >= EXACT and any(each.isdigit() for each in cell):
        if _WHOLE.fullmatch(cell):
            whole = int(cell.partition(".")[0][:400])
            return whole if abs(whole) > EXACT else number
        if math.isinf(number):
            return None
    return number


def _samples(table: _Table, filtered: list[int]) -> Pixels:
    """The columns (W, C) as float64; where a whole number is not one of those, as integers of 64 bits."""
    columns = [table.columns[index] for index in filtered]
    large = [(index, at) for index in filtered for at, value in enumerate(table.columns[index]) if type(value) is int]
    if not large:
        return np.ascontiguousarray(np.array(columns, np.float64).T)
    index, at = large[0]
    values = [value for column in columns for value in column if value is not None]
    low, high = min(values), max(values)
    whole = all(isinstance(value, int) or value.is_integer() for value in values)
    dtype = np.int64 if low >= -(2**63) and high < 2**63 else np.uint64
    if not whole or low < np.iinfo(dtype).min or high > np.iinfo(dtype).max:
        raise ImageError(
            f"{table.name(index)}: got {shortened(table.rows[at][index].strip())} in line {table.lines[at]}, expected "
            "at most 2**53 beside fractions or missing cells, or integers of 64 bits alone; name it index to keep it"
        )
    return np.ascontiguousarray(np.array([[int(value or 0) for value in column] for column in columns], dtype).T)


def _warnings(table: _Table, reasons: dict[int, str], filtered: list[int]) -> tuple[str, ...]:
    told = [f"{table.name(index)} ({reason})" for index, reason in reasons.items() if reason]
    warnings: tuple[str, ...] = (f"left alone: {_listed(told)}",) if told else ()
    warnings += tuple(f"left out: {_counted(count, what)}" for count, what in table.left_out if count)
    missing = {
        index: count
        for index in filtered
        if (
            count := sum(
                value != value and row[index].strip().lower() != "nan"
                for value, row in zip(table.columns[index], table.rows, strict=True)
            )
        )
    }
    if not missing:
        return warnings
    count, names = sum(missing.values()), _listed([table.name(index) for index in missing])
    return (*warnings, f"{_counted(count, 'missing cell{s}')} of {names} became NaN")


def _counted(count: int, what: str) -> str:
    return f"{count} {what.format(s='s' * (count > 1))}"


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _rises_evenly(column: Pixels) -> bool:
    with np.errstate(invalid="ignore"):  # infinities
        steps = np.diff(column)
    return len(steps) > 2 and bool((steps > 0).all()) and bool(np.ptp(steps) <= 1e-6 * steps.mean())


def _encode(table: _Table, filtered: list[int], samples: Pixels, positions: Pixels, strip: bool) -> bytes:
    """The table with its columns of numbers replaced; where these became one, it takes the first one's place."""
    columns = filtered[: samples.shape[1]]
    dropped = set(filtered) - set(columns)
    width = len(table.columns)
    places = [index for index in range(width) if index not in dropped]
    grammar = table.grammar
    rows = []
    if table.header:
        named = [index for index in places if index != table.unnamed]
        quotes = list(grammar.quoted_first)
        if table.unnamed is not None:
            quotes.insert(table.unnamed, False)
        rows.append(([table.header[index] for index in named], [quotes[index] for index in named]))
    blank, missing = [""] * width, _missing(table, filtered)
    for numbers, position in zip(samples.tolist(), positions.tolist(), strict=True):
        row = list(table.rows[position] if 0 <= position < len(table.rows) else blank)
        for index, number in zip(columns, numbers, strict=True):
            row[index] = missing if number != number else _text(number, table.decimal)
        rows.append(([row[index] for index in places], [_gets_quotes(grammar, index, row[index]) for index in places]))
    return grammar.written(rows, comments=not strip)


def _gets_quotes(grammar: Grammar, index: int, cell: str) -> bool:
    """Whether a cell has quotes as its column has; R puts none around what is missing."""
    return grammar.quoted[index] and (all(grammar.quoted) or not _MISSING.fullmatch(cell))


def _text(number: float, decimal: str) -> str:
    return repr(number).removesuffix(".0").replace(".", decimal)


def _missing(table: _Table, filtered: list[int]) -> str:
    """What the table writes for a missing number; a single column's must not be a blank line."""
    for index in filtered:
        for value, row in zip(table.columns[index], table.rows, strict=True):
            if value != value and (row[index].strip() or len(row) > 1):
                return row[index].strip()
    return "nan"
