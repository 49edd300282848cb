"""Volumes: files of many planes, opened and then read a few planes at a time, so that they need not fit into memory.

Multi-page TIFF (`convcli.images.volume_tiff`), .npy (here), animations and sequences of pictures
(`convcli.images.volume_frames`). That a file *is* a volume is the caller's word; it is never guessed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.geometry import Placement
from convcli.images.depth import supported
from convcli.images.model import Metadata, Pixels, check_size, shown
from convcli.images.reading import HEAD, MAX_PIXELS, explaining, opening, recognised
from convcli.images.remarks import remarks

# Beyond this many channels the first axis of a 4-D array is rather time than depth, or the last one rather width.
MOST_CHANNELS = 4
LABELS = "Labels"  # in ImageJ's notes, one for each plane
# An array in Fortran's order has its planes scattered over the file: it is read whole, up to this size.
_MOST_SCATTERED = 1 << 30


@dataclass(frozen=True)
class VolumeMetadata:
    """What travels from a volume to the one written from it, besides voxels.

    Parameters
    ----------
    format:
        ``TIFF``, ``NPY``, ``GIF``, ``WEBP`` or ``PNG``; of a sequence of pictures, the first one's.
    style:
        How a TIFF speaks about itself: ``plain`` (tags only), ``imagej`` or ``ome``.
    axis:
        The axis from plane to plane: ``Z`` for depth, ``T`` for time.
    resolution, resolution_unit:
        Pixels per unit along x and y, and TIFF's number of the unit: 1 none, 2 inch, 3 centimetre.
    compression:
        The input TIFF's compression, as `write` names it.
    icc:
        The colour profile.
    notes:
        What ImageJ or OME say, by their own names: ``spacing``, ``unit``, ``PhysicalSizeZ`` ...
    durations:
        Milliseconds each frame of an animation is shown.
    picture:
        What else the first plane says, as of a picture: texts, EXIF, XMP, tags.
    placement:
        Along y and along x, how far apart the voxels lie on the planes that `picture` speaks of.
    """

    format: str
    style: str = "plain"
    axis: str = "Z"
    resolution: tuple[float, float] | None = None
    resolution_unit: int = 1
    compression: str | None = None
    icc: bytes | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    durations: tuple[int, ...] = ()
    picture: Metadata = field(default_factory=Metadata)
    placement: tuple[Placement, Placement] = (Placement(), Placement())

    def strided(self, stride: Sequence[float]) -> "VolumeMetadata":
        """The metadata of a volume that keeps each ``stride``-th voxel (z, y, x): they lie that much farther apart."""
        z, y, x = stride
        notes = dict(self.notes)
        steps = {"spacing": z, "PhysicalSizeZ": z, "PhysicalSizeY": y, "PhysicalSizeX": x}
        steps |= {"finterval": z, "TimeIncrement": z} if self.axis == "T" else {}
        for name, step in steps.items():
            if name in notes:
                notes[name] = notes[name] * step
        if self.axis == "T" and "fps" in notes:
            notes["fps"] = notes["fps"] / z
        picture = self.picture
        if z != 1 and notes.pop(LABELS, None):
            picture = replace(picture, lost=(*picture.lost, f"ImageJ's {LABELS}"))
        resolution = (self.resolution[0] / x, self.resolution[1] / y) if self.resolution else None
        durations: tuple[int, ...] = ()  # a step between two frames has none
        if z == int(z):
            durations = tuple(sum(self.durations[at : at + int(z)]) for at in range(0, len(self.durations), int(z)))
        placement = Placement(y), Placement(x)
        return replace(
            self, notes=notes, resolution=resolution, durations=durations, picture=picture, placement=placement
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """An open volume. Close it, or use it in a ``with`` block; one thread at a time.

    Parameters
    ----------
    name:
        The file's, for messages.
    shape:
        (D, H, W, C).
    dtype:
        Of the planes that `planes` gives: uint8, uint16, float32 or float64.
    has_channels:
        Whether the file has an axis of channels; without one C is 1.
    has_alpha:
        Whether the last channel is alpha.
    """

    name: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    metadata: VolumeMetadata
    read_run: Callable[[int, int], Pixels]  # planes first to end (exclusive), (n, H, W, C)
    has_channels: bool = False
    has_alpha: bool = False
    warnings: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> "Volume":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def white(self) -> float:
        """Full scale of the voxels: 255, 65535, or 1.0 for floats."""
        return float(np.iinfo(self.dtype).max) if self.dtype.kind == "u" else 1.0

    def planes(self, indices: Sequence[int] | Pixels) -> Pixels:
        """Read planes by their indices, which rise: (n, H, W, C), perhaps a read-only view of the file.

        Raises `ImageError` naming the file when a plane turns out to be damaged or of another size.
        """
        wanted = np.asarray(indices, np.int64)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        try:
            with explaining(self.metadata.format):
                runs = [self.read_run(int(run[0]), int(run[-1]) + 1) for run in np.split(wanted, breaks)]
        except ImageError as error:
            prefix = "" if self.name in str(error) else f"{self.name}: "
            raise ImageError(f"{prefix}{error}") from error.__cause__
        return runs[0] if len(runs) == 1 else np.concatenate(runs)


def one_by_one(decode: Callable[[int], Pixels]) -> Callable[[int, int], Pixels]:
    """A `Volume.read_run` from a function that decodes one plane (H, W, C).

    Slabs overlap: planes of the run before are copied, not decoded again.
    """
    begin, before = 0, np.zeros((0, 1, 1, 1), np.uint8)

    def read_run(first: int, end: int) -> Pixels:
        nonlocal begin, before
        known = range(begin, begin + len(before))
        planes = np.stack([before[index - begin] if index in known else decode(index) for index in range(first, end)])
        begin, before = first, planes
        return planes

    return read_run


def open_volume(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Volume:
    """Open a file as one volume.

    Parameters
    ----------
    path:
        A TIFF of several pages, an array (D, H, W) or (D, H, W, C) in an .npy file, or an animated GIF, WebP or PNG.
    max_pixels:
        Width times height of a plane above which the file is refused. The number of planes is free, since only a few
        are in memory at a time; those of an animation, which is decoded whole, count together.

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

                return open_animation(Path(path), name, kind.name, max_pixels)
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

    warnings = (*notes, *left_out)
    return Volume(name, full, sample.dtype, VolumeMetadata("NPY"), read_run, len(shape) == 4, warnings=warnings)
