"""Two pictures or volumes compared: how far apart their numbers are, how alike they look, and where they differ.

Volumes are read plane by plane, and pictures looked at in bands of rows, so that large ones need no whole copy.
"""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.images import MAX_PIXELS, Image, convert_depth, read
from convcli.images.model import shown, white_of
from convcli.images.signals import is_signal, read_signal
from convcli.images.volume_axes import sizes_of
from convcli.images.volume_model import Volume, VolumeMetadata
from convcli.images.volumes import holds_planes
from convcli.jobs.volumes import Reading
from convcli.ops.arguments import Array
from convcli.ops.similarity import WINDOW, ssim
from convcli.stores import is_hdf5_name, is_store
from convcli.views.thinning import strongest

_BAND_NUMBERS = 1 << 22  # of a picture looked at at a time
_BYTE = 255  # full scale of most pictures, which are as dark as they are
_DARK = 8  # deeper ones are drawn as they are above such a part of their full scale
_WHOLE = ("int8", "int16", "int32")  # of WAV
_ALL_PLANES = Reading("yx")  # of pictures the one
MAP_SIDE = 480  # cells of the picture of where, along its longer side at most


@dataclass(frozen=True)
class Place:
    """Where a pixel is; ``plane`` is None in a flat picture, ``channel`` where there is but one."""

    row: int
    column: int
    channel: int | None = None
    plane: int | None = None

    def __str__(self) -> str:
        words = [] if self.plane is None else [f"plane {self.plane}"]
        words += [f"row {self.row}", f"column {self.column}"]
        return ", ".join(words + ([] if self.channel is None else [f"channel {self.channel}"]))


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` found. Differences are B - A in ``unit``.

    Attributes
    ----------
    shape : tuple of int
        (H, W, C), or (D, H, W, C) of volumes; of stacks of several axes with the size along each.
    white : float
        Full scale in the unit of the differences: 255, 65535, or 1.
    largest, mean : float
        Of the differences' sizes; infinite where a number meets what is none.
    place : Place or None
        Where the largest is, the first in reading order; None if the two are equal.
    differing, pixels : int
        How many pixels differ in any channel, of how many.
    psnr : float
        In decibels; infinite for equal pictures.
    ssim : float or None
        The mean structural similarity; None for pictures smaller than its window.
    tolerance : float or None
        In the unit of the differences, if one was asked for.
    beyond : int
        Pixels further apart than the tolerance.
    map : ndarray
        (h, w) float64: the signed difference of largest size in every ``block`` x ``block`` pixels, over all channels
        and planes.
    """

    shape: tuple[int, ...]
    white: float
    largest: float
    mean: float
    place: Place | None
    differing: int
    pixels: int
    psnr: float
    ssim: float | None
    tolerance: float | None
    beyond: int
    map: Array
    block: int
    previews: tuple[Array, Array]
    plane: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def within(self) -> bool:
        """Whether no pixel is further apart than the tolerance; true where none was asked for."""
        return self.beyond == 0


class _Opened(NamedTuple):
    """A volume, or a picture as one of one plane."""

    volume: Volume
    is_flat: bool
    profile: bytes | None = None  # of a picture, other than sRGB

    @property
    def sizes(self) -> tuple[int, ...]:
        """Along all axes of the planes, and of each."""
        return (*(size for _, size in self.volume.leading), *self.shape[1:3])

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(D, H, W, C)."""
        return self.volume.shape


def compare(
    first: str | BinaryIO,
    second: str | BinaryIO,
    *,
    reading: Reading = _ALL_PLANES,
    white: float | None = None,
    tolerance: float | None = None,
    relative: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Comparison:
    """Compare two pictures, or two volumes, of one size.

    Parameters
    ----------
    first, second : str or binary stream
        A and B.
    reading : Reading
        What is read of stacks; with its axes ``yx`` all files of several planes are stacks.
    white : float, optional
        Full scale, for PSNR and SSIM: 255 for 8 bits, 65535 for 16 bits and 1 for floats unless given.
    tolerance : float, optional
        The largest difference that is allowed, in the unit of the differences; a share of the full scale if
        ``relative``. Two depths that differ are compared in 0..1.

    Raises
    ------
    ConvcliError
        If a file cannot be read, or the two differ in size or channels.
    """
    for word, value in (("white", white), ("tolerance", tolerance)):
        if value is not None and (not math.isfinite(value) or value < 0 or (word == "white" and not value)):
            raise ConvcliError(f"{word}: got {value}, expected a number {'above' if word == 'white' else 'from'} 0")
    with ExitStack() as stack:
        pair = tuple(_open(source, reading, max_pixels, stack) for source in (first, second))
        _check_sizes(*pair)
        volumes = [each.volume for each in pair]
        common, by_numbers, warnings = _common(*volumes)
        full = white or white_of(common, volumes[0].numbers if volumes[0].numbers == volumes[1].numbers else None)
        limit = None if tolerance is None else tolerance * full if relative else tolerance
        tally = _Tally(pair[0].shape, limit)
        alike: list[float] = []
        for index in range(pair[0].shape[0]):
            planes = [_brought(each.planes([index])[0], common, by_numbers) for each in volumes]
            tally.add(index, *planes)
            if min(planes[0].shape[:2]) >= WINDOW:
                alike.append(ssim(planes[0], planes[1], full))
        # The plane with the largest difference, in numbers that all can be seen.
        planes = [_brought(each.planes([tally.shown])[0], common, by_numbers) for each in volumes]
        own = volumes[0].numbers is not None or tally.outside or not pair[0].is_flat
        low, high = _seen(planes, full, own=own)
        previews = [_preview(plane, low, high) for plane in planes]
    if pair[0].profile != pair[1].profile:
        warnings += ("A and B have different colour profiles: their numbers are compared, not the colours they mean",)
    warnings += tuple(warning for each in pair if each.is_flat for warning in each.volume.warnings)
    if common.kind == "f" and white is None and full == 1 and tally.outside:
        warnings += ("numbers lie outside 0..1; PSNR and SSIM take 1 for full scale unless --white says another",)
    return tally.result(full, float(np.mean(alike)) if alike else None, (previews[0], previews[1]), warnings, pair)


class _Tally:
    """Counts and sums over all planes."""

    def __init__(self, shape: tuple[int, int, int, int], limit: float | None) -> None:
        self.shape, self.limit = shape, limit
        self.channels = shape[3]
        self.block = -(-max(shape[1:3]) // MAP_SIDE)
        self.map = np.zeros(tuple(-(-n // self.block) for n in shape[1:3]))
        self.largest, self.sizes, self.squares = 0.0, 0.0, 0.0
        self.place: tuple[int, int, int, int] | None = None
        self.differing = self.beyond = 0
        self.outside = False

    def add(self, plane: int, first: Array, second: Array) -> None:
        """Take the differences of one plane (H, W, C) in."""
        rows = max(_BAND_NUMBERS // (first.shape[1] * first.shape[2]) // self.block, 1) * self.block
        for top in range(0, first.shape[0], rows):
            a, b = first[top : top + rows], second[top : top + rows]
            difference = _difference(a, b)
            if first.dtype.kind == "f":
                self.outside |= any(bool((each < 0).any() or (each > 1).any()) for each in (a, b))
            self._band(plane, top, difference)

    def _band(self, plane: int, top: int, difference: Array) -> None:
        sizes = np.abs(difference)
        with np.errstate(invalid="ignore", over="ignore"):
            self.sizes += float(sizes.sum())
            self.squares += float((sizes * sizes).sum())
        largest = float(sizes.max())
        if largest > self.largest:
            row, column, channel = (int(each) for each in np.unravel_index(int(sizes.argmax()), sizes.shape))
            self.largest, self.place = largest, (plane, top + row, column, channel)
        widest = sizes.argmax(axis=2)[..., None]
        signed = np.take_along_axis(difference, widest, axis=2)[..., 0]
        self.differing += int(np.count_nonzero(signed))
        if self.limit is not None:
            self.beyond += int(np.count_nonzero(np.abs(signed) > self.limit))
        cells = strongest(signed, self.block)
        held = self.map[top // self.block : top // self.block + len(cells)]
        np.copyto(held, cells, where=np.abs(cells) > np.abs(held))

    @property
    def shown(self) -> int:
        """The plane with the largest difference; the middle one, where there is none."""
        return self.place[0] if self.place else self.shape[0] // 2

    def result(
        self,
        white: float,
        alike: float | None,
        previews: tuple[Array, Array],
        warnings: tuple[str, ...],
        pair: tuple[_Opened, ...],
    ) -> Comparison:
        """Everything together."""
        is_volume = not pair[0].is_flat
        pixels = math.prod(self.shape[:3])
        error = self.squares / (pixels * self.channels)
        place = None
        if self.place is not None:
            plane, row, column, channel = self.place
            place = Place(row, column, channel if self.channels > 1 else None, plane if is_volume else None)
        return Comparison(
            shape=(*(pair[0].sizes if is_volume else self.shape[1:3]), self.channels),
            white=white,
            largest=self.largest,
            mean=self.sizes / (pixels * self.channels),
            place=place,
            differing=self.differing,
            pixels=pixels,
            psnr=math.inf if error == 0 else 10 * math.log10(white * white / error) if error < math.inf else -math.inf,
            ssim=alike,
            tolerance=self.limit,
            beyond=self.beyond,
            map=self.map,
            block=self.block,
            previews=previews,
            plane=self.shown,
            warnings=tuple(dict.fromkeys(warnings)),
        )


def _difference(first: Array, second: Array) -> Array:
    """B - A in float64, exact for integers; equal where both are the same non-number, infinite where only one is."""
    with np.errstate(invalid="ignore"):
        difference = second.astype(np.float64) - first
    odd = np.isnan(difference)
    if odd.any():
        same = (first == second) | (np.isnan(first) & np.isnan(second))
        difference[odd] = np.where(same[odd], 0.0, np.inf)
    return difference


def _open(source: str | BinaryIO, reading: Reading, max_pixels: int, stack: ExitStack) -> _Opened:
    if reading.axes == "x" or (isinstance(source, str) and reading == Reading("yx") and is_signal(source)):
        return _open_signal(source, max_pixels)
    is_told = reading != Reading("yx")
    if isinstance(source, str) and (
        is_told or is_store(source) or is_hdf5_name(source) or holds_planes(source, max_pixels)
    ):
        return _Opened(stack.enter_context(reading.open(source, max_pixels=max_pixels)), False)
    if is_told:
        raise ImageError("a stack is read plane by plane: expected a file, not standard input")
    image = read(source, max_pixels=max_pixels)
    pixels, name = image.pixels[None], shown(source) if isinstance(source, str) else "standard input"
    words: dict[str, Any] = {"has_alpha": image.has_alpha, "warnings": image.warnings, "numbers": image.numbers}
    plane = Volume(name, pixels.shape, pixels.dtype, VolumeMetadata(""), lambda first, end: pixels, **words)
    icc = image.metadata.icc
    is_usual = icc is None or any(name in icc for name in (b"sRGB", "sRGB".encode("utf-16-be")))
    return _Opened(plane, True, None if is_usual else icc)


def _open_signal(source: str | BinaryIO, max_samples: int) -> _Opened:
    """A signal as a picture of one row, whose numbers are what they are."""
    signal = read_signal(source, max_samples=max_samples)
    pixels, name = signal.samples[None, None], shown(source) if isinstance(source, str) else "standard input"
    words: dict[str, Any] = {"warnings": signal.warnings}
    if signal.limits is not None:  # whole numbers, whose full scale is that of their type
        words["numbers"] = np.dtype(signal.sample_type if signal.sample_type in _WHOLE else "int32")
    return _Opened(
        Volume(name, pixels.shape, pixels.dtype, VolumeMetadata(""), lambda first, end: pixels, **words), True
    )


def _check_sizes(first: _Opened, second: _Opened) -> None:
    names = f"{first.volume.name} and {second.volume.name}"
    if first.is_flat != second.is_flat:
        flat, deep = (first.volume, second.volume) if first.is_flat else (second.volume, first.volume)
        raise ImageError(
            f"{names}: {flat.name} is a picture, {deep.name} has {deep.shape[0]} planes; expected two alike"
        )
    if first.sizes != second.sizes:
        sizes = [_size(each) for each in (first, second)]
        raise ImageError(f"{names}: got {sizes[0]} and {sizes[1]} pixels, expected one size")
    if (first.shape[3], first.volume.has_alpha) != (second.shape[3], second.volume.has_alpha):
        kinds = [_channels(each) for each in (first, second)]
        raise ImageError(f"{names}: got {kinds[0]} and {kinds[1]}, expected the same channels")


def _size(opened: _Opened) -> str:
    planes = f"{sizes_of(opened.volume.leading) or 1} planes of " if not opened.is_flat else ""
    return f"{planes}{opened.shape[2]}x{opened.shape[1]}"


def _channels(opened: _Opened) -> str:
    names = {(1, False): "grey", (2, True): "grey with alpha", (3, False): "RGB", (4, True): "RGB with alpha"}
    return names.get((opened.shape[3], opened.volume.has_alpha), f"{opened.shape[3]} channels")


def _common(first: Volume, second: Volume) -> tuple[np.dtype[Any], bool, tuple[str, ...]]:
    """The type in which both are compared, whether by their numbers whatever their depths, and what to say about it."""
    types = [each.numbers or each.dtype for each in (first, second)]
    if types[0] != types[1] and any(each.numbers is not None for each in (first, second)):
        return np.dtype(np.float64), True, (f"{types[0]} and {types[1]} are compared by their numbers",)
    if first.dtype == second.dtype:
        return first.dtype, False, ()
    if first.dtype.kind == second.dtype.kind == "f":
        return np.dtype(np.float64), False, ()
    return np.dtype(np.float64), False, (f"{first.dtype} and {second.dtype} are compared as numbers of 0..1",)


def _brought(plane: Array, common: np.dtype[Any], by_numbers: bool) -> Array:
    if plane.dtype == common:
        return plane
    return plane.astype(common) if by_numbers else convert_depth(plane, common)


def _seen(planes: list[Array], full: float, *, own: bool) -> tuple[float, float]:
    """What is drawn black and white: the ends of the type, or of the numbers (small ones of a deep type; ``own``)."""
    numbers = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)
    return (low, high) if own or (full != _BYTE and high < full / _DARK) else (0.0, full)


def _preview(plane: Array, low: float, high: float) -> Array:
    """A plane as (H', W', 3) bytes from black to white, thinned out to what a figure shows."""
    step = -(-max(plane.shape[:2]) // (2 * MAP_SIDE))
    colour = plane[::step, ::step, :3] if plane.shape[2] >= 3 else plane[::step, ::step, :1].repeat(3, axis=2)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (colour.astype(np.float64) - low) * (255 / ((high - low) or 1.0))
    scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def where_picture(found: Comparison, names: tuple[str, str]) -> Image:
    """A figure of A, B and where B - A is above or below zero, with the largest difference framed."""
    from convcli.views.comparison import draw_comparison

    place = None if found.place is None else (found.place.row // found.block, found.place.column // found.block)
    planes = math.prod(found.shape[:-3])
    told = [
        f"largest {figures(found.largest)} of {figures(found.white)}" + (f" at {found.place}" if found.place else ""),
        f"{found.differing} of {found.pixels} {'voxels' if planes > 1 else 'pixels'} differ; "
        f"PSNR {decibels(found.psnr)}"
        + ("" if found.ssim is None or math.isnan(found.ssim) else f"; SSIM {found.ssim:.4f}"),
    ]
    return Image(
        draw_comparison(
            found.previews, found.map, names, told, place=place, block=found.block, planes=planes, plane=found.plane
        )
    )


def decibels(psnr: float) -> str:
    """A ratio as people read it: ``34.12 dB``, ``infinite`` for equal pictures."""
    return f"{psnr:.2f} dB" if math.isfinite(psnr) else "infinite" if psnr > 0 else "minus infinite"


def figures(value: float) -> str:
    """A difference with six digits, whole ones whole."""
    return f"{int(value)}" if math.isfinite(value) and value == int(value) else f"{value:.6g}"
