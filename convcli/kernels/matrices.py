"""Matrices as text: reading ``0 -1 0; -1 5 -1; 0 -1 0`` and nested lists, writing them back.

Numbers are separated by spaces, commas or both; rows by ``;`` or a line break; the planes of a 3-D kernel by ``|``, and
a ``|`` at the end makes a single plane 3-D. A number is ``2``, ``-.5``, ``1e-3`` or a fraction ``1/9``.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from convcli.budget import check_count
from convcli.errors import KernelError
from convcli.kernels.entry import Weights
from convcli.kernels.parameters import LONGEST_NUMBER, MAX_WEIGHTS, NUMBER, format_number, read_number, shortened

# Beyond this, sums over a window can overflow single precision.
MAX_WEIGHT = 1e30
MAX_PLANES = 1_000
MAX_ROWS = 100_000
_STEP = 1 << 20


def read_matrix(text: str, subject: str = "kernel") -> Weights:
    """Read a matrix; ``subject`` begins the messages: "kernel" or "kernel file k.txt".

    Raises `KernelError` that points at plane, row and column.
    """
    if text.lstrip().startswith("["):
        return _read_bracketed(text.strip(), subject)
    _check_words(text, subject)
    parts = text.split("|")
    check_count(len(parts) - 1, MAX_PLANES, f"{subject} has {{}} planes", "give fewer", KernelError)
    is_volume = len(parts) > 1
    if is_volume and not parts[-1].strip():
        parts.pop()
    planes = []
    for index, part in enumerate(parts):
        planes.append(_read_plane(part, _Place(subject, index if is_volume else None)))
        _check_alike(planes, _Place(subject, index))
    check_weights(sum(plane.size for plane in planes), subject)
    return np.stack(planes) if is_volume else planes[0]


def read_nested(data: Any, subject: str) -> Weights:
    """Read nested lists, of one row, of rows, or of planes of rows."""
    depth = _depth(data)
    if depth not in (1, 2, 3):
        what = f"lists nested {depth} deep" if depth else type(data).__name__
        raise KernelError(f"{subject} holds {what}, expected rows of numbers [[1, 2], [3, 4]], or planes of rows")
    planes = [[data]] if depth == 1 else [data] if depth == 2 else data
    read = []
    for index, plane in enumerate(planes):
        where = _Place(subject, index if depth == 3 else None)
        if not isinstance(plane, list) or not plane:
            raise KernelError(f"{where} is empty or no list of rows")
        rows = [_nested_row(row, where._replace(row=number)) for number, row in enumerate(plane)]
        read.append(_rectangle(rows, where))
        _check_alike(read, where)
    weights = np.stack(read) if depth == 3 else read[0]
    check_weights(weights.size, subject)
    return weights


def check_array(array: npt.NDArray[Any], subject: str) -> Weights:
    """Check an array of real numbers of any type and shape, and give it as float64, (KH, KW) or (KD, KH, KW)."""
    if array.dtype.kind not in "biuf":
        kind = {"c": "complex numbers", "O": "Python objects", "U": "text", "S": "text"}.get(array.dtype.kind)
        raise KernelError(f"{subject} holds {kind or f'values of type {array.dtype}'}, expected real numbers")
    check_shape(array.shape, subject)
    with np.errstate(over="ignore"):
        weights = array.astype(np.float64)
    wrong = np.argwhere(~(np.abs(weights) <= MAX_WEIGHT))
    if len(wrong):
        place = tuple(int(each) for each in wrong[0])
        row, column = (0, *place)[-2:]
        where = _Place(subject, place[0] if len(place) == 3 else None, row, column)
        raise KernelError(f"{where}: got {weights[place]}, {_EXPECTED}")
    return weights[None, :] if weights.ndim == 1 else weights


def check_shape(shape: tuple[int, ...], subject: str) -> None:
    """Refuse what is no row, no matrix and no stack of matrices, is empty, or of absurd size."""
    if len(shape) not in (1, 2, 3):
        expected = "expected 2 (rows, columns) or 3 (planes, rows, columns)"
        raise KernelError(f"{subject} has {len(shape)} dimensions {shape}, {expected}")
    if 0 in shape:
        raise KernelError(f"{subject} is empty: its shape is {shape}")
    check_weights(math.prod(shape), subject)


def check_weights(count: int, subject: str) -> None:
    """Refuse kernels of absurd size."""
    if count > MAX_WEIGHTS:
        raise KernelError(f"{subject} has {count:,} weights; the limit is {MAX_WEIGHTS:,} (2000x2000)")


def _check_words(text: str, subject: str) -> None:
    """Refuse a text of more words than a kernel may have weights, before each of them becomes an object.

    A word that is cut by a step counts twice, which the steps taken off make good.
    """
    check_weights(text.count(","), subject)
    words = 0
    for start in range(0, len(text), _STEP):
        step = text[start : start + _STEP]
        for separator in ",;|":
            step = step.replace(separator, " ")
        words += len(step.split()) - 1
        check_weights(words, subject)


def format_matrix(weights: npt.ArrayLike) -> str:
    """Write weights so that `read_matrix` reads the very same numbers: ``0 -1 0; -1 5 -1; 0 -1 0``.

    >>> format_matrix([[0.5, 1], [2, -3]])
    '0.5 1; 2 -3'
    """
    array = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    planes = array if array.ndim == 3 else array[None]
    text = " | ".join("; ".join(" ".join(map(format_number, row)) for row in plane.tolist()) for plane in planes)
    return f"{text} |" if array.ndim == 3 and len(array) == 1 else text


_EXPECTED = "expected a number such as 2, -0.5, 1e-3 or 1/9"
_TOO_LARGE = "is too large: weights go up to 1e30"
_NO_ROWS = "expected rows of numbers such as 0 -1 0; -1 5 -1; 0 -1 0"


class _Place(NamedTuple):
    """Where in a matrix a message points, counted from 0; None is left out: ``kernel file k.txt: row 1, column 2``."""

    subject: str
    plane: int | None = None
    row: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        numbers = (("plane", self.plane), ("row", self.row), ("column", self.column))
        words = ", ".join(f"{name} {number}" for name, number in numbers if number is not None)
        if not words:
            return self.subject
        return f"{self.subject} {words}" if self.subject == "kernel" else f"{self.subject}: {words}"


def _read_bracketed(text: str, subject: str) -> Weights:
    """Nested lists as Python and JSON write them, or one pair of brackets around rows as Matlab writes them."""
    inner = text[1:-1] if text.endswith("]") else text[1:]
    if "[" not in inner and "]" not in inner and text.endswith("]"):
        return read_matrix(inner, subject)
    return read_nested(load_json(text, subject), subject)


def load_json(text: str, subject: str) -> Any:
    """Parse JSON; integers become floats, so that no number is too long to convert."""
    check_weights(text.count(","), subject)
    check_count(text.count("["), MAX_PLANES * 1000, f"{subject} has {{}} lists", "give fewer", KernelError)
    try:
        return json.loads(text, parse_int=float, parse_constant=float)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise KernelError(f"{subject} is not valid JSON at {place} ({error.msg}); expected [[1, 2], [3, 4]]") from None
    except RecursionError:
        raise KernelError(f"{subject} is nested too deep; expected [[1, 2], [3, 4]]") from None


def _read_plane(text: str, where: _Place) -> Weights:
    rows = []
    for line in text.splitlines():
        # A row may end in ";" and in a line break as well.
        line = line.strip().removesuffix(";")
        rows.extend(line.split(";") if line.strip() else [])
    if not rows:
        raise KernelError(f"{where} is empty: {_NO_ROWS}")
    check_count(len(rows), MAX_ROWS, f"{where} has {{}} rows", "give fewer", KernelError)
    return _rectangle([_read_row(row, where._replace(row=number)) for number, row in enumerate(rows)], where)


def _read_row(row: str, where: _Place) -> list[float]:
    row = row.strip()
    if not row:
        raise KernelError(f"{where} is empty")
    words = re.split(r"\s*,\s*|\s+", row)
    return [_read_word(word, where, column) for column, word in enumerate(words)]


def _read_word(word: str, where: _Place, column: int) -> float:
    value = read_number(word)
    if value is not None and abs(value) <= MAX_WEIGHT:
        return value
    where = where._replace(column=column)
    if len(word) > LONGEST_NUMBER:
        got = f"{where}: got a number of {{}} characters"
        check_count(len(word), LONGEST_NUMBER, got, "round it", KernelError)
    found = NUMBER.fullmatch(word.replace("−", "-"))
    if found and found[2] and float(found[2]) == 0:
        raise KernelError(f"{where}: {shortened(word)} divides by zero")
    if found:
        raise KernelError(f"{where}: {shortened(word)} {_TOO_LARGE}")
    if not word:
        raise KernelError(f"{where} is empty: a comma has no number beside it")
    hint = " (a fraction has no spaces: 1/9)" if word[0] == "/" or word[-1] == "/" else ""
    raise KernelError(f"{where}: got '{shortened(word)}', {_EXPECTED}{hint}")


def _nested_row(row: Any, where: _Place) -> list[float]:
    if not isinstance(row, list) or not row:
        raise KernelError(f"{where} is empty or no list of numbers")
    for column, value in enumerate(row):
        if not isinstance(value, float) or not abs(value) <= MAX_WEIGHT:
            got = shortened(json.dumps(value))
            raise KernelError(f"{where._replace(column=column)}: got {got}, {_EXPECTED}")
    return row


def _rectangle(rows: Sequence[list[float]], where: _Place) -> Weights:
    expected = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != expected:
            got = f"{len(row)} number{'s' if len(row) > 1 else ''}"
            raise KernelError(f"{where._replace(row=number)} has {got}, expected {expected} as in row 0")
    return np.array(rows, dtype=np.float64) + 0.0


def _check_alike(planes: Sequence[Weights], where: _Place) -> None:
    """Refuse a last plane that is not as large as the first."""
    got, expected = ("x".join(map(str, planes[place].shape)) for place in (-1, 0))
    if got != expected:
        raise KernelError(f"{where} has {got} numbers, expected {expected} as in plane 0")


def _depth(data: Any) -> int:
    depth = 0
    while isinstance(data, list):
        depth += 1
        data = data[0] if data else None
    return depth
