"""Animations as they are drawn: the marked cells are found again in the pixels of a GIF and in the groups of an SVG."""

import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from PIL import Image, ImageColor

from convcli.jobs.animate import make_film, plan_animation, seeded_values
from convcli.views.animation import CURRENT, DONE, INPUT, TAP, TAP_ON_ZERO, Box, Text, lay_out, short, wrapped
from convcli.views.animation_raster import as_picture, spread
from convcli.views.animation_svg import as_svg
from convcli.views.animation_text import frame_lines

SVG = "{http://www.w3.org/2000/svg}"


def film_of(sizes=(5, 5), kernel_size=3, *, values=False, **words):
    plan = plan_animation(sizes, kernel_size, **words)
    return make_film(plan, *(seeded_values(plan) if values else ()))


FILMS = {
    "convolution": {"padding": 1, "stride": 2},
    "values": {"padding": 1, "values": True},
    "transposed": {"sizes": (3, 3), "stride": 2, "padding": 1, "transposed": True, "values": True},
    "dilation": {"sizes": (7, 7), "dilation": 2},
    "pool": {"sizes": (4, 6), "kernel_size": 2, "pool": "max", "values": True},
    "series": {"sizes": 7, "values": True},
    "large": {"sizes": (24, 24), "kernel_size": (5, 5), "stride": 4, "values": True},
}


def places(scene, film):
    """The left upper corner of the left grid and of the output, and the side of a cell."""
    cells = [box for box in scene.still if isinstance(box, Box)]
    side = cells[0].width
    left = min(box.x for box in cells), min(box.y for box in cells if box.x == min(each.x for each in cells))
    first = next(item for item in scene.lasting[0] if isinstance(item, Box))
    return left, (first.x, first.y), side


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_the_pixels_show_window_and_output(name, suffix):
    film = film_of(**FILMS[name])
    scene = lay_out(film)
    (left, top), (out_left, out_top), side = places(scene, film)
    picture = Image.open(io.BytesIO(as_picture(film, suffix, 0.5)))
    assert picture.n_frames == len(film.frames)
    colours = {word: ImageColor.getrgb(word) for word in (TAP, TAP_ON_ZERO, INPUT, CURRENT, DONE)}
    for index in range(0, len(film.frames), 1 + len(film.frames) // 9):
        picture.seek(index)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        assert picture.info["duration"] == 500
        taps = {cell for cell, _ in film.frames[index].taps}

        def shows(x, y, word, pixels=pixels):
            # Three pixels into the cell, where no letter is; GIF colours may be a step off.
            return np.abs(pixels[int(y) + 3, int(x) + 3] - colours[word]).max() <= 10

        for (row, column), kind in np.ndenumerate(np.array(film.kinds)):
            x, y = left + column * side, top + row * side
            if (row, column) in taps:
                assert shows(x, y, TAP if kind == "input" else TAP_ON_ZERO), (index, row, column)
            else:
                assert shows(x, y, INPUT) == (kind == "input"), (index, row, column)
        for step, frame in enumerate(film.frames):
            x, y = out_left + frame.position[1] * side, out_top + frame.position[0] * side
            assert shows(x, y, CURRENT) == (step == index)
            assert shows(x, y, DONE) == (step < index)


@pytest.mark.parametrize("name", FILMS)
def test_nothing_is_drawn_outside_and_no_texts_overlap(name):
    scene = lay_out(film_of(**FILMS[name]))
    for index in range(len(scene.moving)):
        texts = [item for item in (*scene.still, *scene.moving[index]) if isinstance(item, Text)]
        lines = []
        for item in texts:
            width = 0.6 * item.points * len(item.text)
            x = item.x - {"start": 0, "middle": width / 2, "end": width}[item.anchor]
            assert x >= 0
            assert item.y + item.points / 2 <= scene.height
            if item.anchor == "start":
                assert x + width <= scene.width, item.text
                lines.append((item.y, x, x + width))
        for number, (y, start, end) in enumerate(lines):
            for other, other_start, other_end in lines[:number]:
                assert abs(y - other) >= 14 or end <= other_start or other_end <= start


def test_an_svg_shows_each_group_in_its_time():
    film = film_of((3, 3), 2)
    root = ElementTree.fromstring(as_svg(film, 0.5))
    groups = [each for each in root.iter(f"{SVG}g") if "class" in each.attrib]
    frames = [each for each in groups if each.get("class").startswith("frame")]
    times = [(a.get("values"), a.get("keyTimes"), a.get("dur")) for g in frames for a in g.iter(f"{SVG}animate")]
    assert times == [
        ("visible;hidden", "0;0.25", "2s"),
        ("hidden;visible;hidden", "0;0.25;0.5", "2s"),
        ("hidden;visible;hidden", "0;0.5;0.75", "2s"),
        ("hidden;visible", "0;0.75", "2s"),
    ]
    assert [each.get("visibility") for each in frames] == ["visible", "hidden", "hidden", "hidden"]
    assert frames[-1].get("class") == "frame last"
    taps = [sum(r.get("fill") == TAP for r in each.iter(f"{SVG}rect")) for each in frames]
    assert taps == [4, 4, 4, 4]
    done = [each for each in groups if each.get("class") == "done"]
    assert not list(done[0].iter(f"{SVG}animate"))
    assert [a.get("values") for a in done[2].iter(f"{SVG}animate")] == ["hidden;visible"]


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
@pytest.mark.parametrize("name", ["convolution", "transposed", "pool"])
def test_a_browser_shows_one_frame_at_a_time(tmp_path, name):
    film = film_of(**FILMS[name])
    (tmp_path / "a.svg").write_text(as_svg(film, 0.5), encoding="utf-8")
    with Browser() as browser:
        browser.open(tmp_path / "a.svg")
        for step in range(len(film.frames)):
            browser.evaluate("document.documentElement.pauseAnimations()")
            browser.evaluate(f"document.documentElement.setCurrentTime({step * 0.5 + 0.2})")
            for group, expected in (("frame", [step]), ("done", list(range(step + 1)))):
                seen = browser.evaluate(
                    f"[...document.querySelectorAll('.{group}')]"
                    ".filter(g => getComputedStyle(g).visibility === 'visible').map(g => +g.dataset.step)"
                )
                assert seen == expected, (group, step)
        assert browser.complaints == []


def test_a_single_frame_is_a_picture_too():
    film = film_of((3, 3), 3, values=True)
    assert len(film.frames) == 1
    assert "<animate" not in as_svg(film, 1)
    for suffix in (".gif", ".webp", ".png"):
        assert Image.open(io.BytesIO(as_picture(film, suffix, 1))).size[0] > 300


def test_a_sheet_has_all_frames_or_as_many_as_fit():
    film = film_of((4, 4), 2)
    scene = lay_out(film)
    sheet = Image.open(io.BytesIO(as_picture(film, ".png", 1)))
    body = scene.height - scene.head
    assert sheet.size == (3 * scene.body_width + 2 * 16, scene.head + 3 * body + 2 * 16)
    # A series has one row of output: its wide frames stand below each other, not in a ribbon.
    for sizes in (7, 25):
        width, height = Image.open(io.BytesIO(as_picture(film_of(sizes, 3), ".png", 1))).size
        assert height / 2 < width < height * 2
    assert spread(100, 36)[0] == 0
    assert spread(100, 36)[-1] == 99
    assert len(set(spread(100, 36))) == 36


def test_the_terminal_brackets_the_window():
    film = make_film(plan_animation((2, 3), 2), ((1, 2, 3), (4, 5, 6)), ((1, 0), (0, -10)))
    assert frame_lines(film, 1, width=80) == [
        "step 2 of 2: output row 0, column 1",
        "input 2×3    kernel 2×2    output 1×2",
        " 1 [2][3]       1    0      −49 [−58]",
        " 4 [5][6]       0  −10",
        "2·1 + 3·0 + 5·0 + 6·(−10) = −58",
    ]
    narrow = frame_lines(film, 0, width=30)
    assert narrow[1:4] == ["input 2×3", "[1][2] 3 ", "[4][5] 6 "]
    coloured = frame_lines(film, 0, width=80, colour=True)
    assert "\x1b[48;5;24m\x1b[97m[1]\x1b[0m" in coloured[2]
    cells = frame_lines(film_of((2, 2), 2, padding=1), 0)
    assert cells[2].startswith("[.][.] .  . ")


def test_numbers_and_sums_fit():
    assert [short(value) for value in (3.0, -0.5, 1234567.0, 2 / 3)] == ["3", "−0.5", "1.23e+06", "0.667"]
    assert wrapped("1 + 2 = 3", 10, 1000, 1) == ["1 + 2 = 3"]
    long = " + ".join(["1·1"] * 200) + " = 200"
    lines = wrapped(long, 15, 500, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("+ … = 200")
    # Twenty thousand products take no longer than twenty: trying them word by word would take hours.
    assert wrapped(" + ".join(["1·1"] * 20_000) + " = 20000", 15, 500, 2)[1].endswith("+ … = 20000")
