"""Rows of text: each a label and the numbers of one sample, or the name of its file. With a header or without."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory
from convcli.datasets.model import Array
from convcli.datasets.naming import TEST, TRAIN, VALIDATION, part_of
from convcli.errors import DataError, shortened, suggestion

SUFFIXES = (".csv", ".tsv")
_LABELS = (
    "label",
    "labels",
    "class",
    "target",
    "digit",
    "y",
    "species",
    "category",
    "outcome",
    "activity",
    "diagnosis",
)
_FILES = ("file", "filename", "file_name", "path", "filepath", "image", "image_path", "img", "picture")
_NUMBERING = ("", "id", "index", "unnamed: 0")
_LOOK = 20  # rows that tell what a table's columns are
_LACKING = ("", "na", "n/a", "null", "none", "?")  # what cells say that have nothing
_LISTED = 5
_BYTES_A_NUMBER = 12  # of a table while it is read


@dataclass(frozen=True)
class Columns:
    """What a table's columns are.

    Parameters
    ----------
    names:
        As in the header; ``column 1`` and so on without one.
    skipped:
        Rows above the first sample: 1 with a header.
    labels, samples:
        Places of the columns of labels, and of those with numbers.
    files:
        The place of the column with the names of files, if it is a list of those.
    chosen:
        Whether the labels' column was taken without being told: the first one.
    left_out:
        Columns that number rows, or hold texts.
    splits:
        The place of the column that says of each row whether it is to train or to test with, if there is one.
    lines:
        The rows that can be used, where some lack a cell; None for all.
    """

    names: tuple[str, ...]
    delimiter: str
    skipped: int
    labels: tuple[int, ...]
    samples: tuple[int, ...]
    files: int | None = None
    chosen: bool = False
    left_out: tuple[str, ...] = ()
    splits: int | None = None
    lines: tuple[str, ...] | None = None

    @property
    def are_features(self) -> bool:
        """Whether the columns have names without numbers: each is of another kind."""
        return bool(self.skipped) and not any(re.search(r"\d", self.names[place]) for place in self.samples)

    @property
    def note(self) -> tuple[str, ...]:
        """What was decided without being told."""
        name = self.names[self.labels[0]]
        told = [f"the labels are taken from {name}; --labels COLUMN is another"] if self.chosen else []
        if self.splits is not None:
            told.append(f"{self.names[self.splits]} says which rows are to train, validate or test with")
        if self.left_out:
            told.append(f"columns without numbers to learn from are left out: {', '.join(self.left_out)}")
        return tuple(told)


def find_columns(path: Path, label: str, wanted: str = "") -> Columns:
    """What the columns of a table are.

    Parameters
    ----------
    wanted : str
        The label's column by its name or its number from 1 on, or several with commas between; without it the column
        called label, class, target, digit or y, else the only one that holds texts, else the first.
    """
    rows, delimiter = _first_rows(path, label)
    if not rows or len(rows[0]) < 2:
        raise DataError(f"{label}: got {len(rows[0]) if rows else 0} columns, expected a label and pixels")
    has_header = not (all(map(is_number, rows[0][1:])) or _names_files(rows[0], path) or _is_a_sample(rows))
    body = [row for row in rows[has_header:] if len(row) == len(rows[0])]
    if not body:
        raise DataError(f"{label}: got names of {len(rows[0])} columns and no row, expected a label and pixels")
    names = tuple(rows[0]) if has_header else tuple(f"column {place}" for place in range(1, len(rows[0]) + 1))
    texts = [place for place in range(len(names)) if not all(is_number(row[place]) for row in body)]
    files = next((place for place in texts if _is_file_column(names[place], body[0][place], path)), None)
    splits = next((place for place in texts if place != files and _parts_rows(names[place], place, body)), None)
    if wanted:
        labels, chosen = tuple(_column(each.strip(), names, label) for each in wanted.split(",")), False
    else:
        found, chosen = _usual_label(names, [each for each in texts if each not in (files, splits)], files)
        labels = (found,)
    files, splits = (None if place in labels else place for place in (files, splits))
    others = [place for place in range(len(names)) if place not in labels and place not in (files, splits)]
    words = [place for place in texts if not any(is_number(row[place]) or not row[place] for row in body)]
    aside = [place for place in others if has_header and (place in words or names[place].lower() in _NUMBERING)]
    samples = tuple(place for place in others if place not in aside)
    left_out = tuple(names[place] or "a column without a name" for place in aside) if files is None else ()
    return Columns(names, delimiter, int(has_header), labels, samples, files, chosen, left_out, splits)


def names_files(path: Path, wanted: str = "") -> bool:
    """Whether the rows of a table name files of samples."""
    try:
        return find_columns(path, str(path), wanted).files is not None
    except (OSError, DataError):
        return False  # and said where it is read


def read_rows(path: Path, label: str, columns: Columns) -> tuple[Array, Array]:
    """The numbers of each row (N, columns) as float32, and its labels: texts, or float64."""
    return read_numbers(path, label, columns), read_labels(path, label, columns)


def without_gaps(path: Path, label: str, columns: Columns, *, marks: bool) -> tuple[Columns, str]:
    """The columns with the rows alone that lack no cell, and which others there are; empty if there are none.

    A cell is lacking that is empty, or says so (NA, ?) where the others are numbers: a class may be called none. An
    empty label of ``marks`` means that none holds.
    """
    last = max((*columns.samples, *columns.labels))
    labels = () if marks else columns.labels
    texts = {
        place for _, _, row in _records(path, label, columns) for place in labels
        if len(row) > place and not is_number(row[place]) and not says_nothing(row[place])
    }  # fmt: skip
    whole: list[str] = []
    gaps: list[int] = []
    for number, text, row in _records(path, label, columns):
        lacks = len(row) <= last or any(
            not row[place].strip() or (place not in texts and says_nothing(row[place]))
            for place in (*columns.samples, *labels)
        )
        if lacks:
            gaps.append(number)
        else:
            whole.append(text)
    if not gaps:
        return columns, ""
    if not whole:
        raise DataError(f"{label}: got no row with a number in each of its columns, expected some")
    named = ", ".join(map(str, gaps[:_LISTED])) + (", ..." if len(gaps) > _LISTED else "")
    told = f"{len(gaps):,} of {len(gaps) + len(whole):,} rows lack a cell: line{'s' * (len(gaps) > 1)} {named}"
    return replace(columns, lines=tuple(whole)), told


def _records(path: Path, label: str, columns: Columns) -> Iterator[tuple[int, str, list[str]]]:
    """Each row: the line that it begins in, its text, and its cells, which may hold ends of lines."""
    taken: list[str] = []

    def noted(stream: Iterator[str]) -> Iterator[str]:
        for line in stream:
            taken.append(line)
            yield line

    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        number = 1 + sum(1 for _ in itertools.islice(stream, columns.skipped))
        try:
            for row in csv.reader(noted(stream), delimiter=columns.delimiter):
                text = "".join(taken)
                if text.strip():
                    yield number, text, row
                number += len(taken)
                taken.clear()
        except csv.Error as error:
            raise _strange(label, error) from error


def says_nothing(cell: str) -> bool:
    """Whether a cell is empty, or says that nothing is known."""
    return cell.strip().lower() in _LACKING


def read_numbers(path: Path, label: str, columns: Columns | None = None) -> Array:
    """The numbers of each row as float32; of all columns, unless they are told."""
    _check_size(path, label)
    if columns is None:
        rows, delimiter = _first_rows(path, label)
        names = tuple(rows[0])
        columns = Columns(names, delimiter, int(not all(map(is_number, names))), (), tuple(range(len(names))))
    try:
        return np.loadtxt(_rows_of(path, columns), np.float32, usecols=columns.samples, ndmin=2, **_words(columns))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise _strange(label, error) from error


def first_width(path: Path, label: str) -> int:
    """How many columns a table has."""
    rows, _ = _first_rows(path, label)
    return len(rows[0]) if rows else 0


def read_labels(path: Path, label: str, columns: Columns) -> Array:
    """The labels of each row: texts, or float64; (N,), or (N, K) of several columns."""
    try:
        labels = np.loadtxt(_rows_of(path, columns), str, usecols=columns.labels, ndmin=2, **_words(columns))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise _strange(label, error) from error
    if all(map(is_number, labels[:_LOOK].reshape(-1).tolist())):
        try:
            labels = labels.astype(np.float64)
        except ValueError as error:
            raise DataError(f"{label}: got labels that are partly numbers ({error})") from error
    return labels[:, 0] if labels.shape[1] == 1 else labels


def rows_of_parts(path: Path, label: str, columns: Columns, count: int) -> dict[str, Array]:
    """The rows of each split: all of ``count`` to train with, unless a column says which are which."""
    if columns.splits is None:
        return {TRAIN: np.arange(count)}
    words = _texts(path, label, columns, columns.splits)
    parts = [part_of(word.strip()) for word in words]
    if None in parts:
        strange = words[parts.index(None)]
        raise DataError(f"{label}: got the split {shortened(strange)}, expected train, validation or test")
    found = {part: np.flatnonzero([each == part for each in parts]) for part in (TRAIN, VALIDATION, TEST)}
    found = {part: rows for part, rows in found.items() if len(rows)}
    return found if TRAIN in found or len(found) > 1 else {TRAIN: np.arange(count)}  # a test set alone


def read_files(path: Path, label: str, columns: Columns) -> list[Path]:
    """The files that the rows name; those without a folder of their own lie beside the table."""
    assert columns.files is not None
    return [path.parent / name for name in _texts(path, label, columns, columns.files)]


def _texts(path: Path, label: str, columns: Columns, place: int) -> list[str]:
    try:
        found = np.loadtxt(_rows_of(path, columns), str, usecols=[place], ndmin=1, **_words(columns))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise _strange(label, error) from error
    return [str(each) for each in found.tolist()]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_rows(path: Path, label: str) -> tuple[list[list[str]], str]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        try:
            lines = list(itertools.islice(stream, _LOOK))
            delimiter = max(",;\t", key=lambda each: lines[0].count(each)) if lines else ","
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error as error:
            raise DataError(f"{label}: expected rows of a label and pixels ({error})") from error
    return rows, delimiter


def _usual_label(names: Sequence[str], texts: Sequence[int], files: int | None) -> tuple[int, bool]:
    plain = [name.lower() for name in names]
    named = next((plain.index(name) for name in _LABELS if name in plain), None)
    if named is not None:
        return named, False
    if len(texts) == 1:
        return texts[0], False
    others = [place for place in range(len(names)) if place != files]
    odd = [place for place in others if not re.search(r"\d", names[place])]
    if len(odd) == 1:
        return odd[0], False
    # Of columns with names of their own the last one is told by the others; of rows of pixels the first says what.
    return (others[-1], True) if len(odd) == len(others) else (others[0], names[0] != "column 1")


def _column(word: str, names: Sequence[str], label: str) -> int:
    if word in names:
        return names.index(word)
    lower = [name.lower() for name in names]
    if word.lower() in lower:
        return lower.index(word.lower())
    if re.fullmatch(r"-?\d+", word) and 1 <= abs(int(word)) <= len(names):
        return int(word) - 1 if int(word) > 0 else len(names) + int(word)
    near = suggestion(word, tuple(names))
    known = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    raise DataError(f"{label}: labels: got {shortened(word)}, expected a column: {known}, or 1 to {len(names)}{near}")


def _is_a_sample(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one as those below: numbers where they have numbers, and a text that one of them has."""
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    texts = [place for place in range(len(rows[0])) if not all(is_number(row[place]) for row in body)]
    numbers = all(is_number(cell) for place, cell in enumerate(rows[0]) if place not in texts)
    return numbers and any(rows[0][place] in [row[place] for row in body] for place in texts if rows[0][place])


def _names_files(row: Sequence[str], path: Path) -> bool:
    return any(not is_number(cell) and cell and (path.parent / cell).is_file() for cell in row)


def _parts_rows(name: str, place: int, body: Sequence[Sequence[str]]) -> bool:
    """Whether a column of texts says to which split each row belongs."""
    return name.lower() not in _LABELS and all(part_of(row[place]) for row in body)


def _is_file_column(name: str, cell: str, path: Path) -> bool:
    if is_number(cell) or not cell:
        return False
    return (path.parent / cell).is_file() or (name.lower() in _FILES and bool(Path(cell).suffix))


def _check_size(path: Path, label: str) -> None:
    size = path.stat().st_size
    check_memory(_BYTES_A_NUMBER * size // 2, f"{label}: got {size:,} bytes", DataError)


def _rows_of(path: Path, columns: Columns) -> Any:
    return path if columns.lines is None else list(columns.lines)


def _words(columns: Columns) -> dict[str, Any]:
    return {
        "delimiter": columns.delimiter, "skiprows": 0 if columns.lines else columns.skipped,
        "encoding": "utf-8-sig", "comments": None, "quotechar": '"',
    }  # fmt: skip


def _strange(label: str, error: Exception) -> DataError:
    return DataError(f"{label}: expected rows of a label and pixels ({' '.join(str(error).split())[:120]})")
