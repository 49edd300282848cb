"""``--preview`` on filter, pool and morph: what goes where, and how a terminal is recognised."""

import json

import numpy as np
import pytest
from PIL import Image

from convcli.cli import preview
from convcli.cli.preview import best_way
from convcli.views.preview import HALF

COMMANDS = [["filter", "-k", "box"], ["pool", "--size", "2"], ["morph", "dilate", "--size", "3"]]


@pytest.fixture
def photo(tmp_path, monkeypatch, rng):
    """A small photo.png in the working folder."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save("photo.png")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_preview_is_on_stderr_and_changes_nothing_else(convcli, photo, words):
    plain = convcli(*words, "photo.png", "-o", "plain.png")
    result = convcli(*words, "photo.png", "-o", "plain.png", "--overwrite", "--preview=blocks")
    assert (result.code, result.out) == (plain.code, plain.out)
    assert HALF in result.err
    assert "before: photo.png" in result.err
    assert max(len(line) for line in result.err.splitlines() if "\x1b" not in line) <= 80


@pytest.mark.parametrize("words", COMMANDS)
def test_side_by_side(convcli, photo, words):
    result = convcli(*words, "photo.png", "-o", "out.png", "--preview=side.png")
    assert (result.code, result.out, result.err) == (0, "out.png\n", "")
    with Image.open("side.png") as picture:
        assert picture.width > 2 * 600
    refused = convcli(*words, "photo.png", "-o", "other.png", "--preview=side.png")
    assert refused.code == 1
    assert "side.png: already exists" in refused.err
    assert convcli(*words, "photo.png", "-o", "out.png", "--preview=side.png", "--overwrite").code == 0


def test_a_bare_preview_takes_no_word(convcli, photo):
    result = convcli("filter", "-k", "box", "--preview", "photo.png")
    assert (result.code, result.out) == (0, "photo_box.png\n")
    assert result.err.startswith("Warning: --preview: stderr is no terminal")
    result = convcli("filter", "-k", "-1 0 1", "--preview", "photo.png", "-o", "matrix.png", "-q")
    assert (result.code, result.out, result.err) == (0, "matrix.png\n", "")


def test_json_and_stdout_stay_clean(convcli, photo):
    result = convcli("filter", "photo.png", "-k", "box", "--json", "--preview=256")
    assert json.loads(result.out)["files"][0]["output"] == "photo_box.png"
    assert "\x1b[38;5;" in result.err


def test_several_pictures_one_after_the_other(convcli, photo):
    Image.open("photo.png").save("second.png")
    result = convcli("pool", "photo.png", "second.png", "--size", "2", "--preview=blocks")
    assert result.err.index("before: photo.png") < result.err.index("before: second.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photo.png", "--preview", "side.png"], "expected --preview=side.png"),
        (["--preview", "sixel", "photo.png"], "expected --preview=sixel"),
        (["photo.png", "--preview=nice"], "got 'nice'"),
        (["photo.png", "--preview=side.txt"], "side.txt"),
        (["photo.png", "-o", "x.png", "--preview=x.png"], "x.png is the input or the output too"),
        (["photo.png", "--preview=photo.png", "--overwrite"], "photo.png is the input or the output too"),
        (["photo.png", "photo2.png", "--preview=side.png"], "for 2 inputs"),
        (["photo.npy", "--axes", "zyx", "--preview"], "got a volume"),
        (["prices.csv", "--preview"], "got a signal"),
    ],
)
def test_wrong_usage(convcli, photo, words, message):
    result = convcli("filter", "-k", "box", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "blocks"),
        ({"TERM": "xterm-direct"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "256"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm-256color"}, "kitty"),
        ({"TERM_PROGRAM": "WezTerm", "COLORTERM": "truecolor"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-sixel"}, "sixel"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1", "COLORTERM": "truecolor"}, "blocks"),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, "256"),
    ],
)
def test_what_a_terminal_says_of_itself(environment, way):
    assert best_way(environment) == way


@pytest.mark.parametrize(("way", "sign"), [("blocks", HALF), ("kitty", "\x1b_G"), ("sixel", "\x1bPq")])
def test_auto_draws_on_a_terminal(convcli, photo, monkeypatch, way, sign):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(preview, "best_way", lambda environment: way)
    monkeypatch.setenv("TERM", "xterm")
    assert sign in convcli("filter", "-k", "box", "photo.png", "--preview").err
