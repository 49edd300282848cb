"""Volumes: files of many planes, opened and then read a few planes at a time, so that they need not fit into memory.

Multi-page TIFF (`convcli.images.volume_tiff`), .npy (here), animations and sequences of pictures
(`convcli.images.volume_frames`). That a file *is* a volume is the caller's word; it is never guessed.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import own_numbers, supported
from convcli.images.model import Pixels, check_size, shown
from convcli.images.reading import HEAD, MAX_PIXELS, explaining, opening, recognised
from convcli.images.remarks import remarks
from convcli.images.volume_model import MOST_CHANNELS, Volume, VolumeMetadata

# An array in Fortran's order has its planes scattered over the file: it is read whole, up to this size.
_MOST_SCATTERED = 1 << 30


def open_volume(path: str | Path, *, max_pixels: int = MAX_PIXELS, alpha_fix: str | None = None) -> Volume:
    """Open a file as one volume.

    Parameters
    ----------
    path:
        A TIFF of several pages, an array (D, H, W) or (D, H, W, C) in an .npy file, or an animated GIF, WebP or PNG.
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
    with opening(name), Path(path).open("rb") as stream:
        kind = recognised(stream.read(HEAD), name)
    try:
        with explaining(kind.name):
            if kind.name == "TIFF":
                from convcli.images.volume_tiff import open_tiff

                with remarks() as said:
                    volume = open_tiff(Path(path), name, max_pixels)
                return replace(volume, warnings=(*volume.warnings, *said))
            if kind.name == "NPY":
                return _open_npy(Path(path), name, max_pixels)
            if kind.name in ("GIF", "WEBP", "PNG"):
                from convcli.images.volume_frames import open_animation

                return open_animation(Path(path), name, kind.name, max_pixels, alpha_fix)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    raise ImageError(
        f"{name}: is a {kind.name}, a flat picture; expected a volume: a multi-page TIFF, .npy, an animation, "
        "or several pictures with --stack"
    )


def _open_npy(path: Path, name: str, max_pixels: int) -> Volume:
    from convcli.images.npy import check_numbers, read_header

    with path.open("rb") as stream:
        header = read_header(stream)
    shape, fortran, dtype, start = header
    if len(shape) not in (3, 4) or (len(shape) == 4 and not 0 <= shape[3] <= MOST_CHANNELS):
        raise ImageError(f"got an array of shape {shape}, expected (D, H, W), or (D, H, W, C) with at most 4 channels")
    if 0 not in shape:
        check_size(shape[2], shape[1], max_pixels, 2 * max(dtype.itemsize, 1) * math.prod(shape[3:]))
    left_out = check_numbers(header, path.stat().st_size)
    plane = math.prod((dtype.itemsize, *shape[1:]))
    sample, notes = supported(np.zeros(1, dtype))
    full: tuple[int, int, int, int] = (*shape[:3], shape[3] if len(shape) == 4 else 1)  # type: ignore[assignment]
    if fortran and plane * shape[0] > _MOST_SCATTERED:
        raise ImageError(
            "got an array in Fortran order, too large to be turned here; save numpy.ascontiguousarray of it"
        )

    def read_run(first: int, end: int) -> Pixels:
        if fortran:
            scattered = np.memmap(path, dtype, "r", start, tuple(shape), "F")
            stored = np.ascontiguousarray(scattered[first:end])
        else:
            # A map of this run alone: what one map of the whole file has touched would count as resident memory.
            stored = np.memmap(path, dtype, "r", start + first * plane, (end - first, *shape[1:]))
        return supported(stored.view(np.ndarray))[0].reshape(end - first, *full[1:])

    words: dict[str, Any] = {"warnings": (*notes, *left_out), "numbers": own_numbers(dtype)}
    return Volume(name, full, sample.dtype, VolumeMetadata("NPY"), read_run, len(shape) == 4, **words)
