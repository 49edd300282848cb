"""IDX, the format of MNIST's files: four bytes of magic, the sizes as big-endian 32-bit numbers, then the values.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, section "File formats".
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convcli.errors import DataError

GZIP = b"\x1f\x8b"
_PACKING = 1 << 20  # bytes by which packing may lengthen what cannot be packed
_UBYTE = 8  # the only type of value that data sets of pictures use


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


def parse_idx(content: bytes, name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.uint8]:
    """Turn the content of an IDX file of bytes into an array.

    Parameters
    ----------
    content : bytes
        The unpacked file.
    name : str
        What messages begin with.
    shape : tuple of int, optional
        The only shape that is accepted.

    Returns
    -------
    ndarray
        uint8, read-only, of the shape that the file states.

    Raises
    ------
    DataError
        One line: not IDX, another type than bytes, or a length that its sizes do not account for.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels").tolist()
    [7, 8, 9]
    """
    if len(content) < 4 or content[:2] != b"\0\0" or not 1 <= content[3] <= 4:
        raise DataError(
            f"{name}: begins with {content[:4].hex(' ') or 'nothing'}, expected an IDX file (00 00 08 01..)"
        )
    if content[2] != _UBYTE:
        raise DataError(f"{name}: holds values of type 0x{content[2]:02x}, expected 0x08 (bytes)")
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
    if len(content) - start != math.prod(sizes):
        reason = "truncated" if len(content) - start < math.prod(sizes) else "followed by something else"
        raise DataError(f"{name}: is {reason}: got {len(content) - start:,} values, expected {stated}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)
