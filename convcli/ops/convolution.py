"""Convolution layers as array functions: check, ask the geometry, run a pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, is_integer, transposed_windows_of
from convcli.kernels.parameters import shortened
from convcli.ops.arguments import Array, as_array, as_contiguous, as_flag, check_fit, known_windows, result_dtype
from convcli.ops.convolution_passes import conv_forward, conv_input_gradient

Counts = int | Sequence[int]

_SPATIAL = {1: "W", 2: "H, W", 3: "D, H, W"}
_KERNEL = {1: "KW", 2: "KH, KW", 3: "KD, KH, KW"}


def conv1d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    groups: int = 1,
) -> Array:
    """Apply a convolution layer to series: `conv2d` with one spatial axis.

    ``out[n, x, o] = bias[o] + sum over i, c of weight[i, c, o] * padded[n, stride*x + dilation*i, c]``

    Parameters
    ----------
    x : array_like
        (N, W, C).
    weight : array_like
        (KW, C/groups, O).
    bias, stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    ndarray
        (N, OW, O).

    Raises
    ------
    ShapeError
        As in `conv2d`.

    Examples
    --------
    >>> conv1d([[[1], [2], [4]]], [[[1]], [[-1]]])
    array([[[-1.],
            [-2.]]], dtype=float32)
    """
    return _convolution(x, weight, bias, 1, groups, True, stride=stride, padding=padding, dilation=dilation)


def conv2d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    groups: int = 1,
    exact: bool = False,
) -> Array:
    """Apply a convolution layer to images: each filter is cross-correlated with all channels of its group.

    ``out[n, y, x, o] = bias[o]
    + sum over i, j, c of weight[i, j, c, o] * padded[n, stride*y + dilation*i, stride*x + dilation*j, c]``

    where ``c`` runs over the channels of filter ``o``'s group, and the padding is zero.

    Parameters
    ----------
    x : array_like
        (N, H, W, C) of floats or integers.
    weight : array_like
        (KH, KW, C/groups, O), converted to the result's dtype.
    bias : array_like, optional
        (O,): added to each filter's map.
    stride, dilation : int or (int, int)
        Steps between windows and between taps, in pixels; 1 is dense.
    padding : str, int or sequence
        ``"valid"``, ``"same"`` (output ``ceil(n / stride)``, the odd pixel goes to the end), ``"full"``, an integer,
        one per axis, or (before, after) per axis.
    groups : int
        Channels and filters are cut into so many parts, which do not see each other; ``groups=C`` is depthwise.
    exact : bool
        Whether plain sums of products are wanted in any case. Otherwise layers of 3x3 with stride 1 and many channels
        are computed by Winograd's transforms where that is faster (about twice), if ``x`` has floats and everything is
        finite. Compared with float64, the error of a result is 6e-7 to 1.7e-6 of the root mean square of all (plain
        sums: 2e-7 to 8e-7), the largest 9e-6 to 2e-5 of it (2e-6 to 9e-6); one very large pixel gives outputs up to
        three pixels further an error in proportion to itself.

    Returns
    -------
    ndarray
        (N, OH, OW, O); float64 for float64 ``x``, float32 for all others. The bits do not depend on the number of
        threads.

    Raises
    ------
    ShapeError
        If a rank, size, dtype or count is not as above, if the groups do not divide, or if no window fits.

    Examples
    --------
    >>> x = [[[[1], [2]], [[3], [4]]]]
    >>> conv2d(x, np.ones((2, 2, 1, 2)), [0, 10]).tolist()
    [[[[10.0, 20.0]]]]
    """
    return _convolution(x, weight, bias, 2, groups, exact, stride=stride, padding=padding, dilation=dilation)


def conv3d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    dilation: Counts = 1,
    groups: int = 1,
) -> Array:
    """Apply a convolution layer to volumes or clips: `conv2d` with three spatial axes.

    ``out[n, z, y, x, o] = bias[o] + sum over h, i, j, c of weight[h, i, j, c, o]
    * padded[n, stride*z + dilation*h, stride*y + dilation*i, stride*x + dilation*j, c]``

    Parameters
    ----------
    x : array_like
        (N, D, H, W, C).
    weight : array_like
        (KD, KH, KW, C/groups, O).
    bias, stride, padding, dilation, groups
        As in `conv2d`, with three numbers where it has two.

    Returns
    -------
    ndarray
        (N, OD, OH, OW, O).

    Raises
    ------
    ShapeError
        As in `conv2d`.

    Examples
    --------
    >>> conv3d(np.ones((1, 3, 3, 3, 1)), np.ones((3, 3, 3, 1, 1))).item()
    27.0
    """
    return _convolution(x, weight, bias, 3, groups, True, stride=stride, padding=padding, dilation=dilation)


def conv_transpose1d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = 0,
    output_padding: Counts = 0,
    dilation: Counts = 1,
    groups: int = 1,
) -> Array:
    """Apply a transposed convolution layer to series: `conv_transpose2d` with one spatial axis.

    ``out[n, stride*x + dilation*i - before, o] += weight[i, o, c] * x[n, x, c]``

    Parameters
    ----------
    x : array_like
        (N, W, C).
    weight : array_like
        (KW, O/groups, C).
    bias, stride, padding, output_padding, dilation, groups
        As in `conv_transpose2d`.

    Returns
    -------
    ndarray
        (N, OW, O).

    Raises
    ------
    ShapeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose1d([[[1], [2]]], [[[1]], [[1]], [[1]]], stride=2).ravel().tolist()
    [1.0, 1.0, 3.0, 2.0, 2.0]
    """
    moves = {"stride": stride, "padding": padding, "dilation": dilation}
    return _transposed(x, weight, bias, 1, groups, output_padding, True, **moves)


def conv_transpose2d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = 0,
    output_padding: Counts = 0,
    dilation: Counts = 1,
    groups: int = 1,
    exact: bool = False,
) -> Array:
    """Apply a transposed convolution layer to images: each pixel lays down its filters, ``stride`` apart, added up.

    ``out[n, stride*y + dilation*i - before, stride*x + dilation*j - before, o] += weight[i, j, o, c] * x[n, y, x, c]``

    It is the gradient of `conv2d` with respect to its input, with the same weights: O are that convolution's channels
    and C its filters.

    Parameters
    ----------
    x : array_like
        (N, H, W, C) of floats or integers.
    weight : array_like
        (KH, KW, O/groups, C), the layout of the convolution that is transposed.
    bias : array_like, optional
        (O,): added to each map of the result.
    stride, dilation : int or (int, int)
        Steps between the windows in the output and between their taps, in pixels.
    padding : str, int or sequence
        Pixels cut from the full result: an integer, one per axis, or (before, after) per axis. The words mean the
        padding of the transposed convolution: ``"valid"`` cuts nothing, ``"same"`` leaves ``n * stride`` pixels.
    output_padding : int or (int, int)
        Pixels added at the end of each axis, fewer than the stride or the dilation: which of the sizes that the
        convolution would map to ``n``.
    groups, exact
        As in `conv2d`.

    Returns
    -------
    ndarray
        (N, OH, OW, O) with ``OH = (H - 1)*stride + dilation*(KH - 1) + 1 - before - after + output_padding``; float64
        for float64 ``x``, float32 for all others.

    Raises
    ------
    ShapeError
        If a rank, size, dtype or count is not as above, if the groups do not divide, or if everything is cut away.

    Examples
    --------
    >>> conv_transpose2d(np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1)))[0, :, :, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    moves = {"stride": stride, "padding": padding, "dilation": dilation}
    return _transposed(x, weight, bias, 2, groups, output_padding, exact, **moves)


def conv_transpose3d(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = 0,
    output_padding: Counts = 0,
    dilation: Counts = 1,
    groups: int = 1,
) -> Array:
    """Apply a transposed convolution layer to volumes or clips: `conv_transpose2d` with three spatial axes.

    ``out[n, stride*z + dilation*h - before, ..., o] += weight[h, i, j, o, c] * x[n, z, y, x, c]``

    Parameters
    ----------
    x : array_like
        (N, D, H, W, C).
    weight : array_like
        (KD, KH, KW, O/groups, C).
    bias, stride, padding, output_padding, dilation, groups
        As in `conv_transpose2d`, with three numbers where it has two.

    Returns
    -------
    ndarray
        (N, OD, OH, OW, O).

    Raises
    ------
    ShapeError
        As in `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose3d(np.ones((1, 1, 1, 1, 1)), np.ones((2, 2, 2, 1, 1)), stride=2).shape
    (1, 2, 2, 2, 1)
    """
    moves = {"stride": stride, "padding": padding, "dilation": dilation}
    return _transposed(x, weight, bias, 3, groups, output_padding, True, **moves)


def _convolution(x: Any, weight: Any, bias: Any, axes: int, groups: int, exact: bool, **moves: Any) -> Array:
    exact = as_flag("exact", exact)
    array, weights, floats = _arrays(x, weight, axes, "C/groups, O")
    _check_channels(array, weights, groups, weights.shape[-1], weights.shape[-2], "filters")
    sizes = array.shape[1:-1]
    windows = known_windows(sizes, weights.shape[:-2], **moves)
    for axis, (window, n) in enumerate(zip(windows, sizes, strict=True)):
        check_fit("weight", window, axis, n)
    added = _bias(bias, weights.shape[-1], array.dtype)
    return conv_forward(array, weights, added, windows, int(groups), winograd=floats and not exact, checked=True)


def _transposed(
    x: Any, weight: Any, bias: Any, axes: int, groups: int, output_padding: Counts, exact: bool, **moves: Any
) -> Array:
    exact = as_flag("exact", exact)
    array, weights, floats = _arrays(x, weight, axes, "O/groups, C")
    filters = weights.shape[-2] * (int(groups) if is_integer(groups) else 1)
    _check_channels(array, weights, groups, filters, weights.shape[-1], "channels of weight")
    extra = None if is_integer(output_padding) and output_padding == 0 else output_padding
    windows = transposed_windows_of(array.shape[1:-1], weights.shape[:-2], output_padding=extra, **moves)
    sizes = tuple(window.output(n) for window, n in zip(windows, array.shape[1:-1], strict=True))
    for axis, (window, n) in enumerate(zip(windows, array.shape[1:-1], strict=True)):
        if window.output(n) < 1:
            whole = (n - 1) * window.stride + window.effective + window.output_padding
            raise ShapeError(
                f"padding: got {window.before} + {window.after} along spatial axis {axis}, "
                f"expected less than the {whole} pixels it is cut from"
            )
    added, plain = _bias(bias, filters, array.dtype), [window.transposed for window in windows]
    winograd = floats and not exact
    return conv_input_gradient(array, weights, sizes, plain, int(groups), bias=added, winograd=winograd, checked=True)


def _arrays(x: Any, weight: Any, axes: int, last: str) -> tuple[Array, Array, bool]:
    """Both arrays, C-contiguous and of the result's dtype, once ranks, sizes and dtypes are right; then whether ``x``
    has floats: of integers users expect sums without any error.
    """
    layouts = {"x": f"(N, {_SPATIAL[axes]}, C)", "weight": f"({_KERNEL[axes]}, {last})"}
    arrays = []
    for name, value in (("x", x), ("weight", weight)):
        array = _real(name, value, layouts[name])
        if array.ndim != axes + 2:
            batch = name == "x" and array.ndim == axes + 1
            fix = "; x[None] adds the batch axis" if batch else ""
            raise ShapeError(f"{name}: got shape {array.shape}, expected {layouts[name]}{fix}")
        if 0 in array.shape:
            raise ShapeError(f"{name}: got shape {array.shape}, expected at least one element along every axis")
        arrays.append(array)
    dtype = result_dtype(arrays[0].dtype)
    floats = arrays[0].dtype.kind == "f"
    return as_contiguous("x", arrays[0], dtype), as_contiguous("weight", arrays[1], dtype), floats


def _real(name: str, value: Any, layout: str) -> Array:
    array = as_array(name, value, f"a full array {layout}")
    if array.dtype.kind not in "buif":
        raise ShapeError(f"{name}: got dtype {array.dtype}, expected real numbers")
    return array


def _check_channels(x: Array, weight: Array, groups: int, divided: int, channels: int, divided_name: str) -> None:
    """Check the groups and the channels: a convolution's weights have C/groups of them, a transposed one's C."""
    total = x.shape[-1]
    transposed = divided_name != "filters"
    if not is_integer(groups) or groups < 1 or total % groups or (not transposed and divided % groups):
        both = f"x's {total} channels" + ("" if transposed else f" and weight's {divided} filters")
        raise ShapeError(f"groups: got {shortened(repr(groups))}, expected an integer that divides {both}")
    expected = total if transposed else total // groups
    if channels != expected:
        place = "last" if transposed else "last but one"
        why = f"x has {total} channels" + (f" in {groups} groups" if groups > 1 and not transposed else "")
        raise ShapeError(f"weight: got shape {weight.shape}, expected {expected} along its {place} axis: {why}")


def _bias(bias: Any, filters: int, dtype: np.dtype[Any]) -> Array | None:
    if bias is None:
        return None
    array = _real("bias", bias, "(O,)")
    if array.shape != (filters,):
        raise ShapeError(f"bias: got shape {array.shape}, expected ({filters},): one number per filter")
    return as_contiguous("bias", array, dtype)
