"""Nested frames: all inside the drawing, no two numbers on one another, the frames where the fields are."""

import re

import numpy as np
import pytest

from convcli.jobs.receptive import draw, receptive
from convcli.views.animation import Box, Text
from convcli.views.receptive import Outline, draw_fields
from convcli.views.svg import text_width


def drawing_of(outlines, size=(28, 28)):
    return draw_fields("a title", ["a line"], size, outlines, None)


@pytest.mark.parametrize("size", [(28, 28), (1, 40), (224, 224), (5, 300), (3, 3), (5000, 4000)])
def test_texts_and_tags_do_not_overlap_and_stay_inside(size):
    rows, columns = size
    outlines = []
    for place in range(20):
        height, width = min(rows, 1 + place * rows // 16), min(columns, 1 + place * columns // 16)
        outlines.append(Outline(f"layer_{place}: {height}x{width}", (rows - height) // 2, (columns - width) // 2,
                                height, width))  # fmt: skip
    drawing = drawing_of(outlines, size)
    boxes = []
    for item in drawing.items:
        if isinstance(item, Text):
            width = text_width(item.text, item.points, item.bold)
            left = item.x - (width / 2 if item.anchor == "middle" else 0)
            boxes.append((left, item.y - item.points / 2, left + width, item.y + item.points / 2, item.text))
    for place, a in enumerate(boxes):
        assert a[0] >= 0
        assert a[2] <= drawing.width, a
        assert a[3] <= drawing.height, a
        for b in boxes[:place]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (a, b)


def test_frames_are_where_the_fields_are():
    drawing = drawing_of([Outline("a", 3, 4, 5, 6), Outline("b", 0, 0, 28, 28)])
    cell = 560 / 28
    (frame,) = [item for item in drawing.items if isinstance(item, Box) and item.edge == "#0072b2"
                and item.thickness == 3]  # fmt: skip
    assert (frame.width, frame.height) == (6 * cell, 5 * cell)
    (whole,) = [item for item in drawing.items if isinstance(item, Box) and item.edge == "#d55e00"
                and item.thickness == 3]  # fmt: skip
    assert (frame.x - whole.x, frame.y - whole.y) == (4 * cell, 3 * cell)


def test_files(tmp_path, rng):
    found = receptive("lenet5", layer="S4")
    draw(found, str(tmp_path / "a.svg"), pixels=rng.random((32, 32, 1)))
    text = (tmp_path / "a.svg").read_text()
    assert re.findall(r">(\w+: \d+x\d+)</text>", text) == ["C1: 5x5", "S2: 6x6", "C3: 14x14", "S4: 16x16"]
    assert "data:image/png;base64," in text
    draw(found, str(tmp_path / "a.png"), pixels=rng.random((32, 32, 3)))
    assert np.fromfile(tmp_path / "a.png", np.uint8, 4).tobytes() == b"\x89PNG"
