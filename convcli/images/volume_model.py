"""What an open volume is, and what travels with it; `convcli.images.volumes` opens one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from convcli.budget import memory_limit
from convcli.errors import ImageError
from convcli.geometry import Placement
from convcli.images.model import Metadata, Pixels, white_of
from convcli.images.reading import explaining
from convcli.images.volume_axes import Axes, in_words, letters_of, without

# In notes of ImageJ and OME: one for each plane, and one, or a pair, for each channel.
LABELS, PLANES = "Labels", "Plane"
PLANES_LOST = {LABELS: f"ImageJ's {LABELS}", PLANES: "OME-XML of single planes"}
_OF_CHANNELS = {"Channel": 1, "LUTs": 1, "Ranges": 2}
_OF_TIME = ("finterval", "fps", "loop", "TimeIncrement", "TimeIncrementUnit")

# Along an axis, rising.
Runs = tuple[range, ...]


@dataclass(frozen=True)
class VolumeMetadata:
    """What travels from a volume to the one written from it, besides voxels.

    Parameters
    ----------
    format:
        ``TIFF``, ``NPY``, ``GIF``, ``WEBP`` or ``PNG``; of a sequence of pictures, the first one's.
    style:
        How a TIFF speaks about itself: ``plain`` (tags only), ``shaped`` (as tifffile does), ``imagej`` or ``ome``.
    axis:
        The axis through a volume: ``Z`` for depth, ``T`` for time.
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
    plays:
        How often an animation is shown; 0 for ever.
    picture:
        What else the first plane says, as of a picture: texts, EXIF, XMP, tags.
    placement:
        Along y and along x, how far apart the voxels lie on the planes that `picture` speaks of.
    header:
        A NIfTI's.
    places:
        Along z, y and x, where the voxels lie among those that the header speaks of.
    lost:
        Names of what the file held and no output can.
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
    plays: int = 0
    picture: Metadata = field(default_factory=Metadata)
    placement: tuple[Placement, Placement] = (Placement(), Placement())
    header: bytes | None = None
    places: tuple[Placement, ...] = ()
    lost: tuple[str, ...] = ()

    def chosen(self, letter: str, index: int, planes: Pixels) -> "VolumeMetadata":
        """The metadata of the ``planes`` that lie at an index of an axis, which the result has no more."""
        notes = {name: value for name, value in self.notes.items() if letter != "T" or name not in _OF_TIME}
        for name in (LABELS, PLANES):
            if name in notes:
                notes[name] = [notes[name][plane] for plane in planes if plane < len(notes[name])]
        if letter == "C":
            notes.pop("mode", None)
            for name, each in _OF_CHANNELS.items():
                if isinstance(notes.get(name), list | tuple):
                    notes[name] = notes[name][each * index : each * (index + 1)]
        return replace(self, notes=notes)

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
        if z != 1:
            of_planes = [word for name, word in PLANES_LOST.items() if notes.pop(name, None)]
            picture = replace(picture, lost=(*picture.lost, *of_planes))
        resolution = (self.resolution[0] / x, self.resolution[1] / y) if self.resolution else None
        durations: tuple[int, ...] = ()  # a step between two frames has none
        if z == int(z):
            durations = tuple(sum(self.durations[at : at + int(z)]) for at in range(0, len(self.durations), int(z)))
        placement = Placement(y), Placement(x)
        return replace(
            self,
            notes=notes,
            resolution=resolution,
            durations=durations,
            picture=picture,
            placement=placement,
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
        Whether the file has an axis of channels behind its planes; without one C is 1.
    has_alpha:
        Whether the last channel is alpha.
    axes:
        The axes along which the D planes lie; without them, the metadata's one.
    beside:
        How many volumes are worked on at the same time, and share the memory for it.
    read_box:
        Some planes' rows and columns, for files that hold parts of planes; without one planes are read whole.
    read_ahead:
        Begins to read, in another thread, what will be asked for next: all rows and columns where these are None. Once
        that is asked for, what was given before may be overwritten.
    copies:
        How often a reader holds the planes that were asked for last, besides what it gives.
    chunk:
        Along depth, y and x, how many voxels are decoded together.
    has_runs:
        Whether `read_box` reads each run of voxels by itself that lies in the file as it is: long ones cost less.
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
    axes: Axes | None = None
    beside: int = 1
    read_box: Callable[[Pixels, Runs, Runs], Pixels] | None = None
    read_ahead: Callable[[Pixels, Runs | None, Runs | None], None] | None = None
    chunk: tuple[int, int, int] = (1, 1, 1)
    copies: int = 0
    has_runs: bool = False

    def __enter__(self) -> "Volume":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def holds_boxes(self) -> bool:
        """Whether parts of planes cost less to read than all of them."""
        return self.read_box is not None

    @property
    def white(self) -> float:
        """Full scale of the voxels: see `white_of`."""
        return white_of(self.dtype, self.numbers)

    @property
    def leading(self) -> Axes:
        """The axes along which the planes lie."""
        return ((self.metadata.axis, self.shape[0]),) if self.axes is None else self.axes

    def part(self, planes: Pixels, axes: Axes, *, beside: int = 1) -> "Volume":
        """A volume of some of the planes, which lie along other axes."""
        read, first = self.read_run, int(planes[0])
        read_run = one_by_one(lambda index: read(int(planes[index]), int(planes[index]) + 1)[0])
        if (np.diff(planes) == 1).all():
            read_run = lambda begin, end: read(first + begin, first + end)  # noqa: E731
        words: dict[str, Any] = {"axes": axes, "beside": beside, "read_run": read_run}
        for name in ("read_box", "read_ahead"):
            if (of_all := getattr(self, name)) is not None:
                words[name] = partial(_of_part, of_all, planes)
        return replace(self, shape=(len(planes), *self.shape[1:]), **words)

    def in_order(self, letters: str) -> "Volume":
        """The same planes along axes in another order, from the slowest on; where there are others, as they are."""
        leading = self.leading
        if not set(letters_of(leading)) <= set(letters):
            return self
        places = sorted(range(len(leading)), key=lambda axis: letters.index(leading[axis][0]))
        if places == list(range(len(leading))):
            return self
        planes = np.arange(self.shape[0]).reshape([size for _, size in leading]).transpose(places).reshape(-1)
        return self.part(planes, tuple(leading[axis] for axis in places), beside=self.beside)

    def chosen(self, *, channel: int | None = None, time: int | None = None) -> "Volume":
        """One channel or moment of the volume, counted from 0; raises `ImageError` for one that it does not have."""
        volume = self
        for word, letter, index in (("channel", "C", channel), ("time", "T", time)):
            if index is None:
                continue
            size = dict(volume.leading).get(letter, volume.shape[3] if word == "channel" and volume.has_channels else 0)
            if not size and index == 0 and self.metadata.style in ("imagej", "ome"):
                continue  # an axis of one is not said
            if not size:
                got = in_words(self.leading)
                fix = "; name them, as in --axes tzcyx" if "?" in got else ""
                raise ImageError(f"{self.name}: {word}: got {index} for axes {got}, expected a file that has one{fix}")
            if index >= size:
                raise ImageError(f"{self.name}: {word}: got {index}, expected 0 to {size - 1}")
            volume = volume._along(letter, index) if letter in letters_of(volume.leading) else volume._sample(index)
        return volume

    def _along(self, letter: str, index: int) -> "Volume":
        axes, planes = without(self.leading, letter, index)
        return replace(self.part(planes, axes), metadata=self.metadata.chosen(letter, index, planes))

    def _sample(self, index: int) -> "Volume":
        read, words = self.read_run, {"has_channels": False, "has_alpha": False}
        return replace(
            self,
            shape=(*self.shape[:3], 1),
            read_run=lambda first, end: read(first, end)[..., index : index + 1],
            **words,  # type: ignore[arg-type]
        )

    def box(self, indices: Pixels, rows: Runs, columns: Runs) -> Pixels:
        """Runs of rows and columns of planes by their indices, all rising: (n, H, W, C); raises as `planes`."""
        if self.read_box is None:
            return taken(taken(self.planes(indices), rows, 1), columns, 2)
        with self._named():
            return self.read_box(indices, rows, columns)

    def ahead(self, indices: Pixels, rows: Runs | None = None, columns: Runs | None = None) -> None:
        """Begin to read what will be asked for next, where that can be done: see `read_ahead`."""
        if self.read_ahead is not None:
            self.read_ahead(indices, rows, columns)

    def has_room_ahead(self, planes: int, height: int, width: int) -> bool:
        """Whether parts of so many planes can be read ahead, and there is room for those beside the ones in use."""
        return self.read_ahead is not None and 4 * self.window_bytes(planes, height, width) <= memory_limit()

    def window_bytes(self, planes: int, height: int, width: int) -> int:
        """What a reader holds for parts of so many planes: whole layers of chunks."""
        layer = self.chunk[0]
        held = min((-(-planes // layer) + 1) * layer, self.shape[0])
        return int(held * height * width * self.shape[3] * self.dtype.itemsize)

    def planes(self, indices: Sequence[int] | Pixels) -> Pixels:
        """Read planes by their indices, which rise: (n, H, W, C), perhaps a read-only view of the file.

        Raises `ImageError` naming the file when a plane turns out to be damaged or of another size.
        """
        wanted = np.asarray(indices, np.int64)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        with self._named(), explaining(self.metadata.format):
            runs = [self.read_run(int(run[0]), int(run[-1]) + 1) for run in np.split(wanted, breaks)]
        return runs[0] if len(runs) == 1 else np.concatenate(runs)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except ImageError as error:
            prefix = "" if self.name in str(error) else f"{self.name}: "
            raise ImageError(f"{prefix}{error}") from error.__cause__


def _of_part(read: Callable[..., Any], planes: Pixels, indices: Pixels, *where: Runs | None) -> Any:
    return read(planes[indices], *where)


def taken(planes: Pixels, runs: Runs, axis: int) -> Pixels:
    """Runs along an axis beside each other; a view of a single one."""
    before = (slice(None),) * axis
    parts = [planes[(*before, slice(run.start, run.stop))] for run in runs]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)


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
