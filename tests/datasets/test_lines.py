"""Lines that are no ones, and the stroke of a seven whose bar lies on the border of the picture."""

import numpy as np
import pytest
from digit_scenes import trimmed, turned
from drawn_digits import pen
from PIL import Image, ImageDraw

from convcli.datasets import prepare_digit
from convcli.datasets.lines import why_no_one
from convcli.datasets.strokes import strokes_of
from convcli.errors import DataError

PAPER, SHADE = 230, 90


def page(lines, width=220, height=160, thick=5):
    """Grey of 0..1 with a line of ``thick`` pixels between each pair of points (x, y)."""
    canvas = Image.new("L", (4 * width, 4 * height), PAPER)
    for line in lines:
        ImageDraw.Draw(canvas).line([(4 * x, 4 * y) for x, y in line], fill=SHADE, width=4 * thick)
    return np.asarray(canvas.reduce(4), np.float32) / 255


def reason(lines, **words):
    """What is said against the first of these lines."""
    alone = page(lines[:1], **words)
    return why_no_one(strokes_of((PAPER / 255 - alone) / ((PAPER - SHADE) / 255), 0.3), page(lines, **words))


SHORT = [(60, 50), (75, 110)]


@pytest.mark.parametrize("thick", [12, 30])
@pytest.mark.parametrize("ends", [[(-60, 150), (280, 20)], [(-60, 0), (280, 130)], [(80, -60), (170, 220)],
                                  [(-110, -80), (330, 240)]])  # fmt: skip
def test_a_slanting_band_from_border_to_border_is_no_one(ends, thick):
    assert reason([ends], thick=thick) == "a line that runs out of the picture at both ends"
    with pytest.raises(DataError, match="no digit found"):
        prepare_digit(page([ends], thick=thick))


def test_a_band_is_known_though_only_its_middle_was_cut_out():
    whole = page([[(-60, 150), (280, 20)]], thick=30)
    amount = (PAPER / 255 - whole) / ((PAPER - SHADE) / 255)
    amount[:, :12] = amount[:, -12:] = 0
    assert why_no_one(strokes_of(amount, 0.3), whole) == "a line that runs out of the picture at both ends"


@pytest.mark.parametrize("height", [20, 28, 60, 200])
@pytest.mark.parametrize("thick", [0.08, 0.16])
def test_a_slanting_one_cut_out_without_a_margin_is_one(height, thick):
    upright = np.pad(np.ones((height, round(thick * height))), height)
    for degrees in (15, 30, 45, 60):
        ink = trimmed(turned(upright, degrees)).astype(np.float32)
        assert why_no_one(strokes_of(ink, 0.3), 1 - 0.8 * ink) == ""


@pytest.mark.parametrize("line", [SHORT, [(100, 2), (100, 158)], [(30, 6), (190, 154)]])
def test_a_line_that_ends_in_the_picture_may_be_a_one(line):
    assert reason([line], thick=12) == ""


def test_a_line_among_lines_in_all_directions_is_a_crease():
    others = [[(120, 20), (180, 30)], [(110, 140), (150, 70)], [(170, 140), (205, 90)], [(20, 140), (45, 90)]]
    assert reason([SHORT, *others]) == "a straight line among others in all directions, as creases are"
    with pytest.raises(DataError, match="no digit found"):
        prepare_digit(page([SHORT, *others]))


@pytest.mark.parametrize("turn", [0, 4])
def test_a_one_on_ruled_or_squared_paper_lies_among_no_creases(turn):
    level = [[(5, y), (215, y + turn)] for y in (15, 130, 145)]
    upright = [[(x + turn, 5), (x, 155)] for x in (120, 150, 180)]
    assert reason([SHORT, *level], thick=2) == ""
    assert reason([SHORT, *upright], thick=2) == ""


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("side", [40, 200])
def test_a_seven_cut_out_without_a_margin_keeps_its_bar(side, inverted):
    ink = pen(7, side, side // 12).astype(np.float32)
    rows, columns = np.flatnonzero((ink > 0.5).any(axis=1)), np.flatnonzero((ink > 0.5).any(axis=0))
    tight = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole, cut = (prepare_digit(each if inverted else 1 - each) for each in (ink, tight))
    assert np.abs(whole - cut).mean() < 0.03
