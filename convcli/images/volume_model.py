"""What an open volume is, and what travels with it; `convcli.images.volumes` opens one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.geometry import Placement
from convcli.images.model import Metadata, Pixels, white_of
from convcli.images.reading import explaining

# Beyond this many channels the first axis of a 4-D array is rather time than depth, or the last one rather width.
MOST_CHANNELS = 4
LABELS = "Labels"  # in ImageJ's notes, one for each plane


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
    numbers:
        As of `convcli.images.model.Image`.
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
    numbers: np.dtype[Any] | None = None
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> "Volume":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def white(self) -> float:
        """Full scale of the voxels: see `white_of`."""
        return white_of(self.dtype, self.numbers)

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


def with_alpha(fix: str) -> ImageError:
    """What is said of a volume with an alpha channel where none is wanted."""
    return ImageError(f"has an alpha channel, expected a volume without; {fix}")


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
