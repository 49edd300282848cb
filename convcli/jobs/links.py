"""The links of a chain of kernels: each on an input of known sizes, and what becomes of pixels and alpha there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from convcli.geometry import PaddingSpec, Placement, Resized, Window, cropped, resized
from convcli.kernels import Kernel
from convcli.ops.arguments import Array
from convcli.ops.correlation import Counts, correlation_windows
from convcli.ops.resampling import resample
from convcli.ops.responses import respond
from convcli.ops.sums import Border


@dataclass(frozen=True, eq=False)
class Link:
    """One kernel of a chain, on an input of known sizes along each axis of its kernel.

    ``windows`` say how it goes along each; crop's are of one cell, with negative padding. A resize has ``axes``
    instead, rows and columns.
    """

    kernel: Kernel
    windows: tuple[Window, ...]
    sizes: tuple[int, ...]
    axes: tuple[Resized, Resized] | None = None

    @property
    def out_sizes(self) -> tuple[int, ...]:
        """The sizes of its result."""
        return tuple(each.output(n) for each, n in zip(self.sides, self.sizes, strict=True))

    @property
    def sides(self) -> tuple[Window | Resized, ...]:
        """What goes along each axis."""
        return self.axes or self.windows

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where the result's cells lie on the input, along each axis."""
        if self.axes:
            return tuple(axis.placement for axis in self.axes)
        return tuple(map(Placement.of, self.windows))

    def at_anchors(self, array: Array) -> Array:
        """An array (H, W, C) at the anchors of the windows: (OH, OW, C); beyond the border its nearest pixel."""
        sides = zip(self.sides, array.shape[:2], strict=True)
        rows, columns = (np.clip(each.anchors(n), 0, n - 1) for each, n in sides)
        return np.asarray(array[np.ix_(rows, columns)])

    def keep_alpha(self, alpha: Array) -> Array:
        """Alpha (H, W, 1) that goes along with what is done to colour: as it is, or at the new size."""
        if self.axes is None:
            return self.at_anchors(alpha)
        working = np.float64 if alpha.dtype == np.float64 else np.float32
        moved = resample(alpha[None, None], self.axes, working)[0, 0]
        return np.asarray(moved if alpha.dtype.kind == "f" else np.rint(moved).astype(alpha.dtype))

    def respond(self, stack: Array, border: Border, dtype: Any, white: float = 255.0) -> Array:
        """The response (N, OD, OH, OW, C) to a stack: `convcli.ops.responses.respond`, resized, or a part."""
        if self.axes:
            return resample(stack, self.axes, dtype)
        if self.kernel.combine == "crop":
            first, (height, width) = [-each.before for each in self.windows], self.out_sizes
            return np.ascontiguousarray(stack[:, :, first[0] : first[0] + height, first[1] : first[1] + width])
        return respond(stack, self.kernel, self.windows, border, dtype, white)


def link(kernel: Kernel, sizes: tuple[int, ...], *, stride: Counts, padding: PaddingSpec, dilation: Counts) -> Link:
    """A kernel on an input of some sizes; raises `ShapeError` where no window, or no such part, fits."""
    words: dict[str, Any] = kernel.parameters
    if kernel.combine == "resize":
        return Link(kernel, (), sizes, resized((sizes[0], sizes[1]), **words))
    if kernel.combine == "crop":
        given = dict.fromkeys(("width", "height", "x", "y")) | words
        return Link(kernel, cropped((sizes[0], sizes[1]), **given), sizes)
    windows = correlation_windows(sizes, kernel.planes[0].shape, stride, padding, dilation)
    return Link(kernel, windows, sizes)


def placed(links: Sequence[Link]) -> tuple[Placement, ...]:
    """Where the result's cells lie on what the chain was given, along each axis."""
    axes = zip(*(each.placements for each in links), strict=True)
    return tuple(reduce(Placement.then, places) for places in axes)
