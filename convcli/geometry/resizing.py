"""Pictures at another size, and parts of them: how long the axes become, and where their cells lie."""

from dataclasses import dataclass
from math import floor

from convcli.errors import ShapeError
from convcli.geometry.placement import Placement
from convcli.geometry.sizes import LARGEST
from convcli.geometry.windows import Window

LOBES = 3  # of Lanczos's window, at each side


@dataclass(frozen=True, slots=True)
class Resized:
    """An axis of ``n`` cells as one of ``size`` cells, from edge to edge.

    >>> Resized(6, 3).placement
    Placement(step=2.0, start=0)
    """

    n: int
    size: int

    def output(self, n: int) -> int:
        """How long the axis becomes."""
        return self.size

    @property
    def step(self) -> float:
        """Old cells from one new cell to the next."""
        return self.n / self.size

    @property
    def placement(self) -> Placement:
        """Where the new cells lie among the old ones."""
        return Placement(self.step)

    @property
    def reach(self) -> float:
        """How far from its middle a new cell looks, in old cells: further where cells are left out, so that none is."""
        return LOBES * max(self.step, 1.0)

    def taps(self, cell: int) -> range:
        """The old cells that a new one is made of: those whose middles it reaches, nearest ones of them rounded."""
        middle = (cell + 0.5) * self.step
        return range(max(floor(middle - self.reach + 0.5), 0), min(floor(middle + self.reach + 0.5), self.n))

    def anchors(self, n: int) -> list[int]:
        """The old cell in the middle of each new one."""
        return [min(floor((cell + 0.5) * self.step), self.n - 1) for cell in range(self.size)]


def resized(
    sizes: tuple[int, int],
    *,
    width: int | None = None,
    height: int | None = None,
    longest: int | None = None,
    within: int | None = None,
    scale: float | None = None,
) -> tuple[Resized, Resized]:
    """The axes (rows, columns) of a picture of some sizes at another size; raises `ShapeError` for one beyond reason.

    ``width`` and ``height`` are those of the result, the one that is not given follows from the other; ``longest`` is
    that of its longer side, ``within`` too, unless the picture is smaller already; ``scale`` multiplies both. No side
    is less than one.

    >>> [axis.size for axis in resized((300, 400), width=100)]
    [75, 100]
    """
    rows, columns = sizes
    if within is not None:
        longest = min(within, max(sizes))
    if scale is None:
        if longest is not None:
            width, height = (longest, None) if columns >= rows else (None, longest)
        if width is not None and height is not None:
            return Resized(rows, height), Resized(columns, width)
        scale = width / columns if width is not None else (height or rows) / rows
    new = tuple(
        given if given is not None else max(floor(n * scale + 0.5), 1)
        for given, n in ((height, rows), (width, columns))
    )
    if max(new) > LARGEST:
        raise ShapeError(f"resize: got {new[1]}x{new[0]} pixels, expected at most {LARGEST} along an axis")
    return Resized(rows, new[0]), Resized(columns, new[1])


def cropped(
    sizes: tuple[int, int], *, width: int | None, height: int | None, x: int | None, y: int | None
) -> tuple[Window, Window]:
    """The windows (rows, columns) of one cell that go over a part of a picture: their padding is negative.

    A side that is not given goes to the end; a corner that is not given puts the part into the middle. Raises
    `ShapeError` for a part that is not inside.

    >>> [window.output(n) for window, n in zip(cropped((300, 400), width=100, height=50, x=0, y=None), (300, 400))]
    [50, 100]
    """
    axes = (("rows", "height", height, "y", y), ("columns", "width", width, "x", x))
    windows = []
    for n, (name, length, size, corner, start) in zip(sizes, axes, strict=True):
        said = [f"{word}={value}" for word, value in ((length, size), (corner, start)) if value is not None]
        size = n - (start or 0) if size is None else size
        start = (n - size) // 2 if start is None else start
        if start < 0 or size < 1 or start + size > n:
            raise ShapeError(
                f"crop: got {','.join(said)}, expected a part of the {n} {name} that the picture has there"
            )
        windows.append(Window(1, before=-start, after=start + size - n))
    return windows[0], windows[1]
