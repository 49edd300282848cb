"""One axis at a time: output sizes of convolution, pooling and transposed convolution, and what a padding word means.

An axis is described by its length ``n`` and a window by ``kernel_size, stride, dilation`` and the cells padded
``before`` and ``after``. What fills those cells is not geometry.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import gcd
from operator import index
from typing import Any, TypeAlias

from convcli.errors import ShapeError

Pair: TypeAlias = tuple[int, int]
PaddingSpec: TypeAlias = str | int | Sequence[int | Sequence[int]]

LARGEST = 2**40  # of a count: products with an axis's length still fit 64 bits
_FEW = 100


def effective_kernel_size(kernel_size: int, dilation: int = 1) -> int:
    """Cells from a window's first to its last tap, both counted: ``dilation * (kernel_size - 1) + 1``."""
    return dilation * (kernel_size - 1) + 1


def output_size(
    n: int, kernel_size: int, *, stride: int = 1, before: int = 0, after: int = 0, dilation: int = 1
) -> int:
    """How many windows fit an axis: ``floor((n + before + after - effective) / stride) + 1``, or 0 if none does.

    Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016, relationship 6 (with
    the effective kernel size of section 5.1).
    """
    room = n + before + after - effective_kernel_size(kernel_size, dilation)
    return room // stride + 1 if room >= 0 else 0


def pooled_size(
    n: int,
    kernel_size: int,
    *,
    stride: int = 1,
    before: int = 0,
    after: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """How many pooling windows an axis has; with ``ceil_mode`` the last one may hang over the end.

    ``ceil((n + before + after - effective) / stride) + 1``, minus one if the last window would then start past the
    input and its padding before: a window has to start inside. This is PyTorch's rule (``aten/src/ATen/native/Pool.h``,
    ``pooling_output_shape_pad_lr``), which also lets a single window hang over an axis shorter than itself.
    """
    if not ceil_mode:
        return output_size(n, kernel_size, stride=stride, before=before, after=after, dilation=dilation)
    room = n + before + after - effective_kernel_size(kernel_size, dilation)
    count = -(-room // stride) + 1
    if (count - 1) * stride >= n + before:
        count -= 1
    return max(count, 0)


def transposed_size(
    n: int,
    kernel_size: int,
    *,
    stride: int = 1,
    before: int = 0,
    after: int = 0,
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    """Output of a transposed convolution: ``(n - 1) * stride + effective - before - after + output_padding``.

    ``before`` and ``after`` are cut from the full result: they are the padding of the convolution that is transposed.
    0 if they cut everything away.

    Source: Dumoulin and Visin 2016, relationship 14 (with the effective kernel size of section 5.1).
    """
    whole = (n - 1) * stride + effective_kernel_size(kernel_size, dilation)
    return max(whole - before - after + output_padding, 0)


def reached_cells(n: int, kernel_size: int, *, count: int, stride: int = 1, before: int = 0, dilation: int = 1) -> int:
    """How many of an axis's ``n`` cells at least one tap of ``count`` windows touches; the others change nothing.

    Tap j of window i lies at ``stride * i + dilation * j - before``. Taps whose offsets leave the same remainder modulo
    the stride touch the same residue class: there, each tap is a run of ``count`` consecutive numbers, and the runs
    start equally far apart, so that their union is counted without visiting a cell. Windows and taps may change roles;
    the way with fewer residue classes is taken, which keeps huge axes cheap.
    """
    if count < 1:
        return 0
    common = gcd(stride, dilation)
    if min(dilation // common, count) < min(stride // common, kernel_size):
        stride, dilation, kernel_size, count = dilation, stride, count, kernel_size
    period, spacing = stride // common, dilation // common
    reached = 0
    for first in range(min(period, kernel_size)):
        start, remainder = divmod(dilation * first, stride)
        runs = (kernel_size - 1 - first) // period + 1
        lowest = -(-(before - remainder) // stride) - start
        beyond = -(-(before + n - remainder) // stride) - start
        reached += _below(beyond, runs, spacing, count) - _below(lowest, runs, spacing, count)
    return reached


def per_axis(value: int | Sequence[int], axes: int, name: str) -> tuple[int, ...]:
    """Spread one positive integer over all axes, or check one integer per axis.

    Raises `ShapeError` naming ``name`` when the count is wrong or a value is below 1.
    """
    given = listed(value, name)
    one = not isinstance(given, Iterable) or isinstance(given, str | bytes)
    # One more than wanted tells enough: some things that can be gone through have no end.
    values: tuple[Any, ...] = (given,) * axes if one else tuple(islice(given, axes + 1))
    if len(values) != axes:
        least = "" if len(values) < axes else "at least "
        count = f"{len(given)}" if isinstance(given, list | tuple) else f"{least}{len(values)}"
        raise ShapeError(f"{name}: got {count} values {shortened(given)}, expected one, or one per axis ({axes})")
    for each in values:
        if not is_integer(each) or not 1 <= each <= LARGEST:
            limit = f"from 1 to {LARGEST}" if is_integer(each) and each > LARGEST else "of at least 1"
            raise ShapeError(f"{name}: got {shortened(each)}, expected an integer {limit}")
    return tuple(int(each) for each in values)


def resolve_padding(
    padding: PaddingSpec,
    sizes: Sequence[int],
    kernel_sizes: Sequence[int],
    *,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
) -> tuple[Pair, ...]:
    """Cells padded (before, after) each axis.

    ``padding`` is ``"valid"`` (none), ``"same"`` (output ``ceil(n / stride)``, the odd cell goes to the end, as in
    Keras and TensorFlow), ``"full"`` (every window that touches the input), an integer, one integer per axis, or one
    (before, after) pair per axis; arrays of integers count as lists. Raises `ShapeError` for anything else.
    """
    axes = len(sizes)
    strides = (1,) * axes if strides is None else strides
    dilations = (1,) * axes if dilations is None else dilations
    padding = listed(padding, "padding")
    if isinstance(padding, str):
        rule = _RULES.get(padding.lower())
        if rule is None:
            raise ShapeError(
                f"padding: got {shortened(padding)}, expected valid, same, full, an integer, one per axis, "
                "or (before, after) per axis"
            )
        return tuple(
            rule(n, effective_kernel_size(k, d), s)
            for n, k, s, d in zip(sizes, kernel_sizes, strides, dilations, strict=True)
        )
    if is_integer(padding):
        return (_pair(padding),) * axes
    given = tuple(islice(padding, axes + 1)) if isinstance(padding, Sequence) and not isinstance(padding, bytes) else ()
    if len(given) != axes:
        raise ShapeError(
            f"padding: got {shortened(padding)}, expected an integer, one per axis ({axes}), "
            "or (before, after) per axis"
        )
    return tuple(_pair(each) for each in given)


def is_integer(value: object) -> bool:
    """Whether a value is a whole number (numpy's integers too) and not a truth value."""
    if isinstance(value, bool):
        return False
    try:
        return bool(index(value) == value)  # type: ignore[arg-type]  # what only has an index cannot be reckoned with
    except TypeError:  # arrays of several numbers have the method too
        return False


def listed(value: Any, name: str) -> Any:
    """An array as (nested) lists, so that it is read as they are; anything else as it is.

    Raises `ShapeError` for an array that is no list of a few numbers.
    """
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and any(n > _FEW for n in shape):
        raise ShapeError(f"{name}: got an array of shape {shape}, expected a number or a few")
    return value.tolist() if hasattr(value, "tolist") else value


def shortened(value: object) -> str:
    """A value as a message quotes it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-12:]}"


def _below(limit: int, runs: int, spacing: int, length: int) -> int:
    """How many whole numbers below a limit lie in ``runs`` runs of ``length`` numbers that start ``spacing`` apart."""
    if limit <= 0:
        return 0
    if spacing <= length:
        return min(limit, (runs - 1) * spacing + length)
    whole, rest = divmod(limit, spacing)
    return whole * length + min(rest, length) if whole < runs else runs * length


def _same(n: int, effective: int, stride: int) -> Pair:
    total = max((-(-n // stride) - 1) * stride + effective - n, 0)
    return total // 2, total - total // 2


_RULES: dict[str, Callable[[int, int, int], Pair]] = {
    "valid": lambda n, effective, stride: (0, 0),
    "same": _same,
    "full": lambda n, effective, stride: (effective - 1, effective - 1),
}


def _pair(value: object) -> Pair:
    pair = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    values = (value, value) if is_integer(value) else tuple(islice(value, 3)) if pair else ()  # type: ignore[call-overload]
    if len(values) != 2 or not all(is_integer(each) and 0 <= each <= LARGEST for each in values):
        raise ShapeError(
            f"padding: got {shortened(value)}, expected a number of cells (0 or more) or a (before, after) pair"
        )
    return int(values[0]), int(values[1])
