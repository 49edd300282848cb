"""The report's page in a real browser: nothing overflows, nothing complains, numbers stay readable."""

import re
from dataclasses import replace

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from made_models import conv_model, digits_model
from readable import LEAST_ON_PAGE

from convcli.jobs.report import make_report, page_of, write_report
from convcli.nn.weights import load_model, save_model
from convcli.views.report_page import page as page_text
from convcli.views.signed import css_scale, signed_colours

HISTORY = tuple({"epoch": n, "loss": 2 / n, "accuracy": 1 - 0.8 / n, "val_loss": 2.2 / n} for n in range(1, 13))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    path = digits_model(folder / "digits.safetensors")
    trained = load_model(path)
    recipe = {"epochs": 12, "command": "convcli train digits --epochs 12 " + "--a-long-option value " * 6}
    card = trained.card.__class__(**{**vars(trained.card), "recipe": recipe, "history": HISTORY})
    save_model(path, trained.model, card, overwrite=True)
    write_report(make_report(path), folder / "page.html")
    return folder / "page.html"


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_the_page_is_readable_on_a_phone_and_on_a_desk(page):
    with Browser() as browser:
        for width in (360, 1400):
            for dark in (False, True):
                browser.open(page, width=width, dark=dark)
                assert browser.evaluate("document.documentElement.scrollWidth") <= width
                assert browser.evaluate(LEAST_ON_PAGE)[0] >= 4.5, (width, dark, browser.evaluate(LEAST_ON_PAGE))
                pictures = "[...document.images].every(each => each.complete && each.naturalWidth > 0)"
                assert browser.evaluate(pictures)
                # What is wider than the page scrolls in a region that the keyboard reaches.
                regions = "[...document.querySelectorAll('.scroll')].every(each => each.tabIndex === 0)"
                assert browser.evaluate(regions)
                letters = "[...document.querySelectorAll('svg text')].map(each => each.getBoundingClientRect().height)"
                assert min(browser.evaluate(letters)) > 9
        assert browser.complaints == []


# Of each region: how much it hides, and how far its first column's cells move when it is scrolled to its end.
SCROLLED = """[...document.querySelectorAll('.scroll')].map(region => {
  region.closest('details')?.setAttribute('open', '');
  const first = [...region.querySelectorAll('tr > :first-child')];
  const before = first.map(each => each.getBoundingClientRect().left);
  region.scrollLeft = 10000;
  const moved = Math.max(...first.map((each, place) => Math.abs(each.getBoundingClientRect().left - before[place])));
  return [region.scrollWidth - region.clientWidth, region.scrollLeft, moved];
})"""


@pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())
def test_tables_scroll_on_a_phone_and_their_first_column_stays(tmp_path):
    path = digits_model(tmp_path / "digits.safetensors")
    shown = page_of(make_report(path))
    names = [f"a class with a name, {place}" for place in range(10)]
    rows = [["a_layer_with_a_long_name", "224x224x64", "1,234,567", "1,234,567,890", "12.3 MiB", "211x211"]] * 3
    history = [row | {"accuracy": 0.5, "val_accuracy": 0.25} for row in HISTORY]
    wide = replace(shown, classes=names, layers=rows, history=history)
    (tmp_path / "wide.html").write_text(page_text(wide), encoding="utf-8")
    with Browser() as browser:
        for width in (320, 390):
            browser.open(tmp_path / "wide.html", width=width, height=844)
            regions = browser.evaluate(SCROLLED)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert len(regions) == 4
            assert max(hidden for hidden, _, _ in regions) > 50
            for hidden, scrolled, moved in regions:
                assert scrolled == pytest.approx(hidden, abs=1)
                assert moved < 1
            shades = browser.evaluate(
                "[...document.querySelectorAll('.scroll')].map(e => getComputedStyle(e).backgroundImage)"
            )
            assert all(each.count("linear-gradient") == 2 for each in shades)


def test_precision_has_bars_as_recall_has(tmp_path):
    shown = page_of(make_report(digits_model(tmp_path / "digits.safetensors")))
    scores = [("12", 0.25, "a", 1.0), ("0", None, "b", None), ("3", 0.0, "c", 2 / 3)]
    text = page_text(replace(shown, classes=["a", "b", "c"], confusion=None, scores=scores))
    cells = re.findall(
        r'<td(?: class="share" style="--share:([\d.]+%)")?>([^<]*)</td>', text[text.index("<h2>Classes") :]
    )
    assert cells[:9] == [("", "12"), ("25.0%", "25.00%"), ("100.0%", "100.00%"), ("", "0"), ("", "-"), ("", "-"),
                         ("", "3"), ("0.0%", "0.00%"), ("66.7%", "66.67%")]  # fmt: skip
    everywhere = page_text(shown)
    assert everywhere.count('class="share"') == 2 * len(shown.classes)


def test_the_page_speaks_in_words(tmp_path):
    model = conv_model(tmp_path / "m.safetensors", ["conv:4,relu", "flatten", "dense:2,softmax"], (8, 8, 1), "ab")
    recipe = {"epochs": 2, "optimizer": "adamw", "schedule": "one_cycle", "augment": "shift=2,stretch,scale=0.1",
              "clip_norm": 0.0, "patience": 0, "held_out": 0.1, "digest": "abc"}  # fmt: skip
    trained = load_model(tmp_path / "m.safetensors")
    metrics = {"val_loss": 0.25, "val_accuracy": 0.5, "seconds": 3.5}
    fields = {"recipe": recipe, "metrics": metrics, "history": HISTORY[:2]}
    save_model(tmp_path / "m.safetensors", model, replace(trained.card, **fields), overwrite=True)
    text = page_text(page_of(make_report(tmp_path / "m.safetensors")))
    shown = re.sub(r"<style>.*?</style>|<code>.*?</code>|<svg.*?</svg>|<[^>]*>", " ", text, flags=re.DOTALL)
    # Names of layers are what convcli features and saliency take.
    internal = re.findall(r"\b(?!conv_|flatten_|dense_)\w+_\w+|\w+=\S+|\b(?:True|False|None)\b", shown)
    assert internal == []
    for words in ("rises and falls once", "AdamW", "held-out loss", "scaled and cropped to 8x8, in grey"):
        assert words in shown
    assert "digest" not in shown
    assert '<text x="' in text
    assert re.findall(r'text-anchor="middle">(\d+)</text>', text) == ["1", "2"] * 2


def test_the_page_s_scale_is_that_of_the_pictures():
    stops = [tuple(map(int, each)) for each in re.findall(r"rgb\((\d+) (\d+) (\d+)\)", css_scale())]
    expected = signed_colours(np.linspace(-1, 1, len(stops)), 1.0).tolist()
    assert [list(each) for each in stops] == expected


def test_long_names_of_classes_stand_upright_above_the_matrix(tmp_path):
    shown = page_of(make_report(digits_model(tmp_path / "digits.safetensors")))
    assert 'class="matrix"' in page_text(shown)
    names = [f"a class with a name, {place}" for place in range(10)]
    text = page_text(replace(shown, classes=names))
    assert 'class="matrix upright"' in text
    if reason_to_skip():
        return
    (tmp_path / "long.html").write_text(text, encoding="utf-8")
    with Browser() as browser:
        browser.open(tmp_path / "long.html", width=1000)
        heads = "[...document.querySelectorAll('.matrix thead span')]"
        assert browser.evaluate(f"Math.max(...{heads}.map(each => each.closest('th').offsetWidth))") < 60
        assert browser.evaluate(f"{heads}.every(each => each.scrollHeight <= each.clientHeight)")
