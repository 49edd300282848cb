"""`convcli report`, and the page that train writes."""

import json
from pathlib import Path

import pytest
from made_models import digits_model


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_page_beside_the_model(convcli):
    digits_model(Path("digits.safetensors"))
    result = convcli("report", "digits.safetensors", "--limit", 60)
    assert (result.code, result.out) == (0, "digits.html\n"), result.err
    assert "</html>" in Path("digits.html").read_text(encoding="utf-8")
    assert convcli("report", "digits.safetensors").code == 1
    words = ["-o", "x.html", "--limit", 60, "--json"]
    document = json.loads(convcli("report", "digits.safetensors", *words).out)
    assert document["output"] == "x.html"
    assert document["images"] == 60
    assert document["missing"] is None


def test_train_writes_the_page_at_the_end(convcli):
    words = ["--epochs", 1, "--limit", 100, "-q"]
    result = convcli("train", "digits", *words, "--report", "page.html", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["report"] == "page.html"
    text = Path("page.html").read_text(encoding="utf-8")
    assert "The worst mistakes" in text
    before = sorted(path.name for path in Path().iterdir())
    refused = convcli("train", "digits", *words, "-o", "other.safetensors", "--report", "page.html")
    assert refused.code == 1
    assert "page.html: already exists" in refused.err
    assert sorted(path.name for path in Path().iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["none.safetensors"], 1, "none.safetensors"),
        (["digits.safetensors", "-o", "page.txt"], 2, "expected a name that ends in .html"),
        (["digits.safetensors", "-o", "-"], 2, "expected a name that ends in .html"),
        (["digits.safetensors", "--data", "mnist", "--offline"], 1, "28x28"),
        (["digits.safetensors", "--data", "nothing"], 1, "nothing"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, words, code, message):
    digits_model(Path("digits.safetensors"))
    result = convcli("report", *words)
    assert result.code == code
    assert message in result.err
    assert result.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["digits.safetensors"]
