"""Choosing among the pixels that can be seen: what extrema, medians and morphology do to colour that has alpha.

A mean may weigh colour by alpha and divide by the mean of alpha. An operation that chooses may not: the largest
weighted red, divided by the largest alpha, is a colour of no pixel. It chooses, in each channel, from those pixels of
its window whose alpha is not 0, as they are; alpha itself goes through the same operation, or is kept by differences.
So no value comes out that the picture does not have, and one colour stays one colour and has no differences.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.ops.arguments import Array
from convcli.ops.morphology import difference
from convcli.ops.ordering import highest, lowest
from convcli.ops.pooling_axes import PoolingAxis

# Numbers of windows looked at at a time.
_MOST_NUMBERS = 1 << 22
# An extremum of pixels (H, W, C), beyond a constant border of some value: "dilate" or "erode", pixels, that value.
Extremum = Callable[[str, Array, float], Array]
_STAGES = {
    "dilate": (("dilate",), ()),
    "erode": (("erode",), ()),
    "open": (("erode", "dilate"), ()),
    "close": (("dilate", "erode"), ()),
    "gradient": (("dilate",), ("erode",)),
    "tophat": ((), ("erode", "dilate")),
    "blackhat": (("dilate", "erode"), ()),
}
_DIFFERENCES = ("gradient", "tophat", "blackhat")


def without(colour: Array, hidden: Array, largest: bool) -> Array:
    """Colour (H, W, C) whose hidden pixels (H, W, 1) never win as the ``largest``, or as the smallest."""
    never: Any = (lowest if largest else highest)(colour.dtype)
    return np.where(hidden, never, colour)


def morph_visible(colour: Array, hidden: Array, operation: str, extremum: Extremum, value: float) -> Array:
    """A morphological operation among pixels that are not ``hidden`` (H, W, 1); 0 where none can be seen."""

    def through(stages: tuple[str, ...]) -> tuple[Array, Array]:
        pixels, unseen = colour, hidden
        for stage in stages:
            largest = stage == "dilate"
            pixels = extremum(stage, without(pixels, unseen, largest), value)
            # A window of hidden pixels alone. What lies beyond a constant border can be seen.
            if largest:
                unseen = extremum(stage, (~unseen).astype(np.uint8), 1) == 0
            else:
                unseen = extremum(stage, unseen.astype(np.uint8), 0) == 1
        return pixels, unseen

    upper, nothing = through(_STAGES[operation][0])
    if operation in _DIFFERENCES:
        lower, nothing_lower = through(_STAGES[operation][1])
        nothing = nothing | nothing_lower
        zero = colour.dtype.type(0)
        upper = difference(np.where(nothing, zero, upper), np.where(nothing, zero, lower), colour.dtype)
    return np.where(nothing, colour.dtype.type(0), upper)


def medians_visible(colour: Array, hidden: Array, axes: tuple[PoolingAxis, ...], medians: Array) -> None:
    """Put the medians (OH, OW, C) of windows with hidden pixels (H, W, 1) right: of the pixels that can be seen."""
    pixels = without(colour, hidden, False)
    taps = [int(axis.table[:, 1].max()) for axis in axes]
    wide = max(_MOST_NUMBERS // (taps[0] * taps[1] * colour.shape[2]), 1)
    cells = np.stack(np.meshgrid(*(np.arange(len(axis.table)) for axis in axes), indexing="ij"), -1).reshape(-1, 2)
    for start in range(0, len(cells), wide):
        part = cells[start : start + wide]
        (y, inside_y), (x, inside_x) = (
            _places(axis, part[:, number], count) for number, (axis, count) in enumerate(zip(axes, taps, strict=True))
        )
        inside = inside_y[:, None] & inside_x[None]
        seen = inside & ~hidden[y[:, None], x[None], 0]
        wrong = (seen != inside).any((0, 1))
        y, x, inside, seen = y[:, wrong], x[:, wrong], inside[:, :, wrong], seen[:, :, wrong]
        values = np.where(inside[..., None], pixels[y[:, None], x[None]], highest(pixels.dtype))
        values = values.reshape(-1, *values.shape[2:])
        values.sort(axis=0)
        middle = np.maximum((seen.sum((0, 1)) - 1) // 2, 0)
        chosen = np.take_along_axis(values, middle[None, :, None], 0)[0]
        chosen[~seen.any((0, 1))] = 0
        medians[tuple(part[wrong].T)] = chosen


def _places(axis: PoolingAxis, windows: Array, count: int) -> tuple[Array, Array]:
    """For ``count`` taps of windows (n,): the cells (count, n) they see, and whether they do."""
    first, taps = axis.table[windows, 0], axis.table[windows, 1]
    tap = np.arange(count)[:, None]
    inside = tap < taps
    return np.where(inside, first + tap * axis.dilation, first), inside
