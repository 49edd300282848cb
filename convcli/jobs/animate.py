"""Animating convolution, transposed convolution and pooling: a plan of windows, and the film that follows from it.

Which cells a frame shows is read off the windows of `convcli.geometry`, so that an animation and `convcli shape` cannot
disagree. How a film looks is `convcli.views.animation`'s.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convcli.errors import ConvcliError, ShapeError
from convcli.geometry import PaddingSpec, TransposedWindow, Window, is_integer, transposed_windows_of, windows_of
from convcli.views.animation import Cell, Film, Frame, Numbers, short, short_weight

# Frames of more would be neither quick to draw nor patient to watch.
MOST_FRAMES = 256
MOST_CELLS = 40  # a side, padding and inserted zeros included
SUFFIXES = (".gif", ".webp", ".svg", ".png")
POOLS = ("max", "average")
DELAY, DELAY_TO_READ = 0.6, 1.8  # seconds

AnyWindow = Window | TransposedWindow


@dataclass(frozen=True)
class AnimationPlan:
    """What is animated, checked: see `plan_animation`.

    Attributes
    ----------
    kind : str
        ``convolution``, ``transposed``, ``max`` or ``average``.
    sizes : (int, int)
        Rows and columns of the input; a series is one row.
    windows : two of Window or of TransposedWindow
        One per axis.
    axes : int
        1 for a series, 2 for a picture.
    """

    kind: str
    sizes: tuple[int, int]
    windows: tuple[AnyWindow, AnyWindow]
    axes: int

    @property
    def output(self) -> Cell:
        """Rows and columns of the output."""
        return self.windows[0].output(self.sizes[0]), self.windows[1].output(self.sizes[1])

    @property
    def formulas(self) -> tuple[str, ...]:
        """The output size with its numbers in it, one for each axis."""
        pairs = zip(self.windows, self.sizes, strict=True)
        return tuple(window.formula(n) for window, n in pairs)[-self.axes :]


def plan_animation(
    sizes: int | Sequence[int],
    kernel_size: int | Sequence[int] = 3,
    *,
    stride: int | Sequence[int] | None = None,
    padding: PaddingSpec | None = None,
    dilation: int | Sequence[int] = 1,
    transposed: bool = False,
    output_padding: int | Sequence[int] | None = None,
    pool: str | None = None,
) -> AnimationPlan:
    """Check the words of an animation and return its plan.

    Parameters
    ----------
    sizes : int or sequence of int
        One number for a series, two for a picture.
    kernel_size, stride, padding, dilation, output_padding
        As in the layer; a stride left out is 1, or the window's size for pooling.
    transposed : bool
        Whether it is the transposed convolution, whose padding is cut from the result.
    pool : str, optional
        ``max`` or ``average`` instead of a convolution.

    Raises
    ------
    ShapeError
        If the numbers do not fit each other, no window fits, or more would be drawn than the limits above allow.

    Examples
    --------
    >>> plan_animation((5, 5), 3, stride=2).output
    (2, 2)
    """
    given: tuple[int, ...] = (int(sizes),) if is_integer(sizes) else tuple(sizes)  # type: ignore[arg-type]
    axes = len(given)
    if axes not in (1, 2) or min(given) < 1:
        raise ShapeError(f"input: got {_times(given)}, expected one or two sizes of at least 1, as in 7 or 5x5")
    if pool is not None and transposed:
        raise ShapeError("pool: got it with transposed, expected one of them")
    if pool not in (None, *POOLS):
        raise ShapeError(f"pool: got {pool!r}, expected {' or '.join(POOLS)}")
    if output_padding is not None and not transposed:
        raise ShapeError("output_padding: got it without transposed, expected both or none")
    step = stride if stride is not None else kernel_size if pool else 1
    words: dict[str, Any] = {"stride": step, "padding": "valid" if padding is None else padding, "dilation": dilation}
    one: AnyWindow
    windows: tuple[AnyWindow, ...]
    if transposed:
        windows = transposed_windows_of(given, kernel_size, output_padding=output_padding, **words)
        one = TransposedWindow(1)
    else:
        windows, one = windows_of(given, kernel_size, **words), Window(1)
    if axes == 1:
        given, windows = (1, *given), (one, *windows)
    kind = "transposed" if transposed else pool or "convolution"
    plan = AnimationPlan(kind, (given[0], given[1]), (windows[0], windows[1]), axes)
    _check(plan)
    return plan


def _check(plan: AnimationPlan) -> None:
    if min(plan.output) < 1:
        found = "; ".join(dict.fromkeys(plan.formulas))
        raise ShapeError(f"kernel_size: no window fits: {found}; try a smaller kernel or padding")
    frames = plan.output[0] * plan.output[1]
    if frames > MOST_FRAMES:
        raise ShapeError(f"animate: got {frames} positions of the window, expected at most {MOST_FRAMES}")
    for n, window in zip(plan.sizes, plan.windows, strict=True):
        low, high = _extent(window, n)
        if high - low > MOST_CELLS:
            raise ShapeError(
                f"animate: got {high - low} cells along an axis with padding and zeros, expected at most {MOST_CELLS}"
            )
    if plan.kind in POOLS:
        for frame, _ in zip(_positions(plan), range(frames), strict=True):
            if not any(_kind(plan, cell) == "input" for cell, _ in _taps(plan, frame)):
                raise ShapeError(
                    f"padding: the window of output row {frame[0]}, column {frame[1]} covers padding alone, "
                    "expected less padding"
                )


def _extent(window: AnyWindow, n: int) -> tuple[int, int]:
    """The first cell of the left grid and the one behind its last, in positions whose 0 is the first input cell.

    A transposed convolution is shown as what it equals: a convolution with stride 1 over the input with zeros between
    its cells.

    Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.
    """
    if isinstance(window, Window):
        reached = (window.output(n) - 1) * window.stride - window.before + window.effective
        return -window.before, max(n + window.after, reached)
    first = window.before - (window.effective - 1)
    return min(first, 0), max((n - 1) * window.stride + 1, window.output(n) + window.before)


def _along(window: AnyWindow, position: int) -> list[tuple[int, int]]:
    """The cells under the window at an output position along one axis, each with the index of the weight on it."""
    if isinstance(window, Window):
        first = position * window.stride - window.before
        return [(first + window.dilation * tap, tap) for tap in range(window.kernel_size)]
    # Output y gets weight j from the input cell that lies dilation * j cells before y + before.
    last = position + window.before
    return [(last - window.dilation * tap, tap) for tap in reversed(range(window.kernel_size))]


def _positions(plan: AnimationPlan) -> Iterator[Cell]:
    rows, columns = plan.output
    return ((row, column) for row in range(rows) for column in range(columns))


def _taps(plan: AnimationPlan, position: Cell) -> list[tuple[Cell, Cell]]:
    """Cells (in positions whose 0 is the first input cell) and the weights on them."""
    down, across = (_along(window, place) for window, place in zip(plan.windows, position, strict=True))
    return [((row, column), (i, j)) for row, i in down for column, j in across]


def _kind(plan: AnimationPlan, cell: Cell) -> str:
    """What lies at a position of the left grid."""
    kind = "input"
    for place, n, window in zip(cell, plan.sizes, plan.windows, strict=True):
        spread = window.stride if isinstance(window, TransposedWindow) else 1
        if not 0 <= place <= (n - 1) * spread:
            return "padding"
        if place % spread:
            kind = "zero"
    return kind


def make_film(plan: AnimationPlan, values: Numbers | None = None, weights: Numbers | None = None) -> Film:
    """Work out every frame of a plan.

    Parameters
    ----------
    plan : AnimationPlan
        From `plan_animation`.
    values : tuple of tuples of float, optional
        The input's numbers, as many as the plan says; without them cells are shown.
    weights : tuple of tuples of float, optional
        The kernel's numbers; needed with ``values``, except for pooling.

    Examples
    --------
    >>> film = make_film(plan_animation((3, 3), 2), ((1, 2, 3), (4, 5, 6), (7, 8, 9)), ((1, 0), (0, -1)))
    >>> film.frames[0].arithmetic
    '1·1 + 2·0 + 4·0 + 5·(−1) = −4'
    """
    extents = [_extent(window, n) for window, n in zip(plan.windows, plan.sizes, strict=True)]
    rows, columns = (range(low, high) for low, high in extents)
    kinds = tuple(tuple(_kind(plan, (row, column)) for column in columns) for row in rows)
    numbers = None
    if values is not None:
        numbers = tuple(tuple(_number(plan, values, (row, column)) for column in columns) for row in rows)
    frames = []
    for position in _positions(plan):
        found = _taps(plan, position)
        value, arithmetic = (None, "") if values is None else _result(plan, found, values, weights)
        taps = tuple(((row - rows.start, column - columns.start), weight) for (row, column), weight in found)
        frames.append(Frame(position, taps, value, arithmetic))
    captions = _captions(plan, (rows, columns))
    return Film(_title(plan), _labels(plan), kinds, plan.output, tuple(frames), numbers, weights, captions)


def _number(plan: AnimationPlan, values: Numbers, cell: Cell) -> float:
    if _kind(plan, cell) != "input":
        return 0
    row, column = (
        place // (window.stride if isinstance(window, TransposedWindow) else 1)
        for place, window in zip(cell, plan.windows, strict=True)
    )
    return values[row][column]


def _result(
    plan: AnimationPlan, taps: list[tuple[Cell, Cell]], values: Numbers, weights: Numbers | None
) -> tuple[float, str]:
    if plan.kind in POOLS:
        # As in `convcli pool`: padding never wins and does not count.
        seen = [_number(plan, values, cell) for cell, _ in taps if _kind(plan, cell) == "input"]
        if plan.kind == "max":
            return max(seen), f"max of {', '.join(map(short, seen))} = {short(max(seen))}"
        mean = sum(seen) / len(seen)
        return mean, f"({' + '.join(_signed(short(each)) for each in seen)})/{len(seen)} {_equals(mean, seen)}"
    assert weights is not None
    # The zeros that a transposed convolution puts in are not worth their words.
    shown = [tap for tap in taps if plan.kind != "transposed" or _kind(plan, tap[0]) == "input"]
    pairs = [(_number(plan, values, cell), weights[i][j]) for cell, (i, j) in shown]
    total = sum(value * weight for value, weight in pairs)
    if not pairs:
        return total, "no input cell lies under the window = 0"
    products = (f"{_signed(short(value))}·{_signed(short_weight(weight))}" for value, weight in pairs)
    return total, f"{' + '.join(products)} {_equals(total, [value for value, _ in pairs])}"


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _equals(total: float, values: Sequence[float]) -> str:
    """The end of a sum, which is only near what is written where a number had too many digits for it."""
    exact = math.isclose(total, float(f"{total:.5g}"), rel_tol=1e-12) and all(
        each == float(f"{each:.3g}") for each in values
    )
    return f"{'=' if exact else '≈'} {short(total, 5)}"


def _title(plan: AnimationPlan) -> str:
    return {
        "convolution": "Convolution",
        "transposed": "Transposed convolution",
        "max": "Max pooling",
        "average": "Average pooling",
    }[plan.kind]


def _labels(plan: AnimationPlan) -> tuple[str, ...]:
    windows, axes = plan.windows[-plan.axes :], range(plan.axes)
    kernel = "window" if plan.kind in POOLS else "kernel"
    words = [
        f"input {_times(plan.sizes[-plan.axes :])}",
        f"{kernel} {_times([window.kernel_size for window in windows])}",
        f"stride {_equal([str(window.stride) for window in windows])}",
        f"padding {_paddings(windows)}",
    ]
    if any(window.dilation > 1 for window in windows):
        words.append(f"dilation {_equal([str(window.dilation) for window in windows])}")
    extra = [window.output_padding for window in windows if isinstance(window, TransposedWindow)]
    if any(extra):
        words.append(f"output padding {_equal([str(each) for each in extra])}")
    formulas = [each.replace(" - ", " − ").replace("*", "·") for each in plan.formulas]
    if len(set(formulas)) == 1:
        sizes = [f"output {formulas[0]}" + (" a side" if plan.axes == 2 else "")]
    else:
        sizes = [f"output {('rows', 'columns')[axis]} {formulas[axis]}" for axis in axes]
    return (",  ".join(words), *sizes, *_not_reached(plan), *_as_convolution(plan))


def _not_reached(plan: AnimationPlan) -> tuple[str, ...]:
    """A line for input cells that no window touches, as where a stride does not divide."""
    pairs = zip(plan.windows[-plan.axes :], plan.sizes[-plan.axes :], strict=True)
    left = [window.leftover(n) if isinstance(window, Window) else 0 for window, n in pairs]
    names = ("row", "column") if plan.axes == 2 else ("cell",)
    found = [f"{count} {name}{'s' * (count > 1)}" for count, name in zip(left, names, strict=True) if count]
    return (f"not reached by any window: {', '.join(found)}",) if found else ()


def _as_convolution(plan: AnimationPlan) -> tuple[str, ...]:
    """A line for a transposed convolution: which convolution is seen."""
    if plan.kind != "transposed":
        return ()
    between = [window.stride - 1 for window in plan.windows[-plan.axes :]]
    line = "drawn as the convolution it equals, with stride 1 and the kernel turned"
    if any(between):
        line += f", {_equal([str(each) for each in between])} zero{'' if set(between) == {1} else 's'} between cells"
    return (line,)


def _captions(plan: AnimationPlan, extents: tuple[range, range]) -> tuple[str, str, str]:
    shown = tuple(len(each) for each in extents)[-plan.axes :]
    sizes = plan.sizes[-plan.axes :]
    spread = any(isinstance(window, TransposedWindow) and window.stride > 1 for window in plan.windows)
    how = "spread and padded" if spread else "with padding"
    added = "" if shown == tuple(sizes) else f", {how} {_times(shown)}"
    kernel = [window.kernel_size for window in plan.windows[-plan.axes :]]
    return f"input {_times(sizes)}{added}", f"kernel {_times(kernel)}", f"output {_times(plan.output[-plan.axes :])}"


def _paddings(windows: Sequence[AnyWindow]) -> str:
    texts = [
        str(window.before) if window.before == window.after else f"{window.before} and {window.after}"
        for window in windows
    ]
    return texts[0] if len(set(texts)) == 1 else f"rows {texts[0]}, columns {texts[1]}"


def _equal(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _times(numbers: Sequence[int]) -> str:
    return "×".join(map(str, numbers))


def seeded_values(plan: AnimationPlan, seed: int = 0) -> tuple[Numbers, Numbers | None]:
    """Small whole numbers for a plan's input (0 to 9) and kernel (-2 to 2; none for pooling), the same for a seed."""
    source = random.Random(seed)
    rows, columns = plan.sizes
    values = tuple(tuple(source.randint(0, 9) for _ in range(columns)) for _ in range(rows))
    if plan.kind in POOLS:
        return values, None
    height, width = (window.kernel_size for window in plan.windows)
    return values, tuple(tuple(source.choice((-2, -1, 0, 1, 1, 2)) for _ in range(width)) for _ in range(height))


def read_numbers(matrix: str) -> Numbers:
    """Read ``"1 2; 3 4"``; raises `KernelError` that points at row and column, or `ShapeError` for planes."""
    from convcli.kernels.matrices import read_matrix

    numbers = read_matrix(matrix, "matrix")
    if numbers.ndim != 2:
        raise ShapeError("matrix: got several planes, expected one")
    return tuple(tuple(row) for row in numbers.tolist())


def read_weights(spec: str, *, convolve: bool = False) -> Numbers:
    """The weights of a kernel SPEC with two axes, turned for ``convolve``; raises `KernelError`."""
    from convcli.kernels import flipped, parse_kernel

    kernel = parse_kernel(spec)
    weights = (flipped(kernel) if convolve else kernel).weights
    if weights.ndim != 2:
        raise ShapeError(f"kernel: {kernel.name} has planes, expected rows and columns")
    return tuple(tuple(row) for row in weights.tolist())


def usual_delay(film: Film) -> float:
    """Seconds a frame lasts if nothing else is said: one with a sum to read lasts longer."""
    return DELAY_TO_READ if film.has_values else DELAY


def write_animation(film: Film, target: str, *, delay: float | None = None, overwrite: bool = False) -> None:
    """Write a film as the target's suffix says: .gif, .webp and .svg move, .png is a sheet of its frames.

    A frame lasts ``delay`` seconds, or `usual_delay`.

    Raises
    ------
    ConvcliError
        For another suffix, a delay that is none, or a target that may not be written.
    """
    from convcli.atomic import check_target, write_whole

    suffix = Path(target).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConvcliError(f"{target}: got {suffix or 'no suffix'}, expected one of {' '.join(SUFFIXES)}")
    delay = usual_delay(film) if delay is None else delay
    if not 0.02 <= delay <= 60:
        raise ConvcliError(f"delay: got {delay:g}, expected 0.02 to 60 seconds")
    check_target(Path(target), overwrite=overwrite)
    write_whole(Path(target), encoded(film, suffix, delay), overwrite=overwrite)


def encoded(film: Film, suffix: str, delay: float) -> bytes | str:
    """A film as one of `SUFFIXES` holds it."""
    if suffix == ".svg":
        from convcli.views.animation_svg import as_svg

        return as_svg(film, delay)
    from convcli.views.animation_raster import as_picture

    return as_picture(film, suffix, delay)
