"""IDX, the format of MNIST's files: four bytes of magic, the sizes as big-endian 32-bit numbers, then the values.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, section "File formats".
"""

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.budget import memory_limit
from convcli.errors import DataError

GZIP = b"\x1f\x8b"
_PACKING = 1 << 20  # bytes by which packing may lengthen what cannot be packed
_BYTES = {8: "u1"}  # the only type of value that data sets of pictures use
_TYPES = _BYTES | {9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_AXES = 4
_LARGEST = 1 << 34  # bytes of a file of one's own


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a file, unpacked if it is gzip by its first bytes (whatever it is called).

    Raises `DataError`, in one line that begins with the file's name, for one that cannot be read, is truncated, or
    whose content is longer than ``limit`` bytes: no more than that is ever unpacked.
    """
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == GZIP
            stream.seek(0)
            if path.stat().st_size > limit + _PACKING:  # zeros behind a gzip file would be read to their end
                raise _too_long(path, limit)
            if packed:
                with gzip.open(stream) as unpacked:
                    content = unpacked.read(limit + 1)
            else:
                content = stream.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: is a truncated or damaged gzip file; fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from error
    if len(content) > limit:
        raise _too_long(path, limit)
    return content


def _too_long(path: Path, limit: int) -> DataError:
    return DataError(f"{path}: holds more than {limit:,} bytes, expected at most that; it is another file")


def is_idx(path: Path) -> bool:
    """Whether a file is IDX by its first bytes, packed or not."""
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            if head[:2] == GZIP:
                stream.seek(0)
                with gzip.open(stream) as unpacked:
                    head = unpacked.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _TYPES and 1 <= head[3] <= _MOST_AXES


def read_idx(path: Path) -> npt.NDArray[Any]:
    """The array of an IDX file of one's own, of any type of value."""
    content = read_bytes(path, min(_LARGEST, max(memory_limit() // 2, 1 << 20)))
    return parse_idx(content, str(path), kinds=_TYPES)


def parse_idx(
    content: bytes, name: str, shape: tuple[int, ...] | None = None, kinds: Mapping[int, str] = _BYTES
) -> npt.NDArray[Any]:
    """Turn the content of an IDX file into an array.

    Parameters
    ----------
    content : bytes
        The unpacked file.
    name : str
        What messages begin with.
    shape : tuple of int, optional
        The only shape that is accepted.
    kinds : mapping
        The types of values that are accepted, as numpy calls them; of bytes only, unless given.

    Returns
    -------
    ndarray
        Read-only, of the shape that the file states.

    Raises
    ------
    DataError
        One line: not IDX, another type than bytes, or a length that its sizes do not account for.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels").tolist()
    [7, 8, 9]
    """
    if len(content) < 4 or content[:2] != b"\0\0" or not 1 <= content[3] <= _MOST_AXES:
        raise DataError(
            f"{name}: begins with {content[:4].hex(' ') or 'nothing'}, expected an IDX file (00 00 08 01..)"
        )
    if content[2] not in kinds:
        expected = "0x08 (bytes)" if len(kinds) == 1 else ", ".join(f"0x{each:02x}" for each in kinds)
        raise DataError(f"{name}: holds values of type 0x{content[2]:02x}, expected {expected}")
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(
            f"{name}: ends after {len(content)} bytes, expected {axes} sizes of 4 bytes each; fetch it again"
        )
    sizes = tuple(int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes))
    stated = "x".join(map(str, sizes))
    if shape is not None and sizes != shape:
        raise DataError(f"{name}: got an array of {stated}, expected {'x'.join(map(str, shape))}; it is another file")
    # Compared as Python's integers, which do not overflow whatever sizes a file claims.
    dtype = np.dtype(kinds[content[2]])
    got = (len(content) - start) / dtype.itemsize
    if got != math.prod(sizes):
        reason = "truncated" if got < math.prod(sizes) else "followed by something else"
        raise DataError(f"{name}: is {reason}: got {int(got):,} values, expected {stated}; fetch it again")
    return np.frombuffer(content, dtype, offset=start).reshape(sizes)
