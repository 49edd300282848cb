"""Arrays of samples: which shape each has, whether their numbers are pixels, and the one way that they take.

Training, evaluating and predicting all call `take`, with a rule that `rule_for` made of the training data.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from convcli.architectures import shape_text
from convcli.budget import check_memory
from convcli.datasets.model import Array
from convcli.datasets.pictures import NEARLY_BLACK
from convcli.datasets.preprocessing import Preprocessing
from convcli.errors import DataError

_CHUNK = 1 << 24  # numbers that are looked at together
_MOST_CHANNELS = 4  # of an axis that is taken for channels without being told
_FEWEST_MOMENTS = 16  # of a row of numbers that is taken for a series
_SMALLEST = 8  # side of a square of colours that a row is taken for
_STEP = 1e-3  # how far a pixel may be from a whole number of 255ths


def rule_for(
    parts: Sequence[Array], label: str, wanted: tuple[int, ...] | None, *, plain: bool = False
) -> Preprocessing:
    """How samples like these (N, ...) become a network's input.

    Parameters
    ----------
    parts : sequence of ndarray
        Of each split.
    label : str
        What messages begin with.
    wanted : tuple of int, optional
        The shape of a sample, where it is known.
    plain : bool
        Whether rows of numbers are features, each of another kind.
    """
    for part in parts:
        if part.dtype.kind not in "iufb" or part.ndim < 2 or 0 in part.shape[1:]:
            raise DataError(f"{label}: got {part.dtype} of shape {part.shape}, expected numbers of shape (N, ...)")
    sizes = {part.shape[1:] for part in parts}
    if len(sizes) > 1:
        raise DataError(f"{label}: got samples of {' and '.join(sorted(map(str, sizes)))}, expected one size")
    pixels = not plain and all(map(are_pixels, parts))
    size = parts[0].shape[1:]
    shape = _guessed(size, pixels, label) if wanted is None else wanted
    if arranged(size, shape) is None:
        raise DataError(f"{label}: got samples of shape {size}, expected {shape_text(shape)}")
    if pixels and _are_dark(parts):
        pixels = False
    if len(shape) < 3 and not all(part.dtype in (np.uint8, bool) for part in parts):
        pixels = False
    if pixels and len(shape) == 3 and shape[2] in (1, 3):
        return Preprocessing("picture", *shape)
    return Preprocessing.of_arrays(shape, "bytes" if pixels else "numbers")


def take(raw: Array, rule: Preprocessing, label: str) -> Array:
    """Samples (N, ...) as (N, *input) bytes or float32, C-contiguous: the one way of arrays into a network.

    Raises `DataError` for another shape, for what is no finite number, and for pixels outside their range.
    """
    if raw.dtype.kind not in "iufb":
        raise DataError(f"{label}: got samples of {raw.dtype}, expected numbers")
    moved = arranged(raw.shape[1:], rule.input_shape)
    if moved is None:
        got = shape_text((*raw.shape[1:], 1) if raw.ndim == 3 and len(rule.input_shape) == 3 else raw.shape[1:] or (1,))
        expected = shape_text(rule.input_shape)
        raise DataError(f"{label}: got images of {got}, expected {expected}, as the model does")
    numbers = np.moveaxis(raw, 1, -1) if moved == "channels first" else raw
    made = _as_bytes(numbers, label) if rule.values == "bytes" else _as_numbers(numbers, label)
    return np.ascontiguousarray(made.reshape(len(raw), *rule.input_shape))


def arranged(size: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
    """How a sample of this size becomes one of this shape; None if it does not."""
    if size == shape or (*size, 1) == shape:
        return "as it is"
    if len(size) == len(shape) > 1 and (*size[1:], size[0]) == shape:
        return "channels first"
    return "as a row" if len(size) == 1 and math.prod(size) == math.prod(shape) else None


def _are_dark(parts: Sequence[Array]) -> bool:
    """Whether whole numbers are of another scale than 0 to 255: 0 to 16, or masks of 0 and 1."""
    whole = [
        part for part in parts if part.dtype.kind != "b" and not (part.dtype.kind == "f" and _extremes(part)[1] <= 1)
    ]
    highest = max((_extremes(part)[1] for part in whole), default=255.0)
    return 0 < highest <= 255 // NEARLY_BLACK


def told_of_shape(size: tuple[int, ...], rule: Preprocessing) -> tuple[str, ...]:
    """What samples of this size were taken for, where they could be something else."""
    shape = rule.input_shape
    what = {1: "plain features", 2: "series", 3: "pictures", 4: "volumes"}[len(shape)]
    if arranged(size, shape) == "channels first":
        return (f"samples of {shape_text(size)} are taken for {what} of {shape_text(shape)}, channels moved last",)
    if len(size) == 1 or (len(size) == 2 and not rule.takes_pictures):
        return (f"samples of {shape_text(size)} are taken for {what} of {shape_text(shape)}; --input says another",)
    return ()


def are_pixels(raw: Array) -> bool:
    """Whether numbers are whole ones of 0..255, or floats of 0..1 that are such divided by 255."""
    if raw.dtype == np.uint8 or raw.dtype.kind == "b":
        return True
    low, high = _extremes(raw)
    if not (low >= 0 and high <= 255):
        return False
    if raw.dtype.kind in "iu":
        return True
    scale = 255 if high <= 1 else 1
    return all(
        np.abs(part - np.rint(part)).max() <= _STEP for part in (each * np.float64(scale) for each in _chunks(raw))
    )


def are_pictures(samples: Array) -> bool:
    """Whether samples (N, ..., C) can be shown as they are: grey or RGB pictures in bytes."""
    return samples.ndim == 4 and samples.shape[3] in (1, 3) and samples.dtype == np.uint8


def _guessed(size: tuple[int, ...], pixels: bool, label: str) -> tuple[int, ...]:
    """The shape of a sample: spatial sizes, then channels."""
    if len(size) == 1:
        side = math.isqrt(size[0])
        if pixels and side * side == size[0] and side > 1:
            return side, side, 1
        colours = math.isqrt(size[0] // 3)
        if pixels and 3 * colours * colours == size[0] and colours >= _SMALLEST:
            return colours, colours, 3
        return size if size[0] < _FEWEST_MOMENTS else (*size, 1)
    if len(size) == 2:
        if not pixels and size[0] <= _MOST_CHANNELS and size[1] >= _FEWEST_MOMENTS:
            return (size[1], size[0])
        series = size[1] <= _MOST_CHANNELS and size[0] >= _FEWEST_MOMENTS
        series |= not pixels and size[1] <= _FEWEST_MOMENTS and size[0] >= 2 * size[1]
        return size if series or size[1] == 1 else (*size, 1)
    if len(size) in (3, 4) and size[-1] <= _MOST_CHANNELS:
        return size
    if len(size) in (3, 4) and size[0] <= _MOST_CHANNELS:
        return (*size[1:], size[0])
    if len(size) == 3:
        return (*size, 1)
    raise DataError(f"{label}: got samples of shape {size}, expected spatial sizes and channels; say them with --input")


def _as_bytes(raw: Array, label: str) -> Array:
    if raw.dtype == np.uint8 or not raw.size:
        return raw.astype(np.uint8, copy=False)
    low, high = _extremes(raw)
    if not (low >= 0 and high <= 255):
        raise DataError(f"{label}: got pixels from {low:g} to {high:g}, expected 0..255, or 0..1")
    scale = 255 if raw.dtype.kind == "b" or (raw.dtype.kind == "f" and high <= 1) else 1
    if not are_pixels(raw):
        if scale == 1:
            raise DataError(f"{label}: got pixels between whole numbers, expected 0..255, or 0..1 as the model knows")
        return raw.astype(np.float32)
    made = np.empty(raw.shape, np.uint8)
    for begin, part in zip(range(0, len(raw), _rows(raw)), _chunks(raw), strict=True):
        made[begin : begin + len(part)] = np.rint(part * np.float64(scale))
    return made


def _as_numbers(raw: Array, label: str) -> Array:
    if raw.dtype != np.float32:
        check_memory(4 * raw.size, f"{label}: got {len(raw):,} samples of {raw.dtype}; save float32", DataError)
    made = raw.astype(np.float32, copy=False)
    if raw.dtype.kind == "f":
        for part in _chunks(made):
            if not np.isfinite(part).all():
                raise DataError(f"{label}: got NaN or infinite numbers, expected finite ones")
    return made


def _extremes(raw: Array) -> tuple[float, float]:
    return (float(raw.min()), float(raw.max())) if raw.size else (0.0, 0.0)


def _rows(raw: Array) -> int:
    return max(_CHUNK // max(math.prod(raw.shape[1:]), 1), 1)


def _chunks(raw: Array) -> Iterator[Array]:
    step = _rows(raw)
    return (raw[begin : begin + step] for begin in range(0, len(raw), step))
