"""NPY: the header of numpy's own file format, read here for weights, pictures, volumes and signals alike.

Read by its grammar and not by numpy's reader, which evaluates it as Python: that raises what it likes about a damaged
one, warns about what Python 2 wrote, and takes negative sizes. Pickled objects and records are never loaded.

Source: the documentation of ``numpy.lib.format``.
"""

import math
import re
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

MAGIC = b"\x93NUMPY"
_LONGEST = 10_000  # bytes; numpy's own limit
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}
# Python 2 wrote whole numbers with an L.
_SIZE = r"\d{1,19}L?"
_ITEM = re.compile(
    rf"""\s*(?P<quote>['"])(?P<key>descr|fortran_order|shape)(?P=quote)\s*:\s*
    (?:(?P<text>'[^'\\]*'|"[^"\\]*")|(?P<truth>True|False)|(?P<records>\[[^\]]*\])
      |(?P<sizes>\(\s*\)|\(\s*{_SIZE}\s*,\s*\)|\(\s*{_SIZE}(?:\s*,\s*{_SIZE})+\s*,?\s*\)))\s*(?:,|$)""",
    re.VERBOSE,
)
_NUMBERS = re.compile(r"[<>|=]?(?:b1|\?|[iu][1248]|f[248])")
_OTHERS = {
    "c": "complex numbers", "f": "floats above 64 bits", "O": "Python objects", "S": "text", "a": "text", "U": "text",
    "M": "dates", "m": "durations", "V": "records",
}  # fmt: skip
_PLAIN = "expected plain numbers of at most 64 bits"
_KINDS = {"descr": "text", "fortran_order": "truth", "shape": "sizes"}


class Header(NamedTuple):
    """What an NPY file says about its array.

    Parameters
    ----------
    shape:
        None of the sizes is negative.
    fortran:
        Whether the first axis runs fastest.
    dtype:
        Plain numbers or truth values, in the file's byte order.
    start:
        Where the numbers begin.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def end(self) -> int:
        """Where the numbers end: how many bytes a complete file has."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def array(self, data: Any) -> npt.NDArray[Any]:
        """The array of a complete file, a view of its bytes."""
        array: npt.NDArray[Any] = np.frombuffer(data, self.dtype, math.prod(self.shape), self.start)
        return array.reshape(self.shape[::-1]).transpose() if self.fortran else array.reshape(self.shape)


def read_header(stream: BinaryIO) -> Header:
    """Read the header of a stream that stands at its beginning and is left where the numbers begin.

    Raises `ValueError`, one line, for a header that is damaged or not of plain numbers.
    """
    head = stream.read(len(MAGIC) + 2)
    if not head.startswith(MAGIC) or len(head) < len(MAGIC) + 2:
        raise ValueError(_damaged("its first bytes"))
    form = _LENGTHS.get(head[6])
    if form is None:
        raise ValueError(f"got NPY version {head[6]}.{head[7]}, expected 1.0, 2.0 or 3.0; save the array again")
    size = stream.read(struct.calcsize(form))
    if len(size) < struct.calcsize(form):
        raise ValueError(_damaged("half a header"))
    length = struct.unpack(form, size)[0]
    if length > _LONGEST:
        raise ValueError(_damaged(f"a header of {length:,} bytes"))
    text = stream.read(length)
    if len(text) < length:
        raise ValueError(_damaged("half a header"))
    items = _items(text.decode("latin-1").strip())
    descr, shape = items["descr"], items["shape"]
    if not _NUMBERS.fullmatch(descr):
        kind = _OTHERS.get(descr.strip("<>|=")[:1], "an unknown type")
        raise ValueError(f"got an array of {kind}, {_PLAIN}")
    sizes = tuple(int(each) for each in re.findall(r"\d+", shape))
    start = len(head) + len(size) + length
    return Header(sizes, items["fortran_order"] == "True", np.dtype(descr), start)


def _items(text: str) -> dict[str, str]:
    """The three items of a header, each as it is written, but for quotes."""
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError(_damaged("a header that is no dictionary"))
    text, place, items = text[1:-1].strip(), 0, dict[str, str]()
    while place < len(text):
        found = _ITEM.match(text, place)
        if not found or found["key"] in items:
            raise ValueError(_damaged("a header that makes no sense"))
        key, place = found["key"], found.end()
        if key == "descr" and found["records"]:
            raise ValueError(f"got an array of records, {_PLAIN}")
        value = found[_KINDS[key]]
        if value is None:
            raise ValueError(_damaged(f"a header whose {key} makes no sense"))
        items[key] = value.strip("'\"")
    missing = {"descr", "fortran_order", "shape"} - set(items)
    if missing:
        raise ValueError(_damaged(f"a header without {min(missing)}"))
    return items


def _damaged(what: str) -> str:
    return f"damaged NPY: its header cannot be read (got {what}); get a fresh copy"
