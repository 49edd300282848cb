"""Pooling: one number for each window of an image, a volume or a signal."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array, Stack, as_array, as_flag, as_stack
from convcli.ops.pooling_axes import Counts, PoolingAxis, adaptive_axes, sliding_axes
from convcli.ops.pooling_runs import pool_stack
from convcli.ops.signatures import PoolMode


def pool2d(
    image: npt.ArrayLike,
    size: Counts | Literal["global"],
    *,
    mode: PoolMode = "max",
    stride: Counts | None = None,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    p: float = 2.0,
    seed: int = 0,
) -> Array:
    """Reduce each window of an image to one number, each channel by itself.

    ``out[y, x] = mode of image[stride*y + dilation*i - top, stride*x + dilation*j - left] over i < KH, j < KW``

    Padding never wins a maximum and is in no median; it counts, as zeros, in an average only with
    ``count_include_pad``. The modes:

    - ``max``, ``min``: NaN if one is in the window.
    - ``average``: the sum divided by how many pixels of the image the window covers; with ``count_include_pad`` by how
      many pixels of the padded image, so that what ``ceil_mode`` lets hang over does not count (PyTorch's rule).
    - ``weighted``: an average with weights ``exp(-(i - (KH-1)/2)**2 / (2*(KH/4)**2))`` times the same for j and KW: the
      window's edge is two standard deviations from its centre. The weights of what does not count are left out.
    - ``lp``: ``(sum of |value|**p) ** (1/p)``; the 2-norm unless ``p`` says otherwise.
    - ``median``: the middle value, the lower one of two; NaN if one is in the window.
    - ``stochastic``: a value of the window, drawn with a chance in proportion to it. Negative values have none; where
      no value is positive all have the same. A seed draws the same for any number of threads.
      Source: M. Zeiler, R. Fergus, "Stochastic Pooling for Regularization of Deep Convolutional Neural Networks", 2013,
      section 3.1.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers, floats or booleans.
    size : int, (int, int) or "global"
        The window, in taps; ``"global"`` is one window over the whole image and takes no stride, padding or dilation.
    mode : str
        One of the modes above; ``avg`` and ``mean`` are ``average``.
    stride : int or (int, int), optional
        Pixels from window to window; the default is ``size``.
    padding : str, int or sequence
        ``"valid"``, ``"same"`` (output ``ceil(n / stride)``), ``"full"``, an integer, one per axis, or (before, after)
        per axis. Every window has to cover a pixel of the image.
    dilation : int or (int, int)
        Pixels from tap to tap.
    ceil_mode : bool
        Let the last window hang over the end, if it starts inside.
    count_include_pad : bool
        Count padding as zeros, for ``average`` and ``weighted``.
    p : float
        The exponent of ``lp``, above 0.
    seed : int
        For ``stochastic``: 0 to 2**64 - 1.

    Returns
    -------
    ndarray
        The image's layout with OH rows and OW columns. ``max``, ``min``, ``median`` and ``stochastic`` keep the dtype;
        the others give float64 for float64 images and float32 for all others, from sums in float64.

    Raises
    ------
    ShapeError
        If an argument is not as above, no window fits, or a window would cover nothing but padding.

    Examples
    --------
    >>> pool2d([[2, 3, 1, 9], [4, 7, 3, 5], [8, 2, 2, 2], [1, 3, 4, 5]], 2)
    array([[7, 9],
           [8, 5]])
    >>> pool2d([[2, 3, 1, 9], [4, 7, 3, 5], [8, 2, 2, 2], [1, 3, 4, 5]], 2, mode="average")
    array([[4.  , 4.5 ],
           [3.5 , 3.25]], dtype=float32)
    """
    stack = as_stack(image, 2, keep_dtype=True)
    axes = _axes(stack.array.shape[2:4], size, stride, padding, dilation, ceil_mode)
    return stack.restore(pool_stack(stack.array, axes, mode, count_include_pad, p, seed))


def pool3d(
    image: npt.ArrayLike,
    size: Counts | Literal["global"],
    *,
    mode: PoolMode = "max",
    stride: Counts | None = None,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    p: float = 2.0,
    seed: int = 0,
) -> Array:
    """Reduce each window of a volume to one number, each channel by itself: `pool2d` with an axis more.

    Parameters
    ----------
    image : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers, floats or booleans.
    size, mode, stride, padding, dilation, ceil_mode, count_include_pad, p, seed
        As in `pool2d`, with three numbers where it takes two.

    Returns
    -------
    ndarray
        The volume's layout with OD planes of OH rows and OW columns; the dtype as in `pool2d`.

    Raises
    ------
    ShapeError
        As `pool2d`.

    Examples
    --------
    >>> pool3d([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], 2)
    array([[[8]]])
    """
    stack = as_stack(image, 3, keep_dtype=True)
    axes = _axes(stack.array.shape[1:4], size, stride, padding, dilation, ceil_mode)
    return stack.restore(pool_stack(stack.array, axes, mode, count_include_pad, p, seed))


def pool1d(
    signal: npt.ArrayLike,
    size: Counts | Literal["global"],
    *,
    mode: PoolMode = "max",
    stride: Counts | None = None,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    p: float = 2.0,
    seed: int = 0,
) -> Array:
    """Reduce each window of a signal to one number, each channel by itself: `pool2d` with an axis less.

    Parameters
    ----------
    signal : array_like
        (N, W, C) of integers, floats or booleans.
    size, mode, stride, padding, dilation, ceil_mode, count_include_pad, p, seed
        As in `pool2d`, with one number where it takes two.

    Returns
    -------
    ndarray
        (N, OW, C); the dtype as in `pool2d`.

    Raises
    ------
    ShapeError
        As `pool2d`.

    Examples
    --------
    >>> pool1d([[[1], [5], [2], [3]]], 2)[0, :, 0]
    array([5, 3])
    """
    stack = _signals(signal)
    axes = _axes(stack.array.shape[3:4], size, stride, padding, dilation, ceil_mode)
    return stack.restore(pool_stack(stack.array, axes, mode, count_include_pad, p, seed))[:, 0]


def adaptive_pool2d(
    image: npt.ArrayLike, output_size: Counts, *, mode: PoolMode = "max", p: float = 2.0, seed: int = 0
) -> Array:
    """Reduce an image to so many windows, whatever its size.

    ``out[y] = mode of image[floor(y*H/OH) : ceil((y+1)*H/OH)]``, and the same for columns. Windows overlap by a pixel
    where the size does not divide, and differ in size then (PyTorch's rule).

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers, floats or booleans.
    output_size : int or (int, int)
        Windows along each axis; may be more than there are pixels.
    mode, p, seed
        As in `pool2d`.

    Returns
    -------
    ndarray
        The image's layout with that many rows and columns; the dtype as in `pool2d`.

    Raises
    ------
    ShapeError
        As `pool2d`.

    Examples
    --------
    >>> adaptive_pool2d([[1, 2, 3, 4, 5]], (1, 2))
    array([[3, 5]])
    """
    stack = as_stack(image, 2, keep_dtype=True)
    axes = adaptive_axes(stack.array.shape[2:4], output_size)
    return stack.restore(pool_stack(stack.array, axes, mode, False, p, seed))


def adaptive_pool3d(
    image: npt.ArrayLike, output_size: Counts, *, mode: PoolMode = "max", p: float = 2.0, seed: int = 0
) -> Array:
    """Reduce a volume (D, H, W), (D, H, W, C) or (N, D, H, W, C) to so many windows: see `adaptive_pool2d`.

    >>> adaptive_pool3d([[[1, 2, 3, 4]]], (1, 1, 2))
    array([[[2, 4]]])
    """
    stack = as_stack(image, 3, keep_dtype=True)
    axes = adaptive_axes(stack.array.shape[1:4], output_size)
    return stack.restore(pool_stack(stack.array, axes, mode, False, p, seed))


def adaptive_pool1d(
    signal: npt.ArrayLike, output_size: Counts, *, mode: PoolMode = "max", p: float = 2.0, seed: int = 0
) -> Array:
    """Reduce signals (N, W, C) to so many windows: see `adaptive_pool2d`.

    >>> adaptive_pool1d([[[1], [2], [3], [4]]], 2)[0, :, 0]
    array([2, 4])
    """
    stack = _signals(signal)
    axes = adaptive_axes(stack.array.shape[3:4], output_size)
    return stack.restore(pool_stack(stack.array, axes, mode, False, p, seed))[:, 0]


def check_global(stride: Any, padding: Any, dilation: Any, ceil_mode: bool, *, why: str = "size 'global'") -> None:
    """Raise `ShapeError` for words that windows which share the image out have no use for; ``why`` they do so."""
    for name, value, default in (
        ("stride", stride, None),
        ("padding", padding, "valid"),
        ("dilation", dilation, 1),
        ("ceil_mode", ceil_mode, False),
    ):
        spread = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
        if any(each != default for each in spread):
            raise ShapeError(
                f"{name}: got {shortened(repr(value))} with {why}, expected none: such windows do not slide"
            )


def _axes(
    sizes: Sequence[int],
    size: Counts | Literal["global"],
    stride: Counts | None,
    padding: PaddingSpec,
    dilation: Counts,
    ceil_mode: bool,
) -> tuple[PoolingAxis, ...]:
    ceil_mode = as_flag("ceil_mode", ceil_mode)
    if not isinstance(size, str):
        return sliding_axes(sizes, size, stride, padding, dilation, ceil_mode)
    if size.lower() != "global":
        raise ShapeError(
            f"size: got {shortened(repr(size))}, expected an integer, one per axis ({len(sizes)}), or 'global'"
        )
    check_global(stride, padding, dilation, ceil_mode)
    return adaptive_axes(sizes, 1)


def _signals(signal: Any) -> Stack:
    array = as_array("signal", signal, "(N, W, C)")
    if array.ndim != 3 or 0 in array.shape:
        raise ShapeError(f"signal: got shape {array.shape}, expected (N, W, C), at least one element along every axis")
    return as_stack(array[:, None], 2, keep_dtype=True, name="signal")
