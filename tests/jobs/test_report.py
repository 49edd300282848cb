"""Reports: what is on the page, with data and without."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_models import conv_model, digits_model

from convcli.errors import ConvcliError
from convcli.jobs.report import Report, check_report, make_report, page_of, write_report
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, load_model, save_model

HISTORY = tuple(
    {"epoch": n, "loss": 1 / n, "accuracy": 1 - 0.5 / n, "val_loss": 1.1 / n, "val_accuracy": 0.9 - 0.4 / n}
    for n in range(1, 6)
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return digits_model(tmp_path_factory.mktemp("report") / "digits.safetensors")


def test_the_page_has_the_numbers_of_evaluate(digits, convcli):
    report = make_report(digits)
    shown = page_of(report)
    measured = json.loads(convcli("evaluate", digits, "--json").out)
    assert shown.confusion == measured["confusion"]
    assert shown.numbers[0] == ("accuracy on the test set", f"{measured['accuracy']:.2%}")
    assert shown.mistakes_in_all == measured["wrong"] >= len(shown.mistakes)
    worst, second = (float(true[1].strip("<>%")) for _, true, _ in shown.mistakes[:2])
    assert worst <= second
    assert shown.mistakes[0][0].png[:4] == b"\x89PNG"
    assert [each[2] for each in shown.scores] == list(shown.classes)
    assert not shown.missing
    assert shown.filters is not None
    assert ("parameters", "650 (2.5 KiB at float32): 640 weights, 10 biases") in shown.facts


def test_the_page_needs_no_network_and_no_script(digits, tmp_path):
    write_report(make_report(digits, limit=50), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "{{" not in text
    assert text.count("<table") == 3
    with pytest.raises(ConvcliError, match="already exists"):
        write_report(make_report(digits, limit=50), tmp_path / "r.html")


def test_without_data_it_says_so(tmp_path):
    model = conv_model(tmp_path / "m.safetensors", ["conv:4,relu", "flatten", "dense:2,softmax"], (8, 8, 3), "ab")
    card = ModelCard("a folder", ("a", "b"), None, 3, {"epochs": 5, "command": "convcli train <x>"},
                     {"test_accuracy": 0.875, "seconds": 75.0}, HISTORY)  # fmt: skip
    save_model(tmp_path / "m.safetensors", model, card, overwrite=True)
    report = make_report(tmp_path / "m.safetensors")
    shown = page_of(report)
    assert report.evaluation is None
    assert "--data" in report.missing
    assert shown.confusion is None
    assert ("test accuracy when trained", "87.50%") in shown.numbers
    assert ("training", "1 min 15 s") in shown.numbers
    assert ("seed", "3") in shown.recipe
    assert shown.recipe[-1] == ("command", "convcli train <x>")
    write_report(report, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "are left out" in text
    assert "<code>convcli train &lt;x&gt;</code>" in text
    assert text.count("<svg") == 2
    with pytest.raises(ConvcliError):
        make_report(tmp_path / "m.safetensors", "digits")


def test_data_that_are_not_here_are_not_fetched_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVCLI_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "m.safetensors"
    model = Model.from_layers(["flatten", "dense:10,softmax"], (28, 28, 1))
    save_model(path, model, ModelCard("mnist", tuple("0123456789"), None, 0, {}, {}, ()))
    assert make_report(path).missing == "the data of mnist are not on this machine; --data mnist fetches them"


def test_a_model_of_series_has_a_page_too(tmp_path):
    model = Model.from_layers(["conv:4,kernel=3,relu", "flatten", "dense:1"], (16, 2))
    save_model(tmp_path / "s.safetensors", model, ModelCard("series", (), None, 0, {}, {}, ()))
    report = make_report(tmp_path / "s.safetensors")
    write_report(report, tmp_path / "s.html")
    assert "takes 16x2" in report.missing or "without classes" in report.missing


def test_many_classes_get_a_list_and_names_are_texts(tmp_path, digits):
    shown = make_report(digits, limit=200)
    found = shown.evaluation
    names = tuple(f"<b>{n}" for n in range(50))
    trained = load_model(digits)
    trained.card = replace(trained.card, classes=names)
    wide = np.zeros((50, 50), np.int64)
    wide[:10, :10] = found.confusion
    report = Report(digits, trained, replace(found, classes=names, confusion=wide))
    write_report(report, tmp_path / "w.html")
    text = (tmp_path / "w.html").read_text(encoding="utf-8")
    assert "50 classes are too many for a matrix" in text
    assert "<b>1<" not in text
    assert "&lt;b&gt;1" in text


@pytest.mark.parametrize("name", ["page.txt", "page"])
def test_a_page_is_html(name, tmp_path):
    with pytest.raises(ConvcliError, match=r"ends in \.html"):
        check_report(tmp_path / name, overwrite=False)
