"""NPZ: numpy's archives, a ZIP of NPY files. One array of it is the picture: the only one, or the one that is named.

Which one is this process's choice, as the limit of memory is: `choose`, which ``--key`` calls.

Source: the documentation of ``numpy.savez`` and of ``numpy.lib.format``.
"""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

from convcli.budget import check_count, check_memory
from convcli.errors import ImageError, suggestion
from convcli.images import npy
from convcli.images.model import Decoded, Image, Own

_SUFFIX = ".npy"
_KEY = "key"
_MOST_ARRAYS = 100_000
_MOST_SHOWN = 8
_HEAD = 1 << 14  # bytes in which a header ends
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # what reading a bad archive raises
_chosen: list[str] = []  # the key that was given, if any


def choose(key: str | None) -> None:
    """Name the array that is read from now on; None goes back to the only one there is."""
    _chosen[:] = [] if key is None else [key]


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode an array (H, W) or (H, W, C) of an archive."""
    key, content = array_in(data, max_pixels, check=npy.check_head)
    decoded = npy.decode(content, max_pixels)
    metadata = replace(decoded.image.metadata, format="NPZ", own=(Own("NPZ", "", _KEY, key.encode()),))
    return replace(decoded, image=replace(decoded.image, metadata=metadata))


def encode(image: Image) -> bytes:
    """Encode pixels as an archive of one array, of the input's name or numpy's first."""
    key = next((each.content.decode() for each in image.metadata.own), "arr_0")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(key + _SUFFIX), npy.encode(image), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def array_in(data: bytes, max_pixels: int, *, check: Callable[[bytes, int], None]) -> tuple[str, bytes]:
    """The name of the array that is meant and its NPY file, once ``check`` has looked at its beginning."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = _meant(archive)
            if member.flag_bits & 1:
                raise ImageError(f"got an array {_name(member)} that is encrypted, expected a plain one")
            check_memory(
                2 * member.file_size, f"got an array {_name(member)} of {member.file_size:,} bytes", ImageError
            )
            with archive.open(member) as stream:
                head = stream.read(_HEAD)
                check(head, max_pixels)
                return _name(member), head + stream.read()
    except DAMAGED as error:
        raise ImageError(f"truncated or damaged NPZ ({str(error).lower()}); get a fresh copy") from error


def _meant(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    check_count(len(archive.filelist), _MOST_ARRAYS, "got {} arrays in an NPZ", "split it", ImageError)
    arrays = {_name(each): each for each in archive.infolist() if each.filename.endswith(_SUFFIX)}
    names = ", ".join(list(arrays)[:_MOST_SHOWN]) + (" ..." if len(arrays) > _MOST_SHOWN else "")
    if not arrays:
        raise ImageError("is a ZIP without arrays, expected an NPZ as numpy.savez writes it")
    if _chosen:
        if _chosen[0] not in arrays:
            raise ImageError(f"key: got {_chosen[0]!r}{suggestion(_chosen[0], list(arrays)) or f', expected {names}'}")
        return arrays[_chosen[0]]
    if len(arrays) > 1:
        raise ImageError(f"got {len(arrays)} arrays, {names}, expected one; name it with --key")
    return next(iter(arrays.values()))


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(_SUFFIX)
