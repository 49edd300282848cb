"""Texts of pictures: a minus is a minus wherever it is drawn, and a sign is as the font's own plus."""

import doctest
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from convcli.jobs.animate import make_film, plan_animation
from convcli.views import charts, lettering, schemes, signs
from convcli.views.animation import Text, lay_out
from convcli.views.animation_raster import as_picture
from convcli.views.animation_svg import as_svg
from convcli.views.figure import Panel, draw_figure
from convcli.views.lettering import draw_text, drawable, length, shortened
from convcli.views.signs import typeset


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1", "−1"), ("x = -.5", "x = −.5"), ("(-2)", "(−2)"), ("1,-2", "1,−2"), ("3e-07", "3e−07"), ("-inf", "−inf"),
        ("(5 - 3 + 2*1)/2", "(5 − 3 + 2*1)/2"), ("1 0 -1; 2 0 -2", "1 0 −1; 2 0 −2"), ("a=-1", "a=−1"),
        ("laplacian-8", "laplacian-8"), ("multiply-adds", "multiply-adds"), ("0-255", "0-255"), ("a-1.png", "a-1.png"),
        ("cats - dogs", "cats - dogs"), ("--json", "--json"), ("x--5", "x--5"), ("", ""),
    ],
)  # fmt: skip
def test_which_hyphens_are_minus_signs(text, expected):
    assert typeset(text) == expected


def drawn(text, points=20, bold=False):
    """The ink of a text at (40, 40)."""
    sheet = Image.new("L", (120, 80))
    draw_text(ImageDraw.Draw(sheet), (40, 40), text, points, fill=255, anchor="lm", bold=bold)
    return np.asarray(sheet).astype(int)


def box(ink):
    """First and last row and column with ink."""
    rows, columns = np.nonzero(ink > 60)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("points", [9, 12.4, 15, 20, 31])
def test_a_minus_is_the_bar_of_the_plus(points, bold):
    plus, minus, hyphen = (drawn(each, points, bold) for each in ("+", "−", "a-"))
    assert (minus <= plus).all()
    assert box(minus)[2:] == box(plus)[2:]
    top, bottom, left, right = box(minus)
    assert bottom - top <= max(0.15 * points, 2)
    assert right - left > box(hyphen)[3] - box(hyphen)[2] - length("a", points)
    # What is written as a hyphen before a number is drawn as a minus.
    assert np.array_equal(drawn("-1", points, bold), drawn("−1", points, bold))


def test_a_times_is_a_turned_plus():
    ink = drawn("×", 30)
    top, bottom, left, right = box(ink)
    assert abs((bottom - top) - (right - left)) <= 1
    cross = ink[top : bottom + 1, left : right + 1] > 60
    corners = [
        cross[rows, columns].any() for rows in (slice(3), slice(-3, None)) for columns in (slice(3), slice(-3, None))
    ]
    assert all(corners)
    assert not cross[0, cross.shape[1] // 2]
    assert cross[cross.shape[0] // 2, cross.shape[1] // 2]


@pytest.mark.parametrize("anchor", ["la", "ma", "ra", "lm", "mm", "rm"])
def test_anchors_hold_for_texts_with_signs(anchor):
    sheet = Image.new("L", (200, 80))
    draw_text(ImageDraw.Draw(sheet), (100, 40), "−5 × −7", 16, fill=255, anchor=anchor)
    _, columns = np.nonzero(np.asarray(sheet))
    width = length("−5 × −7", 16)
    start = 100 - {"l": 0, "m": width / 2, "r": width}[anchor[0]]
    assert start - 2 <= columns.min() <= start + 3
    assert start + width - 4 <= columns.max() <= start + width + 2


def test_texts_are_cut_to_a_width():
    text = shortened("−1 × " * 30, 120, 14)
    assert text.endswith("…")
    assert length(text, 14) <= 120 < length(f"{text}−1 ×", 14)
    assert drawable("naïve – 1 € ½") == "naive ? 1 ? 1?2"


def test_signs_are_alike_in_gif_png_and_svg():
    """What an SVG says is what Pillow draws: no sign is replaced by another one on the way."""
    plan = plan_animation((3, 4), 2, padding=1)
    film = make_film(plan, ((-1.0, 2, -3, 1e-5), (4, -0.25, 6, 7), (8, -9, 1, 2)), ((-1.0, 2), (0, -0.5)))
    scene = lay_out(film)
    texts = {item.text for items in (scene.still, *scene.moving, *scene.lasting) for item in items
             if isinstance(item, Text)}  # fmt: skip
    assert any("−" in each for each in texts)
    assert any("×−" in each for each in texts)
    svg = as_svg(film, 1.0)
    for text in texts:
        assert drawable(text) == typeset(text)
        assert f">{typeset(text)}</text>" in svg
    assert not re.search(r">[^<]*-\d[^<]*</text>", svg)
    assert Image.open(io.BytesIO(as_picture(film, ".png", 1))).size[0] > 300


def test_the_scale_of_a_figure_has_minus_signs(monkeypatch):
    seen = []
    monkeypatch.setattr("convcli.views.figure.draw_text", lambda draw, place, text, *rest, **more: seen.append(text))
    panel = Panel("B − A", np.zeros((9, 9, 3), np.uint8), ("from -3 to 4",), 12.5)
    draw_figure([[panel]], title="a figure")
    assert "−12.5" in seen
    assert "+12.5" in seen


@pytest.mark.parametrize("module", [charts, lettering, schemes, signs])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_of_a_path_the_end_is_kept():
    text = shortened("sample_images/more/five.jpg", 90, 14)
    assert text.startswith("…") and text.endswith("five.jpg") and length(text, 14) <= 90
