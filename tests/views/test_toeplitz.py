"""The matrix as text and as a drawing: nothing wider than the terminal, no two texts on one another."""

import doctest

import numpy as np
import pytest

from convcli.jobs.toeplitz import draw, toeplitz
from convcli.views import toeplitz as view
from convcli.views.animation import Text
from convcli.views.svg import text_width
from convcli.views.toeplitz import MatrixFigure, draw_matrix, matrix_lines


def overlapping(drawing):
    """Pairs of texts whose boxes meet, by an estimate of their widths on the safe side."""
    boxes = []
    for item in drawing.items:
        if isinstance(item, Text) and item.text.strip("·"):
            width = text_width(item.text, item.points, item.bold)
            left = item.x - {"start": 0, "middle": width / 2, "end": width}[item.anchor]
            boxes.append((left, item.y - item.points / 2, left + width, item.y + item.points / 2, item.text))
    return [
        (a[4], b[4])
        for place, a in enumerate(boxes)
        for b in boxes[:place]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ], boxes


def figure_of(found):
    return MatrixFigure(found.matrix, found.vector, found.result, found.input, found.output, ("a", "b"))


@pytest.mark.parametrize(
    ("sizes", "kernel", "words"),
    [
        (5, "1 0 -1", {}), ((4, 4), "1 2; 3 4", {}), ((6, 6), "0.125 -17.25", {}), (30, "1 2 1", {"stride": 7}),
        ((12, 12), "gaussian:sigma=1", {"padding": "same"}), (1, "5", {}), ((32, 32), "1 1; 1 -1", {}), (3, "0", {}),
    ],
)  # fmt: skip
def test_texts_do_not_overlap_and_stay_inside(sizes, kernel, words):
    drawing = draw_matrix(figure_of(toeplitz(sizes, kernel, **words)))
    pairs, boxes = overlapping(drawing)
    assert pairs == []
    for left, top, right, bottom, text in boxes:
        assert 0 <= left <= right <= drawing.width, text
        assert 0 <= top <= bottom <= drawing.height, text


def test_every_number_of_a_small_matrix_is_drawn(tmp_path):
    found = toeplitz((3, 3), "1 2; 3 4", values="5 6 7; 8 9 10; 11 12 13")
    target = tmp_path / "m.svg"
    draw(found, str(target))
    text = target.read_text()
    for value in (*found.vector, *found.result):
        assert f">{value:g}</text>" in text
    assert text.count(">4</text>") == 4
    draw(found, str(tmp_path / "m.png"))


def test_text_fits_into_80_columns_or_is_none():
    for sizes, kernel in ((5, "1 0 -1"), ((3, 3), "1 1; -1 .333333"), (40, "1 2"), (3, "0.123456 -123.456")):
        found = toeplitz(sizes, kernel, padding="full")
        blocks = (found.output[-1], found.input[-1])
        lines = matrix_lines(found.matrix, found.vector, found.result, blocks=blocks)
        assert lines is None or max(map(len, lines)) <= 80
    assert matrix_lines(np.ones((2, 40)), np.ones(40), np.ones(2), blocks=(2, 40)) is None


def test_the_example():
    assert doctest.testmod(view) == (0, 1)
