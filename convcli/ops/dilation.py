"""Dilation as convolution layers mean it: zeros between elements. (The grey-value dilation is in `morphology`.)"""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from convcli.geometry import effective_kernel_size, per_axis
from convcli.ops.arguments import Array, as_stack
from convcli.ops.words import as_words, new_array, read_only


def dilate2d(image: npt.ArrayLike, rate: int | Sequence[int]) -> Array:
    """Put zeros between an image's pixels: what a dilation rate does to a kernel, and a stride to a gradient.

    ``out[rate * y, rate * x] = image[y, x]``, zero elsewhere; an axis of n becomes ``(n - 1) * rate + 1``.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers, floats or booleans.
    rate : int or (int, int)
        Steps between neighbouring pixels in the result; 1 changes nothing.

    Returns
    -------
    ndarray
        The image's layout and dtype with ((H - 1) * rate + 1) rows and ((W - 1) * rate + 1) columns.

    Raises
    ------
    ShapeError
        If the image's rank, dtype or size, or the rate, is not as above.

    Examples
    --------
    >>> dilate2d([[1, 2], [3, 4]], 2)
    array([[1, 0, 2],
           [0, 0, 0],
           [3, 0, 4]])
    """
    return _dilate(image, 2, rate)


def dilate3d(image: npt.ArrayLike, rate: int | Sequence[int]) -> Array:
    """Put zeros between a volume's elements: `dilate2d` with an axis more.

    Parameters
    ----------
    image : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers, floats or booleans.
    rate : int or (int, int, int)
        As in `dilate2d`.

    Returns
    -------
    ndarray
        The volume's layout and dtype; each axis of n becomes ``(n - 1) * rate + 1``.

    Raises
    ------
    ShapeError
        As `dilate2d`.

    Examples
    --------
    >>> dilate3d([[[1, 2, 3]]], (1, 1, 3))
    array([[[1, 0, 0, 2, 0, 0, 3]]])
    """
    return _dilate(image, 3, rate)


def _dilate(image: Any, axes: int, rate: int | Sequence[int]) -> Array:
    stack = as_stack(image, axes, keep_dtype=True)
    rates = (1,) * (3 - axes) + per_axis(rate, axes, "rate")
    source = stack.array
    sizes = tuple(effective_kernel_size(n, each) for n, each in zip(source.shape[1:4], rates, strict=True))
    out = new_array((source.shape[0], *sizes, source.shape[4]), source.dtype, zeros=True)
    words, pixel = as_words(source)
    from convcli.loops.copying import spread_rows

    spread_rows(read_only(words), rates, pixel, as_words(out)[0])
    return stack.restore(out)
