"""Drawings of networks: valid XML, every layer there, no text on another, colours by type."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from convcli.architectures import NetworkSpec, load, parse_words, plan_network, shape_text, shipped
from convcli.views.svg import text_width
from convcli.views.volumes import draw

SVG = "{http://www.w3.org/2000/svg}"


def plan(words, *size):
    return plan_network(NetworkSpec(size, parse_words(words)))


def texts(root):
    """Every text with its box, in the coordinates of the whole drawing."""
    found = []

    def walk(element, x, y):
        moved = re.fullmatch(r"translate\((-?[\d.]+),(-?[\d.]+)\)", element.get("transform", ""))
        if moved:
            x, y = x + float(moved[1]), y + float(moved[2])
        if element.tag == f"{SVG}text":
            points = float(element.get("font-size"))
            # 0.9 of the estimate the drawing reserves: texts may touch their room's edge, not one another
            width = 0.9 * text_width(element.text, points, element.get("font-weight") == "bold")
            left = x + float(element.get("x")) - (width / 2 if element.get("text-anchor") == "middle" else 0)
            bottom = y + float(element.get("y"))
            found.append((element.text, left, bottom - 0.75 * points, left + width, bottom + 0.2 * points))
        for child in element:
            walk(child, x, y)

    walk(root, 0, 0)
    return found


CASES = [*shipped(), "chain-1d", "chain-3d", "residual", "one"]


def drawn(name):
    made = {
        "chain-1d": lambda: plan("conv:8 pool:2 conv:16 flatten dense:5", 100, 3),
        "chain-3d": lambda: plan("conv:8 pool:2 conv:16 global_pool dense:2 softmax", 16, 32, 32, 1),
        "residual": lambda: plan(
            "conv:8 [ conv:8,same relu conv:8,same + ] [ [ conv:2 | conv:3 ] | conv:1 ] pad:1", 20, 20, 3
        ),
        "one": lambda: plan("conv_transpose:2,stride=2", 1, 1, 1),
    }
    network = made[name]() if name in made else plan_network(load(name))
    return network, ElementTree.fromstring(draw(network))


@pytest.mark.parametrize("name", CASES)
def test_no_text_lies_on_another(name):
    _, root = drawn(name)
    boxes = texts(root)
    width, height = float(root.get("width")), float(root.get("height"))
    for number, (text, left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= width and bottom <= height, text
        for other, left_2, top_2, right_2, bottom_2 in boxes[number + 1 :]:
            apart = right <= left_2 or right_2 <= left or bottom <= top_2 or bottom_2 <= top
            assert apart, (text, other)


@pytest.mark.parametrize("name", CASES)
def test_every_shape_is_written(name):
    network, root = drawn(name)
    written = {text for text, *_ in texts(root)}
    assert shape_text(network.input) in written
    for layer in network.layers:
        if layer.type != "head":
            assert shape_text(layer.output) in written


def test_layers_that_keep_the_shape_are_named_not_drawn():
    _, root = drawn("alexnet")
    written = " ".join(text for text, *_ in texts(root))
    assert "local norm" in written and "dropout 0.5" in written and "relu" in written


def test_colours_by_type_and_a_legend_of_what_is_there():
    _, root = drawn("lenet5")
    written = {text for text, *_ in texts(root)}
    assert {"convolution", "pooling", "dense"} <= written
    assert "transposed convolution" not in written
    fills = {polygon.get("fill") for polygon in root.iter(f"{SVG}polygon")}
    assert len(fills) == 3 * 5  # three shades of input, convolution, pooling, flatten and dense


def test_hostile_titles_stay_text():
    spec = NetworkSpec((4, 4, 1), parse_words("conv:1"), name="x", title='</text><script>"&')
    root = ElementTree.fromstring(draw(plan_network(spec)))
    assert not list(root.iter(f"{SVG}script"))
    assert '</text><script>"&' in {text for text, *_ in texts(root)}


def test_larger_sizes_are_drawn_larger():
    def face(size):
        root = ElementTree.fromstring(draw(plan("conv:8,kernel=1", *size)))
        corners = [point.split(",") for point in list(root.iter(f"{SVG}polygon"))[-1].get("points").split()]
        heights = [float(y) for _, y in corners]
        return max(heights) - min(heights)

    assert face((100, 4, 1)) > face((20, 100, 1)) > face((5, 100, 1))


def test_branches_and_heads_are_there():
    _, root = drawn("googlenet")
    written = [text for text, *_ in texts(root)]
    assert sum(text.startswith("inception_") for text in written) == 9
    assert sum(text.endswith("used in training only") for text in written) == 2


def test_every_kind_of_the_vocabulary_is_drawn_and_those_to_come_too():
    from dataclasses import replace

    from convcli.architectures import parse_words, plan_network
    from convcli.architectures.grammar import NetworkSpec
    from convcli.jobs.gradcheck import every_kind

    for words, size in every_kind():
        assert draw(plan_network(NetworkSpec(size, parse_words(words)))).startswith("<svg")
    plan = plan_network(NetworkSpec((6, 6, 2), parse_words("conv:3 pool:2")))
    strange = tuple(replace(layer, type="novelty") for layer in plan.layers)
    assert "novelty" in draw(replace(plan, layers=strange))
