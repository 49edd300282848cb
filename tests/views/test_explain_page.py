"""The explain page in a browser: pointing, stepping, playing; its numbers are those that convcli filter writes."""

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from PIL import Image
from readable import LEAST_ON_PAGE, contrast
from reference import correlate

from convcli.images import Image as ImageInMemory
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
    place = "(() => { const c = document.getElementById('output'), box = c.closest('.scroll');"
    place += f" const x = +c.dataset.left + ({column} + 0.5) * c.dataset.cell;"
    place += f" const y = +c.dataset.top + ({row} + 0.5) * c.dataset.cell;"
    place += " box.scrollTo(x - box.clientWidth / 2, y - box.clientHeight / 2);"
    place += " const b = c.getBoundingClientRect(); return [b.left + x, b.top + y]; })()"
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
    browser.evaluate("document.getElementById('speed').value = '3000'; document.activeElement.blur()")
    browser.press(" ")
    assert browser.evaluate("document.getElementById('play').textContent") == "Pause"
    assert position(browser) == (0, 0)
    browser.press(" ")
    assert browser.evaluate("document.getElementById('play').textContent") == "Play"


@needs_browser
@pytest.mark.parametrize("what", ["small", "scrolling"])
def test_every_focus_stop_is_seen_and_named(browser, tmp_path, cat_page, what):
    small = matrix_page(tmp_path / "m.html", "1 2 3; 4 5 6", ["1 1", "1 2"])
    browser.open(small if what == "small" else cat_page)
    seen = []
    for _ in range(14):
        browser.press("Tab")
        seen.append(browser.evaluate(
            "(e => [e.id || e.name || e.tagName, getComputedStyle(e.type === 'radio' ? e.nextSibling : e).outlineStyle,"
            " e.getAttribute('aria-label') || e.textContent || (e.labels?.[0]?.textContent ?? '')])"
            "(document.activeElement)"))  # fmt: skip
    choices = "filters" if what == "small" else "channels"
    stops = {choices, "output", "first", "previous", "play", "next", "last", "slider", "speed", "zoom-in", "zoom-out"}
    assert {name for name, _, _ in seen} - {"BODY"} == stops
    for name, style, label in seen:
        if name != "BODY":
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


WINDOWS = {"desk": (1400, 900), "phone": (390, 844), "tablet": (768, 1024)}
SMALL = {"small phone": (360, 640)}  # with one channel at a time
# The signs of a picture, of floats, of 16 bits; padding, a stride, several channels, one row.
PAGES = {
    "picture": ("cat", ["sobel-x"], {}, Region(100, 40, 32, 32)),
    "all of a picture": ("small", ["sharpen"], {"padding": "full"}, None),
    "signed sums": ("cat", ["sobel-x"], {"range": "raw"}, Region(0, 0, 32, 32)),
    "floats": ("floats", ["1 0 -1; 2 0 -2"], {"padding": "same"}, None),
    "16 bits": ("deep", ["laplacian"], {"range": "raw"}, None),
    "channels": ("cat", ["gaussian:sigma=1,size=3"], {"channels": "sum"}, Region(10, 10, 20, 20)),
    "stride": ("cat", ["box:size=5"], {"stride": (3, 2)}, Region(50, 50, 40, 24)),
    "a row": ("row", ["1 0 -1"], {}, None),
}


def made_page(folder, rng, name):
    what, specs, words, region = PAGES[name]
    images = {
        "cat": lambda: read(CAT),
        "small": lambda: matrix_image("1 2 3 1; 250 2 5 4; 0 6 99 6", as_pixels=True),
        "floats": lambda: matrix_image("; ".join(" ".join(map(str, row)) for row in rng.normal(0, 50, (20, 20)))),
        "deep": lambda: ImageInMemory(rng.integers(0, 65536, (24, 24, 1), np.uint16)),
        "row": lambda: matrix_image(" ".join(map(str, range(-20, 20)))),
    }
    explained = explain(images[what](), plan_filters(specs, **words), title=name, region=region)
    write_page(explained, str(folder / "page.html"), overwrite=True)
    return folder / "page.html"


# Of each canvas of a kind, how many cells have something on them: more than one colour away from frames and outlines.
WRITTEN = """(id => [...document.querySelectorAll(id)].map(canvas => {
  const of = canvas.id === "output" ? outputGrid : inputGrids.find(each => each.canvas === canvas);
  const [width, ratio] = [of.base.width, of.ratio];
  const pixels = new Uint32Array(of.base.getContext("2d").getImageData(0, 0, width, of.base.height).data.buffer);
  let written = 0;
  for (let row = 0; row < of.rows; row++) for (let column = 0; column < of.columns; column++) {
    const [x, y, side] = of.rectangle(row, column).map(each => each * ratio);
    const seen = new Set();
    for (let down = 0; down < side / 3; down++)
      for (let across = 0; across < side / 3; across++)
        seen.add(pixels[Math.round(y + side / 3 + down) * width + Math.round(x + side / 3 + across)]);
    written += seen.size > 1;
  }
  return [written, of.rows * of.columns, +canvas.dataset.numbers, +canvas.dataset.cell];
}))"""


@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_every_cell_has_its_number_and_products_lie_above_the_fold(browser, tmp_path, rng, name):
    page = made_page(tmp_path, rng, name)
    for window, (width, height) in (WINDOWS | (SMALL if name in ("picture", "floats") else {})).items():
        browser.open(page, width=width, height=height)
        [(_, cells, numbers, side)] = browser.evaluate(f"{WRITTEN}('#output')")
        assert numbers == cells, (name, window)
        inputs = browser.evaluate(f"{WRITTEN}('#inputs canvas')")
        for written, count, told, own in inputs:
            assert (told, own) == (count, side), (name, window)
            assert written >= 0.97 * count, (name, window)
        assert browser.evaluate("Math.max(...[...document.querySelectorAll('.tap')].map(t => "
                                "t.getBoundingClientRect().bottom))") <= height  # fmt: skip
        covered = (
            "(c => [...document.querySelectorAll('.tap')].filter(t => t.getBoundingClientRect().bottom > c).length)"
        )
        assert browser.evaluate(f"{covered}(document.getElementById('controls').getBoundingClientRect().top)") == 0
        assert browser.evaluate("scrollY") == 0
        assert browser.evaluate("document.documentElement.scrollWidth") <= width


@needs_browser
def test_numbers_come_and_go_together(browser, tmp_path, rng):
    browser.open(made_page(tmp_path, rng, "picture"))
    seen = []
    for key in "---++++++":
        browser.press(key)
        numbers = browser.evaluate(
            "[...document.querySelectorAll('#inputs canvas, #output')].map(c => +c.dataset.numbers)"
        )
        assert all(numbers) or not any(numbers)
        seen.append(bool(numbers[0]))
    assert seen == [False, False, False, False, False, True, True, True, True]


@needs_browser
def test_products_are_coloured_by_the_product(browser, tmp_path):
    page = matrix_page(tmp_path / "m.html", "4 -4 0; 2 1 -2; 0 3 4", ["1 -1 3; -2 0 1; 5 1 -1"])
    browser.open(page)
    taps = browser.evaluate(
        "[...document.querySelectorAll('.tap')].map(t => [+t.dataset.product, getComputedStyle(t).backgroundColor])"
    )
    assert [product for product, _ in taps] == [4, 4, 0, -4, 0, -2, 0, 3, -4]
    colours = {product: set() for product, _ in taps}
    for product, colour in taps:
        colours[product].add(tuple(map(int, re.findall(r"\d+", colour))))
    assert all(len(each) == 1 for each in colours.values()), "one product, one colour"
    found = {product: each.pop() for product, each in colours.items()}
    assert found[0] == (247, 246, 243)
    assert found[4][0] > found[4][2]
    assert found[-4][2] > found[-4][0]
    assert sum(found[4]) < sum(found[3]) < sum(found[0])
    assert sum(found[-4]) < sum(found[-2]) < sum(found[0])


@needs_browser
def test_every_number_can_be_read_on_every_colour(browser, tmp_path):
    browser.open(matrix_page(tmp_path / "m.html", "1 2; 3 4", ["1 1"]))
    pairs = browser.evaluate(
        "[...Array(256).keys()].map(level => grey(level, 255))"
        ".concat([...Array(801).keys()].map(each => signed(each - 400, 400)), [signed(NaN, 1)])"
        ".flatMap(each => [each, mix(each, [246, 247, 249], 0.4), mix(each, [29, 32, 38], 0.4)])"
        ".map(each => [inkOn(each), each])"
    )
    assert len(pairs) == 3 * (256 + 801 + 1)
    assert min(contrast({"#000": "#000000", "#fff": "#ffffff"}[ink], ground) for ink, ground in pairs) >= 4.5


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["picture", "channels", "all of a picture"])
def test_every_text_can_be_read(browser, tmp_path, rng, name, dark):
    page = made_page(tmp_path, rng, name)
    for width, height in WINDOWS.values():
        browser.open(page, width=width, height=height, dark=dark)
        assert browser.evaluate(LEAST_ON_PAGE)[0] >= 4.5, browser.evaluate(LEAST_ON_PAGE)
        labels = browser.evaluate(
            "(s => ['--quiet', '--panel', '--accent', '--accent-ink'].map(name => s.getPropertyValue(name).trim()))"
            "(getComputedStyle(document.body))"
        )
        assert contrast(labels[0], labels[1]) >= 4.5, "rows' and columns' numbers on their panel"
        assert contrast(labels[2], labels[3]) >= 4.5


@needs_browser
def test_numbers_in_cells_are_never_wrong_by_a_digit_before_the_point(browser, tmp_path):
    browser.open(matrix_page(tmp_path / "m.html", "1 2; 3 4", ["1 1"]))
    texts = {
        "1234.5": "1235",
        "-0.000012": "−1e−5",
        "1500000": "1500000",
        "2500000.5": "3e6",
        "-12.75": "−13",
        "0": "0",
    }
    for number, text in texts.items():
        assert browser.evaluate(f"tight({number}, 1)") == (text if number != "1500000" else "2e6"), number
    assert browser.evaluate("tight(-0.04312, 3)") == "−0.0431"
    assert browser.evaluate("format(-1e-7)") == "−1e−7"


@needs_browser
def test_play_takes_its_time(browser, tmp_path):
    browser.open(matrix_page(tmp_path / "m.html", "1 2; 3 4", ["1 1"]))
    assert browser.evaluate("+document.getElementById('speed').value") >= 1500


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
    assert browser.evaluate("document.querySelector('#inputs .scroll').scrollLeft") > 0


def test_the_page_loads_nothing():
    text = "".join(
        (files("convcli.views") / "pages" / f"explain.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import|src=|url\(|fetch\(|XMLHttp|innerHTML", text)
