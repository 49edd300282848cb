"""Which part of a picture an explanation shows: the region asked for, the outputs it holds, the cells they look at.

Positions are those of the input; cells before 0 and from the picture's size on are padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from convcli.errors import ShapeError
from convcli.geometry import Window

# A page of this many cells a side still follows the pointer, and its JSON stays below a few megabytes.
MOST_CELLS = 160
MOST_REGION = 128
# Pictures up to WHOLE a side are shown whole; of larger ones the middle, of a size whose numbers can be read.
WHOLE = 64
USUAL = 32


@dataclass(frozen=True)
class Region:
    """A rectangle of the input in pixels: left column, top row, width, height."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width}x{self.height}"


@dataclass(frozen=True)
class Span:
    """What is shown along one axis.

    Attributes
    ----------
    first, count : int
        The first output position and how many follow each other.
    start, cells : int
        The first cell of the input (negative in the padding) and how many follow each other.
    """

    first: int
    count: int
    start: int
    cells: int


def choose_region(height: int, width: int, region: Region | None) -> tuple[Region, bool]:
    """The region to show and whether it was cut by default; raises `ShapeError` for one that does not fit.

    >>> choose_region(300, 451, None)[0]
    Region(x=209, y=134, width=32, height=32)
    """
    if region is None:
        if height <= WHOLE and width <= WHOLE:
            return Region(0, 0, width, height), False
        shown_width, shown_height = min(width, USUAL), min(height, USUAL)
        return Region((width - shown_width) // 2, (height - shown_height) // 2, shown_width, shown_height), True
    if max(region.width, region.height) > MOST_REGION or min(region.width, region.height) < 1:
        raise ShapeError(
            f"region: got {region.width}x{region.height}, expected from 1x1 to {MOST_REGION}x{MOST_REGION} pixels"
        )
    if region.x < 0 or region.y < 0 or region.x + region.width > width or region.y + region.height > height:
        raise ShapeError(f"region: got {region}, expected one within the picture's {width}x{height} pixels")
    return region, False


def spans_of(sizes: Sequence[int], windows: Sequence[Window], region: Region) -> tuple[Span, Span]:
    """The outputs whose windows have their middle in a region, and the cells to show, down and across.

    Where a region reaches the picture's edge, the padding beyond it belongs to it.

    Raises
    ------
    ShapeError
        If no window has its middle there, or more than `MOST_CELLS` cells a side would be shown.
    """
    (height, width), (down, across) = sizes, windows
    return (
        _span(height, down, region.y, region.height, "rows"),
        _span(width, across, region.x, region.width, "columns"),
    )


def _span(n: int, window: Window, start: int, length: int, name: str) -> Span:
    count = window.output(n)
    middle = window.anchor - window.before
    # A middle in the padding counts as the picture's nearest pixel.
    first = 0 if start == 0 else max(-(-(start - middle) // window.stride), 0)
    end = count if start + length == n else min(-(-(start + length - middle) // window.stride), count)
    if first >= end:
        raise ShapeError(
            f"region: no window has its middle in its {name} {start} to {start + length - 1}; "
            f"make it larger than the stride of {window.stride}"
        )
    low = min(first * window.stride - window.before, start, -window.before if start == 0 else start)
    high = max((end - 1) * window.stride - window.before + window.effective, start + length)
    if start + length == n:
        high = max(high, n + window.after)
    if high - low > MOST_CELLS:
        raise ShapeError(
            f"explain: got {high - low} {name} of cells to show with the padding, expected at most {MOST_CELLS}; "
            "give a smaller region, padding or kernel"
        )
    return Span(first, end - first, low, high - low)
