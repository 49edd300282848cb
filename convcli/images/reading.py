"""Reading a picture file: find its format by content, decode it completely or fail, turn it upright."""

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from convcli.addresses import is_address, read_bytes
from convcli.budget import check_memory
from convcli.errors import ImageError, missing
from convcli.images.formats import BY_NAME, FORMATS, Format, recognise
from convcli.images.keeping import incoming
from convcli.images.model import Decoded, Image, shown
from convcli.images.orientation import upright
from convcli.images.raw import is_negative
from convcli.images.remarks import remarks
from convcli.images.volume_axes import TAKE_SIGNALS

MAX_PIXELS = 500_000_000

HEAD = 64
AT_ONCE = 1 << 26  # bytes of a file that is read without a look at its header first

_SIGNAL = re.compile(rb"(?s)(?:(R[IF][F6][F4X]|BW64)....WAVE|[-+0-9.,;eE \t\r\n]+$)")
# What a decoder that stumbles over nonsense says is about its own code, not about the file.
_UNHELPFUL = (TypeError, AttributeError, LookupError, ArithmeticError, UnicodeError, struct.error)


def read(source: str | Path | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read one picture: whole and upright, or not at all.

    Parameters
    ----------
    source:
        A file name, or a binary stream (standard input), which is read to its end and need not be seekable.
    max_pixels:
        Width times height above which the file is refused, by its header, before pixels are decoded.

    Returns
    -------
    Image
        (H, W, C) pixels, C-contiguous, EXIF orientation applied; they may be read-only. The format is found by
        content, whatever the suffix says. Safe to call from several threads; decoding releases the GIL.

    Raises
    ------
    ImageError
        One line naming the file: missing, unreadable, of unknown format, truncated, damaged or too large.

    Examples
    --------
    >>> read("sample_images/missing.png")
    Traceback (most recent call last):
    convcli.errors.ImageError: sample_images/missing.png: no such file
    """
    name = _name(source)
    if source == "":  # which `Path` takes for the present folder
        raise ImageError("picture: got an empty name, expected a file")
    data = _load(source, name, max_pixels)
    kind = recognised(data, name)
    if kind.name == "TIFF" and is_negative(data):
        kind = BY_NAME["RAW"]
    try:
        with remarks() as said:
            decoded = _decode(kind, data, max_pixels)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    image, pixels = decoded.image, upright(decoded.image.pixels, decoded.orientation)
    metadata = incoming(image.metadata, pixels, decoded.orientation)
    return replace(image, pixels=pixels, metadata=metadata, warnings=(*image.warnings, *said))


def _decode(kind: Format, data: bytes, max_pixels: int) -> Decoded:
    codec = import_module(f"convcli.images.{kind.module}")
    with explaining(kind.name):
        decoded: Decoded = codec.decode(data, max_pixels)
    return decoded


@contextlib.contextmanager
def explaining(format: str) -> Iterator[None]:
    """Turn whatever a decoder raises about damaged data into one `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("does not fit into memory; use a smaller picture") from error
    except Exception as error:
        # Decoders raise whatever they like about damaged data (struct.error, KeyError, their own types); for the user
        # it is one thing. The cause stays attached for CONVCLI_DEBUG.
        reason = "" if isinstance(error, _UNHELPFUL) else " ".join(str(error).split())
        detail = f" ({reason[:200]})" if reason else ""
        raise ImageError(f"damaged or unsupported {format}{detail}; get a fresh copy") from error


def _name(source: str | Path | BinaryIO) -> str:
    if isinstance(source, str | Path):
        return shown(source)
    name = getattr(source, "name", None)
    return shown(name) if isinstance(name, str) else "<stream>"


def _load(source: str | Path | BinaryIO, name: str, max_pixels: int) -> bytes:
    with opening(name):
        if not isinstance(source, str | Path):
            data = read_all(source, name)
            if not data and source.seekable() and source.tell():
                raise ImageError(f"{name}: stands at its end, expected it where a picture begins: stream.seek(0)")
            return data
        if isinstance(source, str) and is_address(source):
            return read_bytes(source)
        with Path(source).open("rb") as stream:
            head = stream.read(HEAD)
            kind = recognised(head, name)  # before a film of many gigabytes is read into memory
            if size_of(stream) > AT_ONCE:
                head += stream.read(AT_ONCE >> 6)
                _check_head(kind, head, name, max_pixels)
            return read_all(stream, name, head)


def _check_head(kind: Format, head: bytes, name: str, max_pixels: int) -> None:
    """Refuse a large file by its header, where the format has one that tells, before the rest is read."""
    check = getattr(import_module(f"convcli.images.{kind.module}"), "check_head", None)
    if check is None:
        return
    try:
        with explaining(kind.name):
            check(head, max_pixels)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__


def read_all(stream: BinaryIO, name: str, head: bytes = b"") -> bytes:
    """The rest of a stream behind its ``head``, unless it is larger than memory may be taken.

    Raises `ImageError` before anything is read from a file that is too large, and in time from a pipe without an end.
    """
    size = size_of(stream)
    check_memory(size, f"{name}: got a file of {size:,} bytes", ImageError)
    raw = getattr(stream, "raw", None)
    if size and isinstance(raw, io.FileIO):
        raw.seek(stream.tell() - len(head))
        return raw.readall() or b""  # in one piece: to join several would take the size twice
    if 0 < size <= AT_ONCE:
        return head + stream.read()
    pieces, total = [head], len(head)
    while piece := stream.read(AT_ONCE):
        pieces.append(piece)
        total += len(piece)
        check_memory(2 * total, f"{name}: got {total:,} bytes and more", ImageError)
    return b"".join(pieces)


def size_of(stream: BinaryIO) -> int:
    """The size of the file behind a stream; 0 where there is none."""
    try:
        return os.fstat(stream.fileno()).st_size
    except (AttributeError, OSError):  # a stream in memory has no number
        return 0


@contextlib.contextmanager
def opening(name: str) -> Iterator[None]:
    """Turn what opening and reading a file can raise into an `ImageError` that begins with its name."""
    try:
        yield
    except FileNotFoundError as error:
        raise ImageError(missing(error.filename if name.startswith("'") else name)) from error
    except IsADirectoryError as error:
        is_zarr = name.rstrip("/").lower().endswith(".zarr")
        what = "a Zarr store, which filter, pool, pad, morph and compare take" if is_zarr else "a folder"
        raise ImageError(f"{name}: is {what}, expected a picture file") from error
    except PermissionError as error:
        raise ImageError(f"{name}: may not be read (permission denied); check its permissions") from error
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{name}: cannot be read ({reason.lower()})") from error


def recognised(data: bytes, name: str) -> Format:
    """The format of a file that begins with these bytes; raises `ImageError` for none that is known."""
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes), expected a picture")
    kind = recognise(data[:HEAD])
    if kind is None and name.lower().endswith(".zarr"):
        raise ImageError(f"{name}: is a file, expected a folder, as Zarr stores are")
    if kind is None and (signal := _SIGNAL.match(data[:HEAD])):
        raise ImageError(f"{name}: is a {'sound' if signal[1] else 'table'}, expected a picture; {TAKE_SIGNALS}")
    if kind is None:
        known = ", ".join(each.name for each in FORMATS if each is not BY_NAME["PGM"])
        raise ImageError(f"{name}: is not a picture convcli knows by its content, expected {known}")
    return kind
