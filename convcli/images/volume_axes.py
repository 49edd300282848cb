"""The axes of a file of many planes: the words for them, which is the depth, and which planes make one volume.

A file's planes lie one behind the other along axes that tifffile names: T time, Z depth, C channels; any other letter
is none that says what it means. No file is read here.
"""

import re
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ImageError

# From the slowest axis on, each with its size: (("T", 3), ("Z", 6)).
Axes = tuple[tuple[str, int], ...]

UNNAMED = "Q"
TAKE_SIGNALS = "filter, pool, pad and morph take signals with --axes x"
# What is said where a picture is the first of several.
TAKES_ALL = "filter --axes zyx takes all, yx each"
_NAMED = "TZC"
# Beyond this many channels the last axis of an array is rather width.
MOST_CHANNELS = 4


def read_axes(text: str) -> str:
    """A word for axes: ``x`` of signals, ``cx`` if channels come first; else what files hold: ``yx``, ``tzcyx`` ...

    Raises `ImageError` for others.

    >>> read_axes("TZCYX"), read_axes("yxs")
    ('tzcyx', 'yxc')
    """
    word = text.strip().lower()
    found = re.fullmatch(r"([tzc]*)yx([cs]?)", word)
    if word in ("x", "xc", "cx"):
        return "x" if word == "xc" else word
    if not found or len(set(found[1])) < len(found[1]) or (found[2] == "c" and "c" in found[1]):
        raise ImageError(
            f"axes: got {text!r}, expected x or cx for signals, or a file's axes from the slowest on: some of t, z, c, "
            "then yx, and c where channels come last, as in yx, zyx, tzcyx or yxc"
        )
    return f"{found[1]}yx{found[2] and ('s' if 'c' in found[1] else 'c')}"


def acts_along(axes: str) -> str:
    """What an operation acts along in files of these axes: ``x``, ``yx`` or ``zyx``."""
    return "x" if axes in ("x", "cx") else "zyx" if "z" in axes else "yx"


def letters_of(axes: Axes) -> str:
    """The letters of the axes before a plane's."""
    return "".join(letter for letter, _ in axes)


def count_of(axes: Axes) -> int:
    """How many planes there are along axes."""
    return prod(size for _, size in axes)


def sizes_of(axes: Axes) -> str:
    """The sizes for people: ``3x6``."""
    return "x".join(str(size) for _, size in axes)


def in_words(axes: Axes) -> str:
    """Axes for messages: ``TZYX (3x6 planes)``; a letter that says nothing is a question mark."""
    letters = "".join(letter if letter in _NAMED else "?" for letter in letters_of(axes))
    return f"{letters}YX ({sizes_of(axes) or 1} planes)"


def array_axes(shape: tuple[int, ...], axes: str) -> tuple[Axes, bool]:
    """The axes before the planes of an array, by the user's word, and whether its last axis is one of channels.

    ``yx`` stands for planes of any array; channels come last where the word says so, or where there is one axis more
    than it names, of at most `MOST_CHANNELS`. Raises `ImageError` for an array of other axes.
    """
    lead = axes[: axes.index("yx")].upper()
    ends, may_end = not axes.endswith("x"), len(shape) > 2 and shape[-1] <= MOST_CHANNELS
    if axes == "yx" and len(shape) >= 2:
        ends = may_end
        lead = UNNAMED * (len(shape) - 2 - ends)
    expected = len(lead) + 2
    ends = ends or (may_end and len(shape) == expected + 1)
    if len(shape) != expected + ends:
        names = {4: "tzyx", 5: "tzcyx"}.get(len(shape))
        fix = f"; name its axes, as in --axes {names}" if names and expected < len(shape) else ""
        raise ImageError(f"got an array of shape {shape}, expected {expected + ends} axes for --axes {axes}{fix}")
    return tuple(zip(lead, shape, strict=False)), ends


def named(found: Axes, axes: str, *, wanted: str = "") -> tuple[Axes, tuple[str, ...]]:
    """A file's axes by the names that the user gives them, and a warning where the file has others.

    ``yx`` stands for planes of any file, ``zyx`` for volumes in it. Files do not say axes of one: the user may, and
    ``wanted`` are letters of which one index is asked for. Raises `ImageError` where the two do not go together.
    """
    lead, own = axes[: axes.index("yx")].upper(), letters_of(found)
    if lead == "Z" and own and own in wanted:
        return (("Z", 1), *found), ()
    if lead in ("", own) or (lead == "Z" and ("Z" in own or own == "T")):
        return found, ()
    is_named = set(own) <= set(_NAMED)
    if is_named and re.search(".*".join(own), lead):
        return tuple((letter, dict(found).get(letter, 1)) for letter in lead), ()
    if is_named and sorted(own) == sorted(lead):
        raise ImageError(f"got a file of axes {own}YX, expected them with --axes {axes}; say --axes {own.lower()}yx")
    if lead == "Z" and len(own) > 1:
        depth_of(found)
    if len(lead) != len(own):
        raise ImageError(f"got axes {in_words(found)}, expected {len(lead)} before YX for --axes {axes}; {_fix(found)}")
    told = f"the file calls its axes {own}YX; they are taken, and written, as {lead}YX"
    return tuple((letter, size) for letter, (_, size) in zip(lead, found, strict=True)), (told,) * is_named


def depth_of(axes: Axes) -> int:
    """Which of the axes is a volume's depth: Z; or the only one, unless it is channels.

    Raises `ImageError` where none is.
    """
    letters = letters_of(axes)
    if "Z" in letters:
        return letters.index("Z")
    if len(axes) == 1 and letters != "C":
        return 0
    raise ImageError(f"got axes {in_words(axes)}, expected one of them to be Z, the depth; {_fix(axes)}")


def _fix(axes: Axes) -> str:
    letters = letters_of(axes)
    if set(letters) <= set(_NAMED):
        return f"--axes {letters.lower()}yx says what the file holds, --each-plane takes each plane by itself"
    names = {2: "tzyx", 3: "tzcyx"}.get(len(axes), "zyx")
    return f"name them, as in --axes {names}, or take each plane by itself with --each-plane"


def volumes_along(axes: Axes, depth: int) -> Iterator[list[NDArray[Any]]]:
    """The planes of each volume of a file; those volumes together whose planes take turns in the file."""
    places = np.arange(count_of(axes)).reshape([size for _, size in axes] or [1])
    for outer in places.reshape(-1, *places.shape[depth:]):
        yield list(outer.reshape(len(outer), -1).T)


def without(axes: Axes, letter: str, index: int) -> tuple[Axes, NDArray[Any]]:
    """The axes without one of them, and the planes that lie at an index along it."""
    at = letters_of(axes).index(letter)
    places = np.arange(count_of(axes)).reshape([size for _, size in axes])
    return axes[:at] + axes[at + 1 :], places.take(index, at).reshape(-1)
