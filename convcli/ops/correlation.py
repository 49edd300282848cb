"""Cross-correlation and convolution of images: check, ask the geometry, run a loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import ShapeError
from convcli.geometry import PaddingSpec, Window, is_integer, windows_of
from convcli.ops.arguments import Array, as_stack, as_weights, result_dtype
from convcli.ops.borders import border_table, resolve_border
from convcli.ops.plan import CorrelationPlan, Weights, plan_correlation, sums_dtype

if TYPE_CHECKING:
    from convcli.loops.correlation import Numbers

_BOX_BANDS = 64  # enough for an even load on many cores

Counts = int | Sequence[int]


@dataclass(frozen=True)
class Store:
    """What becomes of a sum when it is written: (folded to its size,) clipped to [low, high], rounded if integer."""

    dtype: Any
    low: float = -np.inf
    high: float = np.inf
    fold: bool = False


@dataclass(frozen=True)
class Border:
    """What lies beyond the border: a word of `BORDERS`, and the value of the constant."""

    name: str = "constant"
    value: float = 0.0


def correlate2d(
    image: Any,
    kernel: Any,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: str = "constant",
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
    return _correlate(image, kernel, 2, False, stride, padding, border, value, dilation, anchor)


def convolve2d(
    image: Any,
    kernel: Any,
    *,
    stride: Counts = 1,
    padding: PaddingSpec = "valid",
    border: str = "constant",
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
    return _correlate(image, kernel, 2, True, stride, padding, border, value, dilation, anchor)


def _correlate(
    image: Any,
    kernel: Any,
    axes: int,
    flip: bool,
    stride: Counts,
    padding: PaddingSpec,
    border: str,
    value: float,
    dilation: Counts,
    anchor: Counts | None,
) -> Array:
    stack = as_stack(image, axes)
    weights = as_weights(kernel, axes)
    weights = np.ascontiguousarray(np.flip(weights)) if flip else weights
    sizes = stack.array.shape[4 - axes : 4]
    windows = correlation_windows(sizes, weights.shape, stride, padding, dilation, anchor)
    plan = plan_correlation(weights, stack.array.dtype)
    store = Store(result_dtype(np.asarray(image).dtype))
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
        anchors = (anchor,) * len(sizes) if is_integer(anchor) else tuple(anchor)  # type: ignore[arg-type]
        if len(anchors) != len(sizes):
            raise ShapeError(f"anchor: got {len(anchors)} values, expected one, or one per axis ({len(sizes)})")
        windows = tuple(_anchored(*each) for each in zip(windows, sizes, anchors, strict=True))
    for axis, (window, n) in enumerate(zip(windows, sizes, strict=True)):
        if window.output(n) < 1:
            raise ShapeError(
                f"kernel: spans {window.effective} along axis {axis}, expected at most the image's "
                f"{n} + {window.before + window.after} padded; padding 'same' fits any kernel"
            )
    return windows


def _anchored(window: Window, n: int, anchor: Any) -> Window:
    if not is_integer(anchor) or not 0 <= anchor < window.kernel_size:
        raise ShapeError(f"anchor: got {anchor!r}, expected an integer from 0 to {window.kernel_size - 1}")
    outputs = -(-n // window.stride)
    before = int(anchor) * window.dilation
    after = max((outputs - 1) * window.stride + window.effective - n - before, 0)
    return Window(window.kernel_size, window.stride, before, after, window.dilation)


def correlate_stack(
    source: Array,
    plan: CorrelationPlan,
    windows: tuple[Window, ...],
    border: Border,
    *,
    store: Store,
    scale: float = 1.0,
    bias: float = 0.0,
) -> tuple[Array, int]:
    """Correlate a stack (N, D, H, W, C) as a plan says: ``store(scale * sums + bias)``; arguments are already checked.

    ``windows`` has one window per axis of the kernel, the last ones of (D, H, W). Returns the result (N, OD, OH, OW, C)
    and how many of its numbers lay outside the store's range.
    """
    windows = (Window(1),) * (3 - len(windows)) + windows
    out_sizes = tuple(window.output(n) for window, n in zip(windows, source.shape[1:4], strict=True))
    out = np.empty((source.shape[0], *out_sizes, source.shape[4]), store.dtype)
    whole = out.dtype.kind == "u"
    dtype = sums_dtype(source.dtype, plan, whole=whole)
    tables = tuple(
        border_table(n, (window.before, window.after), border.name)
        for n, window in zip(source.shape[1:4], windows, strict=True)
    )
    numbers = _numbers(dtype, border.value, bias, store, whole)
    flat_source = source.reshape(*source.shape[:3], -1).view()
    flat_out = out.reshape(*out.shape[:3], -1)
    if plan.method == "box" and _can_run_sums(windows, border):
        outside = _run_box(flat_source, tables, windows, plan, numbers, scale, source.shape[4], border.value, flat_out)
    else:
        outside = _run_programs(flat_source, tables, windows, plan, numbers, scale, source.shape, flat_out, out.shape)
    return out, outside


def _run_programs(
    source: Array,
    tables: tuple[Array, ...],
    windows: tuple[Window, ...],
    plan: CorrelationPlan,
    numbers: "Numbers",
    scale: float,
    shape: tuple[int, ...],
    out: Array,
    out_shape: tuple[int, ...],
) -> int:
    from convcli.loops.correlation import correlate, parts_of
    from convcli.loops.tile import ROWS
    from convcli.ops.programs import layout_of, row_program, window_program

    dtype = numbers.bias.dtype
    two_passes = plan.method != "taps"
    row: Weights = plan.factors[2] if two_passes else np.zeros(0)
    first: Weights = plan.weights * scale
    if two_passes:
        first = (plan.factors[0][:, None] * plan.factors[1] * scale)[:, :, None]
    layout = layout_of(shape, out_shape, windows, dtype.itemsize, two_passes=two_passes)
    last_rows = out_shape[2] % ROWS or ROWS
    column = (*windows[:2], Window(1, windows[2].stride)) if two_passes else windows
    programs = tuple(window_program(first, column, rows, dtype) for rows in (ROWS, last_rows))
    outside = np.zeros(parts_of(out_shape, layout), np.int64)
    source.flags.writeable = False  # one signature to compile, not one for read-only arrays and one for others
    correlate(source, tables, layout, *programs, row_program(row, windows[2], dtype), numbers, outside, out)
    return int(outside.sum())


def _can_run_sums(windows: tuple[Window, ...], border: Border) -> bool:
    dense = all(window.stride == window.dilation == 1 for window in windows)
    return dense and (border.name != "constant" or float(border.value).is_integer())


def _run_box(
    source: Array,
    tables: tuple[Array, ...],
    windows: tuple[Window, ...],
    plan: CorrelationPlan,
    numbers: "Numbers",
    scale: float,
    channels: int,
    value: float,
    out: Array,
) -> int:
    from convcli.loops.box import box

    height, width = windows[1].kernel_size, windows[2].kernel_size
    largest = max(np.iinfo(source.dtype).max, abs(value)) * height * width
    integers = np.zeros(0, np.int32 if largest < 2**31 else np.int64)
    constant = integers.dtype.type(int(value) * height) if tables[1].min() < 0 or tables[2].min() < 0 else 0
    # A band's first row sums a whole window: bands much lower than the window would spend their time on that.
    band = max(-(-out.shape[2] // _BOX_BANDS), min(2 * height, -(-out.shape[2] // 8)))
    outside = np.zeros(out.shape[0] * -(-out.shape[2] // band), np.int64)
    weight = np.array([plan.weights.flat[0] * scale], numbers.bias.dtype)
    source.flags.writeable = False
    box(
        source, tables, (height, width), channels, windows[2].before, band, weight, integers.dtype.type(constant),
        numbers, integers, outside, out,
    )  # fmt: skip
    return int(outside.sum())


def _numbers(dtype: np.dtype[Any], value: float, bias: float, store: Store, whole: bool) -> "Numbers":
    from convcli.loops.correlation import Numbers

    of = dtype.type
    return Numbers(of(value), of(bias), of(store.low), of(store.high), store.fold, whole)
