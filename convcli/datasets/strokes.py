"""From ink to the strokes of one digit, or the reason why there is none.

Ink may be anything darker or lighter than what surrounds it: the edge of a shadow, a table, ruled lines, stains. A
digit is what is thin for its size, ends on smooth paper all around, is no frame, no line across the picture and no
pattern.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from convcli.datasets.components import Components, find_components
from convcli.datasets.ink import LEAST_CONTRAST, Ink, blur, otsu
from convcli.datasets.ruling import without_ruling
from convcli.datasets.shapes import hull_and_box, is_straight, stroke_width
from convcli.errors import DataError

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Plane = TypeVar("Plane", Flags, Floats)
Box = tuple[int, int, int, int]  # top, left, bottom, right; bottom and right lie one behind

_LAYERS = 3  # as of a table, a frame on the paper and the digit in it
_BLUR = 0.3  # on large pictures a stroke ends where its ink falls below this share
_FAINT = 0.08  # ink below this share of a stroke's is paper, beside the noise
# Of 60,000 digits of MNIST's training images 1 in 1,000 is broader for its height than the first, 1 in 1,000 thicker
# for its longer side than the second, and 1 in 600 has more holes than the third, most of these only by a pixel.
_BROADEST = 2.2
_THICKEST = 0.33
_MOST_HOLES = 3
_MOST_CONTACT = 0.45  # of the picture's border under a digit that is cut out without a margin
_CUT_AT_ONE_SIDE = 0.4  # of the picture under a digit that touches one side of it
_NARROW = 1.8  # height by width of pictures that show a one and little else
_FRAME = 0.92  # share of their smallest box that the hulls of frames fill; an ellipse fills 0.79
_MOST_SOLID = 0.93  # share of a hull that is ink, where it is no bar: more than any of MNIST's digits but specks
_SQUAT = 0.35  # share of the square of their longer side that bars do not fill
_ALIKE = 0.5  # a part of at least this share of the digit's height may be a digit, too
_TRIED = 12  # parts that are looked at
_EACH_LAYER = 4  # candidates of one layer
_UNDER = 0.7  # of a stroke's ink may be under it
_BEYOND_GRAIN = 8  # times the grain of a ground, whose spots reach five times
FILLING = 0.8  # of the height or the width of a picture that is but a digit
_NARROWEST = 0.2  # of the other of the two
_DEEPEST = 0.6  # of full scale: the shadows of things let more light through
_SMALLEST = 6  # pixels of such a picture
_THINNEST = 0.025  # of a straight digit's longer side; thinner ones are the sides of frames
_MOST_AROUND = 0.45  # of a stroke's ink may lie around it, where paper should be


def region_of(box: Box) -> str:
    """A box as the rows and columns of an array are said: ``110:292,158:279``."""
    top, left, bottom, right = box
    return f"{top}:{bottom},{left}:{right}"


@dataclass(frozen=True, eq=False)
class Strokes:
    """Strokes that may be a digit.

    Parameters
    ----------
    amount:
        (H, W) float32 of 0..1: 1 is a stroke, 0 is paper and all that does not belong to the digit.
    box:
        Of the strokes.
    main:
        The box of the largest of the parts that they are made of.
    rivals:
        The main boxes of what may be other digits, beside or above this one.
    others:
        The boxes of what are other digits.
    """

    amount: Floats
    box: Box
    main: Box = (0, 0, 0, 0)
    rivals: tuple[Box, ...] = ()
    others: tuple[Box, ...] = ()


def find_candidates(ink: Ink, *, tight: bool = False) -> list[Strokes]:
    """What may be a digit, or one that is cut out without a margin; raises `DataError` where nothing can be."""
    found: dict[Box, Strokes] = {}
    amount = ink.amount.copy()
    for _ in range(_LAYERS):
        mask = amount > otsu(amount)
        strokes = amount[mask]
        full = float(np.percentile(strokes, 75)) if strokes.size else 0.0
        if full < max(LEAST_CONTRAST, 5 * ink.noise):
            if found:
                break
            raise no_digit(f"a contrast of {max(full, 0):.3f} with noise of {ink.noise:.3f}")
        cleared = without_ruling(mask)
        parts = find_components(cleared)
        floor = max(3 * ink.noise, _FAINT * full if ink.noise > 0 else 0.0)
        found |= _found(parts, ink, amount, mask & ~cleared, (floor, full), tight)
        strange = mask & ~cleared if tight else _strange(mask, cleared, parts)
        if not tight:
            found |= {place: each for place, each in _on_top(ink, amount, strokes).items() if place not in found}
        if not strange.any():
            break
        # Something stronger hides the digit: a frame, a table, ruled lines. What is left without it?
        amount[_grow(strange, blur(mask.shape))] = 0
    if not found:
        raise no_digit("no strokes: specks, lines, edges or areas only")
    return list(found.values())


def find_on_grain(ink: Ink) -> list[Strokes]:
    """What may be a digit on a ground with so much grain that most of what is darker, or lighter, is the ground's."""
    strokes = ink.amount[ink.amount > otsu(ink.amount)]
    strong = strokes[strokes > otsu(strokes)]
    if not strong.size or np.percentile(strong, 75) < max(2 * LEAST_CONTRAST, _BEYOND_GRAIN * ink.noise):
        return []
    return list(_on_top(ink, ink.amount, strokes).values())


def _on_top(ink: Ink, amount: Floats, strokes: Floats) -> dict[Box, Strokes]:
    """What may be a digit that is stronger than what it lies on: a shadow, a stain."""
    level = otsu(strokes)
    above = strokes > level
    if not above.any() or above.all():
        return {}
    under, full = float(strokes[~above].mean()), float(np.percentile(strokes[above], 75))
    if under > _UNDER * full:
        return {}
    mask = amount > level
    return _found(find_components(mask), ink, amount, np.zeros_like(mask), (under, full), False)


def _found(
    parts: Components, ink: Ink, amount: Floats, lines: Flags, levels: tuple[float, float], tight: bool
) -> dict[Box, Strokes]:
    """Candidates among the parts, by the boxes of their main ones; ``levels`` are those of paper and of strokes."""
    found: dict[Box, Strokes] = {}
    floor, full = levels
    shapes = _shapes(parts, (ink.shade - floor) / (full - floor), inside=not tight)
    for main in shapes[:_EACH_LAYER]:
        chosen, rivals = _belonging(parts, shapes, main)
        each = _lifted(amount, np.concatenate([[False], chosen])[parts.labels], lines, floor, full)
        if each is not None:
            place = _box_of(parts, main)
            found[place] = replace(each, main=place, rivals=tuple(_box_of(parts, part) for part in rivals))
    return found


def _lifted(amount: Floats, kept: Flags, lines: Flags, floor: float, full: float) -> Strokes | None:
    """The strokes of the parts that are kept, without paper and lines."""
    # The soft edges of a stroke lie around its mask; what is further away is paper.
    near = _grow(kept, blur(kept.shape)) & ~lines
    clean = np.where(near, np.clip((amount - floor) / (full - floor), 0, 1), 0).astype(np.float32)
    # On a small picture a faint pixel is a share of a stroke, as in MNIST itself; on a large one it is blur.
    unit = np.ptp(np.flatnonzero(kept.any(axis=1))) / 20
    edge = _BLUR * min(max((unit - 1) / 2, 0), 1)
    return strokes_of(clean, edge)


def strokes_of(clean: Floats, edge: float) -> Strokes | None:
    """Strokes and their box, which ends where there is no more ink than at an ``edge``; None without any."""
    rows, columns = np.flatnonzero((clean > edge).any(axis=1)), np.flatnonzero((clean > edge).any(axis=0))
    if not len(rows):
        return None
    return Strokes(clean, (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1))


def _box_of(parts: Components, part: int) -> Box:
    top, left, bottom, right = parts.boxes[part].tolist()
    return top, left, bottom, right


def whole_picture(grey: Floats, *, dark: bool) -> Strokes | None:
    """All that is darker than the rest, or lighter, where that fills the picture: a digit without any margin."""
    values = 1 - grey if dark else grey
    low, high = float(values.min()), float(values.max())
    if high - low < LEAST_CONTRAST or max(values.shape) < _SMALLEST:
        return None
    values = (values - low) / (high - low)
    mask = values > otsu(values)
    paper, full = float(np.median(values[~mask])), float(np.percentile(values[mask], 75))
    spans = [(np.ptp(np.flatnonzero(mask.any(axis=1 - axis))) + 1) / mask.shape[axis] for axis in (0, 1)]
    # A bar from one side to the other is as likely a shadow as a one, unless it takes more light than shadows do.
    bar = min(spans) < FILLING and high - low < _DEEPEST and is_straight(mask)
    if full - paper < LEAST_CONTRAST or max(spans) < FILLING or min(spans) < _NARROWEST or bar:
        return None
    clean = np.clip(((values - paper) / (full - paper) - _FAINT) / (1 - _FAINT), 0, 1).astype(np.float32)
    return strokes_of(clean, _BLUR)


def box_overlap(first: Box, second: Box) -> float:
    """The share of two boxes together that is in both."""
    tall, wide = (min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis]) for axis in (0, 1))
    both = max(tall, 0) * max(wide, 0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return both / max(sum(areas) - both, 1)


def no_digit(got: str) -> DataError:
    """The error of a picture without a digit."""
    return DataError(
        f"digit picture: no digit found, got {got}; expected dark strokes on a light ground or light ones on a dark; "
        "cut the picture to the digit"
    )


def _strange(mask: Flags, cleared: Flags, parts: Components) -> Flags:
    """What is no digit nor a piece of one: lines, what touches the border, what is large."""
    fine = _inside(parts) & (_tall(parts) < 2 * _least_side(parts))
    for part in np.flatnonzero(_inside(parts) & ~fine).tolist():
        fine[part] = _may_be_a_digit(parts, part)
    strange: Flags = mask & ~(cleared & np.concatenate([[False], fine])[parts.labels])
    return strange


def _shapes(parts: Components, shade: Floats, *, inside: bool) -> list[int]:
    """The parts that may be digits, the largest first: inside the picture, or else those that touch its border."""
    least = min(max(4, _least_side(parts)), 12) if inside else 3
    tall = _tall(parts)
    fair = (_inside(parts) == inside) & (tall >= least) & (parts.areas >= 4)
    order = np.argsort(-parts.areas, kind="stable")
    return [
        part
        for part in order[fair[order]][:_TRIED].tolist()
        if _may_be_a_digit(parts, part) and _is_sharp(parts, part, shade)
    ]


def _is_sharp(parts: Components, part: int, shade: Floats) -> bool:
    """Whether there is paper around a part, so that it is not cut from something larger or softer."""
    edge = blur(shade.shape)
    reach = 2 * edge + 1
    top, left, bottom, right = parts.boxes[part].tolist()
    place = (slice(max(0, top - reach), bottom + reach), slice(max(0, left - reach), right + reach))
    shape = parts.labels[place] == part + 1
    around = _grow(shape, reach) & ~_grow(shape, edge)
    return not around.any() or float(np.percentile(shade[place][around], 75)) <= _MOST_AROUND


def _least_side(parts: Components) -> int:
    longer: int = max(parts.labels.shape)
    return max(3, round(longer * 0.03))


def _tall(parts: Components) -> npt.NDArray[np.int64]:
    top, left, bottom, right = parts.boxes.T
    tall: npt.NDArray[np.int64] = np.maximum(bottom - top, right - left)
    return tall


def _inside(parts: Components) -> Flags:
    height, width = parts.labels.shape
    top, left, bottom, right = parts.boxes.T
    inside: Flags = (top > 0) & (left > 0) & (bottom < height) & (right < width)
    return inside


def _may_be_a_digit(parts: Components, part: int) -> bool:
    """Whether a part has a digit's shape: thin for its size, higher than broad, few holes, no frame, no line."""
    top, left, bottom, right = parts.boxes[part]
    shape = parts.labels[top:bottom, left:right] == part + 1
    height, width = shape.shape
    if width > _BROADEST * max(height, 2):
        return False
    if not _inside(parts)[part]:
        return _fills_the_picture(shape, parts, part)
    if is_straight(shape) and stroke_width(shape) < _THINNEST * max(height, width):
        return False
    return _is_thin(shape) and _few_holes(shape)


def _few_holes(shape: Flags) -> bool:
    """Whether a shape is no pattern of many holes, no frame around something or nothing, and no filled area."""
    ground = find_components(~np.pad(shape, 1))
    enclosed = ground.areas[ground.boxes[:, 0] > 0]
    if (enclosed > 0.002 * shape.size).sum() > _MOST_HOLES:
        return False
    hull, box = hull_and_box(shape)
    if shape.sum() > _MOST_SOLID * hull and box > _SQUAT * max(shape.shape) ** 2:
        return False
    return not (enclosed.sum() > 0.5 * hull and hull > _FRAME * box)


def _fills_the_picture(shape: Flags, parts: Components, part: int) -> bool:
    """Whether a part that touches the border is a digit cut out without a margin, or a piece of it."""
    height, width = parts.labels.shape
    if not _is_thin(shape) or not _few_holes(shape):
        return False
    labels = parts.labels
    contacts = [int((side > 0).sum()) for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1])]
    border = 2 * (height + width)
    own: float = max(shape.shape[0] / height, shape.shape[1] / width)
    fair = parts.boxes[parts.areas >= 0.2 * parts.areas[part]]
    tall, wide = (fair[:, 2:].max(axis=0) - fair[:, :2].min(axis=0)).tolist()
    if tall + 2 >= 0.9 * height and wide + 2 >= 0.9 * width and own >= 0.5:
        if int(height) >= _NARROW * width and shape.shape[0] >= height - 2:
            return bool(int(shape.sum()) < 0.97 * int(height * width))  # a one leaves no more than its corners
        return bool(sum(contacts) <= _MOST_CONTACT * border)
    if sum(contact > 0 for contact in contacts) > 1:
        return False
    return bool(own >= _CUT_AT_ONE_SIDE and sum(contacts) <= 0.12 * border) and not is_straight(shape)


def _is_thin(shape: Flags) -> bool:
    longer: int = max(shape.shape)
    return stroke_width(shape) <= _THICKEST * longer + 1


def _belonging(parts: Components, shapes: list[int], main: int) -> tuple[Flags, list[int]]:
    """Which parts make up a digit: the main one, and others near it that are no specks; and its rivals."""
    top, left, bottom, right = parts.boxes.T
    tall = _tall(parts)
    candidates = (_inside(parts) | (not _inside(parts)[main])) & (tall >= min(_least_side(parts), tall[main]))
    down = np.maximum(top[main] - bottom, top - bottom[main])
    across = np.maximum(left[main] - right, left - right[main])
    heights = bottom - top
    rivals = candidates & (np.minimum(heights, heights[main]) >= _ALIKE * np.maximum(heights, heights[main]))
    # One beside or above the other: the pieces of a broken digit are shifted against each other.
    shorter = np.minimum(bottom - top, bottom[main] - top[main])
    narrower = np.minimum(right - left, right[main] - left[main])
    rivals &= ((across > 0) & (-down >= 0.7 * shorter)) | ((down > 0) & (-across >= 0.7 * narrower))
    rivals &= parts.areas >= 0.1 * parts.areas[main]
    found = [part for part in shapes if rivals[part]]
    chosen = candidates & (parts.areas >= 0.08 * parts.areas[main]) & (np.maximum(down, across) <= 0.35 * tall[main])
    chosen[found] = False
    chosen[main] = True
    return chosen, found


def _grow(mask: Flags, steps: int) -> Flags:
    for _ in range(steps):
        mask = spread_once(mask, diagonal=True)
    return mask


def spread_once(plane: Plane, *, diagonal: bool) -> Plane:
    """Every pixel takes the largest value of its neighbours: the four beside it, or all eight."""
    down = plane.copy()
    np.maximum(down[1:], plane[:-1], out=down[1:])
    np.maximum(down[:-1], plane[1:], out=down[:-1])
    source = down if diagonal else plane
    result = down.copy()
    np.maximum(result[:, 1:], source[:, :-1], out=result[:, 1:])
    np.maximum(result[:, :-1], source[:, 1:], out=result[:, :-1])
    return result
