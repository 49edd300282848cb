"""The table of file formats: suffixes, first bytes, and what each can hold. No pixels are touched here."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.addresses import is_address, name_of
from convcli.errors import ImageError
from convcli.images.bmff import brands_of
from convcli.images.model import shown
from convcli.images.raw import recognises as is_raw
from convcli.images.tga import recognises as is_tga

_EIGHT = frozenset({"uint8"})
_SIXTEEN = frozenset({"uint8", "uint16"})
_SINGLE = frozenset({"uint8", "uint16", "float32"})
# What loops work on, and what only files hold.
_ALL = frozenset({"uint8", "uint16", "float32", "float64"})
_NUMBERS = _ALL | {"bool", "int8", "int16", "int32", "uint32", "int64", "uint64"}
_PACKED = ".nii.gz"
NAMES = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGB with alpha"}  # of channels
_HELD = {_EIGHT: "8-bit", _SIXTEEN: "8- and 16-bit", _SINGLE: "8-bit, 16-bit and float32"}


@dataclass(frozen=True)
class Format:
    """One file format: how it is named, recognised, and what it holds."""

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    module: str
    depths: frozenset[str] = _ALL
    channels: tuple[int, ...] | None = (1, 2, 3, 4)
    alpha: bool = True
    read_only_suffixes: tuple[str, ...] = ()
    written_as: str = ""  # the suffix of what is made of files whose own cannot be written
    longest_side: int = 2**31 - 1


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_netpbm(*digits: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:1] == b"P" and head[1:2] in digits and (head[2:3].isspace() or head[2:3] == b"#")


_NEGATIVES = (
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw", ".x3f",
    ".3fr", ".iiq", ".rwl", ".mrw",
)  # fmt: skip
_AVIF = frozenset((b"avif", b"avis"))
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

FORMATS = (
    Format("PNG", (".png",), _starts(b"\x89PNG\r\n\x1a\n"), "png", _SIXTEEN),
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        _starts(b"\xff\xd8\xff"),
        "jpeg",
        _EIGHT,
        (1, 3),
        alpha=False,
        longest_side=65500,
    ),
    Format("TIFF", (".tif", ".tiff"), _starts(*_TIFF_SIGNATURES), "tiff", _NUMBERS),
    Format(
        "WEBP",
        (".webp",),
        lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        "webp",
        _EIGHT,
        longest_side=16383,
    ),
    Format("BMP", (".bmp", ".dib"), _starts(b"BM"), "bmp", _EIGHT),
    Format("GIF", (".gif",), _starts(b"GIF87a", b"GIF89a"), "gif", _EIGHT, longest_side=65535),
    Format(
        "PPM",
        (".ppm", ".pnm"),
        lambda head: _is_netpbm(b"3", b"6")(head) or head.startswith(b"P7\n"),
        "netpbm",
        _SIXTEEN,
        (1, 3),
        alpha=False,
        read_only_suffixes=(".pam",),
    ),
    Format(
        "PGM",
        (".pgm",),
        _is_netpbm(b"1", b"2", b"4", b"5"),
        "netpbm",
        _SIXTEEN,
        (1,),
        alpha=False,
        read_only_suffixes=(".pbm",),
    ),
    Format("NPY", (".npy",), _starts(b"\x93NUMPY"), "npy", _NUMBERS, channels=None),
    Format("NPZ", (".npz",), _starts(b"PK\x03\x04", b"PK\x05\x06"), "npz", _NUMBERS, channels=None),
    Format("QOI", (".qoi",), _starts(b"qoif"), "qoi", _EIGHT),
    Format(
        "JP2",
        (".jp2",),
        _starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        "jp2",
        _SIXTEEN,
        read_only_suffixes=(".j2k", ".j2c", ".jpc", ".jpx", ".jpf"),
        written_as=".jp2",
    ),
    Format("JXL", (".jxl",), _starts(b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"), "jxl", _SINGLE),
    Format(
        "AVIF",
        (".avif",),
        lambda head: not _AVIF.isdisjoint(brands_of(head)),
        "avif",
        _SIXTEEN,
        read_only_suffixes=(".avifs",),
        written_as=".avif",
        longest_side=65536,
    ),
    Format(
        "HEIC",
        (".heic", ".heif"),
        lambda head: not _HEIC.isdisjoint(brands_of(head)),
        "heic",
        _SIXTEEN,
        read_only_suffixes=(".hif",),
        written_as=".heic",
        longest_side=16384,
    ),
    Format(
        "NIFTI",
        (".nii", ".nii.gz"),
        _starts(b"\x5c\1\0\0", b"\0\0\1\x5c", b"\x1c\2\0\0", b"\0\0\2\x1c", b"\x1f\x8b"),
        "nifti",
        _NUMBERS - {"bool"},
        (1, 3),
        alpha=False,
    ),
    Format(
        "RAW",
        (),
        is_raw,
        "raw",
        read_only_suffixes=_NEGATIVES,
        written_as=".tiff",
    ),
    # The last, because no bytes are its own.
    Format(
        "TGA",
        (".tga", ".icb", ".vda", ".vst"),
        is_tga,
        "tga",
        _EIGHT,
        longest_side=65535,
    ),
)
_STREAM = re.compile("([a-z0-9]+):-", re.IGNORECASE)  # ImageMagick's word
_HDF5 = (".h5", ".hdf5", ".he5")
BY_NAME = {each.name: each for each in FORMATS}

WRITABLE_SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
READABLE_SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes + each.read_only_suffixes)


def format_of(path: str | Path) -> str:
    """Tell the format to write from a file name's suffix.

    Parameters
    ----------
    path:
        A file name; upper and lower case are the same.

    Returns
    -------
    str
        The name of one of `FORMATS`, such as ``"PNG"``.

    Raises
    ------
    ImageError
        For a suffix that is not in `WRITABLE_SUFFIXES`, listing those.

    Examples
    --------
    >>> format_of("holiday.JPG")
    'JPEG'
    """
    suffix = suffix_of(path).lower()
    for each in FORMATS:
        if suffix in each.suffixes:
            return each.name
    got = f"the suffix {suffix!r}" if suffix else "no suffix"
    is_taken = os.path.exists(path)  # noqa: PTH110 (of any text)
    fix = "" if suffix or is_taken else f", or / behind the name of a folder, as {shown(path)}/"
    fix = "; HDF5 is read only: write .zarr or .npy" if suffix in _HDF5 else fix
    stream = _STREAM.fullmatch(str(path))
    fix = f"; standard output is -o - --format {stream[1]}" if stream else fix
    raise ImageError(f"{shown(path)}: got {got}, expected one of {' '.join(WRITABLE_SUFFIXES)}{fix}")


def suffix_of(path: str | Path) -> str:
    """A file's suffix as it is written; of a compressed NIfTI both.

    >>> suffix_of("a/b.tar.gz"), suffix_of("a/B.NII.gz")
    ('.gz', '.NII.gz')
    """
    text = str(path)
    name = name_of(text) if is_address(text) else os.path.basename(text.rstrip("/" + os.sep))  # noqa: PTH119 (of many)
    if name.lower().endswith(_PACKED) and len(name) > len(_PACKED):
        return name[-len(_PACKED) :]
    place = name.rfind(".")
    return name[place:] if 0 < place < len(name) - 1 else ""


def is_ome_name(path: Any) -> bool:
    """Whether a file's name promises OME-TIFF: ``cells.ome.tif``; False for a stream, which has none."""
    return isinstance(path, str | Path) and Path(path).name.lower().endswith((".ome.tif", ".ome.tiff"))


def format_named(name: str) -> str:
    """Translate a format's name as people type it (``jpg``, ``.tif``, ``Png``) into ours.

    Raises `ImageError` for an unknown one, listing the known.
    """
    wanted = str(name).lower().removeprefix(".")
    for each in FORMATS:
        if each.suffixes and (wanted == each.name.lower() or f".{wanted}" in each.suffixes):
            return each.name
    known = " ".join(each.name.lower() for each in FORMATS if each.suffixes)
    raise ImageError(f"format: got {name!r}, expected one of {known}")


def suffixes_of(name: str) -> tuple[str, ...]:
    """The suffixes of a format by its name as people type it, the usual one first; raises `ImageError` if unknown."""
    return BY_NAME[format_named(name)].suffixes


def written_as() -> dict[str, str]:
    """The suffix of the result for each suffix of files that can be read and not written, where one is as good."""
    return {suffix: each.written_as for each in FORMATS for suffix in each.read_only_suffixes if each.written_as}


def holds(format: str, dtype: npt.DTypeLike, channels: int, has_alpha: bool) -> str | None:
    """Say why a format cannot hold such pixels, or None if it can.

    Parameters
    ----------
    format:
        A name that `format_of` returns.
    dtype:
        The pixels' type: an integer, float32, float64 or bool.
    channels:
        How many channels, alpha included.
    has_alpha:
        Whether the last of them is alpha.

    Returns
    -------
    str or None
        For example ``"JPEG holds no alpha channel"``.

    Examples
    --------
    >>> holds("JPEG", "uint8", 4, True)
    'JPEG holds no alpha channel'
    >>> holds("PNG", "uint16", 4, True) is None
    True
    """
    this = BY_NAME[format_named(format)]
    depth: np.dtype[Any] = np.dtype(dtype)
    if depth.name not in _NUMBERS:
        return f"{this.name} is written from integers, truth values, float32 or float64, not from {depth.name}"
    if depth.name not in this.depths:
        return f"{this.name} holds {_HELD[this.depths]} pixels, not {depth.name}"
    if depth.kind == "b" and this.channels is not None and channels > 1:
        return f"{this.name} holds truth values of one channel, not of {channels}"
    if has_alpha and not this.alpha:
        return f"{this.name} holds no alpha channel"
    if this.channels is not None and (channels not in this.channels or has_alpha != (channels in (2, 4))):
        held = ", ".join(NAMES[each] for each in this.channels)
        return f"{this.name} holds {held}, not {channels} channels {'with' if has_alpha else 'without'} alpha"
    return None


def recognise(head: bytes) -> Format | None:
    """Find the format from a file's first bytes (`reading.HEAD` of them)."""
    return next((each for each in FORMATS if each.recognises(head)), None)
