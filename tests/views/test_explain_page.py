"""The explain page in a browser: pointing, stepping, playing; its numbers are those that convcli filter writes."""

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from PIL import Image
from reference import correlate

from convcli.images import read
from convcli.jobs.explain import explain, matrix_image, plan_filters, write_page
from convcli.jobs.explain_region import Region
from convcli.jobs.filter import filter_image, plan_filter

CAT = Path(__file__).parent.parent.parent / "sample_images" / "cat.jpg"
needs_browser = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
SOBEL_X = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(autouse=True)
def no_complaints(request):
    """Whatever a test does, the page's console stays empty."""
    yield
    if "browser" in request.fixturenames:
        one = request.getfixturevalue("browser")
        complaints, one.complaints = one.complaints, []
        assert complaints == []


@pytest.fixture
def cat_page(tmp_path):
    plans = plan_filters(["sobel-x"], [3.0])
    explained = explain(read(CAT), plans, title="cat.jpg", region=Region(100, 0, 30, 40))
    write_page(explained, str(tmp_path / "cat.html"))
    return tmp_path / "cat.html"


def matrix_page(path, matrix, specs, biases=(), **words):
    words = {"padding": "valid", "border": "constant", **words}
    explained = explain(matrix_image(matrix), plan_filters(specs, biases, **words), title="matrix")
    write_page(explained, str(path))
    return path


def hover(browser, row, column):
    """Move the mouse over a cell of the output grid, counted from what is shown."""
    place = "(() => { const c = document.getElementById('output'); c.scrollIntoView({block: 'center'});"
    place += " const b = c.getBoundingClientRect();"
    place += f" return [b.left + +c.dataset.left + ({column} + 0.5) * c.dataset.cell,"
    place += f" b.top + +c.dataset.top + ({row} + 0.5) * c.dataset.cell]; }})()"
    browser.point(*browser.evaluate(place))


def number(browser, name):
    return browser.evaluate(f"Number(document.getElementById('{name}').dataset.value)")


def position(browser):
    return tuple(browser.evaluate("(d => [+d.y, +d.x])(document.getElementById('position').dataset)"))


@needs_browser
def test_hovering_shows_the_pixel_that_filter_writes(browser, cat_page):
    image = read(CAT)
    filtered = filter_image(image, plan_filter(["sobel-x"], bias=3.0)).image.pixels
    naive = correlate(image.pixels[98:132, :44, 0].tolist(), SOBEL_X, padding=((0, 0), (1, 0)), border="reflect")
    browser.open(cat_page)
    for row, column in ((0, 0), (3, 5), (29, 39), (12, 0), (17, 33)):
        hover(browser, row, column)
        y, x = row + 100, column
        assert position(browser) == (y, x)
        assert number(browser, "pixel") == filtered[y, x, 0]
        assert number(browser, "sum") == naive[y - 99, x]
        assert number(browser, "bias") == number(browser, "sum") + 3
        assert number(browser, "clip") == number(browser, "pixel")
        products = browser.evaluate("[...document.querySelectorAll('.tap')].map(t => +t.dataset.product)")
        assert sum(products) == number(browser, "sum")
        weights = browser.evaluate("[...document.querySelectorAll('.tap')].map(t => +t.dataset.weight)")
        assert weights == [w for line in SOBEL_X for w in line]
        padded = browser.evaluate("document.querySelectorAll('.tap.padding').length")
        assert padded == (3 if x == 0 else 0)
    browser.evaluate("document.querySelector('#channels input[value=\"2\"]').click()")
    hover(browser, 4, 4)
    assert number(browser, "pixel") == filtered[104, 4, 2]


@needs_browser
def test_keys_and_slider_step_forward_and_back(browser, tmp_path):
    matrix = "1 2 3 1 3 5; 2 2 5 4 2 5; 0 6 9 6 2 2; 2 0 1 9 4 0; 5 5 4 6 7 6; 6 1 3 7 1 5"
    browser.open(matrix_page(tmp_path / "m.html", matrix, ["1 0 -1; 1 0 -1; 1 0 -1"]))
    expected = [[-14, -1, 10, -1], [-11, -11, 7, 12], [-7, -10, 1, 13], [5, -16, -4, 11]]
    browser.evaluate("document.getElementById('output').focus()")
    for key, place in (
        ("ArrowRight", (0, 1)), ("ArrowDown", (1, 1)), ("ArrowLeft", (1, 0)), ("ArrowUp", (0, 0)), ("ArrowUp", (0, 0)),
        ("End", (3, 3)), ("ArrowRight", (3, 3)), ("Home", (0, 0)),
    ):  # fmt: skip
        browser.press(key)
        assert position(browser) == place
        assert number(browser, "pixel") == expected[place[0]][place[1]]
    browser.evaluate("document.getElementById('slider').focus()")
    for key, place in (("ArrowRight", (0, 1)), ("ArrowRight", (0, 2)), ("ArrowLeft", (0, 1)), ("End", (3, 3))):
        browser.press(key)
        assert position(browser) == place
    browser.evaluate("document.getElementById('previous').click()")
    assert position(browser) == (3, 2)
    assert number(browser, "sum") == -4
    assert browser.evaluate("document.getElementById('slider').getAttribute('aria-valuetext')").endswith("pixel −4")
    assert browser.evaluate("document.getElementById('summary').textContent").startswith("row 3, column 2")


@needs_browser
def test_play_walks_to_the_end_and_pauses(browser, tmp_path):
    browser.open(matrix_page(tmp_path / "m.html", "1 2 3; 4 5 6", ["1 1"]))
    browser.evaluate("document.getElementById('speed').value = '60'")
    browser.evaluate("document.getElementById('play').click()")
    browser.wait_for("document.getElementById('position').dataset.x === '1'")
    browser.wait_for("document.getElementById('play').getAttribute('aria-pressed') === 'false'")
    assert position(browser) == (1, 1)
    browser.evaluate("document.getElementById('speed').value = '1500'; document.activeElement.blur()")
    browser.press(" ")
    assert browser.evaluate("document.getElementById('play').textContent") == "Pause"
    assert position(browser) == (0, 0)
    browser.press(" ")
    assert browser.evaluate("document.getElementById('play').textContent") == "Play"


@needs_browser
def test_every_focus_stop_is_seen_and_named(browser, tmp_path):
    browser.open(matrix_page(tmp_path / "m.html", "1 2 3; 4 5 6", ["1 1", "1 2"]))
    seen = []
    for _ in range(14):
        browser.press("Tab")
        seen.append(browser.evaluate(
            "(e => [e.id || e.name, getComputedStyle(e.type === 'radio' ? e.nextSibling : e).outlineStyle,"
            " e.getAttribute('aria-label') || e.textContent || (e.labels?.[0]?.textContent ?? '')])"
            "(document.activeElement)"))  # fmt: skip
    stops = {name for name, _, _ in seen}
    assert {"filters", "output", "play", "slider", "speed", "zoom-in", "zoom-out"} <= stops
    for name, style, label in seen:
        if name:
            assert style == "solid", name
            assert label.strip(), name


@needs_browser
def test_a_layer_shows_products_of_all_channels_and_bias(browser, tmp_path):
    page = matrix_page(
        tmp_path / "layer.html", "1 2; 3 4 | 5 6; 7 8 | 0 1; 1 0", ["1 0 | 0 1 | 2 2", "1 1 | 1 1 | 0 0"], [1, -1]
    )
    browser.open(page)
    assert number(browser, "sum") == 1 + 6 + 2
    assert number(browser, "bias") == 10
    assert browser.evaluate("document.querySelectorAll('.group').length") == 3
    browser.evaluate("document.querySelector('#filters input[value=\"1\"]').click()")
    assert number(browser, "sum") == 1 + 2 + 5 + 6
    browser.press("ArrowDown")
    assert number(browser, "sum") == 3 + 4 + 7 + 8
    assert number(browser, "pixel") == 21


ROUNDINGS = {
    "auto": {}, "clip": {"range": "clip"}, "offset": {"range": "offset"}, "minmax": {"range": "minmax"},
    "abs": {"range": "abs"}, "raw": {"range": "raw"}, "scaled": {"scale": 0.5}, "relu": {"activation": "relu"},
    "tanh": {"activation": "tanh", "scale": 0.01, "range": "raw"}, "gray": {"channels": "gray"},
    "sum": {"channels": "sum", "scale": 0.1}, "strided": {"stride": (2, 3), "dilation": (1, 2), "padding": "full"},
}  # fmt: skip


@needs_browser
@pytest.mark.parametrize("spec", ["1 0 -1; 2 0 -2", "sobel", "sobel-angle", "kirsch", "gaussian:sigma=1"])
def test_the_scripts_arithmetic_gives_the_filters_pixels(browser, tmp_path, rng, spec):
    """Every position of every policy: what the page works out in double precision is what convcli writes."""
    pixels = rng.integers(0, 256, (9, 8, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for name, words in ROUNDINGS.items():
        if spec == "sobel-angle" and name == "gray":
            continue  # at a mirrored border the gradient of grey floats is rounding alone, and so is its direction
        explained = explain(read(tmp_path / "a.png"), plan_filters([spec], **words), title=name)
        write_page(explained, str(tmp_path / f"{name}.html"))
        browser.open(tmp_path / f"{name}.html")
        pairs = browser.evaluate(
            "(() => { const found = []; for (let y = 0; y < output.rows; y++) for (let x = 0; x < output.columns; x++)"
            " { const result = workOut(y, x); found.push([result.computed, result.pixel]); } return found; })()"
        )
        computed, written = np.array(pairs).T
        if explained.document["filters"][0]["rounds"]:
            # A sum that single precision puts on the other side of a half is one level off, and the page says so.
            assert np.abs(computed - written).max() <= 1, name
            assert (computed != written).mean() < 0.05, name
        else:
            np.testing.assert_allclose(computed, written, rtol=1e-5, atol=1e-3, err_msg=name)


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1400])
def test_nothing_is_wider_than_the_window(browser, cat_page, tmp_path, width, dark):
    pages = [cat_page, matrix_page(tmp_path / "m.html", "1 2 3; 4 5 6; 7 8 9", ["box:size=9"], padding=5)]
    pages.append(matrix_page(tmp_path / "l.html", "1 2; 3 4 | 5 6; 7 8 | 0 1; 1 0", ["1 0 | 0 1 | 2 2"], padding=1))
    for page in pages:
        browser.open(page, width=width, height=740, dark=dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, page
        background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", background))) < 100 if dark else background == "rgb(255, 255, 255)"


@needs_browser
def test_an_address_opens_at_a_position(browser, cat_page):
    browser.open(cat_page, fragment="#y=110&x=7&channel=1")
    assert position(browser) == (110, 7)
    assert browser.evaluate("document.querySelector('#channels input:checked').value") == "1"


@needs_browser
def test_zoom_keeps_the_window_in_sight(browser, cat_page):
    browser.open(cat_page)
    before = browser.evaluate("+document.getElementById('output').dataset.cell")
    for _ in range(6):
        browser.press("+")
    browser.press("End")
    assert browser.evaluate("+document.getElementById('output').dataset.cell") > 2 * before
    assert browser.evaluate("document.getElementById('output').closest('.scroll').scrollLeft") > 0
    assert browser.evaluate("document.getElementById('inputs').scrollLeft") > 0


def test_the_page_loads_nothing():
    text = "".join(
        (files("convcli.views") / "pages" / f"explain.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import|src=|url\(|fetch\(|XMLHttp|innerHTML", text)
