"""Several digits in one picture: where each is, in the order in which they are read, and each in MNIST's form."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from convcli.datasets.ink import to_grey
from convcli.datasets.model import Bytes
from convcli.datasets.preprocessing import Preprocessing
from convcli.datasets.search import boxes_of_digits, wipe
from convcli.datasets.strokes import Box
from convcli.errors import DataError
from convcli.images import Image

_MARGIN = 0.5  # of a digit's longer side, around it


class Found(NamedTuple):
    """A digit of a picture: its box (top, left, bottom, right), and (height, width, channels) bytes of it."""

    box: Box
    pixels: Bytes


def find_digits(image: Image, rule: Preprocessing) -> list[Found]:
    """All digits of a picture, line by line from the left, each prepared as the rule says.

    Raises `DataError` for a picture without any, or a rule that is not for digits.
    """
    if rule.kind != "digit":
        raise DataError("each: got a model for whole pictures, expected one for digits, which are looked for")
    boxes = reading_order(boxes_of_digits(image.pixels, image.has_alpha))
    grey = to_grey(image.pixels, image.has_alpha)
    found, problems = [], []
    for box in boxes:
        try:
            found.append(Found(box, _prepared(grey, box, boxes, rule)))
        except DataError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    return found


def reading_order(boxes: Sequence[Box]) -> list[Box]:
    """Boxes in lines from above, in each line from the left.

    >>> reading_order([(0, 9, 5, 12), (8, 0, 14, 4), (1, 1, 6, 4)])
    [(1, 1, 6, 4), (0, 9, 5, 12), (8, 0, 14, 4)]
    """
    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda each: each[0] + each[2]):
        middle = (box[0] + box[2]) / 2
        last = lines[-1] if lines else []
        if last and middle < np.mean([each[2] for each in last]):
            last.append(box)
        else:
            lines.append([box])
    return [box for line in lines for box in sorted(line, key=lambda each: each[1])]


def _prepared(grey: np.ndarray, box: Box, boxes: Sequence[Box], rule: Preprocessing) -> Bytes:  # type: ignore[type-arg]
    """One digit cut out, what stands beside it wiped away."""
    top, left, bottom, right = box
    margin = 2 + round(_MARGIN * max(bottom - top, right - left))
    alone = grey
    if len(boxes) > 1:
        alone = grey.copy()
        for other in boxes:
            if other != box:
                wipe(alone, other)
        alone[top:bottom, left:right] = grey[top:bottom, left:right]
    part = alone[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
    return rule.prepare(Image(np.ascontiguousarray(part[..., np.newaxis]))).pixels
