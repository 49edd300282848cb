import json
from pathlib import Path

import pytest
from PIL import Image


@pytest.mark.parametrize(("suffix", "frames"), [("gif", 9), ("webp", 9), ("png", 1)])
def test_pictures(convcli, tmp_path, suffix, frames):
    out = tmp_path / f"conv.{suffix}"
    arguments = ["animate", "--input", "5x5", "--kernel-size", "3", "-o", out]
    result = convcli(*arguments)
    assert (result.code, result.out, result.err) == (0, f"{out}\n", "")
    with Image.open(out) as picture:
        assert getattr(picture, "n_frames", 1) == frames
    refused = convcli(*arguments)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert "--overwrite" in refused.err
    assert convcli(*arguments, "--overwrite").code == 0


def test_frames_with_numbers_to_read_last_longer(convcli, tmp_path):
    lasts = {}
    for name, words in {"cells": ["--input", "3x3"], "values": ["--input", "3x3", "--values"],
                        "kernel": ["--input", "3x3", "-k", "1 1"], "matrix": ["--matrix", "1 2; 3 4", "--pool", "max"],
                        "said": ["--input", "3x3", "--values", "--delay", "0.3"]}.items():  # fmt: skip
        size = [] if name in ("kernel", "matrix") else ["--kernel-size", "2"]
        assert convcli("animate", *words, *size, "-o", tmp_path / f"{name}.gif").code == 0
        with Image.open(tmp_path / f"{name}.gif") as picture:
            lasts[name] = picture.info["duration"]
    assert lasts == {"cells": 600, "values": 1800, "kernel": 1800, "matrix": 1800, "said": 300}
    assert convcli("animate", "--input", "3x3", "--kernel-size", "2", "--values", "-o", tmp_path / "a.svg").code == 0
    assert 'dur="7.2s"' in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_json_has_the_shape_and_the_values(convcli, tmp_path):
    out = tmp_path / "t.svg"
    result = convcli(
        "animate", "--matrix", "-1 2; 3 4", "-k", "1 1; 1 1", "--transposed", "--stride", "2", "-o", out, "--json"
    )
    assert json.loads(result.out) == {
        "output": str(out),
        "kind": "transposed",
        "input_shape": [2, 2],
        "shape": [4, 4],
        "formula": ["(2 - 1)*2 + 2 - 0 + 0 = 4", "(2 - 1)*2 + 2 - 0 + 0 = 4"],
        "frames": 16,
        "values": [[-1, -1, 2, 2], [-1, -1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]],
    }
    assert out.read_text(encoding="utf-8").startswith("<svg")


def test_played_into_a_pipe_it_is_every_frame(convcli):
    result = convcli("animate", "--matrix", "2 3 1 9; 4 7 3 5; 8 2 2 2; 1 3 4 5", "--pool", "max", "--play")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[:3] == [
        "Max pooling",
        "input 4×4,  window 2×2,  stride 2,  padding 0",
        "output (4 − 2 + 0)/2 + 1 = 2 a side",
    ]
    assert [line.rpartition(" = ")[2] for line in lines if line.startswith("max of")] == ["7", "9", "8", "5"]
    assert "\x1b" not in result.out
    series = convcli("animate", "--input", "4", "-k", "1 0 -1", "--play")  # a matrix of one row
    assert series.code == 0 and "(4 − 3 + 0)/1 + 1 = 2" in series.out


def test_convolve_turns_the_kernel(convcli, tmp_path):
    values = []
    for index, extra in enumerate([[], ["--convolve"]]):
        arguments = ["animate", "--matrix", "1 2 3", "-k", "1 0 -1", "-o", tmp_path / f"{index}.svg", "--json", *extra]
        values.append(json.loads(convcli(*arguments).out)["values"])
    assert values == [[[-2]], [[2]]]


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["--input", "5x5"], 2, "neither -o nor --play"),
    (["--input", "5x5", "--play", "--json"], 2, "both --play and --json"),
    (["--play"], 2, "neither --input nor --matrix"),
    (["--input", "5x5", "--matrix", "1 2", "--play"], 2, "both --input and --matrix"),
    (["--input", "5x5", "-k", "box", "--kernel-size", "3", "--play"], 2, "-k with --kernel-size"),
    (["--input", "5x5", "-k", "box", "--pool", "max", "--play"], 2, "-k with --pool"),
    (["--input", "5x5", "--convolve", "--play"], 2, "expected a kernel to turn"),
    (["--input", "5x5x3", "--play"], 2, "one or two sizes"),
    (["--input", "3x3", "--kernel-size", "5", "--play"], 2, "no window fits"),
    (["--input", "99x99", "--play"], 2, "expected at most 256"),
    (["--input", "5", "--padding", "1,2", "--play"], 2, "padding"),
    (["--input", "5", "-k", "box", "--play"], 2, "got 3 rows for a series, expected one"),
    (["--input", "5x5", "-o", "a.mp4"], 2, "ends in .gif or .webp or .svg or .png"),
    (["--input", "5x5", "-o", "nowhere/a.gif"], 1, "does not exist"),
])  # fmt: skip
def test_wrong_usage_is_one_line(convcli, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    result = convcli("animate", *arguments)
    assert (result.code, result.err.count("\n")) == (code, 1), result.err
    assert message in result.err
    assert message in json.loads(result.out)["error"] if "--json" in arguments else not result.out
    assert list(Path().iterdir()) == []
