"""The curves of a training as files: ticks are epochs, an SVG follows a dark scheme."""

import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from convcli.views.curves import draw_curves

pytest.importorskip("matplotlib")


def history(epochs):
    return [SimpleNamespace(epoch=n, loss=2 / n, accuracy=1 - 0.8 / n, val_loss=None if n > 99 else 2.2 / n,
                            val_accuracy=None if n > 99 else 1 - 0.9 / n) for n in range(1, epochs + 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("epochs", "ticks"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (60, [1, 10, 20, 30, 40, 50, 60])]
)
def test_ticks_are_whole_epochs(tmp_path, monkeypatch, epochs, ticks):
    figures = []
    monkeypatch.setattr("convcli.views.curves.write_figure", lambda figure, *rest, **words: figures.append(figure))
    draw_curves(history(epochs), tmp_path / "c.png")
    for axes in figures[0].axes:
        assert axes.get_xticks().tolist() == ticks
        marked = {line.get_marker() for line in axes.lines}
        assert marked == ({"None"} if epochs > 40 else {"o", "s"})


def test_an_svg_has_a_dark_scheme(tmp_path):
    draw_curves(history(3), tmp_path / "c.svg", title="digits, from -1")
    text = (tmp_path / "c.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    (style,) = re.findall(r"@media \(prefers-color-scheme: dark\) \{(.*)\}</style>", text)
    assert '[style*="fill: #ffffff"] { fill: #14161a !important }' in style
    assert "black" not in text
    assert '[id^="text_"] { fill: #ffffff }' in style
    assert text.count('<g id="text_') > 10
    draw_curves(history(3), tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
