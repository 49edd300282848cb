"""NPZ: numpy's archives, a ZIP of NPY files. One array of it is the picture: the only one, or the one that is named.

Which one is this process's choice, as the limit of memory is: `choose`, which ``--key`` calls.

Source: the documentation of ``numpy.savez`` and of ``numpy.lib.format``.
"""

import contextlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError, suggestion
from convcli.images import npy
from convcli.images.model import Decoded, Image, Own
from convcli.kernels.npy import Header

_SUFFIX = ".npy"
_KEY = "key"
_MOST_ARRAYS = 100_000
_MOST_SHOWN = 8
_HEAD = 1 << 14  # bytes in which a header ends
# What reading a bad archive raises.
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_chosen: list[str] = []  # the key that was given, if any
_asked: list[str] = []  # it again, once an archive has been asked for it


def choose(key: str | None) -> None:
    """Name the array that is read from now on; None goes back to the only one there is."""
    _chosen[:] = [] if key is None else [key]
    _asked.clear()


def not_asked() -> str | None:
    """The key that was given, if no archive has been asked for it."""
    return _chosen[0] if _chosen and not _asked else None


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode an array (H, W) or (H, W, C) of an archive."""
    key, content = array_in(data, check=lambda head: npy.check_head(head, max_pixels))
    decoded = npy.decode(content, max_pixels)
    metadata = replace(decoded.image.metadata, format="NPZ", own=(own_key(key),))
    return replace(decoded, image=replace(decoded.image, metadata=metadata))


def encode(image: Image) -> bytes:
    """Encode pixels as an archive of one array, of the input's name or numpy's first."""
    stream = io.BytesIO()
    with writing(stream, image.metadata.own) as array:
        array.write(npy.encode(image))
    return stream.getvalue()


def own_key(key: str) -> Own:
    """An array's name as it goes along with what was read."""
    return Own("NPZ", "", _KEY, key.encode())


@contextlib.contextmanager
def writing(stream: IO[bytes], own: tuple[Own, ...]) -> Iterator[IO[bytes]]:
    """Where the NPY file of an archive's only array is to be written."""
    key = next((each.content.decode() for each in own if each.format == "NPZ"), "arr_0")
    member = zipfile.ZipInfo(key + _SUFFIX)
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(stream, "w") as archive, archive.open(member, "w", force_zip64=True) as array:
        yield array


def array_in(data: bytes, *, check: Callable[[bytes], object] = lambda head: None) -> tuple[str, bytes]:
    """The name of the array that is meant and its NPY file, once ``check`` has looked at its beginning."""
    with _array(io.BytesIO(data)) as (key, size, stream):
        check_memory(2 * size, f"got an array {key} of {size:,} bytes", ImageError)
        head = stream.read(_HEAD)
        check(head)
        return key, head + stream.read()


def header_in(path: Path) -> Header:
    """What the array that is meant says about itself; raises `ImageError`, or `OSError` for what cannot be read."""
    with path.open("rb") as file, _array(file) as (_, _, stream):
        return npy.read_header(io.BytesIO(stream.read(_HEAD)))


@contextlib.contextmanager
def _array(file: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """The name of the array that is meant, the size of its NPY file, and that file; damage is told as such."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = _meant(archive)
            if member.flag_bits & 1:
                raise ImageError(f"got an array {_name(member)} that is encrypted, expected a plain one")
            with archive.open(member) as stream:
                yield _name(member), member.file_size, stream
    except DAMAGED as error:
        raise ImageError(f"truncated or damaged NPZ ({str(error).lower()}); get a fresh copy") from error


def _meant(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    check_count(len(archive.filelist), _MOST_ARRAYS, "got {} arrays in an NPZ", "split it", ImageError)
    arrays = {_name(each): each for each in archive.infolist() if each.filename.endswith(_SUFFIX)}
    names = ", ".join(list(arrays)[:_MOST_SHOWN]) + (" ..." if len(arrays) > _MOST_SHOWN else "")
    if not arrays:
        raise ImageError("is a ZIP without arrays, expected an NPZ as numpy.savez writes it")
    if _chosen:
        _asked[:] = _chosen
        if _chosen[0] not in arrays:
            raise ImageError(f"key: got {_chosen[0]!r}{suggestion(_chosen[0], list(arrays)) or f', expected {names}'}")
        return arrays[_chosen[0]]
    if len(arrays) > 1:
        raise ImageError(f"got {len(arrays)} arrays, {names}, expected one; name it with --key")
    return next(iter(arrays.values()))


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(_SUFFIX)
