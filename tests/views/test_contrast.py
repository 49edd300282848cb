"""Every text that a view draws can be read where it lies, on paper and in the dark: a contrast of at least 4.5."""

import io
import itertools
import re
import xml.etree.ElementTree as ElementTree
from base64 import b64decode

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from PIL import Image
from readable import contrast, luminance

from convcli.architectures import load, plan_network
from convcli.jobs.animate import make_film, plan_animation, seeded_values
from convcli.jobs.toeplitz import toeplitz
from convcli.views import (
    animation,
    animation_text,
    figure,
    grid,
    matrix,
    montage,
    receptive,
    schemes,
    sheet,
    svg,
    volumes,
)
from convcli.views.animation import Box, Text, lay_out
from convcli.views.animation_svg import as_svg
from convcli.views.receptive import Outline
from convcli.views.schemes import darkened
from convcli.views.still import as_still
from convcli.views.toeplitz import MatrixFigure, draw_matrix

READABLE = 4.5
FILMS = {
    "values": ((5, 5), 3, {"padding": 1, "stride": 2}),
    "transposed": ((3, 3), 3, {"stride": 2, "padding": 1, "transposed": True}),
    "pool": ((4, 6), 2, {"pool": "max"}),
}


def grounds(items):
    """Each text of a drawing with the colour it lies on: of the last filled box below its middle, else of the paper."""
    pairs = set()
    for place, item in enumerate(items):
        if isinstance(item, Text):
            right = {"start": 1, "middle": 0, "end": -1}[item.anchor] * svg.text_width(item.text, item.points) / 2
            x, y = item.x + right, item.y
            below = [
                each.fill
                for each in items[:place]
                if isinstance(each, Box) and each.fill
                and each.x <= x <= each.x + each.width and each.y <= y <= each.y + each.height
            ]  # fmt: skip
            pairs.add((item.colour, below[-1] if below else animation.PAPER))
    return pairs


def check(pairs):
    assert pairs
    for ink, ground in pairs:
        assert contrast(ink, ground) >= READABLE, (ink, ground)
        assert contrast(darkened(ink), darkened(ground)) >= READABLE, (ink, ground)


@pytest.mark.parametrize("name", FILMS)
def test_animations(name):
    sizes, kernel_size, words = FILMS[name]
    plan = plan_animation(sizes, kernel_size, **words)
    scene = lay_out(make_film(plan, *seeded_values(plan)))
    pairs = set()
    for index, moving in enumerate(scene.moving):
        lasting = [item for items in scene.lasting[: index + 1] for item in items]
        pairs |= grounds([*scene.still, *lasting, *moving])
    check(pairs)


@pytest.mark.parametrize("kernel", ["1 -2; 3 4", "-5 1e-3; 0 5", "gaussian:sigma=1"])
def test_matrices(kernel):
    found = toeplitz((5, 5), kernel, padding="same")
    drawn = MatrixFigure(found.matrix, found.vector, found.result, found.input, found.output, ("a", "b"))
    check(grounds(draw_matrix(drawn).items))


def test_every_colour_of_a_matrix():
    """Whatever a weight is: colours of cells with numbers go only half way."""
    ground = {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in figure.signed_colours(np.linspace(-0.5, 0.5, 401), 1.0).tolist()}
    check({(animation.INK, each) for each in ground})


def test_receptive_fields():
    outlines = [Outline(f"layer {side}", 0, 0, side, side) for side in range(1, 9)]
    check(grounds(receptive.draw_fields("a title", ["a line"], (9, 9), outlines, None).items))
    assert {contrast(colour, receptive.PAPER) > 2 for colour in receptive._COLOURS} == {True}


def test_pictures_of_panels():
    for module in (figure, montage, grid, sheet):
        inks = [value for name, value in vars(module).items() if re.fullmatch("_(INK|QUIET|FAINT)", name)]
        assert inks
        assert min(contrast(ink, module._PAPER) for ink in inks) >= READABLE, module.__name__


def test_terminals():
    """White on the levels of a matrix, and the two colours of an animation, in xterm's fixed colours."""
    pairs = [(97, each) for each in (*matrix.RED, *matrix.BLUE)]
    pairs += [
        (int(ink), int(ground))
        for ground, ink in re.findall(r"48;5;(\d+)m\x1b\[(\d+)m", animation_text._TAP + animation_text._CURRENT)
    ]
    assert len(pairs) == 20
    for ink, ground in pairs:
        red, rest = divmod(ground - 16, 36)
        colour = [(0, 95, 135, 175, 215, 255)[each] for each in (red, *divmod(rest, 6))]
        assert contrast({97: "#ffffff", 30: "#000000"}[ink], colour) >= READABLE, (ink, ground)


def test_the_dark_scheme_keeps_contrasts():
    levels = (0, 60, 128, 200, 255)
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in itertools.product(levels, repeat=3)]
    for one, other in itertools.combinations(colours, 2):
        light, dark = contrast(one, other), contrast(darkened(one), darkened(other))
        # No white is bright enough for what nearly black becomes; all else keeps its contrast but for rounding.
        assert dark == pytest.approx(light, rel=0.05) or min(map(luminance, (one, other))) < 0.01, (one, other)
        assert dark >= 0.85 * light, (one, other)
    assert darkened("#ffffff") == schemes.DARK_PAPER
    hue = [int(darkened("#0072b2")[place : place + 2], 16) for place in (1, 3, 5)]
    assert hue[0] < hue[1] < hue[2]


def drawn_animation():
    plan = plan_animation((4, 4), 3, padding=1)
    return as_svg(make_film(plan, *seeded_values(plan)), 1.0)


def drawn_matrix(side):
    found = toeplitz((side, side), "1 -2; 3 4")
    drawn = MatrixFigure(found.matrix, found.vector, found.result, found.input, found.output, ("from -1", "b"))
    return as_still(draw_matrix(drawn), ".svg").decode()


def drawn_fields(pixels):
    drawn = receptive.draw_fields("a title", ["a line"], (9, 9), [Outline("layer", 0, 0, 3, 3)], pixels)
    return as_still(drawn, ".svg").decode()


# Every kind of SVG that convcli writes, but for the curves of a training.
DRAWINGS = {
    "animation": drawn_animation,
    "matrix": lambda: drawn_matrix(4),
    "large matrix": lambda: drawn_matrix(16),
    "fields": lambda: drawn_fields(None),
    "fields on a picture": lambda: drawn_fields(np.ones((9, 9, 1))),
    "lenet5": lambda: volumes.draw(plan_network(load("lenet5"))),
    "googlenet": lambda: volumes.draw(plan_network(load("googlenet"))),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_svg_has_a_dark_scheme_for_each_of_its_colours(name):
    text = DRAWINGS[name]()
    root = ElementTree.fromstring(text)
    styles = "".join(each.text for each in root.iter("{http://www.w3.org/2000/svg}style"))
    assert "prefers-color-scheme: dark" in styles
    for each in root.iter():
        for word in ("fill", "stroke"):
            colour = each.get(word)
            if colour not in (None, "none"):
                assert f'[{word}="{colour}"] {{ {word}: {darkened(colour)} !important }}' in styles
    pictures = list(root.iter("{http://www.w3.org/2000/svg}image"))
    if name == "large matrix":
        # Too small for numbers: one picture of each scheme.
        light, dark = (
            np.asarray(Image.open(io.BytesIO(b64decode(each.get("href").split(",")[1])))) for each in pictures
        )
        assert [each.get("display") for each in pictures] == [None, "none"]
        assert (light[0, -1].tolist(), dark[0, -1].tolist()) == ([255, 255, 255], [20, 22, 26])
        assert "−1" in text
    assert not re.search(r">[^<]*(?<![\w.])-\d[^<]*</(text|desc)>", text)


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_a_browser_shows_the_dark_scheme(tmp_path):
    with Browser() as browser:
        for name, draw in DRAWINGS.items():
            (tmp_path / "a.svg").write_text(draw(), encoding="utf-8")
            for dark in (False, True):
                browser.open(tmp_path / "a.svg", dark=dark)
                browser.screenshot(tmp_path / "a.png", whole=False)
                with Image.open(tmp_path / "a.png") as picture:
                    pixels = np.asarray(picture.convert("RGB"))
                assert pixels[4, 4].tolist() == ([20, 22, 26] if dark else [255, 255, 255]), name
        assert browser.complaints == []
