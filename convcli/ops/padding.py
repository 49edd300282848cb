"""Padding: an image with more cells around it."""

from typing import Any

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Pair, resolve_padding
from convcli.ops.arguments import Array, as_stack
from convcli.ops.borders import border_table, resolve_border
from convcli.ops.words import as_words, new_array, read_only, value_words


def pad2d(image: Any, amount: PaddingSpec, *, mode: str = "constant", value: float = 0.0) -> Array:
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
    value : float
        The constant, in pixel units; integer images take whole numbers of their range only.

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


def pad3d(image: Any, amount: PaddingSpec, *, mode: str = "constant", value: float = 0.0) -> Array:
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


def pad_stack(source: Array, pads: tuple[Pair, ...], mode: str, value: float) -> Array:
    """Pad a stack (N, D, H, W, C) by (before, after) per axis of D, H, W; arguments are already checked."""
    sizes = source.shape[1:4]
    shape = tuple(n + before + after for n, (before, after) in zip(sizes, pads, strict=True))
    out = new_array((source.shape[0], *shape, source.shape[4]), source.dtype)
    tables = tuple(border_table(n, pad, mode) for n, pad in zip(sizes, pads, strict=True))
    words, pixel = as_words(source)
    from convcli.loops.copying import pad_rows

    pad_rows(read_only(words), tables, pads[2][0], pixel, value_words(value, source.dtype), as_words(out)[0])
    return out


def _pad(image: Any, axes: int, amount: PaddingSpec, mode: str, value: float) -> Array:
    stack = as_stack(image, axes, keep_dtype=True)
    pads = ((0, 0),) * (3 - axes) + _amounts(amount, axes)
    try:
        mode = resolve_border(mode)
    except ShapeError as error:
        raise ShapeError(str(error).replace("border:", "mode:", 1)) from None
    return stack.restore(pad_stack(stack.array, pads, mode, value))


def _amounts(amount: Any, axes: int) -> tuple[Pair, ...]:
    amount = amount.tolist() if hasattr(amount, "tolist") else amount
    if isinstance(amount, str):
        raise ShapeError(f"amount: got {amount!r}, expected an integer, one per axis, or (before, after) per axis")
    sizes = (1,) * axes
    try:
        return resolve_padding(amount, sizes, sizes)
    except ShapeError as error:
        raise ShapeError(str(error).replace("padding:", "amount:", 1)) from None
