"""Curves as SVG: round ticks, every point in its place, nothing beyond the frame."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.views.charts import chart, nice_ticks, whole_ticks

NUMBERS = st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6) | st.just(0.0)


@given(NUMBERS, NUMBERS)
def test_ticks_are_even_and_hold_the_range(one, other):
    low, high = min(one, other), max(one, other)
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    step = ticks[1] - ticks[0]
    assert step > 0
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= high - 1e-6 * step
    assert all(b - a == pytest.approx(step, rel=1e-3) for a, b in pairwise(ticks))


@pytest.mark.parametrize("epochs", [1, 2, 7, 39, 300])
def test_every_point_stands_in_the_frame(epochs):
    lines = [
        ("training", [(n, 1 / n) for n in range(1, epochs + 1)]),
        ("a <b>", [(n, 0.5) for n in range(1, epochs + 1)]),
    ]
    root = ElementTree.fromstring(chart("Loss & more", lines, across="epoch", shown="{:.2f}".format))
    name = "{http://www.w3.org/2000/svg}" if root.tag.startswith("{") else ""
    assert "training: 1.00 to" in root.attrib["aria-label"]
    marks = root.findall(f"{name}circle")
    assert len(marks) == 1 + (epochs if epochs <= 40 else 0)
    for line in root.findall(f"{name}polyline"):
        points = [tuple(map(float, each.split(","))) for each in line.attrib["points"].split()]
        assert len(points) == epochs
        assert all(52 <= x <= 406 and 48 <= y <= 230 for x, y in points)
    places = [float(each.attrib["x"]) for each in root.findall(f"{name}text") if re.fullmatch(r"\d+", each.text or "")]
    assert all(b - a > 12 for a, b in pairwise(places))


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 2), (1, 10), (1, 12), (3, 26), (1, 60), (7, 200), (1, 5000)])
def test_ticks_are_whole_epochs(first, last):
    ticks = whole_ticks(first, last)
    assert all(isinstance(each, int) and first <= each <= last for each in ticks)
    assert ticks[0] == first
    assert len(ticks) <= 13
    if last - first < 12:
        assert ticks == list(range(first, last + 1))
    text = chart("Loss", [("training", [(n, 1 / n) for n in range(first, last + 1)])], across="epoch", shown=str)
    assert re.findall(r'text-anchor="middle">(\d+)</text>', text) == [str(each) for each in ticks]


def test_numbers_below_zero_have_minus_signs():
    text = chart("Loss", [("training", [(1, -0.5), (2, 1.5)])], across="epoch", shown="{:.3g}".format)
    assert ">−0.5</text>" in text
    assert "<title>epoch 1: −0.5</title>" in text
    assert "training: −0.5 to 1.5" in text


def test_a_point_says_its_number():
    text = chart("Accuracy", [("training", [(1, 0.25), (2, 0.5)])], across="epoch", shown=lambda y: f"{y:.0%}")
    assert "<title>epoch 2: 50%</title>" in text
    low, high = re.findall(r'class="first" cx="[\d.]+" cy="([\d.]+)"', text)[:2]
    assert float(low) > float(high)
