"""The lab in a real browser: what a page shows is what commands compute, to the byte."""

import base64
import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.jobs.classifier import load_classifier
from convcli.jobs.features import look_inside
from convcli.nn.weights import load_model

RESULT = "document.getElementById('k-result').textContent"
BEST = "document.getElementById('d-best').textContent"
FILM = "document.getElementById('a-sum').textContent"
STATE = "document.getElementById('t-state').dataset.state"


@pytest.fixture
def shell(convcli, tmp_path, monkeypatch):
    """Run a copied line as a shell would, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        words = shlex.split(line)
        assert words[0] == "convcli"
        result = convcli(*words[1:])
        assert result.code == 0, result.err
        return result

    return run


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).textContent")


def box(browser, selector):
    """Left, top, width and height of an element that is scrolled into sight."""
    return browser.evaluate(
        f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
        f" return [b.left, b.top, b.width, b.height]; }})(document.querySelector({selector!r}))"
    )


def fetched(browser, path, words):
    """What the server answers the page, as bytes."""
    browser.evaluate(
        f"window.got = null; fetch('api/{path}', {{method: 'POST', body: {words}}}).then(r => r.arrayBuffer())"
        ".then(b => { window.got = btoa(String.fromCharCode(...new Uint8Array(b))); }); 0"
    )
    browser.wait_for("window.got !== null")
    return base64.b64decode(browser.evaluate("window.got"))


def test_a_weight_is_dragged_and_the_picture_is_the_commands(page, shell):
    browser = page("kernel=sobel-x&range=offset&stride=5&padding=full&border=edge", RESULT)
    left, top, width, height = box(browser, "[data-place='1,2']")
    place = (left + width / 2, top + height / 2)
    browser.drag(place, (place[0] + 10, place[1]), (place[0] + 30, place[1]))
    browser.wait_for("document.querySelector('[data-command=kernel] code').textContent.includes('-2 0 2.5')")
    browser.wait_for("document.querySelector('#k-library').value === ''")
    browser.evaluate("document.getElementById('k-stage').focus()")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        browser.press(key)
    browser.wait_for("document.getElementById('k-place').textContent === 'row 25, column 58'")
    browser.wait_for("document.querySelectorAll('#k-steps tr').length > 3")
    assert "kernel=-1+0+1" in browser.evaluate("location.hash")

    shell(text(browser, "[data-command=kernel] code"))
    (written,) = (Path(name) for name in Path().glob("sample_*.png"))
    words = "JSON.stringify({kernel: '-1 0 1; -2 0 2.5; -1 0 1', range: 'offset', stride: 5, padding: 'full',"
    assert fetched(browser, "kernel/save", words + " border: 'edge'})") == written.read_bytes()
    pixels = np.asarray(Image.open(written))
    shown = browser.evaluate(
        "(c => [c.height, c.width, btoa(String.fromCharCode("
        "...c.getContext('2d').getImageData(0, 0, c.width, c.height).data))])(document.getElementById('k-after'))"
    )
    canvas = np.frombuffer(base64.b64decode(shown[2]), np.uint8).reshape(shown[0], shown[1], 4)
    np.testing.assert_array_equal(canvas[..., :3], pixels)
    assert int(text(browser, "#k-steps tr.result td:last-child")) == pixels[25, 58, 0]
    assert text(browser, "#k-said") == f"Row 25, column 58, red, pixel {pixels[25, 58, 0]}"


def test_a_seven_is_drawn_and_any_number_is_the_networks(page, shell):
    browser = page("digit=", BEST)
    browser.evaluate("document.getElementById('d-clear').click()")
    left, top, width, height = box(browser, "#d-paper")
    browser.drag(*((left + width * x, top + height * y) for x, y in
                   ((0.25, 0.25), (0.45, 0.24), (0.72, 0.25), (0.62, 0.45), (0.52, 0.65), (0.44, 0.85))))  # fmt: skip
    browser.wait_for(f"{BEST}.startsWith('7')")
    drawn = base64.b64decode(browser.evaluate("document.getElementById('d-paper').toDataURL()").split(",")[1])
    Path("drawing.png").write_bytes(drawn)
    assert shell(text(browser, "[data-command=digit] code")).out.startswith("drawing.png: 7")

    own = {each.name: each.values for each in look_inside(load_classifier(), io.BytesIO(drawn), maps=256).layers}
    number = "(e => [e.dataset.layer, +e.dataset.value])(document.getElementById('d-unit-place'))"
    browser.evaluate("document.getElementById('d-layers').scrollTo(0, 0)")
    for layer in ("conv_2", "dense_1"):
        left, top, width, height = box(browser, f"[data-layer={layer}]")
        browser.click(left + 8, top + 8)
        browser.wait_for(f"({number})[0] === '{layer}' && document.querySelector('#d-steps tr') !== null")
        steps = browser.evaluate(
            "[...document.querySelectorAll('#d-steps tr')].map(r => [r.dataset.step, +r.dataset.value])"
        )
        steps = dict(steps)
        place = browser.evaluate(
            "document.querySelector('#d-unit-place b').textContent.match(/\\d+/g).slice(1).map(Number)"
        )
        expected = own[layer][(*place[1:], place[0])]
        assert steps["network"] == browser.evaluate(number)[1] == pytest.approx(float(expected), abs=0)
        summed = steps.get("bias", steps["sum"])
        assert summed == pytest.approx(float(expected), rel=2e-4, abs=1e-4)
    # Down to one dot product, and from one of its cells to the layer before.
    products = browser.evaluate("[...document.querySelectorAll('.dot')].length")
    assert products > 1
    assert text(browser, "#d-bars .best span").startswith("7")


def test_an_impossible_window_says_why_and_a_possible_one_is_the_commands(page, shell):
    browser = page("arithmetic=convolution&rows=7&columns=6&stride=2&padding=1&seed=4", FILM)
    browser.evaluate("document.getElementById('a-output').focus()")
    browser.press("End")
    assert text(
        browser, "#a-formula"
    ) == "rows floor((7 − 3 + 2·1)/2) + 1 = 4,  columns floor((6 − 3 + 2·1)/2) + 1 = 3".replace(
        "rows floor((7 − 3 + 2·1)/2)", "rows (7 − 3 + 2·1)/2"
    )
    shell(text(browser, "[data-command=arithmetic] code"))
    words = "JSON.stringify({kind: 'convolution', rows: 7, columns: 6, stride: 2, padding: 1, values: true, seed: 4})"
    assert fetched(browser, "arithmetic/save", words) == Path("convolution.svg").read_bytes()
    browser.evaluate("(d => { d.value = 14; d.dispatchEvent(new Event('input')); })(document.getElementById('a-rows'))")
    browser.evaluate(
        "(d => { d.value = 5; d.dispatchEvent(new Event('input')); })(document.getElementById('a-stride'))"
    )
    browser.evaluate(
        "(d => { d.value = 4; d.dispatchEvent(new Event('input')); })(document.getElementById('a-dilation'))"
    )
    browser.wait_for("document.getElementById('a-why').textContent.includes('no window fits')")
    out = shell(text(browser, "[data-command=chain] code")).out
    assert all(
        name in out
        for name in browser.evaluate("[...document.querySelectorAll('#a-layers button')].map(b => b.textContent)")
    )


def test_digits_are_learned_to_the_end_with_the_commands_bits(page, shell, lab):
    browser = page("train=digits&epochs=2&limit=320&seed=3", "document.getElementById('t-data').value === 'digits'")
    browser.evaluate("document.getElementById('t-start').click()")
    browser.wait_for(f"['running', 'done', 'failed'].includes({STATE})")
    browser.wait_for(f"{STATE} === 'done' || {STATE} === 'failed'")
    assert browser.evaluate("document.querySelectorAll('#t-history tbody tr').length") == 2
    assert browser.evaluate("document.querySelectorAll('#t-hard figure').length") == 12
    assert "Test set: accuracy" in text(browser, "#t-notes")
    shell(text(browser, "[data-command=train] code"))
    Path("lab.safetensors").write_bytes(lab.room.training.file().body)
    ours, theirs = (load_model(name).model.state() for name in ("lab.safetensors", "digits.safetensors"))
    assert ours.keys() == theirs.keys()
    for name, weights in ours.items():
        np.testing.assert_array_equal(weights, theirs[name])
    browser.evaluate("document.getElementById('t-try').click()")
    browser.wait_for("[...document.getElementById('d-model').options].some(o => o.value === 'digits.safetensors')")


def test_rooms_fit_their_windows(page):
    """Nothing is wider than the window, and no word of a button or a title is cut off."""
    browser = page("kernel=sobel", RESULT)
    cut = (
        "[...document.querySelectorAll('button, .tabs span, h1, h2, th, nav a')].filter(e => e.offsetParent &&"
        " e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline').map(e => e.outerHTML)"
    )
    for room in ("kernel", "arithmetic", "digit", "train"):
        browser.evaluate(f"document.querySelector('nav a[data-room={room}]').click()")
        browser.wait_for(f"!document.getElementById('room-{room}').hidden")
        for width, dark in ((1400, False), (820, True), (360, False)):
            browser.resize(width, 800)
            browser.prefer(dark)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width, (room, width)
            assert browser.evaluate(cut) == [], (room, width)
        browser.resize(1400, 900)
