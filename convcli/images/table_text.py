"""The grammar of tables in text files: from bytes to cells, and cells written as they were read.

The delimiter is a tab, a semicolon, a comma or spaces: the first of them by which all rows have equally many cells, so
that one inside quotes, or in a name, is none. A first line ``sep=;`` names it. Cells are read by the standard library's
`csv`; what it does not tell, which cells had quotes, is looked up in the first two rows. Comments and blank lines
between rows stand aside, each before a row, and are written there again.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.kernels.text import decoded

_DELIMITERS = "\t;, "
_NAMED = re.compile(r"\"?(?i:sep)=([^\r\n\"#\w.+-])\"?(?:\r\n|\r|\n)")
_WORD = re.compile(r".*[^\W\d_].*", re.DOTALL)
_LINE = r"(?:\r\n|\r|\n)"
_BLANKS = re.compile(rf"\s*{_LINE}")
_COMMENT = re.compile(rf"[^\S\r\n]*#(?!N/A)[^\r\n]*(?:{_LINE}|$)")  # #N/A is a cell
_TIGHT = re.compile(r"\s*#\S")  # may be a cell, the name of a thing with a number
_DIGIT = re.compile(r"\d|(?i:inf)")
_ENDS = re.compile(_LINE)
_MOST_COMMENTS = 100_000
_MOST_BLANK = 500_000
_FEWER = "leave them out"
_LONG = 1 << 16
_HEAD = 64  # rows that a delimiter is tried with first


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
    asides:
        Comments, and blank lines, of which each stands before a row: its number, and the line without its end.
    delimiter, separator:
        Between two cells; and as it is written, perhaps with a space behind it.
    line_end, ends:
        The first one, and whether the last line has one.
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
    ends: bool
    asides: tuple[tuple[int, str], ...]
    quoted_first: tuple[bool, ...]
    quoted: tuple[bool, ...]

    def written(self, rows: Iterable[tuple[Sequence[str], Sequence[bool], int]], *, comments: bool) -> bytes:
        """The file of such rows: cells, for each of them whether it gets quotes without need, and the row's number.

        Numbers are those that rows had when they were read, and rise; what stood before a row stands there again.
        """
        text = self.line_end.join(self._lines(rows, comments)) + self.line_end * self.ends
        return self.mark + text.encode(self.encoding)

    def _lines(self, rows: Iterable[tuple[Sequence[str], Sequence[bool], int]], comments: bool) -> Iterator[str]:
        if self.named:
            yield self.named
        if comments:
            yield from self.comments
        aside = [each for each in self.asides if comments or not each[1]]
        at = 0
        for cells, quotes, number in rows:
            while at < len(aside) and aside[at][0] <= number:
                yield aside[at][1]
                at += 1
            yield self.separator.join(self._cell(cell, quoted) for cell, quoted in zip(cells, quotes, strict=True))
        yield from (line for _, line in aside[at:])

    def _cell(self, cell: str, quoted: bool) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted or self.needs_quotes(cell) else cell

    def needs_quotes(self, cell: str) -> bool:
        """Whether a cell would be read as something else without quotes."""
        return any(each in cell for each in (self.delimiter, '"', "\r", "\n")) or (self.delimiter == " " and not cell)


@dataclass
class Rows:
    """Cells row by row; the line of the file at which each row ends; and what stands aside."""

    cells: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)  # the first two rows as they are written
    asides: list[tuple[int, str]] = field(default_factory=list)

    @property
    def widths(self) -> list[int]:
        """Cells in each row."""
        return list(map(len, self.cells))

    def without_last_blanks(self) -> tuple[tuple[int, str], ...]:
        """What stands aside, but for blank lines behind everything."""
        kept = list(self.asides)
        while kept and kept[-1] == (len(self.cells), ""):
            kept.pop()
        return tuple(kept)


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
    _check_lines(text)
    start = _NAMED.match(text)
    place, comments = _top(text, start.end() if start else 0)
    if place == len(text) or (
        len(text) > _LONG and not _DIGIT.search(text, place)
    ):  # before millions of words are read
        raise ImageError("holds no number, expected columns of numbers")
    before = _line_ends(text[:place])
    first = text[place : place + _line_length(text, place)]
    delimiter, rows = _split(text[place:], first, before, start[1] if start else "")
    end = _ENDS.search(text)
    flags = [_quotes(raw, delimiter, len(row)) for raw, row in zip(rows.raw, rows.cells, strict=False)]
    grammar = Grammar(
        encoding, mark, start[0].rstrip("\r\n") if start else "", tuple(comments), delimiter,
        delimiter + " " * _is_spaced(first, delimiter), end[0] if end else "\n", text[-1] in "\r\n",
        rows.without_last_blanks(), flags[0], flags[-1],
    )  # fmt: skip
    return grammar, rows


def _check_lines(text: str) -> None:
    """Refuse by two looks what would be a list of millions of lines without a number."""
    comments = text.count("\n#") + text.count("\r#")
    blank = sum(text.count(2 * each) for each in ("\n", "\r", "\r\n"))
    check_count(comments, _MOST_COMMENTS, "got {} lines of comments", _FEWER, ImageError)
    check_count(blank, _MOST_BLANK, "got {} blank lines and more", _FEWER, ImageError)


def _top(text: str, place: int) -> tuple[int, list[str]]:
    """Where the first row begins, and the comments above it."""
    comments: list[str] = []
    while True:
        blank = _BLANKS.match(text, place)
        place = blank.end() if blank else place
        comment = _COMMENT.match(text, place)
        if comment is None:
            return (len(text) if text[place:].isspace() else place), comments
        comments.append(comment[0].strip())
        place = comment.end()
        check_count(len(comments), _MOST_COMMENTS, "got {} lines of comments and more", _FEWER, ImageError)


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _line_length(text: str, place: int) -> int:
    end = _ENDS.search(text, place)
    return (end.end() if end else len(text)) - place


def _split(text: str, first: str, before: int, named: str) -> tuple[str, Rows]:
    """The delimiter and the rows it makes."""
    tried: dict[str, Rows] = {}
    reason: ImageError | None = None
    for delimiter in named or _DELIMITERS:
        if not named and delimiter not in text:
            continue
        try:
            rows = _tried(text, first, delimiter, before)
        except ImageError as error:
            reason = reason or error
            continue
        if _is_even(rows) and (named or len(rows.cells[0]) > 1):
            return delimiter, rows
        tried[delimiter] = rows
    for delimiter, rows in tried.items():
        if _is_headless(rows):
            return delimiter, rows
    if reason and not tried:
        raise reason
    ragged = [rows for delimiter, rows in tried.items() if not _is_one_column(rows, delimiter)]
    if not ragged:
        alone = next(iter(tried.keys() - {" "}), "\t")
        return alone, _read_rows(text, first, alone, before, None)
    rows = next((each for each in ragged if len(each.cells[0]) > 1), ragged[0])
    widths = rows.widths
    wrong = next(at for at, width in enumerate(widths) if width != widths[0])
    raise ImageError(f"line {rows.lines[wrong]}: got {widths[wrong]} cells, expected {widths[0]} as in the first row")


def _tried(text: str, first: str, delimiter: str, before: int) -> Rows:
    """The rows that a delimiter makes: the first ones, if these tell already that it is none, else all."""
    rows = _read_rows(text, first, delimiter, before, _HEAD)
    may_be = _is_even(rows) or _is_headless(rows) or _is_one_column(rows, delimiter)
    return _read_rows(text, first, delimiter, before, None) if may_be and len(rows.cells) == _HEAD else rows


def _is_even(rows: Rows) -> bool:
    return len(set(rows.widths)) == 1


def _is_headless(rows: Rows) -> bool:
    """Whether all rows but the first have one cell more than that."""
    return len(rows.cells) > 1 and {len(rows.cells[0]) + 1} == set(rows.widths[1:])


def _is_one_column(rows: Rows, delimiter: str) -> bool:
    """Whether the rows have one cell each, but for spaces in the words of a name at the top."""
    words = delimiter == " " and any(map(_WORD.match, rows.cells[0]))
    return all(each == 1 for each in rows.widths[words:])


class _Lines:
    """The physical lines of a text for `csv.reader`, without those that stand aside between two rows."""

    def __init__(self, text: str, delimiter: str, rows: Rows) -> None:
        self.stream = io.StringIO(text, newline="")
        self.delimiter = delimiter
        self.rows = rows
        self.taken: list[str] = []  # the lines of this row
        self.number = 0
        self.blank = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.stream:
            self.number += 1
            if not self.taken and (line[0] == "#" or line[0].isspace()) and self._is_aside(line):
                continue
            self.taken.append(line)
            yield line

    def _is_aside(self, line: str) -> bool:
        comment = line.strip()
        if comment and not _COMMENT.match(line):
            return False
        if comment and _TIGHT.match(line) and self._is_row(line):
            return False
        if not comment and self.delimiter == "\t" and "\t" in line:  # a row of empty cells
            return False
        self.rows.asides.append((len(self.rows.cells), line.rstrip("\r\n") if comment else ""))
        self.blank += not comment
        check_count(self.blank, _MOST_BLANK, "got {} blank lines and more", _FEWER, ImageError)
        return True

    def _is_row(self, line: str) -> bool:
        """Whether a line that begins with # and no blank has as many cells as the rows, of which there are several."""
        if not self.rows.cells or len(self.rows.cells[-1]) < 2:
            return False
        return len(next(csv.reader([line], delimiter=self.delimiter))) == len(self.rows.cells[-1])


def _read_rows(text: str, first: str, delimiter: str, before: int, most: int | None) -> Rows:
    # Quotes behind a space that is not skipped would be text: 1, "a, b".
    skip = delimiter == " " or _is_spaced(first, delimiter) or f'{delimiter} "' in text
    rows = Rows()
    lines = _Lines(text, delimiter, rows)
    start = 1
    try:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=skip, strict=True):
            if delimiter == " " and row and not row[-1] and lines.taken[-1].rstrip("\r\n")[-1:] == " ":
                row.pop()
            rows.cells.append(row)
            rows.lines.append(before + lines.number)
            if len(rows.raw) < 2:
                rows.raw.append("".join(lines.taken))
            lines.taken.clear()
            start = lines.number + 1
            if len(rows.cells) == most:
                break
    except csv.Error as error:
        raise ImageError(f"line {before + start}: its quotes or cells make no sense ({error})") from None
    if not rows.cells:
        raise ImageError("holds no number, expected columns of numbers")
    return rows


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
