"""A correlation that is asked for, and what follows from it: types of its sums, sizes, tables. No loop is run here."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.geometry import Window
from convcli.loops.costs import costs
from convcli.ops.arguments import Array, in_type
from convcli.ops.borders import border_table
from convcli.ops.plan import CorrelationPlan, sums_dtype
from convcli.ops.words import new_array, read_only

if TYPE_CHECKING:
    from convcli.loops.filtering.correlation import Numbers

_SURE_TO_ROUND = 0.25  # of a pixel's step: what the sums' own rounding cannot lead away from the range's end


@dataclass(frozen=True)
class Store:
    """What becomes of a sum when it is written: (folded to its size,) clipped to [low, high], rounded if integer."""

    dtype: Any
    low: float = -np.inf
    high: float = np.inf
    fold: bool = False

    def numbers(self, of: Any, border_value: Any = 0, bias: float = 0, *, inside: bool = False) -> "Numbers":
        """The same for loops whose sums are of the number type ``of``; ``inside``: nothing needs to be clipped."""
        from convcli.loops.filtering.correlation import Numbers

        whole = np.dtype(self.dtype).kind == "u"
        return Numbers(border_value, of(bias), of(self.low), of(self.high), self.fold, whole, inside)


@dataclass(frozen=True)
class Border:
    """What lies beyond the border: a word of `BORDERS`, and the value of the constant.

    ``planes`` is for a caller who holds some planes of a volume only: the position in its array of each plane that the
    windows will look at, in padded order, -1 for the constant. The depth's window then pads nothing itself.
    """

    name: str = "constant"
    value: float = 0.0
    planes: Array | None = field(default=None, compare=False)

    @property
    def constant(self) -> float:
        """The value that can be met beyond the border: a border of pixels has none, whatever ``value`` says."""
        return self.value if self.name == "constant" else 0.0

    def is_whole(self, low: float, high: float) -> bool:
        """Whether what can be met beyond the border is pixels, or a whole number from ``low`` to ``high``."""
        return self.name != "constant" or (float(self.value).is_integer() and low <= self.value <= high)

    def table(self, axis: int, n: int, window: Window) -> Array:
        """Source positions along one of the axes (depth, height, width), ``n`` long, padded for a window."""
        if axis == 0 and self.planes is not None:
            return self.planes
        return border_table(n, (window.before, window.after), self.name)


@dataclass(frozen=True, eq=False)
class Correlation:
    """``store(scale * sums + bias)`` of a stack under a plan's weights; arguments are already checked.

    Attributes
    ----------
    source : ndarray
        (N, D, H, W, C).
    plan : CorrelationPlan
        The weights, and how their sums are computed where nothing speaks against it.
    windows : tuple of Window
        Along (D, H, W).
    """

    source: Array
    plan: CorrelationPlan
    windows: tuple[Window, ...]
    border: Border
    store: Store
    scale: float = 1.0
    bias: float = 0.0

    @cached_property
    def out_shape(self) -> tuple[int, ...]:
        """(N, OD, OH, OW, C)."""
        source, planes = self.source, self.border.planes
        sizes = list(source.shape[1:4])
        if planes is not None:
            sizes[0] = len(planes) - self.windows[0].before - self.windows[0].after
        return (source.shape[0], *(w.output(n) for w, n in zip(self.windows, sizes, strict=True)), source.shape[4])

    @cached_property
    def moves(self) -> tuple[Window, ...]:
        """The windows as they move: a step to a second window that does not exist must not decide how much is held."""
        sizes = self.out_shape[1:4]
        return tuple(replace(w, stride=1) if n == 1 else w for w, n in zip(self.windows, sizes, strict=True))

    @property
    def tables(self) -> tuple[Array, ...]:
        """The border's tables of the three axes."""
        sizes = self.source.shape[1:4]
        return tuple(self.border.table(axis, sizes[axis], window) for axis, window in enumerate(self.moves))

    @property
    def rows(self) -> Array:
        """The source as (N, D, H, W*C), as loops take it."""
        return read_only(self.source.reshape(*self.source.shape[:3], -1))

    def new_out(self) -> tuple[Array, Array]:
        """A new result (N, OD, OH, OW, C), and the same as (N, OD, OH, OW*C) for loops."""
        out = new_array(self.out_shape, np.dtype(self.store.dtype))
        return out, out.reshape(*out.shape[:3], -1)

    @property
    def is_one_plane(self) -> bool:
        """Whether each image is a plane that is all there."""
        return self.source.shape[1] == 1 and self.border.planes is None

    @property
    def weight(self) -> float:
        """The one weight of a box."""
        return float(self.plan.weights.flat[0]) * self.scale

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the sums; who asks for float64 of integer pixels asks for sums of that precision."""
        out: np.dtype[Any] = np.dtype(self.store.dtype)
        if out == np.float64:
            return out
        if self._is_whole:
            return np.dtype(np.int16)
        words: dict[str, Any] = {"scale": self.scale, "bias": self.bias, "border_value": self.border.constant}
        return sums_dtype(self.source.dtype, self.plan, whole=out.kind == "u", **words)

    @property
    def is_precise(self) -> bool:
        """Whether sums of float64 become floats."""
        return self.dtype == np.float64 and np.dtype(self.store.dtype).kind == "f"

    @cached_property
    def ring_dtype(self) -> np.dtype[Any]:
        """Of the rows that are held: the source's integers where the tile should convert them at each load.

        That pays for few loads; else they are converted to the type of the sums once.
        """
        source = self.source.dtype
        few = self._is_passes or self._is_whole or self.plan.multiply_adds <= costs().few_taps
        return source if few and not self.is_precise and self._holds_border else self.dtype

    @cached_property
    def _is_whole(self) -> bool:
        """Whether bytes become bytes, tap by tap, by sums that are whole numbers of 16 bits, each on the way too."""
        if self.plan.method != "taps" or not self.source.dtype == self.store.dtype == np.uint8:
            return False
        weights = self.plan.weights * self.scale
        others, most = np.array([self.bias, self.store.low, self.store.high]), np.iinfo(np.int16).max
        if not self._holds_border or not abs(self.bias) + 255 * np.abs(weights).sum() <= most:
            return False
        whole = (weights == np.rint(weights)).all() and (others == np.rint(others)).all()
        return bool(whole and (np.abs(others) <= most).all())

    @property
    def _is_passes(self) -> bool:
        return self.plan.method in ("separable", "sum")

    @property
    def _holds_border(self) -> bool:
        """Whether pixels are integers of 8 or 16 bits, and what lies beyond the border is one of those."""
        source, value = self.source.dtype, float(self.border.constant)
        whole = source.kind == "u" and source.itemsize <= 2
        return whole and value.is_integer() and 0 <= value <= np.iinfo(source).max

    @property
    def read_dtype(self) -> np.dtype[Any]:
        """As what loops are to read the source: its own type, where there is more than a rare case that wants it."""
        fits = self.source.dtype.kind != "u" or not self._is_passes or self._holds_border
        return self.source.dtype if fits and not self.is_precise else self.dtype

    @property
    def never_clips(self) -> bool:
        """Whether no sum can round to a number outside the store's range, so that none need be compared with it."""
        source, store = self.source.dtype, self.store
        if source.kind != "u" or np.dtype(store.dtype).kind != "u" or store.fold:
            return False
        values = (0, np.iinfo(source).max, self.border.constant)
        weights = self.plan.weights * self.scale
        down, up = weights[weights < 0].sum(), weights[weights > 0].sum()
        lowest = min(values) * up + max(values) * down + self.bias
        highest = max(values) * up + min(values) * down + self.bias
        return bool(store.low - _SURE_TO_ROUND <= lowest and highest <= store.high + _SURE_TO_ROUND)

    @property
    def is_finite(self) -> bool:
        """Whether neither source nor border holds NaN or an infinity, which the terms of a sum would spread or lose."""
        source, border = self.source, self.border
        if border.name == "constant" and not np.isfinite(border.value):
            return False
        # NaN is the least and the largest of all numbers to numpy.
        is_float = source.dtype.kind == "f" and source.size
        return not is_float or bool(np.isfinite(source.min()) and np.isfinite(source.max()))

    def numbers(self, ring: np.dtype[Any]) -> "Numbers":
        """The scalars for loops that hold rows of type ``ring``."""
        value = in_type(ring, self.border.constant)
        return self.store.numbers(self.dtype.type, value, self.bias, inside=self.never_clips)
