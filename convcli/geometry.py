"""The arithmetic of sliding windows: padding, output sizes, effective kernel sizes. Integers only, standard library only.

This is the one place where an output size is computed; operations, layers, `convcli shape` and the animations all ask
here. An axis is described by its length ``n`` and a window by ``kernel_size, stride, dilation`` and the cells padded
``before`` and ``after``. What fills those cells is not geometry.
"""

from collections.abc import Sequence
from typing import TypeAlias

from convcli.errors import ShapeError

Pair: TypeAlias = tuple[int, int]
PaddingSpec: TypeAlias = str | int | Sequence[int | Sequence[int]]


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


def per_axis(value: int | Sequence[int], axes: int, name: str) -> tuple[int, ...]:
    """Spread one positive integer over all axes, or check one integer per axis.

    Raises `ShapeError` naming ``name`` when the count is wrong or a value is below 1.
    """
    values = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(values) != axes:
        raise ShapeError(f"{name}: got {len(values)} values {values}, expected one, or one per axis ({axes})")
    for each in values:
        if not is_integer(each) or each < 1:
            raise ShapeError(f"{name}: got {each!r}, expected an integer of at least 1")
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
    (before, after) pair per axis.
    """
    axes = len(sizes)
    strides = strides or (1,) * axes
    dilations = dilations or (1,) * axes
    if isinstance(padding, str):
        rule = {"valid": _valid, "same": _same, "full": _full}.get(padding.lower())
        if rule is None:
            raise ShapeError(
                f"padding: got {padding!r}, expected valid, same, full, an integer, one per axis, "
                "or (before, after) per axis"
            )
        return tuple(
            rule(n, effective_kernel_size(k, d), s)
            for n, k, s, d in zip(sizes, kernel_sizes, strides, dilations, strict=True)
        )
    if is_integer(padding):
        return (_pair(padding),) * axes
    if not isinstance(padding, Sequence) or len(padding) != axes:
        raise ShapeError(
            f"padding: got {padding!r}, expected an integer, one per axis ({axes}), or (before, after) per axis"
        )
    return tuple(_pair(each) for each in padding)


def is_integer(value: object) -> bool:
    """Whether a value is a whole number (numpy's integers too) and not a truth value."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _valid(n: int, effective: int, stride: int) -> Pair:
    return 0, 0


def _same(n: int, effective: int, stride: int) -> Pair:
    total = max((-(-n // stride) - 1) * stride + effective - n, 0)
    return total // 2, total - total // 2


def _full(n: int, effective: int, stride: int) -> Pair:
    return effective - 1, effective - 1


def _pair(value: object) -> Pair:
    values = (value, value) if is_integer(value) else tuple(value) if isinstance(value, Sequence) else ()
    if len(values) != 2 or not all(is_integer(each) and each >= 0 for each in values):
        raise ShapeError(f"padding: got {value!r}, expected a number of cells (0 or more) or a (before, after) pair")
    return int(values[0]), int(values[1])
