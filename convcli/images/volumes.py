"""Volumes: files of many planes, opened and then read a few planes at a time, so that they need not fit into memory.

Multi-page TIFF (`convcli.images.volume_tiff`), .npy and .npz (here), animations and sequences of pictures
(`convcli.images.volume_frames`). That a file *is* a volume is the caller's word; it is never guessed. What axes mean is
decided by `convcli.images.volume_axes`.
"""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.budget import check_memory
from convcli.errors import ImageError
from convcli.images.depth import own_numbers, supported
from convcli.images.model import FLAT, Pixels, check_size, shown
from convcli.images.npy import check_numbers, read_header
from convcli.images.npz import array_in, header_in, own_key
from convcli.images.reading import HEAD, MAX_PIXELS, explaining, opening, recognised
from convcli.images.remarks import remarks
from convcli.images.volume_axes import array_axes, count_of, letters_of, named
from convcli.images.volume_model import Runs, Volume, VolumeMetadata, taken
from convcli.ops.borders import runs_in

# An array in Fortran's order has its planes scattered over the file: it is read whole, up to this size.
_MOST_SCATTERED = 1 << 30
_UNSEEN = ("AVIF", "JXL", "HEIC")  # formats whose animations are not read
_HEAD = 1 << 16  # bytes in which a PNG says that it is animated


def open_volume(
    path: str | Path,
    *,
    axes: str = "zyx",
    wanted: str = "",
    max_pixels: int = MAX_PIXELS,
    alpha_fix: str | None = None,
) -> Volume:
    """Open a file of many planes: one volume, or several by time and channel.

    Parameters
    ----------
    path:
        A TIFF of several pages, an array in an .npy or .npz file, or an animated GIF, WebP or PNG.
    axes:
        What the user says that the file holds: a word of `convcli.images.volume_axes.read_axes`.
    wanted:
        Letters of the axes of which one index is going to be chosen: C, T.
    max_pixels:
        Width times height of a plane above which the file is refused. The number of planes is free, since only a few
        are in memory at a time; those of an animation, which is decoded whole, count together.
    alpha_fix:
        Where no alpha is wanted, what may be done about it. An animation, which does not tell before it is decoded, is
        refused with these words at the first frame that has any; other volumes are the caller's to look at.

    Raises
    ------
    ImageError
        One line naming the file: missing, truncated, no volume, or planes that do not go together.
    """
    name = shown(path)
    if Path(path).is_fifo():
        raise ImageError(f"{name}: is a pipe, expected a file: planes are read where they lie")
    with opening(name), Path(path).open("rb") as stream:
        kind = recognised(stream.read(HEAD), name)
    try:
        with explaining(kind.name):
            if kind.name == "TIFF":
                from convcli.images.volume_tiff import open_tiff

                with remarks() as said:
                    volume = open_tiff(Path(path), name, axes, wanted, max_pixels)
                return replace(volume, warnings=(*volume.warnings, *said))
            if kind.name == "NPY":
                return _open_npy(Path(path), name, axes, max_pixels)
            if kind.name == "NPZ":
                return _open_npz(Path(path), name, axes, max_pixels)
            if kind.name == "NIFTI":
                from convcli.images.nifti import open_nifti

                volume = open_nifti(Path(path), name, max_pixels)
                found, notes = named(volume.leading, axes, wanted=wanted)
                return replace(volume, axes=found, warnings=(*volume.warnings, *notes))
            if kind.name in ("GIF", "WEBP", "PNG"):
                from convcli.images.volume_frames import open_animation

                volume = open_animation(Path(path), name, kind.name, max_pixels, alpha_fix)
                found, notes = named(volume.leading, axes, wanted=wanted)
                return replace(volume, axes=found, warnings=(*volume.warnings, *notes))
        if kind.name in _UNSEEN:
            raise ImageError(f"is {kind.name}, of which one frame is read, as a picture; save all as PNG, WebP or GIF")
        raise ImageError(f"is a {kind.name}, {FLAT}")
    except ImageError as error:
        choice = "; --channel and --time choose of stacks" if wanted and str(error).endswith(FLAT) else ""
        raise ImageError(f"{name}: {error}{choice}") from error.__cause__


def holds_planes(path: str | Path, max_pixels: int = MAX_PIXELS) -> bool:
    """Whether a file is a stack of planes, not a picture; of an array (A, B, C) that is so unless C may be channels.

    False for a file that cannot be read, or holds pages that do not go together, and for a pipe, which is read once.
    """
    if Path(path).is_fifo():
        return False
    try:
        with opening(shown(path)), Path(path).open("rb") as stream:
            head = stream.read(_HEAD)
            kind = recognised(head, shown(path)).name
            if kind == "NPY":
                stream.seek(0)
                return array_axes(tuple(read_header(stream).shape), "yx")[0] != ()
            if kind == "NPZ":
                return array_axes(tuple(header_in(Path(path)).shape), "yx")[0] != ()
        if kind not in ("TIFF", "GIF", "WEBP", "NIFTI") and not (kind == "PNG" and b"acTL" in head):
            return False
        with open_volume(path, axes="yx", max_pixels=max_pixels) as volume:
            return volume.shape[0] > 1
    except ImageError:
        return False


def _open_npz(path: Path, name: str, axes: str, max_pixels: int) -> Volume:
    """An array of an archive, which is read whole."""
    check_memory(path.stat().st_size, f"got an NPZ of {path.stat().st_size:,} bytes", ImageError)
    key, content = array_in(path.read_bytes())
    volume = _open_npy(content, name, axes, max_pixels)
    picture = replace(volume.metadata.picture, own=(own_key(key),))
    return replace(volume, metadata=replace(volume.metadata, picture=picture))


def _open_npy(source: Path | bytes, name: str, axes: str, max_pixels: int) -> Volume:
    """An array in a file, or in what was read of one."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        header = read_header(stream)
    shape, fortran, dtype, start = header
    leading, has_channels = array_axes(tuple(shape), axes)
    height, width, channels = (*shape[len(leading) :], 1)[:3]
    if 0 not in shape:
        check_size(width, height, max_pixels, 2 * max(dtype.itemsize, 1) * channels)
    left_out = check_numbers(header, len(source) if isinstance(source, bytes) else source.stat().st_size)
    depth, flat = count_of(leading), (height, width, channels)
    plane = math.prod((dtype.itemsize, *flat))
    sample, notes = supported(np.zeros(1, dtype))
    if fortran and plane * depth > _MOST_SCATTERED:
        raise ImageError(
            "got an array in Fortran order, too large to be turned here; save numpy.ascontiguousarray of it"
        )

    def read_run(first: int, end: int) -> Pixels:
        if fortran or isinstance(source, bytes):
            scattered = (
                header.array(source)
                if isinstance(source, bytes)
                else np.memmap(source, dtype, "r", start, tuple(shape), "F")
            )
            places = np.unravel_index(np.arange(first, end), shape[: len(leading)] or (1,))
            stored = scattered[places] if leading else scattered[None]
        else:
            # A map of this run alone: what one map of the whole file has touched would count as resident memory.
            stored = np.memmap(source, dtype, "r", start + first * plane, (end - first, *flat))
        return supported(np.ascontiguousarray(stored.view(np.ndarray)))[0].reshape(end - first, *flat)

    def read_box(indices: Pixels, rows: Runs, columns: Runs) -> Pixels:
        array = np.memmap(source, dtype, "r", start, (depth, *flat)).view(np.ndarray)
        return supported(
            np.ascontiguousarray(taken(taken(taken(array, tuple(runs_in(indices)), 0), rows, 1), columns, 2))
        )[0]

    words: dict[str, Any] = {"warnings": (*notes, *left_out), "numbers": own_numbers(dtype), "axes": leading}
    if not (fortran or isinstance(source, bytes)):
        words["read_box"] = read_box
    axis = "T" if letters_of(leading) == "T" else "Z"
    return Volume(
        name, (depth, *flat), sample.dtype, VolumeMetadata("NPY", axis=axis), read_run, has_channels, **words
    )  # fmt: skip
