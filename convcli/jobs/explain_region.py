"""Which part of a picture an explanation shows: the region asked for, the outputs it holds, the cells they look at.

Positions are those of the input; cells before 0 and from the picture's size on are padding.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from convcli.errors import ShapeError, shortened
from convcli.geometry import Window, is_integer

# A page of this many cells a side still follows the pointer, and its JSON stays below a few megabytes.
MOST_CELLS = 160
MOST_REGION = 128
# Pictures up to WHOLE a side are shown whole; of larger ones the middle, of a size whose numbers can be read.
WHOLE = 64
USUAL = 32


@dataclass(frozen=True)
class Region:
    """A rectangle of the input in pixels: top row, left column, height, width; as text its rows and its columns."""

    row: int
    column: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.row}:{self.row + self.height},{self.column}:{self.column + self.width}"

    def as_dict(self) -> dict[str, int]:
        """Plain values for JSON."""
        return vars(self).copy()


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


_ROWS_AND_COLUMNS = re.compile(r"\s*(\d{1,9})\s*:\s*(\d{1,9})\s*,\s*(\d{1,9})\s*:\s*(\d{1,9})\s*")
_COLUMNS_FIRST = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*")


def read_region(text: str) -> tuple[Region, str]:
    """The region that a text names, and what is to be said if it does so in the words of earlier versions.

    Raises `ShapeError` for anything else.

    >>> read_region("80:110,120:160")[0]
    Region(row=80, column=120, height=30, width=40)
    """
    if found := _ROWS_AND_COLUMNS.fullmatch(text):
        top, bottom, left, right = map(int, found.groups())
        if top < bottom and left < right:
            return Region(top, left, bottom - top, right - left), ""
    if found := _COLUMNS_FIRST.fullmatch(text):
        column, row, width, height = map(int, found.groups())
        region = Region(row, column, height, width)
        return region, f"the words X,Y,WxH will be gone: rows come first everywhere; write {region}"
    raise ShapeError(
        f"region: got {shortened(text)}, expected rows and columns as FIRST:END,FIRST:END from 0, as in 80:110,120:160"
    )


def region_of(slices: object) -> Region:
    """The region that two slices name, of rows and of columns; raises `ShapeError` for anything else."""
    if isinstance(slices, tuple) and len(slices) == 2 and all(isinstance(each, slice) for each in slices):
        starts, ends, steps = zip(*((each.start or 0, each.stop, each.step or 1) for each in slices), strict=True)
        if all(is_integer(each) and each >= 0 for each in (*starts, *ends)) and steps == (1, 1):
            (top, left), (bottom, right) = starts, ends
            return Region(int(top), int(left), int(bottom - top), int(right - left))
    raise ShapeError(f"region: got {shortened(slices)}, expected slices of rows and columns, as np.s_[0:9, 5:9]")


def choose_region(height: int, width: int, region: Region | None) -> tuple[Region, bool]:
    """The region to show and whether it was cut by default; raises `ShapeError` for one that does not fit.

    >>> choose_region(300, 451, None)[0]
    Region(row=134, column=209, height=32, width=32)
    """
    if region is None:
        if height <= WHOLE and width <= WHOLE:
            return Region(0, 0, height, width), False
        shown_height, shown_width = min(height, USUAL), min(width, USUAL)
        return Region((height - shown_height) // 2, (width - shown_width) // 2, shown_height, shown_width), True
    if max(region.width, region.height) > MOST_REGION or min(region.width, region.height) < 1:
        raise ShapeError(
            f"region: got {region.height}x{region.width}, expected from 1x1 to {MOST_REGION}x{MOST_REGION} pixels"
        )
    low, high = min(region.row, region.column), (region.row + region.height, region.column + region.width)
    if low < 0 or high[0] > height or high[1] > width:
        raise ShapeError(f"region: got {region}, expected one within the picture's 0:{height},0:{width}")
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
        _span(height, down, region.row, region.height, "rows"),
        _span(width, across, region.column, region.width, "columns"),
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
