"""Windows resolved to cells, one per axis: their output sizes, leftovers, receptive fields and formulas.

`windows_of` and `transposed_windows_of` turn the words of a layer (``padding="same"``, ``stride=2``) into these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil, gcd

from convcli.errors import ShapeError
from convcli.geometry.sizes import (
    PaddingSpec,
    effective_kernel_size,
    is_integer,
    listed,
    per_axis,
    pooled_size,
    reached_cells,
    resolve_padding,
    shortened,
    transposed_size,
)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which input cells one output cell of an axis can depend on.

    Attributes
    ----------
    size : int
        Cells of the input from the first to the last, those beyond the input's edges included.
    jump : int or Fraction
        Input cells between the fields of neighbouring output cells; below 1 after a layer that enlarges.
    start : int
        First input cell of output cell 0's field; negative where the field begins in padding.

    Source: A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019,
    equations 2 to 4.
    """

    size: int = 1
    jump: int | Fraction = 1
    start: int = 0

    @staticmethod
    def joined(fields: Sequence["ReceptiveField"]) -> "ReceptiveField":
        """The field of branches that meet: from the first cell any branch sees to the last; the widest jump."""
        start = min(field.start for field in fields)
        end = max(field.start + field.size for field in fields)
        return ReceptiveField(end - start, max(field.jump for field in fields), start)


@dataclass(frozen=True, slots=True)
class _Taps:
    """What both kinds of windows have along an axis: their cells, and how they are placed."""

    kernel_size: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def effective(self) -> int:
        """Cells from the first to the last tap."""
        return effective_kernel_size(self.kernel_size, self.dilation)


@dataclass(frozen=True, slots=True)
class Window(_Taps):
    """A window that slides along one axis: convolution and pooling."""

    ceil_mode: bool = False

    @property
    def anchor(self) -> int:
        """The cell of the window that lies on its output cell: the last one before the middle of an even span."""
        return (self.effective - 1) // 2

    def output(self, n: int) -> int:
        """How many positions the window takes on ``n`` cells."""
        return pooled_size(
            n,
            self.kernel_size,
            stride=self.stride,
            before=self.before,
            after=self.after,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    def anchors(self, n: int) -> range:
        """Where on ``n`` cells the anchors lie, one for each position; perhaps beyond the ends, in the padding."""
        first = self.anchor - self.before
        return range(first, first + self.output(n) * self.stride, self.stride)

    def leftover(self, n: int) -> int:
        """How many of ``n`` cells no tap touches in any position, at the ends or in gaps."""
        return n - reached_cells(
            n, self.kernel_size, count=self.output(n), stride=self.stride, before=self.before, dilation=self.dilation
        )

    def field(self, earlier: ReceptiveField) -> ReceptiveField:
        """The receptive field after this window, given the one before it."""
        return ReceptiveField(
            earlier.size + ceil((self.effective - 1) * earlier.jump),
            _tidy(earlier.jump * self.stride),
            earlier.start - ceil(self.before * earlier.jump),
        )

    def formula(self, n: int) -> str:
        """The output size with its numbers in it: ``(7 - 3 + 0)/1 + 1 = 5``; below 1 if no window fits."""
        room = n + self.before + self.after - self.effective
        padding = _twice(self.before) if self.before == self.after else f"{self.before} + {self.after}"
        quotient = f"({n} - {_effective_text(self)} + {padding})/{self.stride}"
        if room % self.stride:
            quotient = f"{'ceil' if self.ceil_mode else 'floor'}({quotient})"
        if room < 0:  # there the formula goes on, where a size ends at 0
            return f"{quotient} + 1 = {(-(-room // self.stride) if self.ceil_mode else room // self.stride) + 1}"
        output = self.output(n)
        if self.ceil_mode and output == -(-room // self.stride):
            return f"{quotient} + 1 - 1 = {output} (one window less: it would start outside)"
        return f"{quotient} + 1 = {output}"


@dataclass(frozen=True, slots=True)
class TransposedWindow(_Taps):
    """A window that each input cell lays down on one axis of the output: transposed convolution."""

    output_padding: int = 0

    @property
    def transposed(self) -> Window:
        """The window of the convolution that is transposed."""
        return Window(self.kernel_size, self.stride, self.before, self.after, self.dilation)

    def output(self, n: int) -> int:
        """Cells of the output for ``n`` cells of input."""
        return transposed_size(
            n,
            self.kernel_size,
            stride=self.stride,
            before=self.before,
            after=self.after,
            dilation=self.dilation,
            output_padding=self.output_padding,
        )

    def field(self, earlier: ReceptiveField) -> ReceptiveField:
        """The receptive field after this layer: the widest over all cells, and after several layers an upper bound.

        Output cell y reads the input cells i whose tap ``y + before - stride * i`` is one of ``dilation * j``.
        """
        common = gcd(self.stride, self.dilation)
        taps = -(-self.kernel_size * common // self.stride)
        cells = (taps - 1) * (self.dilation // common)
        first = -((self.effective - 1 - self.before) // self.stride)
        return ReceptiveField(
            earlier.size + ceil(cells * earlier.jump),
            _tidy(Fraction(earlier.jump) / self.stride),
            earlier.start + ceil(first * earlier.jump),
        )

    def formula(self, n: int) -> str:
        """The output size with its numbers in it: ``(4 - 1)*2 + 3 - 2*1 + 1 = 8``."""
        cut = _twice(self.before) if self.before == self.after else f"{self.before} - {self.after}"
        return f"({n} - 1)*{self.stride} + {_effective_text(self)} - {cut} + {self.output_padding} = {self.output(n)}"


def windows_of(
    sizes: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: PaddingSpec = "valid",
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> tuple[Window, ...]:
    """One `Window` per axis of an input of ``sizes``, from the words of a convolution or pooling layer."""
    axes = len(sizes)
    kernel_sizes = per_axis(kernel_size, axes, "kernel_size")
    strides = per_axis(stride, axes, "stride")
    dilations = per_axis(dilation, axes, "dilation")
    paddings = resolve_padding(padding, sizes, kernel_sizes, strides=strides, dilations=dilations)
    return tuple(
        Window(k, s, before, after, d, ceil_mode)
        for k, s, (before, after), d in zip(kernel_sizes, strides, paddings, dilations, strict=True)
    )


def transposed_windows_of(
    sizes: Sequence[int],
    kernel_size: int | Sequence[int],
    *,
    stride: int | Sequence[int] = 1,
    padding: PaddingSpec = 0,
    dilation: int | Sequence[int] = 1,
    output_padding: int | Sequence[int] | None = None,
) -> tuple[TransposedWindow, ...]:
    """One `TransposedWindow` per axis. The padding is that of the convolution which is transposed.

    So ``"valid"`` cuts nothing, ``"full"`` cuts ``effective - 1`` at both ends, and ``"same"`` gives ``n * stride``
    cells, as in Keras (a window shorter than the stride is then made up for by output padding).

    Raises
    ------
    ShapeError
        If an ``output_padding`` is not below the larger of stride and dilation.
    """
    axes = len(sizes)
    kernel_sizes = per_axis(kernel_size, axes, "kernel_size")
    strides = per_axis(stride, axes, "stride")
    dilations = per_axis(dilation, axes, "dilation")
    enlarged = [n * s for n, s in zip(sizes, strides, strict=True)]
    paddings = resolve_padding(padding, enlarged, kernel_sizes, strides=strides, dilations=dilations)
    same = isinstance(padding, str) and padding.lower() == "same"
    windows = []
    for axis, (k, s, (before, after), d) in enumerate(zip(kernel_sizes, strides, paddings, dilations, strict=True)):
        missing = max(s - effective_kernel_size(k, d), 0) if same else 0
        extra = missing if output_padding is None else _output_padding(output_padding, axis, axes, max(s, d))
        windows.append(TransposedWindow(k, s, before, after, d, extra))
    return tuple(windows)


def _output_padding(value: int | Sequence[int], axis: int, axes: int, limit: int) -> int:
    value = listed(value, "output_padding")
    values = tuple(islice(value, axes + 1)) if isinstance(value, Sequence) else (value,) * axes
    if len(values) != axes:
        raise ShapeError(f"output_padding: got {len(values)} values {values}, expected one, or one per axis ({axes})")
    extra = values[axis]
    if not is_integer(extra) or not 0 <= extra < limit:
        raise ShapeError(
            f"output_padding: got {shortened(extra)}, expected an integer from 0 to {limit - 1}: "
            "less than the stride or the dilation, whichever is larger"
        )
    return int(extra)


def _effective_text(window: Window | TransposedWindow) -> str:
    k, d = window.kernel_size, window.dilation
    return f"{k}" if d == 1 else f"({d}*({k} - 1) + 1)"


def _twice(cells: int) -> str:
    return f"2*{cells}" if cells else "0"


def _tidy(jump: int | Fraction) -> int | Fraction:
    return int(jump) if jump == int(jump) else jump
