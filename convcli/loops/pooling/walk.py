"""How pooling windows lie along the axes: what the loops of extrema and sums are told."""

from typing import NamedTuple


class Walk(NamedTuple):
    """Steps along the axes, and how the work is cut; all integers.

    Beside it go three tables, one row per output position along an axis: the window's first cell that is in the image,
    how many of its taps are, and which tap the first one is.
    """

    channels: int
    dilation_z: int
    dilation_y: int
    dilation_x: int
    stride_x: int
    before_x: int
    kernel_x: int  # taps of a window along x; 0: go by the table alone
    tile: int  # output columns a thread does at a time
