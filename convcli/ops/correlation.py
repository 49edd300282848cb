"""Cross-correlation and convolution of images: check, ask the geometry, run a loop."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Window, is_integer, listed, windows_of
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array, as_array, as_number, as_stack, as_weights, check_fit, result_dtype
from convcli.ops.borders import resolve_border
from convcli.ops.plan import plan_correlation
from convcli.ops.signatures import BorderWord
from convcli.ops.stacks import correlate_stack
from convcli.ops.sums import Border, Store

Counts = int | Sequence[int]


def correlate2d(
    image: npt.ArrayLike,
    kernel: str | npt.ArrayLike,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: BorderWord = "constant",
    value: float = 0.0,
    dilation: Counts = 1,
    anchor: Counts | None = None,
) -> Array:
    """Slide a kernel over an image and sum the products: cross-correlation, each channel by itself.

    ``out[y, x] = sum over i, j of kernel[i, j] * padded[stride*y + dilation*i, stride*x + dilation*j]``

    A weight of exactly zero does not look at its pixel, so NaN under it does no harm.

    Parameters
    ----------
    image : array_like
        (H, W), (H, W, C) or (N, H, W, C) of integers or floats.
    kernel : array_like or str
        (KH, KW) weights of any size, also even or larger than the image; or a SPEC such as ``"gaussian:sigma=2"``.
    stride, dilation : int or (int, int)
        Steps between windows and between taps, in pixels; 1 is dense.
    padding : str, int or sequence
        ``"valid"``, ``"same"`` (output ``ceil(n / stride)``, the odd pixel goes to the end), ``"full"``, an integer,
        one per axis, or (before, after) per axis.
    border : str
        What fills the padding: ``constant`` (``value``), ``edge``, ``reflect``, ``symmetric``, ``wrap``, in numpy.pad's
        words, or another library's name for one of them.
    value : float
        The constant, in pixel units.
    anchor : int or (int, int), optional
        The tap that lies on the output pixel, with ``padding="same"`` only. The default is ``(k - 1) // 2``; for even
        kernels SciPy and OpenCV have ``k // 2``.

    Returns
    -------
    ndarray
        The image's layout with OH and OW rows and columns; float64 for float64 images, float32 for all others.
        Nothing is clipped.

    Raises
    ------
    ShapeError
        If the image's rank, dtype or size, or a count, is not as above, or no window fits.
    KernelError
        If the kernel is not a finite matrix.

    Examples
    --------
    >>> correlate2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 0], [0, -1]])
    array([[-4., -4.],
           [-4., -4.]], dtype=float32)
    """
    return _correlate(image, kernel, 2, border, value, (stride, padding, dilation, anchor))


def convolve2d(
    image: npt.ArrayLike,
    kernel: str | npt.ArrayLike,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: BorderWord = "constant",
    value: float = 0.0,
    dilation: Counts = 1,
    anchor: Counts | None = None,
) -> Array:
    """Convolve an image: `correlate2d` with the kernel turned by 180 degrees.

    ``out[y, x] = sum over i, j of kernel[KH-1-i, KW-1-j] * padded[stride*y + dilation*i, stride*x + dilation*j]``

    Parameters, returned array and errors are those of `correlate2d`; ``anchor`` counts in the turned kernel.

    Examples
    --------
    >>> convolve2d([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]])
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return _correlate(image, kernel, 2, border, value, (stride, padding, dilation, anchor), flip=True)


def correlate3d(
    volume: npt.ArrayLike,
    kernel: str | npt.ArrayLike,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: BorderWord = "constant",
    value: float = 0.0,
    dilation: Counts = 1,
    anchor: Counts | None = None,
) -> Array:
    """Slide a kernel through a volume and sum the products: `correlate2d` with one axis more.

    Parameters
    ----------
    volume : array_like
        (D, H, W), (D, H, W, C) or (N, D, H, W, C) of integers or floats.
    kernel : array_like or str
        (KD, KH, KW) weights, or a SPEC such as ``"gaussian3d:sigma=2"``.
    stride, padding, border, value, dilation, anchor
        As in `correlate2d`, in the order depth, height, width where there is one per axis.

    Returns
    -------
    ndarray
        The volume's layout with OD planes, OH rows and OW columns; float64 for float64 volumes, else float32.

    Raises
    ------
    ShapeError, KernelError
        As `correlate2d`.

    Examples
    --------
    >>> correlate3d([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], [[[1]], [[-1]]]).tolist()
    [[[-4.0, -4.0], [-4.0, -4.0]]]
    """
    return _correlate(volume, kernel, 3, border, value, (stride, padding, dilation, anchor))


def convolve3d(
    volume: npt.ArrayLike,
    kernel: str | npt.ArrayLike,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: BorderWord = "constant",
    value: float = 0.0,
    dilation: Counts = 1,
    anchor: Counts | None = None,
) -> Array:
    """Convolve a volume: `correlate3d` with the kernel reversed along its three axes.

    Parameters, returned array and errors are those of `correlate3d`; ``anchor`` counts in the reversed kernel.

    Examples
    --------
    >>> convolve3d([[[1.0]]], [[[1, 2]]], padding="full").tolist()
    [[[1.0, 2.0]]]
    """
    return _correlate(volume, kernel, 3, border, value, (stride, padding, dilation, anchor), flip=True)


def _correlate(
    image: Any, kernel: Any, axes: int, border: str, value: float, moves: tuple[Any, ...], *, flip: bool = False
) -> Array:
    """``moves`` are the last words of `correlation_windows`."""
    name = "image" if axes == 2 else "volume"
    image = as_array(name, image)
    stack = as_stack(image, axes, name=name)
    weights = as_weights(kernel, axes)
    value = as_number("value", value)
    weights = np.ascontiguousarray(np.flip(weights)) if flip else weights
    sizes = stack.array.shape[4 - axes : 4]
    windows = correlation_windows(sizes, weights.shape, *moves)
    plan = plan_correlation(weights, stack.array.dtype)
    store = Store(result_dtype(image.dtype))
    result, _ = correlate_stack(stack.array, plan, windows, Border(resolve_border(border), value), store=store)
    return stack.restore(result)


def correlation_windows(
    sizes: Sequence[int],
    kernel_sizes: Sequence[int],
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    anchor: Counts | None = None,
) -> tuple[Window, ...]:
    """Resolve the words of a correlation to one window per axis; raises `ShapeError` where no window fits."""
    windows = windows_of(sizes, tuple(kernel_sizes), stride=stride, padding=padding, dilation=dilation)
    if anchor is not None:
        if not (isinstance(padding, str) and padding.lower() == "same"):
            raise ShapeError(f"anchor: got {anchor!r} with padding {padding!r}, expected padding 'same'")
        anchor = listed(anchor, "anchor")
        several = isinstance(anchor, Sequence) and not isinstance(anchor, str | bytes)
        anchors = tuple(islice(anchor, len(sizes) + 1)) if several else (anchor,) * len(sizes)  # type: ignore[arg-type]
        if len(anchors) != len(sizes):
            raise ShapeError(f"anchor: got {len(anchors)} values, expected one, or one per axis ({len(sizes)})")
        windows = tuple(_anchored(*each) for each in zip(windows, sizes, anchors, strict=True))
    for axis, (window, n) in enumerate(zip(windows, sizes, strict=True)):
        check_fit("kernel", window, axis, n)
    return windows


def _anchored(window: Window, n: int, anchor: Any) -> Window:
    if not is_integer(anchor) or not 0 <= anchor < window.kernel_size:
        raise ShapeError(
            f"anchor: got {shortened(repr(anchor))}, expected an integer from 0 to {window.kernel_size - 1}"
        )
    outputs = -(-n // window.stride)
    before = int(anchor) * window.dilation
    after = max((outputs - 1) * window.stride + window.effective - n - before, 0)
    return Window(window.kernel_size, window.stride, before, after, window.dilation)
