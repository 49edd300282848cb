"""The report's page in a real browser: nothing overflows, nothing complains, numbers stay readable."""

import re
from dataclasses import replace

import numpy as np
import pytest
from browser import Browser, reason_to_skip
from made_models import digits_model

from convcli.jobs.report import make_report, page_of, write_report
from convcli.nn.weights import load_model, save_model
from convcli.views.report_page import page as page_text
from convcli.views.signed import css_scale, signed_colours

HISTORY = tuple({"epoch": n, "loss": 2 / n, "accuracy": 1 - 0.8 / n, "val_loss": 2.2 / n} for n in range(1, 13))

CONTRAST = """(() => {
  const light = colour => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(each => each / 255)
      .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const over = (top, below) => {
    const [t, b] = [top, below].map(each => each.match(/[\\d.]+/g).map(Number));
    const share = t.length > 3 ? t[3] : 1;
    return `rgb(${[0, 1, 2].map(place => t[place] * share + b[place] * (1 - share)).join(",")})`;
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  return Math.min(...[...document.querySelectorAll(".matrix td")].map(cell => {
    const style = getComputedStyle(cell);
    const [a, b] = [light(style.color), light(over(style.backgroundColor, paper))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
})()"""


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
                assert browser.evaluate(CONTRAST) >= 4.5, (width, dark)
                pictures = "[...document.images].every(each => each.complete && each.naturalWidth > 0)"
                assert browser.evaluate(pictures)
                # What is wider than the page scrolls in a region that the keyboard reaches.
                regions = "[...document.querySelectorAll('.scroll')].every(each => each.tabIndex === 0)"
                assert browser.evaluate(regions)
                letters = "[...document.querySelectorAll('svg text')].map(each => each.getBoundingClientRect().height)"
                assert min(browser.evaluate(letters)) > 9
        assert browser.complaints == []


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
