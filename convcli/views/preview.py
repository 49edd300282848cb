"""A picture before and after, for the terminal (half blocks, sixels, kitty's graphics) or as one picture.

Which of them a terminal understands is `convcli.cli.preview`'s to find out.
"""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.images import Image
from convcli.images.depth import DEPTHS
from convcli.views.figure import Panel, Pixels, draw_figure, fitted
from convcli.views.sheet import opaque

HALF = "▀"
_GAP = 2  # columns between the two
_END = "\x1b[0m"
_CHUNK = 4096  # bytes of base64 that kitty takes at a time
_LEVELS = np.array([0, 95, 135, 175, 215, 255])  # of xterm's cube of 6x6x6 colours


def side_by_side(before: Image, after: Image, labels: tuple[str, str], *, side: int = 640) -> Pixels:
    """One picture of two, with their labels and sizes: (H, W, 3) uint8."""
    panels = [
        Panel(label, fitted(_small(image, side), side), (_size(image),))
        for image, label in zip((before, after), labels, strict=True)
    ]
    return draw_figure([panels], title="Before and after")


def as_blocks(
    before: Image, after: Image, labels: tuple[str, str], *, columns: int = 80, rows: int = 24, true_colour: bool = True
) -> str:
    """Lines of text whose characters are two pixels each, one above the other.

    Parameters
    ----------
    before, after : Image
        Each is scaled into its half of the columns.
    labels : two of str
        Stand above them, with their sizes.
    columns, rows : int
        At most so many are taken, the labels included.
    true_colour : bool
        24-bit colours, else the nearest of xterm's 256.

    Returns
    -------
    str
        Without a final line break; every line ends with the terminal's own colours.
    """
    width = (columns - _GAP) // 2
    pictures = [_into(image, width, 2 * max(rows - 2, 1)) for image in (before, after)]
    heads = [
        [_cut(label, width), _cut(_size(image), width)] for image, label in zip((before, after), labels, strict=True)
    ]
    lines = [(first.ljust(width + _GAP) + second).rstrip() for first, second in zip(*heads, strict=True)]
    left, right = (_lines(picture, true_colour) for picture in pictures)
    for line in range(max(len(left), len(right))):
        first = left[line] if line < len(left) else ""
        second = right[line] if line < len(right) else ""
        blank = width + _GAP - (pictures[0].shape[1] if first else 0)
        lines.append(f"{first}{' ' * blank}{second}" if second else first)
    return "\n".join(lines)


def as_kitty(pixels: Pixels, columns: int) -> str:
    """A picture (H, W, 3) by the graphics protocol of kitty, scaled to so many columns.

    Source: https://sw.kovidgoyal.net/kitty/graphics-protocol, "Control data reference": a transmit and display, f
    format (100 is PNG), m more data follow, c columns, q no answers.
    """
    from PIL import Image as Pillow

    png = io.BytesIO()
    Pillow.fromarray(pixels).save(png, "PNG")
    data = base64.standard_b64encode(png.getvalue()).decode()
    parts = []
    for start in range(0, len(data), _CHUNK):
        more = int(start + _CHUNK < len(data))
        control = f"a=T,f=100,q=2,c={columns},m={more}" if start == 0 else f"m={more}"
        parts.append(f"\x1b_G{control};{data[start : start + _CHUNK]}\x1b\\")
    return "".join(parts)


def as_sixel(pixels: Pixels) -> str:
    """A picture (H, W, 3) as sixels, in 255 colours: characters of six pixels, one above the other.

    Source: DEC, "VT330/VT340 Programmer Reference Manual" volume 2, chapter 14: raster attributes, ``#`` colours in
    percent, ``!`` repeats, ``$`` back to the left, ``-`` next band.
    """
    from PIL import Image as Pillow

    height, width = pixels.shape[:2]
    reduced = Pillow.fromarray(pixels).quantize(colors=255)
    indices = np.asarray(reduced)
    palette = np.array(reduced.getpalette()).reshape(-1, 3)
    used = np.unique(indices)
    parts = [f'\x1bPq"1;1;{width};{height}']
    parts += [f"#{each};2;" + ";".join(str(round(int(level) * 100 / 255)) for level in palette[each]) for each in used]
    for top in range(0, height, 6):
        band = indices[top : top + 6]
        bits = 1 << np.arange(len(band))[:, None]
        rows = [f"#{each}{_repeated(((band == each) * bits).sum(axis=0))}" for each in np.unique(band)]
        parts.append("$".join(rows) + "-")
    return "".join([*parts, "\x1b\\"])


def _repeated(columns: NDArray[Any]) -> str:
    """Sixel characters for one colour of one band, runs of equal ones shortened."""
    breaks = np.flatnonzero(np.diff(columns)) + 1
    starts = np.concatenate([[0], breaks])
    lengths = np.diff(np.concatenate([starts, [len(columns)]]))
    words = []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        character = chr(63 + int(columns[start]))
        words.append(f"!{length}{character}" if length > 3 else character * length)
    return "".join(words)


def _small(image: Image, side: int) -> Pixels:
    """A picture as (H, W, 3) bytes; of one much larger than needed every so many-th pixel is enough."""
    step = max(max(image.pixels.shape[:2]) // (4 * side), 1)
    thinned = image.pixels[::step, ::step]
    return opaque(Image(_in_depth(np.ascontiguousarray(thinned), image.numbers), image.has_alpha))


def _in_depth(pixels: Pixels, numbers: "np.dtype[Any] | None") -> Pixels:
    """Pixels that have a depth; integers of no fixed scale from the smallest, black, to the largest, white."""
    if pixels.dtype.kind == "b":
        return pixels * np.uint8(255)
    if pixels.dtype.name in DEPTHS and (numbers is None or numbers.kind == "b"):
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    return np.asarray((pixels.astype(np.float64) - low) / max(high - low, 1))


def _into(image: Image, width: int, height: int) -> Pixels:
    """A picture scaled into a box of (half-height) cells, which are as wide as high."""
    return fitted(_small(image, max(width, height)), height, width)


def _lines(pixels: Pixels, true_colour: bool) -> list[str]:
    lines = []
    for top in range(0, len(pixels), 2):
        pair = pixels[top : top + 2]
        codes = [_codes(row, true_colour) for row in pair]
        cells, before = [], ""
        for column, upper in enumerate(codes[0]):
            # Without a row below, the terminal's own background stays.
            code = f"\x1b[38;{upper}m" + (f"\x1b[48;{codes[1][column]}m" if len(codes) == 2 else "")
            cells.append(HALF if code == before else code + HALF)
            before = code
        lines.append("".join(cells) + _END)
    return lines


def _codes(row: Pixels, true_colour: bool) -> list[str]:
    if true_colour:
        return [f"2;{red};{green};{blue}" for red, green, blue in row.tolist()]
    return [f"5;{index}" for index in nearest_of_256(row).tolist()]


def nearest_of_256(colours: NDArray[Any]) -> NDArray[Any]:
    """The number of the nearest of xterm's fixed colours, 16..255, for colours (..., 3).

    >>> nearest_of_256(np.array([[255, 0, 0], [128, 128, 128], [0, 0, 0]])).tolist()
    [196, 244, 16]
    """
    wanted = np.asarray(colours, int)
    places = np.abs(wanted[..., None] - _LEVELS).argmin(axis=-1)
    cube = _LEVELS[places]
    grey = np.clip(np.rint((wanted.mean(axis=-1) - 8) / 10), 0, 23).astype(int)
    from_cube = ((wanted - cube) ** 2).sum(axis=-1)
    from_grey = ((wanted - (8 + 10 * grey)[..., None]) ** 2).sum(axis=-1)
    return np.asarray(np.where(from_grey < from_cube, 232 + grey, 16 + places @ np.array([36, 6, 1])))


def _size(image: Image) -> str:
    height, width = image.pixels.shape[:2]
    return f"{width}x{height}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
