"""The errors a user can cause. Each message is one line: what, got, expected and, where there is one, the fix.

The command line prints them as ``Error: ...``; a Python caller catches `ConvcliError`. All are `ValueError`s, so code
that expects numpy's habits keeps working. A programming mistake of ours is never one of these.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

# What a terminal obeys, or what makes one line look like two, or read backwards: controls, line and paragraph
# separators, marks of direction, and the lone surrogates that stand for bytes of names that are not UTF-8.
_OBEYED = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# An address, also as `Path` has it, with one slash: ``s3:/bucket``. What has one letter is a drive.
_ADDRESS = re.compile(r"([A-Za-z][\w+.:-]*\w):/+")

_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")


def printable(text: object) -> str:
    """A text on one line that a terminal only shows, with what it would obey written as Python's escapes.

    >>> print(printable("a\\x1b[2J\\n"))
    a\\x1b[2J\\n
    """
    return _OBEYED.sub(lambda found: _escaped(found[0]), str(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name, as Python keeps it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]


def shown(name: object) -> str:
    """A file's name as an error shows it: on one line, whatever characters it is made of."""
    text = str(name)
    return text if text.isprintable() else f"'{printable(text)}'"


def shortened(value: object) -> str:
    """A value as it is quoted in a message: on one line, not longer than a message can bear."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:40]}...{text[-12:]}"


def missing(name: object) -> str:
    """What is said of a file or folder that is not there: which of them, as far as the name tells.

    >>> missing("nowhere/")
    'nowhere/: no such folder'
    >>> missing("nowhere/photo.jpg")
    'nowhere/photo.jpg: no such file: there is no folder nowhere'
    """
    text, place = str(name), Path(str(name))
    if (address := as_address(text)) and not place.parent.is_dir():
        kinds = "of which pictures and Zarr are read; others are read here: copy it first"
        return f"{shown(address)}: is an address, {kinds}"
    if text.endswith(("/", os.sep)):
        return f"{shown(name)}: no such folder"
    if not place.parent.is_dir():
        return f"{shown(name)}: no such file: there is no folder {shown(place.parent)}"
    return f"{shown(name)}: no such file{'' if place.suffix else ' or folder'}"


def as_address(name: object) -> str:
    """A name that is an address, which `Path` may have taken a slash from; nothing for others.

    >>> as_address(Path("s3://bucket/a.csv")), as_address("C:/a.csv")
    ('s3://bucket/a.csv', '')
    """
    found = _ADDRESS.match(str(name))
    return f"{found[1]}://{str(name)[found.end() :]}" if found else ""


def kind_of(message: str) -> str:
    """A message without its numbers, by which messages of one kind are the same.

    >>> kind_of("3.1% of 20 pixels") == kind_of("17% of 4,000 pixels")
    True
    """
    return _NUMBER.sub("0", message)


def share_in(message: str) -> float:
    """The percentage that a message begins with, 0 without one.

    >>> share_in("3.1% of the values")
    3.1
    """
    found = re.match(r"(\d+(?:\.\d+)?)% ", message)
    return float(found[1]) if found else 0.0


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'pool'?`` if a known word is close, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), known, 1, 0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


class ConvcliError(ValueError):
    """A request that cannot be carried out as asked; the message says what, got, expected and the fix.

    It is one line that is safe to print, whatever names are in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ShapeError(ConvcliError):
    """An array, a window or a layer that does not fit: sizes, strides, paddings, dilations, channel counts."""


class KernelError(ConvcliError):
    """A kernel specification that cannot be read or weights that cannot be used."""


class ImageError(ConvcliError):
    """A picture or volume file that cannot be read or written as asked."""


class ModelError(ConvcliError):
    """A network description or a weights file that cannot be used."""


class FileError(ImageError, ModelError):
    """A file of any kind that cannot be written where it should go; caught as a picture's or a model's error too."""


class DataError(ConvcliError):
    """A data set that is missing, damaged or not what it claims to be."""
