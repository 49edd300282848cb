"""Padding: an image with more cells around it."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Pair, listed, resolve_padding
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array, as_stack
from convcli.ops.borders import border_table, resolve_border
from convcli.ops.signatures import BorderWord
from convcli.ops.words import as_words, new_array, read_only, value_words

Value = float | Sequence[float]


def pad2d(image: npt.ArrayLike, amount: PaddingSpec, *, mode: BorderWord = "constant", value: Value = 0.0) -> Array:
    """Add cells around an image, each channel by itself.

    ``out[y, x] = image[source(y - top), source(x - left)]``, where ``source`` is the mode's continuation of the image.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers, floats or booleans.
    amount : int or sequence
        Cells to add: one number for all four sides, (vertical, horizontal), or ((top, bottom), (left, right)). May be
        larger than the image.
    mode : str
        ``constant`` (``value``), ``edge``, ``reflect``, ``symmetric`` or ``wrap``, in numpy.pad's words, or another
        library's name for one of them.
    value : float or sequence of float
        The constant, in pixel units, or one for each channel; integer images take whole numbers of their range only.

    Returns
    -------
    ndarray
        The image's layout and dtype with (H + top + bottom) rows and (W + left + right) columns.

    Raises
    ------
    ShapeError
        If the image's rank, dtype or size, the amount, the mode or the value is not as above.

    Examples
    --------
    >>> pad2d([[1, 2], [3, 4]], 1)
    array([[0, 0, 0, 0],
           [0, 1, 2, 0],
           [0, 3, 4, 0],
           [0, 0, 0, 0]])
    """
    return _pad(image, 2, amount, mode, value)


def pad3d(image: npt.ArrayLike, amount: PaddingSpec, *, mode: BorderWord = "constant", value: Value = 0.0) -> Array:
    """Add cells around a volume, each channel by itself: `pad2d` with an axis more.

    Parameters
    ----------
    image : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers, floats or booleans.
    amount : int or sequence
        Cells to add: one number for all six sides, one per axis, or (before, after) per axis.
    mode, value
        As in `pad2d`.

    Returns
    -------
    ndarray
        The volume's layout and dtype, each axis longer by its amounts.

    Raises
    ------
    ShapeError
        As `pad2d`.

    Examples
    --------
    >>> pad3d([[[1, 2]]], (0, 0, 1), mode="edge")
    array([[[1, 1, 2, 2]]])
    """
    return _pad(image, 3, amount, mode, value)


def pad_stack(source: Array, pads: tuple[Pair, ...], mode: str, value: Value) -> Array:
    """Pad a stack (N, D, H, W, C) by (before, after) per axis of D, H, W.

    Raises `ShapeError` for a ``value`` that the dtype does not hold, or not as many of them as channels.
    """
    several = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim)
    several = several and not isinstance(value, str | bytes)
    channels = source.shape[4]
    # One more than there can be tells enough.
    constants = list(islice(value, channels + 1)) if several else [value]  # type: ignore[arg-type]
    if len(constants) not in (1, channels):
        least = "at least " if len(constants) > channels else ""
        raise ShapeError(f"value: got {least}{len(constants)} numbers, expected one, or one per channel ({channels})")
    fill = np.concatenate([value_words(each, source.dtype) for each in constants])
    sizes = source.shape[1:4]
    shape = tuple(n + before + after for n, (before, after) in zip(sizes, pads, strict=True))
    out = new_array((source.shape[0], *shape, source.shape[4]), source.dtype)
    tables = tuple(border_table(n, pad, mode) for n, pad in zip(sizes, pads, strict=True))
    words, pixel = as_words(source)
    from convcli.loops.copying import pad_rows

    pad_rows(read_only(words), tables, pads[2][0], pixel, fill, as_words(out)[0])
    return out


def resolve_pad_mode(mode: str) -> str:
    """One of numpy.pad's five words, from its own name or another library's; raises `ShapeError` for others."""
    try:
        return resolve_border(mode)
    except ShapeError as error:
        raise ShapeError(str(error).replace("border:", "mode:", 1)) from None


def resolve_amounts(amount: Any, axes: int) -> tuple[Pair, ...]:
    """(before, after) for each axis, from one number, one per axis, or pairs; raises `ShapeError` for others."""
    amount = listed(amount, "amount")
    if isinstance(amount, str):
        raise ShapeError(
            f"amount: got {shortened(repr(amount))}, expected an integer, one per axis, or (before, after) per axis"
        )
    sizes = (1,) * axes
    try:
        return resolve_padding(amount, sizes, sizes)
    except ShapeError as error:
        raise ShapeError(str(error).replace("padding:", "amount:", 1)) from None


def _pad(image: Any, axes: int, amount: PaddingSpec, mode: str, value: Value) -> Array:
    stack = as_stack(image, axes, keep_dtype=True)
    pads = ((0, 0),) * (3 - axes) + resolve_amounts(amount, axes)
    return stack.restore(pad_stack(stack.array, pads, resolve_pad_mode(mode), value))
