"""Whole folders on the command line: trees, what was left out, one warning of clipping, and who is blamed."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image


@pytest.fixture
def shots(tmp_path, monkeypatch):
    """Three pictures in a tree, of which the deepest is clipped most when sharpened."""
    monkeypatch.chdir(tmp_path)
    flat = np.full((8, 8, 3), 128, np.uint8)
    for name, rows in (("shots/a.png", 1), ("shots/2024/b.png", 2), ("shots/2024/june/c.jpg", 4)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        picture = flat.copy()
        picture[: 2 * rows : 2] = 255
        Image.fromarray(picture).save(name)
    Path("shots/2024/list.txt").touch()
    return tmp_path


def tree(folder):
    return sorted(str(each.relative_to(folder)) for each in Path(folder).rglob("*") if each.is_file())


@pytest.mark.parametrize(
    ("words", "name"),
    [(["filter", "-k", "box"], "box"), (["pool", "--size", "2"], "max-pool"), (["pad", "--amount", "1"], "pad"),
     (["morph", "open", "--size", "3"], "open")],
)  # fmt: skip
def test_every_operation_keeps_the_tree(convcli, shots, words, name):
    command, *rest = words
    which, rest = ([rest[0]], rest[1:]) if command == "morph" else ([], rest)
    result = convcli(command, *which, "shots", "--recursive", *rest, "-o", "out")
    assert result.code == 0
    assert tree("out") == [f"2024/b_{name}.png", f"2024/june/c_{name}.jpg", f"a_{name}.png"]
    assert "left out: 1 .txt\n" in result.err


def test_what_was_left_out_and_skipped_is_counted(convcli, shots):
    words = ["filter", "shots", "-r", "-k", "box", "-o", "out/"]
    assert convcli(*words).code == 0
    again = convcli(*words, "--skip-existing")
    assert "0 written, 3 skipped (their output exists) in" in again.err
    report = json.loads(convcli(*words, "--skip-existing", "--json").out)
    assert report["left_out"] == {".txt": 1}
    assert len(report["skipped"]) == 3
    assert convcli(*words, "--skip-existing", "-q").err == ""
    flat = convcli("filter", "shots", "-k", "box", "-o", "flat")
    assert tree("flat") == ["a_box.png"]
    assert "left out: 1 folder (--recursive looks into folders)" in flat.err
    convcli("filter", "shots", "-k", "box")
    assert "1 result of an earlier run" in convcli("filter", "shots", "-k", "box", "--overwrite").err


def test_clipping_is_told_once_with_the_worst_picture(convcli, shots):
    result = convcli("filter", "shots", "-r", "-k", "sharpen", "-o", "out/")
    warnings = [line for line in result.err.splitlines() if "were clipped" in line]
    shares = [convcli("filter", each, "-k", "sharpen", "-o", "one.png", "--overwrite", "--json").out
              for each in ("shots/a.png", "shots/2024/b.png", "shots/2024/june/c.jpg")]  # fmt: skip
    worst = max(json.loads(each)["files"][0]["clipped"] for each in shares)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Warning: shots/2024/june/c.jpg: {worst:.1%} of the values lay outside 0..255")
    assert warnings[0].endswith("(the largest share; less in 2 more files)")


@pytest.mark.parametrize("axes", ["yx", "zyx", "x"])
@pytest.mark.parametrize(
    ("name", "says"),
    [("gone/", "gone/: no such folder"), ("gone/a.png", "gone/a.png: no such file: there is no folder gone")],
)
def test_a_missing_folder_is_no_such_folder(convcli, shots, axes, name, says):
    spec = "box3d" if axes == "zyx" else "box"
    for output in ([], ["-o", "out/"]):
        result = convcli("filter", name, "--axes", axes, "-k", spec, *output)
        assert (result.code, result.err) == (1, f"Error: {says}\n")


@pytest.mark.parametrize("command", [["gallery"], ["predict"], ["explain", "-k", "box"], ["train"]])
def test_other_commands_miss_the_folder_too(convcli, shots, command):
    result = convcli(command[0], "gone/", *command[1:])
    assert result.err.endswith("Error: gone/: no such folder\n")


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["-o", "a.jpg"], "a.jpg"),
        (["-o", "file/x/"], "file/x/in_sobel.png"),
        (["-o", "gone/a.png"], "gone/a.png"),
        (["--range", "raw", "-o", "a.png"], "a.png"),
        (["--depth", "16", "-o", "a.webp"], "a.webp"),
        (["-o", "in.png"], "output: in.png"),
    ],
)
def test_errors_of_an_output_name_the_output(convcli, tmp_path, monkeypatch, words, target):
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (6, 6), (1, 2, 3, 100)).save("in.png")
    Path("file").touch()
    result = convcli("filter", "in.png", "-k", "sobel", *words)
    assert result.code in (1, 2)
    assert result.err.startswith(f"Error: {target}"), result.err
    assert "in.png:" not in result.err


@pytest.mark.parametrize(("output", "says"), [("v.png", "got PNG for a volume"), ("gone/v.tif", "its folder gone")])
def test_a_volumes_output_is_to_blame_as_well(convcli, tmp_path, monkeypatch, output, says):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("scan.tif", np.zeros((3, 6, 6), np.uint8), photometric="minisblack")
    result = convcli("filter", "scan.tif", "--axes", "zyx", "-k", "box3d", "-o", output)
    assert says in result.err and "scan.tif" not in result.err
