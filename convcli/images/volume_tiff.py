"""Multi-page TIFF as a volume, read and written: plain pages, ImageJ's stacks and OME-TIFF.

Uncompressed planes that lie one behind the other are read through a memory map, others page by page as pictures are.
"""

import mmap
import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from convcli.errors import FileError, ImageError
from convcli.images import exif, exif_tiff
from convcli.images.distances import in_ome_words
from convcli.images.keeping import incoming
from convcli.images.model import Metadata, Pixels
from convcli.images.tiff import (
    COMPRESSION_NAMES,
    TIFFFILE_NAMES,
    check_page,
    describe_page,
    numbers_of,
    page_orientation,
    page_pixels,
    resolution_of,
    takes_differences,
)
from convcli.images.tiff_description import more_than_notes, ome_notes, ome_planes
from convcli.images.tiff_directories import check_directories, check_promises
from convcli.images.tiff_pages import Page, find_pages, opened
from convcli.images.volume_axes import UNNAMED, Axes, count_of, in_words, letters_of, named
from convcli.images.volume_model import PLANES, PLANES_LOST, Volume, VolumeMetadata, one_by_one

_BLACK_IS_ZERO, _RGB = 1, 2
_DESCRIPTION, _SOFTWARE = 270, 305
_UNIT, _XMP = 296, 700
# Tags of TIFF itself; those by which programs say how pages belong together are others, or texts.
_SAYS_NO_MORE = frozenset(range(254, 533)) - {_DESCRIPTION, _SOFTWARE}
_MOST_GROUPED = 4000  # pages of several sizes: tifffile may compare each with all others, which takes it a second
# Above this many bytes of voxels, offsets of 32 bits may not reach the last page.
_BIG = (1 << 32) - (1 << 25)
_IMAGEJ_DTYPES = ("uint8", "uint16", "int16", "float32")
# What ImageJ counts anew for the stack that is written, and what is no longer true of it or cannot be written.
_IMAGEJ_DRAWN = ("ROI", "Overlays")
_IMAGEJ_OWN = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack", "order", *_IMAGEJ_DRAWN)
_IMAGEJ_AXES = re.compile("T?Z?C?")
_OME_AXES = re.compile("[TZC]*")
_OME_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64", "bool")
_ARRAYS = ("NPY", "NPZ", "ZARR")  # whose planes may lie along any axis, of which a plain TIFF says nothing
_SHAPED_OWN = ("shape", "axes", "truncate")
_OF_SEVERAL = ("Channel", "LUTs", "Ranges", "mode")  # channels


def open_tiff(path: Path, name: str, axes: str, wanted: str, max_pixels: int) -> Volume:
    """Open a TIFF whose pages, all alike, are the planes of volumes; see `open_volume`."""
    import tifffile

    size = path.stat().st_size
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        check_directories(data)
        found, words = find_pages(data, alike=True)
    file = tifffile.TiffFile(path, _multifile=False)
    try:
        _check_description(file)
        _check_sizes(file, found)
        check_promises(file.pages[0].aspage().description, len(found), max_pixels)
        pages, series = _planes(file, found)
        for number, page in enumerate(pages, 1):
            _check_alike(page, pages[0], number)
            check_page(page, size, max_pixels)
        sample, has_alpha, notes = page_pixels(pages[0], None)
        notes = (*words, *notes)
        if any(each.mask for each in found):
            notes = (*notes, "the TIFF's transparency masks were left out: volumes have no alpha")
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            metadata = _describe(file, pages[0], series, sample, data)  # type: ignore[arg-type]
        leading, renamed = named(_leading(series, pages), axes, wanted=wanted)
        metadata = _of_axes(metadata, leading, file)
    except BaseException:
        file.close()
        raise
    offset = _contiguous(series, pages, sample)
    depth = count_of(leading)
    if depth > len(pages) and offset is None:
        file.close()
        raise ImageError("got an ImageJ stack whose planes are not plain numbers; save it again as a multi-page TIFF")
    if offset is not None and offset + depth * sample.nbytes > size:
        file.close()
        missing = offset + depth * sample.nbytes - size
        raise ImageError(f"truncated TIFF: {missing} bytes are missing at its end; get a fresh copy")

    def read_map(first: int, end: int) -> Pixels:
        assert offset is not None
        dtype = pages[0].dtype.newbyteorder(file.byteorder)
        stored = np.memmap(path, dtype, "r", offset + first * sample.nbytes, (end - first, *sample.shape))
        return stored.view(np.ndarray).astype(sample.dtype, copy=False)

    read_run = one_by_one(lambda index: _decode(pages[index], index + 1, sample)) if offset is None else read_map
    notes = (*notes, *renamed)
    if depth == 1:
        notes = (*notes, "holds a single page: the volume is one plane deep")
    shape = (depth, *sample.shape)
    return Volume(
        name, shape, sample.dtype, metadata, read_run, sample.shape[2] > 1, has_alpha, notes, numbers_of(pages[0]),
        file.close, leading, copies=int(offset is None),
    )  # fmt: skip


def _check_description(file: Any) -> None:
    """Refuse a file whose description was cut off: tifffile would take an OME-TIFF for a plain one then."""
    page, layout, handle = file.pages[0].aspage(), file.tiff, file.filehandle
    handle.seek(page.offset)
    count = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))[0]
    codes = {struct.unpack_from(file.byteorder + "H", handle.read(layout.tagsize))[0] for _ in range(count)}
    if _DESCRIPTION in codes and _DESCRIPTION not in page.tags:
        raise ImageError("truncated TIFF: its description ends beyond its end; get a fresh copy")


def _planes(file: Any, found: Sequence[Page]) -> tuple[list[Any], Any]:
    """The pages that are planes, in order, and the series that says so; None for pages that nothing is said about."""
    if {tag.code for tag in file.pages[0].aspage().tags} <= _SAYS_NO_MORE:
        # No series are asked for, since tifffile compares all pages.
        return [opened(file, each.offset) for each in found], None
    described = [series for series in file.series if series.kind not in ("uniform", "generic")]
    if file.is_imagej and not any(series.kind == "imagej" for series in described) and not file.is_ome:
        raise ImageError("truncated or damaged ImageJ TIFF: it has fewer planes than it says; get a fresh copy")
    separate = all(series.kind == "shaped" and len(series.pages) == 1 for series in described)
    if not described or (len(described) > 1 and separate):
        return [opened(file, each.offset) for each in found], None
    if len(file.series) > 1:
        raise ImageError(f"got a TIFF of {len(file.series)} images, expected one volume; save one of them")
    series = described[0]
    if series.is_multifile or any(page is None for page in series.pages):
        raise ImageError("incomplete TIFF: some of its planes lie in other files; save it as one file")
    return [page.aspage() for page in series.pages], series


def _check_sizes(file: Any, found: Sequence[Page]) -> None:
    """Refuse pages of other sizes by their directories: to open fifty thousand, or to group them, takes minutes.

    But a description may name the planes, and pages it does not name, such as a label, are then none.
    """
    odd = next((at for at, each in enumerate(found) if _size(each) != _size(found[0])), 0)
    if odd and not ((file.is_ome or file.is_imagej) and len(file.pages) <= _MOST_GROUPED):
        _check_alike(opened(file, found[odd].offset), opened(file, found[0].offset), odd + 1)
        # Both say the same to tifffile, which reads numbers of types that are none of a size's.
        raise ImageError(f"page {odd + 1}: got another size than page 1; a volume's planes are all alike")


def _size(page: Page) -> tuple[int, int]:
    return page.width, page.height


def _leading(series: Any, pages: list[Any]) -> Axes:
    """The axes along which the planes lie, as far as anything is said about them."""
    if series is None:
        return ((UNNAMED, len(pages)),)
    count = _plane_axes(series)
    return tuple(zip(series.axes[:count], map(int, series.shape[:count]), strict=True)) or (("Z", 1),)


def _of_axes(metadata: VolumeMetadata, leading: Axes, file: Any) -> VolumeMetadata:
    """The metadata of planes along these axes: without what is said of channels that are none, with that of planes."""
    notes, letters = dict(metadata.notes), letters_of(leading)
    if "C" not in letters:
        notes = {name: value for name, value in notes.items() if name not in _OF_SEVERAL or isinstance(value, dict)}
    elif "Channel" in notes:  # one for each, whatever the file says
        said, count = notes["Channel"], dict(leading)["C"]
        notes["Channel"] = ([*(said if isinstance(said, list) else [said]), *[{}] * count])[:count]
    picture = metadata.picture
    try:
        planes = ome_planes(file.ome_metadata, leading) if metadata.style == "ome" else []
    except ValueError:
        planes, picture = [], replace(picture, lost=(*picture.lost, PLANES_LOST[PLANES]))
    notes |= {PLANES: planes} if planes else {}
    return replace(metadata, notes=notes, picture=picture, axis="T" if "T" in letters and "Z" not in letters else "Z")


def _plane_axes(series: Any) -> int:
    """How many of a series' axes lie before its planes'."""
    axes = str(series.axes)
    return min((axes.index(letter) for letter in "YXS" if letter in axes), default=len(axes))


def _check_alike(page: Any, first: Any, number: int) -> None:
    got, expected = _kind(page), _kind(first)
    if got != expected:
        raise ImageError(f"page {number}: got {got}, expected {expected} as in page 1; a volume's planes are all alike")
    orientation = page_orientation(page)
    if orientation not in (None, 1):
        raise ImageError(f"page {number}: got orientation {orientation}, expected upright planes (1)")


def _kind(page: Any) -> str:
    colour = getattr(page.photometric, "name", str(page.photometric)).lower()
    samples = page.samplesperpixel
    kind = page.dtype.name if page.dtype is not None else f"{page.bitspersample} bits"
    return f"{page.imagewidth}x{page.imagelength} pixels, {kind}, {samples} channel{'s' * (samples > 1)} ({colour})"


def _contiguous(series: Any, pages: list[Any], sample: Pixels) -> int | None:
    """Where the planes begin if they lie one behind the other as `sample` is stored; None if not."""
    page = pages[0]
    plain = (
        int(page.photometric) in (_BLACK_IS_ZERO, _RGB)
        and page.dtype == sample.dtype
        and page.bitspersample == 8 * sample.dtype.itemsize
        and not page.extrasamples
        and (page.samplesperpixel == 1 or int(page.planarconfig) == 1)
        and all(each.is_final for each in pages)
    )
    if not plain:
        return None
    if series is not None and len(pages) == 1:
        return None if series.dataoffset is None else int(series.dataoffset)
    first = int(page.dataoffsets[0])
    follow = all(each.dataoffsets[0] == first + index * sample.nbytes for index, each in enumerate(pages))
    return first if follow else None


def _decode(page: Any, number: int, sample: Pixels) -> Pixels:
    pixels, _, _ = page_pixels(page, None)
    if pixels.shape != sample.shape or pixels.dtype != sample.dtype:  # two palettes, one of them grey
        raise ImageError(f"page {number}: got other colours than page 1; a volume's planes are all alike")
    return pixels


def _describe(file: Any, page: Any, series: Any, sample: Pixels, data: bytes) -> VolumeMetadata:
    dpi, aspect = resolution_of(page.tags)
    unit = int(page.tags.valueof(_UNIT, 2)) if dpi or aspect else 1
    inches = dpi and (dpi[0] / (exif.UNITS[unit] or 1), dpi[1] / (exif.UNITS[unit] or 1))
    style = series.kind if series is not None and series.kind in ("ome", "imagej", "shaped") else "plain"
    notes: dict[str, Any] = {}
    lost: tuple[str, ...] = ()
    if style == "imagej":
        found = file.imagej_metadata or {}
        notes = {name: value for name, value in found.items() if name not in _IMAGEJ_OWN}
        lost = tuple(f"ImageJ's {name}" for name in _IMAGEJ_DRAWN if name in found)
    elif style == "shaped":
        notes = {name: value for name, value in (file.shaped_metadata or [{}])[0].items() if name not in _SHAPED_OWN}
    elif style == "ome":
        notes = ome_notes(file.ome_metadata)
        lost = ("OME-XML other than names and pixel sizes",) if more_than_notes(file.ome_metadata) else ()
    picture = _picture(page, data)
    said = replace(incoming(replace(picture, lost=()), sample, 1), description=None)
    profile = said.icc
    return VolumeMetadata(
        "TIFF",
        style,
        "Z",
        inches or aspect,
        unit,
        COMPRESSION_NAMES.get(int(page.compression)),
        profile,
        notes,
        picture=replace(said, icc=None, lost=tuple(dict.fromkeys((*picture.lost, *_unsaid(said.lost, style), *lost)))),
    )


def _picture(page: Any, data: bytes) -> Metadata:
    """What the first page says as a picture, its resolution aside; what ImageJ adds is read elsewhere."""
    found, _ = describe_page(page, data)
    lost = tuple(name for name in found.lost if name != exif_tiff.IMAGEJ)
    return replace(found, dpi=None, aspect=None, lost=lost)


def _unsaid(lost: tuple[str, ...], style: str) -> list[str]:
    """Names of what went, without a description that is written anew."""
    return [name for name in lost if style == "plain" or not name.startswith(("OME-XML", "ImageJ's", "a program's"))]


def write_tiff(
    planes: Iterator[Pixels],
    stream: IO[bytes],
    shape: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    metadata: VolumeMetadata,
    compression: str | None,
    axes: Axes,
) -> None:
    """Write planes (H, W, C), one after the other, as the pages of a TIFF; shape (D, H, W, C), C being 1 or 3.

    The metadata are in the words of `spoken`.
    """
    import tifffile

    depth, height, width, channels = shape
    style, letters = metadata.style, _letters(metadata, letters_of(axes))
    chosen = compression or metadata.compression or "none"
    if style == "imagej":
        chosen = "none"  # ImageJ reads its own stacks uncompressed only
    options: dict[str, Any] = {
        "photometric": "rgb" if channels == 3 else "minisblack",
        "compression": TIFFFILE_NAMES[chosen],
        "predictor": takes_differences(chosen, dtype),
        "compressionargs": {"level": 1} if chosen == "deflate" else None,
        "software": False,
        "metadata": None,
    }
    if style != "plain":
        named_axes = {"axes": f"{letters}YX" + "S" * (channels == 3)} if UNNAMED not in letters else {}
        options["metadata"] = named_axes | metadata.notes
    if metadata.resolution:
        options |= {"resolution": metadata.resolution, "resolutionunit": metadata.resolution_unit}
    if metadata.icc:
        options["iccprofile"] = metadata.icc
    options |= _further_tags(metadata.picture, is_plain=style in ("plain", "shaped"))
    if dtype.kind == "b" and all(code != _SOFTWARE for code, *_ in options["extratags"]):
        del options["software"]  # see `numbers_of`
    large = depth * height * width * channels * dtype.itemsize > _BIG
    # An ImageJ stack of more than 4 GB has one page, its planes follow it: so ImageJ itself writes them.
    words = {
        "bigtiff": large and style != "imagej",
        "imagej": style == "imagej",
        "ome": style == "ome",
        "shaped": style == "shaped",
    }
    sizes = tuple(size for _, size in axes)
    whole = (*sizes, height, width, 3) if channels == 3 else (*sizes, height, width)
    flat = (plane if channels == 3 else plane[:, :, 0] for plane in planes)
    handle = tifffile.FileHandle(stream, name="volume.tiff")  # a stream opened by number has none that tifffile takes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with tifffile.TiffWriter(handle, byteorder="<", **words) as writer:
            writer.write(flat, shape=whole, dtype=dtype, **options)


def spoken(
    metadata: VolumeMetadata, axes: Axes, dtype: np.dtype[Any], channels: int, *, is_ome: bool
) -> tuple[VolumeMetadata, tuple[str, ...]]:
    """What the file says about itself, in its words: the input's, if these hold such numbers and axes; else OME's.

    ``is_ome``: its name says that they are OME's; raises `FileError` where they cannot be. Also returns names of what
    is not said.
    """
    letters = _letters(metadata, letters_of(axes)) if metadata.style in ("imagej", "ome") else letters_of(axes)
    holds_imagej = dtype.name in _IMAGEJ_DTYPES and (channels < 3 or dtype == np.uint8)
    lost: tuple[str, ...] = ()
    if (
        is_ome
        or (metadata.style == "imagej" and not (holds_imagej and _IMAGEJ_AXES.fullmatch(letters)))
        or (metadata.style == "plain" and (len(letters) > 1 or (metadata.format in _ARRAYS and letters in "TC")))
    ):
        metadata, lost = in_ome_words(metadata)
    if metadata.style != "ome" or (
        dtype.name in _OME_DTYPES and _OME_AXES.fullmatch(_letters(metadata, letters_of(axes)))
    ):
        return metadata, lost
    if is_ome:
        raise FileError(
            f"got {dtype} along {in_words(axes)} for OME-TIFF, expected floats or integers of at most 32 bits along T, "
            "Z and C; write .tif, not .ome.tif"
        )
    return replace(metadata, style="shaped", notes={}), (*lost, *(["OME's notes"] if metadata.notes else []))


def _letters(metadata: VolumeMetadata, letters: str) -> str:
    """The letters of axes; of a single one that has no name, the volume's own where programs must be told one."""
    is_told = metadata.style in ("imagej", "ome") and len(letters) == 1
    return metadata.axis if is_told and not _OME_AXES.fullmatch(letters) else letters


def _further_tags(picture: Metadata, *, is_plain: bool) -> dict[str, Any]:
    """Options that write what else was said of the first plane; a description only where OME and ImageJ write none."""
    texts = exif_tiff.texts_of(picture.exif) if picture.exif else []
    tags = [each for each in texts if each[0] != _DESCRIPTION] + exif_tiff.tags_of(picture.own, picture.photoshop)
    tags += [(_XMP, 1, len(picture.xmp), picture.xmp)] if picture.xmp else []
    options: dict[str, Any] = {"extratags": [(*each, True) for each in tags]}
    description = [each[3] for each in texts if each[0] == _DESCRIPTION]
    if is_plain and description:
        options["description"] = description[0].rstrip(b"\0")
    return options
