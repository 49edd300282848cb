"""An empty name is no file: one line, whatever the command."""

import pytest


@pytest.mark.parametrize(
    "words",
    [
        ("filter", "", "-k", "box"),
        ("pool", "", "--size", "2"),
        ("predict", ""),
        ("compare", "", ""),
        ("gallery", ""),
        ("features", "shipped", ""),
        ("saliency", "shipped", ""),
        ("filters", ""),
        ("report", ""),
        ("export", ""),
        ("gradcheck", ""),
        ("summary", ""),
        ("train", ""),
    ],
    ids=" ".join,
)
def test_an_empty_name_is_refused_in_one_line(convcli, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    result = convcli(*words)
    assert result.code in (1, 2)
    assert result.err.startswith("Error: ") and result.err.count("\n") == 1
    assert "internal error" not in result.err and not list(tmp_path.iterdir())


def test_a_pattern_whose_results_would_be_its_inputs_is_refused(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.ppm").write_bytes(b"P5 1 1 255\n\x07")
    result = convcli("filter", "*.ppm", "-k", "identity", "-o", "{stem}{ext}")
    assert (result.code, result.err) == (2, "Error: output: a.ppm is also an input; choose another name with -o\n")
