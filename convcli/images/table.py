"""CSV: a table of text whose columns of numbers are the channels of a signal.

How cells are found is `convcli.images.table_text`'s. One look at all cells decides what the columns are:

- *Numbers*, which are filtered. Missing cells (empty, NA, N/A, NaN, null, None), wherever they stand, become NaN, with
  a word; they are written again as they were where they are still missing.
- *Left alone*, written to the letter: columns whose header says that they count time (time, t, date, datetime,
  timestamp, index, sample, frame, also with a unit: ``time (s)``); leading columns without a name, where pandas and R
  keep their index; columns with text in any cell; digits of which some begin with 0, as identifiers do; empty columns.
  All but the first are named in a warning.

A first row without a number, and with text above numbers, is a header; so are further rows of nothing but words under
it, units for instance. Last rows that begin with total, mean or the like are no moments: they would be untrue of the
new numbers, and are left out with a word. Beside another delimiter a comma may be the decimal sign; a point is none
then. Comment lines (#) and blank lines are kept.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError
from convcli.images.model import Pixels
from convcli.images.signal_model import EXACT, MOST_CHANNELS, Signal
from convcli.images.table_text import Grammar, read_cells
from convcli.kernels.parameters import shortened

_TIME = re.compile(r"t|(?i:time|date|datetime|timestamp|index|sample|frame)")
# Looked for behind something that is not blank: else every blank of a long row of them would be a start of its own.
_UNIT = re.compile(r"(?<!\s)\s*[\[(].*|_(s|ms|us|ns)$", re.DOTALL)
_NAMELESS = re.compile(r"\s*|Unnamed: \d+")
_MISSING = re.compile(r"(?i:#?n/?a|<na>|nan|null|none)?")
_NUMBERED = re.compile(r"0\d+")  # 01234; no number is written so
_WORDS = re.compile(r"[^\W\d_]|[%\u00b0()\[\]]")
_SUMMARY = re.compile(
    r"(?i:(grand |sub-?)?totals?|sum|mean|average|avg|median|std|min|max|count|summe|mittel(wert)?)[:.]?"
)
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
_MOST_NAMES = 5
_FIRST_ROW = re.compile(rb"[^\r\n]+")
_FIRST_ROWS, _FIRST_BYTES = 20, 1 << 22
_CELL_BYTES = 240

Number = float | int | None  # NaN is missing, None is text, int is a whole number beyond `EXACT`


@dataclass(frozen=True)
class _Table:
    grammar: Grammar
    header: list[list[str]]  # rows of names
    unnamed: int | None  # the column that the header has no cell for
    rows: list[list[str]]
    lines: list[int]
    columns: list[list[Number]]
    decimal: str  # point or comma
    warnings: tuple[str, ...]  # what was left alone or out

    def name(self, index: int) -> str:
        """What a message calls a column."""
        name = next((row[index].strip() for row in self.header if row[index].strip()), "")
        return shortened(name) if name else f"column {index}"

    def reason(self, index: int) -> str | None:
        """Why a column is left alone; an empty reason needs no word, None: it is not."""
        values = self.columns[index]
        if self.header and _TIME.fullmatch(_UNIT.sub("", self.header[0][index].strip())):
            return ""
        if None in values:
            return f"text in line {self.lines[values.index(None)]}"
        if not any(value == value for value in values):
            return "empty"
        if self.header and all(_NAMELESS.fullmatch(name) for row in self.header for name in row[: index + 1]):
            return "no name, as an index"
        cells = [row[index].strip() for row in self.rows]
        first = next((at for at, cell in enumerate(cells) if _NUMBERED.fullmatch(cell)), None)
        if first is not None and all(cell.isdecimal() or _MISSING.fullmatch(cell) for cell in cells):
            return f"digits behind a 0 in line {self.lines[first]}, as in an identifier"
        return None


def check_table(data: bytes) -> None:
    """Refuse by its first rows a table of more columns than a signal has channels, and by its length one too large.

    Every cell becomes a text and a number on its way: `_CELL_BYTES` of memory.
    """
    rows = [found[0] for found in islice(_FIRST_ROW.finditer(data[:_FIRST_BYTES]), _FIRST_ROWS)]
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
        warnings += ("column 0 rises evenly and was filtered too; a header row that calls it time keeps it",)

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        return _encode(table, filtered, samples, positions, strip)

    kept = tuple(table.name(index) for index in reasons)
    return Signal(samples, "CSV", encode, kept=kept, warnings=warnings)


def _read(data: bytes) -> _Table:
    grammar, found = read_cells(data)
    rows, lines = found.cells, found.lines
    empty = _ending(rows, lambda row: not any(cell.strip() for cell in row))
    del rows[len(rows) - empty :]
    unnamed = None
    if len(rows[0]) < len(rows[-1]):
        rows[0], unnamed = _completed(rows)
    header = [rows[0]] if unnamed is not None else []
    cells = rows[len(header) :]
    decimal = "," if grammar.delimiter != "," and any(_is_decimal(cell) for row in cells for cell in row) else "."
    columns = [_numbers(column, decimal) for column in zip(*cells, strict=True)]
    if unnamed is None and _is_header(rows[0], columns, grammar):
        header = [rows[0]]
        columns = [column[1:] for column in columns]
    told = []
    while header and _is_further_header(rows[len(header) :], columns):
        told.append(f"line {lines[len(header)]} (words under the header)")
        header.append(rows[len(header)])
        columns = [column[1:] for column in columns]
    body, lines = rows[len(header) :], lines[len(header) :]
    if not body:
        raise ImageError("holds a header row only, expected numbers below it")
    summary = _ending(body, _is_summary)
    count = len(body) - summary
    # A blank line in a single column may be a missing number.
    blank = sum(not line for _, line in grammar.asides) if len(columns) == 1 else 0
    left_out = [(summary, "row{s} of sums or means at the end"), (empty, "empty row{s} at the end")]
    warnings = tuple(f"left alone: {each}" for each in (*told, *([_counted(blank, "blank line{s}")] if blank else ())))
    warnings += tuple(f"left out: {_counted(count, what)}" for count, what in left_out if count)
    columns = [column[:count] for column in columns]
    return _Table(grammar, header, unnamed, body[:count], lines, columns, decimal, warnings)


def _ending(rows: list[list[str]], is_left_out: Callable[[list[str]], bool]) -> int:
    """How many rows at the end of a table are of a kind; all but the first at most."""
    count = 0
    while count < len(rows) - 1 and is_left_out(rows[-1 - count]):
        count += 1
    return count


def _is_summary(row: list[str]) -> bool:
    """Whether the first words of a row, with numbers behind them, say that it sums up those above."""
    first = next((cell.strip() for cell in row if cell.strip()), "")
    return len(row) > 1 and bool(_SUMMARY.fullmatch(first))


def _is_further_header(rows: list[list[str]], columns: list[list[Number]]) -> bool:
    """Whether the row below a header is one of units or of more names: words alone, of which one is above numbers."""
    if len(rows) < 2:
        return False
    cells = [cell.strip() for cell in rows[0]]
    words = [bool(_WORDS.search(cell)) and column[0] is None for cell, column in zip(cells, columns, strict=True)]
    if not all(word or not cell for word, cell in zip(words, cells, strict=True)):
        return False
    return any(
        word and any(value is not None and value == value for value in column[1:])
        for word, column in zip(words, columns, strict=True)
    )


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


def _numbers(column: Sequence[str], decimal: str) -> list[Number]:
    """The numbers of a column; cells are text or missing only where not all of them are plain numbers."""
    if decimal == ".":
        try:
            numbers: list[Number] = list(map(float, column))
        except ValueError:
            pass
        else:
            with np.errstate(invalid="ignore"):
                is_plain = bool((np.abs(np.array(numbers, np.float64)) < EXACT).all())
            if is_plain and not any("_" in cell for cell in column):
                return numbers
    known = {cell: _number(cell.strip(), decimal) for cell in set(column)}
    return [known[cell] for cell in column]


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
    warnings = (*warnings, *table.warnings)
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
    dropped = set(filtered[samples.shape[1] :])
    places = [index for index in range(len(table.columns)) if index not in dropped]
    rows = chain(_header_rows(table, places), _body_rows(table, filtered, places, samples, positions))
    return table.grammar.written(rows, comments=not strip)


def _header_rows(table: _Table, places: list[int]) -> Iterator[tuple[list[str], list[bool], int]]:
    grammar = table.grammar
    for number, names in enumerate(table.header):
        unnamed = table.unnamed if number == 0 else None
        quotes = list(grammar.quoted_first if number == 0 else grammar.quoted)
        if unnamed is not None:
            quotes.insert(unnamed, False)
        named = [index for index in places if index != unnamed]
        yield [names[index] for index in named], [quotes[index] for index in named], number


def _body_rows(
    table: _Table, filtered: list[int], places: list[int], samples: Pixels, positions: Pixels
) -> Iterator[tuple[list[str], list[bool], int]]:
    columns, grammar = filtered[: samples.shape[1]], table.grammar
    blank, missing = [""] * len(table.columns), _missing(table, filtered)
    for number, position in enumerate(positions.tolist()):
        is_inside = 0 <= position < len(table.rows)
        row = list(table.rows[position] if is_inside else blank)
        for index, value in zip(columns, samples[number].tolist(), strict=True):
            if value == value:
                row[index] = _text(value, table.decimal)
            elif not (is_inside and _is_missing(table, index, position)):
                row[index] = missing[index]
        cells = [row[index] for index in places]
        quotes = [_gets_quotes(grammar, index, row[index]) for index in places]
        yield cells, quotes, len(table.header) + position


def _gets_quotes(grammar: Grammar, index: int, cell: str) -> bool:
    """Whether a cell has quotes as its column has; R puts none around what is missing."""
    return grammar.quoted[index] and (all(grammar.quoted) or not _MISSING.fullmatch(cell))


def _text(number: float, decimal: str) -> str:
    return repr(number).removesuffix(".0").replace(".", decimal)


def _is_missing(table: _Table, index: int, position: int) -> bool:
    """Whether a number is missing there, and written so that it can be written again: a blank line is none."""
    value, row = table.columns[index][position], table.rows[position]
    return value != value and (len(row) > 1 or bool(row[index].strip()))


def _missing(table: _Table, filtered: list[int]) -> dict[int, str]:
    """What each column writes for a missing number: as its first one, else as the first one of the table."""
    found = {}
    for index in filtered:
        at = next((at for at in range(len(table.rows)) if _is_missing(table, index, at)), None)
        if at is not None:
            found[index] = table.rows[at][index].strip()
    other = next(iter(found.values()), "nan")
    return {index: found.get(index, other) for index in filtered}
