"""Masks in files: which class each pixel shows, by its lightness, its place in a palette, or its colour.

- Grey values are classes, each called by its value: 0 and 255, or 0 to 20. Equal colours are grey; what is transparent
  is 0, and a picture of one colour is told by its alpha.
- Of a palette the places are classes, as in PASCAL VOC, as long as all files mean the same colours by them.
- If a file shows colours, colours are classes, called ``#800000``.
- Of many greys nearly all of which are black or white, as JPEG or a smooth edge makes them, there are two classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convcli.datasets.model import Array
from convcli.datasets.reading import Reading
from convcli.datasets.sample_files import carrier_of, read_sample
from convcli.datasets.targets import Labelled
from convcli.errors import DataError, shortened
from convcli.images import read

_FEW = 20  # values that are classes without a doubt
_MOST_COLOURS = 256
_SOFT = 0.1  # of the pixels of a mask of two classes, at most, that are neither black nor white
_BLACK, _WHITE, _HALF = 0.25, 0.75, 0.5  # of the largest value


@dataclass(frozen=True, eq=False)
class Mask:
    """What a file shows: (*spatial) values, and of which kind; colours are ``0xRRGGBB``."""

    values: Array
    is_coloured: bool = False
    palette: Array | None = None

    @property
    def colours(self) -> Array:
        """The same as colours."""
        if self.is_coloured:
            return self.values
        if self.palette is not None:
            return packed(self.palette)[self.values]
        return np.minimum(self.values, 255).astype(np.int32) * 0x010101

    def moved(self, values: Array) -> "Mask":
        """The same kind with other pixels."""
        return replace(self, values=values)


def read_mask(path: Path) -> Mask:
    """What a file of a mask shows; raises `ConvcliError` for one that is none."""
    if path.suffix.lower() == ".npy" or carrier_of(path) == "array":
        values = read_sample(path)
        values = values[..., 0] if values.ndim > 2 and values.shape[-1] == 1 else values
        if values.ndim == 3 and values.shape[-1] in (3, 4) and values.dtype == np.uint8:
            return _of_pixels(values, has_alpha=values.shape[-1] == 4)
        return Mask(_whole(values, path))
    image = read(path)
    indexed = _palette_of(path)
    if indexed is not None and indexed.values.shape == image.pixels.shape[:2]:
        return indexed
    return _of_pixels(_whole(image.pixels, path), has_alpha=image.has_alpha)


def scaled(mask: Array, height: int, width: int) -> Array:
    """A mask brought to a size as `convcli.datasets.pictures.fill` brings a picture: each pixel that of its middle."""
    scale = min(mask.shape[0] / height, mask.shape[1] / width)
    rows, columns = (
        np.minimum((size - scale * wanted) / 2 + (np.arange(wanted) + 0.5) * scale, size - 1).astype(np.int64)
        for size, wanted in zip(mask.shape, (height, width), strict=True)
    )
    made: Array = mask[rows[:, np.newaxis], columns]
    return made


def classes_of(masks: Sequence[Mask], reading: Reading, label: str) -> tuple[tuple[str, ...], Array, tuple[str, ...]]:
    """The classes of masks of one size, (N, *spatial) places in them, and what is to be said.

    Raises `DataError` for masks of too many values, or of one class alone.
    """
    known = reading.classes
    if any(name.startswith("#") for name in known) or _are_colours(masks):
        names, places = _by_colour([each.colours for each in masks], known, label)
        return names, places, ()
    values = np.stack([each.values for each in masks])
    told: tuple[str, ...] = ()
    white = int(known[1]) if len(known) == 2 and known[1].isdecimal() else 0
    if len(np.unique(values)) > _FEW and (soft := _soft(values, white)) is not None:
        values, told = soft, ("masks have edges or noise between black and white: from half on a pixel is white",)
    labelled = Labelled([values], replace(reading, targets="masks"), label, values.shape[1:])
    return labelled.classes, labelled.parts[0], told


def show_classes(masks: Sequence[Mask]) -> bool:
    """Whether pictures beside others look as masks: of few values, or nearly black and white."""
    if _are_colours(masks):
        return len(np.unique(np.concatenate([np.unique(each.colours) for each in masks]))) <= _FEW
    values = np.unique(np.concatenate([np.unique(each.values) for each in masks]))
    return len(values) <= _FEW or all(_soft(each.values) is not None for each in masks)


def packed(colours: Array) -> Array:
    """(..., 3) bytes as one number each."""
    made: Array = colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    return made


def _of_pixels(pixels: Array, *, has_alpha: bool) -> Mask:
    alpha = pixels[..., -1] if has_alpha else None
    colours = pixels[..., :-1] if has_alpha else pixels
    if alpha is not None and (alpha != alpha.flat[0]).any():
        if (colours == colours[:1, :1]).all():  # cut out by its alpha
            return Mask(alpha.astype(np.int32))
        colours = np.where(alpha[..., np.newaxis] > np.iinfo(alpha.dtype).max // 2, colours, 0)
    if colours.shape[-1] == 3 and not (colours == colours[..., :1]).all():
        return Mask(packed(colours >> 8 if colours.dtype.itemsize > 1 else colours), is_coloured=True)
    return Mask(colours[..., 0].astype(np.int32))


def _whole(values: Array, path: Path) -> Array:
    """Whole numbers of any type; raises `DataError` for others."""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError(f"{path}: got NaN or infinite numbers, expected the class of each pixel")
        rounded = np.rint(values)
        if (rounded != values).any():  # lightness of 0 to 1
            if values.min() < 0 or values.max() > 1:
                raise DataError(f"{path}: got numbers between whole ones, expected the class of each pixel")
            rounded = np.rint(values * 255)
        values = rounded.astype(np.int64)
    if values.dtype.kind not in "iub":
        raise DataError(f"{path}: got {values.dtype}, expected the class of each pixel")
    made: Array = values if values.dtype.kind == "u" else values.astype(np.int32)
    return made


def _palette_of(path: Path) -> Mask | None:
    """The places in its palette that a picture's pixels have, upright; None without a palette."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(path) as picture:
            if picture.mode != "P":
                return None
            palette: Any = picture.getpalette("RGB") or []
            colours = np.zeros((256, 3), np.uint8)
            colours[: len(palette) // 3] = np.array(palette, np.uint8).reshape(-1, 3)
            return Mask(np.asarray(ImageOps.exif_transpose(picture)).astype(np.int32), palette=colours)
    except (OSError, ValueError, Pillow.DecompressionBombError):  # a format that Pillow does not know, or a size
        return None


def _are_colours(masks: Sequence[Mask]) -> bool:
    """Whether colours tell the classes: some file has them, or palettes do not mean the same by their places."""
    if any(each.is_coloured for each in masks):
        return True
    meant: dict[int, int] = {}
    for each in masks:
        if each.palette is not None:
            used = np.unique(each.values)
            for place, colour in zip(used.tolist(), packed(each.palette)[used].tolist(), strict=True):
                if meant.setdefault(place, colour) != colour:
                    return True
    return False


def _by_colour(colours: Sequence[Array], known: tuple[str, ...], label: str) -> tuple[tuple[str, ...], Array]:
    values = np.unique(np.concatenate([np.unique(each) for each in colours]))
    if len(values) > _MOST_COLOURS:
        raise DataError(
            f"{label}: got masks of {len(values):,} colours, expected at most {_MOST_COLOURS}; save them without loss, "
            "as PNG"
        )
    names = tuple(f"#{value:06x}" for value in values.tolist())
    strange = next((name for name in names if known and name not in known), None)
    if strange is not None:
        raise DataError(f"{label}: got masks with the colour {strange}, expected one of {shortened(', '.join(known))}")
    if len(names) < 2 and not known:
        raise DataError(f"{label}: got masks of one class, {names[0]}, expected two or more")
    places = np.array([known.index(name) if known else place for place, name in enumerate(names)], np.uint8)
    return known or names, places[np.searchsorted(values, np.stack(colours))]


def _soft(values: Array, white: int = 0) -> Array | None:
    """Black and white of greys that are nearly so, as 0 and 255; None of others."""
    highest = white or values.max()
    between = np.count_nonzero((values > _BLACK * highest) & (values < _WHITE * highest))
    if highest < _FEW or between > _SOFT * values.size:
        return None
    return np.where(values >= _HALF * highest, 255, 0)
