"""What may stand behind a key of a layer: numbers, sizes, paddings, names with parameters.

Each reader takes the text of a command-line word or the value of a TOML file and returns the one normal form of both.
A reader raises `ValueError` with what it expected; the grammar adds the layer, the key and what was got.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from convcli.errors import suggestion

Reader: TypeAlias = Callable[[object], Any]

# A slip of the keyboard or an attack: no array of that length could be used.
LARGEST = 1_000_000_000
_MOST_FILTERS = 10_000  # whose channels are listed one by one
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_BETWEEN_AXES = re.compile(r"[xX×]")


@dataclass(frozen=True, slots=True)
class Named:
    """One of a list of names with its parameters: ``relu``, ``leaky_relu:0.2``, ``random_normal:stddev=0.05``."""

    name: str
    arguments: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{key}={value:.17g}" for key, value in self.arguments)])


# Name -> its parameters in the order in which they may be given without their names. Keras's names.
ACTIVATIONS: Mapping[str, tuple[str, ...]] = {
    "linear": (),
    "relu": (),
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha",),
    "gelu": (),
    "sigmoid": (),
    "tanh": (),
    "softmax": (),
    "swish": (),
    "selu": (),
    "hard_sigmoid": (),
    "relu6": (),
    "hard_swish": (),
    "softplus": (),
}
ALSO_CALLED: Mapping[str, str] = {"silu": "swish", "hard_silu": "hard_swish"}
INITIALIZERS: Mapping[str, tuple[str, ...]] = {
    "glorot_uniform": (),
    "glorot_normal": (),
    "he_uniform": (),
    "he_normal": (),
    "lecun_uniform": (),
    "lecun_normal": (),
    "random_uniform": ("minval", "maxval"),
    "random_normal": ("mean", "stddev"),
    "truncated_normal": ("mean", "stddev"),
    "zeros": (),
    "ones": (),
    "constant": ("value",),
    "orthogonal": ("gain",),
}
REGULARIZERS: Mapping[str, tuple[str, ...]] = {"l1": ("l1",), "l2": ("l2",), "l1_l2": ("l1", "l2")}
CONSTRAINTS: Mapping[str, tuple[str, ...]] = {"max_norm": ("max_value",), "non_neg": (), "unit_norm": ()}
# Parameters that are 0 or more wherever they stand.
_NOT_NEGATIVE = ("stddev", "l1", "l2", "max_value")


def count(least: int = 1) -> Reader:
    """A whole number of at least ``least``."""

    def read(value: object) -> int:
        number = _integer(value)
        if number is None or number < least:
            raise ValueError(f"a whole number from {least} to {LARGEST:,}")
        return number

    return read


def number(least: float | None = None, below: float | None = None) -> Reader:
    """A decimal number, where given of at least ``least`` and less than ``below``."""
    lowest = [] if least is None else [f"of at least {least:g}"]
    limits = " and ".join(lowest + ([] if below is None else [f"less than {below:g}"]))

    def read(value: object) -> float:
        decimal = _decimal(value)
        outside = decimal is None or (least is not None and decimal < least) or (below is not None and decimal >= below)
        if decimal is None or outside:
            raise ValueError(f"a number {limits}".rstrip())
        return decimal

    return read


def flag(value: object) -> bool:
    """True or false: ``yes, true, on, 1`` and ``no, false, off, 0``, or nothing behind the key for true."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in ("yes", "true", "on", "1", ""):
        return True
    if word in ("no", "false", "off", "0"):
        return False
    raise ValueError("yes or no")


def sizes(least: int = 1) -> Reader:
    """One whole number for all axes, or one per axis: ``3``, ``3x5``, ``[3, 5]``."""

    def read(value: object) -> int | tuple[int, ...]:
        parts = _BETWEEN_AXES.split(value) if isinstance(value, str) else value
        numbers = [_integer(each) for each in parts] if isinstance(parts, list) else [_integer(parts)]
        if not 1 <= len(numbers) <= 3 or any(each is None or each < least for each in numbers):
            raise ValueError(f"a whole number from {least} to {LARGEST:,}, or one per axis as in 3x5")
        whole = tuple(each for each in numbers if each is not None)
        return whole[0] if len(whole) == 1 else whole

    return read


def shape(value: object) -> tuple[int, ...]:
    """One to four whole numbers: ``28x28x1``, ``[28, 28, 1]``."""
    parts = _BETWEEN_AXES.split(value) if isinstance(value, str) else value
    numbers = [_integer(each) for each in parts] if isinstance(parts, list | tuple) else [_integer(parts)]
    whole = tuple(each for each in numbers if each is not None and each >= 1)
    if not 1 <= len(whole) <= 4 or len(whole) != len(numbers):
        raise ValueError(f"one to four whole numbers from 1 to {LARGEST:,}, as in 28x28x1")
    return whole


def padding(value: object) -> str | int | tuple[int | tuple[int, int], ...]:
    """``valid``, ``same``, ``full``, ``1``, per axis ``1x2``, (before, after) ``0:1`` or per axis ``0:1x2:3``."""
    if isinstance(value, str) and value.lower() in PADDINGS:
        return value.lower()
    try:
        return cells(value)
    except ValueError as error:
        raise ValueError(f"valid, same, full, or {error}") from None


PADDINGS = ("valid", "same", "full")


def cells(value: object) -> int | tuple[int | tuple[int, int], ...]:
    """Numbers of padding cells: ``1``, per axis ``1x2``, (before, after) ``0:1`` or per axis ``0:1x2:3``."""
    parts = _BETWEEN_AXES.split(value) if isinstance(value, str) else value
    read = [_padded(each) for each in parts] if isinstance(parts, list) else [_padded(parts)]
    known = tuple(each for each in read if each is not None)
    if not 1 <= len(known) <= 3 or len(known) != len(read):
        raise ValueError("a number of cells, one per axis as in 1x2, or before and after as in 0:1 or 0:1x2:3")
    return known[0] if len(known) == 1 and isinstance(known[0], int) else known


def one_of(choices: Sequence[str]) -> Reader:
    """One word of a list."""

    def read(value: object) -> str:
        word = str(value).lower()
        if word not in choices:
            raise ValueError(f"one of {', '.join(choices)}{suggestion(word, choices)}")
        return word

    return read


def named(choices: Mapping[str, tuple[str, ...]]) -> Reader:
    """One name of a table with its parameters: ``l2:0.001``, ``{name = "l2", l2 = 0.001}``."""

    def read(value: object) -> Named:
        if isinstance(value, dict):
            name, given = str(value.get("name", "")).lower(), {k: v for k, v in value.items() if k != "name"}
        else:
            name, *words = str(value).lower().split(":")
            given = _arguments(words, choices.get(name, ()))
        name = ALSO_CALLED.get(name, name)
        if name not in choices:
            raise ValueError(f"one of {', '.join(choices)}{suggestion(name, list(choices))}")
        arguments = {key: _decimal(each) for key, each in given.items()}
        if set(arguments) - set(choices[name]) or None in arguments.values() or (name == "l1_l2" and not arguments):
            parameters = ", ".join(f"{key}=NUMBER" for key in choices[name]) or "no parameters"
            raise ValueError(f"{name} with {parameters}")
        for key in _NOT_NEGATIVE:
            if (arguments.get(key) or 0) < 0:
                raise ValueError(f"{name} with {key} of 0 or more")
        return Named(name, tuple((key, float(each)) for key, each in arguments.items() if each is not None))

    return read


def optional(reader: Reader) -> Reader:
    """A reader that also takes ``none``."""

    def read(value: object) -> Any:
        return None if value is None or value == "none" else reader(value)

    return read


def connections(value: object) -> tuple[tuple[int, ...], ...]:
    """For each filter the list of the channels it sees, counted from 0: LeNet-5's third layer. TOML only."""
    rows = value if isinstance(value, list) and len(value) <= _MOST_FILTERS else []
    table = [tuple(_integer(each) for each in row) if isinstance(row, list) else () for row in rows]
    found = tuple(tuple(each for each in row if each is not None) for row in table)
    if not found or any(not row or len(set(row)) != len(whole) for row, whole in zip(found, table, strict=True)):
        raise ValueError("a list with, for each filter, the list of the channels it sees (each once, counted from 0)")
    return found


def _arguments(words: Sequence[str], order: Sequence[str]) -> dict[str, str]:
    given = {}
    for place, word in enumerate(words):
        key, equals, text = word.partition("=")
        if not equals:
            key, text = order[place] if place < len(order) else f"number {place + 1}", word
        if key in given:
            raise ValueError(f"{key} once")
        given[key] = text
    return given


def _integer(value: object) -> int | None:
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value.strip()) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None


def _decimal(value: object) -> float | None:
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def _padded(value: object) -> int | tuple[int, int] | None:
    ends = value.split(":") if isinstance(value, str) else value
    if isinstance(ends, list):
        numbers = [_integer(each) for each in ends]
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            return numbers[0], numbers[1]
        return numbers[0] if len(numbers) == 1 and isinstance(value, str) else None
    return _integer(ends)
