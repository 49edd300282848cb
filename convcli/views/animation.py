"""What an animation of a sliding window shows, and where: a film, and its frames as boxes and texts.

`convcli.jobs.animate` makes films; `animation_svg`, `animation_raster` and `animation_text` show them. Standard library
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from convcli.views.svg import broken, text_width

Numbers = tuple[tuple[float, ...], ...]
Cell = tuple[int, int]

INK, QUIET, PAPER = "#1a1a1a", "#555555", "#ffffff"
# Blue and orange differ for any colour vision; so do their light and strong tones. A frame of black marks the window.
INPUT, TAP, TAP_ON_ZERO, ZERO = "#d3e8f8", "#5aaee6", "#b9d3e6", "#e9eaec"
WAITING, DONE, CURRENT, WEIGHT = "#ffffff", "#fde3b8", "#f2a31b", "#f3f0fa"
EDGE, PADDING_EDGE = "#7d8790", "#9aa1a9"

_MARGIN = 24
_GAP = 56  # between two grids, with room for an arrow
_LINE = 26  # a line of text
_CAPTION = 26
_ROOM = 600  # pixels for the longer side of the largest grid
_NARROWEST = 520
_LARGEST_CELL, _SMALLEST_CELL, _KERNEL_CELL = 46, 12, 30
_WEIGHT_CELL = 36  # from here on a cell has room for its number and its weight
_ARITHMETIC_LINES = 2


@dataclass(frozen=True)
class Frame:
    """One position of the window.

    Attributes
    ----------
    position : (int, int)
        Row and column of the output cell.
    taps : tuple of ((int, int), (int, int))
        Each cell under the window (row and column as in `Film.kinds`, from 0) and which weight lies on it.
    value : float or None
        The output cell's number.
    arithmetic : str
        How it came about: ``1·2 + 3·4 = 14``.
    """

    position: Cell
    taps: tuple[tuple[Cell, Cell], ...]
    value: float | None = None
    arithmetic: str = ""


@dataclass(frozen=True)
class Film:
    """Everything an animation shows.

    Attributes
    ----------
    title : str
        What is animated.
    labels : tuple of str
        Lines with the numbers.
    kinds : tuple of tuple of str
        The left grid: ``input``, ``padding`` or ``zero`` (put between the cells of a transposed convolution's input).
    output : (int, int)
        Rows and columns of the output.
    frames : tuple of Frame
        One for each output cell, row by row.
    numbers, weights : tuple of tuples of float, or None
        The numbers of the left grid and of the kernel, if values are shown.
    captions : (str, str, str)
        Below the left grid, the kernel and the output.
    """

    title: str
    labels: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    output: Cell
    frames: tuple[Frame, ...]
    numbers: Numbers | None = None
    weights: Numbers | None = None
    captions: tuple[str, str, str] = ("input", "kernel", "output")

    @property
    def has_values(self) -> bool:
        """Whether numbers are shown."""
        return self.numbers is not None

    def shows_number(self, row: int, column: int) -> bool:
        """Whether a cell of the left grid has a number to show: padding of a pooling has none."""
        return self.weights is not None or self.kinds[row][column] == "input"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; ``fill`` may be empty."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    edge: str = EDGE
    thickness: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Text:
    """A line of text; ``anchor`` says which part of it lies at (x, y): start, middle or end, and y is its middle."""

    x: float
    y: float
    text: str
    points: float
    colour: str = INK
    anchor: str = "start"
    bold: bool = False


Item = Box | Text


@dataclass(frozen=True)
class Scene:
    """A film laid out in pixels.

    ``still`` is always seen, ``lasting[i]`` from frame i on, ``moving[i]`` in frame i only. Above ``head`` are the
    title and labels; what is below is ``body_width`` wide.
    """

    width: int
    height: int
    head: int
    body_width: int
    still: tuple[Item, ...]
    lasting: tuple[tuple[Item, ...], ...]
    moving: tuple[tuple[Item, ...], ...]


def short(value: float, digits: int = 3) -> str:
    """A number for a cell: whole ones whole, others with a few digits, and a real minus sign.

    >>> short(-2.0), short(1 / 3)
    ('−2', '0.333')
    """
    text = f"{int(value)}" if value == int(value) and abs(value) < 1e6 else f"{value:.{digits}g}"
    return text.replace("-", "−")


def short_weight(value: float, digits: int = 3) -> str:
    """A kernel's number: as `short`, but a fraction where few decimals would only come near it.

    >>> short_weight(1 / 9), short_weight(-0.25), short_weight(0.0871)
    ('1/9', '−0.25', '0.0871')
    """
    near = Fraction(value).limit_denominator(128)
    if abs(near - Fraction(value)) < 1e-9 and round(value, 3) != value:
        return f"{near.numerator}/{near.denominator}".replace("-", "−")
    return short(value, digits)


def lay_out(film: Film) -> Scene:
    """Place a film's grids side by side, labels above, arithmetic below."""
    rows, columns = len(film.kinds), len(film.kinds[0])
    largest = max(rows, columns, *film.output)
    cell = max(min(_ROOM // largest, _LARGEST_CELL), _SMALLEST_CELL)
    shows_kernel = film.weights is not None
    grids = [(rows, columns)] + ([(len(film.weights), len(film.weights[0]))] if film.weights else []) + [film.output]
    captions = [film.captions[0], *([film.captions[1]] if shows_kernel else []), film.captions[2]]
    # A kernel's numbers are read even where the input's are too small for it.
    sides = [cell, *([max(cell, _KERNEL_CELL)] if shows_kernel else []), cell]
    widths = [
        max(grid[1] * side, text_width(words, 14)) for grid, side, words in zip(grids, sides, captions, strict=True)
    ]
    texts = [text_width(film.title, 20, bold=True), *(text_width(label, 15) for label in film.labels)]
    grids_width = sum(widths) + _GAP * (len(grids) - 1)
    width = int(max(grids_width, *texts, _NARROWEST) + 2 * _MARGIN)
    head = _MARGIN + 32 + _LINE * len(film.labels) + 8
    body = max(grid[0] * side for grid, side in zip(grids, sides, strict=True))
    room = width - 2 * _MARGIN
    foot_lines = 1 + max(len(wrapped(frame.arithmetic, 15, room, _ARITHMETIC_LINES)) for frame in film.frames)
    height = head + body + _CAPTION + 12 + _LINE * foot_lines + _MARGIN // 2
    lefts, place = [], float(_MARGIN)
    for each in widths:
        lefts.append(round(place))
        place += each + _GAP
    middle = head + body / 2
    tops = [round(middle - grid[0] * side / 2) for grid, side in zip(grids, sides, strict=True)]
    still: list[Item] = [Text(_MARGIN, _MARGIN + 10, film.title, 20, bold=True)]
    still += [Text(_MARGIN, _MARGIN + 38 + _LINE * i, line, 15, QUIET) for i, line in enumerate(film.labels)]
    for left, top, grid, side, words in zip(lefts, tops, grids, sides, captions, strict=True):
        still.append(Text(left, top + grid[0] * side + 15, words, 14, QUIET))
    still += _left_grid(film, lefts[0], tops[0], cell)
    if film.weights:
        still += _kernel_grid(film.weights, lefts[1], tops[1], sides[1])
    waiting = [
        Box(lefts[-1] + column * cell, tops[-1] + row * cell, cell, cell, WAITING)
        for row in range(film.output[0])
        for column in range(film.output[1])
    ]
    foot = head + body + _CAPTION + 22
    lasting = tuple(_done(film, frame, lefts[-1], tops[-1], cell) for frame in film.frames)
    moving = tuple(
        (*_window(film, frame, lefts[0], tops[0], cell), *_current(film, frame, lefts[-1], tops[-1], cell),
         *_foot(film, index, foot, room))
        for index, frame in enumerate(film.frames)
    )  # fmt: skip
    feet = [
        item.x + text_width(item.text, item.points)
        for items in moving
        for item in items
        if isinstance(item, Text) and item.y >= foot
    ]
    body_width = int(min(max(grids_width + 2 * _MARGIN, max(feet) + _MARGIN), width))
    return Scene(width, int(height), head, body_width, (*still, *waiting), lasting, moving)


def number(
    value: float, x: float, y: float, cell: int, *, bold: bool = False, colour: str = INK, share: float = 0.45,
    least: int = 8, fewest: int = 2,
) -> list[Item]:  # fmt: skip
    """A number in the middle of a cell, as large as it fits with some digits; none where it could not be read."""
    for digits in range(4, fewest - 1, -1):
        text = short(value, digits)
        points = min(cell * share, cell * 0.9 / (0.6 * len(text)))
        if points >= least:
            return [Text(x + cell / 2, y + cell / 2, text, round(points, 1), colour, "middle", bold)]
    return []


def _left_grid(film: Film, left: int, top: int, cell: int) -> list[Item]:
    items: list[Item] = []
    # Padding first, so that the input's full lines lie over its dashes.
    for wanted in ("padding", "zero", "input"):
        for row, kinds in enumerate(film.kinds):
            for column, kind in enumerate(kinds):
                if kind == wanted:
                    x, y = left + column * cell, top + row * cell
                    fill = {"input": INPUT, "padding": PAPER, "zero": ZERO}[kind]
                    is_padding = kind == "padding"
                    items.append(Box(x, y, cell, cell, fill, PADDING_EDGE if is_padding else EDGE, 1, is_padding))
                    if film.numbers and film.shows_number(row, column):
                        colour = INK if kind == "input" else QUIET
                        items += number(film.numbers[row][column], x, y, cell, colour=colour)
    return items


def _kernel_grid(weights: Numbers, left: int, top: int, cell: int) -> list[Item]:
    items: list[Item] = []
    for row, line in enumerate(weights):
        for column, weight in enumerate(line):
            x, y = left + column * cell, top + row * cell
            items += [Box(x, y, cell, cell, WEIGHT), *number(weight, x, y, cell)]
    return items


def _window(film: Film, frame: Frame, left: int, top: int, cell: int) -> list[Item]:
    items: list[Item] = []
    for (row, column), (i, j) in frame.taps:
        x, y = left + column * cell, top + row * cell
        items.append(Box(x, y, cell, cell, TAP if film.kinds[row][column] == "input" else TAP_ON_ZERO))
        if film.numbers is None or not film.shows_number(row, column):
            continue
        if film.weights is not None and cell >= _WEIGHT_CELL:
            items += number(film.numbers[row][column], x, y - cell * 0.1, cell)
            weight = short_weight(film.weights[i][j], 2)
            points = min(cell * 0.27, cell * 0.9 / (0.6 * (len(weight) + 1)))
            items.append(Text(x + cell - 3, y + cell * 0.83, f"×{weight}", round(points, 1), INK, "end"))
        else:
            items += number(film.numbers[row][column], x, y, cell)
    rows = [row for (row, _), _ in frame.taps]
    columns = [column for (_, column), _ in frame.taps]
    hull = (left + min(columns) * cell, top + min(rows) * cell)
    size = ((max(columns) - min(columns) + 1) * cell, (max(rows) - min(rows) + 1) * cell)
    items.append(Box(*hull, *size, "", INK, 3))
    return items


def _cell_of(frame: Frame, left: int, top: int, cell: int) -> tuple[float, float]:
    return left + frame.position[1] * cell, top + frame.position[0] * cell


def _done(film: Film, frame: Frame, left: int, top: int, cell: int) -> tuple[Item, ...]:
    x, y = _cell_of(frame, left, top, cell)
    shown = [] if frame.value is None else number(frame.value, x, y, cell)
    return (Box(x, y, cell, cell, DONE), *shown)


def _current(film: Film, frame: Frame, left: int, top: int, cell: int) -> tuple[Item, ...]:
    x, y = _cell_of(frame, left, top, cell)
    shown = [] if frame.value is None else number(frame.value, x, y, cell, bold=True)
    return (Box(x, y, cell, cell, CURRENT), *shown, Box(x, y, cell, cell, "", INK, 3))


def _foot(film: Film, index: int, top: float, room: float) -> list[Item]:
    frame = film.frames[index]
    row, column = frame.position
    where = f"step {index + 1} of {len(film.frames)}: output row {row}, column {column}"
    lines = [where, *wrapped(frame.arithmetic, 15, room, _ARITHMETIC_LINES)]
    return [Text(_MARGIN, top + _LINE * i, line, 15, QUIET if i == 0 else INK) for i, line in enumerate(lines)]


def wrapped(text: str, points: float, room: float, most: int) -> list[str]:
    """A sum in at most some lines, broken at its blanks; what does not fit is left out before the result.

    >>> wrapped("1 + 2 + 3 + 4 = 10", 10, 60, 1)
    ['1 + 2 + … = 10']
    """
    # More words would not fit even without blanks: a sum of hundreds is not tried word by word.
    reached = accumulate(text_width(word, points) for word in text.split(" "))
    for kept in range(max(sum(width <= most * room for width in reached), 1), 0, -1):
        lines = broken(" ".join(_without_middle(text, kept)), points, room)
        if len(lines) <= most:
            return lines
    return []


def _without_middle(text: str, kept: int) -> Sequence[str]:
    """The first words of a sum and its result."""
    words = text.split(" ")
    if kept >= len(words):
        return words
    result = words.index("=") if "=" in words else len(words)
    front = words[: min(kept, result)]
    while front and front[-1] not in ("+", "−"):
        front.pop()
    return [*front, "…", *words[result:]]
