"""The grammar of tables in text files: from bytes to cells, and cells written as they were read.

The delimiter is a tab, a semicolon, a comma or spaces: the first of them by which all rows have equally many cells, so
that one inside quotes, or in a name, is none. A first line ``sep=;`` names it. Cells are read by the standard library's
`csv`; what it does not tell, which cells had quotes, is looked up in the first two rows.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from convcli.errors import ImageError
from convcli.kernels.text import decoded

_DELIMITERS = "\t;, "
_NAMED = re.compile(r"\"?(?i:sep)=([^\r\n\"#\w.+-])\"?(?:\r\n|\r|\n)")
_WORD = re.compile(r".*[^\W\d_].*", re.DOTALL)
_ASIDE = re.compile(r"[^\S\r\n]*(#(?!N/A)[^\r\n]*)?(?:\r\n|\r|\n|$)")  # a comment or a blank line; #N/A is a cell


@dataclass(frozen=True)
class Grammar:
    """How a table is written.

    Parameters
    ----------
    encoding, mark:
        Of the text, and the bytes that say so at its beginning.
    named:
        The first line, if it names the delimiter.
    comments:
        Lines above the table.
    delimiter, separator:
        Between two cells; and as it is written, perhaps with a space behind it.
    quoted_first, quoted:
        For each cell of the first row, and of the second, whether it has quotes that it could do without.
    """

    encoding: str
    mark: bytes
    named: str
    comments: tuple[str, ...]
    delimiter: str
    separator: str
    line_end: str
    quoted_first: tuple[bool, ...]
    quoted: tuple[bool, ...]

    def written(self, rows: Sequence[tuple[Sequence[str], Sequence[bool]]], *, comments: bool) -> bytes:
        """The file of such rows: cells, and for each of them whether it gets quotes without need."""
        lines = [self.named] if self.named else []
        lines += self.comments if comments else ()
        lines += [
            self.separator.join(self._cell(cell, quoted) for cell, quoted in zip(*row, strict=True)) for row in rows
        ]
        text = "".join(line + self.line_end for line in lines)
        return self.mark + text.encode(self.encoding)

    def _cell(self, cell: str, quoted: bool) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted or self.needs_quotes(cell) else cell

    def needs_quotes(self, cell: str) -> bool:
        """Whether a cell would be read as something else without quotes."""
        return any(each in cell for each in (self.delimiter, '"', "\r", "\n")) or (self.delimiter == " " and not cell)


@dataclass(frozen=True)
class Rows:
    """Cells row by row, blank lines left out; the line of the file at which each row ends."""

    cells: list[list[str]]
    lines: list[int]
    raw: list[str]  # the first two rows as they are written
    blank: int  # lines between rows

    @property
    def widths(self) -> list[int]:
        """Cells in each row."""
        return [len(row) for row in self.cells]


def read_cells(data: bytes) -> tuple[Grammar, Rows]:
    """The grammar of a table, and its rows.

    Rows have equally many cells, but for a first one that is a cell shorter than all others: R writes no name above the
    names of rows.

    Raises `ImageError` for what is no text, has no rows, or rows of different lengths.
    """
    try:
        text, encoding, mark = decoded(data)
    except ValueError as error:
        raise ImageError(f"{error}, expected a CSV in UTF-8; save it as text in UTF-8") from None
    start = _NAMED.match(text)
    place = start.end() if start else 0
    comments = []
    while place < len(text) and (aside := _ASIDE.match(text, place)):
        comments += [aside[1]] if aside[1] else []
        place = aside.end()
    if place >= len(text):
        raise ImageError("holds no number, expected columns of numbers")
    physical = list(io.StringIO(text[place:], newline=""))
    before = len(list(io.StringIO(text[:place], newline="")))
    delimiter, rows = _split(physical, before, start[1] if start else "")
    end = re.search(r"\r\n|\r|\n", text)
    flags = [_quotes(raw, delimiter, len(row)) for raw, row in zip(rows.raw, rows.cells, strict=False)]
    grammar = Grammar(
        encoding, mark, start[0].rstrip("\r\n") if start else "", tuple(comments), delimiter,
        delimiter + " " * _is_spaced(physical[0], delimiter), end[0] if end else "\n", flags[0], flags[-1],
    )  # fmt: skip
    return grammar, rows


def _split(physical: list[str], before: int, named: str) -> tuple[str, Rows]:
    """The delimiter and the rows it makes."""
    tried: dict[str, Rows] = {}
    reason: ImageError | None = None
    for delimiter in named or _DELIMITERS:
        if not named and not any(delimiter in line for line in physical):
            continue
        try:
            rows = _rows(physical, delimiter, before)
        except ImageError as error:
            reason = reason or error
            continue
        if len(set(rows.widths)) == 1 and (named or rows.widths[0] > 1):
            return delimiter, rows
        tried[delimiter] = rows
    for delimiter, rows in tried.items():
        if len(rows.cells) > 1 and {rows.widths[0] + 1} == set(rows.widths[1:]):
            return delimiter, rows
    if reason and not tried:
        raise reason
    ragged = [rows for delimiter, rows in tried.items() if not _is_one_column(rows, delimiter)]
    if not ragged:
        alone = next(iter(tried.keys() - {" "}), "\t")
        return alone, tried.get(alone) or _rows(physical, alone, before)
    rows = next((each for each in ragged if each.widths[0] > 1), ragged[0])
    width, wrong = rows.widths[0], next(at for at, each in enumerate(rows.widths) if each != rows.widths[0])
    raise ImageError(f"line {rows.lines[wrong]}: got {rows.widths[wrong]} cells, expected {width} as in the first row")


def _is_one_column(rows: Rows, delimiter: str) -> bool:
    """Whether the rows have one cell each, but for spaces in the words of a name at the top."""
    words = delimiter == " " and any(map(_WORD.match, rows.cells[0]))
    return all(each == 1 for each in rows.widths[words:])


def _rows(physical: list[str], delimiter: str, before: int) -> Rows:
    # Quotes behind a space that is not skipped would be text: 1, "a, b".
    skip = delimiter == " " or _is_spaced(physical[0], delimiter) or any(f'{delimiter} "' in line for line in physical)
    reader = csv.reader(physical, delimiter=delimiter, skipinitialspace=skip, strict=True)
    cells, lines = [], []
    raw: list[str] = []
    first = blank = gap = 0
    try:
        for row in reader:
            if delimiter == " " and row and not row[-1]:
                row = row[: len(row) - (physical[reader.line_num - 1].rstrip("\r\n")[-1:] == " ")]
            if len(row) > 1 or (row and row[0].strip()):
                cells.append(row)
                lines.append(before + reader.line_num)
                raw += ["".join(physical[first : reader.line_num])] if len(raw) < 2 else []
                blank, gap = blank + gap, 0
            else:
                gap += 1
            first = reader.line_num
    except csv.Error as error:
        raise ImageError(f"line {before + first + 1}: its quotes or cells make no sense ({error})") from None
    if not cells:
        raise ImageError("holds no number, expected columns of numbers")
    return Rows(cells, lines, raw, blank)


def _is_spaced(line: str, delimiter: str) -> bool:
    """Whether each delimiter of a line has a space behind it."""
    return delimiter != " " and 0 < line.count(delimiter) == line.count(delimiter + " ")


def _quotes(raw: str, delimiter: str, count: int) -> tuple[bool, ...]:
    """Which of a row's cells have quotes that they do not need."""
    mark = re.escape(delimiter)
    cell = re.compile(rf' *(?:"([^"]*(?:""[^"]*)*)"|[^{mark}]*)(?:{mark}|$)')
    inside = [found[1] for found in cell.finditer(raw.rstrip("\r\n"))][:count]
    needed = (delimiter, '"', "\r", "\n")
    flags = tuple(each is not None and not any(sign in each for sign in needed) for each in inside)
    return (*flags, *(False for _ in range(count - len(flags))))
