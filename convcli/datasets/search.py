"""The search for the digit in a picture: candidates of both polarities, the judge's word on each, a closer look."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from convcli.datasets.components import find_components
from convcli.datasets.ink import find_inks, is_flat, otsu, to_grey
from convcli.datasets.judge import judge, views
from convcli.datasets.pictures import resize
from convcli.datasets.shapes import is_straight, stroke_width
from convcli.datasets.strokes import Box, Strokes, find_candidates, no_digit, whole_picture
from convcli.errors import DataError
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]

_WORKING_SIDE = 224  # pixels: 11 for each of the box; larger photographs are averaged, which removes noise
_CLOSER = 0.5  # a digit smaller than this share of the working picture is cut out and looked at again
_SAME = 0.3  # of two boxes together is in both if they show the same
_LIKELY = 0.6
_LIKELY_ALONE = 0.35  # where it fills the picture: of 250 pages without a digit none has between this and the other
_LIKELY_DRAWN = 0.2
_ONE_SHADE = 0.7  # of the pixels
_FILLING = 0.8  # of the height and of the width of a picture
_RIVAL = 0.2  # of what stands beside a digit, as high as that is
_CREASES = 3  # lines beside one that are too many
_PARALLEL = 0.8  # of 1, which lines of one ruling have
_SLANTING = 0.3  # the sine of twice the angle: nine degrees off upright or level
_CUT_OFF = 1.05  # of its width
_FAINT = 4  # times the paper's noise
_LARGER = 1.5  # times the ink of a piece
_SURE = 0.95  # of a candidate beyond which no others are looked for


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be a digit, and the picture in which it was found.

    Parameters
    ----------
    strokes:
        The strokes, in the pixels of ``grey``.
    grey:
        (H, W) float32 of 0..1: the picture or a part of it, of a working size.
    dark:
        Whether strokes are darker than paper.
    alone:
        Whether they are all that is darker, or lighter, and fill the picture.
    """

    strokes: Strokes
    grey: Floats
    dark: bool
    alone: bool = False


def search(pixels: Pixels, has_alpha: bool) -> Strokes:
    """The strokes of the digit, darker or lighter than the paper, or else of another colour.

    Raises `DataError` for a picture without a digit. Boxes of others are in the picture's pixels.
    """
    grey = to_grey(pixels, has_alpha)
    try:
        return _search(grey)
    except DataError as error:
        few = max(1, max(grey.shape) // _WORKING_SIDE)
        if pixels.shape[2] - has_alpha == 3 and not is_flat(to_grey(pixels[::few, ::few], has_alpha, by_colour=True)):
            try:
                return _search(to_grey(pixels, has_alpha, by_colour=True))
            except DataError:
                pass
        raise error


def _search(grey: Floats) -> Strokes:
    small = shrunken(grey)
    if is_flat(small):
        raise no_digit("a picture of one shade")
    reasons: list[DataError] = []
    found: list[tuple[float, Candidate]] = []
    for candidates in (found_inside, found_at_the_border):
        more = list(candidates(small, reasons))
        found += zip(judged(more, small), more, strict=True)
        if any(likely >= _SURE and not _reaches_far(each.strokes.box, small) for likely, each in found):
            break
    if not found:
        raise reasons[0]
    likely, best = _first_of_the_best([each for each in found if not _is_piece(each[1], found)])
    usual = _LIKELY_DRAWN if _is_drawn(grey) else _LIKELY
    if likely < (_LIKELY_ALONE if best.alone else usual):
        raise no_digit(f"strokes that are a digit's with {likely:.0%} only")
    if _runs_through(best.strokes):
        raise no_digit("a line that runs out of the picture at both ends")
    if _lies_among_creases(best.strokes, small):
        raise no_digit("a straight line among others in all directions, as creases are")
    others = [each.strokes for score, each in found if score >= _RIVAL and _is_beside(each, best)]
    if others:
        scale = grey.shape[0] / small.shape[0]
        boxes = tuple(_scaled(each.box, scale) for each in others)
        return replace(best.strokes, box=_scaled(best.strokes.box, scale), others=boxes)
    closer = looked_at_closer(grey, small, best)
    if closer is None:
        return best.strokes
    likely, best = _first_of_the_best([*zip(judged(closer, small), closer, strict=True), (0.0, best)])
    if likely < usual:
        raise no_digit(f"strokes that, looked at closer, are a digit's with {likely:.0%} only")
    return best.strokes


def _first_of_the_best(found: list[tuple[float, Candidate]]) -> tuple[float, Candidate]:
    """The likeliest candidate; of those that are sure the first, since what comes later is cut at other levels."""
    return next((each for each in found if each[0] >= _SURE), None) or max(found, key=lambda each: each[0])


def _runs_through(strokes: Strokes) -> bool:
    """Whether it is a slanting line that the borders of the picture cut off: a shadow's band, not a one.

    The ends of a one, drawn straight across the stroke, touch a border with a corner only.
    """
    shape = strokes.amount > 0.5
    if not is_straight(shape):
        return False
    slant = abs(np.sin(2 * _direction(shape)))
    contacts = sorted(int(border.sum()) for border in (shape[0], shape[-1], shape[:, 0], shape[:, -1]))
    return bool(slant > _SLANTING and contacts[-2] >= _CUT_OFF * stroke_width(shape))


def _direction(shape: npt.NDArray[np.bool_]) -> float:
    """Of a line, in radians."""
    rows, columns = np.nonzero(shape)
    spread = np.cov(np.stack([rows, columns]).astype(float))
    return 0.5 * float(np.arctan2(2 * spread[0, 1], spread[1, 1] - spread[0, 0]))


def _lies_among_creases(strokes: Strokes, small: Floats) -> bool:
    """Whether it is a line, as a one is, and lines as long as half of it lie about that are no ruling.

    Lines of a ruling or of squares are parallel or at right angles; creases and scratches have all directions, and may
    be darker or lighter than the paper.
    """
    if not is_straight(strokes.amount > 0.5):
        return False
    top, left, bottom, right = strokes.box
    least = max(bottom - top, right - left) / 2
    directions = [
        direction
        for ink in find_inks(small)
        for direction in _lines(ink.amount > max(_FAINT * ink.noise, otsu(ink.amount) / 2), least, strokes.box)
    ]
    return len(directions) >= _CREASES and bool(abs(np.mean(np.exp(4j * np.array(directions)))) < _PARALLEL)


def _lines(mask: npt.NDArray[np.bool_], least: float, apart_from: Box) -> Iterator[float]:
    """The directions, in radians, of straight parts at least so long, but for one that is already known."""
    parts = find_components(mask)
    for part, (top, left, bottom, right) in enumerate(parts.boxes.tolist()):
        if max(bottom - top, right - left) < least or _overlap((top, left, bottom, right), apart_from) >= _SAME:
            continue
        shape = parts.labels[top:bottom, left:right] == part + 1
        if is_straight(shape):
            yield _direction(shape)


def _reaches_far(box: Box, grey: Floats) -> bool:
    """Whether it nearly fills the picture in a direction, so that something of it may lie on the border."""
    return bool(max((box[axis + 2] - box[axis]) / grey.shape[axis] for axis in (0, 1)) >= _FILLING)


def _is_piece(candidate: Candidate, found: list[tuple[float, Candidate]]) -> bool:
    """Whether it is a part of what is likely a digit as a whole.

    Thin strokes come apart where they are cut higher; a seven without its bar, which lies on the border, is a one.
    """
    top, left, bottom, right = candidate.strokes.box
    for score, whole in found:
        above, first, below, last = whole.strokes.box
        within = above <= top and first <= left and bottom <= below and right <= last
        larger = whole.strokes.amount.sum() > _LARGER * candidate.strokes.amount.sum()
        if score >= _LIKELY and whole.dark == candidate.dark and within and larger:
            return True
    return False


def _is_drawn(grey: Floats) -> bool:
    """Whether paper is one shade without noise, as only programs make it: there is little that could look like ink."""
    return float(np.mean(grey == np.median(grey))) > _ONE_SHADE


def _is_beside(other: Candidate, best: Candidate) -> bool:
    return other.dark == best.dark and other.strokes.main in best.strokes.rivals


def judged(candidates: list[Candidate], whole: Floats) -> list[float]:
    """How likely each is a digit."""
    if not candidates:
        return []
    return [float(score) for score in judge([views(each.strokes, each.grey, whole) for each in candidates])]


def found_inside(grey: Floats, reasons: list[DataError]) -> Iterator[Candidate]:
    """Candidates with paper around them; why there are none of a polarity goes to ``reasons``."""
    yield from _candidates(grey, reasons, tight=False)


def found_at_the_border(grey: Floats, reasons: list[DataError]) -> Iterator[Candidate]:
    """Candidates that were cut out without a margin: their holes and gaps lie inside."""
    yield from _candidates(grey, reasons, tight=True)
    for dark in (True, False):
        strokes = whole_picture(grey, dark=dark)
        if strokes is not None:
            top, left, bottom, right = strokes.box
            fills = min((bottom - top) / grey.shape[0], (right - left) / grey.shape[1]) >= _FILLING
            yield Candidate(strokes, grey, dark, alone=fills)


def _candidates(grey: Floats, reasons: list[DataError], *, tight: bool) -> Iterator[Candidate]:
    for ink in find_inks(grey, beyond=not tight):
        try:
            for strokes in find_candidates(ink, tight=tight):
                yield Candidate(strokes, grey, ink.dark)
        except DataError as error:
            reasons.append(error)


def looked_at_closer(grey: Floats, small: Floats, candidate: Candidate) -> list[Candidate] | None:
    """A small digit found again in its neighbourhood, which tells more of paper and strokes; None of a large one."""
    shrunk = small.shape[0] / grey.shape[0]
    top, left, bottom, right = candidate.strokes.box
    side = max(bottom - top, right - left)
    if shrunk >= 1 or side >= _CLOSER * max(small.shape):
        return None
    margin = side // 2
    start, first = max(0, int((top - margin) / shrunk)), max(0, int((left - margin) / shrunk))
    part = grey[start : int((bottom + margin) / shrunk) + 1, first : int((right + margin) / shrunk) + 1]
    near = shrunken(part)
    scale = near.shape[0] / part.shape[0]
    places = zip(candidate.strokes.box, (start, first, start, first), strict=True)
    there = tuple(round((place / shrunk - corner) * scale) for place, corner in places)
    ink = next(each for each in find_inks(near, _CLOSER) if each.dark == candidate.dark)
    try:
        found = find_candidates(ink)
    except DataError:
        return []
    return [Candidate(each, near, ink.dark) for each in found if _overlap(each.box, there) >= _SAME]


def _overlap(first: Box, second: Box) -> float:
    """The share of two boxes together that is in both."""
    tall, wide = (min(first[axis + 2], second[axis + 2]) - max(first[axis], second[axis]) for axis in (0, 1))
    both = max(tall, 0) * max(wide, 0)
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return both / max(sum(areas) - both, 1)


def _scaled(box: Box, scale: float) -> Box:
    top, left, bottom, right = (round(side * scale) for side in box)
    return top, left, bottom, right


def shrunken(grey: Floats) -> Floats:
    """A picture of at most the working size."""
    shrink = _WORKING_SIDE / max(grey.shape)
    if shrink >= 1:
        return grey
    return resize(grey, max(1, round(grey.shape[0] * shrink)), max(1, round(grey.shape[1] * shrink)))
