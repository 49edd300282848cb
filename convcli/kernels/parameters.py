"""The parameters of kernels: reading ``sigma=2`` and ``size=3x5``, checking ranges, writing them back."""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from convcli.errors import KernelError

Value: TypeAlias = int | float | tuple[int, ...] | tuple[float, ...] | None

# Parameters that may be given in hundredths: 150%.
_FACTORS = ("scale", "amount")

# 2000 x 2000. More is a slip of the keyboard; the matrix alone would take longer to read than an image.
MAX_WEIGHTS = 4_000_000

# Longer than any float64 written out; what it costs to read a number grows faster than its length.
LONGEST_NUMBER = 1_000

# ASCII digits only: Python's float() also reads "1_000" and "infinity".
DECIMAL = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NUMBER = re.compile(rf"({DECIMAL})(?:/({DECIMAL}))?", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a library kernel: its default, range and meaning.

    ``default`` None means that it follows from the others, as ``automatic`` says. ``per_axis`` parameters take one
    value for all axes or one per axis, in the order of a shape: ``size=3x5`` is 3 rows by 5 columns.
    """

    name: str
    default: float | None
    minimum: float
    maximum: float
    meaning: str
    integer: bool = False
    per_axis: bool = False
    automatic: str = ""

    @property
    def default_text(self) -> str:
        """The default as it is written in a SPEC, or ``auto``."""
        return "auto" if self.default is None else format_number(self.default)

    @property
    def range_text(self) -> str:
        """The range, for people: ``1 to 500``."""
        return f"{format_number(self.minimum)} to {format_number(self.maximum)}"

    def default_value(self, axes: int) -> Value:
        """The default as a build function receives it."""
        if self.default is None:
            return None
        value = int(self.default) if self.integer else float(self.default)
        return (value,) * axes if self.per_axis else value

    def read(self, text: str, kernel: str, axes: int) -> Value:
        """Read the text after ``=``; raises `KernelError` naming kernel, parameter, text and what was expected."""
        where = f"kernel {kernel}: {self.name}={shortened(text)}"
        words = re.split(r"[xX×]", text) if self.per_axis else [text]
        if len(words) not in (1, axes):
            raise KernelError(f"{where} has {len(words)} values, expected one, or {axes} (as in {self._example(axes)})")
        values = [self._read_one(word.strip(), where, axes) for word in words]
        if not self.per_axis:
            return values[0]
        return tuple(values * axes if len(values) == 1 else values)

    def _read_one(self, word: str, where: str, axes: int) -> float:
        is_share = word.endswith("%") and self.name in _FACTORS
        value = read_number(word.removesuffix("%").rstrip() + "/100" if is_share else word)
        if value is None or (self.integer and value != math.floor(value)):
            kind = "a whole number" if self.integer else "a number"
            raise KernelError(
                f"{where} is not {kind}; expected {kind} from {self.range_text}, as in {self._example(axes)}"
            )
        if not self.minimum <= value <= self.maximum:
            raise KernelError(f"{where} is out of range: expected {self.range_text}")
        return int(value) if self.integer else value

    def _example(self, axes: int) -> str:
        number = format_number(3 if self.default is None else self.default)
        return f"{self.name}={number}" + (f" or {self.name}={'x'.join('357'[:axes])}" if self.per_axis else "")


def read_number(text: str) -> float | None:
    """Read ``2``, ``-.5``, ``1e-3`` or ``1/9``; None if the text is no finite number."""
    found = NUMBER.fullmatch(text.replace("−", "-")) if len(text) <= LONGEST_NUMBER else None
    if not found:
        return None
    numerator, denominator = float(found[1]), float(found[2] or 1)
    value = numerator / denominator if denominator else math.inf
    return value if math.isfinite(value) else None


def format_number(value: float) -> str:
    """Write a number so that reading it back gives the same float64, whole numbers without a point."""
    value = float(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)


def format_value(value: Value) -> str:
    """Write a parameter's value: ``2``, ``0.5``, ``3x5``; one number if all axes agree."""
    if isinstance(value, tuple):
        return format_number(value[0]) if len(set(value)) == 1 else "x".join(format_number(each) for each in value)
    return format_number(0.0 if value is None else value)


def shortened(text: str, length: int = 40) -> str:
    """A user's text, safe in a one-line message: control characters spelled out and the middle left out."""
    plain = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[: 4 * length])
    return plain if len(plain) <= length else f"{plain[: length - 11]}...{plain[-8:]}"
