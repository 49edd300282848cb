"""The search for the digit in a picture: candidates of both polarities, the judge's word on each, a closer look."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from convcli.datasets.ink import few_of, find_inks, is_flat, to_grey
from convcli.datasets.judge import judge, views
from convcli.datasets.lines import why_no_one
from convcli.datasets.pictures import resize
from convcli.datasets.strokes import (
    FILLING,
    Box,
    Strokes,
    box_overlap,
    find_candidates,
    find_on_grain,
    no_digit,
    whole_picture,
)
from convcli.errors import DataError
from convcli.images.model import Pixels

Floats = npt.NDArray[np.float32]

_WORKING_SIDE = 224  # pixels: 11 for each of the box; larger photographs are averaged, which removes noise
_CLOSER = 0.5  # a digit smaller than this share of the working picture is cut out and looked at again
_SAME = 0.3  # of two boxes together is in both if they show the same
_LIKELY = 0.8  # of 630 pages without a digit one has something as likely
_LIKELY_ALONE = 0.5  # where it fills the picture
_LIKELY_SMALL = 0.4  # where a closer look decides, which asks for more
_LIKELY_CLOSER = 0.7
_LIKELY_DRAWN = 0.15  # on paper without noise, where little else could look like ink
_ONE_SHADE = 0.7  # of the pixels
_RIVAL = 0.2  # of what stands beside a digit, as high as that is
_LARGER = 1.5  # times the ink of a piece
_LOWEST = 0.4  # of the median height of the digits of a picture
MOST_DIGITS = 200  # of one picture
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


def boxes_of_digits(pixels: Pixels, has_alpha: bool) -> list[Box]:
    """Where the digits of a picture are, in its pixels: what is found is wiped away, and the search begins anew.

    What is far lower than the others is none; raises `DataError` for a picture without a digit.
    """
    grey = to_grey(pixels, has_alpha).copy()
    found: list[Box] = []
    while len(found) < MOST_DIGITS:
        small = shrunken(grey)
        try:
            _, best, others = _best(grey, small)
        except DataError:
            if found:
                break
            raise
        scale = grey.shape[0] / small.shape[0]
        boxes = [_scaled(each.box, scale) for each in (best.strokes, *others)]
        tall = float(np.median([bottom - top for top, _, bottom, _ in found or boxes]))
        found += [box for box in boxes if box[2] - box[0] >= _LOWEST * tall and not any(
            box_overlap(box, other) >= _SAME for other in found)]  # fmt: skip
        for box in boxes:
            wipe(grey, box)
    return found


def wipe(plane: Floats, box: Box) -> None:
    """Paint over what is in a box, with the lightness around it."""
    top, left, bottom, right = box
    edge = 1 + max(bottom - top, right - left) // 12
    place = (slice(max(top - edge, 0), bottom + edge), slice(max(left - edge, 0), right + edge))
    inside = plane[place]
    rim = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    plane[place] = np.median(rim)


def _search(grey: Floats) -> Strokes:
    small = shrunken(grey)
    likely, best, others = _best(grey, small)
    drawn = _is_drawn(grey)
    if others:
        scale = grey.shape[0] / small.shape[0]
        boxes = tuple(_scaled(each.box, scale) for each in others)
        return replace(best.strokes, box=_scaled(best.strokes.box, scale), others=boxes)
    closer = looked_at_closer(grey, small, best)
    if closer is None:
        return best.strokes
    likely, best = _first_of_the_best([*zip(judged(closer, small), closer, strict=True), (0.0, best)])
    if likely < (_LIKELY_DRAWN if drawn else _LIKELY_CLOSER):
        raise no_digit(f"strokes that, looked at closer, are a digit's with {likely:.0%} only")
    return best.strokes


def _best(grey: Floats, small: Floats) -> tuple[float, Candidate, list[Strokes]]:
    """The likeliest digit of a picture, how likely that is, and the strokes of others beside it."""
    if is_flat(small):
        raise no_digit("a picture of one shade")
    reasons: list[DataError] = []
    found: list[tuple[float, Candidate]] = []
    for candidates in (found_inside, found_at_the_border):
        more = list(candidates(small, reasons))
        found += zip(judged(more, small), more, strict=True)
        # Of what nearly fills the picture in a direction something may lie on the border.
        if any(likely >= _SURE and max(_spans(each.strokes.box, small)) < FILLING for likely, each in found):
            break
    if all(likely < _LIKELY for likely, _ in found):
        more = [Candidate(each, small, ink.dark) for ink in find_inks(small) for each in find_on_grain(ink)]
        found += zip(judged(more, small), more, strict=True)
    if not found:
        raise reasons[0]
    likely, best = _first_of_the_best([each for each in found if not _is_piece(each[1], found)])
    drawn = _is_drawn(grey)
    usual = _LIKELY_DRAWN if drawn else _LIKELY_SMALL if _is_small(best, small, grey) else _LIKELY
    if likely < (_LIKELY_ALONE if best.alone else usual):
        raise no_digit(f"strokes that are a digit's with {likely:.0%} only")
    reason = why_no_one(best.strokes, small)
    if reason:
        raise no_digit(reason)
    return likely, best, [each.strokes for score, each in found if score >= _RIVAL and _is_beside(each, best)]


def _first_of_the_best(found: list[tuple[float, Candidate]]) -> tuple[float, Candidate]:
    """The likeliest candidate; of those that are sure the first, since what comes later is cut at other levels."""
    return next((each for each in found if each[0] >= _SURE), None) or max(found, key=lambda each: each[0])


def _spans(box: Box, grey: Floats) -> tuple[float, float]:
    """The shares of a picture's height and width that a box takes."""
    top, left, bottom, right = box
    return (bottom - top) / grey.shape[0], (right - left) / grey.shape[1]


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
    some = few_of(grey)
    return float(np.mean(some == np.median(some))) > _ONE_SHADE


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
            yield Candidate(strokes, grey, dark, alone=min(_spans(strokes.box, grey)) >= FILLING)


def _candidates(grey: Floats, reasons: list[DataError], *, tight: bool) -> Iterator[Candidate]:
    for ink in find_inks(grey, beyond=not tight):
        try:
            for strokes in find_candidates(ink, tight=tight):
                yield Candidate(strokes, grey, ink.dark)
        except DataError as error:
            reasons.append(error)


def _is_small(candidate: Candidate, small: Floats, grey: Floats) -> bool:
    """Whether the picture shows more of a candidate than was looked at."""
    top, left, bottom, right = candidate.strokes.box
    return small.shape[0] < grey.shape[0] and bool(max(bottom - top, right - left) < _CLOSER * max(small.shape))


def looked_at_closer(grey: Floats, small: Floats, candidate: Candidate) -> list[Candidate] | None:
    """A small digit found again in its neighbourhood, which tells more of paper and strokes; None of a large one."""
    if not _is_small(candidate, small, grey):
        return None
    shrunk = small.shape[0] / grey.shape[0]
    top, left, bottom, right = candidate.strokes.box
    margin = max(bottom - top, right - left) // 2
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
    return [Candidate(each, near, ink.dark) for each in found if box_overlap(each.box, there) >= _SAME]


def _scaled(box: Box, scale: float) -> Box:
    top, left, bottom, right = (round(side * scale) for side in box)
    return top, left, bottom, right


def shrunken(grey: Floats) -> Floats:
    """A picture of at most the working size."""
    shrink = _WORKING_SIDE / max(grey.shape)
    if shrink >= 1:
        return grey
    return resize(grey, max(1, round(grey.shape[0] * shrink)), max(1, round(grey.shape[1] * shrink)))
