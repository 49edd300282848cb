"""NIfTI: volumes of brain scans, .nii or .nii.gz, of one moment or of several. nibabel, an extra, knows their header.

The first axis of the file is x and runs fastest: its planes are rows of x, one behind the other along z, and then
along time. What its numbers say of places is kept true: both transforms from voxels to space go through the same step.

Source: NIfTI Data Format Working Group, "NIfTI-1 Data Format", 2004, and "NIfTI-2", 2011.
"""

import contextlib
import gzip
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from convcli.budget import check_memory
from convcli.errors import FileError, ImageError
from convcli.extras import needed
from convcli.geometry import Placement
from convcli.images.depth import own_numbers, supported
from convcli.images.distances import Distance, distances_of, notes_of
from convcli.images.model import Decoded, Pixels, check_size
from convcli.images.volume_axes import Axes, count_of, letters_of
from convcli.images.volume_model import Volume, VolumeMetadata

GZIP = b"\x1f\x8b"
_SIZES = {348: ("Nifti1Header", 344), 540: ("Nifti2Header", 4)}  # the header's size: its class, where its magic stands
STARTS = tuple(struct.pack(order + "i", size) for size in _SIZES for order in "<>")
_MAGIC = (b"n+1\0", b"n+2\0")
_HEAD = 540
_LETTERS = {"": "Z", "Q": "Z"}  # axes without a name are taken for depth
ORDER = "CTZ"  # of axes in a file, from the slowest on
_COLOUR = {("R", "G", "B"): 3, ("R", "G", "B", "A"): 4}
_CODES, _ALIGNED = range(6), 2  # what space is meant: those that are defined, and the one that says nothing more
_PLACES = (Placement(), Placement(), Placement())
_UNITS = {
    "meter": "meter", "mm": "millimeter", "micron": "micrometer", "sec": "second", "msec": "millisecond",
    "usec": "microsecond",
}  # fmt: skip
_SMALL = 1e-4  # metres: voxels of scans are larger, those of microscopes smaller


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Refuse a volume where a picture is expected, and say what to do."""
    raise ImageError("is a NIfTI, a volume; expected a picture: filter it with --axes zyx, or --each-plane")


def check_head(head: bytes, max_pixels: int) -> None:
    """As `decode`, before a large file is read."""
    decode(head, max_pixels)


def open_nifti(path: Path, name: str, max_pixels: int) -> Volume:
    """Open a file; of a compressed one everything is in memory, else the planes that are asked for."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        try:
            head = stream.read(_HEAD)
            header = _header(head)
            stored, leading, flat = _layout(header)
            start = int(header["vox_offset"])
            end = start + count_of(leading) * int(np.prod(flat, dtype=object)) * stored.itemsize
            check_size(flat[1], flat[0], max_pixels, 2 * stored.itemsize * flat[2])
            data = _unpacked(stream, head, end) if packed else None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ImageError("truncated or damaged NIfTI: it cannot be unpacked; get a fresh copy") from error
    size = len(data) if data is not None else path.stat().st_size
    if size < end:
        raise ImageError(f"truncated NIfTI: {end - size} bytes are missing at its end; get a fresh copy")
    slope, intercept = header.get_slope_inter()
    scales = slope is not None and (slope, intercept or 0) != (1, 0)
    shape, plane = (count_of(leading), *flat), int(np.prod(flat)) * stored.itemsize

    def read_run(first: int, last: int) -> Pixels:
        where, part = start + first * plane, (last - first, *flat)
        if data is None:
            array = np.memmap(path, stored, "r", where, part).view(np.ndarray)
        else:
            array = np.frombuffer(data, stored, int(np.prod(part)), where).reshape(part)
        if scales:
            wide = np.float32 if stored.itemsize <= 2 else np.float64
            return np.asarray(array * wide(slope) + wide(intercept or 0), wide)
        return supported(np.ascontiguousarray(array))[0]

    sample = np.zeros(1, np.float32 if stored.itemsize <= 2 else np.float64) if scales else np.zeros(1, stored)
    dtype, notes = supported(sample)
    numbers = None if scales else own_numbers(stored)
    lost = ("NIfTI's extensions",) if _has_extensions(head, start) else ()
    axis = "T" if letters_of(leading) == "T" else "Z"
    said = notes_of(_distances(header))
    style = "ome" if said else "plain"
    metadata = VolumeMetadata("NIFTI", style, axis, header=header.binaryblock, lost=lost, notes=said)
    words: dict[str, Any] = {"warnings": notes, "numbers": numbers, "axes": leading}
    return Volume(name, shape, dtype.dtype, metadata, read_run, flat[2] > 1, flat[2] == 4, **words)


def write_nifti(
    planes: Iterator[Pixels],
    stream: IO[bytes],
    shape: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    metadata: VolumeMetadata,
    leading: Axes,
    *,
    packed: bool,
) -> None:
    """Write planes (H, W, C) as they come, with the input's header made true of them."""
    header = _outgoing(shape, dtype, metadata, leading)
    target: IO[bytes] = gzip.GzipFile("", "wb", 4, stream, mtime=0) if packed else stream  # type: ignore[assignment]
    target.write(header.binaryblock.ljust(int(header["vox_offset"]), b"\0"))
    stored = dtype.newbyteorder("<")
    for plane in planes:
        target.write(np.ascontiguousarray(plane, stored).reshape(-1).view(np.uint8).data)
    if packed:
        target.close()


def check_axes(leading: Axes, channels: int) -> None:
    """Raise `FileError` for planes along axes, or of channels, that the format has not."""
    letters = letters_of(leading)
    if "".join(each for each in ORDER if each in letters) != _LETTERS.get(letters, letters):
        raise FileError(
            f"got axes {letters}YX for NIfTI, expected some of C, T, Z in this order; write .tiff or --channel N"
        )
    if channels not in (1, 3):
        raise FileError(f"got {channels} channels for NIfTI, expected 1 or 3; write .npy")


def _nibabel() -> Any:
    return needed("nibabel", "nifti", "is a NIfTI, which needs nibabel; install it with ", ImageError)


def _header(head: bytes) -> Any:
    size = next((each for each in _SIZES if head[:4] in (struct.pack("<i", each), struct.pack(">i", each))), None)
    if size is None:
        raise ImageError("is no NIfTI: got other bytes, expected a header of 348 or 540")
    kind, at = _SIZES[size]
    if len(head) < size or head[at : at + 4] not in _MAGIC:
        raise ImageError("is no NIfTI in one file (.nii): an Analyze header, or one that is cut off; convert it first")
    return getattr(_nibabel(), kind)(head[:size], check=False)


def _layout(header: Any) -> tuple[np.dtype[Any], Axes, tuple[int, int, int]]:
    """The type of numbers, the axes before a plane, and a plane's (H, W, C)."""
    count = int(header["dim"][0])
    sizes = [int(each) for each in header["dim"][1 : 1 + count]] if 1 <= count <= 7 else []
    if not sizes or min(sizes) < 1 or int(header["vox_offset"]) < int(header["sizeof_hdr"]):
        raise ImageError("damaged NIfTI: its sizes make no sense; get a fresh copy")
    width, height, depth, moments, channels, *others = (*sizes, 1, 1, 1, 1, 1)
    if max(others) > 1:
        raise ImageError(f"got a NIfTI of {len(sizes)} axes, expected at most 5: x, y, z, time and one more")
    leading = tuple(each for each in (("C", channels), ("T", moments)) if each[1] > 1)
    leading = (*leading, ("Z", depth)) if depth > 1 or not leading else leading
    dtype = header.get_data_dtype()
    samples = 1
    if dtype.names:
        samples = _COLOUR.get(tuple(dtype.names), 0)
        dtype = np.dtype(np.uint8)
    if not samples or dtype.kind not in "iuf":
        raise ImageError(f"got a NIfTI of {dtype}, expected plain numbers or 8-bit RGB; convert it first")
    return dtype, leading, (height, width, samples)


def _unpacked(stream: IO[bytes], head: bytes, end: int) -> bytes:
    check_memory(2 * end, f"got a NIfTI of {end:,} bytes when unpacked", ImageError)
    rest = io.BytesIO()
    rest.write(head)
    while rest.tell() < end and (piece := stream.read(min(1 << 24, end - rest.tell()))):
        rest.write(piece)
    return rest.getvalue()


def _has_extensions(head: bytes, start: int) -> bool:
    size = struct.unpack_from("<i", head)[0]
    size = size if size in _SIZES else struct.unpack_from(">i", head)[0]
    return start > size + 4 and head[size : size + 1] not in (b"", b"\0")


def _transform(header: Any, name: str) -> tuple[Any, int]:
    """From voxels to space, and which space; none where the header makes no sense of it."""
    try:
        affine, code = getattr(header, name)(coded=True)
    except _nibabel().spatialimages.HeaderDataError:
        return None, 0
    return affine, int(code)


def _distances(header: Any) -> dict[str, Distance]:
    """How far apart voxels, and moments, lie; unknown units are empty."""
    try:
        space, time = (_UNITS.get(each, "") for each in header.get_xyzt_units())
    except KeyError:  # numbers that stand for no unit
        space = time = ""
    found = {}
    for letter, size in zip("xyzt", header.get_zooms(), strict=False):
        if np.isfinite(size) and size != 0:
            found[letter] = Distance(_plainly(abs(size)), time if letter == "t" else space)
    return found


def _plainly(size: Any) -> float:
    """A number of 32 bits as people write it: 0.2, not 0.20000000298."""
    return float(str(np.float32(size)))


def _units(known: dict[str, Distance]) -> tuple[str, str]:
    """In which units a header says distances and times: microns where all are small, else millimetres."""
    lengths = [each.base for letter, each in known.items() if letter != "t" and each.base]
    space = "unknown" if not lengths else "micron" if max(lengths) < _SMALL else "mm"
    return space, "sec" if "t" in known else "unknown"


def _zooms(known: dict[str, Distance]) -> dict[str, float]:
    """Distances in those units; a length of no known unit is told as it is."""
    unit = {"micron": 1e-6, "mm": 1e-3, "unknown": 1.0}[_units(known)[0]]
    return {
        letter: each.size if each.base is None else each.base / (1 if letter == "t" else unit)
        for letter, each in known.items()
    }


def _outgoing(shape: Sequence[int], dtype: np.dtype[Any], metadata: VolumeMetadata, leading: Axes) -> Any:
    """A header of the result: sizes, type, and where voxels are in space."""
    nibabel = _nibabel()
    block = metadata.header
    if block is None:
        header, known = nibabel.Nifti1Header(), distances_of(metadata.notes)
        header.set_xyzt_units(*_units(known))
    else:
        kind = _SIZES[348 if len(block) < _HEAD else 540][0]
        order = "<" if struct.unpack_from("<i", block)[0] in _SIZES else ">"
        header = getattr(nibabel, kind)(block, endianness=order, check=False).as_byteswapped("<")
        known = {}
    zooms = dict(zip("xyztc", header.get_zooms(), strict=False)) if block is not None else _zooms(known)
    transforms = [_transform(header, name) for name in ("get_sform", "get_qform")]
    sizes = dict(leading)
    depth = sizes.get("Z", sizes.get("Q", 1))
    whole = [shape[2], shape[1], depth, sizes.get("T", 1), sizes.get("C", 1)]
    while len(whole) > 3 and whole[-1] == 1:
        whole.pop()
    if max(whole) > 32767 and len(header.binaryblock) < _HEAD:
        raise FileError(f"got {'x'.join(map(str, whole))} voxels for NIfTI-1, expected at most 32767 along an axis")
    header.set_data_shape(whole)
    header.set_data_dtype(np.dtype([(each, "u1") for each in "RGB"]) if shape[3] == 3 else dtype)
    header.set_slope_inter(1, 0)
    header["cal_max"] = header["cal_min"] = 0
    steps = (metadata.places if block is not None else ()) or _PLACES  # distances are the result's already
    # A damaged file may have negative ones, which nibabel does not write.
    zooms = {letter: abs(float(side)) for letter, side in zooms.items()}
    sides = [zooms.get(letter, 1) * place.step for letter, place in zip("zyx", steps, strict=True)]
    header.set_zooms([*sides[::-1], *(zooms.get(letter, 1) for letter in "tc")][: len(whole)])
    moved = np.eye(4)
    for axis, place in zip((2, 1, 0), steps, strict=True):
        moved[axis, axis], moved[axis, 3] = place.step, place.start + place.step / 2 - 0.5
    for put, (affine, code) in zip((header.set_sform, header.set_qform), transforms, strict=True):
        if affine is None:
            continue
        with contextlib.suppress(nibabel.spatialimages.HeaderDataError):  # of numbers that are no place
            put(affine @ moved, int(code) if int(code) in _CODES else _ALIGNED)
    header["vox_offset"] = 352 if len(header.binaryblock) < _HEAD else 544
    header["magic"] = b"n+1" if len(header.binaryblock) < _HEAD else header["magic"]
    return header
